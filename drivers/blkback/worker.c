/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker process of one vbd. Owns one attachment to a disk, the queues of
 * the connected frontend and their Xen handles, and knows nothing of xenstore:
 * what the supervisor says on the control socket is all that it does. Its
 * first thread is the socket's, waits in poll() and for a seed that loads, and
 * touches no ring; each queue has a thread of its own.
 */
#include "worker.h"
#include "control.h"
#include "log.h"
#include "queue.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct worker {
	int control;
	int trouble; /* eventfd that queues raise */
	uint16_t domid;
	unsigned max_queues; /* 0: not attached yet */
	struct {
		xengnttab_handle *gnttab;
		xenevtchn_handle *evtchn;
	} xen[BLKBACK_MAX_QUEUES];
	struct rd_disk *disk;
	struct blkback_queue *queue[BLKBACK_MAX_QUEUES];
	unsigned nr_queues; /* connected */
	bool serving; /* and none of them is in trouble */
	struct blkback_io_gates gates;
	struct blkback_faults faults;
};

static int send_failed(struct worker *w, enum blkback_message_type which,
		       const char *text)
{
	blkback_log(BLKBACK_WARNING, "%s", text);
	return blkback_control_send_text(w->control, BLKBACK_FAILED, which,
					 text);
}

