/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A captured worker under the real xen-ramdiskd, over fakes of Xen's libraries. Two
 * guests have one disk. The worker of the one, which only reads, runs takeover.c
 * from its first request on; the other one checks every byte of its own. Meanwhile
 * the supervisor is killed, replaced and asked, and the disk is listed and attached.
 *
 *   captured PROGRAM PRELOAD
 *
 * $CAPTURED_ROUNDS is the number of rounds; the default is 3.
 */
#include "tests/daemon/nodes.h"

#define GOOD "51712"
#define EVIL "51728"
#define GOOD_RING 8u
#define EVIL_RING 200u
#define LIMIT_MS 5000

static const char *seed;

static void both_connect(void)
{
	seed = strdup(make_seed("daemon", MIB, 1));
	attach_nodes(GOOD, seed, "w");
	attach_nodes(EVIL, seed, "r");
	CU_ASSERT_EQUAL_FATAL(run(program, NULL), 0);
	CU_ASSERT_TRUE_FATAL(await_node(BACK_OF(GOOD) "/state", "2"));
	CU_ASSERT_TRUE_FATAL(await_node(BACK_OF(EVIL) "/state", "2"));
	begin_ring(GOOD_RING);
	connect_nodes(GOOD, "8", "17", "1");
	connect_nodes(EVIL, "200", "18", "0");
	CU_ASSERT_TRUE_FATAL(await_node(BACK_OF(GOOD) "/state", "4"));
	CU_ASSERT_TRUE_FATAL(await_node(BACK_OF(EVIL) "/state", "4"));
	set_node(FRONT_OF(GOOD) "/state", "4");
	set_node(FRONT_OF(EVIL) "/state", "4");
	fill_disk();
	guest_runs();
}

/* The worker of a device, by the label of its attachment; 0: there is none. */
static pid_t worker_of(const char *label)
{
	struct rd_disk_info *disks;
	struct rd_store *store = open_store();
	pid_t pid = 0;
	size_t n, i, j;

	CU_ASSERT_EQUAL_FATAL(rd_list(store, &disks, &n, NULL), 0);
	for (i = 0; i < n; i++)
		for (j = 0; j < disks[i].attachments; j++)
			if (!strcmp(disks[i].attachment[j].label, label))
				pid = disks[i].attachment[j].pid;
	rd_list_free(disks, n);
	rd_store_close(store);
	return pid;
}

/* The guest sends the request by which it takes the worker over. */
static void take_over(void)
{
	struct blkif_sring *r = (struct blkif_sring *)fake_pages[EVIL_RING];
	struct blkif_request *req = &r->ring[0].req;
	char stat[256] = "";
	unsigned long ticks = 0, user = 0;
	pid_t worker = worker_of("vbd/0/" EVIL);
	int i;

	CU_ASSERT_NOT_EQUAL_FATAL(worker, 0);
	memset(req, 0, sizeof(*req));
	req->operation = BLKIF_OP_READ;
	req->nr_segments = 1;
	req->seg[0].gref = TAKEOVER_REF;
	req->seg[0].last_sect = 7;
	__atomic_store_n(&r->req_prod, 1, __ATOMIC_RELEASE);
	/*
	 * The worker is busy from now on: it uses the processor. On a busy machine the
	 * supervisor may kill it before, for its messages; the next one has the request.
	 */
	for (i = 0; i < 6000 && user < 20 && worker_of("vbd/0/" EVIL) == worker;
	     i++) {
		FILE *f = open_of(worker_of("vbd/0/" EVIL), "stat");

		usleep(10000);
		if (!f)
			continue;
		if (fgets(stat, sizeof(stat), f) &&
		    sscanf(strrchr(stat, ')') + 1,
			   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu",
			   &ticks) == 1)
			user = ticks;
		fclose(f);
	}
	CU_ASSERT_TRUE(user >= 20 || worker_of("vbd/0/" EVIL) != worker);
	CU_ASSERT_EQUAL(r->rsp_prod, 0); /* nothing is answered */
}

