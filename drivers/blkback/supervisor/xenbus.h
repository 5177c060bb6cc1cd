/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Typed, bounded access to xenstore. Supervisor's thread only. Values that a guest
 * can write are hostile: they are read with a length limit, parsed strictly, and
 * never copied into a message.
 */
#ifndef BLKBACK_XENBUS_H
#define BLKBACK_XENBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xenstore.h>

#define BLKBACK_XPATH_MAX 96u /* bytes of a directory's path, with the NUL */

/* A node to write; a NULL value removes it. */
struct blkback_node {
	const char *name;
	const char *value;
};

/*
 * Read @dir/@node into @buf. 0; -ENOENT, also for what this domain may not read;
 * -E2BIG when it does not fit; -EINVAL when it holds a NUL; another -errno when
 * xenstore failed.
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
 * Whether the connection to xenstore works. Asks for @dir, which need not exist.
 * The errno of a single call does not show it: libxenstore returns the same for a
 * broken connection and for some nodes.
 */
bool blkback_xenbus_answers(struct xs_handle *xs, const char *dir);

/* Whether @dir exists, or xenstore does not answer. */
bool blkback_xenbus_exists(struct xs_handle *xs, const char *dir);

/*
 * Write @n nodes of the backend directory @dir in one transaction, if its state
 * node still is @expect. Otherwise a directory that a tool has removed would
 * be made again, and a tool's request to close would be overwritten.
 * -ENOENT: the directory is gone; -ESTALE: the state is not @expect.
 */
int blkback_xenbus_update(struct xs_handle *xs, const char *dir,
			  uint32_t expect, const struct blkback_node *nodes,
			  size_t n);

/*
 * Remove @dir, if its state node still is @expect; the frontend's directory
 * @front, if its node backend still names @dir; and up to @levels directories
 * above @dir that are empty then. A driver domain may not remove a frontend, which
 * it then leaves to the toolstack.
 */
int blkback_xenbus_remove(struct xs_handle *xs, const char *dir,
			  const char *front, uint32_t expect, unsigned levels);

#endif
