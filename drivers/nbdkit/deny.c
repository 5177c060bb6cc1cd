/* SPDX-License-Identifier: BSD-2-Clause */
/* See deny.h. IPv4 addresses are stored as IPv6: ::ffff:A.B.C.D. */
#include "drivers/nbdkit/deny.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#define MAPPED_BITS 96 /* before the IPv4 address in an IPv6 one */

struct network {
	struct in6_addr address;
	unsigned bits; /* compared, from the first */
};

static struct network *networks;
static unsigned count;

static struct in6_addr map(const struct in_addr *v4)
{
	struct in6_addr v6 = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	memcpy(&v6.s6_addr[12], v4, 4);
	return v6;
}

/* Parse ADDRESS or ADDRESS/BITS. 0 or -1. */
static bool parse(char *text, struct network *n)
{
	char *slash = strchr(text, '/'), *end = "";
	unsigned most, before = 0;
	struct in_addr v4;
	long bits;

	if (slash)
		*slash = 0;
	if (inet_pton(AF_INET6, text, &n->address) == 1) {
		most = 128;
	} else if (inet_pton(AF_INET, text, &v4) == 1) {
		n->address = map(&v4);
		before = MAPPED_BITS;
		most = 32;
	} else {
		return false;
	}
	bits = slash ? strtol(slash + 1, &end, 10) : (long)most;
	n->bits = before + (unsigned)bits;
	return !*end && bits >= 0 && bits <= (long)most;
}

static int add(char *text)
{
	struct network *more;

	more = realloc(networks, (count + 1) * sizeof(*more));
	if (!more) {
		nbdkit_error("out of memory");
		return -1;
	}
	networks = more;
	if (parse(text, &networks[count])) {
		count++;
		return 0;
	}
	nbdkit_error("deny=: %s is neither an address nor a network", text);
	return -1;
}

int deny_config(const char *value)
{
	char *list = strdup(value), *save, *word;
	int rc = list ? 0 : -1;

	for (word = list ? strtok_r(list, ",", &save) : NULL; word && !rc;
	     word = strtok_r(NULL, ",", &save))
		rc = add(word);
	free(list);
	return rc;
}

void deny_free(void)
{
	free(networks);
	networks = NULL;
	count = 0;
}

static bool in(const struct in6_addr *a, const struct network *n)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (memcmp(a, &n->address, whole))
		return false;
	return !rest ||
	       !((a->s6_addr[whole] ^ n->address.s6_addr[whole]) >> (8 - rest));
}

bool deny_peer(void)
{
	struct sockaddr_storage s;
	socklen_t len = sizeof(s);
	struct in6_addr a;
	unsigned i;

	if (!count)
		return false;
	if (nbdkit_peer_name((struct sockaddr *)&s, &len) < 0)
		return true; /* unknown address: it may be a denied one */
	if (s.ss_family == AF_INET6)
		a = ((struct sockaddr_in6 *)&s)->sin6_addr;
	else if (s.ss_family == AF_INET)
		a = map(&((struct sockaddr_in *)&s)->sin_addr);
	else
		return false; /* a client on this host */
	for (i = 0; i < count; i++)
		if (in(&a, &networks[i]))
			return true;
	return false;
}
