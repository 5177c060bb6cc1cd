/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker process of one vbd. Owns one attachment to a disk, one ring and
 * one event channel, and knows nothing of xenstore: what the supervisor says
 * on the control socket is all that it does. One thread; it waits in poll()
 * and nowhere else, but for a seed that loads and a block that another
 * process is writing.
 */
#include "worker.h"
#include "control.h"
#include "io.h"
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct worker {
	int control;
	xengnttab_handle *gnttab;
	xenevtchn_handle *evtchn;
	struct rd_disk *disk;
	struct blkback_io *io; /* of the connected ring */
	void *ring_pages;
	unsigned nr_ring_pages;
	uint16_t domid;
	bool connected; /* a ring is mapped */
	bool serving; /* and may be used */
	struct blkback_gate events_failed;
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

static int open_xen(struct worker *w, char *text, size_t size)
{
	if (!w->gnttab)
		w->gnttab = xengnttab_open(NULL, 0);
	if (!w->gnttab) {
		snprintf(text, size, "cannot open /dev/xen/gntdev: %s",
			 strerror(errno));
		return -EIO;
	}
	if (!w->evtchn)
		w->evtchn = xenevtchn_open(NULL, 0);
	if (!w->evtchn) {
		snprintf(text, size, "cannot open /dev/xen/evtchn: %s",
			 strerror(errno));
		return -EIO;
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

	if (w->disk)
		return -EPROTO;
	w->domid = (uint16_t)msg->u.attach.domid;
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

/* Unmapped before the supervisor says Closed (XSA-396). */
static void disconnect_ring(struct worker *w)
{
	if (!w->connected)
		return;
	xenevtchn_unbind(w->evtchn, w->io->s.port);
	xengnttab_unmap(w->gnttab, w->ring_pages, w->nr_ring_pages);
	blkback_io_free(w->io);
	w->io = NULL;
	w->ring_pages = NULL;
	w->connected = false;
	w->serving = false;
}

static int map_ring(struct worker *w, const struct blkback_message *msg,
		    char *text, size_t size)
{
	uint32_t refs[BLKBACK_MAX_RING_REFS];

	memcpy(refs, msg->u.connect.refs, sizeof(refs));
	w->nr_ring_pages = msg->u.connect.nr_refs;
	w->ring_pages = xengnttab_map_domain_grant_refs(w->gnttab,
		w->nr_ring_pages, w->domid, refs, PROT_READ | PROT_WRITE);
	if (w->ring_pages)
		return 0;
	snprintf(text, size,
		 "cannot map the frontend's ring (grant reference %u): %s",
		 refs[0], strerror(errno));
	return -EIO;
}

static int bind_event_channel(struct worker *w, uint32_t remote, char *text,
			      size_t size)
{
	int port = xenevtchn_bind_interdomain(w->evtchn, w->domid, remote);

	if (port < 0) {
		snprintf(text, size,
			 "cannot bind the frontend's event channel %u: %s",
			 remote, strerror(errno));
		return -EIO;
	}
	w->io->s.port = (evtchn_port_t)port;
	return 0;
}

static int connect_ring(struct worker *w, const struct blkback_message *msg,
			char *text, size_t size)
{
	struct blkback_io_setup setup = {
		.disk = w->disk,
		.limits.sectors = rd_size(w->disk) / BLKBACK_SECTOR,
		.limits.writable = rd_writable(w->disk),
		.gnttab = w->gnttab,
		.evtchn = w->evtchn,
		.domid = w->domid,
		.persistent = msg->u.connect.persistent != 0,
	};
	int ret;

	w->io = blkback_io_new(&setup);
	if (!w->io) {
		snprintf(text, size, "no memory for a ring");
		return -ENOMEM;
	}
	ret = map_ring(w, msg, text, size);
	if (ret)
		goto out_free;
	ret = blkback_ring_attach(&w->io->ring, w->ring_pages,
				  w->nr_ring_pages, msg->u.connect.protocol);
	if (ret) {
		snprintf(text, size,
			 "the frontend's ring has an impossible request index");
		goto out_unmap;
	}
	ret = bind_event_channel(w, msg->u.connect.event_channel, text, size);
	if (ret)
		goto out_unmap;
	w->connected = true;
	w->serving = true;
	return 0;

out_unmap:
	xengnttab_unmap(w->gnttab, w->ring_pages, w->nr_ring_pages);
out_free:
	blkback_io_free(w->io);
	w->io = NULL;
	w->ring_pages = NULL;
	return ret;
}

static int do_connect(struct worker *w, const struct blkback_message *msg)
{
	char text[BLKBACK_TEXT_MAX];

	if (!w->disk || w->connected ||
	    msg->u.connect.protocol >= BLKBACK_PROTOCOLS ||
	    msg->u.connect.nr_refs < 1 ||
	    msg->u.connect.nr_refs > 1u << BLKBACK_MAX_RING_ORDER)
		return -EPROTO;
	if (connect_ring(w, msg, text, sizeof(text)))
		return send_failed(w, BLKBACK_CONNECT, text);
	return blkback_control_send_type(w->control, BLKBACK_CONNECTED);
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
		disconnect_ring(w);
		return blkback_control_send_type(w->control,
						 BLKBACK_DISCONNECTED);
	default:
		return -EPROTO;
	}
}

/* An event says only that it is worth to look at the ring. */
static void take_event(struct worker *w)
{
	int port = xenevtchn_pending(w->evtchn);

	if (port >= 0 && xenevtchn_unmask(w->evtchn, (evtchn_port_t)port) == 0)
		return;
	blkback_log_gated(&w->events_failed, BLKBACK_WARNING,
			  "cannot take an event: %s", strerror(errno));
}

/* 1 when the ring has more, else 0; or -errno of the control socket. */
static int serve(struct worker *w)
{
	static const char text[] =
		"the frontend's ring has an impossible request index; the device is closed";
	int ret = blkback_io_run(w->io);

	if (ret >= 0)
		return ret;
	blkback_log(BLKBACK_WARNING, "%s", text);
	/* CVE-2010-4247: not looked at again, whatever it says. */
	w->serving = false;
	return blkback_control_send_text(w->control, BLKBACK_RING_ERROR, 0,
					 text);
}

static int step(struct worker *w, bool *more)
{
	struct pollfd p[2] = {
		{ .fd = w->control, .events = POLLIN },
		{ .fd = w->serving ? xenevtchn_fd(w->evtchn) : -1,
		  .events = POLLIN },
	};
	int ret;

	if (poll(p, 2, *more ? 0 : -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (p[0].revents) {
		/* Look at the ring once after each message: it may be new. */
		ret = handle_control(w);
		if (ret)
			return ret;
		*more = w->serving;
	}
	if (w->serving && p[1].revents) {
		take_event(w);
		*more = true;
	}
	if (!w->serving || !*more) {
		*more = false;
		return 0;
	}
	ret = serve(w);
	*more = ret > 0;
	return ret < 0 ? ret : 0;
}

int blkback_worker_run(int control)
{
	struct worker w = { .control = control };
	bool more = false;
	int ret;

	do {
		ret = step(&w, &more);
	} while (!ret);
	if (ret != -EPIPE)
		blkback_log(BLKBACK_ERROR, "the worker ends: %s",
			    strerror(-ret));
	disconnect_ring(&w);
	if (w.disk)
		rd_detach(w.disk);
	if (w.evtchn)
		xenevtchn_close(w.evtchn);
	if (w.gnttab)
		xengnttab_close(w.gnttab);
	return ret == -EPIPE ? 0 : 1;
}
