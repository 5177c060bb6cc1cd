/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real xen-ramdiskd, with its supervisor and workers, over fakes of Xen's
 * libraries (xen.h), under a guest at queue depth 32 that checks every byte.
 * Processes are killed, end, and are replaced by another program; the guest may
 * only see a pause.
 *
 *   restart PROGRAM PRELOAD
 *
 * $RESTART_ROUNDS is the number of rounds of the test "again and again"; the
 * default is 2.
 */
#include "drivers/blkback/common/nodes.h"
#include "tests/daemon/moments.h"
#include "tests/daemon/nodes.h"

#include <limits.h>
#include <poll.h>

#define DEVICE "51712"
#define BACK BACK_OF(DEVICE)
#define FRONT FRONT_OF(DEVICE)
#define RING_REF 8u

static char other[64], short_lived[64];

/* ---- tests, each on the state that the one before it left --------------- */

static void start_and_connect(void)
{
	const char *seed = make_seed("daemon", MIB, 1);

	attach_nodes(DEVICE, seed, "w");
	CU_ASSERT_EQUAL_FATAL(run(program, NULL), 0);
	CU_ASSERT_TRUE_FATAL(await_node(BACK "/state", "2"));
	begin_ring(RING_REF);
	connect_nodes(DEVICE, "8", "17", "1");
	CU_ASSERT_TRUE_FATAL(await_node(BACK "/state", "4"));
	set_node(FRONT "/state", "4");
}

/*
 * Whether the new daemon has taken over @worker: unchanged if the worker is of
 * the same build, else replaced by a worker of @program.
 */
static bool is_taken_over(pid_t worker, bool same)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;

	if (same)
		return worker_pid() == worker;
	while (!runs(worker_pid(), program) && (int64_t)clock_now_us() < end)
		usleep(1000);
	return runs(worker_pid(), program);
}

/* A file of /proc/PID that is a number; INT_MAX if it cannot be read. */
static int oom_score_adjust(pid_t pid)
{
	int score = INT_MAX;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	f = fopen(path, "r");
	if (f && fscanf(f, "%d", &score) != 1)
		score = INT_MAX;
	if (f)
		fclose(f);
	return score;
}

/* -999; without CAP_SYS_RESOURCE nobody can lower it, and the test's own. */
static int lowest_score(void)
{
	int fd, own = oom_score_adjust(getpid());
	bool may;

	fd = open("/proc/self/oom_score_adj", O_WRONLY);
	may = write(fd, "-999", 4) == 4;
	if (may)
		dprintf(fd, "%d", own);
	close(fd);
	return may ? -999 : own;
}

static void killed_last(void)
{
	int lowest = lowest_score();
	pid_t spare = await_spare(program);

	CU_ASSERT_NOT_EQUAL(spare, 0);
	CU_ASSERT_EQUAL(oom_score_adjust(daemon_pid()), lowest);
	CU_ASSERT_EQUAL(oom_score_adjust(worker_pid()), lowest);
	CU_ASSERT_EQUAL(oom_score_adjust(spare), lowest);
}

static void worker_killed(void)
{
	pid_t pid = worker_pid();

	CU_ASSERT_TRUE(ends(pid, SIGKILL));
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_NOT_EQUAL(worker_pid(), pid);
}

/*
 * The spare worker takes the place of a killed worker, and the supervisor starts
 * another spare. If that spare dies, too, a new worker is started.
 */
static void spare_replaces_a_killed_worker(void)
{
	pid_t spare = await_spare(program);

	CU_ASSERT_NOT_EQUAL_FATAL(spare, 0);
	worker_killed();
	CU_ASSERT_EQUAL(worker_pid(), spare);
	CU_ASSERT_TRUE(is_named(spare, "0/51712"));
	CU_ASSERT_TRUE(is_command(spare, "ramdisk-worker"));
	CU_ASSERT_TRUE(is_command(daemon_pid(), "xen-ramdiskd"));
	spare = await_spare(program);
	CU_ASSERT_NOT_EQUAL(spare, 0);
	CU_ASSERT_TRUE(ends(spare, SIGKILL));
	worker_killed();
	CU_ASSERT_NOT_EQUAL(worker_pid(), spare);
	CU_ASSERT_TRUE(is_named(worker_pid(), "0/51712"));
	CU_ASSERT_NOT_EQUAL(await_spare(program), 0);
}

