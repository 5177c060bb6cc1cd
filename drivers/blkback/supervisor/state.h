/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's state; private to supervisor.c, watches.c, connection.c and open.c. */
#ifndef BLKBACK_SUPERVISOR_STATE_H
#define BLKBACK_SUPERVISOR_STATE_H

#include <poll.h>

#include "drivers/blkback/supervisor/device.h"
#include "drivers/blkback/supervisor/spare.h"
#include "drivers/blkback/supervisor/supervisor.h"

#define BLKBACK_BUCKETS 1024u

struct blkback_supervisor {
	struct blkback_host host; /* first: devices point at it */
	struct blkback_options options;
	struct rd_store *store;
	struct blkback_spare spare;
	struct blkback_device *devices;
	size_t nr_devices;
	/* The same devices by number, for watches.c. */
	struct blkback_device *by_number[BLKBACK_BUCKETS];
	int lock; /* the daemon file, locked; -1: not open */
	int signals; /* a signalfd; -1: not open */
	bool more_watches; /* not all events of xenstore were read */
	int xenstore_fd; /* of the connection, for the guard; -1: unknown */
	bool by_socket; /* xenstored's, not the kernel's device */
	int xenstore_end; /* a duplicate of its socket, see connection.h; or -1 */
	bool marked; /* the node NODES_MARK was written */
	bool xenstore_lost; /* host.xs is a broken connection */
	int64_t lost_at, reconnect_at; /* ms, monotonic; if xenstore_lost */
	int64_t pause_ms; /* between two tries to connect */
	struct pollfd *polls;
	size_t nr_polls; /* allocated */
	char build[BLKBACK_BUILD_MAX];
	int64_t reap_at; /* ms, monotonic: rd_reap() is called then; 0: not set */
	int64_t sweep_at; /* ms, monotonic: the next sweep for leftovers; 0: none */
	int64_t parked_at; /* ms, monotonic: the next parked attachment ends; 0: none */
	bool leaving; /* the daemon ends; the workers serve on */
};

/* Remove soon what dead attachments have left, of all that die meanwhile at once. */
void blkback_supervisor_reap_soon(struct blkback_supervisor *sup);

#endif
