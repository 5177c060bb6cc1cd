/* SPDX-License-Identifier: BSD-2-Clause */
/* See xenbus.h. Owns nothing; the handle belongs to the supervisor. */
#include "drivers/blkback/supervisor/xenbus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRANSACTION_TRIES 64 /* while other processes write in between */

static int last_error(void)
{
	return errno ? -errno : -EIO;
}

/*
 * Xenstored tells a domain without privilege EACCES, not ENOENT, of a node that is
 * not there, unless the domain may read the directory above it.
 */
static int read_error(void)
{
	int rc = last_error();

	return rc == -EACCES ? -ENOENT : rc;
}

static int join(char *path, size_t size, const char *dir, const char *node)
{
	int n = snprintf(path, size, "%s/%s", dir, node);

	return n < 0 || (size_t)n >= size ? -E2BIG : 0;
}

static int read_in(struct xs_handle *xs, xs_transaction_t t, const char *dir,
		   const char *node, char *buf, size_t size)
{
	char path[BLKBACK_XPATH_MAX + 64];
	unsigned len = 0;
	char *value;
	int rc;

	rc = join(path, sizeof(path), dir, node);
	if (rc)
		return rc;
	value = xs_read(xs, t, path, &len);
	if (!value)
		return read_error();
	if (len >= size)
		rc = -E2BIG;
	else if (memchr(value, '\0', len))
		rc = -EINVAL;
	else
		memcpy(buf, value, len + 1);
	free(value);
	return rc;
}

int blkback_xenbus_read(struct xs_handle *xs, const char *dir, const char *node,
			char *buf, size_t size)
{
	return read_in(xs, XBT_NULL, dir, node, buf, size);
}

int blkback_parse_number(const char *text, uint32_t max, uint32_t *value)
{
	uint64_t v = 0;
	size_t i;

	if (!text[0])
		return -EINVAL;
	for (i = 0; text[i]; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		if (v <= max)
			v = v * 10 + (unsigned)(text[i] - '0');
	}
	if (v > max)
		return -ERANGE;
	*value = (uint32_t)v;
	return 0;
}

static int read_number_in(struct xs_handle *xs, xs_transaction_t t,
			  const char *dir, const char *node, uint32_t max,
			  uint32_t *value)
{
	char text[24];
	int rc = read_in(xs, t, dir, node, text, sizeof(text));

	if (rc == -E2BIG)
		return -EINVAL;
	return rc ? rc : blkback_parse_number(text, max, value);
}

int blkback_xenbus_read_number(struct xs_handle *xs, const char *dir,
			       const char *node, uint32_t max, uint32_t *value)
{
	return read_number_in(xs, XBT_NULL, dir, node, max, value);
}

/* 0 if @dir exists, -ENOENT if it does not, or another -errno. */
static int look_up(struct xs_handle *xs, const char *dir)
{
	unsigned n;
	char **list = xs_directory(xs, XBT_NULL, dir, &n);

	if (!list)
		return read_error();
	free(list);
	return 0;
}

bool blkback_xenbus_answers(struct xs_handle *xs, const char *dir)
{
	int rc = look_up(xs, dir);

	return !rc || rc == -ENOENT;
}

bool blkback_xenbus_exists(struct xs_handle *xs, const char *dir)
{
	return look_up(xs, dir) != -ENOENT;
}

static int check_state(struct xs_handle *xs, xs_transaction_t t,
		       const char *dir, uint32_t expect)
{
	uint32_t state;
	int rc = read_number_in(xs, t, dir, "state", UINT32_MAX, &state);

	if (rc)
		return rc == -EINVAL || rc == -ERANGE ? -ESTALE : rc;
	return state == expect ? 0 : -ESTALE;
}

static int write_node(struct xs_handle *xs, xs_transaction_t t, const char *dir,
		      const struct blkback_node *node)
{
	char path[BLKBACK_XPATH_MAX + 64];
	int rc = join(path, sizeof(path), dir, node->name);

	if (rc)
		return rc;
	if (node->value)
		return xs_write(xs, t, path, node->value,
				(unsigned)strlen(node->value))
			       ? 0
			       : last_error();
	if (!xs_rm(xs, t, path) && errno != ENOENT)
		return last_error();
	return 0;
}

/* 0, -EAGAIN when another process wrote in between, or -errno. */
static int try_update(struct xs_handle *xs, const char *dir, uint32_t expect,
		      const struct blkback_node *nodes, size_t n)
{
	xs_transaction_t t = xs_transaction_start(xs);
	size_t i;
	int rc;

	if (!t)
		return last_error();
	rc = check_state(xs, t, dir, expect);
	for (i = 0; !rc && i < n; i++)
		rc = write_node(xs, t, dir, &nodes[i]);
	if (!xs_transaction_end(xs, t, rc != 0) && !rc)
		rc = last_error();
	return rc;
}

int blkback_xenbus_update(struct xs_handle *xs, const char *dir,
			  uint32_t expect, const struct blkback_node *nodes,
			  size_t n)
{
	int rc = -EAGAIN;
	unsigned i;

	for (i = 0; rc == -EAGAIN && i < TRANSACTION_TRIES; i++)
		rc = try_update(xs, dir, expect, nodes, n);
	return rc;
}

static bool is_empty(struct xs_handle *xs, xs_transaction_t t, const char *dir)
{
	unsigned n = 1;
	char **list = xs_directory(xs, t, dir, &n);

	free(list);
	return list && !n;
}

/*
 * Whether the frontend's node backend names @dir, which may be a relative path.
 */
static bool belongs(struct xs_handle *xs, xs_transaction_t t, const char *front,
		    const char *dir)
{
	char path[BLKBACK_XPATH_MAX];
	size_t len = strlen(dir);
	unsigned n = 0;
	char *backend;
	bool ours;

	if (join(path, sizeof(path), front, "backend"))
		return false;
	backend = xs_read(xs, t, path, &n);
	ours = backend && n >= len && !strcmp(backend + n - len, dir) &&
	       (n == len || backend[n - len - 1] == '/');
	free(backend);
	return ours;
}

/* As xs_rm(), for what only a privileged domain may be able to remove. */
static int remove_if_may(struct xs_handle *xs, xs_transaction_t t,
			 const char *path)
{
	return xs_rm(xs, t, path) || errno == EACCES ? 0 : last_error();
}

static int try_remove(struct xs_handle *xs, const char *dir, const char *front,
		      uint32_t expect, unsigned levels)
{
	char path[BLKBACK_XPATH_MAX];
	xs_transaction_t t;
	char *slash;
	int rc;

	snprintf(path, sizeof(path), "%s", dir);
	t = xs_transaction_start(xs);
	if (!t)
		return last_error();
	rc = check_state(xs, t, dir, expect);
	if (!rc && !xs_rm(xs, t, path))
		rc = last_error();
	if (!rc && belongs(xs, t, front, dir))
		rc = remove_if_may(xs, t, front);
	while (!rc && levels-- && (slash = strrchr(path, '/'))) {
		*slash = '\0';
		if (!is_empty(xs, t, path))
			break;
		rc = remove_if_may(xs, t, path);
	}
	if (!xs_transaction_end(xs, t, rc != 0) && !rc)
		rc = last_error();
	return rc;
}

int blkback_xenbus_remove(struct xs_handle *xs, const char *dir,
			  const char *front, uint32_t expect, unsigned levels)
{
	int rc = -EAGAIN;
	unsigned i;

	for (i = 0; rc == -EAGAIN && i < TRANSACTION_TRIES; i++)
		rc = try_remove(xs, dir, front, expect, levels);
	return rc;
}
