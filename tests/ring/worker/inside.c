/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker process in its sandbox, on the real store: it can do everything that a
 * worker does, and the supervisor removes the files that it leaves.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/xen.h>

#include "drivers/blkback/common/control.h"
#include "drivers/blkback/common/log.h"
#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/supervisor/leftovers.h"
#include "drivers/blkback/worker/sandbox.h"
#include "drivers/blkback/worker/worker.h"
#include "tests/ring/fake/fake.h"
#include "tests/unit/scratch.h"

#define DOMID 5u
#define DEVID 7u
#define SIZE (8u << 20)
#define QUEUES 2u

static const char *seed;
static struct rd_store *store;
static int sock;
static pid_t pid;

static int answer(struct blkback_message *msg)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };

	if (poll(&p, 1, 20000) != 1 || blkback_control_recv(sock, msg))
		return -1;
	return (int)msg->type;
}

static void start(void)
{
	int pair[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		_exit(blkback_worker_run(pair[1], true, NULL, NULL));
	}
	close(pair[1]);
	sock = pair[0];
}

static const char *at_point = ""; /* that attach_worker() asks for */

/* @disk: the id of a loaded disk; NULL: load the seed. */
static int attach_worker(const char *disk, bool private_view)
{
	struct blkback_message msg;

	start();
	blkback_message_init(&msg, BLKBACK_ATTACH);
	strcpy(msg.u.attach.seed, seed);
	strcpy(msg.u.attach.store, scratch_store);
	snprintf(msg.u.attach.disk, RD_ID_MAX, "%s", disk ? disk : "");
	snprintf(msg.u.attach.label, RD_LABEL_MAX, NODES_LABEL, DOMID, DEVID);
	msg.u.attach.domid = DOMID;
	msg.u.attach.devid = DEVID;
	msg.u.attach.writable = 1;
	msg.u.attach.private_view = private_view;
	snprintf(msg.u.attach.point, RD_NAME_MAX, "%s", at_point);
	msg.u.attach.max_queues = QUEUES;
	blkback_control_send(sock, &msg);
	return answer(&msg);
}

static struct blkif_sring *ring(unsigned queue)
{
	return (struct blkif_sring *)fake_page[queue];
}

/* Requests of one page each, before the worker is connected. */
static void put(unsigned queue, uint8_t op, uint64_t block, unsigned ref)
{
	struct blkif_sring *r = ring(queue);
	struct blkif_request *req = &r->ring[r->req_prod % 32].req;

	memset(req, 0, sizeof(*req));
	req->operation = op;
	req->nr_segments = op == BLKIF_OP_READ || op == BLKIF_OP_WRITE;
	req->sector_number = 8 * block;
	req->seg[0].gref = ref;
	req->seg[0].last_sect = 7;
	if (op == BLKIF_OP_DISCARD)
		((struct blkif_request_discard *)req)->nr_sectors = 8;
	r->req_prod++;
}

static int connect_rings(bool persistent)
{
	struct blkback_message msg;
	unsigned q;

	blkback_message_init(&msg, BLKBACK_CONNECT);
	msg.u.connect.protocol = BLKBACK_X86_64;
	msg.u.connect.nr_refs = 1;
	msg.u.connect.nr_queues = QUEUES;
	msg.u.connect.persistent = persistent;
	for (q = 0; q < QUEUES; q++) {
		msg.u.connect.queue[q].refs[0] = q;
		msg.u.connect.queue[q].event_channel = 7 + q;
	}
	blkback_control_send(sock, &msg);
	return answer(&msg);
}

/* All requests were answered without an error. */
static bool all_good(unsigned queue, unsigned n)
{
	struct blkif_sring *r = ring(queue);
	unsigned i, waited;

	for (waited = 0; waited < 200000; waited++) {
		if (__atomic_load_n(&r->rsp_prod, __ATOMIC_ACQUIRE) == n)
			break;
		usleep(100);
	}
	for (i = 0; i < n; i++)
		if (r->ring[i % 32].rsp.status)
			return false;
	return r->rsp_prod == n;
}

/* Both queues write, read, discard and flush; and the frontend comes back. */
static void lives(void)
{
	struct blkback_message msg;
	unsigned turn, i, q;

	for (turn = 0; turn < 3; turn++) {
		memset(fake_page[0], 0, QUEUES * 4096);
		memset(fake_page[100], (int)turn + 1, 4096);
		for (q = 0; q < QUEUES; q++) {
			for (i = 0; i < 8; i++)
				put(q, BLKIF_OP_WRITE, 64 * q + i, 100);
			for (i = 0; i < 8; i++)
				put(q, BLKIF_OP_READ, 64 * q + i, 200 + q);
			put(q, BLKIF_OP_DISCARD, 64 * q + 9, 0);
			put(q, BLKIF_OP_FLUSH_DISKCACHE, 0, 0);
		}
		CU_ASSERT_EQUAL(connect_rings(turn == 1), BLKBACK_CONNECTED);
		for (q = 0; q < QUEUES; q++) {
			CU_ASSERT_TRUE(all_good(q, 18));
			CU_ASSERT_EQUAL(fake_page[200 + q][4095], turn + 1);
		}
		blkback_control_send_type(sock, BLKBACK_DISCONNECT);
		CU_ASSERT_EQUAL(answer(&msg), BLKBACK_DISCONNECTED);
	}
}

