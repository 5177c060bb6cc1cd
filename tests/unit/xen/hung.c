/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A xenstored that is stopped, ends, or is not there: how long calls of the real
 * libxenstore wait with the limits of drivers/blkback/common/xenstore.c, and
 * `list`. The xenstored is a process of this test that knows no node.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/blkback/common/xenstore.h"
#include "include/private/clock.h"
#include "tests/unit/scratch.h"
#include "tests/unit/xen/xenstored.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/xen/host.h"
#include "tools/xm-ramdisk/xen/who.h"

#define LIMIT_MS 2000
#define SLACK_MS 1500 /* of a loaded machine */

static char path[128];
static pid_t xenstored;

/* This machine is a Xen host, for the tool. */
int access(const char *file, int mode)
{
	if (!strncmp(file, "/proc/xen/", 10))
		return 0;
	return (int)syscall(SYS_faccessat, AT_FDCWD, file, mode);
}

/* ---- xenstored ----------------------------------------------------------- */

/* Every directory is empty, and no node exists. */
static void serve(int fd)
{
	struct xsd_sockmsg m;
	char body[4096];

	while (take(fd, &m, sizeof(m)) && m.len < sizeof(body) &&
	       take(fd, body, m.len)) {
		if (m.type == XS_DIRECTORY)
			answer(fd, &m, XS_DIRECTORY, "", 0);
		else if (m.type == XS_WATCH)
			answer(fd, &m, XS_WATCH, "OK", 3);
		else
			answer(fd, &m, XS_ERROR, "ENOENT", 7);
	}
	_exit(0);
}

static void start_xenstored(void)
{
	int fd = listen_at(path), client;

	xenstored = fork();
	if (!xenstored)
		setpgid(0, 0);
	while (!xenstored) {
		client = accept(fd, NULL, NULL);
		if (client >= 0 && !fork())
			serve(client);
		close(client);
	}
	close(fd);
	setpgid(xenstored, xenstored); /* whichever of the two is first */
}

/* To the process that accepts, and those that it has forked. */
static void tell_xenstored(int sig)
{
	kill(-xenstored, sig);
	if (sig != SIGCONT)
		usleep(20000);
}

static void end_xenstored(void)
{
	tell_xenstored(SIGKILL);
	waitpid(xenstored, NULL, 0);
}

static int64_t began;

static void begin(void)
{
	began = clock_now_ms();
}

static bool took(int64_t from_ms, int64_t to_ms)
{
	int64_t ms = clock_now_ms() - began;

	if (ms < from_ms || ms > to_ms + SLACK_MS)
		printf("# %d ms, expected %d to %d\n", (int)ms, (int)from_ms,
		       (int)to_ms);
	return ms >= from_ms && ms <= to_ms + SLACK_MS;
}

/* ---- the probe ----------------------------------------------------------- */

static void probe(void)
{
	unlink(path);
	CU_ASSERT_EQUAL(blkback_xenstore_probe(500), -ENOENT);
	start_xenstored();
	begin();
	CU_ASSERT_EQUAL(blkback_xenstore_probe(60000), 0);
	CU_ASSERT_TRUE(took(0, 1000));
	tell_xenstored(SIGSTOP);
	begin();
	CU_ASSERT_EQUAL(blkback_xenstore_probe(500), -ETIMEDOUT);
	CU_ASSERT_TRUE(took(500, 600));
	/* Its queue of connections gets full. */
	CU_ASSERT_EQUAL(blkback_xenstore_probe(50), -ETIMEDOUT);
	CU_ASSERT_EQUAL(blkback_xenstore_probe(50), -ETIMEDOUT);
	begin();
	CU_ASSERT_EQUAL(blkback_xenstore_probe(500), -ETIMEDOUT);
	CU_ASSERT_TRUE(took(500, 600));
	tell_xenstored(SIGCONT);
	CU_ASSERT_EQUAL(blkback_xenstore_probe(60000), 0);
	end_xenstored();
	CU_ASSERT_EQUAL(blkback_xenstore_probe(500), -ECONNREFUSED);
}

/* ---- the guard ----------------------------------------------------------- */

static bool has_root(struct xs_handle *xs)
{
	unsigned n;
	char **list = xs_directory(xs, XBT_NULL, "/", &n);

	free(list);
	return list != NULL;
}

/* A call that waits is ended, with and without libxenstore's thread. */
static void guard(void)
{
	struct xs_handle *xs;
	int with_watch, fd;
	bool by_socket;

	for (with_watch = 0; with_watch < 2; with_watch++) {
		start_xenstored();
		xs = blkback_xenstore_open(&fd, &by_socket);
		CU_ASSERT_PTR_NOT_NULL_FATAL(xs);
		CU_ASSERT_TRUE(by_socket);
		CU_ASSERT_TRUE(fd >= 0);
		CU_ASSERT_TRUE(has_root(xs));
		if (with_watch)
			CU_ASSERT_TRUE(xs_watch(xs, "/x", "x"));
		tell_xenstored(SIGSTOP);
		begin();
		blkback_xenstore_guard(fd, 1);
		CU_ASSERT_FALSE(has_root(xs));
		CU_ASSERT_TRUE(took(900, 1100));
		CU_ASSERT_TRUE(blkback_xenstore_hung());
		CU_ASSERT_FALSE(blkback_xenstore_hung());
		/* Everything fails from then on, at once. */
		begin();
		CU_ASSERT_FALSE(has_root(xs));
		CU_ASSERT_PTR_NULL(xs_check_watch(xs));
		CU_ASSERT_NOT_EQUAL(errno, EAGAIN);
		CU_ASSERT_TRUE(took(0, 100));
		blkback_xenstore_guard(fd, 0);
		xs_close(xs);
		tell_xenstored(SIGCONT);
		end_xenstored();
	}
}

