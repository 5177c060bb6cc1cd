/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real xen-ramdiskd while xenstored ends and is started again, with the nodes of
 * before or without any, under a guest at queue depth 32 that checks every byte, on
 * fakes of Xen's libraries.
 *
 *   xenstored PROGRAM PRELOAD
 */
#include "drivers/blkback/common/nodes.h"
#include "tests/daemon/nodes.h"

#include <fcntl.h>

#define DEVICE "51712"
#define OTHER "51728"
#define BACK BACK_OF(DEVICE)
#define FRONT FRONT_OF(DEVICE)
#define GONE "error: xenstore is gone" /* not of a refused live update */

static const char *seed;
static char log_file[64];

/* The lines of the daemon's log with @text so far. */
static unsigned lines_with(const char *text)
{
	char line[1024];
	FILE *f = fopen(log_file, "r");
	unsigned n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	if (f)
		fclose(f);
	return n;
}

static bool await_lines(const char *text, unsigned n)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;

	while (lines_with(text) < n && (int64_t)clock_now_us() < end)
		usleep(10000);
	return lines_with(text) == n;
}

static bool await_state(pid_t pid, bool dead)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;

	while (is_dead(pid) != dead && (int64_t)clock_now_us() < end)
		usleep(1000);
	return is_dead(pid) == dead;
}

static bool await_other_worker(pid_t pid)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;

	while ((worker_pid() == pid || !worker_pid()) &&
	       (int64_t)clock_now_us() < end)
		usleep(1000);
	return worker_pid() && worker_pid() != pid;
}

/*
 * In the foreground, so that the log is in a file; no child of the test, so that its
 * end is seen.
 */
static void start_daemon(void)
{
	pid_t pid = fork();

	if (pid == 0 && fork())
		_exit(0);
	if (pid == 0) {
		int fd = open(log_file, O_WRONLY | O_CREAT | O_APPEND, 0600);

		dup2(fd, STDERR_FILENO);
		setenv("LD_PRELOAD", preload, 1);
		execl(program, "xen-ramdiskd", "--store", scratch_store,
		      "--foreground", NULL);
		_exit(126);
	}
	waitpid(pid, NULL, 0);
}

static void guest_works(void)
{
	seed = make_seed("daemon", MIB, 1);
	attach_nodes(DEVICE, seed, "w");
	start_daemon();
	CU_ASSERT_TRUE_FATAL(await_node(BACK "/state", "2"));
	begin_ring(8);
	connect_nodes(DEVICE, "8", "17", "1");
	CU_ASSERT_TRUE_FATAL(await_node(BACK "/state", "4"));
	set_node(FRONT "/state", "4");
	fill_disk();
	guest_runs();
}

/* Said once, although it is tried again and again. */
static void xenstored_ends(void)
{
	pid_t daemon = daemon_pid(), worker = worker_pid();

	fake_xenstored_end();
	CU_ASSERT_TRUE(await_lines(GONE, 1));
	CU_ASSERT_TRUE(guest_is_served());
	usleep(1500000);
	CU_ASSERT_EQUAL(lines_with(GONE), 1);
	CU_ASSERT_FALSE(is_dead(daemon));
	CU_ASSERT_EQUAL(worker_pid(), worker);
	CU_ASSERT_TRUE(guest_is_served());
}

/* A worker's death needs no xenstore. */
static void worker_dies_meanwhile(void)
{
	pid_t worker = worker_pid();

	CU_ASSERT_TRUE_FATAL(ends(worker, SIGKILL));
	CU_ASSERT_TRUE(await_other_worker(worker));
	CU_ASSERT_TRUE(guest_is_served());
}

/* A daemon without xenstore refuses what would end it. */
static void no_live_update_meanwhile(void)
{
	pid_t daemon = daemon_pid();

	CU_ASSERT_NOT_EQUAL(run(program, "--live-update"), 0);
	CU_ASSERT_EQUAL(daemon_pid(), daemon);
	CU_ASSERT_FALSE(is_dead(daemon));
	CU_ASSERT_TRUE(guest_is_served());
}

/*
 * With its nodes: a device that was made meanwhile is attached, and the guest's own is as
 * it was; watches are set again.
 */
static void xenstored_is_back(void)
{
	pid_t worker = worker_pid();

	fake_xenstored_begin(true);
	xs_close(xs);
	xs = xs_open(0);
	attach_nodes(OTHER, seed, "w");
	CU_ASSERT_TRUE(await_lines("xenstore is back", 1));
	CU_ASSERT_TRUE(await_node(BACK_OF(OTHER) "/state", "2"));
	CU_ASSERT_TRUE(node_is(BACK "/state", "4"));
	CU_ASSERT_TRUE(guest_is_served());
	/* The watch of the new device's frontend, and that of the backend. */
	set_node(FRONT_OF(OTHER) "/state", "6");
	CU_ASSERT_TRUE(await_node(BACK_OF(OTHER) "/state", "6"));
	set_node(BACK_OF(OTHER) "/online", "0");
	set_node(BACK_OF(OTHER) "/state", "5");
	CU_ASSERT_TRUE(await_node(BACK_OF(OTHER) "/state", NULL));
	CU_ASSERT_EQUAL(worker_pid(), worker);
	CU_ASSERT_TRUE(guest_is_served());
}

