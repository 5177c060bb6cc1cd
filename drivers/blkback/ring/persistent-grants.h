/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Persistently granted pages: mapped at their first use and kept, so that
 * later requests cost a memcpy and no hypercall. A frontend that negotiated
 * feature-persistent does not end access to a grant while it is mapped here,
 * and takes it back when it finds it unmapped; so a reference means the same
 * page for as long as it is in the set, and may mean another page after it
 * was dropped.
 *
 * Used by the ring's one thread.
 */
#ifndef BLKBACK_PERSISTENT_GRANTS_H
#define BLKBACK_PERSISTENT_GRANTS_H

#include <stdint.h>
#include <xengnttab.h>

/* As many as Linux keeps for a ring: 32 requests of 32 segments and a table. */
#define BLKBACK_GRANTS_MAX 1056u

/* Pages that any batch may map, and of how many more it may map one. */
#define BLKBACK_GRANTS_NEW 8u
#define BLKBACK_GRANTS_SHARE 8u

struct blkback_grants;

/* An empty set for pages of @domid; NULL when out of memory. */
struct blkback_grants *blkback_grants_new(xengnttab_handle *gnttab,
					  uint16_t domid);

/* Unmap all; NULL is allowed. */
void blkback_grants_free(struct blkback_grants *set);

/* A new batch begins: pages got before may be dropped from here on. */
void blkback_grants_batch(struct blkback_grants *set);

/*
 * After a restart: the next two batches map nothing, which are what the dead
 * worker had taken and what has come meanwhile. The guest waits for both.
 */
void blkback_grants_hurry(struct blkback_grants *set);

/*
 * The page of @gref, good until the next blkback_grants_batch(); or NULL when
 * it is to be reached by grant copy, since the set is full or it could not be
 * mapped. Each mapping takes two system calls and more, and a new worker has
 * none, so a batch maps the first BLKBACK_GRANTS_NEW of those that are missing and
 * one in BLKBACK_GRANTS_SHARE of the others: much of what is copied anyway
 * hides that. Old pages make room ten times a second at most, and only those
 * not used meanwhile: a guest that uses more pages than the set holds does not
 * make it map and unmap for each request.
 */
uint8_t *blkback_grants_get(struct blkback_grants *set, uint32_t gref);

#endif
