/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real `xm-ramdisk hotplug` over a fake of xenstore (xen.h): which
 * attachments of the hotplug script "watch" ends, and when the command itself
 * ends; and which disk "add" attaches when the seed's path has another file.
 *
 *   watch PROGRAM PRELOAD
 */
#include "tests/daemon/socket.h"
#include "tests/daemon/xen.h"

#include "tests/unit/scratch.h"

#include <errno.h>
#include <stdarg.h>
#include <time.h>
#include <xenstore.h>
#include "include/private/clock.h"

#define BACK "/local/domain/0/backend/vbd"
#define MARK "/local/domain/0/data/xen-ramdisk-hotplug" /* hotplug/mark.h */
#define PATIENCE \
	20000 /* ms; less than the time after which the command checks without an event */
#define SETTLE 1000 /* ms; to see that nothing happens */

static const char *program, *preload;
static char dir[] = "/tmp/xen-ramdisk-watch-XXXXXX";
static struct xs_handle *xs;
static struct rd_store *store;
static const char *name_of_domain = "g";

/* ---- what a toolstack and its script make  ------------------------------ */

static void write_device(unsigned domid, unsigned devid)
{
	char path[96];

	snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
	xs_write(xs, XBT_NULL, path, name_of_domain,
		 (unsigned)strlen(name_of_domain));
	snprintf(path, sizeof(path), BACK "/%u/%u/script", domid, devid);
	xs_write(xs, XBT_NULL, path, "block-ramdisk", 13);
	snprintf(path, sizeof(path), BACK "/%u/%u/state", domid, devid);
	xs_write(xs, XBT_NULL, path, "4", 1);
}

static bool has_nodes(unsigned domid)
{
	char path[96], *state;
	unsigned len;

	snprintf(path, sizeof(path), BACK "/%u/51712/state", domid);
	state = xs_read(xs, XBT_NULL, path, &len);
	free(state);
	return state != NULL;
}

