/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See sandbox.h. Owns the prepared filter, one for the process. The worker's
 * first thread calls these functions; no locks. Threads that read a lazy seed
 * may run already: glibc changes the user of all threads, and the kernel's
 * TSYNC flag sets the filter of all threads.
 *
 * RULES. The table allows single calls, and checks an argument where a call can
 * do more than a worker needs: no memory becomes executable, no process is
 * created or signalled, and only the ioctls of grants and event channels are
 * left. A call outside the table ends the process. The table is complete for
 * every scenario of the test bed; a new call needs a new line with its reason.
 */
#include "drivers/blkback/worker/sandbox.h"
#include "drivers/blkback/common/error.h"
#include "drivers/blkback/common/log.h"
#include "include/private/linux-calls.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
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
/* Headers of Linux that need the types of Xen. */
#include <xen/evtchn.h>
#include <xen/gntdev.h>

/* musl makes macros of these names, which are names of system calls here. */
#undef pread64
#undef pwrite64
#undef prlimit64

#define NOBODY 65534
#define LOG_BYTES ((rlim_t)64 << 20) /* that a log file may grow by */
#define MAX_DESCRIPTORS 256

#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif

/*
 * The user to become, and the rules as a program for the kernel. The program is
 * empty when the kernel has no seccomp.
 */
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

#define ANY 0 /* no argument of the call is checked */

/* A call and what the kernel does with it. */
struct rule {
	int call;
	int rc; /* 0: allowed; else the call fails with -rc */
	unsigned nr_checks; /* ANY, or 1: only calls that pass check */
	struct scmp_arg_cmp check;
	const char *why;
};

#define ALLOW(name, reason)                           \
	{                                             \
		SCMP_SYS(name), 0, ANY, { 0 }, reason \
	}
#define FAIL(name, code, reason)                            \
	{                                                   \
		SCMP_SYS(name), -(code), ANY, { 0 }, reason \
	}
/* Allowed when @bits of argument @n, whose low 32 bits count, are @value. */
#define ALLOW_IF(name, n, bits, value, reason)         \
	{                                              \
		SCMP_SYS(name), 0, 1,                  \
			{ n, SCMP_CMP_MASKED_EQ, bits, \
			  (scmp_datum_t)(value) },     \
			reason                         \
	}
/* Allowed when all 64 bits of argument @n are @value. */
#define ALLOW_EQ(name, n, value, reason)                                   \
	{                                                                  \
		SCMP_SYS(name), 0, 1, { n, SCMP_CMP_EQ, value, 0 }, reason \
	}

#define WORD UINT32_MAX

/* clone(): flags that a new thread has, and flags that it may have as well. */
#define THREAD_MUST \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define THREAD_MAY                                            \
	(CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | \
	 CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_DETACHED)

