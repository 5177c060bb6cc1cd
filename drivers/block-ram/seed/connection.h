/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection to an NBD server, over libnbd's asynchronous calls. libnbd is
 * loaded (dlopen) with the first one. No locks: the owner of the connections
 * (nbd.c) lets one thread at a time call these functions.
 */
#ifndef BLOCK_RAM_CONNECTION_H
#define BLOCK_RAM_CONNECTION_H

#include <poll.h>

#include "drivers/block-ram/seed/nbd.h"
#include "drivers/block-ram/seed/tls.h"

#ifndef RD_WITHOUT_NBD

enum rd_connection_state {
	RD_CONNECTION_NONE,
	RD_CONNECTION_CONNECTING,
	RD_CONNECTION_READY,
	RD_CONNECTION_DEAD,
};

struct rd_connection {
	struct nbd_handle *h;
	enum rd_connection_state state;
	unsigned in_flight; /* requests */
	int64_t last_activity; /* ms: last answer, or start of the wait */
	struct rd_nbd_request *ended; /* reads that have ended; any order */
	bool checked; /* leads to the same export */
	char why[RD_TLS_WHY]; /* why it is dead */
};

/* A block status request. */
#define RD_STATUS_ZERO 2u /* a flag: the bytes are zeros */
struct rd_status_request {
	/* Receives @count numbers of base:allocation, a length and flags in turn. */
	void (*extents)(void *arg, uint64_t off, const uint32_t *numbers,
			size_t count);
	void *arg;
	struct rd_connection *on;
	bool pending; /* until the answer has ended */
	bool refused;
};

/* NULL, or why libnbd cannot be used. Any thread. */
const char *rd_connection_missing(void);

/* Begin to connect to @uri. 0: CONNECTING; or -errno: DEAD, with a reason. */
int rd_connection_begin(struct rd_connection *c, const char *uri);
void rd_connection_close(struct rd_connection *c);

/* What the server has said. Needs READY. */
int64_t rd_connection_size(struct rd_connection *c); /* -1: not known */
bool rd_connection_has_status(struct rd_connection *c);
bool rd_connection_may_share(struct rd_connection *c); /* multi-conn */
char *rd_connection_description(struct rd_connection *c); /* free() it */

/* Send a request. 0; or -EIO, and the reason in @c. */
int rd_connection_read(struct rd_connection *c, struct rd_nbd_request *r);
int rd_connection_status(struct rd_connection *c, uint64_t off, uint64_t len,
			 struct rd_status_request *s);

/* The events that @c waits for; fd is -1 if there are none. */
struct pollfd rd_connection_events(struct rd_connection *c);
/*
 * Process the events @revents, which may be none. Reads that end move into c->ended;
 * the state becomes READY when the server is ready, and DEAD when it has gone.
 */
void rd_connection_process(struct rd_connection *c, short revents);

#endif
#endif