/* Set the mark of hotplug/mark.h, and attach in a process that has ended, as the script has. */
static void attach_as(const char *label, const char *seed)
{
	struct rd_attach_request req = { .seed = seed,
					 .writable = true,
					 .label = label,
					 .flags = RD_DURABLE };
	struct rd_disk *disk;
	char path[96];
	pid_t pid;
	int status;

	if (!strncmp(label, "xl/", 3)) {
		snprintf(path, sizeof(path), MARK "/%s", label + 3);
		xs_write(xs, XBT_NULL, path, "1", 1);
	}
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

/* libxl removes the nodes of its own devices; nobody else those of attach --remote. */
static void nodes_are_removed(void)
{
	write_device(5, 51712);
	write_device(6, 51712);
	xs_rm(xs, XBT_NULL, BACK "/6/51712/script");
	attach_as("xl/5/51712", make_seed("d", MIB, 1));
	attach_as("xl/6/51712", make_seed("d", MIB, 1));
	end_domain(5);
	end_domain(6);
	CU_ASSERT_TRUE(ends(start()));
	CU_ASSERT_EQUAL(attachments(store), 0);
	CU_ASSERT_TRUE(has_nodes(5));
	CU_ASSERT_FALSE(has_nodes(6));
	xs_rm(xs, XBT_NULL, BACK "/5");
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

/* ---- disk lines --------------------------------------------------------- */

/* Run xm-ramdisk with @arguments. Its exit status; its output is in @text. */
static int command(char text[2048], const char *arguments, ...)
{
	char line[1024], words[512];
	va_list ap;
	size_t n;
	FILE *f;

	va_start(ap, arguments);
	vsnprintf(words, sizeof(words), arguments, ap);
	va_end(ap);
	snprintf(line, sizeof(line),
		 "LD_PRELOAD=%s XEN_RAMDISK_DIR=%s %s %s 2>&1 </dev/null",
		 preload, scratch_store, program, words);
	f = popen(line, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	n = fread(text, 1, 2047, f);
	text[n] = 0;
	return WEXITSTATUS(pclose(f));
}

static bool is_marked(unsigned domid)
{
	char path[96], *mark;
	unsigned len;

	snprintf(path, sizeof(path), MARK "/%u/51712", domid);
	mark = xs_read(xs, XBT_NULL, path, &len);
	free(mark);
	return mark != NULL;
}

/* Xenstored was killed: all nodes are lost, and the domain may run on. */
static void xenstored_lost_its_nodes(void)
{
	char text[2048];
	pid_t pid;
	int status;

	write_device(7, 51712);
	attach_as("xl/7/51712", make_seed("b", MIB, 1));
	pid = start();
	usleep(SETTLE * 1000);
	xs_rm(xs, XBT_NULL, "/local/domain/0/data");
	xs_rm(xs, XBT_NULL, BACK "/7");
	end_domain(7);
	usleep(SETTLE * 1000);
	CU_ASSERT_EQUAL(attachments(store), 1);
	CU_ASSERT_FALSE(has_ended(pid, &status));
	/* A person ends it; then a toolstack makes another device of the number. */
	CU_ASSERT_EQUAL(command(text, "hotplug remove backend/vbd/7/51712"), 0);
	CU_ASSERT_TRUE(await_attachments(0));
	CU_ASSERT_TRUE(ends(pid));
	write_device(7, 51712);
	attach_as("xl/7/51712", make_seed("b", MIB, 1));
	CU_ASSERT_TRUE(is_marked(7));
	end_domain(7);
	CU_ASSERT_TRUE(ends(start()));
	CU_ASSERT_EQUAL(attachments(store), 0);
	CU_ASSERT_FALSE(is_marked(7));
}

/* The device @devid of domain 5, with the target @seed,@options in its disk line. */
static int add_device(char text[2048], unsigned devid, const char *seed,
		      const char *options)
{
	char path[96], target[256];

	write_device(5, devid);
	snprintf(path, sizeof(path), BACK "/5/%u/mode", devid);
	xs_write(xs, XBT_NULL, path, "w", 1);
	snprintf(path, sizeof(path), BACK "/5/%u/params", devid);
	snprintf(target, sizeof(target), "%s%s", seed, options);
	xs_write(xs, XBT_NULL, path, target, (unsigned)strlen(target));
	return command(text, "hotplug add backend/vbd/5/%u", devid);
}

/* The id of the disk with attachment @label. */
static void id_of(const char *label, char id[RD_ID_MAX])
{
	struct rd_disk_info *disks;
	size_t i, n;
	unsigned k;

	id[0] = 0;
	CU_ASSERT_EQUAL_FATAL(rd_list(store, &disks, &n, NULL), 0);
	for (i = 0; i < n; i++)
		for (k = 0; k < disks[i].attachments; k++)
			if (!strcmp(disks[i].attachment[k].label, label))
				strcpy(id, disks[i].id);
	rd_list_free(disks, n);
}

static void a_seed_is_replaced(void)
{
	const char *seed = make_seed("line", MIB, 1);
	char text[2048], old[RD_ID_MAX], new[RD_ID_MAX], third[RD_ID_MAX];

	CU_ASSERT_FALSE(is_marked(5));
	CU_ASSERT_EQUAL(add_device(text, 51712, seed, ""), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "device=/dev/loop"));
	CU_ASSERT_TRUE(is_marked(5));
	id_of("xl/5/51712", old);
	CU_ASSERT_EQUAL(rename(make_seed("line2", MIB, 2), seed), 0);
	CU_ASSERT_EQUAL(add_device(text, 51728, seed, ""), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "is another file now"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, old));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "in a disk line"));
	CU_ASSERT_EQUAL(add_device(text, 51728, seed, ",fresh"), 0);
	id_of("xl/5/51728", new);
	CU_ASSERT_STRING_NOT_EQUAL(new, "");
	CU_ASSERT_STRING_NOT_EQUAL(new, old);
	CU_ASSERT_EQUAL(add_device(text, 51744, old, ""), 0);
	id_of("xl/5/51744", third);
	CU_ASSERT_STRING_EQUAL(third, old);
	end_domain(5);
	CU_ASSERT_TRUE(await_attachments(0));
	xs_rm(xs, XBT_NULL, BACK "/5");
}

static void write_uuid(unsigned domid)
{
	static const char vm[] = "/vm/12345678-1234-1234-1234-123456789abc";
	char path[64];

	snprintf(path, sizeof(path), "/local/domain/%u/vm", domid);
	xs_write(xs, XBT_NULL, path, vm, sizeof(vm) - 1);
}

