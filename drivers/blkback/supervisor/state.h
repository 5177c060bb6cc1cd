/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon has open; private to supervisor.c and open.c. */
#ifndef BLKBACK_SUPERVISOR_STATE_H
#define BLKBACK_SUPERVISOR_STATE_H

#include <poll.h>

#include "drivers/blkback/supervisor/device.h"
#include "drivers/blkback/supervisor/spare.h"
#include "drivers/blkback/supervisor/supervisor.h"

struct blkback_supervisor {
	struct blkback_host host; /* first: devices point at it */
	struct blkback_options options;
	struct rd_store *store;
	struct blkback_spare spare;
	struct blkback_device *devices;
	size_t nr_devices;
	int lock;
	int signals;
	bool more_watches;
	struct pollfd *polls;
	size_t nr_polls; /* allocated */
	char build[BLKBACK_BUILD_MAX];
	int64_t sweep_at; /* ms, monotonic: what was in use; 0: nothing was */
	bool leaving; /* ends, and leaves the devices to their workers */
};

#endif