static bool ended_well(void)
{
	int status = -1;

	waitpid(pid, &status, 0);
	if (status)
		printf("# the worker's status is %#x\n", (unsigned)status);
	return status == 0;
}

/* End a worker as a supervisor does: END, wait for its death, remove its files. */
static void end(void)
{
	blkback_control_send_type(sock, BLKBACK_END);
	CU_ASSERT_TRUE(ended_well());
	close(sock);
	blkback_leftovers_end(store, DOMID, DEVID);
	rd_reap(store);
}

static void setup(void)
{
	if (!seed)
		seed = make_seed("inside", SIZE, 1);
	CU_ASSERT_EQUAL_FATAL(rd_store_open(&store, scratch_store, NULL), 0);
}

static void a_life(void)
{
	setup();
	CU_ASSERT_EQUAL(attach_worker(NULL, false), BLKBACK_ATTACHED);
	lives();
	end();
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(store);
}

/* The view's memory grows; it is freed with the attachment, and the disk is not. */
static void a_view(void)
{
	struct rd_attach_request req = { .seed = seed, .label = "other" };
	struct rd_disk *disk;
	unsigned before;

	setup();
	req.seed = seed;
	CU_ASSERT_EQUAL_FATAL(rd_attach(store, &req, &disk, NULL), 0);
	before = store_files();
	CU_ASSERT_EQUAL(attach_worker(rd_id(disk), true), BLKBACK_ATTACHED);
	CU_ASSERT_TRUE(store_files() > before);
	lives();
	end();
	CU_ASSERT_EQUAL(store_files(), before);
	rd_detach(disk);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(store);
}

/* Whether the point @name of disk @id has the seed's bytes. */
static bool is_seed(const char *id, const char *name)
{
	static unsigned char bytes[SIZE];
	const struct rd_attach_request req = { .name = id, .label = "other" };
	struct rd_disk *d;
	size_t i, wrong = 0;

	if (rd_attach_point(store, &req, name, &d, NULL))
		return false;
	wrong = rd_read(d, bytes, 0, SIZE) != 0;
	for (i = 0; i < SIZE; i++)
		wrong += bytes[i] != pattern(i, 1);
	rd_detach(d);
	return !wrong;
}

