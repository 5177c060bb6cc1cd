/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See connection.h. libnbd is loaded with dlopen(), so that hosts without NBD
 * seeds need not install it. RD_WITHOUT_NBD leaves all of this out (tapdisk
 * driver).
 */
#include "drivers/block-ram/seed/connection.h"

#ifndef RD_WITHOUT_NBD

#include <dlfcn.h>
#include <errno.h>
#include <libnbd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/private/clock.h"

/* ---- the library ------------------------------------------------------- */

#define LIBRARY "libnbd.so.0"
#define FUNCTIONS(f)                                                          \
	f(create) f(close) f(get_version) f(get_error) f(add_meta_context) f( \
		set_full_info) f(get_export_description)                      \
		f(set_uri_allow_local_file) f(aio_connect_uri) f(             \
			aio_is_connecting) f(aio_is_ready) f(get_size)        \
			f(can_meta_context) f(can_multi_conn) f(aio_pread)    \
				f(aio_block_status) f(aio_get_fd) f(          \
					aio_get_direction) f(aio_notify_read) \
					f(aio_notify_write) f(aio_is_dead)    \
						f(aio_is_closed)

#define DECLARE(name) __typeof__(&nbd_##name) name;
static struct {
	FUNCTIONS(DECLARE)
	char missing[128]; /* why libnbd cannot be used; or empty */
} lib;

static pthread_once_t lib_once = PTHREAD_ONCE_INIT;

static void *symbol(void *library, const char *name)
{
	void *p = dlsym(library, name);

	if (!p && !lib.missing[0])
		snprintf(lib.missing, sizeof(lib.missing), "%s lacks %s",
			 LIBRARY, name);
	return p;
}

static void open_library(void)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		snprintf(lib.missing, sizeof(lib.missing),
			 "%s cannot be opened", LIBRARY);
		return;
	}
#define FIND(name) lib.name = symbol(library, "nbd_" #name);
	FUNCTIONS(FIND)
}

const char *rd_connection_missing(void)
{
	pthread_once(&lib_once, open_library);
	return lib.missing[0] ? lib.missing : NULL;
}

/* ---- connecting -------------------------------------------------------- */

/* Record libnbd's message, unless an earlier one is recorded. Returns -EIO. */
static int note_failure(struct rd_connection *c)
{
	const char *text = lib.get_error();

	if (!c->why[0])
		snprintf(c->why, sizeof(c->why), "%s",
			 text ? text : "the connection was lost");
	return -EIO;
}

static int connect_to(struct rd_connection *c, const char *uri)
{
	int rc;

	c->h = lib.create();
	if (!c->h)
		return note_failure(c);
	rc = rd_tls_check(uri, lib.get_version(c->h), c->why);
	if (rc)
		return rc;
	/* The administrator chose the URI: it may name files with keys. */
	if (lib.set_uri_allow_local_file(c->h, true) ||
	    lib.set_full_info(c->h, true) ||
	    lib.add_meta_context(c->h, LIBNBD_CONTEXT_BASE_ALLOCATION) ||
	    lib.aio_connect_uri(c->h, uri))
		return note_failure(c);
	return 0;
}

int rd_connection_begin(struct rd_connection *c, const char *uri)
{
	int rc = connect_to(c, uri);

	c->last_activity = clock_now_ms();
	c->state = rc ? RD_CONNECTION_DEAD : RD_CONNECTION_CONNECTING;
	return rc;
}

void rd_connection_close(struct rd_connection *c)
{
	if (c->h)
		lib.close(c->h);
	c->h = NULL;
}

int64_t rd_connection_size(struct rd_connection *c)
{
	int64_t bytes = lib.get_size(c->h);

	if (bytes < 0)
		note_failure(c);
	return bytes;
}

bool rd_connection_has_status(struct rd_connection *c)
{
	return lib.can_meta_context(c->h, LIBNBD_CONTEXT_BASE_ALLOCATION) > 0;
}

bool rd_connection_may_share(struct rd_connection *c)
{
	return lib.can_multi_conn(c->h) > 0;
}

char *rd_connection_description(struct rd_connection *c)
{
	return lib.get_export_description(c->h);
}

