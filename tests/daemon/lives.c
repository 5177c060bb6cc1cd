/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real xen-ramdiskd, over fakes of Xen's libraries, under a domain that is saved,
 * restored, restarted and destroyed. The guest writes and checks every byte before
 * and after; in between worker, supervisor or both are killed.
 *
 *   lives PROGRAM PRELOAD
 */
#include "drivers/blkback/common/nodes.h"
#include "tests/daemon/nodes.h"

#include <pthread.h>

#define DEVID "51712"
#define UUID "12345678-1234-1234-1234-123456789abc"
#define OTHER_UUID "12345678-1234-1234-1234-123456789abd"
#define SAVED "saved/" UUID "/" DEVID

static const char *seed;
static unsigned domid, page; /* of the domain; of its ring */

/* ---- xenstore ------------------------------------------------------------ */

static const char *back(const char *node)
{
	static char path[128];

	snprintf(path, sizeof(path),
		 "/local/domain/0/backend/ramdisk/%u/" DEVID "%s%s", domid,
		 *node ? "/" : "", node);
	return path;
}

static const char *front(const char *node)
{
	static char path[128];

	snprintf(path, sizeof(path),
		 "/local/domain/%u/device/vbd/" DEVID "%s%s", domid,
		 *node ? "/" : "", node);
	return path;
}

static void set_back(const char *node, const char *text)
{
	set_node(back(node), text);
}

static void set_front(const char *node, const char *text)
{
	set_node(front(node), text);
}

static void set_domain(unsigned id, const char *node, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/local/domain/%u/%s", id, node);
	set_node(path, text);
}

/* As libxl does, which writes all of it in one transaction. */
static void make_domain(unsigned id, const char *name, const char *uuid)
{
	char vm[64], path[96];

	snprintf(vm, sizeof(vm), "/vm/%s", uuid);
	set_domain(id, "vm", vm);
	set_domain(id, "name", name);
	set_domain(id, "control/shutdown", "");
	snprintf(path, sizeof(path), "%s/name", vm);
	set_node(path, name);
}

static void release_event(void)
{
	xs_write(xs, XBT_NULL, "@releaseDomain", "", 0);
}

static void remove_domain(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	xs_rm(xs, XBT_NULL, path);
	release_event();
}

static void attach_domain(const char *mode, const char *private_view)
{
	char text[128];

	snprintf(text, sizeof(text), "%u", domid);
	set_back("frontend-id", text);
	snprintf(text, sizeof(text), "%s", front(""));
	set_back("frontend", text);
	set_back("online", "1");
	set_back("format", own_format());
	set_back("store", scratch_store);
	set_back("params", seed);
	set_back("mode", mode);
	set_back("private", private_view);
	set_back("dev", "xvda");
	snprintf(text, sizeof(text), "%s", back(""));
	set_front("backend", text);
	set_front("state", "1");
	set_back("state", "1");
}

/* ---- the guest ------------------------------------------------------------ */

static void connect_frontend(void)
{
	char ref[12];

	CU_ASSERT_TRUE_FATAL(await_node(back("state"), "2"));
	snprintf(ref, sizeof(ref), "%u", ++page);
	begin_ring(page);
	set_front("ring-ref", ref);
	set_front("event-channel", "17");
	set_front("protocol", "x86_64-abi");
	set_front("feature-persistent", "0");
	set_front("state", "3");
	CU_ASSERT_TRUE_FATAL(await_node(back("state"), "4"));
	set_front("state", "4");
}

/* ---- the store ------------------------------------------------------------- */

/* Whether the store has one attachment, and @label is its label; NULL: has none. */
static bool only_attachment_is(const char *label)
{
	struct rd_disk_info *disks;
	struct rd_store *store;
	unsigned total = 0;
	bool is = !label;
	size_t n = 0, i;

	CU_ASSERT_EQUAL_FATAL(rd_store_open(&store, scratch_store, NULL), 0);
	CU_ASSERT_EQUAL(rd_list(store, &disks, &n, NULL), 0);
	for (i = 0; i < n; i++) {
		total += disks[i].attachments;
		if (label && disks[i].attachments == 1)
			is = !strcmp(disks[i].attachment[0].label, label);
	}
	rd_list_free(disks, n);
	rd_store_close(store);
	return is && total == (label ? 1 : 0);
}

