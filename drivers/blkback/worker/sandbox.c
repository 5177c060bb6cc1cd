/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See sandbox.h. Called by the worker's first thread; it is entered while other
 * threads may already read a lazy seed. glibc changes the user in all
 * threads, the kernel's TSYNC the filter. What was prepared is the process's,
 * as the sandbox is.
 *
 * THE LIST was found by running every scenario of the test bed with it; what a
 * call is for stands beside it. It is by allowing, and by arguments where a
 * call can do more than a worker needs: no memory is made executable, no
 * process made or signalled, and of a device's controls only the grants' and
 * the event channels' own are left.
 */
#include "drivers/blkback/worker/sandbox.h"
#include "drivers/blkback/common/error.h"
#include "drivers/blkback/common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
/* Of Linux, behind the types of Xen. */
#include <xen/evtchn.h>
#include <xen/gntdev.h>

#define NOBODY 65534
#define MAX_DESCRIPTORS 256

#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif

/* Whom to become, and the list below as the kernel takes it, empty: it cannot. */
static struct {
	bool prepared;
	uid_t uid;
	gid_t gid;
	struct sock_fprog calls;
} box;

bool blkback_sandbox_possible(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#else
	return !HAS_FEATURE(address_sanitizer) &&
	       !HAS_FEATURE(thread_sanitizer) && !HAS_FEATURE(memory_sanitizer);
#endif
}

/* ---- system calls ------------------------------------------------------- */

/* What needs no look at the arguments. */
static const int allowed[] = {
	/* data: eventfds, event channels, the seed, the control socket, stderr */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(preadv),
	SCMP_SYS(pwritev),
	SCMP_SYS(lseek),
	SCMP_SYS(close),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(accept4),
	/* a lazy seed, read in the background at a low priority */
	SCMP_SYS(ioprio_set),
	SCMP_SYS(io_setup),
	SCMP_SYS(io_submit),
	SCMP_SYS(io_getevents),
	SCMP_SYS(io_cancel),
	SCMP_SYS(io_destroy),
	/* the store: memory of thin disks and views, locks (fcntl is below) */
	SCMP_SYS(fallocate),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fstat),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	/* waiting */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(futex),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(sched_yield),
	SCMP_SYS(restart_syscall),
	/* threads, as glibc makes and ends them */
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(getrandom),
	/* glibc's qsort asks how much memory there is; who we are, for the log */
	SCMP_SYS(sysinfo),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
};

/*
 * What libraries try on their own, and do without: syslog after its daemon was
 * restarted, time zones; clone3, whose flags a filter cannot read, and glibc
 * calls clone when there is none.
 */
static const struct {
	int call, err;
} refused[] = {
	{ SCMP_SYS(open), EACCES },      { SCMP_SYS(openat), EACCES },
	{ SCMP_SYS(socket), EACCES },    { SCMP_SYS(connect), EACCES },
	{ SCMP_SYS(stat), EACCES },      { SCMP_SYS(access), EACCES },
	{ SCMP_SYS(faccessat), EACCES }, { SCMP_SYS(faccessat2), EACCES },
	{ SCMP_SYS(readlink), EACCES },  { SCMP_SYS(readlinkat), EACCES },
	{ SCMP_SYS(unlink), EACCES },    { SCMP_SYS(unlinkat), EACCES },
	{ SCMP_SYS(uname), EACCES },     { SCMP_SYS(prctl), EPERM },
	{ SCMP_SYS(clone3), ENOSYS },
};

static const unsigned long controls[] = {
	IOCTL_GNTDEV_MAP_GRANT_REF,
	IOCTL_GNTDEV_UNMAP_GRANT_REF,
	IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR,
	IOCTL_GNTDEV_SET_UNMAP_NOTIFY,
	IOCTL_GNTDEV_GRANT_COPY,
	IOCTL_EVTCHN_BIND_INTERDOMAIN,
	IOCTL_EVTCHN_UNBIND,
	IOCTL_EVTCHN_NOTIFY,
};

static const int fcntls[] = {
	F_GETFD,         F_SETFD,     F_GETFL,     F_SETFL,
	F_DUPFD_CLOEXEC, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW,
};

/* Of a new thread; TLS, thread ids and the like are as glibc wants them. */
#define THREAD_MUST \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define THREAD_MAY                                            \
	(CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | \
	 CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_DETACHED)

static int allow_plain(scmp_filter_ctx ctx)
{
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	for (i = 0; !rc && i < sizeof(refused) / sizeof(refused[0]); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(refused[i].err),
				      refused[i].call, 0);
	return rc;
}

/* The kernel takes the low 32 bits of these arguments. */
static int allow_values(scmp_filter_ctx ctx)
{
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < sizeof(controls) / sizeof(controls[0]); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				      SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX,
					      controls[i]));
	for (i = 0; !rc && i < sizeof(fcntls) / sizeof(fcntls[0]); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				      SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX,
					      (scmp_datum_t)fcntls[i]));
	return rc;
}

