/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The function of the fuzzer of xenstore nodes. libFuzzer calls it in `make fuzz`;
 * tests/ring/supervisor/fuzz-nodes.c calls it for the corpus and mutations of it in
 * every `make check`.
 *
 * The input is a history of one vbd, made by xm-ramdisk or by libxl: the guest
 * writes any bytes to nodes of its directory and removes nodes; watches fire early
 * or late; the tool detaches and attaches again; the domain ends; the worker
 * answers, fails, reports ring errors and dies; time passes; and other processes
 * write during the supervisor's transactions. The history runs through the
 * supervisor's real state machine over the fake libxenstore. The invariants:
 *
 *   each run of the device sends a bounded number of requests to xenstore
 *   each CONNECT to the worker has valid values
 *   there is at most one worker; a device that is over has no worker and no watch
 *   a device whose domain has ended is over once its worker has died, and has no
 *   nodes left
 */
#ifndef FUZZ_NODES_H
#define FUZZ_NODES_H

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/blkback/supervisor/device.h"
#include "drivers/blkback/common/nodes.h"
#include "tests/format.h"
#include "tests/fuzz/bytes.h"
#include "tests/ring/fake/fake.h"

#define FUZZ_FRONT "/local/domain/5/device/vbd/51712"
#define FUZZ_MAX_REQUESTS 600u /* to xenstore, in one run of the device */
#define FUZZ_QUEUES 4u

static struct {
	struct blkback_host host;
	struct blkback_device *dev;
	const char *back; /* its directory */
	enum blkback_kind kind;
	struct fuzz_bytes *input;
	int worker; /* the worker's end of the socket; -1: there is none */
	pid_t pid; /* of the running worker; 0: there is none */
	unsigned started, killed, answered;
	bool worker_left, has_leftovers; /* by an earlier daemon */
	int64_t now;
} nodes;

static int fuzz_start_worker(struct blkback_host *host, pid_t *pid, int *pidfd,
			     int *sock)
{
	int pair[2];

	(void)host;
	fuzz_check(!nodes.pid, "one worker at most");
	if (nodes.started % 16 == 15) {
		nodes.started++;
		return -EAGAIN;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	*pidfd = -1;
	*sock = pair[0];
	nodes.worker = pair[1];
	*pid = nodes.pid = (pid_t)(4711 + nodes.started++);
	return 0;
}

static void fuzz_kill_worker(struct blkback_host *host, pid_t pid, int signal)
{
	(void)host;
	fuzz_check(pid && pid == nodes.pid,
		   "only the running worker is killed");
	nodes.killed += signal == SIGKILL;
}

static int fuzz_adopt_worker(struct blkback_host *host,
			     struct blkback_device *dev)
{
	if (!nodes.worker_left)
		return -ENOENT;
	nodes.worker_left = false;
	return fuzz_start_worker(host, &dev->pid, &dev->pidfd, &dev->sock);
}

static bool fuzz_has_leftovers(struct blkback_host *host,
			       struct blkback_device *dev)
{
	(void)host, (void)dev;
	return nodes.has_leftovers;
}

static uint32_t fuzz_count_answered(struct blkback_host *host,
				    struct blkback_device *dev)
{
	(void)host, (void)dev;
	return nodes.answered;
}

static int fuzz_end_leftovers(struct blkback_host *host,
			      struct blkback_device *dev)
{
	(void)host, (void)dev;
	nodes.has_leftovers = nodes.worker_left = false;
	return 0;
}

static void fuzz_back_set(const char *node, const char *value, size_t len)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", nodes.back, node);
	fake_xs_set_bytes(path, value, len);
}

static void fuzz_set(const char *node, const char *value)
{
	fuzz_back_set(node, value, strlen(value));
}

static const char *fuzz_get(const char *node)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s", nodes.back, node);
	return fake_xs_get(path);
}

/* Write a node where the tool writes it. */
static void fuzz_tool_set(const char *node, const char *value)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s",
		 nodes.kind == BLKBACK_KIND_XL ? NODES_XL_FOLDER "/" : "",
		 node);
	fuzz_set(name, value);
}