static const struct rule rules[] = {
	ALLOW(read, "event channels, eventfds, a lazy seed"),
	ALLOW(write, "stderr, eventfds, event channels"),
	ALLOW(writev, "the message of abort"),
	ALLOW(pread64, "a lazy seed, /proc/meminfo, what a point keeps"),
	ALLOW(pwrite64, "what a point keeps of a block; as write at an offset"),
	ALLOW(lseek, "holes of a seed"),
	ALLOW(close, "the control socket of a supervisor that is gone"),
	ALLOW(recvfrom, "the control socket"),
	ALLOW(recvmsg, "the control socket"),
	ALLOW(sendto, "the control socket, syslog"),
	ALLOW(sendmsg, "the control socket, syslog"),
	ALLOW(accept4, "the next supervisor"),

	ALLOW(ioprio_set, "a lazy seed is read at a low priority"),
	ALLOW(io_setup, "a lazy seed is read with libaio"),
	ALLOW(io_submit, "a lazy seed"),
	ALLOW(io_getevents, "a lazy seed"),
	ALLOW(io_cancel, "a lazy seed"),
	ALLOW(io_destroy, "a lazy seed"),
	ALLOW_IF(sched_setscheduler, 1, WORD, SCHED_IDLE,
		 "a lazy seed's thread, which may start inside the sandbox"),

	/* RLIMIT_FSIZE keeps the file from growing. */
	ALLOW_IF(fallocate, 1, WORD, 0, "memory of thin disks and of views"),
	ALLOW_IF(fallocate, 1, WORD, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		 "discard"),
	ALLOW(fstat, "size of the store's files"),
	ALLOW(munmap, "grants, the store"),
	ALLOW(brk, "malloc"),
	/* Not MADV_REMOVE: it frees memory that other attachments count on. */
	ALLOW_IF(madvise, 2, WORD, MADV_DONTNEED, "malloc, stacks of threads"),
	ALLOW_IF(madvise, 2, WORD, MADV_FREE, "malloc"),
	ALLOW_IF(madvise, 2, WORD, MADV_POPULATE_READ, "populate.h"),
	ALLOW_IF(madvise, 2, WORD, MADV_POPULATE_WRITE, "populate.h"),
	/* Of this process's page tables, also where the memory is shared. */
	ALLOW_IF(madvise, 2, WORD, MADV_GUARD_INSTALL, "stacks, glibc 2.42"),
	ALLOW_IF(madvise, 2, WORD, MADV_GUARD_REMOVE, "stacks, glibc 2.42"),
	ALLOW_IF(mmap, 2, PROT_EXEC, 0, "no memory that is executable"),
	ALLOW_IF(mprotect, 2, PROT_EXEC, 0, "no memory becomes executable"),

	ALLOW(poll, "waiting"),
	ALLOW(ppoll, "waiting"),
	ALLOW(futex, "mutexes, joining a thread"),
	ALLOW(nanosleep, "waiting for a block"),
	ALLOW(clock_nanosleep, "waiting for a block"),
	ALLOW(clock_gettime, "the clock, where the vDSO has none"),
	ALLOW(gettimeofday, "time of a syslog line"),
	ALLOW(sched_yield, "waiting for a block"),
	ALLOW(restart_syscall, "a wait that a stopped process resumes"),

	ALLOW_IF(clone, 0, WORD & ~(scmp_datum_t)THREAD_MAY, THREAD_MUST,
		 "threads only, no processes"),
	ALLOW(set_robust_list, "glibc starts a thread"),
	ALLOW(rseq, "glibc starts a thread"),
	ALLOW(exit, "glibc ends a thread"),
	ALLOW(exit_group, "the end of the worker"),
	ALLOW(sched_getaffinity, "whether to busy-poll"),
	ALLOW(gettid, "abort"),
	ALLOW(getpid, "log lines"),
	ALLOW(rt_sigprocmask, "glibc starts a thread"),
	ALLOW(rt_sigaction, "abort"),
	ALLOW(rt_sigreturn, "the end of a signal handler"),
	ALLOW(sigaltstack, "glibc ends a thread"),
	ALLOW(getrandom, "glibc's malloc"),

	ALLOW(fstatfs, "the log says how full the store is"),
	ALLOW(sysinfo, "glibc's qsort reads how much memory there is"),
	ALLOW(getuid, "log lines"),
	ALLOW(geteuid, "log lines"),
	ALLOW(getgid, "log lines"),
	ALLOW(getegid, "log lines"),
	ALLOW_EQ(prlimit64, 2, 0, "limits are read, not set"),

#define GRANTS(request) \
	ALLOW_IF(ioctl, 1, WORD, request, "grants: /dev/xen/gntdev")
	GRANTS(IOCTL_GNTDEV_MAP_GRANT_REF),
	GRANTS(IOCTL_GNTDEV_UNMAP_GRANT_REF),
	GRANTS(IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR),
	GRANTS(IOCTL_GNTDEV_SET_UNMAP_NOTIFY),
	GRANTS(IOCTL_GNTDEV_GRANT_COPY),
#define EVENTS(request) \
	ALLOW_IF(ioctl, 1, WORD, request, "event channels: /dev/xen/evtchn")
	EVENTS(IOCTL_EVTCHN_BIND_INTERDOMAIN),
	EVENTS(IOCTL_EVTCHN_UNBIND),
	EVENTS(IOCTL_EVTCHN_NOTIFY),

#define FLAGS(cmd) ALLOW_IF(fcntl, 1, WORD, cmd, "flags of a descriptor")
	FLAGS(F_GETFD),
	FLAGS(F_SETFD),
	FLAGS(F_GETFL),
	FLAGS(F_SETFL),
	FLAGS(F_DUPFD_CLOEXEC),
#define LOCKS(cmd) ALLOW_IF(fcntl, 1, WORD, cmd, "whether an attachment lives")
	LOCKS(F_OFD_GETLK),

	/* newfstatat is how glibc calls fstat; a path with it is refused. */
	ALLOW_EQ(newfstatat, 3, AT_EMPTY_PATH, "fstat"),
	{ SCMP_SYS(newfstatat),
	  -EACCES,
	  1,
	  { 3, SCMP_CMP_NE, AT_EMPTY_PATH, 0 },
	  "glibc reads time zones" },

	/* It could grow the mapping of the own counters over those of others. */
	FAIL(mremap, ENOMEM, "malloc, which then copies"),

	/* Libraries try these calls and go on when a call fails. */
	FAIL(open, EACCES, "syslog, time zones"),
	FAIL(openat, EACCES, "syslog, time zones"),
	FAIL(socket, EACCES, "syslog after its daemon was restarted"),
	FAIL(connect, EACCES, "syslog after its daemon was restarted"),
	FAIL(stat, EACCES, "time zones"),
	FAIL(access, EACCES, "time zones"),
	FAIL(faccessat, EACCES, "time zones"),
	FAIL(faccessat2, EACCES, "time zones"),
	FAIL(readlink, EACCES, "the store's paths"),
	FAIL(readlinkat, EACCES, "the store's paths"),
	FAIL(unlink, EACCES, "the store's paths"),
	FAIL(unlinkat, EACCES, "the store's paths"),
	FAIL(uname, EACCES, "syslog"),
	FAIL(prctl, EPERM, "names of threads"),
	FAIL(clone3, ENOSYS,
	     "a filter cannot read its flags; glibc then calls clone"),
};

