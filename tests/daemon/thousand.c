/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many devices on one host: the real daemon and a real worker for each guest, with
 * xenstore-server.c as xenstored and events.c as event channels, so that nothing wakes
 * up but for a reason. What a device costs, attached and idle, and whether the costs
 * grow with the number of the others.
 *
 *   thousand PROGRAM PRELOAD TOOL
 *
 * $THOUSAND_DEVICES is their number (100), $THOUSAND_DISKS that of the disks (as
 * many). The limits below hold for a thousand devices; tests/bench/thousand measures
 * these.
 */
#include "tests/daemon/activity.h"
#include "tests/daemon/daemon-pid.h"
#include "tests/daemon/guests.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define FEW 20u /* devices at the beginning and at the end that are compared */
#define IDLE_S 5u
#define SEED_BYTES 65536u

#define WORKER_KIB 1024u /* private to an idle worker, at most */
#define COMMAND_MS 200u /* of CPU: list, top */

static const char *program, *preload, *tool;
static char dir[] = "/tmp/xen-ramdisk-thousand-XXXXXX";
/* ---- processes ------------------------------------------------------------------ */

static int run_daemon(const char *option)
{
	/* Fewer than the daemon needs: it raises the limit. */
	struct rlimit few;
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setenv("LD_PRELOAD", preload, 1);
		getrlimit(RLIMIT_NOFILE, &few);
		few.rlim_cur = 64;
		setrlimit(RLIMIT_NOFILE, &few);
		execl(program, "xen-ramdiskd", "--store", scratch_store,
		      "--log-level", "error", option, NULL);
		_exit(126);
	}
	waitpid(pid, &status, 0);
	return status;
}

static unsigned nr_workers;
static pid_t workers[MAX_DEVICES];

static void find_workers(void)
{
	struct rd_store *store = open_store();
	struct rd_disk_info *info;
	size_t n, i;
	unsigned k;

	nr_workers = 0;
	CU_ASSERT_EQUAL_FATAL(rd_list(store, &info, &n, NULL), 0);
	for (i = 0; i < n; i++)
		for (k = 0; k < info[i].attachments; k++)
			if (info[i].attachment[k].alive &&
			    info[i].attachment[k].pid > 1)
				workers[nr_workers++] =
					info[i].attachment[k].pid;
	rd_list_free(info, n);
	rd_store_close(store);
}

static bool is_running(pid_t pid)
{
	FILE *f = open_proc(pid, "stat");
	char state = 'X';

	if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'X';
	if (f)
		fclose(f);
	return state != 'X' && state != 'Z';
}

static bool end_process(pid_t pid, int sig)
{
	int64_t end = clock_now_ms() + PATIENCE;

	if (pid <= 0 || kill(pid, sig))
		return false;
	while (is_running(pid) && clock_now_ms() < end)
		usleep(200);
	return !is_running(pid);
}

/* ---- what the daemon does -------------------------------------------------------- */

static struct activity of_daemon(void)
{
	struct activity a = { 0, 0 };

	add_activity(&a, daemon_pid());
	return a;
}

/* CPU of the daemon so far, ms. */
static double daemon_ms(void)
{
	return (double)of_daemon().ticks * 1e3 / (double)sysconf(_SC_CLK_TCK);
}

/* ---- figures ---------------------------------------------------------------------- */

static struct bench_spread keep(const char *what, const char *unit, double *v,
				unsigned n)
{
	struct bench_spread s = bench_spread(v, n);

	printf("# %-52s %9.1f %-4s (%.1f to %.1f, %u)\n", what, s.median, unit,
	       s.q1, s.q3, n);
	bench_keep("thousand", what, unit, &s);
	return s;
}

/* A figure that is counted, or measured once. */
static double keep_one(const char *what, const char *unit, double v)
{
	return keep(what, unit, &v, 1).median;
}

/* ---- attach ------------------------------------------------------------------------- */

static double took[MAX_DEVICES];

