/* SPDX-License-Identifier: BSD-2-Clause */
/* Domains by name and number, as xenstore has them. */
#ifndef XM_RAMDISK_DOMAIN_H
#define XM_RAMDISK_DOMAIN_H

#include <stdbool.h>
#include <xenstore.h>

#define DOMAIN_NAME_MAX 256

/*
 * The number of the domain that @text names, by name or number. EXIT_DONE, or
 * EXIT_FAILED after a message.
 */
int domain_find(struct xs_handle *xs, const char *text, unsigned *domid);
/* As domain_find(), without a message. */
bool domain_exists(struct xs_handle *xs, const char *text);
/*
 * The domain's name, or "domain N" if it has none or @xs is NULL. Returns
 * @name.
 */
const char *domain_name(struct xs_handle *xs, unsigned domid,
			char name[DOMAIN_NAME_MAX]);
/* Add what domain_name() will ask xenstore (ahead.h). */
void domain_name_ahead(unsigned domid);

#endif
