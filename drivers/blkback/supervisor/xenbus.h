/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Typed, bounded access to xenstore. Used by the supervisor only, by its one
 * thread. What a guest can write is taken as hostile: read with a limit,
 * parsed strictly, never repeated in a message.
 */
#ifndef BLKBACK_XENBUS_H
#define BLKBACK_XENBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xenstore.h>

#define BLKBACK_XPATH_MAX 96u /* bytes of a directory's path that we make */

/* A node to write; a NULL value removes it. */
struct blkback_node {
	const char *name;
	const char *value;
};

/*
 * Read @dir/@node into @buf. 0; -ENOENT; -E2BIG when it does not fit; -EINVAL
 * when it holds a NUL; another -errno when xenstore failed.
 */
int blkback_xenbus_read(struct xs_handle *xs, const char *dir, const char *node,
			char *buf, size_t size);

/*
 * Read a decimal number of digits only, at most @max. -EINVAL when it is none,
 * -ERANGE when it is larger.
 */
int blkback_xenbus_read_number(struct xs_handle *xs, const char *dir,
			       const char *node, uint32_t max, uint32_t *value);
int blkback_parse_number(const char *text, uint32_t max, uint32_t *value);

/*
 * Whether xenstore is there at all, asked for @dir, which need not be: a
 * connection that broke fails everything, and libxenstore's errno for that is one
 * that nodes fail with as well.
 */
bool blkback_xenbus_answers(struct xs_handle *xs, const char *dir);

bool blkback_xenbus_exists(struct xs_handle *xs, const char *dir);

/*
 * Write @n nodes of our directory @dir in one transaction, provided that its
 * state node still has the value @expect. Without that a node that a tool
 * removed meanwhile would be made again, and a request to close be lost.
 * -ENOENT: the directory is gone; -ESTALE: its state is another.
 */
int blkback_xenbus_update(struct xs_handle *xs, const char *dir,
			  uint32_t expect, const struct blkback_node *nodes,
			  size_t n);

/*
 * Remove @dir and those of the @levels directories above it that are empty
 * then, provided that its state node still has the value @expect; and the
 * frontend's directory @front, if its backend is still the one in @dir.
 */
int blkback_xenbus_remove(struct xs_handle *xs, const char *dir,
			  const char *front, uint32_t expect, unsigned levels);

#endif
