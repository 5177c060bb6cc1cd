/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real `xm-ramdisk hotplug watch` over a fake of xenstore (xen.h): which
 * attachments of the hotplug script it ends, and when the command itself ends.
 *
 *   watch PROGRAM PRELOAD
 */
#include "tests/daemon/xen.h"

#include "tests/unit/scratch.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <xenstore.h>
#include "include/private/clock.h"

#define BACK "/local/domain/0/backend/vbd"
#define PATIENCE \
	20000 /* ms; less than the time after which the command checks without an event */
#define SETTLE 1000 /* ms; to see that nothing happens */

static const char *program, *preload;
static char dir[] = "/tmp/xen-ramdisk-watch-XXXXXX";
static struct xs_handle *xs;
static struct rd_store *store;

/* ---- what a toolstack and its script make  ------------------------------ */

static void write_device(unsigned domid, unsigned devid)
{
	char path[96];

	snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
	xs_write(xs, XBT_NULL, path, "g", 1);
	snprintf(path, sizeof(path), BACK "/%u/%u/state", domid, devid);
	xs_write(xs, XBT_NULL, path, "4", 1);
}

/* Attach in a process that has ended, as the script has. */
static void attach_as(const char *label, const char *seed)
{
	struct rd_attach_request req = { .seed = seed,
					 .writable = true,
					 .label = label,
					 .flags = RD_DURABLE };
	struct rd_disk *disk;
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct rd_store *own = open_store();

		_exit(rd_attach(own, &req, &disk, NULL) != 0);
	}
	waitpid(pid, &status, 0);
	CU_ASSERT_EQUAL_FATAL(status, 0);
}

static void end_domain(unsigned domid)
{
	char path[64];

	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	xs_rm(xs, XBT_NULL, path);
	xs_write(xs, XBT_NULL, "@releaseDomain", "", 0);
}

/* ---- the watcher -------------------------------------------------------- */

static pid_t start(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setenv("LD_PRELOAD", preload, 1);
		setenv("XEN_RAMDISK_DIR", scratch_store, 1);
		execl(program, "xm-ramdisk", "hotplug", "watch", NULL);
		_exit(126);
	}
	return pid;
}

static bool has_ended(pid_t pid, int *status)
{
	return waitpid(pid, status, WNOHANG) == pid;
}

/* Whether the process ends by itself, with status 0. */
static bool ends(pid_t pid)
{
	int64_t end = clock_now_ms() + PATIENCE;
	int status = -1;

	while (!has_ended(pid, &status) && clock_now_ms() < end)
		usleep(5000);
	return status == 0;
}

/* Wait until the store has @n attachments. */
static bool await_attachments(unsigned n)
{
	int64_t end = clock_now_ms() + PATIENCE;

	while (attachments(store) != n && clock_now_ms() < end)
		usleep(5000);
	return attachments(store) == n;
}

/* ---- tests -------------------------------------------------------------- */

static void nothing_to_watch(void)
{
	CU_ASSERT_TRUE(ends(start()));
	/* Attachments with other labels are ignored. */
	attach_as("vbd/4/51712", make_seed("vbd", MIB, 1));
	CU_ASSERT_TRUE(ends(start()));
	CU_ASSERT_EQUAL(attachments(store), 1);
	rd_end(store, "vbd/4/51712");
}

static void domains_end(void)
{
	pid_t pid, second;
	int status;

	write_device(5, 51712);
	write_device(6, 51712);
	attach_as("xl/5/51712", make_seed("a", MIB, 1));
	attach_as("xl/6/51712", make_seed("a", MIB, 1));
	pid = start();
	usleep(SETTLE * 1000);
	CU_ASSERT_EQUAL(attachments(store), 2);
	/* A second watcher ends at once. */
	second = start();
	CU_ASSERT_TRUE(ends(second));
	CU_ASSERT_FALSE(has_ended(pid, &status));
	/* First the end of a domain without a disk. */
	end_domain(9);
	usleep(SETTLE * 1000);
	CU_ASSERT_EQUAL(attachments(store), 2);
	end_domain(5);
	CU_ASSERT_TRUE(await_attachments(1));
	CU_ASSERT_FALSE(has_ended(pid, &status));
	end_domain(6);
	CU_ASSERT_TRUE(await_attachments(0));
	CU_ASSERT_TRUE(ends(pid));
}

/* A toolstack has removed only the device's nodes; the domain runs on. */
static void devices_removed(void)
{
	pid_t pid;

	write_device(7, 51712);
	write_device(7, 51728);
	attach_as("xl/7/51712", make_seed("b", MIB, 1));
	attach_as("xl/7/51728", make_seed("b", MIB, 1));
	pid = start();
	usleep(SETTLE * 1000);
	CU_ASSERT_EQUAL(attachments(store), 2);
	xs_rm(xs, XBT_NULL, BACK "/7/51712");
	CU_ASSERT_TRUE(await_attachments(1));
	xs_rm(xs, XBT_NULL, BACK "/7/51728");
	CU_ASSERT_TRUE(ends(pid));
	CU_ASSERT_EQUAL(attachments(store), 0);
}

/* The kernel has released the lock of a killed watcher. */
static void after_a_killed_watcher(void)
{
	pid_t pid;

	write_device(8, 51712);
	attach_as("xl/8/51712", make_seed("c", MIB, 1));
	pid = start();
	usleep(SETTLE * 1000);
	child_kill(pid);
	end_domain(8);
	CU_ASSERT_EQUAL(attachments(store), 1);
	CU_ASSERT_TRUE(ends(start()));
	CU_ASSERT_EQUAL(attachments(store), 0);
}

/* ---- set-up ------------------------------------------------------------- */

/* The command checks that xenstored's socket accepts connections. */
static int listen_as_xenstored(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/socket", dir);
	setenv("XENSTORED_PATH", a.sun_path, 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(fd, 100))
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "nothing to watch: ends at once", nothing_to_watch },
		{ "domains that end", domains_end },
		{ "devices that are removed", devices_removed },
		{ "after a killed watcher", after_a_killed_watcher },
	};
	char path[64];
	int rc, fd;

	if (argc != 3 || !mkdtemp(dir))
		return 2;
	program = realpath(argv[1], NULL);
	preload = realpath(argv[2], NULL);
	snprintf(path, sizeof(path), "%s/fake", dir);
	setenv("FAKE_XEN", path, 1);
	fake_xen_open();
	fd = listen_as_xenstored();
	if (fd < 0) {
		perror(dir);
		return 1;
	}
	scratch_make();
	xs = xs_open(0);
	xs_write(xs, XBT_NULL, "/local/domain/0/name", "Domain-0", 8);
	if (rd_store_open(&store, scratch_store, NULL))
		return 1;
	rc = RUN_TESTS("hotplug watch", tests);
	rd_store_close(store);
	xs_close(xs);
	close(fd);
	scratch_remove();
	nftw(dir, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return rc;
}