/* Sending a request finds a closed connection, too. */
static void check_over(struct rd_connection *c)
{
	if (c->state == RD_CONNECTION_DEAD ||
	    (lib.aio_is_dead(c->h) <= 0 && lib.aio_is_closed(c->h) <= 0))
		return;
	note_failure(c);
	c->state = RD_CONNECTION_DEAD;
}

/* ---- requests ---------------------------------------------------------- */

static void begun(struct rd_connection *c)
{
	if (!c->in_flight++)
		c->last_activity = clock_now_ms();
}

static void answered(struct rd_connection *c)
{
	c->in_flight--;
	c->last_activity = clock_now_ms();
}

/* Called by libnbd, with its lock held: no call of libnbd is possible here. */
static int read_ended(void *arg, int *error)
{
	struct rd_nbd_request *r = arg;

	answered(r->on);
	r->error = *error;
	r->next = r->on->ended;
	r->on->ended = r;
	return 1; /* the command is complete */
}

int rd_connection_read(struct rd_connection *c, struct rd_nbd_request *r)
{
	nbd_completion_callback end = { .callback = read_ended,
					.user_data = r };

	r->on = c;
	begun(c);
	if (lib.aio_pread(c->h, r->to, r->len, r->off, end, 0) >= 0)
		return 0;
	c->in_flight--;
	note_failure(c);
	check_over(c);
	return -EIO;
}

_Static_assert(RD_STATUS_ZERO == LIBNBD_STATE_ZERO, "the flag of NBD");

static int on_extents(void *arg, const char *context, uint64_t off,
		      uint32_t *entries, size_t count, int *error)
{
	struct rd_status_request *s = arg;

	if (!*error && !strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION))
		s->extents(s->arg, off, entries, count);
	return 0;
}

static int status_ended(void *arg, int *error)
{
	struct rd_status_request *s = arg;

	answered(s->on);
	s->pending = false;
	s->refused = *error != 0;
	return 1; /* the command is complete */
}

int rd_connection_status(struct rd_connection *c, uint64_t off, uint64_t len,
			 struct rd_status_request *s)
{
	nbd_extent_callback extents = { .callback = on_extents,
					.user_data = s };
	nbd_completion_callback end = { .callback = status_ended,
					.user_data = s };

	s->on = c;
	s->pending = true;
	begun(c);
	if (lib.aio_block_status(c->h, len, off, extents, end, 0) >= 0)
		return 0;
	c->in_flight--;
	s->pending = false;
	return note_failure(c);
}

/* ---- events ------------------------------------------------------------ */

struct pollfd rd_connection_events(struct rd_connection *c)
{
	struct pollfd p = { .fd = -1 };
	unsigned direction;

	if (c->state != RD_CONNECTION_CONNECTING &&
	    c->state != RD_CONNECTION_READY)
		return p;
	p.fd = lib.aio_get_fd(c->h);
	direction = lib.aio_get_direction(c->h);
	if (direction & LIBNBD_AIO_DIRECTION_READ)
		p.events |= POLLIN;
	if (direction & LIBNBD_AIO_DIRECTION_WRITE)
		p.events |= POLLOUT;
	return p;
}

/* A connection that was refused or closed has an error, which libnbd finds. */
static int notify(struct rd_connection *c, short revents)
{
	const short over = POLLHUP | POLLERR | POLLNVAL;
	/* Another request may have been sent since the events were asked for. */
	unsigned direction = lib.aio_get_direction(c->h);

	if (direction & LIBNBD_AIO_DIRECTION_READ && revents & (POLLIN | over))
		return lib.aio_notify_read(c->h);
	if (direction & LIBNBD_AIO_DIRECTION_WRITE &&
	    revents & (POLLOUT | over))
		return lib.aio_notify_write(c->h);
	return 0;
}

void rd_connection_process(struct rd_connection *c, short revents)
{
	if (revents && notify(c, revents) < 0)
		note_failure(c);
	check_over(c);
	if (c->state == RD_CONNECTION_CONNECTING && lib.aio_is_ready(c->h) > 0)
		c->state = RD_CONNECTION_READY;
}

#endif