static void ends_and_begins(unsigned times, bool keeps)
{
	fake_xenstored_end();
	CU_ASSERT_TRUE(await_lines(GONE, times));
	fake_xenstored_begin(keeps);
	xs_close(xs);
	xs = xs_open(0);
}

/* The watch of the frontend of a device that was there before. */
static void frontends_are_watched(void)
{
	attach_nodes(OTHER, seed, "w");
	CU_ASSERT_TRUE(await_node(BACK_OF(OTHER) "/state", "2"));
	ends_and_begins(2, true);
	CU_ASSERT_TRUE(await_lines("xenstore is back", 2));
	usleep(300000); /* all nodes were read once */
	set_node(FRONT_OF(OTHER) "/state", "6");
	CU_ASSERT_TRUE(await_node(BACK_OF(OTHER) "/state", "6"));
	CU_ASSERT_TRUE(guest_is_served());
}

/* A device whose nodes were removed meanwhile is detached. */
static void removed_meanwhile(void)
{
	ends_and_begins(3, true);
	xs_rm(xs, XBT_NULL, BACK_OF(OTHER));
	xs_rm(xs, XBT_NULL, FRONT_OF(OTHER));
	CU_ASSERT_TRUE(await_lines("xenstore is back", 3));
	/* Of two attachments one is left. */
	CU_ASSERT_TRUE(await_other_worker(0));
	CU_ASSERT_TRUE(guest_is_served());
}

/*
 * Without its nodes: the missing node of a device does not mean that the device was
 * detached, and the guest keeps its disk.
 */
static void xenstored_has_lost_all(void)
{
	pid_t worker = worker_pid();

	ends_and_begins(4, false);
	CU_ASSERT_TRUE(await_lines("has lost all nodes", 1));
	CU_ASSERT_EQUAL(lines_with("xenstore is back"), 3);
	/* Something changes, so that devices are looked at. */
	set_node("/local/domain/0/backend/ramdisk", "");
	xs_rm(xs, XBT_NULL, "/local/domain/0/backend");
	usleep(500000);
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_EQUAL(worker_pid(), worker);
	worker_dies_meanwhile();
	/* New devices are served as before. */
	attach_nodes(OTHER, seed, "w");
	CU_ASSERT_TRUE(await_node(BACK_OF(OTHER) "/state", "2"));
	CU_ASSERT_TRUE(guest_is_served());
	set_node(BACK_OF(OTHER) "/online", "0");
	set_node(BACK_OF(OTHER) "/state", "5");
	CU_ASSERT_TRUE(await_node(BACK_OF(OTHER) "/state", NULL));
	CU_ASSERT_TRUE(guest_is_served());
}

/* Another device of the number takes the place of the one without nodes. */
static void number_is_attached_again(void)
{
	pid_t worker = worker_pid();

	CU_ASSERT_TRUE_FATAL(guest_is_served());
	guest_stops();
	attach_nodes(DEVICE, seed, "w");
	CU_ASSERT_TRUE(await_node(BACK "/state", "2"));
	CU_ASSERT_TRUE(await_state(worker, true));
	set_node(BACK "/online", "0");
	set_node(BACK "/state", "5");
	CU_ASSERT_TRUE(await_node(BACK "/state", NULL));
	CU_ASSERT_EQUAL(store_files(), 1);
}

/* The node by which the daemon knows a xenstored goes with the daemon. */
static void leaves_no_node(void)
{
	char mark[64];
	pid_t daemon = daemon_pid();

	snprintf(mark, sizeof(mark), "/local/domain/0/" NODES_MARK,
		 (unsigned)daemon);
	CU_ASSERT_FALSE(node_is(mark, NULL));
	CU_ASSERT_EQUAL(run(program, "--stop"), 0);
	CU_ASSERT_TRUE(node_is(mark, NULL));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "a guest works", guest_works },
		{ "xenstored ends", xenstored_ends },
		{ "a worker dies meanwhile", worker_dies_meanwhile },
		{ "no live update meanwhile", no_live_update_meanwhile },
		{ "it is back, with a new device", xenstored_is_back },
		{ "frontends are watched again", frontends_are_watched },
		{ "it is back, without a device", removed_meanwhile },
		{ "it has lost all nodes", xenstored_has_lost_all },
		{ "a number is attached again", number_is_attached_again },
		{ "the daemon leaves no node", leaves_no_node },
	};
	char command[128];
	int rc;

	if (!daemon_tests_begin(argc, argv))
		return 2;
	snprintf(log_file, sizeof(log_file), "%s/log", dir);
	rc = RUN_TESTS("xenstored", tests);
	if (rc) {
		snprintf(command, sizeof(command), "sed 's/^/# /' %s",
			 log_file);
		if (system(command))
			rc = 1;
	}
	return daemon_tests_end(rc);
}
