/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A seed on an NBD server, read through libnbd. Only nbd.c and connection.c use NBD,
 * as only seed.c uses files.
 */
#ifndef BLOCK_RAM_NBD_H
#define BLOCK_RAM_NBD_H

#include "include/ramdisk.h"

struct rd_nbd; /* an export, and the connections to its server */

#define RD_NBD_CONNECTIONS 4u /* at most */
#define RD_NBD_DEPTH 16u /* reads in flight on each */

/* Whether @seed is a URI of an NBD export, and not a path. */
bool rd_nbd_is_uri(const char *seed);

/*
 * Write the canonical form of @uri, which is the disk's identity: scheme and host
 * in lower case, without the default port. False if it does not fit.
 */
bool rd_nbd_canonical(const char *uri, char text[RD_SEED_MAX]);
void rd_nbd_id(const char *canonical, char id[RD_ID_MAX]);

/*
 * Connect to the export at @uri; *size is its size in bytes. -ENOSYS without
 * libnbd; -ETIMEDOUT after 30 seconds without an answer; else -errno with
 * libnbd's message.
 */
int rd_nbd_open(struct rd_nbd **nbd, const char *uri, uint64_t *size,
		struct rd_error *err);
void rd_nbd_close(struct rd_nbd *nbd);
/* What the server says about the export, or "". */
void rd_nbd_description(struct rd_nbd *nbd, char text[RD_DESCRIPTION_MAX]);

/*
 * Begin to open further connections, @count in all with the first one and
 * RD_NBD_CONNECTIONS at most, if the server says that its connections see the same
 * bytes (multi-conn). Does not wait: reads use a connection from when it is ready.
 * Without those that the server refuses, or does not complete, all goes on. Returns
 * the number of connections, ready or not.
 */
unsigned rd_nbd_spread(struct rd_nbd *nbd, uint64_t count);

/* Read and wait. Any number of threads at once. 0 or -errno. */
int rd_nbd_read(struct rd_nbd *nbd, void *to, uint64_t off, size_t len);

/* As rd_next_extent(), with NBD's block status. One thread. */
void rd_nbd_next_extent(struct rd_nbd *nbd, uint64_t *off, uint64_t *end);

/*
 * Many reads at once: start one while rd_nbd_room() allows it, and call rd_nbd_wait(),
 * which returns after @patience ms at the latest, 100 at most. It calls @done of
 * each read that has ended. A read whose connection is lost moves to another
 * one. 0 or -errno. After an error no buffer is written any more, and @done is not
 * called. One thread, and none in rd_nbd_read().
 */
struct rd_nbd_request {
	void *to;
	uint64_t off;
	size_t len;
	void (*done)(struct rd_nbd_request *request);
	void *arg; /* the caller's */
	/* For nbd.c and connection.c: */
	struct rd_connection *on;
	int error; /* errno, or 0 */
	struct rd_nbd_request *next;
};

bool rd_nbd_room(const struct rd_nbd *nbd);
bool rd_nbd_busy(const struct rd_nbd *nbd);
int rd_nbd_start(struct rd_nbd *nbd, struct rd_nbd_request *request);
int rd_nbd_wait(struct rd_nbd *nbd, int patience);

/* libnbd's message about the first failure. */
const char *rd_nbd_why(const struct rd_nbd *nbd);

#endif
