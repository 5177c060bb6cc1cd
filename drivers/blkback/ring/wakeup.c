/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/blkback/ring/wakeup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xen/xen.h>

int blkback_bell_init(struct blkback_bell *bell, xenevtchn_handle *evtchn,
		      char *text, size_t size)
{
	int near = xenevtchn_bind_unbound_port(evtchn, DOMID_SELF), far = -1;

	if (near >= 0)
		far = xenevtchn_bind_interdomain(evtchn, DOMID_SELF,
						 (evtchn_port_t)near);
	if (far < 0) {
		snprintf(text, size,
			 "cannot bind an event channel of this domain: %s",
			 strerror(errno));
		return -EIO;
	}
	*bell = (struct blkback_bell){ .evtchn = evtchn,
				       .rope = (evtchn_port_t)far,
				       .clapper = (evtchn_port_t)near };
	return 0;
}

int blkback_bell_ring(const struct blkback_bell *bell)
{
	return xenevtchn_notify(bell->evtchn, bell->rope);
}

int blkback_bell_heard(const struct blkback_bell *bell)
{
	return xenevtchn_unmask(bell->evtchn, bell->clapper);
}
