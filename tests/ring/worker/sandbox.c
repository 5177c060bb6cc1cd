/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Children of this test enter the sandbox: all calls that a worker needs work, and
 * calls that would help an attacker fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "drivers/blkback/common/log.h"
#include "drivers/blkback/worker/sandbox.h"
#include "include/private/linux-calls.h"
#include "tests/cunit.h"

enum {
	DONE = 0,
	FAILED = 1,
	CANNOT = 77
};

#define FILE_BYTES 8192u /* the longest file in the sandbox */

/* Run @what in the sandbox. Returns its exit status, or 128 and the signal. */
static int inside(int (*what)(void))
{
	int status;
	struct rd_error err = { "" };
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (blkback_sandbox_enter(FILE_BYTES, &err)) {
			fprintf(stderr, "# %s\n", err.text);
			_exit(CANNOT);
		}
		_exit(what());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return CANNOT;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

/* ---- calls that work ---------------------------------------------------- */

static int events, file, pair[2];

static void *thread(void *arg)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	uint64_t one = 1;

	if (write(events, &one, sizeof(one)) != sizeof(one) ||
	    fcntl(file, F_OFD_GETLK, &whole))
		return NULL;
	return arg;
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int works(void)
{
	static int numbers[100000];
	pthread_t t;
	void *rc = NULL, *memory, *grown;
	char mark;
	char byte = 'x';
	struct stat st;
	uint64_t n;
	int i;

	for (i = 0; i < 8; i++) {
		if (pthread_create(&t, NULL, thread, &mark) ||
		    pthread_join(t, &rc) || rc != &mark)
			return 1;
	}
	if (read(events, &n, sizeof(n)) != sizeof(n) || n != 8)
		return 2;
	if (fallocate(file, 0, 0, 4096) || fstat(file, &st) ||
	    st.st_size != 4100 ||
	    fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		      4096))
		return 3;
	memory = mmap(NULL, 4100, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (memory == MAP_FAILED || memcmp((char *)memory + 4096, "data", 4) ||
	    madvise(memory, 4096, MADV_DONTNEED) || munmap(memory, 4100))
		return 4;
	/* glibc 2.42 guards stacks so; older kernels do not know it. */
	memory = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if ((madvise(memory, 4096, MADV_GUARD_INSTALL) && errno != EINVAL) ||
	    (madvise(memory, 4096, MADV_GUARD_REMOVE) && errno != EINVAL))
		return 8;
	if (send(pair[0], &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1 ||
	    recv(pair[1], &byte, 1, MSG_DONTWAIT) != 1)
		return 5;
	/* Large enough for glibc to ask for the memory that there is. */
	qsort(numbers, 100000, sizeof(numbers[0]), compare);
	grown = realloc(malloc(64 << 20), 65 << 20);
	if (!grown)
		return 7;
	free(grown);
	/* As a lazy seed's loader thread that starts inside the sandbox. */
	if (pthread_setschedparam(pthread_self(), SCHED_IDLE,
				  &(struct sched_param){ 0 }) ||
	    syscall(SYS_ioprio_set, 1, 0, 3 << 13))
		return 6;
	/* Without a syslog daemon. */
	openlog("test", LOG_PID, LOG_DAEMON);
	setlogmask(LOG_UPTO(LOG_EMERG));
	syslog(LOG_DEBUG, "not written");
	blkback_log(BLKBACK_DEBUG, "nor this");
	return 0;
}

static void what_a_worker_needs(void)
{
	events = eventfd(0, EFD_NONBLOCK);
	file = memfd_create("file", 0);
	CU_ASSERT_EQUAL(pwrite(file, "data", 4, 4096), 4);
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	CU_ASSERT_EQUAL(inside(works), 0);
	close(events);
	close(file);
	close(pair[0]);
	close(pair[1]);
}

/* ---- calls that fail ---------------------------------------------------- */

static int opens(void)
{
	int fd = open("/etc/passwd", O_RDONLY);

	return fd < 0 && errno == EACCES ? DONE : FAILED;
}

static int opens_its_own(void)
{
	return open("/proc/self/mem", O_RDWR) < 0 ? DONE : FAILED;
}

static int makes_a_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) < 0 &&
			       socket(AF_INET, SOCK_STREAM, 0) < 0
		       ? DONE
		       : FAILED;
}

static int removes(void)
{
	return unlink("/tmp") < 0 && errno == EACCES &&
			       unlinkat(AT_FDCWD, "/tmp", AT_REMOVEDIR) < 0 &&
			       errno == EACCES
		       ? DONE
		       : FAILED;
}

/* A file does not get longer than the disk. */
static int grows_a_file(void)
{
	char byte = 'x';

	return lseek(file, FILE_BYTES, SEEK_SET) == FILE_BYTES &&
			       write(file, &byte, 1) < 0 && errno == EFBIG &&
			       fallocate(file, 0, 0, FILE_BYTES + 1) < 0 &&
			       errno == EFBIG
		       ? DONE
		       : FAILED;
}

