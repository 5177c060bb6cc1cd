/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real xen-ramdiskd in a driver domain, without the rights of Domain-0, and the
 * real xm-ramdisk in Domain-0, over fakes of Xen's libraries. The guest checks every
 * byte.
 *
 *   driver-domain DAEMON PRELOAD COMMAND
 */
#include "drivers/blkback/common/nodes.h"
#include "tests/daemon/nodes.h"
#include "tests/daemon/socket.h"

#include <fcntl.h>

#define DEVICE "51712"
#define HOME "/local/domain/7"
#define BACKS HOME "/" NODES_BACKEND
#define BACK BACKS "/5/" DEVICE
#define DOMAIN "/local/domain/5"
#define FRONT DOMAIN "/device/vbd/" DEVICE
#define NONE (-1)

static const char *command, *seed;
static char said_file[64];
static unsigned page; /* of the guest's ring */

/* ---- programs -------------------------------------------------------------- */

/* xm-ramdisk in Domain-0; what it says is in said_file. */
static pid_t tool(const char *const *argv)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int fd = open(said_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		setenv("LD_PRELOAD", preload, 1);
		/* Both domains have one store here; what it has, list takes for Domain-0's. */
		setenv("XEN_RAMDISK_DIR",
		       strcmp(argv[1], "list") ? scratch_store
					       : "/dev/shm/none",
		       1);
		execv(command, (char *const *)argv);
		_exit(126);
	}
	return pid;
}

static int status_of(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : NONE;
}

#define TOOL(...) tool((const char *const[]){ "xm-ramdisk", __VA_ARGS__, NULL })

static bool said(const char *text)
{
	static char all[4096];
	FILE *f = fopen(said_file, "r");
	size_t n = f ? fread(all, 1, sizeof(all) - 1, f) : 0;

	if (f)
		fclose(f);
	all[n] = '\0';
	if (!strstr(all, text))
		printf("# instead of '%s': %s\n", text, all);
	return strstr(all, text);
}

static int start_daemon(void)
{
	int status;

	setenv("FAKE_XEN_DOMID", "7", 1);
	status = run(program, NULL);
	unsetenv("FAKE_XEN_DOMID");
	return status;
}

/* ---- xenstore, as Domain-0 ---------------------------------------------------- */

static void make_domain(const char *home, const char *name, const char *domid)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/name", home);
	set_node(path, name);
	snprintf(path, sizeof(path), "%s/domid", home);
	set_node(path, domid);
}

static void remove_domain(const char *home)
{
	xs_rm(xs, XBT_NULL, home);
	xs_write(xs, XBT_NULL, "@releaseDomain", "", 0);
}

static bool is_marked(void)
{
	char path[96], store[96];

	snprintf(path, sizeof(path), HOME "/" NODES_MARK "/store",
		 (unsigned)daemon_pid());
	snprintf(store, sizeof(store), "%s", scratch_store);
	return await_node(path, store);
}

/* ---- the guest ------------------------------------------------------------------ */

static void connect_frontend(void)
{
	char ref[12];

	CU_ASSERT_TRUE_FATAL(await_node(BACK "/state", "2"));
	snprintf(ref, sizeof(ref), "%u", ++page);
	begin_ring(page);
	set_node(FRONT "/ring-ref", ref);
	set_node(FRONT "/event-channel", "17");
	set_node(FRONT "/protocol", "x86_64-abi");
	set_node(FRONT "/feature-persistent", "0");
	set_node(FRONT "/state", "3");
	CU_ASSERT_TRUE_FATAL(await_node(BACK "/state", "4"));
	set_node(FRONT "/state", "4");
}

static void attach_one(void)
{
	pid_t pid = TOOL("attach", "--backend=storage", "one", seed, "xvda");

	connect_frontend();
	CU_ASSERT_EQUAL_FATAL(status_of(pid), 0);
	CU_ASSERT_TRUE(said("xvda of one: 1 MiB from "));
}

/* ---- tests, each on the state that the one before it left ----------------------- */

static void without_a_daemon(void)
{
	seed = make_seed("driver-domain", MIB, 1);
	CU_ASSERT_EQUAL(status_of(TOOL("attach", "--backend=storage", "one",
				       seed, "xvda")),
			1);
	CU_ASSERT_TRUE(said("no xen-ramdiskd of the store "));
	CU_ASSERT_EQUAL(status_of(TOOL("attach", "--backend=nobody", "one",
				       seed, "xvda")),
			1);
	CU_ASSERT_TRUE(said("no domain 'nobody'"));
	CU_ASSERT_TRUE(node_is(FRONT, NULL));
}

/* Marks of daemons that were killed are removed, those of other stores stay. */
static void begins(void)
{
	set_node(HOME "/data/xen-ramdiskd-1/store", scratch_store);
	set_node(HOME "/data/xen-ramdiskd-2/store", "/other");
	CU_ASSERT_EQUAL_FATAL(start_daemon(), 0);
	CU_ASSERT_TRUE_FATAL(is_marked());
	CU_ASSERT_TRUE(node_is(HOME "/data/xen-ramdiskd-1", NULL));
	CU_ASSERT_TRUE(node_is(HOME "/data/xen-ramdiskd-2/store", "/other"));
}