static void supervisor_killed(void)
{
	pid_t pid = daemon_pid(), worker = worker_pid();
	bool same = runs(worker, program);

	CU_ASSERT_TRUE(ends(pid, SIGKILL));
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_EQUAL(run(program, NULL), 0);
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_NOT_EQUAL(daemon_pid(), pid);
	CU_ASSERT_TRUE(is_taken_over(worker, same));
	/* The new supervisor replaces the adopted worker when it dies. */
	worker_killed();
}

/* Wait until the spare worker has noticed its daemon's death and listens. */
static bool spare_listens(void)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;
	char path[128];

	snprintf(path, sizeof(path), "%s/" NODES_SPARE_SOCKET, scratch_store);
	while (access(path, F_OK) && (int64_t)clock_now_us() < end)
		usleep(1000);
	return !access(path, F_OK);
}

/* @await_spare_socket: start the next daemon only when the spare listens. */
static void kill_both(bool await_spare_socket)
{
	pid_t worker = worker_pid();

	CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	CU_ASSERT_TRUE(ends(worker, SIGKILL));
	CU_ASSERT_TRUE(!await_spare_socket || spare_listens());
	CU_ASSERT_EQUAL(run(program, NULL), 0);
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_NOT_EQUAL(worker_pid(), worker);
}

static void both_killed(void)
{
	kill_both(false);
}

/*
 * The next daemon adopts the spare worker, any number of times, if the spare is
 * of the daemon's build and was started with the same options. Other spares end.
 */
static void spare_outlives_its_daemon(void)
{
	pid_t spare = await_spare(program), daemon = daemon_pid();
	unsigned files = store_files();
	int status = -1;

	CU_ASSERT_NOT_EQUAL_FATAL(spare, 0);
	supervisor_killed();
	CU_ASSERT_NOT_EQUAL(daemon_pid(), daemon);
	/* The spare has replaced the worker that supervisor_killed() killed. */
	CU_ASSERT_EQUAL(worker_pid(), spare);

	spare = await_spare(program);
	kill_both(true);
	CU_ASSERT_EQUAL(worker_pid(), spare);
	CU_ASSERT_TRUE(is_named(spare, "0/51712"));
	CU_ASSERT_EQUAL(store_files(), files);

	/* The spare dies while it listens, then after its adoption. */
	spare = await_spare(program);
	CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	usleep(100000);
	CU_ASSERT_TRUE(ends(spare, SIGKILL));
	CU_ASSERT_EQUAL(run(program, NULL), 0);
	spare = await_spare(program);
	CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	CU_ASSERT_EQUAL(run(program, NULL), 0);
	CU_ASSERT_TRUE(ends(spare, SIGKILL));
	worker_killed();

	spare = await_spare(program);
	CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	CU_ASSERT_TRUE(spare_listens());
	waitpid(begin(other, NULL), &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_TRUE(ends(spare, 0));
	CU_ASSERT_NOT_EQUAL(await_spare(other), 0);
	CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	CU_ASSERT_EQUAL(run(program, NULL), 0);
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_TRUE(is_taken_over(worker_pid(), false));
}

/*
 * A child that a killed daemon was just forking holds the daemon's lock for a
 * moment: the next daemon waits for the lock.
 */
static void next_daemon_waits_for_the_lock(void)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int status = -1, fd;
	char path[128];
	pid_t next;

	snprintf(path, sizeof(path), "%s/xen-ramdiskd.pid", scratch_store);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	CU_ASSERT_EQUAL(fcntl(fd, F_OFD_SETLKW, &whole), 0);
	next = begin(program, NULL);
	usleep(100000);
	CU_ASSERT_EQUAL(waitpid(next, &status, WNOHANG), 0);
	close(fd);
	waitpid(next, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_TRUE(guest_is_served());
}

static void supervisor_ends(void)
{
	pid_t worker = worker_pid();
	bool same = runs(worker, program);

	CU_ASSERT_TRUE(ends(daemon_pid(), SIGTERM));
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_EQUAL(run(program, NULL), 0);
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_TRUE(is_taken_over(worker, same));
}

/* A daemon closes its output: $(xen-ramdiskd) in a shell comes to an end. */
static void daemon_closes_its_output(void)
{
	int saved = dup(STDERR_FILENO), output[2];
	struct pollfd p;
	char byte;

	CU_ASSERT_TRUE(ends(daemon_pid(), SIGTERM));
	CU_ASSERT_EQUAL_FATAL(pipe2(output, O_CLOEXEC), 0);
	dup2(output[1], STDERR_FILENO);
	close(output[1]);
	CU_ASSERT_EQUAL(run(program, NULL), 0);
	dup2(saved, STDERR_FILENO);
	close(saved);
	p = (struct pollfd){ .fd = output[0], .events = POLLIN };
	CU_ASSERT_EQUAL(poll(&p, 1, PATIENCE / 6), 1);
	CU_ASSERT_EQUAL(p.revents ? read(output[0], &byte, 1) : -1, 0);
	close(output[0]);
	CU_ASSERT_TRUE(guest_is_served());
}

static void live_update_to_another_program(void)
{
	pid_t pid = daemon_pid(), worker = worker_pid();

	CU_ASSERT_EQUAL(run(other, "--live-update"), 0);
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_EQUAL(daemon_pid(), pid);
	CU_ASSERT_NOT_EQUAL(worker_pid(), worker);
	CU_ASSERT_TRUE(runs(pid, other));
	CU_ASSERT_TRUE(runs(worker_pid(), other));
	/* An update to the program that the daemon runs already. */
	CU_ASSERT_EQUAL(run(other, "--live-update"), 0);
	CU_ASSERT_TRUE(guest_is_served());
}

/* --upgrade is the option's old name. Updates to @program and back. */
static void upgrade_is_accepted(void)
{
	CU_ASSERT_EQUAL(run(program, "--upgrade"), 0);
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_TRUE(runs(daemon_pid(), program));
	CU_ASSERT_EQUAL(run(other, "--upgrade"), 0);
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_TRUE(runs(daemon_pid(), other));
	CU_ASSERT_TRUE(runs(worker_pid(), other));
}

/* ---- points of the disk ------------------------------------------------------ */

static void points_are_taken(void)
{
	unsigned i;

	moments_store = open_store();
	for (i = 0; i < 3; i++)
		CU_ASSERT_TRUE(take_moment(NULL));
	CU_ASSERT_TRUE(view_begins());
}

static void kill_worker(void)
{
	CU_ASSERT_TRUE(ends(worker_pid(), SIGKILL));
}

static void points_while_workers_are_killed(void)
{
	unsigned i;

	for (i = 0; i < 3; i++) {
		CU_ASSERT_TRUE(take_moment(kill_worker));
		CU_ASSERT_TRUE(guest_is_served());
	}
}

/* The worker dies with half of a copy written, and the block's lock held. */
static void die_in_copy(void)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;
	pid_t pid = worker_pid();

	*fake_die_in_copy = true;
	while (!is_dead(pid) && (int64_t)clock_now_us() < end)
		usleep(1000);
	CU_ASSERT_TRUE(is_dead(pid));
	CU_ASSERT_FALSE(*fake_die_in_copy);
}

