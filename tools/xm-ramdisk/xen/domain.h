/* SPDX-License-Identifier: BSD-2-Clause */
/* Domains by name and by number. */
#ifndef XM_RAMDISK_DOMAIN_H
#define XM_RAMDISK_DOMAIN_H

#include <xenstore.h>

#define DOMAIN_NAME_MAX 256

/* A domain by name or number; said why if there is none. An exit status. */
int domain_find(struct xs_handle *xs, const char *text, unsigned *domid);
/* Its name, or "domain N" if it has none. Returns @name. */
const char *domain_name(struct xs_handle *xs, unsigned domid,
			char name[DOMAIN_NAME_MAX]);

#endif
