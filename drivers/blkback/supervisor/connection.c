/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See connection.h. Supervisor's thread only; takes no lock.
 *
 * What xenstored loses, as seen with Xen 4.17: a live update of xenstored
 * (xenstore-control live-update) keeps all, its connections too, so that nothing
 * is noticed here. A xenstored that was killed and is started again has lost all
 * nodes, those of Domain-0 and of every domain. A missing node then does not
 * mean that a device was detached. The two cases are told apart by a node that
 * this daemon writes, as long as it runs.
 */
#include "drivers/blkback/supervisor/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/common/xenstore.h"
#include "drivers/blkback/supervisor/state.h"
#include "drivers/blkback/supervisor/watches.h"
#include "include/private/clock.h"

#define ANSWER_S 10u /* for all that one turn of the loop asks */
#define PROBE_MS 500 /* meanwhile no worker's death is noticed */
#define FIRST_PAUSE_MS 200
#define LONGEST_PAUSE_MS 5000

/* Relative, to the daemon's own domain; not of another daemon in it. */
static void name_mark(char path[BLKBACK_XPATH_MAX])
{
	snprintf(path, BLKBACK_XPATH_MAX, NODES_MARK, (unsigned)getpid());
}

static bool write_in_mark(struct blkback_supervisor *sup, const char *mark,
			  const char *node, const char *value)
{
	char path[BLKBACK_XPATH_MAX + 8];

	snprintf(path, sizeof(path), "%s%s", mark, node);
	return xs_write(sup->host.xs, XBT_NULL, path, value,
			(unsigned)strlen(value));
}

/* The store is last: a tool that reads it relies on the rest. */
static bool write_mark(struct blkback_supervisor *sup)
{
	char mark[BLKBACK_XPATH_MAX], format[12];

	name_mark(mark);
	snprintf(format, sizeof(format), "%u", RD_FORMAT);
	return write_in_mark(sup, mark, "", RD_VERSION) &&
	       write_in_mark(sup, mark, "/format", format) &&
	       write_in_mark(sup, mark, "/store", sup->host.store);
}

/* Remove @name of NODES_DATA, if it is the mark of a daemon of this store. */
static void remove_mark(struct blkback_supervisor *sup, const char *name)
{
	char path[BLKBACK_XPATH_MAX], store[BLKBACK_PATH_MAX];
	unsigned pid;

	if (sscanf(name, NODES_MARK_NAME, &pid) != 1 ||
	    pid == (unsigned)getpid())
		return;
	snprintf(path, sizeof(path), NODES_MARK, pid);
	if (!blkback_xenbus_read(sup->host.xs, path, "store", store,
				 sizeof(store)) &&
	    !strcmp(store, sup->host.store))
		xs_rm(sup->host.xs, XBT_NULL, path);
}

/* This daemon holds the store's lock, so the others of the store were killed. */
static void remove_old_marks(struct blkback_supervisor *sup)
{
	unsigned n = 0, i;
	char **names = xs_directory(sup->host.xs, XBT_NULL, NODES_DATA, &n);

	for (i = 0; names && i < n; i++)
		remove_mark(sup, names[i]);
	free(names);
}

int blkback_connection_open(struct blkback_supervisor *sup)
{
	int fd;
	bool by_socket;
	struct xs_handle *xs = blkback_xenstore_open(&fd, &by_socket);

	if (!xs)
		return errno ? -errno : -EIO;
	if (sup->host.xs)
		xs_close(sup->host.xs);
	if (sup->xenstore_end >= 0)
		close(sup->xenstore_end);
	sup->host.xs = xs;
	sup->xenstore_fd = fd;
	sup->by_socket = by_socket;
	sup->xenstore_end = by_socket ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	return 0;
}

int blkback_connection_begin(struct blkback_supervisor *sup)
{
	int rc = blkback_watches_set(sup);

	if (rc)
		return rc;
	remove_old_marks(sup);
	/* Without it every xenstored is taken for one that has kept its contents. */
	sup->marked = write_mark(sup);
	return 0;
}

void blkback_connection_end(struct blkback_supervisor *sup)
{
	char path[BLKBACK_XPATH_MAX];

	if (!sup->marked || sup->xenstore_lost)
		return;
	name_mark(path);
	xs_rm(sup->host.xs, XBT_NULL, path);
	sup->marked = false;
}

