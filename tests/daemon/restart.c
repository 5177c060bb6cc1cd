/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real xen-ramdiskd, supervisor and workers and exec and all, over fakes of
 * Xen's libraries (xen.h), under a guest at depth 32 that checks every byte: who is
 * killed, ends, or is replaced by another program, the guest sees a pause.
 *
 *   restart PROGRAM PRELOAD
 *
 * $RESTART_ROUNDS: default 2.
 */
#include "drivers/blkback/common/nodes.h"
#include "tests/daemon/processes.h"

#include <poll.h>
#include <pthread.h>
#include <xenstore.h>

#define BACK "/local/domain/0/backend/ramdisk/0/51712"
#define FRONT "/local/domain/0/device/vbd/51712"
#define RING_REF 8u

static const char *program;
static char dir[] = "/tmp/xen-ramdisk-daemon-XXXXXX", other[64], short_one[64];
static struct xs_handle *xs;
static pthread_t guest;

/* Requests are answered that were asked from now on. */
static bool goes_on(void)
{
	unsigned long to = answers + 3 * DEPTH;
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;

	while (begun && answers < to && (int64_t)clock_now_us() < end)
		usleep(500);
	return answers >= to && !bad;
}

/* ---- xenstore ---------------------------------------------------------- */

static void set(const char *path, const char *text)
{
	xs_write(xs, XBT_NULL, path, text, (unsigned)strlen(text));
}

static bool is(const char *path, const char *text)
{
	unsigned n;
	char *now = xs_read(xs, XBT_NULL, path, &n);
	bool same = text ? now && !strcmp(now, text) : !now;

	free(now);
	return same;
}

static bool becomes(const char *path, const char *text)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;

	while (!is(path, text) && (int64_t)clock_now_us() < end)
		usleep(1000);
	return is(path, text);
}

/* ---- tests, in this order ---------------------------------------------- */

static void starts(void)
{
	const char *seed = make_seed("daemon", MIB, 1);
	unsigned i;

	set(BACK "/frontend", FRONT);
	set(BACK "/frontend-id", "0");
	set(BACK "/online", "1");
	set(BACK "/format", "1");
	set(BACK "/store", scratch_store);
	set(BACK "/params", seed);
	set(BACK "/mode", "w");
	set(FRONT "/backend", BACK);
	set(FRONT "/state", "1");
	set(BACK "/state", "1");
	CU_ASSERT_EQUAL_FATAL(run(program, NULL), 0);
	CU_ASSERT_TRUE_FATAL(becomes(BACK "/state", "2"));
	ring = (struct blkif_sring *)fake_pages[RING_REF];
	ring->req_event = ring->rsp_event = 1;
	for (i = 0; i < BLOCKS; i++)
		busy[i] = false;
	set(FRONT "/ring-ref", "8");
	set(FRONT "/event-channel", "17");
	set(FRONT "/protocol", "x86_64-abi");
	set(FRONT "/feature-persistent", "1");
	set(FRONT "/state", "3");
	CU_ASSERT_TRUE_FATAL(becomes(BACK "/state", "4"));
	set(FRONT "/state", "4");
}

/* Each block is written once before one is read. */
static void fill(void)
{
	uint32_t i;

	first = true;
	for (i = 0; i < BLOCKS; i++) {
		put(i);
		while (__atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE) <= i)
			usleep(100);
		take(i);
	}
	first = false;
}

/* The daemon that was started has the worker: as it was, if of its build. */
static bool has_taken(pid_t worker, bool same)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;

	if (same)
		return worker_pid() == worker;
	while (!runs(worker_pid(), program) && (int64_t)clock_now_us() < end)
		usleep(1000);
	return runs(worker_pid(), program);
}

static void worker_killed(void)
{
	pid_t pid = worker_pid();

	CU_ASSERT_TRUE(ends(pid, SIGKILL));
	CU_ASSERT_TRUE(goes_on());
	CU_ASSERT_NOT_EQUAL(worker_pid(), pid);
}

/* The spare takes a dead worker's place, another is started, and may die as well. */
static void spare_serves(void)
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
	CU_ASSERT_TRUE(goes_on());
	CU_ASSERT_EQUAL(run(program, NULL), 0);
	CU_ASSERT_TRUE(goes_on());
	CU_ASSERT_NOT_EQUAL(daemon_pid(), pid);
	CU_ASSERT_TRUE(has_taken(worker, same));
	/* It sees to the one that it found. */
	worker_killed();
}

/* A spare one is found once it has seen that its daemon is dead. */
static bool spare_waits(void)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;
	char path[128];

	snprintf(path, sizeof(path), "%s/" NODES_SPARE_SOCKET, scratch_store);
	while (access(path, F_OK) && (int64_t)clock_now_us() < end)
		usleep(1000);
	return !access(path, F_OK);
}

/* @spare: there is one, which the next daemon is to find. */
static void kill_both(bool spare)
{
	pid_t worker = worker_pid();

	CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	CU_ASSERT_TRUE(ends(worker, SIGKILL));
	CU_ASSERT_TRUE(!spare || spare_waits());
	CU_ASSERT_EQUAL(run(program, NULL), 0);
	CU_ASSERT_TRUE(goes_on());
	CU_ASSERT_NOT_EQUAL(worker_pid(), worker);
}