static void attach_all(void)
{
	struct bench_spread first, last;
	double cpu[2] = { 0, 0 };
	unsigned i;

	for (i = 0; i < devices; i++) {
		if (i == FEW)
			cpu[0] = daemon_ms();
		if (i == devices - FEW)
			cpu[1] = daemon_ms();
		took[i] = attach_device(i) / 1e3;
	}
	cpu[1] = daemon_ms() - cpu[1];
	keep_one("CPU of the daemon for an attach, the first", "ms",
		 cpu[0] / FEW);
	keep_one("CPU of the daemon for an attach, the last", "ms",
		 cpu[1] / FEW);
	keep_one("attach, the last device", "ms", took[devices - 1]);
	first = keep("attach, the first devices", "ms", took, FEW);
	last = keep("attach, the last devices", "ms", took + devices - FEW,
		    FEW);
	/* The store compares the seed with that of each disk. */
	CU_ASSERT_TRUE(last.median < 2 * first.median + devices / 4.0);
	for (i = 0; i < devices; i++)
		send_request(i);
	CU_ASSERT_TRUE(all_answered(devices));
	find_workers();
	CU_ASSERT_EQUAL(nr_workers, devices);
}

/* ---- memory ------------------------------------------------------------------------- */

static void memory(void)
{
	double kib[KINDS] = { 0 }, of_daemon[KINDS] = { 0 }, tables = 0;
	struct bench_spread s;
	char what[96];
	unsigned i;

	CU_ASSERT_EQUAL_FATAL(nr_workers, devices);
	for (i = 0; i < nr_workers; i++) {
		took[i] = add_private(workers[i], kib);
		tables += (double)status_number(workers[i], "VmPTE");
	}
	s = keep("memory private to an idle worker", "KiB", took, nr_workers);
	CU_ASSERT_TRUE(s.max <= WORKER_KIB);
	for (i = 0; i < KINDS; i++) {
		snprintf(what, sizeof(what), "of it: %s", kind_name[i]);
		keep_one(what, "KiB", kib[i] / nr_workers);
	}
	keep_one("page tables of an idle worker, beside it", "KiB",
		 tables / nr_workers);
	keep_one("memory private to the daemon", "KiB",
		 add_private(daemon_pid(), of_daemon));
}

/* ---- idle ----------------------------------------------------------------------------- */

static struct activity of_workers(void)
{
	struct activity a = { 0, 0 };
	unsigned i;

	for (i = 0; i < nr_workers; i++)
		add_activity(&a, workers[i]);
	return a;
}

static void idle(void)
{
	unsigned long asked;
	struct activity w, d, w2, d2;

	usleep(3000000); /* the spare worker has been started */
	w = of_workers();
	d = of_daemon();
	asked = xenstore_requests();
	usleep(IDLE_S * 1000000);
	d2 = of_daemon();
	w2 = of_workers();
	asked = xenstore_requests() - asked;
	keep_one("wakeups of all idle workers in 5 s", "count",
		 (double)(w2.wakeups - w.wakeups));
	keep_one("CPU ticks of all idle workers in 5 s", "count",
		 (double)(w2.ticks - w.ticks));
	keep_one("wakeups of the idle daemon in 5 s", "count",
		 (double)(d2.wakeups - d.wakeups));
	keep_one("CPU ticks of the idle daemon in 5 s", "count",
		 (double)(d2.ticks - d.ticks));
	CU_ASSERT_EQUAL(w2.wakeups - w.wakeups, 0);
	CU_ASSERT_EQUAL(w2.ticks - w.ticks, 0);
	CU_ASSERT_EQUAL(d2.wakeups - d.wakeups, 0);
	CU_ASSERT_EQUAL(d2.ticks - d.ticks, 0);
	CU_ASSERT_EQUAL(asked, 0);
}

/*
 * The daemon that waits without a time limit sees the end of xenstored. Until then it has
 * no watch: a device that is made now would never be seen.
 */
static void xenstored_ends(void)
{
	xenstore_hang_up();
	keep_one("attach after xenstored was started again", "ms",
		 attach_device(devices) / 1e3);
	detach_device(devices);
}

/* ---- commands ---------------------------------------------------------------------------- */

