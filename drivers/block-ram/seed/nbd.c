/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See nbd.h. The connections of an export, with a time limit of their own: with
 * a server that is cut off, an attach would else wait as long as TCP retries.
 *
 * One thread at a time waits for all connections, without the mutex, and then
 * processes their events with it. The other threads of a lazy disk wait for that
 * thread, and one of them is the next. RD_WITHOUT_NBD leaves out the part that
 * needs libnbd (tapdisk driver).
 */
#include "drivers/block-ram/seed/nbd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/seed/connection.h"
#include "drivers/block-ram/seed/tls.h"
#include "include/private/clock.h"

#ifndef RD_WITHOUT_NBD

#include <poll.h>
#include <pthread.h>

#define SILENCE_MS 30000 /* ms without an answer until the server is given up */
#define POLL_MS 100
#define STATUS_BYTES ((uint64_t)1 << 30) /* of one block status request */
#define EXTENTS 1024u /* kept of one answer */

struct extent {
	uint64_t end;
	bool zero;
};

struct rd_nbd {
	char uri[RD_SEED_MAX];
	uint64_t size;
	pthread_mutex_t mutex; /* of all below; not held while a thread polls */
	pthread_cond_t change; /* a thread has polled */
	bool polling; /* a thread of rd_nbd_read() polls */
	struct rd_connection connections[RD_NBD_CONNECTIONS];
	unsigned count; /* of connections that were begun */
	unsigned reads; /* started, and not done */
	struct rd_nbd_request *again; /* reads of lost connections */
	int failed; /* errno of the first failure */
	char why[RD_TLS_WHY];
	/* The answer to the last block status request. */
	bool has_status;
	struct rd_status_request status;
	uint64_t known_from, known_to;
	struct extent extents[EXTENTS];
	unsigned extent_count;
};

/* Keep the reason of @c unless there is one already. Returns -EIO. */
static int note_failure(struct rd_nbd *n, const struct rd_connection *c)
{
	if (!n->why[0])
		snprintf(n->why, sizeof(n->why), "%s", c->why);
	return -EIO;
}

const char *rd_nbd_why(const struct rd_nbd *n)
{
	return n->why[0] ? n->why : strerror(n->failed ? n->failed : EIO);
}

/* ---- all connections ------------------------------------------------------ */

/* The connection with the fewest requests, of those that take one more; or NULL. */
static struct rd_connection *choose(const struct rd_nbd *n)
{
	const struct rd_connection *c, *best = NULL;

	for (c = n->connections; c < n->connections + n->count; c++)
		if (c->state == RD_CONNECTION_READY &&
		    c->in_flight < RD_NBD_DEPTH &&
		    (!best || c->in_flight < best->in_flight))
			best = c;
	return (struct rd_connection *)best;
}

static bool is_up(const struct rd_nbd *n)
{
	unsigned i;

	for (i = 0; i < n->count; i++)
		if (n->connections[i].state == RD_CONNECTION_READY)
			return true;
	return false;
}

/* Poll without the mutex, POLL_MS at most, and process what has happened. */
static void poll_once(struct rd_nbd *n, int patience)
{
	struct pollfd p[RD_NBD_CONNECTIONS];
	unsigned i, count = n->count;
	int rc;

	for (i = 0; i < count; i++)
		p[i] = rd_connection_events(&n->connections[i]);
	pthread_mutex_unlock(&n->mutex);
	rc = poll(p, count, patience < POLL_MS ? patience : POLL_MS);
	pthread_mutex_lock(&n->mutex);
	for (i = 0; i < count; i++)
		rd_connection_process(&n->connections[i],
				      rc > 0 ? p[i].revents : 0);
}

/* A further connection must lead to the same export. */
static void check_further(struct rd_nbd *n, struct rd_connection *c)
{
	if (c != n->connections && c->state == RD_CONNECTION_READY &&
	    !c->checked && rd_connection_size(c) != (int64_t)n->size) {
		rd_connection_close(c);
		c->state = RD_CONNECTION_DEAD;
	}
	c->checked = true;
}

