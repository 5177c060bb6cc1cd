/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker attaches: opens all files and devices, then enters the sandbox. The
 * worker's first thread; no locks.
 *
 * ONE WORKER. A device has one worker. The worker listens before it attaches, and
 * then checks that its supervisor still runs. If the supervisor has ended, the
 * next supervisor may have started another worker already, so this worker gives
 * up. If it still runs, the next supervisor will find this worker listening.
 *
 * SANDBOX. The worker enters the sandbox when everything is open, before it reads
 * any byte of the guest. It closes what only an attach needs. After that it cannot remove files; the supervisor does,
 * as for a worker that was killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/blkback/common/error.h"
#include "drivers/blkback/common/log.h"
#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/worker/sandbox.h"
#include "drivers/blkback/worker/state.h"

enum peer {
	PEER_SILENT,
	PEER_MESSAGE,
	PEER_CLOSED
};

/* The state of the control socket. A message stays in the socket. */
static enum peer peek_control(const struct worker *w)
{
	char first;
	ssize_t n = recv(w->control, &first, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		return PEER_MESSAGE;
	return n == 0 || (errno != EAGAIN && errno != EINTR) ? PEER_CLOSED
							     : PEER_SILENT;
}

/*
 * Nonzero cancels a long load. Any message during an attach means END. If the
 * supervisor is gone, cancel only when no guest is connected: a connected guest
 * waits for its disk under the next supervisor as well.
 */
static int on_progress(void *arg, uint64_t done, uint64_t total)
{
	struct worker *w = arg;
	enum peer peer = peek_control(w);

	(void)done;
	(void)total;
	if (peer == PEER_MESSAGE)
		w->over = true;
	return w->over ||
	       (peer == PEER_CLOSED && w->resume == BLKBACK_RESUME_NONE);
}

static int open_grants(struct worker *w, unsigned i, struct rd_error *err)
{
	if (!w->xen[i].gnttab)
		w->xen[i].gnttab = xengnttab_open(blkback_log_of_xen(), 0);
	if (w->xen[i].gnttab)
		return 0;
	return blkback_fail(err, -EIO, "cannot open /dev/xen/gntdev: %s",
			    strerror(errno));
}

static int open_events(struct worker *w, unsigned i, struct rd_error *err)
{
	xenevtchn_handle *evtchn;
	int rc;

	if (w->xen[i].evtchn)
		return 0;
	evtchn = xenevtchn_open(blkback_log_of_xen(), 0);
	if (!evtchn)
		return blkback_fail(err, -EIO,
				    "cannot open /dev/xen/evtchn: %s",
				    strerror(errno));
	rc = blkback_wakeup_init(&w->xen[i].wakeup, evtchn, err);
	if (rc)
		xenevtchn_close(evtchn);
	else
		w->xen[i].evtchn = evtchn;
	return rc;
}

int blkback_worker_open_xen(struct worker *w, unsigned n, struct rd_error *err)
{
	unsigned i;
	int rc = 0;

	for (i = 0; !rc && i < n; i++) {
		rc = open_grants(w, i, err);
		if (!rc)
			rc = open_events(w, i, err);
	}
	return rc;
}

/*
 * Find the disk of the attachment that a dead worker left. The store knows it: the
 * journal is not asked, since the dead worker could write it. @id stays as it is
 * if there is no attachment.
 */
static int find_attachment(const struct worker *w, struct rd_store *store,
			   const struct blkback_message *msg,
			   char id[RD_ID_MAX], struct rd_error *err)
{
	int rc;

	if (w->resume == BLKBACK_RESUME_NONE)
		return 0;
	rc = rd_find_durable(store, msg->u.attach.label, id);
	if (rc != -ENOENT)
		return rc;
	if (w->resume == BLKBACK_RESUME_CONNECTED &&
	    atomic_load(&w->journal->state) != BLKBACK_JOURNAL_DISCONNECTED)
		return blkback_fail(
			err, -ENOENT,
			"the disk that the frontend is connected to is not loaded any more");
	return 0;
}

static int attach_in_store(struct worker *w, struct rd_store *store,
			   const struct blkback_message *msg,
			   struct rd_error *err)
{
	struct rd_attach_request req = {
		.seed = msg->u.attach.seed,
		.flags = RD_DURABLE |
			 (msg->u.attach.private_view ? RD_PRIVATE : 0),
		.writable = msg->u.attach.writable != 0,
		.label = msg->u.attach.label,
		.progress = on_progress,
		.progress_arg = w,
	};
	char id[RD_ID_MAX];
	int rc;