/*
 * A domain that xl receives: from another host its contents are not here, not even if a
 * disk of that seed is; within the host they are.
 */
static void a_domain_arrives(void)
{
	const char *seed = make_seed("arrives", MIB, 1);
	char text[2048];

	attach_as("vbd/6/51712", seed);
	name_of_domain = "mover--incoming";
	write_uuid(5);
	CU_ASSERT_EQUAL(add_device(text, 51712, seed, ""), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "mover comes from another host"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "'xm-ramdisk serve'"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "'xm-ramdisk attach --remote'"));
	CU_ASSERT_EQUAL(attachments(store), 1);
	write_uuid(6); /* the one that leaves, within this host */
	CU_ASSERT_EQUAL(add_device(text, 51712, seed, ""), 0);
	CU_ASSERT_EQUAL(attachments(store), 2);
	name_of_domain = "g";
	end_domain(6);
	end_domain(5);
	CU_ASSERT_EQUAL(rd_end(store, "vbd/6/51712"), 0);
	CU_ASSERT_TRUE(await_attachments(0));
	xs_rm(xs, XBT_NULL, BACK "/5");
}

/* fault takes a disk's id where names are ambiguous. */
static void fault_by_id(void)
{
	const char *seed = make_seed("fault", MIB, 1);
	char text[2048], id[RD_ID_MAX];
	struct rd_attach_request req = { .seed = seed, .flags = RD_FRESH };
	struct rd_disk *other;

	attach_as("vbd/6/51712", seed);
	id_of("vbd/6/51712", id);
	CU_ASSERT_EQUAL(rename(make_seed("fault2", MIB, 2), seed), 0);
	CU_ASSERT_EQUAL_FATAL(rd_attach(store, &req, &other, NULL), 0);
	xs_write(xs, XBT_NULL, "/local/domain/6/name", "g", 1);
	xs_write(xs, XBT_NULL, "/local/domain/0/backend/ramdisk/6/51712/state",
		 "4", 1);
	CU_ASSERT_EQUAL(command(text, "fault fault 6"), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "choose from: "));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, id));
	CU_ASSERT_EQUAL(command(text, "fault %s 6", id), 0);
	CU_ASSERT_STRING_EQUAL(text, "xvda of g: no faults\n");
	CU_ASSERT_EQUAL(command(text, "fault %s 6", rd_id(other)), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "is not attached to g"));
	rd_detach(other);
	CU_ASSERT_EQUAL(rd_end(store, "vbd/6/51712"), 0);
	xs_rm(xs, XBT_NULL, "/local/domain/6");
	xs_rm(xs, XBT_NULL, "/local/domain/0/backend/ramdisk/6");
}

/* ---- set-up ------------------------------------------------------------- */

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "nothing to watch: ends at once", nothing_to_watch },
		{ "domains that end", domains_end },
		{ "devices that are removed", devices_removed },
		{ "after a killed watcher", after_a_killed_watcher },
		{ "the nodes of a device that libxl did not make",
		  nodes_are_removed },
		{ "xenstored has lost its nodes", xenstored_lost_its_nodes },
		{ "a disk line whose seed is replaced", a_seed_is_replaced },
		{ "a domain arrives from another host", a_domain_arrives },
		{ "fault by a disk's id", fault_by_id },
	};
	char path[64];
	int rc;

	if (argc != 3 || !mkdtemp(dir))
		return 2;
	program = realpath(argv[1], NULL);
	preload = realpath(argv[2], NULL);
	snprintf(path, sizeof(path), "%s/fake", dir);
	setenv("FAKE_XEN", path, 1);
	fake_xen_open();
	if (!answer_in(dir))
		return 1;
	scratch_make();
	xs = xs_open(0);
	xs_write(xs, XBT_NULL, "/local/domain/0/name", "Domain-0", 8);
	if (rd_store_open(&store, scratch_store, NULL))
		return 1;
	rc = RUN_TESTS("hotplug", tests);
	rd_store_close(store);
	xs_close(xs);
	scratch_remove();
	nftw(dir, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return rc;
}
