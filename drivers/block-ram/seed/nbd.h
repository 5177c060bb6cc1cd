/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A seed on an NBD server, read through libnbd. Only nbd.c uses NBD, as only
 * seed.c uses files. libnbd is loaded (dlopen) with the first such seed.
 */
#ifndef BLOCK_RAM_NBD_H
#define BLOCK_RAM_NBD_H

#include "include/ramdisk.h"

struct rd_nbd; /* a connection */

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

/* Read and wait. Threads take turns under a mutex. 0 or -errno. */
int rd_nbd_read(struct rd_nbd *nbd, void *to, uint64_t off, size_t len);

/* As rd_next_extent(), with NBD's block status. One thread. */
void rd_nbd_next_extent(struct rd_nbd *nbd, uint64_t *off, uint64_t *end);

/*
 * Many reads at once, by one thread: start reads while rd_nbd_room() allows it,
 * and call rd_nbd_wait(), which returns after a tenth of a second at the latest and
 * adds the bytes that have arrived to *done. 0 or -errno. After an error no
 * buffer is written any more.
 */
bool rd_nbd_room(const struct rd_nbd *nbd);
bool rd_nbd_busy(const struct rd_nbd *nbd);
int rd_nbd_start(struct rd_nbd *nbd, void *to, uint64_t off, size_t len);
int rd_nbd_wait(struct rd_nbd *nbd, uint64_t *done);

/* libnbd's message about the first failure. */
const char *rd_nbd_why(const struct rd_nbd *nbd);

#endif
