/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What devices have outside xenstore: running workers, and what dead workers
 * have left.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "drivers/blkback/common/journal.h"
#include "drivers/blkback/common/log.h"
#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/supervisor/leftovers.h"
#include "drivers/blkback/worker/worker.h"
#include "tests/ring/fake/fake.h"
#include "tests/unit/scratch.h"

static const char *seed;
static struct rd_store *store;

static void setup(void)
{
	if (!seed)
		seed = make_seed("leftovers", 64 << 10, 1);
	CU_ASSERT_EQUAL_FATAL(rd_store_open(&store, scratch_store, NULL), 0);
}

static void teardown(void)
{
	rd_reap(store);
	rd_store_close(store);
}

static int await_message(int sock, struct blkback_message *msg)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };

	if (poll(&p, 1, 20000) != 1 || blkback_control_recv(sock, msg))
		return -1;
	return (int)msg->type;
}

/*
 * Start an attached worker of the device @domid/7; @sock is the supervisor's
 * end.
 */
static pid_t start_worker(uint32_t domid, int *sock)
{
	struct blkback_message msg;
	int pair[2];
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		_exit(blkback_worker_run(pair[1], false, NULL, NULL));
	}
	close(pair[1]);
	*sock = pair[0];
	blkback_message_init(&msg, BLKBACK_ATTACH);
	strcpy(msg.u.attach.seed, seed);
	strcpy(msg.u.attach.store, scratch_store);
	snprintf(msg.u.attach.label, RD_LABEL_MAX, NODES_LABEL, domid, 7u);
	msg.u.attach.domid = domid;
	msg.u.attach.devid = 7;
	msg.u.attach.writable = 1;
	msg.u.attach.max_queues = 1;
	blkback_control_send(*sock, &msg);
	CU_ASSERT_EQUAL(await_message(*sock, &msg), BLKBACK_ATTACHED);
	return pid;
}