/* Call @done of the reads of @c that have ended; keep those that are to be repeated. */
static void deliver(struct rd_nbd *n, struct rd_connection *c)
{
	bool lost = c->state == RD_CONNECTION_DEAD;
	struct rd_nbd_request *r;

	while ((r = c->ended)) {
		c->ended = r->next;
		if (r->error && lost && is_up(n)) {
			r->next = n->again;
			n->again = r;
			continue;
		}
		if (r->error && lost)
			note_failure(n, c);
		if (r->error && !n->failed)
			n->failed = r->error;
		n->reads--;
		r->done(r);
	}
}

/* Send a read on any connection. -EAGAIN: none takes one now. */
static int send_read(struct rd_nbd *n, struct rd_nbd_request *r)
{
	struct rd_connection *c;

	while ((c = choose(n))) {
		if (!rd_connection_read(c, r))
			return 0;
		if (c->state != RD_CONNECTION_DEAD)
			return note_failure(n, c);
	}
	return -EAGAIN;
}

static int send_again(struct rd_nbd *n)
{
	struct rd_nbd_request *r;
	int rc = 0;

	while (!rc && (r = n->again)) {
		n->again = r->next; /* sending changes r->next */
		rc = send_read(n, r);
		if (rc) {
			r->next = n->again;
			n->again = r;
		}
	}
	return rc == -EAGAIN ? 0 : rc;
}

/* Whether the server owes @c an answer: a first connection, or a request's. */
static bool waits(const struct rd_nbd *n, const struct rd_connection *c)
{
	return c->state == RD_CONNECTION_READY
		       ? c->in_flight > 0
		       : c->state == RD_CONNECTION_CONNECTING && !is_up(n);
}

static int check_server(struct rd_nbd *n)
{
	int64_t now = clock_now_ms();
	unsigned i, dead = 0;

	for (i = 0; i < n->count; i++) {
		const struct rd_connection *c = &n->connections[i];

		dead += c->state == RD_CONNECTION_DEAD;
		if (!waits(n, c) || now - c->last_activity < SILENCE_MS)
			continue;
		snprintf(n->why, sizeof(n->why), "no answer for %d seconds",
			 SILENCE_MS / 1000);
		return -ETIMEDOUT;
	}
	return dead < n->count ? 0 : note_failure(n, n->connections);
}

/* One round of the connections' work. 0 or -errno, which is also in n->failed. */
static int step(struct rd_nbd *n, int patience)
{
	unsigned i;
	int rc;

	poll_once(n, patience);
	for (i = 0; i < n->count; i++)
		check_further(n, &n->connections[i]);
	for (i = 0; i < n->count; i++)
		deliver(n, &n->connections[i]);
	rc = send_again(n);
	if (!rc)
		rc = check_server(n);
	if (rc && !n->failed)
		n->failed = -rc;
	return -n->failed;
}

/* ---- opening ----------------------------------------------------------- */

static int connect_first(struct rd_nbd *n)
{
	struct rd_connection *c = n->connections;
	int64_t bytes;
	int rc;

	n->count = 1;
	rc = rd_connection_begin(c, n->uri);
	while (!rc && c->state == RD_CONNECTION_CONNECTING)
		rc = step(n, POLL_MS);
	if (!rc && c->state == RD_CONNECTION_DEAD)
		rc = -EIO;
	bytes = rc ? 0 : rd_connection_size(c);
	if (bytes < 0)
		rc = -EIO;
	if (rc) {
		note_failure(n, c);
		return rc;
	}
	n->size = (uint64_t)bytes;
	n->has_status = rd_connection_has_status(c);
	return 0;
}

int rd_nbd_open(struct rd_nbd **nbd, const char *uri, uint64_t *size,
		struct rd_error *err)
{
	const char *missing = rd_connection_missing();
	struct rd_nbd *n;
	int rc;

