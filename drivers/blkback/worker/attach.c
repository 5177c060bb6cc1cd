/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker attaches: everything that it opens is opened here, and then the
 * sandbox is entered. The worker's first thread.
 *
 * ONE. A device has one worker. The door is open before anything is attached, and
 * then its supervisor has to be there still: the next one knocks, and either finds
 * this worker or starts another, which this one then leaves everything to.
 *
 * SANDBOX. It is entered when everything is open and nothing of the guest was
 * looked at yet. What needs a path from there on, the removal of files, is left
 * to the supervisor, which does the same for a worker that was killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/blkback/common/log.h"
#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/worker/sandbox.h"
#include "drivers/blkback/worker/state.h"

enum peer {
	PEER_SILENT,
	PEER_MESSAGE,
	PEER_CLOSED
};

/* Of the supervisor, without taking it. */
static enum peer listen_to(const struct worker *w)
{
	char first;
	ssize_t n = recv(w->control, &first, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		return PEER_MESSAGE;
	return n == 0 || (errno != EAGAIN && errno != EINTR) ? PEER_CLOSED
							     : PEER_SILENT;
}

/*
 * Gives a long load up when nobody waits for it any more. A guest that is
 * connected waits, whichever supervisor comes next. All that one says to a
 * worker that is attaching is to end.
 */
static int on_progress(void *arg, uint64_t done, uint64_t total)
{
	struct worker *w = arg;
	enum peer peer = listen_to(w);

	(void)done;
	(void)total;
	if (peer == PEER_MESSAGE)
		w->over = true;
	return w->over ||
	       (peer == PEER_CLOSED && w->resume == BLKBACK_RESUME_NONE);
}

static int open_grants(struct worker *w, unsigned i, char *text, size_t size)
{
	if (!w->xen[i].gnttab)
		w->xen[i].gnttab = xengnttab_open(blkback_log_of_xen(), 0);
	if (w->xen[i].gnttab)
		return 0;
	snprintf(text, size, "cannot open /dev/xen/gntdev: %s",
		 strerror(errno));
	return -EIO;
}

static int open_events(struct worker *w, unsigned i, char *text, size_t size)
{
	xenevtchn_handle *evtchn;
	int ret;

	if (w->xen[i].evtchn)
		return 0;
	evtchn = xenevtchn_open(blkback_log_of_xen(), 0);
	if (!evtchn) {
		snprintf(text, size, "cannot open /dev/xen/evtchn: %s",
			 strerror(errno));
		return -EIO;
	}
	ret = blkback_wakeup_init(&w->xen[i].wakeup, evtchn, text, size);
	if (ret)
		xenevtchn_close(evtchn);
	else
		w->xen[i].evtchn = evtchn;
	return ret;
}

int blkback_worker_open_xen(struct worker *w, unsigned n, char *text,
			    size_t size)
{
	unsigned i;
	int ret = 0;

	for (i = 0; !ret && i < n; i++) {
		ret = open_grants(w, i, text, size);
		if (!ret)
			ret = open_events(w, i, text, size);
	}
	return ret;
}

/* @again: the attachment of a dead worker, on the disk that it had. */
static int attach_disk(struct worker *w, const struct blkback_message *msg,
		       const char *again, struct rd_error *err)
{
	const char *id = again && *again ? again : msg->u.attach.disk;
	struct rd_attach_request req = {
		.seed = msg->u.attach.seed,
		.flags = RD_DURABLE |
			 (msg->u.attach.private_view ? RD_PRIVATE : 0),
		.writable = msg->u.attach.writable != 0,
		.label = msg->u.attach.label,
		.progress = on_progress,
		.progress_arg = w,
	};
	struct rd_store *store;
	int ret;

	if (*id) { /* loaded already, whatever the seed is now */
		req.seed = NULL;
		req.name = id;
		req.flags |= RD_EXISTING;
	}
	ret = rd_store_open(&store, msg->u.attach.store, err);
	if (ret)
		return ret;
	ret = rd_attach(store, &req, &w->disk, err);
	rd_store_close(store);
	return ret;
}

static int open_journal(struct worker *w, const struct blkback_message *msg,
			char *text, size_t size)
{
	char name[64];

	w->store = open(msg->u.attach.store,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->store < 0) {
		snprintf(text, size, "cannot open the store's directory: %s",
			 strerror(errno));
		return -EIO;
	}
	snprintf(name, sizeof(name), NODES_JOURNAL, w->domid, w->devid);
	return blkback_journal_open(&w->journal, w->store, name, text, size);
}

/* Domain-0 cannot be told from all domains; Linux refuses to be asked. */
static void restrict_handles(struct worker *w)
{
	unsigned i;

	/* Also those that were opened ahead and are not needed. */
	for (i = 0; w->domid && i < BLKBACK_MAX_QUEUES; i++)
		if (w->xen[i].evtchn &&
		    xenevtchn_restrict(w->xen[i].evtchn, w->domid))
			blkback_log_gated(
				&w->gates.failed, BLKBACK_WARNING,
				"cannot restrict event channels to the domain: %s",
				strerror(errno));
}

static int enter_sandbox(struct worker *w, char *text, size_t size)
{
	int ret;

	if (!w->sandbox)
		return 0;
	restrict_handles(w);
	/* No way to a path is left open. */
	close(w->store);
	w->store = -1;
	ret = blkback_sandbox_enter(text, size);
	w->inside = !ret;
	return ret;
}

/* See ONE above. */
static int take_place(struct worker *w, const struct blkback_message *msg,
		      char *text, size_t size)
{
	int ret;

	/* Else late already: another's door may be there by now, and stays. */
	if (listen_to(w) != PEER_CLOSED) {
		ret = open_journal(w, msg, text, size);
		if (!ret)
			ret = blkback_listen_open(w, text, size);
		if (ret || listen_to(w) != PEER_CLOSED)
			return ret;
	}
	snprintf(
		text, size,
		"xen-ramdiskd ended before its worker was ready; left to the next one");
	return -EPIPE;
}

/* A frontend may have more queues than are offered now. */
static void make_room(struct worker *w)
{
	uint32_t n = w->journal->connection.nr_queues;

	if (w->resume == BLKBACK_RESUME_CONNECTED && n <= BLKBACK_MAX_QUEUES &&
	    n > w->max_queues)
		w->max_queues = n;
}

int blkback_worker_attach(struct worker *w, const struct blkback_message *msg,
			  struct rd_error *err)
{
	const size_t size = sizeof(err->text);
	int ret = take_place(w, msg, err->text, size);

	if (ret)
		return ret;
	make_room(w);
	ret = blkback_worker_open_xen(w, w->max_queues, err->text, size);
	if (!ret)
		ret = attach_disk(w, msg, w->journal->disk, err);
	if (ret)
		return ret;
	snprintf(w->journal->disk, sizeof(w->journal->disk), "%s",
		 rd_id(w->disk));
	return enter_sandbox(w, err->text, size);
}