void blkback_connection_guard(struct blkback_supervisor *sup, bool on)
{
	blkback_xenstore_guard(sup->xenstore_fd, on ? ANSWER_S : 0);
}

static unsigned count_workers(const struct blkback_supervisor *sup)
{
	const struct blkback_device *dev;
	unsigned n = 0;

	for (dev = sup->devices; dev; dev = dev->next)
		n += dev->pid != 0;
	return n;
}

void blkback_connection_lost(struct blkback_supervisor *sup, int rc)
{
	bool hung = blkback_xenstore_hung();
	char why[64];

	if (hung)
		snprintf(why, sizeof(why), "no answer in %u seconds", ANSWER_S);
	else
		snprintf(why, sizeof(why), "%s", strerror(-rc));
	blkback_log(
		BLKBACK_ERROR,
		"xenstore is gone (%s); the workers of %u devices serve on, and attach and detach wait until xenstored is back",
		why, count_workers(sup));
	sup->xenstore_lost = true;
	sup->lost_at = clock_now_ms();
	sup->pause_ms = FIRST_PAUSE_MS;
	sup->reconnect_at = sup->lost_at + sup->pause_ms;
}

/* Whether the new xenstored has the nodes that were written before. */
static bool has_contents(struct blkback_supervisor *sup)
{
	char path[BLKBACK_XPATH_MAX];
	unsigned n;
	void *value;

	if (!sup->marked)
		return true;
	name_mark(path);
	value = xs_read(sup->host.xs, XBT_NULL, path, &n);
	free(value);
	return value || (errno != ENOENT && errno != EACCES);
}

/*
 * -errno if there is no xenstored that answers. Where xenstored has a socket,
 * nothing but the socket is tried: a request to the kernel's device could wait for
 * ever.
 */
static int open_again(struct blkback_supervisor *sup)
{
	int rc = blkback_xenstore_probe(PROBE_MS);

	if (rc && (rc != -ENOENT || sup->by_socket))
		return rc;
	return blkback_connection_open(sup);
}

/*
 * Xenstored has lost the nodes of all devices. What a domain has, its worker
 * knows; the worker serves on until the daemon is told to stop, or a tool makes
 * another device of the number.
 */
static void keep_devices(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;
	unsigned n = 0;

	for (dev = sup->devices; dev; dev = dev->next) {
		dev->nodes_lost = blkback_device_has_worker(dev) &&
				  dev->phase != BLKBACK_DRAINING;
		n += dev->nodes_lost;
	}
	blkback_log(
		n ? BLKBACK_ERROR : BLKBACK_WARNING,
		"xenstored was started again and has lost all nodes; the workers of %u devices serve their domains until xen-ramdiskd is stopped (xen-ramdiskd --stop), but nothing can be detached from these domains",
		n);
}

static int connect_again(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;
	bool kept;
	int rc = open_again(sup);

	if (rc)
		return rc;
	blkback_connection_guard(sup, true);
	kept = has_contents(sup);
	if (!kept)
		keep_devices(sup);
	/* Each watch fires once, which finds the devices that came meanwhile. */
	rc = blkback_connection_begin(sup);
	for (dev = sup->devices; dev && !rc; dev = dev->next)
		rc = blkback_device_watch_again(dev);
	blkback_connection_guard(sup, false);
	if (!rc && kept)
		blkback_log(BLKBACK_WARNING,
			    "xenstore is back after %" PRId64
			    " seconds; %zu devices are compared with it",
			    (clock_now_ms() - sup->lost_at + 500) / 1000,
			    sup->nr_devices);
	return rc;
}

int64_t blkback_connection_retry(struct blkback_supervisor *sup)
{
	if (!sup->xenstore_lost)
		return 0;
	if (clock_now_ms() < sup->reconnect_at)
		return sup->reconnect_at;
	if (!connect_again(sup)) {
		sup->xenstore_lost = false;
		return 0;
	}
	sup->pause_ms *= 2;
	if (sup->pause_ms > LONGEST_PAUSE_MS)
		sup->pause_ms = LONGEST_PAUSE_MS;
	return sup->reconnect_at = clock_now_ms() + sup->pause_ms;
}