	if (missing)
		return rd_fail(
			err, -ENOSYS,
			"seed %s needs libnbd, and %s; on Debian: apt-get install libnbd0",
			uri, missing);
	n = calloc(1, sizeof(*n));
	if (!n)
		return rd_fail(err, -ENOMEM, "out of memory");
	snprintf(n->uri, sizeof(n->uri), "%s", uri);
	pthread_mutex_init(&n->mutex, NULL);
	pthread_cond_init(&n->change, NULL);
	pthread_mutex_lock(&n->mutex);
	rc = connect_first(n);
	pthread_mutex_unlock(&n->mutex);
	if (rc) {
		if (strstr(n->why, "gnutls_"))
			rd_tls_explain(uri, n->why);
		rd_fail(err, rc, "cannot open seed %s: %s", uri, rd_nbd_why(n));
		rd_nbd_close(n);
		return rc;
	}
	*size = n->size;
	*nbd = n;
	return 0;
}

unsigned rd_nbd_spread(struct rd_nbd *n, uint64_t count)
{
	if (!rd_connection_may_share(n->connections))
		return 1;
	while (n->count < count && n->count < RD_NBD_CONNECTIONS)
		rd_connection_begin(&n->connections[n->count++], n->uri);
	return n->count;
}

void rd_nbd_close(struct rd_nbd *n)
{
	unsigned i;

	if (!n)
		return;
	for (i = 0; i < n->count; i++)
		rd_connection_close(&n->connections[i]);
	pthread_cond_destroy(&n->change);
	pthread_mutex_destroy(&n->mutex);
	free(n);
}

void rd_nbd_description(struct rd_nbd *n, char text[RD_DESCRIPTION_MAX])
{
	char *got = rd_connection_description(n->connections);

	snprintf(text, RD_DESCRIPTION_MAX, "%s", got ? got : "");
	free(got);
}

/* ---- reading ----------------------------------------------------------- */

/* The mutex is held. */
static int start(struct rd_nbd *n, struct rd_nbd_request *r)
{
	int rc;

	n->reads++;
	rc = send_read(n, r);
	if (rc)
		n->reads--;
	return rc;
}

bool rd_nbd_room(const struct rd_nbd *n)
{
	return !n->again && choose(n);
}

bool rd_nbd_busy(const struct rd_nbd *n)
{
	return n->reads > 0;
}

int rd_nbd_start(struct rd_nbd *n, struct rd_nbd_request *r)
{
	int rc;

	pthread_mutex_lock(&n->mutex);
	rc = start(n, r);
	pthread_mutex_unlock(&n->mutex);
	return rc;
}

int rd_nbd_wait(struct rd_nbd *n, int patience)
{
	int rc;

	pthread_mutex_lock(&n->mutex);
	rc = step(n, patience);
	pthread_mutex_unlock(&n->mutex);
	return rc;
}

/* Let the connections' work go on, here or in the thread that is doing it. */
static void take_turn(struct rd_nbd *n)
{
	if (n->polling) {
		pthread_cond_wait(&n->change, &n->mutex);
		return;
	}
	n->polling = true;
	step(n, POLL_MS);
	n->polling = false;
	pthread_cond_broadcast(&n->change);
}

static void read_done(struct rd_nbd_request *r)
{
	*(bool *)r->arg = true;
}

int rd_nbd_read(struct rd_nbd *n, void *to, uint64_t off, size_t len)
{
	bool done = false;
	struct rd_nbd_request r = { .to = to,
				    .off = off,
				    .len = len,
				    .done = read_done,
				    .arg = &done };
	int rc;

	pthread_mutex_lock(&n->mutex);
	/* A late answer must not be written to a buffer that is in other use. */
	while (!n->failed && (rc = start(n, &r)) == -EAGAIN)
		take_turn(n);
	if (!n->failed && rc)
		n->failed = -rc;
	while (!done && !n->failed)
		take_turn(n);
	rc = done ? -r.error : -n->failed;
	pthread_mutex_unlock(&n->mutex);
	return rc;
}

/* ---- holes ------------------------------------------------------------- */