/* A worker that is in the sandbox already copies what a point needs. */
static void a_point(void)
{
	struct rd_attach_request req = { .label = "other" };
	struct rd_point_info *points;
	struct rd_disk *disk;
	size_t n;

	setup();
	req.seed = seed;
	CU_ASSERT_EQUAL_FATAL(rd_attach(store, &req, &disk, NULL), 0);
	CU_ASSERT_EQUAL(attach_worker(rd_id(disk), false), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL(rd_point(store, rd_id(disk), "p", NULL), 0);
	lives();
	CU_ASSERT_TRUE(is_seed(rd_id(disk), "p"));
	/* all that two queues wrote and discarded, once */
	CU_ASSERT_EQUAL_FATAL(rd_point_list(store, rd_id(disk), &points, &n,
					    NULL),
			      0);
	CU_ASSERT_EQUAL(points[0].memory, 2 * 9 * RD_BLOCK);
	free(points);
	CU_ASSERT_EQUAL(rd_rollback(store, rd_id(disk), "p", true, NULL, NULL,
				    NULL),
			0);
	end();
	rd_detach(disk);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(store);
}

/* A view of a point, while the disk changes; and the next worker has the same. */
static void a_view_of_a_point(void)
{
	struct rd_attach_request req = { .label = "other", .writable = true };
	char block[RD_BLOCK] = "changed";
	struct rd_disk *disk;
	uint64_t b;

	setup();
	req.seed = seed;
	CU_ASSERT_EQUAL_FATAL(rd_attach(store, &req, &disk, NULL), 0);
	CU_ASSERT_EQUAL(rd_point(store, rd_id(disk), "p", NULL), 0);
	at_point = "p";
	CU_ASSERT_EQUAL(attach_worker(rd_id(disk), true), BLKBACK_ATTACHED);
	lives();
	for (b = 0; b < SIZE / RD_BLOCK; b++)
		CU_ASSERT_EQUAL(rd_write(disk, block, b * RD_BLOCK,
					 sizeof(block)),
				0);
	/* block 20 is the seed's to the domain, and "changed" to others */
	memset(fake_page[0], 0, QUEUES * 4096);
	put(0, BLKIF_OP_READ, 20, 200);
	CU_ASSERT_EQUAL(connect_rings(false), BLKBACK_CONNECTED);
	CU_ASSERT_TRUE(all_good(0, 1));
	CU_ASSERT_EQUAL(fake_page[200][5], pattern(20 * RD_BLOCK + 5, 1));
	CU_ASSERT_EQUAL(rd_point_drop(store, rd_id(disk), "p", NULL), -EBUSY);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(sock);
	CU_ASSERT_EQUAL(attach_worker(rd_id(disk), true), BLKBACK_ATTACHED);
	lives();
	end();
	at_point = "";
	CU_ASSERT_EQUAL(rd_point_drop(store, rd_id(disk), "p", NULL), 0);
	rd_detach(disk);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(store);
}

/* A thin disk that is loaded by a thread older than the sandbox. */
static void a_lazy_disk(void)
{
	struct rd_attach_request req = { .label = "other",
					 .flags = RD_LAZY | RD_THIN | RD_KEEP };
	struct rd_disk *disk;
	char id[RD_ID_MAX];

	setup();
	req.seed = seed;
	CU_ASSERT_EQUAL_FATAL(rd_attach(store, &req, &disk, NULL), 0);
	strcpy(id, rd_id(disk));
	rd_detach(disk);
	CU_ASSERT_EQUAL(attach_worker(id, false), BLKBACK_ATTACHED);
	lives();
	end();
	CU_ASSERT_EQUAL(rd_keep(store, id, false, NULL), 0);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(store);
}

/* The next supervisor connects to the listener. */
static void a_new_supervisor(void)
{
	struct blkback_message msg;
	pid_t found = 0;
	int pidfd;

	setup();
	CU_ASSERT_EQUAL(attach_worker(NULL, false), BLKBACK_ATTACHED);
	close(sock);
	CU_ASSERT_EQUAL(blkback_leftovers_adopt(store, DOMID, DEVID, &found,
						&pidfd, &sock),
			0);
	CU_ASSERT_EQUAL(found, pid);
	CU_ASSERT_EQUAL(answer(&msg), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL(msg.u.attached.size, SIZE);
	lives();
	close(pidfd);
	end();
	rd_store_close(store);
}

/* The supervisor may kill a worker that has changed its user. */
static void handed_over(void)
{
	setup();
	CU_ASSERT_EQUAL(attach_worker(NULL, false), BLKBACK_ATTACHED);
	kill(pid, SIGTERM);
	CU_ASSERT_TRUE(ended_well());
	close(sock);
	CU_ASSERT_TRUE(blkback_leftovers_exist(store, DOMID, DEVID));
	CU_ASSERT_EQUAL(attach_worker(NULL, false), BLKBACK_ATTACHED);
	lives();
	end();
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(store);
}

static bool is_nobody(void)
{
	char path[64], line[256];
	unsigned uid = 0, seccomp = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		(void)sscanf(line, "Uid: %u", &uid);
		(void)sscanf(line, "Seccomp: %u", &seccomp);
	}
	if (f)
		fclose(f);
	return (geteuid() || uid) && seccomp == 2;
}

static void is_inside(void)
{
	setup();
	CU_ASSERT_EQUAL(attach_worker(NULL, false), BLKBACK_ATTACHED);
	CU_ASSERT_TRUE(is_nobody());
	end();
	rd_store_close(store);
}

/* Builds with sanitizers have no sandbox. */
static void none(void)
{
	CU_ASSERT_FALSE(blkback_sandbox_possible());
}

int main(void)
{
	static const struct test tests[] = {
		{ "enters the sandbox", is_inside },
		{ "attach, connect, serve, detach", a_life },
		{ "a private view", a_view },
		{ "a point", a_point },
		{ "a private view of a point", a_view_of_a_point },
		{ "a lazy, thin disk", a_lazy_disk },
		{ "a new supervisor", a_new_supervisor },
		{ "hands over", handed_over },
	};
	static const struct test sanitized[] = { { "no sandbox", none } };
	int rc;

	if (!blkback_sandbox_possible())
		return RUN_TESTS("inside", sanitized);
	/* Rings and pages are the worker's process's, too. */
	if (mmap(fake_page, sizeof(fake_page), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != fake_page)
		return 1;
	fake_grants_reset();
	fake_evtchn_reset();
	scratch_make();
	blkback_log_open(true, BLKBACK_ERROR, NULL);
	rc = RUN_TESTS("inside", tests);
	scratch_remove();
	return rc;
}
