/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker process of one vbd. Owns one attachment to a disk, the queues of the
 * connected frontend and their Xen handles. It does not use xenstore: messages of
 * the supervisor on the control socket start every action. The first thread serves
 * the socket; it waits in poll() and for a seed to load, and touches no ring. Each
 * queue has a thread of its own. No locks but those of faults.c and of the store.
 *
 * END. On END the worker detaches. When the supervisor ends, the worker goes on
 * and listens for the next supervisor (listen.c). On SIGTERM it answers the
 * requests that it took, and leaves the connection to the next worker. After any
 * other death the attachment stays as well, and the next worker resumes from the
 * journal: the guest sees a pause.
 *
 * SPARE. A spare worker (supervisor/spare.h) prepares itself before it has a
 * device. If its supervisor ends before that, it waits for the next supervisor for
 * SPARE_WAIT, since no guest needs it.
 */
#include "drivers/blkback/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "drivers/blkback/common/error.h"
#include "drivers/blkback/common/log.h"
#include "drivers/blkback/common/self.h"
#include "drivers/blkback/worker/sandbox.h"
#include "drivers/blkback/worker/state.h"
#include "include/private/clock.h"

#define SPARE_WAIT 30000 /* ms that a spare worker waits for a supervisor */

static int send_failed(struct worker *w, enum blkback_message_type which,
		       const char *text)
{
	int rc = blkback_control_send_text(w->control, BLKBACK_FAILED, which,
					   text);

	/* The supervisor logs the text; log it here if it was not sent. */
	if (rc)
		blkback_log_gated(&w->gates.failed, BLKBACK_WARNING, "%s",
				  text);
	return rc;
}

/* Sent after an attach, and to each new supervisor. */
static int send_attached(struct worker *w)
{
	struct blkback_message reply;

	blkback_message_init(&reply, BLKBACK_ATTACHED);
	reply.u.attached.size = rd_size(w->disk);
	reply.u.attached.connected = w->nr_queues > 0;
	snprintf(reply.u.attached.build, sizeof(reply.u.attached.build), "%s",
		 w->build);
	return blkback_control_send(w->control, &reply);
}

/* Use the device's number for files, log lines and ps. */
static void set_device(struct worker *w, uint32_t domid, uint32_t devid)
{
	w->domid = (uint16_t)domid;
	w->devid = devid;
	snprintf(w->label, sizeof(w->label), "%u/%u", domid, devid);
	blkback_log_name(w->label);
	if (w->title)
		blkback_self_set_title(w->title, w->label);
}

static int do_attach(struct worker *w, const struct blkback_message *msg)
{
	struct rd_error err = { "" };
	int rc;

	if (w->max_queues || msg->u.attach.max_queues < 1 ||
	    msg->u.attach.max_queues > BLKBACK_MAX_QUEUES)
		return -EPROTO;
	set_device(w, msg->u.attach.domid, msg->u.attach.devid);
	w->max_queues = msg->u.attach.max_queues;
	w->poll_us = msg->u.attach.poll_us;
	w->resume = msg->u.attach.resume;
	if (blkback_fault_valid(&msg->u.attach.fault))
		blkback_faults_set(&w->faults, &msg->u.attach.fault);
	rc = blkback_worker_attach(w, msg, &err);
	if (rc) {
		if (!err.text[0])
			blkback_fail(&err, rc, "cannot attach: %s",
				     strerror(-rc));
		return send_failed(w, BLKBACK_ATTACH, err.text);
	}
	if (blkback_worker_reconnect(w, &err))
		(void)send_failed(w, BLKBACK_CONNECT, err.text);
	return send_attached(w);
}

static int do_connect(struct worker *w, const struct blkback_message *msg)
{
	struct rd_error err = { "" };
	int rc = blkback_worker_connect(w, &msg->u.connect, &err);

	if (rc == -EPROTO)
		return rc;
	if (rc)
		return send_failed(w, BLKBACK_CONNECT, err.text);
	return blkback_control_send_type(w->control, BLKBACK_CONNECTED);
}

static bool is_spare(const struct worker *w)
{
	return w->options && !w->max_queues;
}