static void fuzz_attach_nodes(const char *seed, const char *mode)
{
	fuzz_set("frontend", FUZZ_FRONT);
	fuzz_set("frontend-id", "5");
	fuzz_set("online", "1");
	fuzz_set("state", "1");
	fuzz_set("mode", mode);
	if (nodes.kind == BLKBACK_KIND_XL)
		fuzz_set("script", "/etc/xen/scripts/" NODES_XL_SCRIPT);
	fuzz_tool_set("format", own_format());
	fuzz_tool_set("store", "/fake");
	fuzz_tool_set("params", seed);
	fake_xs_set(FUZZ_FRONT "/backend", nodes.back);
	fake_xs_set(FUZZ_FRONT "/state", "1");
}

/* ---- what the guest writes ---------------------------------------------- */

static void fuzz_front_node(struct fuzz_bytes *b)
{
	static const char *const name[] = {
		"state",
		"ring-ref",
		"event-channel",
		"protocol",
		"feature-persistent",
		"ring-page-order",
		"multi-queue-num-queues",
		"ring-ref0",
		"ring-ref1",
		"queue-0/ring-ref",
		"queue-1/ring-ref",
		"queue-0/event-channel",
		"queue-1/event-channel",
		"queue-0/ring-ref0",
		"queue-0/ring-ref1",
		"queue-1/ring-ref0",
		"queue-1/ring-ref1",
		"ring-ref2",
		"ring-ref3",
		"backend",
		"queue-2/ring-ref",
		"queue-2/event-channel",
		"queue-3/ring-ref",
		"queue-3/event-channel",
	};
	static const char *const word[] = { "x86_64-abi", "x86_32-abi", "",
					    "arm-abi" };
	uint8_t which = fuzz_byte(b), how = fuzz_byte(b);
	char path[128], value[96];
	size_t n;

	snprintf(path, sizeof(path), FUZZ_FRONT "/%s",
		 name[which % (sizeof(name) / sizeof(*name))]);
	if (how < 128) {
		snprintf(value, sizeof(value), "%u", how % 12u);
		n = strlen(value);
	} else if (how < 160) {
		snprintf(value, sizeof(value), "%s", word[how % 4]);
		n = strlen(value);
	} else {
		n = fuzz_take(b, value, how - 160u);
	}
	fake_xs_set_bytes(path, value, n);
}

static void fuzz_front_remove(uint8_t which)
{
	static const char *const name[] = { "",          "/state",
					    "/ring-ref", "/event-channel",
					    "/protocol", "/queue-0",
					    "/queue-1" };
	char path[128];

	snprintf(path, sizeof(path), FUZZ_FRONT "%s",
		 name[which % (sizeof(name) / sizeof(*name))]);
	fake_xs_rm(path);
}

/* Write the nodes of a frontend that connects. */
static void fuzz_front_connects(struct fuzz_bytes *b)
{
	uint8_t how = fuzz_byte(b);

	fake_xs_set(FUZZ_FRONT "/ring-ref", "8");
	fake_xs_set(FUZZ_FRONT "/event-channel", "17");
	fake_xs_set(FUZZ_FRONT "/protocol",
		    how & 1 ? "x86_64-abi" : "x86_32-abi");
	fake_xs_set(FUZZ_FRONT "/state", how & 2 ? "4" : "3");
}

/* ---- what others do ----------------------------------------------------- */

/* Write a valid fault spec, or any bytes. */
static void fuzz_fault(struct fuzz_bytes *b)
{
	static const char *const some[] = {
		"",
		"error=read ratio=500000",
		"delay=5 jitter=2 iops=10",
		"freeze=1",
		"range=0+4096 error=all",
		"write-protect=1",
	};
	uint8_t how = fuzz_byte(b);
	char value[64];

	if (how < 128)
		fuzz_set(NODES_FAULT,
			 some[how % (sizeof(some) / sizeof(*some))]);
	else
		fuzz_back_set(NODES_FAULT, value,
			      fuzz_take(b, value, how % 64u));
}