static void attaches(void)
{
	attach_one();
	CU_ASSERT_TRUE(node_is(FRONT "/backend", BACK));
	CU_ASSERT_TRUE(node_is(FRONT "/backend-id", "7"));
	CU_ASSERT_TRUE(node_is(BACK "/params", seed));
	CU_ASSERT_TRUE(node_is(BACK "/disk", NULL));
	fill_disk();
	guest_runs();
	CU_ASSERT_EQUAL(status_of(TOOL("list")), 0);
	CU_ASSERT_TRUE(said("in driver domains:\n  one"));
	CU_ASSERT_TRUE(said("in storage, connected"));
	CU_ASSERT_EQUAL(status_of(TOOL("attach", "--backend=storage", "one",
				       seed, "xvda")),
			1);
	CU_ASSERT_TRUE(said("xvda of one is in use"));
	CU_ASSERT_EQUAL(status_of(TOOL("attach", "one", seed, "xvda")), 1);
	CU_ASSERT_TRUE(said("xvda of one is in use"));
}

static void daemon_killed(void)
{
	pid_t worker = worker_pid();

	CU_ASSERT_TRUE(ends(worker, SIGKILL));
	CU_ASSERT_TRUE(guest_is_served());
	worker = worker_pid();
	CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	CU_ASSERT_TRUE(ends(worker, SIGKILL));
	CU_ASSERT_EQUAL_FATAL(start_daemon(), 0);
	CU_ASSERT_TRUE(is_marked());
	CU_ASSERT_TRUE(guest_is_served());
}

static void faults_from_outside(void)
{
	CU_ASSERT_EQUAL(status_of(TOOL("fault", "xvda", "one", "--delay=1")),
			0);
	CU_ASSERT_TRUE(await_node(BACK "/fault-active", "delay=1"));
	CU_ASSERT_EQUAL(status_of(TOOL("fault", "xvda", "one", "--clear")), 0);
	CU_ASSERT_TRUE(await_node(BACK "/fault-active", NULL));
	CU_ASSERT_TRUE(guest_is_served());
}

/* The tool removes the frontend, which the daemon may not. */
static void detaches(void)
{
	pid_t pid;

	guest_stops();
	pid = TOOL("detach", "one", "xvda");
	CU_ASSERT_TRUE_FATAL(await_node(BACK "/state", "5"));
	set_node(FRONT "/state", "6");
	CU_ASSERT_EQUAL(status_of(pid), 0);
	CU_ASSERT_TRUE(node_is(BACKS, NULL));
	CU_ASSERT_TRUE(node_is(FRONT, NULL));
	CU_ASSERT_EQUAL(worker_pid(), 0);
}

/* The daemon hears nothing of the domain's end but that of the frontend's nodes. */
static void guest_destroyed(void)
{
	attach_one();
	fill_disk();
	guest_runs();
	guest_stops();
	remove_domain(DOMAIN);
	CU_ASSERT_TRUE(await_node(BACK, NULL));
	CU_ASSERT_TRUE(await_node(BACKS, NULL));
	CU_ASSERT_EQUAL(worker_pid(), 0);
	make_domain(DOMAIN, "one", "5");
}

static void driver_domain_dies(void)
{
	pid_t worker, pid;

	attach_one();
	worker = worker_pid();
	CU_ASSERT_TRUE(ends(daemon_pid(), SIGKILL));
	CU_ASSERT_TRUE(ends(worker, SIGKILL));
	remove_domain(HOME);
	CU_ASSERT_EQUAL(status_of(TOOL("list")), 0);
	CU_ASSERT_TRUE(said("domain 7, which had the disk, is gone"));
	CU_ASSERT_EQUAL(status_of(TOOL("attach", "one", seed, "xvda")), 1);
	CU_ASSERT_TRUE(said("xvda of one is in use"));
	pid = TOOL("detach", "one", "xvda");
	CU_ASSERT_TRUE_FATAL(await_node(BACK "/state", "5"));
	set_node(FRONT "/state", "6");
	CU_ASSERT_EQUAL(status_of(pid), 0);
	CU_ASSERT_TRUE(said("xvda of one is closed"));
	CU_ASSERT_TRUE(node_is(HOME, NULL));
	CU_ASSERT_TRUE(node_is(FRONT "/state", "6"));
	CU_ASSERT_EQUAL(status_of(TOOL("list")), 0);
	CU_ASSERT_TRUE(said("domain 7, which had the disk, is gone; closed"));
	CU_ASSERT_EQUAL(status_of(TOOL("attach", "one", seed, "xvda")), 1);
	CU_ASSERT_TRUE(said("xvda of one is in use"));
	CU_ASSERT_EQUAL(status_of(TOOL("detach", "--force", "one", "xvda")), 0);
	CU_ASSERT_TRUE(node_is(FRONT, NULL));
	CU_ASSERT_TRUE(node_is(HOME, NULL));
	CU_ASSERT_EQUAL(status_of(TOOL("detach", "one", "xvda")), 1);
	CU_ASSERT_TRUE(said("nothing is attached to one as xvda"));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "attach without a daemon there", without_a_daemon },
		{ "the daemon begins", begins },
		{ "attach from Domain-0", attaches },
		{ "worker and daemon are killed", daemon_killed },
		{ "faults from Domain-0", faults_from_outside },
		{ "detach from Domain-0", detaches },
		{ "the guest is destroyed", guest_destroyed },
		{ "the driver domain dies", driver_domain_dies },
	};
	int rc;

	if (argc != 4 || !daemon_tests_begin(argc - 1, argv))
		return 2;
	command = realpath(argv[3], NULL);
	if (!answer_in(dir))
		return 1;
	snprintf(said_file, sizeof(said_file), "%s/said", dir);
	make_domain(HOME, "storage", "7");
	make_domain(DOMAIN, "one", "5");
	rc = RUN_TESTS("driver-domain", tests);
	return daemon_tests_end(rc);
}