static int send_ready(struct worker *w)
{
	const char *margin = getenv(RD_MARGIN_VARIABLE);
	struct blkback_message msg;

	blkback_message_init(&msg, BLKBACK_READY);
	snprintf(msg.u.ready.build, sizeof(msg.u.ready.build), "%s", w->build);
	msg.u.ready.level = w->options->level;
	msg.u.ready.foreground = w->options->foreground;
	msg.u.ready.no_sandbox = w->options->no_sandbox;
	snprintf(msg.u.ready.margin, sizeof(msg.u.ready.margin), "%s",
		 margin ? margin : "");
	return blkback_control_send(w->control, &msg);
}

/* A spare worker listens for the next supervisor. 0, or -errno: it cannot. */
static int start_spare_wait(struct worker *w)
{
	if (!w->options->store)
		return -EPIPE;
	w->store = open(w->options->store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->store < 0 || blkback_listen_open(w, NULL))
		return -EPIPE;
	w->until = clock_now_ms() + SPARE_WAIT;
	return 0;
}

/* Undo start_spare_wait(). */
static void end_spare_wait(struct worker *w)
{
	blkback_listen_remove_files(w);
	blkback_listen_close(w);
	close(w->store);
	w->store = -1;
	w->until = 0;
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

static int handle_message(struct worker *w)
{
	static struct blkback_message msg;
	int rc = blkback_control_recv(w->control, &msg);

	if (rc)
		return rc == -EAGAIN ? 0 : rc;
	switch (msg.type) {
	case BLKBACK_ATTACH:
		return do_attach(w, &msg);
	case BLKBACK_CONNECT:
		return do_connect(w, &msg);
	case BLKBACK_DISCONNECT:
		blkback_worker_disconnect(w, false);
		return blkback_control_send_type(w->control,
						 BLKBACK_DISCONNECTED);
	case BLKBACK_FAULT:
		return do_fault(w, &msg);
	case BLKBACK_END:
		w->over = true;
		return 0;
	default:
		return -EPROTO;
	}
}

/* 0, or -errno: the worker ends. */
static int handle_control(struct worker *w)
{
	int rc = handle_message(w);

	if (!rc || !(w->disk || (is_spare(w) && rc == -EPIPE)))
		return rc;
	blkback_log(BLKBACK_INFO, "goes on without xen-ramdiskd: %s",
		    rc == -EPIPE ? "it has ended" : strerror(-rc));
	close(w->control);
	w->control = -1;
	return w->disk ? 0 : start_spare_wait(w);
}

static const char ring_error_text[] =
	"the frontend's ring has an impossible request index; the device is closed";

/* False: there is no supervisor, or the message was not sent. */
static bool send_ring_error(struct worker *w)
{
	return w->control >= 0 &&
	       !blkback_control_send_text(w->control, BLKBACK_RING_ERROR, 0,
					  ring_error_text);
}

/* A queue found impossible indexes in its ring and has stopped serving it. */
static int report_ring_error(struct worker *w)
{
	uint64_t n;

	if (read(w->ring_error_fd, &n, sizeof(n)) < 0)
		return errno == EAGAIN ? 0 : -errno;
	/* Once a connection, and not after the connection has ended. */
	if (!w->nr_queues || !w->serving)
		return 0;
	w->serving = false;
	if (!send_ring_error(w))
		blkback_log_gated(&w->gates.broken, BLKBACK_WARNING, "%s",
				  ring_error_text);
	return 0;
}

static void accept_supervisor(struct worker *w)
{
	blkback_listen_accept(w);
	if (w->control < 0)
		return;
	/* A failed send is ignored: handle_control() then gets end of file. */
	if (is_spare(w)) {
		end_spare_wait(w);
		(void)send_ready(w);
		return;
	}
	(void)send_attached(w);
	if (w->nr_queues && !w->serving)
		send_ring_error(w);
}

/* SIGTERM: leave disk and connection to the next worker. */
static int hand_over(struct worker *w)
{
	struct signalfd_siginfo info;

	if (read(w->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	blkback_log(BLKBACK_INFO, "hands over to the next worker");
	blkback_worker_disconnect(w, true);
	return -EINTR;
}

static int handle_event(struct worker *w)
{
	struct pollfd p[5] = {
		{ .fd = w->control, .events = POLLIN },
		{ .fd = w->ring_error_fd, .events = POLLIN },
		{ .fd = w->signals, .events = POLLIN },
		{ .fd = w->control < 0 ? w->listener : -1, .events = POLLIN },
		{ .fd = w->lost_fd, .events = POLLIN },
	};
	int rc;

	rc = poll(p, 5, w->until ? SPARE_WAIT : -1);
	if (rc < 0)
		return errno == EINTR ? 0 : -errno;
	if (w->until && clock_now_ms() >= w->until) {
		w->over = true;
		return 0;
	}
	if (p[2].revents && (rc = hand_over(w)))
		return rc;
	if (p[4].revents)
		return blkback_lost_end(w);
	if (p[3].revents)
		accept_supervisor(w);
	if (p[1].revents) {
		rc = report_ring_error(w);
		if (rc)
			return rc;
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

static int open_worker(struct worker *w)
{
	sigset_t term;

	blkback_self_build(w->build, sizeof(w->build));
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	/* Before the first thread is created: threads inherit the mask. */
	if (pthread_sigmask(SIG_BLOCK, &term, NULL))
		return -EINVAL;
	w->signals = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
	w->ring_error_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->lost_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return w->signals < 0 || w->ring_error_fd < 0 || w->lost_fd < 0 ? -errno
									: 0;
}

/*
 * Do what needs no device, so that no guest waits for it. The attach repeats what
 * failed here, and reports a failure.
 */
static void prepare_spare(struct worker *w)
{
	if (w->sandbox)
		(void)blkback_sandbox_prepare(NULL);
	(void)blkback_worker_open_xen(w, blkback_self_queues(), NULL);
	/* If there is no supervisor, handle_control() gets end of file. */
	(void)send_ready(w);
}

static void close_worker(struct worker *w, bool detach)
{
	blkback_worker_disconnect(w, !detach);
	/*
	 * Without @detach the attachment stays for the next worker. Inside the
	 * sandbox the worker cannot remove files: the supervisor detaches.
	 */
	if (w->inside)
		detach = false;
	blkback_lost_ignore();
	if (w->disk && detach)
		rd_detach(w->disk);
	if (detach)
		blkback_listen_remove_files(w);
	blkback_listen_close(w);
	blkback_journal_close(w->journal);
	close_xen(w);
	if (w->signals >= 0)
		close(w->signals);
	if (w->ring_error_fd >= 0)
		close(w->ring_error_fd);
	if (w->lost_fd >= 0)
		close(w->lost_fd);
	if (w->store >= 0)
		close(w->store);
}

static void end_gates(struct blkback_batch_gates *g)
{
	blkback_gate_end(&g->refused, NULL, "refused requests");
	blkback_gate_end(&g->copy_failed, NULL,
			 "pages that could not be copied");
	blkback_gate_end(&g->store_failed, NULL,
			 "requests that the disk refused");
	blkback_gate_end(&g->events_failed, NULL, "event channels");
	blkback_gate_end(&g->storm, NULL, "events without requests");
	blkback_gate_end(&g->faulted, NULL, "injected faults");
	blkback_gate_end(&g->failed, NULL, "connections that failed");
	blkback_gate_end(&g->torn, NULL, "blocks that killed processes left");
	blkback_gate_end(&g->stuck, NULL, "blocks that stay locked");
	blkback_gate_end(&g->broken, NULL, "rings with impossible indexes");
}

int blkback_worker_run(int control, bool sandbox, char *title,
		       const struct blkback_options *options)
{
	struct worker w = { .control = control,
			    .listener = -1,
			    .signals = -1,
			    .ring_error_fd = -1,
			    .lost_fd = -1,
			    .store = -1,
			    .sandbox = sandbox,
			    .title = title,
			    .options = options };
	int rc = open_worker(&w);

	blkback_faults_init(&w.faults);
	if (!rc && options)
		prepare_spare(&w);
	while (!rc && !w.over)
		rc = handle_event(&w);
	if (rc && rc != -EPIPE && rc != -EINTR)
		blkback_log(BLKBACK_ERROR, "the worker ends: %s",
			    strerror(-rc));
	end_gates(&w.gates);
	/* Detach on END, or without a device; else the next worker resumes. */
	close_worker(&w, w.over || !w.max_queues);
	blkback_log_name(NULL);
	return rc == 0 || rc == -EPIPE || rc == -EINTR ? 0 : 1;
}