static void fuzz_tool(uint8_t how)
{
	/* Do not make a directory without a state node. */
	if (how % 10 <= 5 && !fuzz_get("/state"))
		return;
	switch (how % 10) {
	case 0:
		fuzz_set("online", "0");
		fuzz_set("state", "5");
		break;
	case 1:
		fuzz_set("online", "0");
		break;
	case 2:
		fake_xs_rm(nodes.back);
		break;
	case 3:
		fuzz_set("hotplug-status", "connected");
		break;
	case 4:
		fuzz_fault(nodes.input);
		break;
	case 5:
		fuzz_tool_set("store", "/another");
		break;
	case 6:
		fake_xs_introduce(5, how & 64);
		break;
	case 7:
		nodes.host.stopping = how & 64;
		break;
	case 8:
		fuzz_attach_nodes("/seed.img", "w");
		break;
	case 9:
		fuzz_attach_nodes("/other.img", "r");
		break;
	}
}

static void fuzz_check_connect(const struct blkback_message *msg)
{
	uint32_t refs = msg->u.connect.nr_refs;

	fuzz_check(msg->u.connect.protocol < BLKBACK_PROTOCOLS, "a protocol");
	fuzz_check(msg->u.connect.persistent <= 1, "persistent or not");
	fuzz_check(refs && refs <= BLKBACK_MAX_RING_REFS &&
			   !(refs & (refs - 1)),
		   "pages of a ring");
	fuzz_check(msg->u.connect.nr_queues >= 1 &&
			   msg->u.connect.nr_queues <= FUZZ_QUEUES,
		   "queues that were offered");
}

/* Receive and check all messages to the worker. */
static void fuzz_worker_receives(void)
{
	static struct blkback_message msg;

	while (nodes.worker >= 0 && !blkback_control_recv(nodes.worker, &msg))
		if (msg.type == BLKBACK_CONNECT)
			fuzz_check_connect(&msg);
}

static void fuzz_worker_sends(uint8_t how)
{
	static const uint8_t type[] = {
		BLKBACK_ATTACHED, BLKBACK_CONNECTED,  BLKBACK_DISCONNECTED,
		BLKBACK_FAILED,   BLKBACK_RING_ERROR, BLKBACK_FAULT_SET,
	};
	struct blkback_message msg;

	if (nodes.worker < 0)
		return;
	fuzz_worker_receives();
	blkback_message_init(&msg, type[how % sizeof(type)]);
	if (msg.type == BLKBACK_ATTACHED)
		msg.u.attached.size = 1024 * 1024;
	else
		memset(&msg.u, how, sizeof(msg.u));
	if (how & 128)
		msg.version++;
	(void)blkback_control_send(nodes.worker, &msg);
	blkback_device_message(nodes.dev, nodes.now);
}

static void fuzz_worker_dies(int status)
{
	if (!nodes.pid)
		return;
	close(nodes.worker);
	nodes.worker = -1;
	nodes.pid = 0;
	/* Some have answered requests, and some leave a journal. */
	nodes.answered += nodes.started & 1;
	nodes.has_leftovers = status & 0x10;
	blkback_device_message(nodes.dev, nodes.now);
	blkback_device_worker_died(nodes.dev, status & ~0x10, nodes.now);
}

/* Another process writes during a transaction. */
static void fuzz_in_transaction(void)
{
	if (fuzz_byte(nodes.input) & 1)
		fuzz_tool(fuzz_byte(nodes.input));
	else
		fuzz_front_node(nodes.input);
}

/* ---- running ------------------------------------------------------------ */

static void fuzz_new_device(void)
{
	nodes.dev = blkback_device_new(&nodes.host, nodes.kind, 5, 51712);
	fuzz_check(nodes.dev != NULL, "memory");
}