static void both_killed(void)
{
	kill_both(false);
}

/*
 * The spare one is the next daemon's, again and again, if it is of its build
 * and was started as it would have been; others end.
 */
static void spare_outlives(void)
{
	pid_t spare = await_spare(program), daemon = daemon_pid();
	unsigned files = store_files();
	int status = -1;

	CU_ASSERT_NOT_EQUAL_FATAL(spare, 0);
	supervisor_killed();
	CU_ASSERT_NOT_EQUAL(daemon_pid(), daemon);
	/* That one's death was seen to: */
	CU_ASSERT_EQUAL(worker_pid(), spare);

	spare = await_spare(program);
	kill_both(true);
	CU_ASSERT_EQUAL(worker_pid(), spare);
	CU_ASSERT_TRUE(is_named(spare, "0/51712"));
	CU_ASSERT_EQUAL(store_files(), files);

	/* It may end while it waits, or after it was taken over. */
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
	CU_ASSERT_TRUE(spare_waits());
	waitpid(begin(other, NULL), &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_TRUE(ends(spare, 0));
	CU_ASSERT_NOT_EQUAL(await_spare(other), 0);
	CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	CU_ASSERT_EQUAL(run(program, NULL), 0);
	CU_ASSERT_TRUE(goes_on());
	CU_ASSERT_TRUE(has_taken(worker_pid(), false));
}

/* A child that the dead daemon was making: it has the lock for a moment. */
static void lock_lingers(void)
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
	CU_ASSERT_TRUE(goes_on());
}

static void supervisor_ends(void)
{
	pid_t worker = worker_pid();
	bool same = runs(worker, program);

	CU_ASSERT_TRUE(ends(daemon_pid(), SIGTERM));
	CU_ASSERT_TRUE(goes_on());
	CU_ASSERT_EQUAL(run(program, NULL), 0);
	CU_ASSERT_TRUE(goes_on());
	CU_ASSERT_TRUE(has_taken(worker, same));
}

/* Who reads what a start prints, as a shell's $(...) does, comes to its end. */
static void output_ends(void)
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
	CU_ASSERT_TRUE(goes_on());
}

static void upgrades(void)
{
	pid_t pid = daemon_pid(), worker = worker_pid();

	CU_ASSERT_EQUAL(run(other, "--upgrade"), 0);
	CU_ASSERT_TRUE(goes_on());
	CU_ASSERT_EQUAL(daemon_pid(), pid);
	CU_ASSERT_NOT_EQUAL(worker_pid(), worker);
	CU_ASSERT_TRUE(runs(pid, other));
	CU_ASSERT_TRUE(runs(worker_pid(), other));
	/* Asked by itself, and to what it is already. */
	CU_ASSERT_EQUAL(run(other, "--upgrade"), 0);
	CU_ASSERT_TRUE(goes_on());
}

static pid_t upgrading;