static bool await_attachment(const char *label)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;

	while (!only_attachment_is(label) && (int64_t)clock_now_us() < end)
		usleep(1000);
	return only_attachment_is(label);
}

static const char *own_label(void)
{
	static char label[RD_LABEL_MAX];

	snprintf(label, sizeof(label), "vbd/%u/" DEVID, domid);
	return label;
}

/* ---- events ------------------------------------------------------------------ */

/* The domain has begun to sleep: the toolstack is writing it into a file. */
static void falls_asleep(void)
{
	char path[64];

	guest_stops();
	snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown",
		 domid);
	set_node(path, "suspend");
	usleep(20000);
	set_node(path, "");
	usleep(20000);
	release_event();
	usleep(50000);
}

static void comes_back(unsigned id, const char *name)
{
	make_domain(id, name, UUID);
	domid = id;
	connect_frontend();
	guest_runs();
	CU_ASSERT_TRUE(only_attachment_is(own_label()));
}

/* ---- tests, each on the state that the one before it left ------------------- */

static void a_domain_works(void)
{
	seed = make_seed("lives", MIB, 1);
	domid = 5;
	page = 8;
	make_domain(domid, "one", UUID);
	attach_domain("w", "0");
	CU_ASSERT_EQUAL_FATAL(run(program, NULL), 0);
	connect_frontend();
	fill_disk();
	guest_runs();
}

static void saved_and_restored(void)
{
	falls_asleep();
	CU_ASSERT_TRUE(only_attachment_is(own_label()));
	remove_domain();
	CU_ASSERT_TRUE(await_attachment(SAVED));
	CU_ASSERT_TRUE(await_node(back(""), NULL));
	comes_back(6, "uno");
}

static void another_uuid_gets_nothing(void)
{
	unsigned old = domid;

	falls_asleep();
	remove_domain();
	CU_ASSERT_TRUE(await_attachment(SAVED));
	make_domain(7, "uno", OTHER_UUID);
	domid = 7;
	usleep(300000);
	CU_ASSERT_TRUE(node_is(back(""), NULL));
	CU_ASSERT_TRUE(node_is(front("backend"), NULL));
	CU_ASSERT_TRUE(only_attachment_is(SAVED));
	remove_domain();
	domid = old;
	comes_back(8, "uno");
}

/* An attachment whose domain is back has the dead worker's pid for a moment. */
static pid_t await_worker(void)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;

	while (is_dead(worker_pid()) && (int64_t)clock_now_us() < end)
		usleep(1000);
	return worker_pid();
}

/* Kill while the domain falls asleep, while it sleeps, and while it comes back. */
static void killed(bool worker, bool supervisor)
{
	pid_t pid = worker ? await_worker() : 0;

	if (supervisor)
		CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	if (worker)
		CU_ASSERT_TRUE(ends(pid, SIGKILL));
	if (supervisor)
		CU_ASSERT_EQUAL_FATAL(run(program, NULL), 0);
}

static void with_kills(bool worker, bool supervisor)
{
	falls_asleep();
	killed(worker, supervisor);
	remove_domain();
	CU_ASSERT_TRUE(await_attachment(SAVED));
	killed(false, supervisor);
	CU_ASSERT_TRUE(only_attachment_is(SAVED));
	make_domain(domid + 1, "uno", UUID);
	domid++;
	CU_ASSERT_TRUE(await_node(back("online"), "1"));
	CU_ASSERT_TRUE(await_attachment(own_label()));
	killed(worker, supervisor);
	connect_frontend();
	guest_runs();
	killed(worker, supervisor);
	CU_ASSERT_TRUE(guest_is_served());
}

static void worker_killed(void)
{
	with_kills(true, false);
}

static void supervisor_killed(void)
{
	with_kills(false, true);
}

static void both_killed(void)
{
	with_kills(true, true);
}

/* Nobody saw why the domain went: its contents may be needed. */
static void goes_without_a_supervisor(void)
{
	guest_stops();
	CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	remove_domain();
	CU_ASSERT_EQUAL_FATAL(run(program, NULL), 0);
	CU_ASSERT_TRUE(await_attachment(SAVED));
	CU_ASSERT_TRUE(await_node(back(""), NULL));
	comes_back(domid + 1, "uno");
}

static void comes_back_without_a_supervisor(void)
{
	falls_asleep();
	remove_domain();
	CU_ASSERT_TRUE(await_attachment(SAVED));
	CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	make_domain(domid + 1, "uno", UUID);
	domid++;
	CU_ASSERT_EQUAL_FATAL(run(program, NULL), 0);
	connect_frontend();
	guest_runs();
}