static int64_t now_ms(void)
{
	return (int64_t)clock_now_us() / 1000;
}

/* What root's commands do. */
static void use_the_disk(void)
{
	struct rd_store *store = open_store();
	struct rd_attach_request req = { .seed = seed, .label = "tool" };
	struct rd_disk *d;
	struct rd_disk_info *disks;
	unsigned char byte;
	int64_t start = now_ms();
	size_t n;

	CU_ASSERT_EQUAL(rd_list(store, &disks, &n, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(n, 1);
	CU_ASSERT_STRING_EQUAL(disks[0].seed, seed);
	CU_ASSERT_EQUAL(disks[0].size, MIB);
	CU_ASSERT_EQUAL(rd_reset(store, disks[0].id, false, NULL, NULL, NULL),
			-EBUSY);
	rd_list_free(disks, n);
	CU_ASSERT_EQUAL_FATAL(rd_attach(store, &req, &d, NULL), 0);
	CU_ASSERT_EQUAL(rd_read(d, &byte, MIB - 1, 1), 0);
	CU_ASSERT_EQUAL(byte, pattern(MIB - 1, 1));
	rd_detach(d);
	rd_store_close(store);
	CU_ASSERT_TRUE(now_ms() - start < LIMIT_MS);
}

static void supervisor_goes(int sig)
{
	CU_ASSERT_TRUE(ends(daemon_pid(), sig));
	CU_ASSERT_TRUE(guest_is_served());
	use_the_disk();
	CU_ASSERT_EQUAL(run(program, NULL), 0);
	CU_ASSERT_TRUE(guest_is_served());
}

static void rounds(void)
{
	const char *n = getenv("CAPTURED_ROUNDS");
	int i, of = n ? atoi(n) : 3;
	pid_t good;

	for (i = 0; i < of; i++) {
		usleep(500000);
		CU_ASSERT_TRUE(guest_is_served());
		use_the_disk();
		supervisor_goes(SIGKILL);
		good = worker_of("vbd/0/" GOOD);
		CU_ASSERT_TRUE(ends(good, SIGKILL));
		CU_ASSERT_TRUE(guest_is_served());
		supervisor_goes(SIGTERM);
		CU_ASSERT_EQUAL(run(program, "--live-update"), 0);
		CU_ASSERT_TRUE(guest_is_served());
	}
	CU_ASSERT_TRUE(worst_us < LIMIT_MS * 1000ul);
	printf("# %lu requests, the longest took %lu ms\n",
	       (unsigned long)answers, (unsigned long)worst_us / 1000);
}

/* The captured device is detached as any other, and leaves nothing. */
static void detach_evil(void)
{
	pid_t evil = worker_of("vbd/0/" EVIL);
	int64_t end = now_ms() + PATIENCE;

	/* xm-ramdisk detach --force: the guest does not answer. */
	xs_rm(xs, XBT_NULL, BACK_OF(EVIL));
	while (worker_of("vbd/0/" EVIL) && now_ms() < end)
		usleep(10000);
	CU_ASSERT_EQUAL(worker_of("vbd/0/" EVIL), 0);
	CU_ASSERT_TRUE(!evil || ends(evil, 0));
	CU_ASSERT_TRUE(guest_is_served());
	CU_ASSERT_EQUAL(bad, 0);
}

static void end(void)
{
	guest_stops();
	CU_ASSERT_EQUAL(run(program, "--stop"), 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "two guests share a disk", both_connect },
		{ "one takes its worker over", take_over },
		{ "the other one, and root, go on", rounds },
		{ "the captured device is detached", detach_evil },
		{ "the end", end },
	};
	if (!daemon_tests_begin(argc, argv))
		return 2;
	return daemon_tests_end(RUN_TESTS("captured", tests));
}
