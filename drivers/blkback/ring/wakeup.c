/* SPDX-License-Identifier: BSD-2-Clause */
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
	int near = xenevtchn_bind_unbound_port(evtchn, DOMID_SELF), far = -1;

	if (near >= 0)
		far = xenevtchn_bind_interdomain(evtchn, DOMID_SELF,
						 (evtchn_port_t)near);
	if (far < 0)
		return blkback_fail(
			err, -EIO,
			"cannot bind an event channel of this domain: %s",
			strerror(errno));
	*wakeup =
		(struct blkback_wakeup){ .evtchn = evtchn,
					 .send_port = (evtchn_port_t)far,
					 .receive_port = (evtchn_port_t)near };
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
