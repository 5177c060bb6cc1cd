/* SPDX-License-Identifier: BSD-2-Clause */
/* See wakeup.h. Owns nothing; takes no locks. */
#include "drivers/blkback/ring/wakeup.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <xen/xen.h>

#include "drivers/blkback/common/error.h"

int blkback_wakeup_init(struct blkback_wakeup *wakeup, xenevtchn_handle *evtchn,
			struct rd_error *err)
{
	int receive_port = xenevtchn_bind_unbound_port(evtchn, DOMID_SELF),
	    send_port = -1;

	if (receive_port >= 0)
		send_port = xenevtchn_bind_interdomain(
			evtchn, DOMID_SELF, (evtchn_port_t)receive_port);
	if (send_port < 0)
		return blkback_fail(
			err, -EIO,
			"cannot bind an event channel of this domain: %s",
			strerror(errno));
	*wakeup = (struct blkback_wakeup){
		.evtchn = evtchn,
		.send_port = (evtchn_port_t)send_port,
		.receive_port = (evtchn_port_t)receive_port
	};
	return 0;
}

int blkback_wakeup_send(const struct blkback_wakeup *wakeup)
{
	return xenevtchn_notify(wakeup->evtchn, wakeup->send_port);
}

int blkback_wakeup_received(const struct blkback_wakeup *wakeup)
{
	return xenevtchn_unmask(wakeup->evtchn, wakeup->receive_port);
}
