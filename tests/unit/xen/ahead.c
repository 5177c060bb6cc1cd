/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many questions to xenstore at once (blkback_xenstore_ask() and ahead.h): the answers,
 * and a xenstored that ends, stops or sends garbage in between. The xenstored is a
 * process of this test: the value of /value/N is N, /names/N has N % 4 names, /long
 * has too many for one answer, and no other node exists.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/blkback/common/xenstore.h"
#include "include/private/clock.h"
#include "tests/unit/scratch.h"
#include "tests/unit/xen/xenstored.h"
#include "tools/xm-ramdisk/xen/ahead.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

#define MANY 3000u
#define GOOD 100u /* answers before xenstored does what it should not */
#define MS 60000

enum then {
	SERVE,
	END,
	STOP,
	WRONG_TYPE,
	TOO_LONG,
};

static char path[128];

/* ---- xenstored ----------------------------------------------------------- */

static void answer_rightly(int fd, struct xsd_sockmsg *m, const char *body)
{
	static const char names[] = "a\0bc\0def";
	static const uint32_t length[] = { 0, 2, 5, 9 };
	unsigned n;

	if (m->type == XS_READ && sscanf(body, "/value/%u", &n) == 1)
		answer(fd, m, XS_READ, body + 7, (uint32_t)strlen(body + 7));
	else if (m->type == XS_DIRECTORY && sscanf(body, "/names/%u", &n) == 1)
		answer(fd, m, XS_DIRECTORY, names, length[n % 4]);
	else if (!strcmp(body, "/long"))
		answer(fd, m, XS_ERROR, "E2BIG", 6);
	else
		answer(fd, m, XS_ERROR, "ENOENT", 7);
}

static void serve(int fd, enum then then)
{
	static const char text[XENSTORE_PAYLOAD_MAX + 1];
	struct xsd_sockmsg m;
	char body[4096];
	unsigned n;

	for (n = 0; take(fd, &m, sizeof(m)) && m.len < sizeof(body) &&
		    take(fd, body, m.len);
	     n++) {
		if (n < GOOD || then == SERVE)
			answer_rightly(fd, &m, body);
		else if (then == END)
			_exit(0);
		else if (then == STOP)
			pause();
		else if (then == WRONG_TYPE)
			answer(fd, &m, XS_WRITE, "OK", 3);
		else
			answer(fd, &m, m.type, text, sizeof(text));
	}
	_exit(0);
}

/* For one connection. */
static pid_t start_xenstored(enum then then)
{
	int fd = listen_at(path);
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		serve(accept(fd, NULL, NULL), then);
	close(fd);
	return pid;
}