bool blkback_sandbox_rule(size_t i, int *call, bool *allowed, const char **why)
{
	if (i >= sizeof(rules) / sizeof(rules[0]))
		return false;
	*call = rules[i].call;
	*allowed = !rules[i].rc;
	*why = rules[i].why;
	return true;
}

static int add_rules(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp own_process = {
		.arg = 0,
		.op = SCMP_CMP_EQ,
		.datum_a = (scmp_datum_t)getpid(),
	};
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *r = &rules[i];

		rc = seccomp_rule_add_array(ctx,
					    r->rc ? SCMP_ACT_ERRNO(-r->rc)
						  : SCMP_ACT_ALLOW,
					    r->call, r->nr_checks, &r->check);
	}
	/* The one rule whose value is of this process: abort() ends by it. */
	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				      own_process);
	return rc;
}

/* Write the rules as a program for the kernel, malloc'd. 0 or -errno. */
static int export_program(const scmp_filter_ctx ctx, struct sock_fprog *calls)
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

/* @calls stays empty on a kernel without SCMP_ACT_KILL_PROCESS. 0 or -errno. */
static int compile_rules(struct sock_fprog *calls)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc;

	if (!ctx)
		return 0;
	rc = add_rules(ctx);
	if (!rc)
		rc = export_program(ctx, calls);
	seccomp_release(ctx);
	return rc;
}

static int filter_calls(const struct sock_fprog *calls)
{
	long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  SECCOMP_FILTER_FLAG_TSYNC, calls);

	/* A positive result is the id of a thread that has another filter. */
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
	/* The change of the user drops all capabilities. */
	if (setgroups(0, NULL) || setresgid(box.gid, box.gid, box.gid) ||
	    setresuid(box.uid, box.uid, box.uid))
		return -errno;
	return setuid(0) ? 0 : -EPERM;
}

/* The longest file: @bytes, or what a log file behind stderr needs. */
static rlim_t file_limit(uint64_t bytes)
{
	struct stat st;
	rlim_t log = 0;

	if (fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode))
		log = (rlim_t)st.st_size + LOG_BYTES;
	return bytes > log ? bytes : log;
}

static int set_limits(uint64_t file_bytes)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit few = { MAX_DESCRIPTORS, MAX_DESCRIPTORS };
	rlim_t longest = file_limit(file_bytes);
	struct rlimit file = { longest, longest };

	/* Beyond the limit a call fails; the signal would end the worker. */
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
	    setrlimit(RLIMIT_FSIZE, &file))
		return -errno;

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
	tzset(); /* syslog would read the time zone inside the sandbox */
	find_user();
	rc = compile_rules(&box.calls);
	box.prepared = !rc;
	return rc ? fail_step(err, rc, "list the system calls") : 0;
}

int blkback_sandbox_enter(uint64_t file_bytes, struct rd_error *err)
{
	const char *step = "set limits";
	int rc = blkback_sandbox_prepare(err);

	if (rc)
		return rc;
	rc = set_limits(file_bytes);
	if (!rc) {
		step = "become another user";
		rc = drop_user();
	}
	/* After the change of the user, which makes the kernel reset the flag. */
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