/* A mapping does not grow over what is behind it in the file. */
static int grows_a_mapping(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	return p != MAP_FAILED && mremap(p, 4096, 8192, MREMAP_MAYMOVE) ==
					  MAP_FAILED
		       ? DONE
		       : FAILED;
}

static int truncates(void)
{
	if (ftruncate(file, 0))
		return FAILED;
	return FAILED;
}

static int locks(void)
{
	struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	fcntl(file, F_OFD_SETLK, &whole);
	return FAILED;
}

static int allocates_past_the_end(void)
{
	fallocate(file, FALLOC_FL_KEEP_SIZE, 1 << 20, 4096);
	return FAILED;
}

static int frees_shared_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	madvise(p, 4096, MADV_REMOVE);
	return FAILED;
}

static int becomes_root(void)
{
	return setuid(0) ? DONE : FAILED;
}

static int is_root(void)
{
	return geteuid() && getuid() && getegid() && getgid() ? DONE : FAILED;
}

static int executes(void)
{
	execl("/bin/true", "true", NULL);
	return FAILED;
}

static int traces(void)
{
	ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
	return FAILED;
}

static int kills(void)
{
	kill(getppid(), 0);
	return FAILED;
}

static int signals_a_thread(void)
{
	syscall(SYS_tgkill, getppid(), getppid(), 0);
	return FAILED;
}

static int forks(void)
{
	if (fork() == 0)
		_exit(0);
	return FAILED;
}

static int makes_a_namespace(void)
{
	unshare(CLONE_NEWUSER);
	return FAILED;
}

static int makes_code(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	     0);
	return FAILED;
}

static int makes_code_later(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(p, 4096, PROT_READ | PROT_EXEC);
	return FAILED;
}

static int reads_another(void)
{
	syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
	return FAILED;
}

static int raises_limits(void)
{
	struct rlimit l = { 0, 0 };

	setrlimit(RLIMIT_NOFILE, &l);
	return FAILED;
}

static int controls_a_terminal(void)
{
	syscall(SYS_ioctl, 0, 0x5412UL /* TIOCSTI */, "x");
	return FAILED;
}

static int controls_with_high_bits(void)
{
	syscall(SYS_ioctl, 0, 0x100005412UL, "x");
	return FAILED;
}

static int takes_the_processor(void)
{
	sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ 1 });
	return FAILED;
}

static int mounts(void)
{
	syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL);
	return FAILED;
}

static void what_fails(void)
{
	int saved, null;

	CU_ASSERT_EQUAL(inside(opens), DONE);
	CU_ASSERT_EQUAL(inside(opens_its_own), DONE);
	CU_ASSERT_EQUAL(inside(makes_a_socket), DONE);
	CU_ASSERT_EQUAL(inside(removes), DONE);
	file = memfd_create("file", 0);
	CU_ASSERT_EQUAL(ftruncate(file, FILE_BYTES), 0);
	/* A log file behind stderr would raise the limit. */
	saved = dup(STDERR_FILENO);
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL(dup2(null, STDERR_FILENO), STDERR_FILENO);
	CU_ASSERT_EQUAL(inside(grows_a_file), DONE);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(null);
	CU_ASSERT_EQUAL(inside(grows_a_mapping), DONE);
	close(file);
}

static void what_kills(void)
{
	static int (*const what[])(void) = { becomes_root,
					     executes,
					     traces,
					     kills,
					     signals_a_thread,
					     forks,
					     makes_a_namespace,
					     makes_code,
					     makes_code_later,
					     reads_another,
					     raises_limits,
					     controls_a_terminal,
					     controls_with_high_bits,
					     mounts,
					     truncates,
					     locks,
					     allocates_past_the_end,
					     frees_shared_memory,
					     takes_the_processor };
	size_t i;

	file = memfd_create("file", 0);
	CU_ASSERT_EQUAL(ftruncate(file, FILE_BYTES), 0);

	for (i = 0; i < sizeof(what) / sizeof(what[0]); i++)
		CU_ASSERT_EQUAL(inside(what[i]), 128 + SIGSYS);
	close(file);
}

/*
 * The calls that the sandbox allows, each with its reason. A call that is added to
 * the sandbox is added here, by somebody who has asked what a captured worker could
 * do with it (docs/security.md).
 */
static const char *const allowed[] = {
	"read",
	"write",
	"writev",
	"pread64",
	"pwrite64",
	"lseek",
	"close",
	"recvfrom",
	"recvmsg",
	"sendto",
	"sendmsg",
	"accept4",
	/* a lazy seed */
	"ioprio_set",
	"io_setup",
	"io_submit",
	"io_getevents",
	"io_cancel",
	"io_destroy",
	"sched_setscheduler",
	/* memory */
	"fallocate",
	"fstat",
	"fstatfs",
	"munmap",
	"brk",
	"madvise",
	"mmap",
	"mprotect",
	/* waiting and time */
	"poll",
	"ppoll",
	"futex",
	"nanosleep",
	"clock_nanosleep",
	"clock_gettime",
	"gettimeofday",
	"sched_yield",
	"restart_syscall",
	/* threads and the end */
	"clone",
	"set_robust_list",
	"rseq",
	"exit",
	"exit_group",
	"sched_getaffinity",
	"gettid",
	"getpid",
	"rt_sigprocmask",
	"rt_sigaction",
	"rt_sigreturn",
	"sigaltstack",
	"getrandom",
	/* facts about the own process and the system */
	"sysinfo",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"prlimit64",
	/* Xen, descriptors, attachments */
	"ioctl",
	"fcntl",
	"newfstatat",
};