static void end_xenstored(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- questions ----------------------------------------------------------- */

static struct blkback_question question[MANY];
static char paths[MANY][32];

static void make_questions(void)
{
	unsigned i;

	for (i = 0; i < MANY; i++) {
		snprintf(paths[i], sizeof(paths[i]), "/%s/%u",
			 i % 3 == 0   ? "value"
			 : i % 3 == 1 ? "names"
				      : "missing",
			 i);
		question[i] = (struct blkback_question){
			.path = paths[i],
			.directory = i % 3 == 1,
		};
	}
}

static bool is_right(const struct blkback_question *q, unsigned i)
{
	static const char *const third[] = { "", "a", "bc", "def" };

	if (!q->answered || i % 3 == 2)
		return q->answered && !q->answer;
	if (!q->answer || q->answer[q->length])
		return false;
	if (i % 3 == 0)
		return strtoul(q->answer, NULL, 10) == i;
	return i % 4 == 0 ? q->length == 0
			  : !strcmp(q->answer + q->length -
					    strlen(third[i % 4]) - 1,
				    third[i % 4]);
}

/* How many questions, from the first on, have the right answer; the rest has none. */
static unsigned right(void)
{
	unsigned i, n = 0;

	while (n < MANY && is_right(&question[n], n))
		n++;
	for (i = n; i < MANY; i++)
		CU_ASSERT_TRUE(!question[i].answered && !question[i].answer);
	for (i = 0; i < MANY; i++)
		free(question[i].answer);
	return n;
}

static int ask(enum then then, int ms)
{
	pid_t pid = start_xenstored(then);
	int rc;

	make_questions();
	rc = blkback_xenstore_ask(question, MANY, ms);
	end_xenstored(pid);
	return rc;
}

static void many(void)
{
	CU_ASSERT_EQUAL(ask(SERVE, MS), 0);
	CU_ASSERT_EQUAL(right(), MANY);
}

static void xenstored_ends(void)
{
	CU_ASSERT_EQUAL(ask(END, MS), -ECONNREFUSED);
	CU_ASSERT_EQUAL(right(), GOOD);
}

static void xenstored_stops(void)
{
	int64_t began = clock_now_ms();

	CU_ASSERT_EQUAL(ask(STOP, 300), -ETIMEDOUT);
	CU_ASSERT_TRUE(clock_now_ms() - began >= 300);
	CU_ASSERT_EQUAL(right(), GOOD);
}

static void garbage(void)
{
	CU_ASSERT_EQUAL(ask(WRONG_TYPE, MS), -EPROTO);
	CU_ASSERT_EQUAL(right(), GOOD);
	CU_ASSERT_EQUAL(ask(TOO_LONG, MS), -EPROTO);
	CU_ASSERT_EQUAL(right(), GOOD);
}

static void no_xenstored(void)
{
	unlink(path);
	make_questions();
	CU_ASSERT_EQUAL(blkback_xenstore_ask(question, MANY, MS), -ENOENT);
	CU_ASSERT_EQUAL(right(), 0);
}

static void long_path(void)
{
	static char text[10000];
	struct blkback_question q = { .path = text };
	pid_t pid = start_xenstored(SERVE);

	memset(text, 'x', sizeof(text) - 1);
	CU_ASSERT_EQUAL(blkback_xenstore_ask(&q, 1, MS), -EINVAL);
	CU_ASSERT_FALSE(q.answered);
	end_xenstored(pid);
}

/* ---- ahead --------------------------------------------------------------- */

/* Without a connection, a question that was not asked ahead would crash. */
static void taken_from_the_answers(void)
{
	pid_t pid = start_xenstored(SERVE);
	unsigned i, n = 0;
	char text[32], *value, **names;

	for (i = 0; i < 1000; i++)
		ahead_add(false, "/value/%u", i % 500);
	ahead_add(true, "/names/3");
	ahead_add(true, "/names/4");
	ahead_add(true, "/long");
	ahead_add(true, "/missing");
	ahead_ask();
	for (i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "%u", i);
		value = xenstore_read(NULL, XBT_NULL, "/value", text);
		CU_ASSERT_PTR_NOT_NULL_FATAL(value);
		CU_ASSERT_STRING_EQUAL(value, text);
		free(value);
	}
	names = xenstore_directory(NULL, XBT_NULL, "/names/3", &n);
	CU_ASSERT_PTR_NOT_NULL_FATAL(names);
	CU_ASSERT_EQUAL_FATAL(n, 3);
	CU_ASSERT_STRING_EQUAL(names[0], "a");
	CU_ASSERT_STRING_EQUAL(names[1], "bc");
	CU_ASSERT_STRING_EQUAL(names[2], "def");
	free(names);
	names = xenstore_directory(NULL, XBT_NULL, "/names/4", &n);
	CU_ASSERT_PTR_NOT_NULL(names);
	CU_ASSERT_EQUAL(n, 0);
	free(names);
	CU_ASSERT_PTR_NULL(xenstore_directory(NULL, XBT_NULL, "/missing", &n));
	CU_ASSERT_EQUAL(errno, ENOENT);
	/* These have to be asked for. */
	CU_ASSERT_PTR_NULL(ahead_answer(true, "/long"));
	CU_ASSERT_PTR_NULL(ahead_answer(true, "/value/1"));
	CU_ASSERT_PTR_NULL(ahead_answer(false, "/value/500"));
	CU_ASSERT_PTR_NOT_NULL(ahead_answer(false, "/value/499"));
	ahead_forget();
	CU_ASSERT_PTR_NULL(ahead_answer(false, "/value/499"));
	end_xenstored(pid);
}

static void few_are_not_asked(void)
{
	ahead_add(false, "/value/1");
	ahead_ask(); /* there is no xenstored */
	CU_ASSERT_PTR_NULL(ahead_answer(false, "/value/1"));
	ahead_forget();
}

int main(void)
{
	static const struct test tests[] = {
		{ "many questions have their answers", many },
		{ "xenstored ends in between", xenstored_ends },
		{ "xenstored stops in between", xenstored_stops },
		{ "xenstored sends garbage in between", garbage },
		{ "no xenstored", no_xenstored },
		{ "a path that is too long", long_path },
		{ "values and names are taken from the answers",
		  taken_from_the_answers },
		{ "few questions are not asked ahead", few_are_not_asked },
	};
	int rc;

	scratch_make();
	snprintf(path, sizeof(path), "%s.socket", scratch_store);
	setenv("XENSTORED_PATH", path, 1);
	rc = RUN_TESTS("ahead", tests);
	unlink(path);
	scratch_remove();
	return rc;
}