/* Run the tool; its time in ms, less @asleep. Its lines are counted. */
static double command_ms(const char *arguments, double asleep, unsigned *lines)
{
	char line[512];
	double from;
	FILE *f;

	snprintf(line, sizeof(line), "LD_PRELOAD=%s XEN_RAMDISK_DIR=%s %s %s",
		 preload, scratch_store, tool, arguments);
	from = bench_now();
	f = popen(line, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	*lines = 0;
	while (fgets(line, sizeof(line), f))
		*lines += strstr(line, "guest") != NULL;
	CU_ASSERT_EQUAL(pclose(f), 0);
	return (bench_now() - from) * 1e3 - asleep;
}

/* The CPU of the children that have ended: other load on the machine does not count. */
static double children_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static void commands(void)
{
	static const struct {
		const char *what, *cpu, *arguments;
		double asleep;
		unsigned questions; /* to xenstore, for a device */
	} command[] = {
		/* name, nodes of the backend, devices of the domain */
		{ "xm-ramdisk list", "CPU of xm-ramdisk list", "list", 0, 3 },
		{ "xm-ramdisk list --json", "CPU of xm-ramdisk list --json",
		  "list --json", 0, 2 },
		{ "xm-ramdisk top --once, less its second",
		  "CPU of xm-ramdisk top --once", "top --once", 1000, 1 },
	};
	unsigned long asked;
	double ms[5], cpu;
	unsigned i, k, lines;

	for (i = 0; i < 3; i++) {
		cpu = children_ms();
		asked = xenstore_requests();
		for (k = 0; k < 5; k++) {
			ms[k] = command_ms(command[i].arguments,
					   command[i].asleep, &lines);
			CU_ASSERT_TRUE(lines >= devices);
		}
		cpu = children_ms() - cpu;
		keep(command[i].what, "ms", ms, 5);
		keep_one(command[i].cpu, "ms", cpu / 5);
		CU_ASSERT_TRUE(cpu / 5 < COMMAND_MS);
		asked = (xenstore_requests() - asked) / 5;
		CU_ASSERT_TRUE(asked >= devices);
		CU_ASSERT_TRUE(asked <= command[i].questions * devices + FEW);
	}
}

/* ---- a storm --------------------------------------------------------------------------------- */

static _Atomic bool storm_over;
static _Atomic unsigned long storm_writes;

/* Guest 0 writes its frontend's state as fast as xenstored lets it. */
static void *write_nodes(void *arg)
{
	while (!storm_over) {
		set_front(0, "/state", "4");
		storm_writes++;
		do
			usleep(100);
		while (!xenstore_is_delivered() && !storm_over);
	}
	return arg;
}

#define REQUESTS 500u
#define ATTACHES 10u

static void measure_others(const char *when, double *request, double *attach)
{
	static double us[REQUESTS], ms[ATTACHES];
	char what[96];
	unsigned i;

	for (i = 0; i < REQUESTS; i++) {
		us[i] = request_us(devices - 1);
		usleep(500);
	}
	snprintf(what, sizeof(what), "another guest's request, %s", when);
	*request = keep(what, "us", us, REQUESTS).median;
	for (i = 0; i < ATTACHES; i++) {
		detach_device(devices - 1);
		ms[i] = attach_device(devices - 1) / 1e3;
	}
	snprintf(what, sizeof(what), "another guest's attach, %s", when);
	*attach = keep(what, "ms", ms, ATTACHES).median;
}

static void storm(void)
{
	double before[2], during[2], seconds_of_it;
	struct activity d, d2;
	pthread_t thread;

	measure_others("without a storm", &before[0], &before[1]);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, write_nodes, NULL),
			      0);
	d = of_daemon();
	seconds_of_it = bench_now();
	measure_others("in a watch storm", &during[0], &during[1]);
	seconds_of_it = bench_now() - seconds_of_it;
	d2 = of_daemon();
	keep_one("writes of the storm", "/s",
		 (double)storm_writes / seconds_of_it);
	keep_one("CPU of the daemon in the storm", "%",
		 (double)(d2.ticks - d.ticks) * 100 /
			 (double)sysconf(_SC_CLK_TCK) / seconds_of_it);
	storm_over = true;
	pthread_join(thread, NULL);
	CU_ASSERT_TRUE(during[0] < 2 * before[0] + 500);
	CU_ASSERT_TRUE(during[1] < 2 * before[1] + 50);
}

/* ---- restart ------------------------------------------------------------------------------------- */