	snprintf(id, sizeof(id), "%s", msg->u.attach.disk);
	rc = find_attachment(w, store, msg, id, err);
	if (rc)
		return rc;
	if (*id) { /* the disk is loaded: do not compare it with the seed */
		req.seed = NULL;
		req.name = id;
		req.flags |= RD_EXISTING;
	}
	/* A view of a point does not load the disk that has it. */
	if (msg->u.attach.point[0])
		return rd_attach_point(store, &req, msg->u.attach.point,
				       &w->disk, err);
	return rd_attach(store, &req, &w->disk, err);
}

static int attach_disk(struct worker *w, const struct blkback_message *msg,
		       struct rd_error *err)
{
	struct rd_store *store;
	int rc = rd_store_open(&store, msg->u.attach.store, err);

	if (rc)
		return rc;
	rc = attach_in_store(w, store, msg, err);
	rd_store_close(store);
	return rc;
}

static int open_journal(struct worker *w, const struct blkback_message *msg,
			struct rd_error *err)
{
	char name[64];

	w->store = open(msg->u.attach.store,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->store < 0)
		return blkback_fail(err, -EIO,
				    "cannot open the store's directory: %s",
				    strerror(errno));
	snprintf(name, sizeof(name), NODES_JOURNAL, w->domid, w->devid);
	return blkback_journal_open(&w->journal, w->store, name, err);
}

/* Not for Domain-0: Linux has no restriction to domain 0. */
static void restrict_handles(struct worker *w)
{
	unsigned i;

	/* Also handles that were opened ahead and are not used. */
	for (i = 0; w->domid && i < BLKBACK_MAX_QUEUES; i++)
		if (w->xen[i].evtchn &&
		    xenevtchn_restrict(w->xen[i].evtchn, w->domid))
			blkback_log_gated(
				&w->gates.failed, BLKBACK_WARNING,
				"cannot restrict event channels to the domain: %s",
				strerror(errno));
}

static int enter_sandbox(struct worker *w, struct rd_error *err)
{
	int rc;

	if (!w->sandbox)
		return 0;
	restrict_handles(w);
	/* An open directory would be a way to other files. */
	close(w->store);
	w->store = -1;
	rc = rd_confine(w->disk);
	if (rc)
		return blkback_fail(err, rc,
				    "cannot open the disk's lock files: %s",
				    strerror(-rc));
	rc = blkback_sandbox_enter(rd_longest_file(w->disk), err);
	w->inside = !rc;
	return rc;
}

/* See ONE WORKER above. */
static int become_the_worker(struct worker *w,
			     const struct blkback_message *msg,
			     struct rd_error *err)
{
	int rc;

	/* If it has ended, do not replace the socket of another worker. */
	if (peek_control(w) != PEER_CLOSED) {
		rc = open_journal(w, msg, err);
		if (!rc)
			rc = blkback_listen_open(w, err);
		if (rc || peek_control(w) != PEER_CLOSED)
			return rc;
	}
	return blkback_fail(
		err, -EPIPE,
		"xen-ramdiskd ended before its worker was ready; the next xen-ramdiskd attaches the disk");
}

/* The connection to resume may have more queues than are offered now. */
static void raise_max_queues(struct worker *w)
{
	uint32_t n = w->journal->connection.nr_queues;

	if (w->resume == BLKBACK_RESUME_CONNECTED && n <= BLKBACK_MAX_QUEUES &&
	    n > w->max_queues)
		w->max_queues = n;
}

int blkback_worker_attach(struct worker *w, const struct blkback_message *msg,
			  struct rd_error *err)
{
	int rc = become_the_worker(w, msg, err);

	if (rc)
		return rc;
	raise_max_queues(w);
	rc = blkback_worker_open_xen(w, w->max_queues, err);
	if (!rc)
		rc = attach_disk(w, msg, err);
	if (!rc)
		rc = blkback_lost_watch(w);
	return rc ? rc : enter_sandbox(w, err);
}