static bool supervisor_gone(const struct worker *w)
{
	struct pollfd p = { .fd = w->control };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

/* Gives a long load up when nobody waits for it any more. */
static int on_progress(void *arg, uint64_t done, uint64_t total)
{
	(void)done;
	(void)total;
	return supervisor_gone(arg);
}

/* Handles for each queue: their threads share none. */
static int open_xen(struct worker *w, char *text, size_t size)
{
	unsigned i;

	for (i = 0; i < w->max_queues; i++) {
		w->xen[i].gnttab = xengnttab_open(NULL, 0);
		if (!w->xen[i].gnttab) {
			snprintf(text, size, "cannot open /dev/xen/gntdev: %s",
				 strerror(errno));
			return -EIO;
		}
		w->xen[i].evtchn = xenevtchn_open(NULL, 0);
		if (!w->xen[i].evtchn) {
			snprintf(text, size, "cannot open /dev/xen/evtchn: %s",
				 strerror(errno));
			return -EIO;
		}
	}
	return 0;
}

static int attach_disk(struct worker *w, const struct blkback_message *msg,
		       struct rd_error *err)
{
	struct rd_attach_request req = {
		.seed = msg->u.attach.seed,
		.flags = msg->u.attach.private_view ? RD_PRIVATE : 0,
		.writable = msg->u.attach.writable != 0,
		.label = msg->u.attach.label,
		.progress = on_progress,
		.progress_arg = w,
	};
	struct rd_store *store;
	int ret;

	if (msg->u.attach.disk[0]) { /* loaded already, whatever the seed is now */
		req.seed = NULL;
		req.name = msg->u.attach.disk;
		req.flags |= RD_EXISTING;
	}
	ret = rd_store_open(&store, msg->u.attach.store, err);
	if (ret)
		return ret;
	ret = rd_attach(store, &req, &w->disk, err);
	rd_store_close(store);
	return ret;
}

static int do_attach(struct worker *w, const struct blkback_message *msg)
{
	struct blkback_message reply;
	struct rd_error err = { "" };
	int ret;

	if (w->max_queues || msg->u.attach.max_queues < 1 ||
	    msg->u.attach.max_queues > BLKBACK_MAX_QUEUES)
		return -EPROTO;
	w->domid = (uint16_t)msg->u.attach.domid;
	w->max_queues = msg->u.attach.max_queues;
	ret = open_xen(w, err.text, sizeof(err.text));
	if (!ret)
		ret = attach_disk(w, msg, &err);
	if (ret) {
		if (!err.text[0])
			snprintf(err.text, sizeof(err.text),
				 "cannot attach: %s", strerror(-ret));
		return send_failed(w, BLKBACK_ATTACH, err.text);
	}
	blkback_message_init(&reply, BLKBACK_ATTACHED);
	reply.u.attached.size = rd_size(w->disk);
	return blkback_control_send(w->control, &reply);
}

static void disconnect_queues(struct worker *w)
{
	while (w->nr_queues)
		blkback_queue_stop(w->queue[--w->nr_queues]);
}

static int connect_queues(struct worker *w, const struct blkback_message *msg,
			  char *text, size_t size)
{
	struct blkback_queue_setup setup = {
		.io.disk = w->disk,
		.io.limits.sectors = rd_size(w->disk) / BLKBACK_SECTOR,
		.io.limits.writable = rd_writable(w->disk),
		.io.domid = w->domid,
		.io.persistent = msg->u.connect.persistent != 0,
		.io.gates = &w->gates,
		.io.faults = &w->faults,
		.protocol = msg->u.connect.protocol,
		.nr_refs = msg->u.connect.nr_refs,
		.trouble = w->trouble,
	};
	unsigned i;
	int ret;

	for (i = 0; i < msg->u.connect.nr_queues; i++) {
		setup.io.gnttab = w->xen[i].gnttab;
		setup.io.evtchn = w->xen[i].evtchn;
		setup.refs = msg->u.connect.queue[i].refs;
		setup.event_channel = msg->u.connect.queue[i].event_channel;
		ret = blkback_queue_start(&w->queue[i], &setup, text, size);
		if (ret) {
			disconnect_queues(w);
			return ret;
		}
		w->nr_queues++;
	}
	w->serving = true;
	return 0;
}

static int do_connect(struct worker *w, const struct blkback_message *msg)
{
	char text[BLKBACK_TEXT_MAX];

	if (!w->disk || w->nr_queues ||
	    msg->u.connect.protocol >= BLKBACK_PROTOCOLS ||
	    msg->u.connect.nr_refs < 1 ||
	    msg->u.connect.nr_refs > BLKBACK_MAX_RING_REFS ||
	    msg->u.connect.nr_queues < 1 ||
	    msg->u.connect.nr_queues > w->max_queues)
		return -EPROTO;
	if (connect_queues(w, msg, text, sizeof(text)))
		return send_failed(w, BLKBACK_CONNECT, text);
	return blkback_control_send_type(w->control, BLKBACK_CONNECTED);
}

static int do_fault(struct worker *w, const struct blkback_message *msg)
{
	struct blkback_message reply;
	unsigned i;

	if (!blkback_fault_valid(&msg->u.fault))
		return -EPROTO;
	blkback_faults_set(&w->faults, &msg->u.fault);
	for (i = 0; i < w->nr_queues; i++)
		blkback_queue_kick(w->queue[i]);
	blkback_message_init(&reply, BLKBACK_FAULT_SET);
	reply.u.fault = msg->u.fault;
	return blkback_control_send(w->control, &reply);
}

/* 0, or -errno when there is nobody left to work for. */
static int handle_control(struct worker *w)
{
	static struct blkback_message msg;
	int ret = blkback_control_recv(w->control, &msg);

	if (ret)
		return ret == -EAGAIN ? 0 : ret;
	switch (msg.type) {
	case BLKBACK_ATTACH:
		return do_attach(w, &msg);
	case BLKBACK_CONNECT:
		return do_connect(w, &msg);
	case BLKBACK_DISCONNECT:
		disconnect_queues(w);
		return blkback_control_send_type(w->control,
						 BLKBACK_DISCONNECTED);
	case BLKBACK_FAULT:
		return do_fault(w, &msg);
	default:
		return -EPROTO;
	}
}

/* A queue has found its ring impossible and does not look at it any more. */
static int report_trouble(struct worker *w)
{
	static const char text[] =
		"the frontend's ring has an impossible request index; the device is closed";
	uint64_t n;

	if (read(w->trouble, &n, sizeof(n)) < 0)
		return errno == EAGAIN ? 0 : -errno;
	/* Once a connection; also not for one that has ended meanwhile. */
	if (!w->nr_queues || !w->serving)
		return 0;
	w->serving = false;
	blkback_log(BLKBACK_WARNING, "%s", text);
	return blkback_control_send_text(w->control, BLKBACK_RING_ERROR, 0,
					 text);
}

static int step(struct worker *w)
{
	struct pollfd p[2] = {
		{ .fd = w->control, .events = POLLIN },
		{ .fd = w->trouble, .events = POLLIN },
	};
	int ret;

	if (poll(p, 2, -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (p[1].revents) {
		ret = report_trouble(w);
		if (ret)
			return ret;
	}
	return p[0].revents ? handle_control(w) : 0;
}

static void close_xen(struct worker *w)
{
	unsigned i;

	for (i = 0; i < BLKBACK_MAX_QUEUES; i++) {
		if (w->xen[i].evtchn)
			xenevtchn_close(w->xen[i].evtchn);
		if (w->xen[i].gnttab)
			xengnttab_close(w->xen[i].gnttab);
	}
}

int blkback_worker_run(int control)
{
	struct worker w = { .control = control };
	int ret;

	blkback_faults_init(&w.faults);
	w.trouble = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = w.trouble < 0 ? -errno : 0;
	while (!ret)
		ret = step(&w);
	if (ret != -EPIPE)
		blkback_log(BLKBACK_ERROR, "the worker ends: %s",
			    strerror(-ret));
	disconnect_queues(&w);
	if (w.disk)
		rd_detach(w.disk);
	close_xen(&w);
	if (w.trouble >= 0)
		close(w.trouble);
	return ret == -EPIPE ? 0 : 1;
}
