/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A libxenstore over a table of absolute paths, as Domain-0 sees it. Writes of
 * a transaction act at once: the code under test checks before it writes.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xenstore.h>
#include <xenstore_lib.h>

#include "tests/ring/fake/fake.h"

#define NODES 256
#define PATH 256

static struct {
	char path[PATH];
	char *value; /* of len bytes, and a NUL */
	size_t len;
} nodes[NODES];
static size_t nr_nodes;
static bool introduced[64];
unsigned fake_xs_watches, fake_xs_questions, fake_xs_conflicts;
void (*fake_xs_in_transaction)(void);
void (*fake_xs_touched)(const char *path);
unsigned fake_xs_reads, fake_xs_breaks_at = UINT_MAX;
static const char *storm_path, *storm_token;
static unsigned long storm; /* events of it that are still to come */
static int storm_fd = -1;
void (*fake_xs_storm_over)(void);

void fake_xs_reset(void)
{
	while (nr_nodes)
		free(nodes[--nr_nodes].value);
	memset(introduced, 0, sizeof(introduced));
	fake_xs_watches = fake_xs_conflicts = 0;
	fake_xs_in_transaction = NULL;
	fake_xs_touched = NULL;
	fake_xs_reads = 0;
	fake_xs_breaks_at = UINT_MAX;
	fake_xs_storm_over = NULL;
	if (storm_fd >= 0)
		close(storm_fd);
	storm_fd = -1;
}

void fake_xs_storm(const char *path, const char *token, unsigned long events)
{
	storm_path = path;
	storm_token = token;
	storm = events;
	storm_fd = eventfd(1, 0);
}

static const char *absolute(const char *path, char *buf)
{
	if (path[0] == '/')
		return path;
	snprintf(buf, PATH, "/local/domain/0/%s", path);
	return buf;
}

static long lookup(const char *path)
{
	char buf[PATH];
	size_t i;

	path = absolute(path, buf);
	for (i = 0; i < nr_nodes; i++)
		if (!strcmp(nodes[i].path, path))
			return (long)i;
	return -1;
}

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/');
}

/* As libxenstore once its connection is broken. */
static bool broken(void)
{
	if (fake_xs_questions++ < fake_xs_breaks_at)
		return false;
	errno = EINVAL;
	return true;
}

static void touch(const char *path)
{
	char buf[PATH];

	if (fake_xs_touched)
		fake_xs_touched(absolute(path, buf));
}

void fake_xs_set(const char *path, const char *value)
{
	fake_xs_set_bytes(path, value, strlen(value));
}

void fake_xs_set_bytes(const char *path, const void *value, size_t len)
{
	char buf[PATH], parent[PATH];
	long i = lookup(path);
	char *slash;

	path = absolute(path, buf);
	if (i < 0) {
		snprintf(parent, sizeof(parent), "%s", path);
		slash = strrchr(parent, '/');
		if (slash && slash != parent) {
			*slash = '\0';
			if (lookup(parent) < 0)
				fake_xs_set(parent, "");
		}
		if (nr_nodes == NODES)
			abort();
		i = (long)nr_nodes++;
		snprintf(nodes[i].path, PATH, "%s", path);
		nodes[i].value = NULL;
	}
	free(nodes[i].value);
	nodes[i].value = calloc(1, len + 1);
	memcpy(nodes[i].value, value, len);
	nodes[i].len = len;
}

const char *fake_xs_get(const char *path)
{
	long i = lookup(path);

	return i < 0 ? NULL : nodes[i].value;
}

void fake_xs_rm(const char *path)
{
	char buf[PATH];
	size_t i = 0;

	path = absolute(path, buf);
	while (i < nr_nodes) {
		if (!below(nodes[i].path, path)) {
			i++;
			continue;
		}
		free(nodes[i].value);
		nodes[i] = nodes[--nr_nodes];
	}
}

void fake_xs_introduce(unsigned domid, bool yes)
{
	introduced[domid % 64] = yes;
}

struct xs_handle *xs_open(unsigned long flags)
{
	(void)flags;
	return (struct xs_handle *)nodes;
}