static bool was_killed(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void count(void *arg, uint32_t domid, uint32_t devid)
{
	*(unsigned *)arg += domid == 5 && devid == 7 ? 1 : 100;
}

/* How many devices have lost their worker; there is only 5/7. */
static unsigned count_orphans(void)
{
	unsigned n = 0;

	blkback_leftovers_each_orphan(store, count, &n);
	return n;
}

static void adopts(void)
{
	struct blkback_message msg;
	struct pollfd p = { .events = POLLIN };
	int sock, again;
	pid_t pid, found = 0;

	setup();
	pid = start_worker(5, &sock);
	close(sock);
	CU_ASSERT_EQUAL(blkback_leftovers_adopt(store, 5, 7, &found, &p.fd,
						&again),
			0);
	CU_ASSERT_EQUAL(found, pid);
	CU_ASSERT_EQUAL(await_message(again, &msg), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL(msg.u.attached.size, 64 << 10);
	CU_ASSERT_EQUAL(poll(&p, 1, 0), 0);
	CU_ASSERT_EQUAL(count_orphans(), 0);
	kill(pid, SIGKILL);
	CU_ASSERT_EQUAL(poll(&p, 1, 20000), 1);
	CU_ASSERT_TRUE(was_killed(pid));
	close(p.fd);
	close(again);
	/* The worker is dead; journal and attachment are left. */
	CU_ASSERT_EQUAL(blkback_leftovers_adopt(store, 5, 7, &found, &p.fd,
						&again),
			-ENOENT);
	CU_ASSERT_TRUE(blkback_leftovers_exist(store, 5, 7));
	CU_ASSERT_EQUAL(attachments(store), 1);
	CU_ASSERT_EQUAL(count_orphans(), 1);
	blkback_leftovers_end(store, 5, 7);
	CU_ASSERT_FALSE(blkback_leftovers_exist(store, 5, 7));
	CU_ASSERT_EQUAL(attachments(store), 0);
	teardown();
	CU_ASSERT_EQUAL(rmdir(scratch_store), 0); /* no file is left */
	CU_ASSERT_EQUAL(mkdir(scratch_store, 0700), 0);
}

static void nothing(void)
{
	int fd, sock;
	pid_t pid;

	setup();
	CU_ASSERT_EQUAL(blkback_leftovers_adopt(store, 9, 7, &pid, &fd, &sock),
			-ENOENT);
	CU_ASSERT_FALSE(blkback_leftovers_exist(store, 9, 7));
	CU_ASSERT_EQUAL(blkback_leftovers_answered(store, 9, 7), 0);
	blkback_leftovers_end(store, 9, 7);
	teardown();
}

/*
 * The tool makes an empty journal to reserve its memory. It does not count as a
 * leftover, survives clear_leftovers, and is the file that the worker uses.
 */
static void reserved_journal_is_kept(void)
{
	struct blkback_journal_file *j;
	int dir = open(scratch_store, O_RDONLY | O_DIRECTORY);
	int fd = openat(dir, "vbd-5-7.journal", O_CREAT | O_RDWR, 0600);
	struct stat reserved, now;

	setup();
	CU_ASSERT_EQUAL_FATAL(ftruncate(fd, NODES_JOURNAL_SIZE), 0);
	CU_ASSERT_EQUAL_FATAL(fstat(fd, &reserved), 0);
	CU_ASSERT_FALSE(blkback_leftovers_exist(store, 5, 7));
	blkback_leftovers_clear(store, 5, 7);
	CU_ASSERT_EQUAL(fstatat(dir, "vbd-5-7.journal", &now, 0), 0);
	CU_ASSERT_EQUAL(now.st_ino, reserved.st_ino);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(blkback_journal_open(&j, dir, "vbd-5-7.journal",
						   NULL),
			      0);
	blkback_journal_close(j);
	CU_ASSERT_TRUE(blkback_leftovers_exist(store, 5, 7));
	blkback_leftovers_clear(store, 5,
				7); /* a used journal is of an earlier device */
	CU_ASSERT_FALSE(blkback_leftovers_exist(store, 5, 7));
	CU_ASSERT_TRUE(faccessat(dir, "vbd-5-7.journal", F_OK, 0));
	CU_ASSERT_EQUAL_FATAL(blkback_journal_open(&j, dir, "vbd-5-7.journal",
						   NULL),
			      0);
	blkback_journal_close(j);
	close(dir);
	blkback_leftovers_end(store, 5, 7);
	CU_ASSERT_FALSE(blkback_leftovers_exist(store, 5, 7));
	teardown();
}

/* The answers of all queues are added. */
static void counts_answers(void)
{
	struct blkback_journal_file *j;
	int dir = open(scratch_store, O_RDONLY | O_DIRECTORY);

	setup();
	CU_ASSERT_EQUAL_FATAL(blkback_journal_open(&j, dir, "vbd-5-7.journal",
						   NULL),
			      0);
	j->queue[0].pushed = 3;
	j->queue[7].pushed = 4;
	CU_ASSERT_EQUAL(blkback_leftovers_answered(store, 5, 7), 7);
	blkback_journal_close(j);
	close(dir);
	blkback_leftovers_end(store, 5, 7);
	teardown();
}

static bool is_six(void *arg, uint32_t domid, uint32_t devid)
{
	(void)arg;
	return domid == 6 && devid == 7;
}

/* Leftovers of unknown devices are ended, also of running workers. */
static void sweeps(void)
{
	int sock[3];
	pid_t pid[3];
	unsigned i;

	setup();
	for (i = 0; i < 3; i++)
		pid[i] = start_worker(5 + i, &sock[i]);
	kill(pid[2], SIGKILL);
	CU_ASSERT_TRUE(was_killed(pid[2]));
	close(sock[0]); /* its supervisor is gone */
	blkback_leftovers_sweep(store, is_six, NULL);
	CU_ASSERT_TRUE(was_killed(pid[0]));
	CU_ASSERT_EQUAL(attachments(store), 1);
	CU_ASSERT_FALSE(blkback_leftovers_exist(store, 5, 7));
	CU_ASSERT_TRUE(blkback_leftovers_exist(store, 6, 7));
	CU_ASSERT_FALSE(blkback_leftovers_exist(store, 7, 7));
	CU_ASSERT_EQUAL(waitpid(pid[1], NULL, WNOHANG), 0);
	blkback_control_send_type(sock[1], BLKBACK_END);
	waitpid(pid[1], NULL, 0);
	CU_ASSERT_EQUAL(attachments(store), 0);
	close(sock[1]);
	close(sock[2]);
	teardown();
}

/* ---- the journal's file ------------------------------------------------- */

static int open_journal(struct blkback_journal_file **j, struct rd_error *err)
{
	int dir = open(scratch_store, O_RDONLY | O_DIRECTORY);
	int ret = blkback_journal_open(j, dir, "vbd-5-7.journal", err);

	close(dir);
	return ret;
}

/* Journals of any content are opened, emptied, or refused with a sentence. */
static void other_journals(void)
{
	struct blkback_connection c = { .protocol = BLKBACK_X86_64,
					.nr_queues = 1,
					.nr_refs = 1 };
	struct blkback_journal_file *j;
	struct rd_error err = { "" };

	setup();
	CU_ASSERT_EQUAL_FATAL(open_journal(&j, &err), 0);
	CU_ASSERT_EQUAL(j->state, BLKBACK_JOURNAL_DISCONNECTED);
	blkback_journal_connect(j, &c);
	blkback_journal_connected(j);
	j->version++;
	blkback_journal_close(j);
	CU_ASSERT_EQUAL(open_journal(&j, &err), -EPROTO);
	CU_ASSERT_STRING_EQUAL(
		err.text,
		"vbd-5-7.journal has requests that were taken by a worker of another version (2; this is 1)");
	/*
	 * A worker that has handed over has left no request: the journal is
	 * emptied.
	 */
	{
		char path[128];
		uint32_t state = BLKBACK_JOURNAL_HANDED_OVER;
		int fd;

		snprintf(path, sizeof(path), "%s/vbd-5-7.journal",
			 scratch_store);
		fd = open(path, O_RDWR);
		CU_ASSERT_EQUAL(pwrite(fd, &state, sizeof(state), 12), 4);
		CU_ASSERT_EQUAL_FATAL(open_journal(&j, &err), 0);
		CU_ASSERT_EQUAL(j->state, BLKBACK_JOURNAL_HANDED_OVER);
		CU_ASSERT_EQUAL(j->version, BLKBACK_JOURNAL_VERSION);
		CU_ASSERT_EQUAL(j->connection.protocol, BLKBACK_X86_64);
		blkback_journal_close(j);
		CU_ASSERT_EQUAL(pwrite(fd, "nonsense", 8, 0), 8);
		close(fd);
	}
	CU_ASSERT_EQUAL(open_journal(&j, &err), -EPROTO);
	CU_ASSERT_STRING_EQUAL(err.text, "vbd-5-7.journal is not a journal");
	blkback_leftovers_end(store, 5, 7);
	teardown();
}

int main(void)
{
	static const struct test tests[] = {
		{ "a worker is adopted, and its leftovers are ended", adopts },
		{ "no leftovers", nothing },
		{ "a journal that the tool reserved",
		  reserved_journal_is_kept },
		{ "answers are counted", counts_answers },
		{ "leftovers of unknown devices are swept", sweeps },
		{ "journals of other contents", other_journals },
	};
	int rc;

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	scratch_make();
	rc = RUN_TESTS("leftovers", tests);
	scratch_remove();
	return rc;
}
