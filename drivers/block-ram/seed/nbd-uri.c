/* SPDX-License-Identifier: BSD-2-Clause */
/* The URIs of NBD exports, and the identity of a disk from one. See nbd.h. No state. */
#include "drivers/block-ram/seed/nbd.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NBD_PORT ":10809"

/* The length of the scheme if @seed is an NBD URI, else 0. */
static size_t scheme_length(const char *seed)
{
	static const char *const schemes[] = { "nbd",       "nbds",
					       "nbd+unix",  "nbds+unix",
					       "nbd+vsock", "nbds+vsock" };
	const char *colon = strstr(seed, "://");
	size_t i, n = colon ? (size_t)(colon - seed) : 0;

	for (i = 0; n && i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strlen(schemes[i]) == n &&
		    !strncasecmp(seed, schemes[i], n))
			return n;
	return 0;
}

bool rd_nbd_is_uri(const char *seed)
{
	return scheme_length(seed) != 0;
}

bool rd_nbd_canonical(const char *uri, char text[RD_SEED_MAX])
{
	size_t i, scheme = scheme_length(uri), start = scheme + 3;
	size_t host = strcspn(uri + start, "/?#"), port = strlen(NBD_PORT);
	const char *rest = uri + start + host;
	const char *at = memrchr(uri + start, '@', host);
	size_t user = at ? (size_t)(at - uri)
			 : 0; /* the case of a user name counts with TLS */

	if (host >= port && !strncmp(rest - port, NBD_PORT, port))
		host -= port;
	if ((size_t)snprintf(text, RD_SEED_MAX, "%.*s%s%s", (int)(start + host),
			     uri, *rest == '/' ? "" : "/", rest) >= RD_SEED_MAX)
		return false;
	for (i = 0; i < start + host; i++)
		if (i < start || i >= user)
			text[i] = (char)tolower((unsigned char)text[i]);
	return true;
}

/* FNV-1a, 64 bits. rd_nbd_id() joins two hashes with different start values. */
static uint64_t hash(const char *text, uint64_t h)
{
	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h;
}

void rd_nbd_id(const char *canonical, char id[RD_ID_MAX])
{
	snprintf(id, RD_ID_MAX, "u-%016" PRIx64 "%016" PRIx64,
		 hash(canonical, UINT64_C(0xcbf29ce484222325)),
		 hash(canonical, UINT64_C(0x84222325cbf29ce4)));
}