/* A guard that was taken off ends nothing. */
static void guard_off(void)
{
	struct xs_handle *xs;
	bool by_socket;
	int fd;

	start_xenstored();
	xs = blkback_xenstore_open(&fd, &by_socket);
	CU_ASSERT_PTR_NOT_NULL_FATAL(xs);
	blkback_xenstore_guard(fd, 1);
	CU_ASSERT_TRUE(has_root(xs));
	blkback_xenstore_guard(fd, 0);
	usleep(1300000);
	CU_ASSERT_TRUE(has_root(xs));
	CU_ASSERT_FALSE(blkback_xenstore_hung());
	xs_close(xs);
	end_xenstored();
}

/* A handle of a xenstored that has ended fails at once, and notices no event. */
static void ended(void)
{
	struct xs_handle *xs;
	bool by_socket;
	int fd;

	start_xenstored();
	xs = blkback_xenstore_open(&fd, &by_socket);
	CU_ASSERT_PTR_NOT_NULL_FATAL(xs);
	CU_ASSERT_TRUE(xs_watch(xs, "/x", "x"));
	end_xenstored();
	usleep(100000);
	begin();
	CU_ASSERT_PTR_NULL(xs_check_watch(xs));
	CU_ASSERT_NOT_EQUAL(errno, EAGAIN);
	CU_ASSERT_FALSE(has_root(xs));
	CU_ASSERT_TRUE(took(0, 100));
	xs_close(xs);
}

/* ---- the tool ------------------------------------------------------------ */

/* `list`, its output in @text. */
static int list(char *text, size_t size)
{
	char *const argv[] = { "list", NULL };
	char out[] = "/tmp/xen-ramdisk-hung-XXXXXX";
	int saved = dup(STDOUT_FILENO), fd = mkstemp(out), rc;
	ssize_t n;

	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	rc = cmd_list(1, (char **)argv);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	n = pread(fd, text, size - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	close(saved);
	close(fd);
	unlink(out);
	return rc;
}

static void list_does_not_wait(void)
{
	struct rd_attach_request req = { .seed = make_seed("hung", MIB, 1),
					 .label = "vbd/7/51728" };
	struct rd_store *store = open_store();
	struct rd_disk *disk;
	char text[4096];

	CU_ASSERT_EQUAL_FATAL(rd_attach(store, &req, &disk, NULL), 0);
	setenv("XEN_RAMDISK_DIR", scratch_store, 1);
	/* Stopped before, so that the probe finds it. */
	start_xenstored();
	tell_xenstored(SIGSTOP);
	begin();
	CU_ASSERT_EQUAL(list(text, sizeof(text)), 0);
	CU_ASSERT_TRUE(took(LIMIT_MS - 100, LIMIT_MS));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "domain 7"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "xvdb"));
	/* The same process does not wait twice. */
	begin();
	CU_ASSERT_EQUAL(list(text, sizeof(text)), 0);
	CU_ASSERT_TRUE(took(0, 100));
	tell_xenstored(SIGCONT);
	end_xenstored();
	rd_detach(disk);
	rd_store_close(store);
}

/* Stopped between the probe and the first question. */
static void reader_does_not_wait(void)
{
	struct xs_handle *xs;
	struct who w;

	start_xenstored();
	xs = blkback_xenstore_probe(1000) ? NULL : who_open();
	CU_ASSERT_PTR_NOT_NULL_FATAL(xs);
	tell_xenstored(SIGSTOP);
	begin();
	who_guard(true);
	w = who_is(xs, "vbd/7/51728");
	CU_ASSERT_TRUE(took(LIMIT_MS - 100, LIMIT_MS));
	CU_ASSERT_STRING_EQUAL(w.domain, "domain 7");
	w = who_is(xs, "vbd/8/51728");
	CU_ASSERT_STRING_EQUAL(w.domain, "domain 8");
	who_guard(false);
	CU_ASSERT_TRUE(took(LIMIT_MS - 100, LIMIT_MS));
	who_close(xs);
	tell_xenstored(SIGCONT);
	end_xenstored();
}

/* A command that needs xenstore fails. */
static void writer_does_not_wait(void)
{
	struct xs_handle *xs = NULL;

	start_xenstored();
	tell_xenstored(SIGSTOP);
	begin();
	CU_ASSERT_EQUAL(host_open("attach", &xs), 1);
	CU_ASSERT_TRUE(took(0, LIMIT_MS));
	CU_ASSERT_PTR_NULL(xs);
	tell_xenstored(SIGCONT);
	end_xenstored();
}

int main(void)
{
	static const struct test tests[] = {
		{ "the probe", probe },
		{ "a call is ended", guard },
		{ "a guard that is taken off", guard_off },
		{ "a xenstored that has ended", ended },
		/* Before the process knows of one that hangs. */
		{ "who reads does not wait longer than two seconds",
		  reader_does_not_wait },
		{ "list does not wait longer than two seconds",
		  list_does_not_wait },
		{ "who writes does not wait either", writer_does_not_wait },
	};
	int rc;

	scratch_make();
	snprintf(path, sizeof(path), "%s.socket", scratch_store);
	setenv("XENSTORED_PATH", path, 1);
	rc = RUN_TESTS("hung", tests);
	unlink(path);
	scratch_remove();
	return rc;
}
