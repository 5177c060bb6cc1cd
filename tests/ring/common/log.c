/* SPDX-License-Identifier: BSD-2-Clause */
/* Log lines to each destination, rate limits, messages to the service manager. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "drivers/blkback/common/log.h"
#include "drivers/blkback/supervisor/sd-notify.h"
#include "tests/cunit.h"

/* ---- where lines go ----------------------------------------------------- */

static int saved = -1, out = -1;
static char text[8192];

/* What is logged from here on is kept, until end(). */
static void begin(void)
{
	fflush(stderr);
	saved = dup(STDERR_FILENO);
	out = memfd_create("stderr", 0);
	dup2(out, STDERR_FILENO);
}

static const char *end(void)
{
	ssize_t n = pread(out, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = 0;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(out);
	unsetenv("JOURNAL_STREAM");
	return text;
}

static void to_stderr(void)
{
	char expected[64];

	begin();
	blkback_log_open(true, BLKBACK_INFO, NULL);
	blkback_log(BLKBACK_WARNING, "a line");
	blkback_log(BLKBACK_DEBUG, "none");
	end();
	snprintf(expected, sizeof(expected),
		 "xen-ramdiskd[%d]: warning: a line\n", (int)getpid());
	CU_ASSERT_STRING_EQUAL(text, expected);
	CU_ASSERT_FALSE(blkback_log_is_journal());
}

/* @off: so far beside the inode that stderr has. */
static void journal(unsigned off)
{
	char stream[64];
	struct stat st;

	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%llu:%llu",
		 (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + off);
	setenv("JOURNAL_STREAM", stream, 1);
}

static void to_journal(void)
{
	begin();
	journal(0);
	blkback_log_open(true, BLKBACK_DEBUG, "5/51712");
	blkback_log(BLKBACK_ERROR, "one");
	blkback_log(BLKBACK_WARNING, "two");
	blkback_log(BLKBACK_INFO, "three");
	blkback_log(BLKBACK_DEBUG, "four");
	end();
	CU_ASSERT_STRING_EQUAL(
		text,
		"<3>5/51712: one\n<4>5/51712: two\n<6>5/51712: three\n<7>5/51712: four\n");
	CU_ASSERT_TRUE(blkback_log_is_journal());
}

/* The variable is inherited by programs whose stderr is redirected. */
static void not_to_journal(void)
{
	begin();
	journal(1);
	blkback_log_open(true, BLKBACK_INFO, NULL);
	blkback_log(BLKBACK_ERROR, "a line");
	end();
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "]: error: a line\n"));
	begin();
	setenv("JOURNAL_STREAM", "garbage", 1);
	blkback_log_open(true, BLKBACK_INFO, NULL);
	end();
	CU_ASSERT_FALSE(blkback_log_is_journal());
}

/* A guest wrote the node that the line names. */
static void escaped(void)
{
	char seed[3000];

	begin();
	journal(0);
	blkback_log_open(true, BLKBACK_INFO, NULL);
	blkback_log(BLKBACK_WARNING, "protocol '%s'",
		    "x\n<0>panic\033[2J\xff\xc2\x9b\xc3\xa9");
	end();
	CU_ASSERT_STRING_EQUAL(
		text,
		"<4>protocol 'x\\n<0>panic\\x1b[2J\\xff\\xc2\\x9b\xc3\xa9'\n");
	begin();
	memset(seed, '\n', sizeof(seed) - 1);
	seed[sizeof(seed) - 1] = 0;
	blkback_log(BLKBACK_WARNING, "%s", seed);
	end();
	CU_ASSERT_PTR_EQUAL(strchr(text, '\n'), text + strlen(text) - 1);
	CU_ASSERT_TRUE(strlen(text) > 1000);
}

/* ---- gates --------------------------------------------------------------- */