/* The frontend closes, the domain halts, the toolstack makes it again. */
static void rebooted(void)
{
	guest_stops();
	set_front("state", "5");
	CU_ASSERT_TRUE(await_node(back("state"), "5"));
	set_front("state", "6");
	CU_ASSERT_TRUE(await_node(back("state"), "6"));
	release_event();
	remove_domain();
	CU_ASSERT_TRUE(await_attachment(SAVED));
	comes_back(domid + 1, "uno");
}

/* The domain halts with the frontend connected. */
static void crashed(void)
{
	guest_stops();
	release_event();
	usleep(50000);
	remove_domain();
	CU_ASSERT_TRUE(await_attachment(SAVED));
	comes_back(domid + 1, "uno");
}

/* A second domain has the UUID while the first one sleeps and is still there. */
static void migrated(void)
{
	unsigned old = domid;

	make_domain(old + 1, "uno--incoming", UUID);
	falls_asleep();
	domid = old + 1;
	CU_ASSERT_TRUE(await_node(back("state"), "1"));
	domid = old;
	remove_domain();
	domid = old + 1;
	connect_frontend();
	guest_runs();
	CU_ASSERT_TRUE(only_attachment_is(own_label()));
}

/* The guest has all answers within the test's patience. */
static bool guest_ends(void)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE / 1000;
	stop = true;
	return !pthread_timedjoin_np(guest, NULL, &end);
}

/*
 * xm-ramdisk detach --force: a guest that syncs a file system waits for each answer
 * before it lets go of the ring. Then the same vdev again.
 */
static void detached_by_force(void)
{
	unsigned long before;

	xs_rm(xs, XBT_NULL, front(""));
	xs_rm(xs, XBT_NULL, back(""));
	usleep(500000);
	before = answers;
	usleep(500000);
	CU_ASSERT_TRUE(answers > before);
	CU_ASSERT_TRUE(bad > 0); /* these were errors */
	attach_domain("w", "0"); /* waits until the old device has ended */
	CU_ASSERT_TRUE_FATAL(guest_ends());
	bad = 0;
	connect_frontend();
	memset(busy, 0, sizeof(busy));
	fill_disk();
	guest_runs();
	CU_ASSERT_TRUE(only_attachment_is(own_label()));
}

/* A checkpoint: the domain sleeps, and goes on as it was. */
static void checkpoint(void)
{
	pid_t worker = worker_pid();

	falls_asleep();
	usleep(500000);
	guest_runs();
	CU_ASSERT_EQUAL(worker_pid(), worker);
}

/* After the checkpoint above: it is not taken for a save. */
static void destroyed(void)
{
	unsigned i;

	guest_stops();
	remove_domain();
	CU_ASSERT_TRUE(await_attachment(NULL));
	CU_ASSERT_TRUE(await_node(back(""), NULL));
	for (i = 0; i < 400 && store_files() != 1; i++)
		usleep(100000);
	CU_ASSERT_EQUAL(store_files(), 1); /* the daemon's pid file */
}

/* The time limit; and the view of a domain that slept. */
static void limit(void)
{
	domid = 40;
	make_domain(domid, "view", UUID);
	CU_ASSERT_EQUAL(run(program, "--stop"), 0);
	attach_domain("w", "1");
	CU_ASSERT_EQUAL_FATAL(run(program, "--saved-limit=1"), 0);
	connect_frontend();
	fill_disk();
	guest_runs();
	falls_asleep();
	remove_domain();
	CU_ASSERT_TRUE(await_attachment(SAVED));
	comes_back(41, "view");
	falls_asleep();
	remove_domain();
	CU_ASSERT_TRUE(await_attachment(SAVED));
	CU_ASSERT_TRUE(await_attachment(NULL));
	CU_ASSERT_EQUAL(run(program, "--stop"), 0);
	CU_ASSERT_EQUAL_FATAL(run(program, NULL), 0);
}

/* ---- the command -------------------------------------------------------------- */

/* The exit status of xm-ramdisk with @words, which may end in a pipe. */
static int tool(const char *words)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "export XEN_RAMDISK_DIR=%s; LD_PRELOAD=%s %.*s/xm-ramdisk %s",
		 scratch_store, preload, (int)(strrchr(program, '/') - program),
		 program, words);
	return system(command);
}