static void worker_dies_in_a_copy(void)
{
	pid_t pid = worker_pid();

	CU_ASSERT_TRUE(take_moment(die_in_copy));
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_NOT_EQUAL(worker_pid(), pid);
}

static void points_outlive_processes(void)
{
	CU_ASSERT_TRUE(take_moment(supervisor_killed));
	CU_ASSERT_TRUE(take_moment(both_killed));
	CU_ASSERT_TRUE(take_moment(supervisor_ends));
	CU_ASSERT_TRUE(moments_stay());
	CU_ASSERT_TRUE(view_stays());
}

/* Updates to @program and back. */
static void points_outlive_a_live_update(void)
{
	CU_ASSERT_TRUE(take_moment(upgrade_is_accepted));
	CU_ASSERT_TRUE(moments_stay());
	CU_ASSERT_TRUE(view_stays());
}

static void points_stay(void)
{
	CU_ASSERT_TRUE(take_moment(NULL));
	CU_ASSERT_TRUE(moments_stay());
	CU_ASSERT_TRUE(view_stays());
	CU_ASSERT_TRUE(drop_moments());
	CU_ASSERT_TRUE(guest_is_served());
}

/* ---- a live update that goes wrong ------------------------------------------- */

static pid_t updating; /* the command --live-update */

/*
 * Begin a live update. Returns the new program's spare worker, which the file
 * @hold keeps from loading (see hold_workers() in xen.c).
 */