static int allow_some(scmp_filter_ctx ctx)
{
	/* No memory that is, or becomes, executable. */
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect),
				      1,
				      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC,
					      0));
	/* fstat(2), as glibc calls it; other uses of it are refused. */
	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat),
				      1, SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES),
				      SCMP_SYS(newfstatat), 1,
				      SCMP_A3(SCMP_CMP_NE, AT_EMPTY_PATH));
	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				      SCMP_A0(SCMP_CMP_MASKED_EQ,
					      UINT32_MAX &
						      ~(scmp_datum_t)THREAD_MAY,
					      THREAD_MUST));
	/* A lazy seed's reader; it may not be there yet when this is entered. */
	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW,
				      SCMP_SYS(sched_setscheduler), 1,
				      SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX,
					      SCHED_IDLE));
	/* Limits are read, not set. */
	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64),
				      1, SCMP_A2(SCMP_CMP_EQ, 0));
	/* abort(), to ourselves. */
	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				      SCMP_A0(SCMP_CMP_EQ,
					      (scmp_datum_t)getpid()));
	return rc;
}

/* The list as a program for the kernel, malloc'd. 0 or -errno. */
static int export_calls(const scmp_filter_ctx ctx, struct sock_fprog *calls)
{
	int fd = memfd_create("calls", MFD_CLOEXEC);
	void *program = NULL;
	struct stat st;
	int rc;

	if (fd < 0)
		return -errno;
	rc = seccomp_export_bpf(ctx, fd);
	if (!rc && fstat(fd, &st))
		rc = -errno;
	if (!rc && !(program = malloc((size_t)st.st_size)))
		rc = -ENOMEM;
	if (!rc && pread(fd, program, (size_t)st.st_size, 0) != st.st_size)
		rc = -EIO;
	close(fd);
	if (rc) {
		free(program);
		return rc;
	}
	calls->filter = program;
	calls->len = (unsigned short)((size_t)st.st_size /
				      sizeof(calls->filter[0]));
	return 0;
}

/* Nothing for a kernel that cannot end a process for its calls. 0 or -errno. */
static int list_calls(struct sock_fprog *calls)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc;

	if (!ctx)
		return 0;
	rc = allow_plain(ctx);
	if (!rc)
		rc = allow_values(ctx);
	if (!rc)
		rc = allow_some(ctx);
	if (!rc)
		rc = export_calls(ctx, calls);
	seccomp_release(ctx);
	return rc;
}

static int filter_calls(const struct sock_fprog *calls)
{
	long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  SECCOMP_FILTER_FLAG_TSYNC, calls);

	/* Above 0: a thread that has another filter. */
	return rc > 0 ? -ESRCH : rc ? -errno : 0;
}

/* ---- user and limits ----------------------------------------------------- */

static void find_user(void)
{
	const struct passwd *pw = getpwnam(BLKBACK_SANDBOX_USER);

	box.uid = pw && pw->pw_uid ? pw->pw_uid : NOBODY;
	box.gid = pw && pw->pw_gid ? pw->pw_gid : NOBODY;
}

static int drop_user(void)
{
	if (geteuid() != 0)
		return 0;
	/* With the user go the capabilities, all of them. */
	if (setgroups(0, NULL) || setresgid(box.gid, box.gid, box.gid) ||
	    setresuid(box.uid, box.uid, box.uid))
		return -errno;
	return setuid(0) ? 0 : -EPERM;
}

static int set_limits(void)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit few = { MAX_DESCRIPTORS, MAX_DESCRIPTORS };

	if (setrlimit(RLIMIT_CORE, &none))
		return -errno;
	if (setrlimit(RLIMIT_NOFILE, &few) && errno != EPERM)
		return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

static int fail_step(struct rd_error *err, int rc, const char *step)
{
	return blkback_fail(err, rc, "cannot %s for the sandbox: %s", step,
			    strerror(-rc));
}

int blkback_sandbox_prepare(struct rd_error *err)
{
	int rc;

	if (box.prepared)
		return 0;
	tzset(); /* reads a file, at the first line of syslog */
	find_user();
	rc = list_calls(&box.calls);
	box.prepared = !rc;
	return rc ? fail_step(err, rc, "list the system calls") : 0;
}

int blkback_sandbox_enter(struct rd_error *err)
{
	const char *step = "set limits";
	int rc = blkback_sandbox_prepare(err);

	if (rc)
		return rc;
	rc = set_limits();
	if (!rc) {
		step = "become another user";
		rc = drop_user();
	}
	/* Set again by the kernel when the user changes. */
	if (!rc && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		rc = -errno;
	if (!rc && box.calls.len) {
		step = "filter system calls";
		rc = filter_calls(&box.calls);
	} else if (!rc) {
		blkback_log(
			BLKBACK_WARNING,
			"this kernel has no seccomp: system calls are not filtered");
	}
	return rc ? fail_step(err, rc, step) : 0;
}