/* Mark the device by the bits of @watches and run it. True when it was over. */
static bool fuzz_run_device(unsigned watches)
{
	bool there;

	nodes.dev->back_dirty |= watches & 1;
	nodes.dev->front_dirty |= watches >> 1 & 1;
	nodes.dev->domain_dirty |= watches >> 2 & 1;
	fake_xs_questions = 0;
	there = blkback_device_run(nodes.dev, nodes.now);
	fuzz_check(fake_xs_questions < FUZZ_MAX_REQUESTS,
		   "few requests to xenstore");
	fuzz_worker_receives();
	if (there)
		return false;
	blkback_device_free(nodes.dev);
	nodes.dev = NULL;
	fuzz_check(!nodes.pid, "no worker of a device that is over");
	fuzz_check(!fake_xs_watches, "no watch of a device that is over");
	return true;
}

static void fuzz_nodes_command(struct fuzz_bytes *b)
{
	uint8_t command = fuzz_byte(b);

	switch (command % 11) {
	case 0:
	case 1:
		fuzz_front_node(b);
		break;
	case 2:
		fuzz_front_remove(command / 11);
		break;
	case 3:
		fuzz_front_connects(b);
		break;
	case 4:
		fuzz_tool(fuzz_byte(b));
		break;
	case 5:
	case 6:
		fuzz_worker_sends(fuzz_byte(b));
		break;
	case 7:
		fuzz_worker_dies((command & 1 ? SIGKILL : command & 0xe0) |
				 (command & 2 ? 0x10 : 0));
		break;
	case 8:
		nodes.now += 1000 * fuzz_byte(b);
		break;
	case 9:
		fake_xs_in_transaction = fuzz_in_transaction;
		break;
	case 10:
		if (command & 128)
			blkback_device_stop(nodes.dev, nodes.now);
		break;
	}
	/* Some watches fire later. */
	if (fuzz_run_device(command < 200 ? 7 : fuzz_byte(b)))
		fuzz_new_device();
}

/* The domain ends, and workers end when they are asked to. */
static void fuzz_nodes_end(void)
{
	unsigned i;

	fake_xs_in_transaction = NULL;
	fake_xs_introduce(5, false);
	fake_xs_rm("/local/domain/5");
	if (fuzz_get("/state"))
		fuzz_tool_set("store", "/fake");
	/* libxl removes its own nodes. */
	if (nodes.kind == BLKBACK_KIND_XL)
		fake_xs_rm(nodes.back);
	nodes.host.stopping = false;
	for (i = 0; i < 8; i++) {
		if (fuzz_run_device(7))
			break;
		fuzz_worker_dies(0);
		nodes.now += 10000;
	}
	fuzz_check(!nodes.dev, "a device without a domain is over");
	fuzz_check(!fuzz_get(""), "its nodes have gone");
}

static inline void fuzz_nodes_history(const uint8_t *data, size_t len)
{
	struct fuzz_bytes b = { data, len };
	uint8_t how;

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	fake_xs_reset();
	memset(&nodes, 0, sizeof(nodes));
	nodes.host =
		(struct blkback_host){ .xs = xs_open(0),
				       .store = "/fake",
				       .start_worker = fuzz_start_worker,
				       .kill_worker = fuzz_kill_worker,
				       .adopt_worker = fuzz_adopt_worker,
				       .has_leftovers = fuzz_has_leftovers,
				       .count_answered = fuzz_count_answered,
				       .clear_leftovers = fuzz_end_leftovers,
				       .end_leftovers = fuzz_end_leftovers,
				       .build = "ours",
				       .max_queues = FUZZ_QUEUES };
	how = fuzz_byte(&b);
	nodes.kind = how & 1 ? BLKBACK_KIND_XL : BLKBACK_KIND_TOOL;
	nodes.worker_left = how & 2;
	nodes.has_leftovers = how & 4;
	nodes.back = nodes.kind == BLKBACK_KIND_XL
			     ? "/local/domain/0/" NODES_XL_BACKEND "/5/51712"
			     : "/local/domain/0/" NODES_BACKEND "/5/51712";
	nodes.worker = -1;
	nodes.input = &b;
	nodes.now = 1000;
	fake_xs_introduce(5, true);
	fuzz_attach_nodes("/seed.img", "w");
	fuzz_new_device();
	fuzz_run_device(7);
	while (b.len)
		fuzz_nodes_command(&b);
	fuzz_nodes_end();
}

#endif