static pid_t held_spare(const char *hold)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;
	pid_t spare;

	close(open(hold, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	updating = begin(program, "--live-update");
	do {
		usleep(1000);
		spare = spare_of(program);
	} while (!spare && (int64_t)clock_now_us() < end);
	return spare;
}

/*
 * The old worker serves until the spare is loaded. If the spare dies before
 * that, the old worker is replaced all the same.
 */
static void live_update_waits_for_the_spare(void)
{
	pid_t worker = worker_pid(), spare;
	int status = -1;
	char hold[256];

	snprintf(hold, sizeof(hold), "%s.hold", getenv("FAKE_XEN"));
	spare = held_spare(hold);
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_EQUAL(worker_pid(), worker);
	CU_ASSERT_FALSE(is_dead(worker));
	unlink(hold);
	waitpid(updating, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(worker_pid(), spare);
	CU_ASSERT_TRUE(guest_is_served());

	live_update_to_another_program();
	worker = worker_pid();
	CU_ASSERT_TRUE(ends(held_spare(hold), SIGKILL));
	CU_ASSERT_TRUE(ends(worker, 0));
	unlink(hold);
	waitpid(updating, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_TRUE(runs(worker_pid(), program));
}

/*
 * Request a live update to @file as --live-update does; the daemon's answer.
 * For programs that do not have the option --live-update.
 */
static void request_live_update(const char *file, char answer[256])
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/xen-ramdiskd.upgrade", scratch_store);
	f = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fprintf(f, "exec %s\n", file);
	fclose(f);
	kill(daemon_pid(), SIGHUP);
	do {
		usleep(10000);
		f = fopen(path, "r");
		if (!f || !fgets(answer, 256, f))
			answer[0] = '\0';
		if (f)
			fclose(f);
	} while ((!answer[0] || answer[0] == 'e') &&
		 (int64_t)clock_now_us() < end);
	answer[strcspn(answer, "\n")] = '\0';
	unlink(path);
}

static void live_update_to_unfit_programs(void)
{
	pid_t pid = daemon_pid(), spare = await_spare(program);
	char answer[256];

	CU_ASSERT_TRUE_FATAL(guest_began);
	CU_ASSERT_NOT_EQUAL_FATAL(spare, 0);
	request_live_update("/nowhere", answer);
	CU_ASSERT_STRING_EQUAL(
		answer,
		"failed cannot run /nowhere: No such file or directory");
	request_live_update("/bin/true", answer);
	CU_ASSERT_EQUAL(strncmp(answer, "failed /bin/true does not start", 31),
			0);
	CU_ASSERT_EQUAL(daemon_pid(), pid);
	CU_ASSERT_FALSE(is_dead(pid));
	CU_ASSERT_FALSE(is_dead(spare));
	CU_ASSERT_TRUE(guest_is_served());
	/*
	 * A program that passes the trial and ends at once: the old one is
	 * back.
	 */
	request_live_update(short_lived, answer);
	CU_ASSERT_STRING_EQUAL(
		answer,
		"failed the new program has ended; the old one goes on");
	CU_ASSERT_TRUE(is_dead(pid));
	while (daemon_pid() == pid || !daemon_pid())
		usleep(1000);
	CU_ASSERT_FALSE(is_dead(daemon_pid()));
	worker_killed();
}

static void again_and_again(void)
{
	const char *text = getenv("RESTART_ROUNDS");
	unsigned i, n = !guest_began ? 0
			: text       ? (unsigned)strtoul(text, NULL, 0)
				     : 2;

	for (i = 0; i < n; i++) {
		worker_killed();
		supervisor_killed();
		both_killed();
		supervisor_ends();
		if (!runs(daemon_pid(), other))
			live_update_to_another_program();
		both_killed();
	}
	CU_ASSERT_TRUE(node_is(BACK "/state", "4"));
	CU_ASSERT_TRUE(node_is(BACK "/error", NULL));
}

static void guest_detaches(void)
{
	unsigned i;

	CU_ASSERT_TRUE_FATAL(guest_began);
	guest_stops();
	printf("# %lu requests, the longest took %lu ms\n", answers,
	       worst_us / 1000);
	set_node(BACK "/online", "0");
	set_node(BACK "/state", "5");
	set_node(FRONT "/state", "6");
	CU_ASSERT_TRUE(await_node(BACK, NULL));
	/* A spare worker of a killed daemon may listen for half a minute. */
	for (i = 0; i < 400 && store_files() != 1; i++)
		usleep(100000);
	CU_ASSERT_EQUAL(store_files(), 1); /* the daemon's pid file */
}

/*
 * A spare worker that the next daemon did not find, as it was stopped when that
 * daemon started: it listens for a while and ends.
 */
static void spare_ends_unless_adopted(void)
{
	pid_t spare = await_spare(program);
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;

	CU_ASSERT_EQUAL_FATAL(kill(spare, SIGSTOP), 0);
	CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	CU_ASSERT_EQUAL(run(program, NULL), 0);
	CU_ASSERT_EQUAL(kill(spare, SIGCONT), 0);
	while (store_files() < 2 && (int64_t)clock_now_us() < end)
		usleep(10000);
	CU_ASSERT_EQUAL(store_files(), 2);
	CU_ASSERT_TRUE(ends(spare, 0));
	CU_ASSERT_EQUAL(store_files(), 1);
}

static void stop_ends_daemon_and_spare(void)
{
	pid_t pid = daemon_pid(), spare = await_spare(program);

	CU_ASSERT_EQUAL(run(program, "--stop"), 0);
	CU_ASSERT_TRUE(is_dead(pid));
	CU_ASSERT_TRUE(is_dead(spare));
	CU_ASSERT_NOT_EQUAL(run(program, "--stop"), 0);
}

/* A relative path of a store that does not exist; the daemon changes to /. */
static void relative_store(void)
{
	static const char *const scripts[] = {
		"%s --store new && test -e new/xen-ramdiskd.pid && %s --stop --store new",
		"export XEN_RAMDISK_DIR=./new; %s && test -e new/xen-ramdiskd.pid && %s --stop",
	};
	char run_it[512], commands[1536], command[2048];
	size_t i;

	snprintf(run_it, sizeof(run_it), "LD_PRELOAD=%s %s", preload, program);
	for (i = 0; i < 2; i++) {
		snprintf(commands, sizeof(commands), scripts[i], run_it,
			 run_it);
		snprintf(
			command, sizeof(command),
			"mkdir %s-here && cd %s-here && { %s; }; r=$?; rm -r %s-here; exit $r",
			scratch_store, scratch_store, commands, scratch_store);
		CU_ASSERT_EQUAL(system(command), 0);
	}
}

static void guest_works(void)
{
	start_and_connect();
	fill_disk();
	/* fill_disk() has used BLOCKS indices of the ring. */
	guest_runs();
}

static void make_programs(void)
{
	char command[512];

	snprintf(other, sizeof(other), "%s/xen-ramdiskd", dir);
	snprintf(short_lived, sizeof(short_lived), "%s/short", dir);
	snprintf(
		command, sizeof(command),
		"cp %s %s && printf '#!/bin/sh\\n[ \"$1\" != --version ] || echo \"xen-ramdiskd 9 (format %u)\"\\n' >%s && chmod +x %s",
		program, other, RD_FORMAT, short_lived, short_lived);
	if (system(command))
		abort();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "a guest works", guest_works },
		{ "the kernel kills other processes first", killed_last },
		{ "the worker is killed", worker_killed },
		{ "the spare replaces a killed worker",
		  spare_replaces_a_killed_worker },
		{ "the supervisor is killed", supervisor_killed },
		{ "supervisor and worker are killed", both_killed },
		{ "the spare outlives its daemon", spare_outlives_its_daemon },
		{ "the next daemon waits for the lock of a killed one",
		  next_daemon_waits_for_the_lock },
		{ "the supervisor ends by SIGTERM", supervisor_ends },
		{ "a daemon closes its output", daemon_closes_its_output },
		{ "points are moments of the guest's disk", points_are_taken },
		{ "points while workers are killed",
		  points_while_workers_are_killed },
		{ "a worker dies in a copy for a point",
		  worker_dies_in_a_copy },
		{ "points outlive workers and supervisors",
		  points_outlive_processes },
		{ "--live-update to another program",
		  live_update_to_another_program },
		{ "--upgrade, the old name", upgrade_is_accepted },
		{ "points outlive a live update",
		  points_outlive_a_live_update },
		{ "--live-update waits until the spare is loaded",
		  live_update_waits_for_the_spare },
		{ "live updates to unfit programs",
		  live_update_to_unfit_programs },
		{ "again and again", again_and_again },
		{ "points and a view of one are what they were", points_stay },
		{ "the guest detaches", guest_detaches },
		{ "a spare that nobody adopts ends",
		  spare_ends_unless_adopted },
		{ "--stop", stop_ends_daemon_and_spare },
		{ "a relative path of the store", relative_store },
	};
	if (!daemon_tests_begin(argc, argv))
		return 2;
	make_programs();
	return daemon_tests_end(RUN_TESTS("daemon", tests));
}