static bool is_named(const char *call)
{
	size_t i;

	for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (!strcmp(call, allowed[i]))
			return true;
	return false;
}

static void each_call_has_a_reason(void)
{
	const char *why;
	bool may;
	int call;
	size_t i;

	for (i = 0; blkback_sandbox_rule(i, &call, &may, &why); i++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE,
							      call);

		CU_ASSERT_PTR_NOT_NULL_FATAL(name);
		printf("# %s %s: %s\n", name, may ? "allowed" : "fails", why);
		CU_ASSERT_TRUE(strlen(why) > 3);
		if (may && !is_named(name)) {
			printf("# %s is not in the list\n", name);
			CU_FAIL("a call that the list does not name");
		}
		free(name);
	}
	CU_ASSERT_TRUE(i > sizeof(allowed) / sizeof(allowed[0]));
}

/* All of root's powers are gone with the user. */
static int has_capabilities(void)
{
	char line[256];
	FILE *f = fdopen(file, "r");
	unsigned long long caps;
	int found = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "CapPrm: %llx", &caps) == 1 ||
		    sscanf(line, "CapEff: %llx", &caps) == 1 ||
		    sscanf(line, "CapInh: %llx", &caps) == 1 ||
		    sscanf(line, "CapAmb: %llx", &caps) == 1)
			found += caps == 0;
		if (!strcmp(line, "NoNewPrivs:\t1\n"))
			found += 10;
		if (!strncmp(line, "Groups:", 7))
			found += strspn(line + 7, " \t") + 8 == strlen(line)
					 ? 100
					 : 0;
	}
	return found == 114 ? DONE : FAILED;
}

static void no_root(void)
{
	int status;
	pid_t pid;

	CU_ASSERT_EQUAL(inside(is_root), DONE);
	pid = fork();
	if (pid == 0) {
		file = open("/proc/self/status", O_RDONLY);
		if (blkback_sandbox_enter(FILE_BYTES, NULL))
			_exit(CANNOT);
		_exit(has_capabilities());
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
}

/* A thread started before the sandbox is inside it, too. */
static pthread_barrier_t both;

static void *earlier(void *arg)
{
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&both);
	return open("/etc/passwd", O_RDONLY) < 0 && geteuid() ? arg : NULL;
}

static void earlier_threads(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		char text[256];
		pthread_t t;
		void *rc;

		pthread_barrier_init(&both, NULL, 2);
		pthread_create(&t, NULL, earlier, text);
		pthread_barrier_wait(&both);
		if (blkback_sandbox_enter(FILE_BYTES, NULL))
			_exit(CANNOT);
		pthread_barrier_wait(&both);
		pthread_join(t, &rc);
		_exit(rc == text ? DONE : FAILED);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
}

/* Preparation is not repeated while a guest waits. */
static int open_nothing(void)
{
	static const int calls[] = { SCMP_SYS(open), SCMP_SYS(openat),
				     SCMP_SYS(memfd_create), SCMP_SYS(socket) };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	size_t i;
	int rc = ctx ? 0 : -1;

	for (i = 0; !rc && i < sizeof(calls) / sizeof(calls[0]); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, calls[i], 0);
	return rc ? rc : seccomp_load(ctx);
}

static void prepared(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (blkback_sandbox_prepare(NULL) || open_nothing())
			_exit(CANNOT);
		_exit(blkback_sandbox_enter(FILE_BYTES, NULL) ? FAILED : DONE);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
}

/* Sanitizers make other system calls at any time. */
static void no_sandbox(void)
{
	CU_ASSERT_FALSE(blkback_sandbox_possible());
}

int main(void)
{
	static const struct test tests[] = {
		{ "what a worker needs", what_a_worker_needs },
		{ "what fails", what_fails },
		{ "what kills", what_kills },
		{ "each allowed call is named, and has a reason",
		  each_call_has_a_reason },
		{ "threads that were there before", earlier_threads },
		{ "prepared before", prepared },
		{ "no root, no capability", no_root },
	};
	static const struct test sanitized[] = {
		{ "not with sanitizers", no_sandbox },
	};

	if (!blkback_sandbox_possible())
		return RUN_TESTS("sandbox", sanitized);
	/* The last is of root's own. */
	return run_tests("sandbox", tests,
			 sizeof(tests) / sizeof(tests[0]) - (geteuid() != 0));
}