/* An upgrade's spare worker, which is kept from loading by @hold. */
static pid_t held_spare(const char *hold)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;
	pid_t spare;

	close(open(hold, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	upgrading = begin(program, "--upgrade");
	do {
		usleep(1000);
		spare = spare_of(program);
	} while (!spare && (int64_t)clock_now_us() < end);
	return spare;
}

/* A worker serves until the next one is loaded, unless that cannot be. */
static void live_update_waits_for_the_spare(void)
{
	pid_t worker = worker_pid(), spare;
	int status = -1;
	char hold[256];

	snprintf(hold, sizeof(hold), "%s.hold", getenv("FAKE_XEN"));
	spare = held_spare(hold);
	CU_ASSERT_TRUE(goes_on());
	CU_ASSERT_EQUAL(worker_pid(), worker);
	CU_ASSERT_FALSE(is_dead(worker));
	unlink(hold);
	waitpid(upgrading, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(worker_pid(), spare);
	CU_ASSERT_TRUE(goes_on());

	upgrades();
	worker = worker_pid();
	CU_ASSERT_TRUE(ends(held_spare(hold), SIGKILL));
	CU_ASSERT_TRUE(ends(worker, 0));
	unlink(hold);
	waitpid(upgrading, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_TRUE(goes_on());
	CU_ASSERT_TRUE(runs(worker_pid(), program));
}

/* Asked in the place of a program that cannot ask; the answer. */
static void ask_for(const char *file, char answer[256])
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

static void cannot_live_update(void)
{
	pid_t pid = daemon_pid(), spare = await_spare(program);
	char answer[256];

	CU_ASSERT_TRUE_FATAL(begun);
	CU_ASSERT_NOT_EQUAL_FATAL(spare, 0);
	ask_for("/nowhere", answer);
	CU_ASSERT_STRING_EQUAL(
		answer,
		"failed cannot run /nowhere: No such file or directory");
	ask_for("/bin/true", answer);
	CU_ASSERT_EQUAL(strncmp(answer, "failed /bin/true does not start", 31),
			0);
	CU_ASSERT_EQUAL(daemon_pid(), pid);
	CU_ASSERT_FALSE(is_dead(pid));
	CU_ASSERT_FALSE(is_dead(spare));
	CU_ASSERT_TRUE(goes_on());
	/* It says what is asked of it, and ends: the old one is back. */
	ask_for(short_one, answer);
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
	unsigned i, n = !begun ? 0
			: text ? (unsigned)strtoul(text, NULL, 0)
			       : 2;

	for (i = 0; i < n; i++) {
		worker_killed();
		supervisor_killed();
		both_killed();
		supervisor_ends();
		if (!runs(daemon_pid(), other))
			upgrades();
		both_killed();
	}
	CU_ASSERT_TRUE(is(BACK "/state", "4"));
	CU_ASSERT_TRUE(is(BACK "/error", NULL));
}

static void detaches(void)
{
	CU_ASSERT_TRUE_FATAL(begun);
	stop = true;
	pthread_join(guest, NULL);
	CU_ASSERT_EQUAL(bad, 0);
	printf("# %lu requests, the longest took %lu ms\n", answers,
	       worst_us / 1000);
	set(BACK "/online", "0");
	set(BACK "/state", "5");
	set(FRONT "/state", "6");
	CU_ASSERT_TRUE(becomes(BACK, NULL));
	CU_ASSERT_EQUAL(store_files(), 1); /* the daemon's own */
}

/* One that the next daemon did not find: it was not there to be found. */
static void spare_ends(void)
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

/* What is still attached then is closed, with a word. */
static void stops(void)
{
	pid_t pid = daemon_pid(), spare = await_spare(program);

	CU_ASSERT_EQUAL(run(program, "--stop"), 0);
	CU_ASSERT_TRUE(is_dead(pid));
	CU_ASSERT_TRUE(is_dead(spare));
	CU_ASSERT_NOT_EQUAL(run(program, "--stop"), 0);
}

/* Not there yet, and the daemon's own place is / by then. */
static void store_from_here(void)
{
	static const char *const ways[] = {
		"%s --store new && test -e new/xen-ramdiskd.pid && %s --stop --store new",
		"export XEN_RAMDISK_DIR=./new; %s && test -e new/xen-ramdiskd.pid && %s --stop",
	};
	char of[512], commands[1536], command[2048];
	size_t i;

	snprintf(of, sizeof(of), "LD_PRELOAD=%s %s", preload, program);
	for (i = 0; i < 2; i++) {
		snprintf(commands, sizeof(commands), ways[i], of, of);
		snprintf(
			command, sizeof(command),
			"mkdir %s-here && cd %s-here && { %s; }; r=$?; rm -r %s-here; exit $r",
			scratch_store, scratch_store, commands, scratch_store);
		CU_ASSERT_EQUAL(system(command), 0);
	}
}

static void begins(void)
{
	starts();
	fill();
	/* The ring goes on at index BLOCKS. */
	pthread_create(&guest, NULL, run_guest, NULL);
	begun = true;
	CU_ASSERT_TRUE(goes_on());
}

static void make_programs(void)
{
	char command[512];

	snprintf(other, sizeof(other), "%s/xen-ramdiskd", dir);
	snprintf(short_one, sizeof(short_one), "%s/short", dir);
	snprintf(
		command, sizeof(command),
		"cp %s %s && printf '#!/bin/sh\\n[ \"$1\" != --version ] || echo \"xen-ramdiskd 9 (format %u)\"\\n' >%s && chmod +x %s",
		program, other, RD_FORMAT, short_one, short_one);
	if (system(command))
		abort();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "a guest works", begins },
		{ "the worker is killed", worker_killed },
		{ "a spare one takes its place", spare_serves },
		{ "the supervisor is killed", supervisor_killed },
		{ "both are killed", both_killed },
		{ "the spare one outlives its daemon", spare_outlives },
		{ "its lock is held by what it left", lock_lingers },
		{ "the supervisor ends", supervisor_ends },
		{ "a start lets go of its output", output_ends },
		{ "--upgrade to another program", upgrades },
		{ "once the next worker is loaded",
		  live_update_waits_for_the_spare },
		{ "to what is none", cannot_live_update },
		{ "again and again", again_and_again },
		{ "the guest detaches", detaches },
		{ "a spare one waits, but not for ever", spare_ends },
		{ "--stop", stops },
		{ "a store that is named from here", store_from_here },
	};
	char command[128];
	int rc;

	if (argc != 3 || !mkdtemp(dir))
		return 2;
	snprintf(command, sizeof(command), "%s/xen", dir);
	setenv("FAKE_XEN", command, 1);
	program = realpath(argv[1], NULL);
	preload = realpath(argv[2], NULL);
	make_programs();
	scratch_make();
	fake_xen_open();
	xs = xs_open(0);
	rc = RUN_TESTS("daemon", tests);
	if (daemon_pid() && !is_dead(daemon_pid()))
		run(program, "--stop");
	scratch_remove();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) ? 1 : rc;
}