static void on_extents(void *arg, uint64_t off, const uint32_t *numbers,
		       size_t count)
{
	struct rd_nbd *n = arg;
	uint64_t at = n->known_to;
	size_t i;

	if (off != n->known_from)
		return;
	for (i = 0; i + 1 < count && n->extent_count < EXTENTS; i += 2) {
		at += numbers[i];
		n->extents[n->extent_count++] = (struct extent){
			.end = at,
			.zero = numbers[i + 1] & RD_STATUS_ZERO,
		};
	}
	n->known_to = at;
}

/* Request the block status at @off. If no answer comes, later reads fail, too. */
static void request_status(struct rd_nbd *n, uint64_t off, uint64_t len)
{
	struct rd_connection *c;
	int rc = 0;

	n->known_from = n->known_to = off;
	n->extent_count = 0;
	n->status = (struct rd_status_request){ .extents = on_extents,
						.arg = n };
	while (!rc && !(c = choose(n)))
		rc = step(n, POLL_MS);
	if (!rc)
		rc = rd_connection_status(c, off, len, &n->status);
	while (!rc && n->status.pending)
		rc = step(n, POLL_MS);
	/* If the server refuses, all is data: reads will report the error. */
	n->has_status &= !rc && !n->status.refused && n->known_to > off;
}

/* The extent at @off; data up to @size if the server has no block status. */
static struct extent extent_at(struct rd_nbd *n, uint64_t off, uint64_t size)
{
	uint64_t left = size - off;
	unsigned i;

	if (n->has_status && (off < n->known_from || off >= n->known_to))
		request_status(n, off,
			       left < STATUS_BYTES ? left : STATUS_BYTES);
	for (i = 0; n->has_status && i < n->extent_count; i++)
		if (off < n->extents[i].end)
			return n->extents[i];
	return (struct extent){ .end = size };
}

void rd_nbd_next_extent(struct rd_nbd *n, uint64_t *off, uint64_t *end)
{
	uint64_t size = *end;
	struct extent e;

	pthread_mutex_lock(&n->mutex);
	e = extent_at(n, *off, size);
	while (e.zero && e.end < size) {
		*off = e.end;
		e = extent_at(n, *off, size);
	}
	pthread_mutex_unlock(&n->mutex);
	if (e.zero)
		*off = size; /* a hole up to the end */
	else if (e.end < size)
		*end = e.end;
}

#else /* RD_WITHOUT_NBD */

int rd_nbd_open(struct rd_nbd **nbd, const char *uri, uint64_t *size,
		struct rd_error *err)
{
	(void)nbd;
	(void)size;
	return rd_fail(
		err, -ENOSYS,
		"seed %s is on an NBD server, and this program was built without NBD",
		uri);
}

void rd_nbd_close(struct rd_nbd *n)
{
	(void)n;
}

void rd_nbd_description(struct rd_nbd *n, char text[RD_DESCRIPTION_MAX])
{
	(void)n;
	text[0] = 0;
}

int rd_nbd_read(struct rd_nbd *n, void *to, uint64_t off, size_t len)
{
	(void)n;
	(void)to;
	(void)off;
	(void)len;
	return -ENOSYS;
}

void rd_nbd_next_extent(struct rd_nbd *n, uint64_t *off, uint64_t *end)
{
	(void)n;
	(void)off;
	(void)end;
}

unsigned rd_nbd_spread(struct rd_nbd *n, uint64_t count)
{
	(void)n;
	(void)count;
	return 1;
}

bool rd_nbd_room(const struct rd_nbd *n)
{
	(void)n;
	return true;
}

bool rd_nbd_busy(const struct rd_nbd *n)
{
	(void)n;
	return false;
}

int rd_nbd_start(struct rd_nbd *n, struct rd_nbd_request *r)
{
	return rd_nbd_read(n, r->to, r->off, r->len);
}

int rd_nbd_wait(struct rd_nbd *n, int patience)
{
	(void)n;
	(void)patience;
	return -ENOSYS;
}

const char *rd_nbd_why(const struct rd_nbd *n)
{
	(void)n;
	return "not built in";
}

#endif
