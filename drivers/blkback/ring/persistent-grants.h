/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Persistent grants: pages that are mapped at their first use and stay mapped, so
 * that later requests cost a memcpy and no hypercall. A frontend that negotiated
 * feature-persistent does not revoke a grant while the backend has it mapped. So
 * a grant reference in the set means the same page until it is dropped from the
 * set; after that it may mean another page.
 *
 * The ring's thread uses the set; no locks.
 */
#ifndef BLKBACK_PERSISTENT_GRANTS_H
#define BLKBACK_PERSISTENT_GRANTS_H

#include <stdint.h>
#include <xengnttab.h>

/* As in Linux: 32 requests of 32 segments and a segment table. */
#define BLKBACK_GRANTS_MAX 1056u

/*
 * A batch may map the first NEW missing pages, and one in SHARE of the others.
 */
#define BLKBACK_GRANTS_NEW 8u
#define BLKBACK_GRANTS_SHARE 8u

struct blkback_grants;

/* An empty set for pages of @domid; NULL when out of memory. */
struct blkback_grants *blkback_grants_new(xengnttab_handle *gnttab,
					  uint16_t domid);

/* Unmap all; NULL is allowed. */
void blkback_grants_free(struct blkback_grants *set);

/* Begin a batch. Pages that blkback_grants_get() gave may be dropped now. */
void blkback_grants_batch(struct blkback_grants *set);

/*
 * After a restart: the next two batches map no pages, since the guest waits for
 * them: the requests that the dead worker took, and those that came meanwhile.
 */
void blkback_grants_hurry(struct blkback_grants *set);

/*
 * The page of @gref, valid until the next blkback_grants_batch(). NULL: use grant
 * copy, since the set is full, the page could not be mapped, or this batch has
 * mapped enough. A mapping takes several system calls and a new worker has no
 * mappings, so a batch spreads the cost: see BLKBACK_GRANTS_NEW and _SHARE above.
 * At most ten times a second the set drops pages that were not used since the
 * last time. So a guest with more pages than the set holds does not cause a map
 * and an unmap for each request.
 */
uint8_t *blkback_grants_get(struct blkback_grants *set, uint32_t gref);

#endif
