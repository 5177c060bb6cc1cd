/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A seed on an NBD server, read through libnbd: the one part of the store that
 * knows of NBD, as seed.c is the one that knows of files. libnbd is opened when
 * the first such seed is.
 */
#ifndef BLOCK_RAM_NBD_H
#define BLOCK_RAM_NBD_H

#include "include/ramdisk.h"

struct rd_nbd; /* a connection */

/* Whether @seed is a URI that libnbd would take, and no path. */
bool rd_nbd_is_uri(const char *seed);

/*
 * @uri as the disk's identity and for people: scheme and host in lower case,
 * without the port that is meant anyway. False if it does not fit.
 */
bool rd_nbd_canonical(const char *uri, char text[RD_SEED_MAX]);
void rd_nbd_id(const char *canonical, char id[RD_ID_MAX]);

/*
 * Connect; *size is the export's. -ENOSYS without libnbd, else what libnbd
 * says, with its message. Gives up after a time without an answer.
 */
int rd_nbd_open(struct rd_nbd **nbd, const char *uri, uint64_t *size,
		struct rd_error *err);
void rd_nbd_close(struct rd_nbd *nbd);

/* Read, and wait for it. Any number of threads, one at a time. 0 or -errno. */
int rd_nbd_read(struct rd_nbd *nbd, void *to, uint64_t off, size_t len);

/* As rd_next_extent(), by block status. One thread. */
void rd_nbd_next_extent(struct rd_nbd *nbd, uint64_t *off, uint64_t *end);

/*
 * Many reads at once, by one thread: start some while there is room, and wait
 * now and then. *done grows by the bytes that have come. rd_nbd_wait() returns
 * after a tenth of a second at the latest. 0 or -errno. After an error nothing
 * is written to any buffer any more.
 */
bool rd_nbd_room(const struct rd_nbd *nbd);
bool rd_nbd_busy(const struct rd_nbd *nbd);
int rd_nbd_start(struct rd_nbd *nbd, void *to, uint64_t off, size_t len);
int rd_nbd_wait(struct rd_nbd *nbd, uint64_t *done);

/* libnbd's words about the last failure. */
const char *rd_nbd_why(const struct rd_nbd *nbd);

#endif
