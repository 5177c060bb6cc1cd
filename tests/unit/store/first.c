/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two first attaches of one seed, both stopped on their way: the first one has begun
 * to make the disk, the second one has read what is there by then. Whatever is done
 * in between, they have one disk. Uses ptrace.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sys/ptrace.h>

#include "drivers/block-ram/format/header.h"
#include "tests/unit/scratch.h"

/* A process that has not stopped by then waits for a lock. */
#define WAITING_MS 2000

/* What a child reports: the result of its attach, which it keeps. */
struct report {
	int rc;
	char id[RD_ID_MAX];
};

struct child {
	pid_t pid;
	int from;
	bool stopped;
};

static void child_work(const char *seed, int to)
{
	struct report r = { .rc = -EPIPE };
	struct rd_store *s;
	struct rd_disk *d;

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	if (!rd_store_open(&s, scratch_store, NULL)) {
		r.rc = attach(s, seed, true, &d, NULL);
		if (!r.rc)
			strcpy(r.id, rd_id(d));
	}
	if (write(to, &r, sizeof(r)) != sizeof(r))
		_exit(1);
	for (;;)
		pause();
}

static struct child start(const char *seed)
{
	struct child c = { .stopped = true };
	int p[2], status;

	CU_ASSERT_EQUAL_FATAL(pipe2(p, O_CLOEXEC), 0);
	fflush(stdout);
	c.pid = fork();
	if (c.pid == 0)
		child_work(seed, p[1]);
	close(p[1]);
	c.from = p[0];
	waitpid(c.pid, &status, 0);
	return c;
}

static bool has_report(const struct child *c, int ms)
{
	struct pollfd p = { .fd = c->from, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

/* Let the child run to its next system call, or to the end of one. */
static bool step(struct child *c)
{
	int64_t deadline = clock_now_ms() + WAITING_MS;
	int status;

	ptrace(PTRACE_SYSCALL, c->pid, NULL, NULL);
	c->stopped = false;
	while (!c->stopped && clock_now_ms() < deadline) {
		c->stopped = waitpid(c->pid, &status, WNOHANG) == c->pid;
		if (!c->stopped)
			usleep(50);
	}
	return c->stopped && !has_report(c, 0);
}

static void go_on(struct child *c)
{
	int status;

	if (!c->stopped) { /* it stops when it has the lock */
		waitpid(c->pid, &status, 0);
		c->stopped = true;
	}
	ptrace(PTRACE_DETACH, c->pid, NULL, NULL);
}

static struct report report_of(const struct child *c)
{
	struct report r = { .rc = 1 };

	if (has_report(c, 30000))
		CU_ASSERT_EQUAL(read(c->from, &r, sizeof(r)), sizeof(r));
	return r;
}

static void end(const struct child *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	close(c->from);
}

/* Whether the store has a header that is finished, and its disk is not begun. */
static bool header_is_new(void)
{
	DIR *d = opendir(scratch_store);
	struct rd_header h;
	struct dirent *e;
	bool found = false;
	int fd;

	while (!found && (e = readdir(d))) {
		if (!strstr(e->d_name, ".header"))
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDONLY);
		found = pread(fd, &h, sizeof(h), 0) == (ssize_t)sizeof(h) &&
			!memcmp(h.magic, RD_MAGIC, sizeof(h.magic)) &&
			h.state == RD_EMPTY;
		close(fd);
	}
	closedir(d);
	return found;
}

/*
 * The second one is stopped for the @n-th time while the first one's header is new.
 * Then the first one ends its attach, and after it the second one. False if the
 * second one waited for the first before.
 */
static bool round_of(const char *seed, unsigned n)
{
	struct child a = start(seed), b;
	struct report ra, rb;
	bool running = true;

	while (!header_is_new())
		CU_ASSERT_TRUE_FATAL(step(&a));
	b = start(seed);
	while (n-- && running)
		running = step(&b);
	go_on(&a);
	ra = report_of(&a);
	go_on(&b);
	rb = report_of(&b);
	CU_ASSERT_EQUAL(ra.rc, 0);
	CU_ASSERT_EQUAL(rb.rc, 0);
	CU_ASSERT_STRING_EQUAL(ra.id, rb.id);
	end(&a);
	end(&b);
	return running;
}

static void one_disk(void)
{
	const char *seed = make_seed("first", 4096, 1);
	struct rd_store *s = open_store();
	unsigned n = 1;

	for (; round_of(seed, n); n++)
		rd_reap(s);
	printf("# %u stops of the second\n", n);
	CU_ASSERT_TRUE(n > 40);
	rd_reap(s);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "one disk, wherever the two stop", one_disk },
};

int main(void)
{
	int rc;

	scratch_make();
	rc = RUN_TESTS("first", tests);
	scratch_remove();
	return rc;
}
