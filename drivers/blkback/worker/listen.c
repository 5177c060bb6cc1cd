/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The listening socket, through which a worker outlives its supervisor: the next
 * supervisor connects to it, and the worker reports its state. The lock on the
 * daemon's file makes sure that there is one supervisor at a time. Only the owner
 * of the store's directory can connect. The worker's first thread; no locks.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/blkback/common/error.h"
#include "drivers/blkback/common/log.h"
#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/common/reconnect.h"
#include "drivers/blkback/worker/state.h"

/* The socket of a device's worker, or of a spare worker. */
static void socket_name(char name[64], const struct worker *w)
{
	if (w->max_queues)
		snprintf(name, 64, NODES_SOCKET, w->domid, w->devid);
	else
		snprintf(name, 64, NODES_SPARE_SOCKET);
}

int blkback_listen_open(struct worker *w, struct rd_error *err)
{
	struct sockaddr_un addr;
	char name[64];
	mode_t mask;
	int rc;

	socket_name(name, w);
	blkback_reconnect_address(&addr, w->store, name);
	w->listener = socket(AF_UNIX,
			     SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->listener < 0)
		goto fail;
	unlink(addr.sun_path); /* of a dead worker */
	mask = umask(0177);
	rc = bind(w->listener, (struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	/* Several supervisors may connect while the worker waits for a disk. */
	if (!rc && !listen(w->listener, SOMAXCONN))
		return 0;
fail:
	rc = -errno;
	return blkback_fail(err, rc,
			    "cannot listen for the next xen-ramdiskd: %s",
			    strerror(-rc));
}

void blkback_listen_accept(struct worker *w)
{
	int fd;

	if (w->control >= 0)
		return;
	fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	w->control = fd;
	blkback_log(BLKBACK_INFO, "reconnected to a new xen-ramdiskd");
}

void blkback_listen_close(struct worker *w)
{
	if (w->listener >= 0)
		close(w->listener);
	w->listener = -1;
}

void blkback_listen_remove_files(const struct worker *w)
{
	char name[64];

	if (w->store < 0)
		return;
	socket_name(name, w);
	unlinkat(w->store, name, 0);
	if (!w->max_queues)
		return;
	snprintf(name, sizeof(name), NODES_JOURNAL, w->domid, w->devid);
	unlinkat(w->store, name, 0);
}