static void gate_counts(void)
{
	struct blkback_gate gate = { 0 };
	unsigned suppressed = 99, i;

	CU_ASSERT_TRUE(blkback_gate_pass(&gate, 0, &suppressed));
	CU_ASSERT_EQUAL(suppressed, 0);
	for (i = 0; i < 1000; i++)
		CU_ASSERT_FALSE(blkback_gate_pass(&gate, 0, &suppressed));
	CU_ASSERT_TRUE(blkback_gate_pass(&gate, 1, &suppressed));
	CU_ASSERT_EQUAL(suppressed, 1000);
	CU_ASSERT_TRUE(blkback_gate_pass(&gate, 7, &suppressed));
	CU_ASSERT_EQUAL(suppressed, 0);
}

static void gate_ends(void)
{
	struct blkback_gate gate = { 0 };
	unsigned i;

	begin();
	journal(0);
	blkback_log_open(true, BLKBACK_INFO, NULL);
	for (i = 0; i < 100000; i++)
		blkback_log_gated(&gate, BLKBACK_WARNING, "again");
	blkback_gate_end(&gate, "7/1", "that");
	blkback_gate_end(&gate, "7/1", "that");
	end();
	/* A line, more of them if a second began, and the rest at the end. */
	CU_ASSERT_EQUAL(strncmp(text, "<4>again\n", 9), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "<6>7/1: "));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(text, " more lines about that were left out\n"));
	CU_ASSERT_TRUE(strlen(text) < 1000);
}

/* ---- the service manager ------------------------------------------------- */

static int listen_at(const char *path, bool abstract)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, path);
	if (abstract)
		a.sun_path[0] = 0;
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&a,
				   (socklen_t)(offsetof(struct sockaddr_un,
							sun_path) +
					       strlen(path))),
			      0);
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

static void hears(int fd, const char *what)
{
	char got[256] = "";
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

	CU_ASSERT_EQUAL(n, (ssize_t)strlen(what));
	CU_ASSERT_STRING_EQUAL(got, what);
}

static void notifies(void)
{
	char path[64], far[200];
	int fd;

	snprintf(path, sizeof(path), "/tmp/notify-test-%d", (int)getpid());
	fd = listen_at(path, false);
	CU_ASSERT_EQUAL(blkback_notify("READY=1\nSTATUS=x"), 0);
	hears(fd, "READY=1\nSTATUS=x");
	close(fd);
	CU_ASSERT_EQUAL(blkback_notify("STOPPING=1"), -ECONNREFUSED);
	unlink(path);
	CU_ASSERT_EQUAL(blkback_notify("STOPPING=1"), -ENOENT);
	snprintf(path, sizeof(path), "@notify-test-%d", (int)getpid());
	fd = listen_at(path, true);
	CU_ASSERT_EQUAL(blkback_notify("READY=1"), 0);
	hears(fd, "READY=1");
	close(fd);
	setenv("NOTIFY_SOCKET", "relative", 1);
	CU_ASSERT_EQUAL(blkback_notify("READY=1"), -EINVAL);
	memset(far, 'x', sizeof(far));
	far[0] = '/';
	far[sizeof(far) - 1] = 0;
	setenv("NOTIFY_SOCKET", far, 1);
	CU_ASSERT_EQUAL(blkback_notify("READY=1"), -EINVAL);
	/* Nobody asked: nothing happens. */
	unsetenv("NOTIFY_SOCKET");
	CU_ASSERT_EQUAL(blkback_notify("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	CU_ASSERT_EQUAL(blkback_notify("READY=1"), 0);
	unsetenv("NOTIFY_SOCKET");
}

int main(void)
{
	static const struct test tests[] = {
		{ "to stderr", to_stderr },
		{ "to the journal, with levels", to_journal },
		{ "to a stderr that is not the journal", not_to_journal },
		{ "names that others chose", escaped },
		{ "a gate counts", gate_counts },
		{ "a gate ends", gate_ends },
		{ "tells the service manager", notifies },
	};

	return RUN_TESTS("log", tests);
}
