/* SPDX-License-Identifier: BSD-2-Clause */
/* See domain.h. No state; one thread. */
#include "tools/xm-ramdisk/xen/domain.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/blkback/common/xenstore.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/xen/ahead.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

#define DOMAINS "/local/domain"
#define DOMID_MAX 0x7ff0u /* DOMID_FIRST_RESERVED of xen.h */

static bool parse_domid(const char *text, unsigned *domid)
{
	unsigned long n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	n = strtoul(text, &end, 10);
	*domid = (unsigned)n;
	return !errno && !*end && n < DOMID_MAX;
}

static bool read_name(struct xs_handle *xs, unsigned domid,
		      char name[DOMAIN_NAME_MAX])
{
	char dir[64], *value;

	snprintf(dir, sizeof(dir), DOMAINS "/%u", domid);
	value = xenstore_read(xs, XBT_NULL, dir, "name");
	if (!value)
		return false;
	snprintf(name, DOMAIN_NAME_MAX, "%s", value);
	free(value);
	return name[0] != 0;
}

static bool find_by_name(struct xs_handle *xs, const char *text,
			 unsigned *domid)
{
	char name[DOMAIN_NAME_MAX], **ids;
	bool found = false;
	unsigned i, n = 0;

	ids = xs_directory(xs, XBT_NULL, DOMAINS, &n);
	for (i = 0; ids && i < n && !found; i++)
		found = parse_domid(ids[i], domid) &&
			read_name(xs, *domid, name) && !strcmp(name, text);
	free(ids);
	/* before xen-init-dom0 has run, Domain-0 has no name in xenstore */
	if (!found && !strcmp(text, "Domain-0")) {
		*domid = 0;
		found = true;
	}
	return found;
}

static bool find(struct xs_handle *xs, const char *text, unsigned *domid)
{
	if (parse_domid(text, domid))
		return !blkback_xenstore_domain_is_gone(xs, *domid);
	return find_by_name(xs, text, domid);
}

bool domain_exists(struct xs_handle *xs, const char *text)
{
	unsigned domid;

	return find(xs, text, &domid);
}

int domain_find(struct xs_handle *xs, const char *text, unsigned *domid)
{
	if (find(xs, text, domid))
		return EXIT_DONE;
	return say_failed("no domain '%s'; 'xl list' shows the domains", text);
}

const char *domain_name(struct xs_handle *xs, unsigned domid,
			char name[DOMAIN_NAME_MAX])
{
	if (!xs || !read_name(xs, domid, name))
		snprintf(name, DOMAIN_NAME_MAX, "domain %u", domid);
	return name;
}

void domain_name_ahead(unsigned domid)
{
	ahead_add(false, DOMAINS "/%u/name", domid);
}