static void sleeps_as(unsigned id, const char *name, const char *uuid)
{
	domid = id;
	make_domain(domid, name, uuid);
	attach_domain("w", "0");
	connect_frontend();
	fill_disk();
	guest_runs();
	falls_asleep();
	remove_domain();
	CU_ASSERT_TRUE(await_node(back(""), NULL));
}

static void shown_and_ended(void)
{
	sleeps_as(50, "sleeper", UUID);
	CU_ASSERT_TRUE(await_attachment(SAVED));
	CU_ASSERT_EQUAL(tool("list | grep -qE '^  sleeper +xvda +w .* saved$'"),
			0);
	CU_ASSERT_EQUAL(tool("list | grep -q 'saved since .*" UUID "'"), 0);
	CU_ASSERT_EQUAL(tool("list --json | grep -q '\"uuid\": \"" UUID "\"'"),
			0);
	CU_ASSERT_NOT_EQUAL(tool("detach sleeper xvdb 2>/dev/null"), 0);
	CU_ASSERT_NOT_EQUAL(tool("detach another xvda 2>/dev/null"), 0);
	CU_ASSERT_TRUE(only_attachment_is(SAVED));
	CU_ASSERT_EQUAL(tool("detach sleeper xvda"), 0);
	CU_ASSERT_TRUE(only_attachment_is(NULL));
	sleeps_as(51, "sleeper", UUID);
	CU_ASSERT_TRUE(await_attachment(SAVED));
	CU_ASSERT_EQUAL(tool("detach " UUID " xvda"), 0);
	CU_ASSERT_TRUE(only_attachment_is(NULL));
}

/* Some supervisor has written a record of the domain with @name. */
static bool await_record(const char *name)
{
	char command[256];

	snprintf(
		command, sizeof(command),
		"timeout 60 sh -c 'until grep -qsx domain=%s %s/*.domain; do sleep 0.02; done'",
		name, scratch_store);
	return system(command) == 0;
}

/* Renamed while it runs: a supervisor that starts later knows the new name. */
static void renamed(void)
{
	set_domain(domid, "name", "due");
	killed(false, true);
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_TRUE(await_record("due"));
	guest_stops();
	CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	remove_domain();
	CU_ASSERT_EQUAL_FATAL(run(program, NULL), 0);
	CU_ASSERT_TRUE(await_attachment(SAVED));
	CU_ASSERT_EQUAL(tool("list | grep -q '^ *due .* saved$'"), 0);
	comes_back(domid + 1, "uno");
}

/* Two saved domains had one name: the name means neither. */
static void names_that_are_not_unique(void)
{
	sleeps_as(52, "sleeper", UUID);
	CU_ASSERT_TRUE(await_attachment(SAVED));
	sleeps_as(53, "sleeper", OTHER_UUID);
	CU_ASSERT_EQUAL(
		tool("detach sleeper xvda 2>&1 | grep -q 'several saved domains have the name sleeper'"),
		0);
	CU_ASSERT_EQUAL(tool("drop --saved lives"), 0);
	CU_ASSERT_TRUE(only_attachment_is(NULL));
	CU_ASSERT_NOT_EQUAL(tool("drop --saved lives 2>/dev/null"), 0);
	CU_ASSERT_EQUAL(store_files(), 1);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "a domain works", a_domain_works },
		{ "saved, and restored", saved_and_restored },
		{ "another UUID gets nothing", another_uuid_gets_nothing },
		{ "the worker is killed", worker_killed },
		{ "the supervisor is killed", supervisor_killed },
		{ "both are killed", both_killed },
		{ "it goes without a supervisor", goes_without_a_supervisor },
		{ "it comes back without a supervisor",
		  comes_back_without_a_supervisor },
		{ "rebooted", rebooted },
		{ "crashed, and restarted", crashed },
		{ "migrated within the host", migrated },
		{ "detached by force", detached_by_force },
		{ "a checkpoint", checkpoint },
		{ "renamed", renamed },
		{ "destroyed", destroyed },
		{ "a private view, and the limit", limit },
		{ "shown, and ended by a person", shown_and_ended },
		{ "names that are not unique", names_that_are_not_unique },
	};
	if (!daemon_tests_begin(argc, argv))
		return 2;
	return daemon_tests_end(RUN_TESTS("lives", tests));
}