/* Start the daemon; ms until it has looked at each device and serves a new one. */
static double restart_ms(void)
{
	double from = bench_now();

	CU_ASSERT_EQUAL_FATAL(run_daemon(NULL), 0);
	attach_device(devices);
	return (bench_now() - from) * 1e3;
}

static void restart(void)
{
	unsigned i;

	CU_ASSERT_TRUE(end_process(daemon_pid(), SIGTERM));
	keep_one("daemon restarts, all workers live on", "ms", restart_ms());
	keep_one("CPU of the daemon for that restart", "ms", daemon_ms());
	detach_device(devices);
	for (i = 0; i < devices; i++)
		send_request(i);
	CU_ASSERT_TRUE(all_answered(devices));
	find_workers();
	CU_ASSERT_EQUAL(nr_workers, devices);
}

/* All are killed, with a request of each guest in flight. */
static void restart_without_workers(void)
{
	double from;
	unsigned i;

	CU_ASSERT_TRUE(end_process(daemon_pid(), SIGKILL));
	for (i = 0; i < nr_workers; i++)
		kill(workers[i], SIGKILL);
	for (i = 0; i < nr_workers; i++)
		while (is_running(workers[i]))
			usleep(200);
	for (i = 0; i < devices; i++)
		send_request(i);
	from = bench_now();
	CU_ASSERT_EQUAL_FATAL(run_daemon(NULL), 0);
	CU_ASSERT_TRUE(all_answered(devices));
	keep_one("daemon and workers start anew, for each device", "ms",
		 (bench_now() - from) * 1e3 / devices);
	find_workers();
	CU_ASSERT_EQUAL(nr_workers, devices);
}

static void detach_all(void)
{
	unsigned i;

	for (i = 0; i < devices; i++)
		took[i] = detach_device(i) / 1e3;
	keep("detach, the first devices", "ms", took, FEW);
	keep("detach, the last devices", "ms", took + devices - FEW, FEW);
	find_workers();
	CU_ASSERT_EQUAL(nr_workers, 0);
	CU_ASSERT_TRUE(store_files() < 10);
}

/* ---- set-up ------------------------------------------------------------------------------------------ */

static unsigned setting(const char *name, unsigned value)
{
	return (unsigned)bench_setting(name, value, MAX_DEVICES - 1);
}

static bool write_seed(const char *path, unsigned i)
{
	static unsigned char text[SEED_BYTES];
	FILE *f = fopen(path, "w");
	bool written;

	memset(text, (int)i, sizeof(text));
	written = f && fwrite(text, sizeof(text), 1, f) == 1;
	return f && !fclose(f) && written;
}

static bool begin(char **argv)
{
	char path[64];
	unsigned i;

	program = realpath(argv[1], NULL);
	preload = realpath(argv[2], NULL);
	tool = realpath(argv[3], NULL);
	devices = setting("THOUSAND_DEVICES", 100);
	disks = setting("THOUSAND_DISKS", devices);
	snprintf(path, sizeof(path), "%s/xen", dir);
	setenv("FAKE_XEN", path, 1);
	snprintf(path, sizeof(path), "%s/socket", dir);
	setenv("XENSTORED_PATH", path, 1);
	scratch_make();
	fake_events_open();
	for (i = 0; i < disks; i++)
		if (!write_seed(seed_of(i), i))
			return false;
	if (!xenstore_serve(path))
		return false;
	xenstore_set("/local/domain/0/domid", "0");
	xenstore_set("/local/domain/0/name", "Domain-0");
	return !run_daemon(NULL);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "attach", attach_all },
		{ "memory of an idle worker", memory },
		{ "nothing wakes up", idle },
		{ "the end of xenstored is seen", xenstored_ends },
		{ "list and top", commands },
		{ "a watch storm", storm },
		{ "the daemon restarts", restart },
		{ "daemon and workers restart", restart_without_workers },
		{ "detach", detach_all },
	};
	int rc = 1;

	if (argc != 4 || !mkdtemp(dir))
		return 2;
	signal(SIGPIPE, SIG_IGN); /* an event to a worker that was killed */
	if (begin(argv))
		rc = RUN_TESTS("thousand", tests);
	if (daemon_pid() && is_running(daemon_pid()))
		run_daemon("--stop");
	scratch_remove();
	nftw(dir, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return rc;
}