const char *xs_daemon_socket(void)
{
	return "/nonexistent/socket";
}

void xs_close(struct xs_handle *h)
{
	(void)h;
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path,
		    unsigned int *num)
{
	char buf[PATH], **list;
	size_t i, n = 0, len;
	char *text;

	(void)h;
	(void)t;
	if (broken())
		return NULL;
	touch(path);
	path = absolute(path, buf);
	len = strlen(path);
	if (lookup(path) < 0) {
		errno = ENOENT;
		return NULL;
	}
	list = malloc(NODES * (sizeof(char *) + PATH));
	text = (char *)(list + NODES);
	for (i = 0; i < nr_nodes; i++) {
		const char *name = nodes[i].path + len + 1;

		if (!below(nodes[i].path, path) || !nodes[i].path[len] ||
		    strchr(name, '/'))
			continue;
		list[n] = text + n * PATH;
		snprintf(list[n++], PATH, "%s", name);
	}
	*num = (unsigned)n;
	return list;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path,
	      unsigned int *len)
{
	long i = lookup(path);
	char *copy;

	(void)h;
	(void)t;
	if (broken())
		return NULL;
	fake_xs_reads++;
	touch(path);
	if (i < 0) {
		errno = ENOENT;
		return NULL;
	}
	*len = (unsigned)nodes[i].len;
	copy = malloc(nodes[i].len + 1);
	memcpy(copy, nodes[i].value, nodes[i].len + 1);
	return copy;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path,
	      const void *data, unsigned int len)
{
	(void)h;
	(void)t;
	if (broken())
		return false;
	touch(path);
	fake_xs_set_bytes(path, data, len);
	return true;
}

bool xs_mkdir(struct xs_handle *h, xs_transaction_t t, const char *path)
{
	return xs_write(h, t, path, "", 0);
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t,
			const char *path, struct xs_permissions *perms,
			unsigned int n)
{
	(void)h, (void)t, (void)path, (void)perms, (void)n;
	return true;
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
	(void)h;
	(void)t;
	if (broken())
		return false;
	touch(path);
	if (lookup(path) < 0) {
		errno = ENOENT;
		return false;
	}
	fake_xs_rm(path);
	return true;
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
	(void)h;
	(void)path;
	(void)token;
	fake_xs_watches++;
	return true;
}

bool xs_unwatch(struct xs_handle *h, const char *path, const char *token)
{
	(void)h;
	(void)path;
	(void)token;
	fake_xs_watches--;
	return true;
}

int xs_fileno(struct xs_handle *h)
{
	(void)h;
	return storm_fd;
}

/* As the library: one piece of memory, the strings behind the pointers. */
char **xs_check_watch(struct xs_handle *h)
{
	char **event;

	(void)h;
	if (!storm && storm_fd >= 0 && fake_xs_storm_over)
		fake_xs_storm_over();
	if (!storm) {
		/* as libxenstore after the daemon has ended, or without an event */
		errno = storm_fd >= 0 && !fake_xs_storm_over ? EBADF : EAGAIN;
		return NULL;
	}
	storm--;
	event = malloc(2 * sizeof(*event) + 2 * PATH);
	event[XS_WATCH_PATH] = (char *)(event + 2);
	event[XS_WATCH_TOKEN] = (char *)(event + 2) + PATH;
	strcpy(event[XS_WATCH_PATH], storm_path);
	strcpy(event[XS_WATCH_TOKEN], storm_token);
	return event;
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
	void (*meanwhile)(void) = fake_xs_in_transaction;

	(void)h;
	if (broken())
		return 0;
	fake_xs_in_transaction = NULL;
	if (meanwhile)
		meanwhile();
	/* At the start rather than at the end: writes here act at once. */
	if (fake_xs_conflicts && fake_xs_conflicts--) {
		errno = EAGAIN;
		return 0;
	}
	return 1;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abandon)
{
	(void)h;
	(void)t;
	(void)abandon;
	return true;
}

bool xs_is_domain_introduced(struct xs_handle *h, unsigned int domid)
{
	(void)h;
	if (broken())
		return false;
	return introduced[domid % 64];
}
