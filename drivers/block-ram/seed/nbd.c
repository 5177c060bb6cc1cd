/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See nbd.h. Uses libnbd's asynchronous calls with a time limit of its own: with
 * a server that is cut off, an attach would else wait as long as TCP retries.
 * The mutex serialises the threads of a lazy disk.
 *
 * libnbd is loaded with dlopen(), so that hosts without NBD seeds need not
 * install it. RD_WITHOUT_NBD leaves out the part that needs libnbd (tapdisk driver).
 */
#include "drivers/block-ram/seed/nbd.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/seed/tls.h"
#include "include/private/clock.h"

/* ---- URIs -------------------------------------------------------------- */

#define NBD_PORT ":10809"

/* The length of the scheme if @seed is an NBD URI, else 0. */
static size_t scheme_length(const char *seed)
{
	static const char *const schemes[] = { "nbd",       "nbds",
					       "nbd+unix",  "nbds+unix",
					       "nbd+vsock", "nbds+vsock" };
	const char *colon = strstr(seed, "://");
	size_t i, n = colon ? (size_t)(colon - seed) : 0;

	for (i = 0; n && i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strlen(schemes[i]) == n &&
		    !strncasecmp(seed, schemes[i], n))
			return n;
	return 0;
}

bool rd_nbd_is_uri(const char *seed)
{
	return scheme_length(seed) != 0;
}

bool rd_nbd_canonical(const char *uri, char text[RD_SEED_MAX])
{
	size_t i, scheme = scheme_length(uri), start = scheme + 3;
	size_t host = strcspn(uri + start, "/?#"), port = strlen(NBD_PORT);
	const char *rest = uri + start + host;
	const char *at = memrchr(uri + start, '@', host);
	size_t user = at ? (size_t)(at - uri)
			 : 0; /* the case of a user name counts with TLS */

	if (host >= port && !strncmp(rest - port, NBD_PORT, port))
		host -= port;
	if ((size_t)snprintf(text, RD_SEED_MAX, "%.*s%s%s", (int)(start + host),
			     uri, *rest == '/' ? "" : "/", rest) >= RD_SEED_MAX)
		return false;
	for (i = 0; i < start + host; i++)
		if (i < start || i >= user)
			text[i] = (char)tolower((unsigned char)text[i]);
	return true;
}

/* FNV-1a, 64 bits. rd_nbd_id() joins two hashes with different start values. */
static uint64_t hash(const char *text, uint64_t h)
{
	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h;
}

void rd_nbd_id(const char *canonical, char id[RD_ID_MAX])
{
	snprintf(id, RD_ID_MAX, "u-%016" PRIx64 "%016" PRIx64,
		 hash(canonical, UINT64_C(0xcbf29ce484222325)),
		 hash(canonical, UINT64_C(0x84222325cbf29ce4)));
}

#ifndef RD_WITHOUT_NBD

#include <dlfcn.h>
#include <libnbd.h>
#include <pthread.h>
#include <time.h>

#define DEPTH 16 /* requests in flight */
#define SILENCE_MS 30000 /* ms without an answer until the server is given up */
#define POLL_MS 100
#define STATUS_BYTES ((uint64_t)1 << 30) /* of one block status request */
#define EXTENTS 1024u /* kept of one answer */

/* ---- the library ------------------------------------------------------- */

#define LIBRARY "libnbd.so.0"
#define FUNCTIONS(f)                                                           \
	f(create) f(close) f(get_version) f(get_error) f(get_errno)            \
		f(add_meta_context) f(set_full_info) f(get_export_description) \
			f(set_uri_allow_local_file) f(aio_connect_uri)         \
				f(aio_is_connecting) f(aio_is_ready) f(poll)   \
					f(get_size) f(can_meta_context)        \
						f(aio_block_status)            \
							f(aio_pread)

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

/* ---- a connection ------------------------------------------------------ */

struct extent {
	uint64_t end;
	bool zero;
};

struct rd_nbd {
	struct nbd_handle *h;
	pthread_mutex_t mutex; /* held by rd_nbd_read() */
	unsigned in_flight;
	uint64_t done; /* bytes that have arrived and were not reported yet */
	int failed; /* errno of the first request that failed */
	int64_t last_activity; /* ms: last answer, or start of the wait */
	char why[RD_TLS_WHY];
	/* The answer to the last block status request. */
	bool has_status;
	bool status_pending; /* a block status request is in flight */
	uint64_t known_from, known_to;
	struct extent extents[EXTENTS];
	unsigned extent_count;
};

/* Record libnbd's message, unless an earlier one is recorded. Returns -EIO. */
static int note_failure(struct rd_nbd *n)
{
	const char *text = lib.get_error();

	if (!n->why[0])
		snprintf(n->why, sizeof(n->why), "%s",
			 text ? text : "the connection was lost");
	return -EIO;
}

/* Process the connection's events, POLL_MS at most. */
static int poll_once(struct rd_nbd *n)
{
	int rc = lib.poll(n->h, POLL_MS);

	if (rc > 0)
		return 0;
	if (rc < 0)
		return lib.get_errno() == EINTR ? 0 : note_failure(n);
	if (clock_now_ms() - n->last_activity < SILENCE_MS)
		return 0;
	snprintf(n->why, sizeof(n->why), "no answer for %d seconds",
		 SILENCE_MS / 1000);
	return -ETIMEDOUT;
}

const char *rd_nbd_why(const struct rd_nbd *n)
{
	return n->why[0] ? n->why : strerror(n->failed ? n->failed : EIO);
}

static int connect_to(struct rd_nbd *n, const char *uri)
{
	int rc = rd_tls_check(uri, lib.get_version(n->h), n->why);

	if (rc)
		return rc;
	/* The administrator chose the URI: it may name files with keys. */
	if (lib.set_uri_allow_local_file(n->h, true) ||
	    lib.set_full_info(n->h, true) ||
	    lib.add_meta_context(n->h, LIBNBD_CONTEXT_BASE_ALLOCATION) ||
	    lib.aio_connect_uri(n->h, uri))
		return note_failure(n);
	n->last_activity = clock_now_ms();
	while (!rc && lib.aio_is_connecting(n->h) > 0)
		rc = poll_once(n);
	if (!rc && lib.aio_is_ready(n->h) <= 0)
		rc = note_failure(n);
	return rc;
}

int rd_nbd_open(struct rd_nbd **nbd, const char *uri, uint64_t *size,
		struct rd_error *err)
{
	struct rd_nbd *n;
	int64_t bytes = 0;
	int rc;

	pthread_once(&lib_once, open_library);
	if (lib.missing[0])
		return rd_fail(
			err, -ENOSYS,
			"seed %s needs libnbd, and %s; on Debian: apt-get install libnbd0",
			uri, lib.missing);
	n = calloc(1, sizeof(*n));
	if (!n)
		return rd_fail(err, -ENOMEM, "out of memory");
	pthread_mutex_init(&n->mutex, NULL);
	n->h = lib.create();
	rc = n->h ? connect_to(n, uri) : note_failure(n);
	if (!rc) {
		bytes = lib.get_size(n->h);
		n->has_status = lib.can_meta_context(
					n->h, LIBNBD_CONTEXT_BASE_ALLOCATION) >
				0;
		if (bytes < 0)
			rc = note_failure(n);
	}
	if (rc) {
		if (strstr(n->why, "gnutls_"))
			rd_tls_explain(uri, n->why);
		rd_fail(err, rc, "cannot open seed %s: %s", uri, rd_nbd_why(n));
		rd_nbd_close(n);
		return rc;
	}
	*size = (uint64_t)bytes;
	*nbd = n;
	return 0;
}

void rd_nbd_close(struct rd_nbd *n)
{
	if (!n)
		return;
	if (n->h)
		lib.close(n->h);
	pthread_mutex_destroy(&n->mutex);
	free(n);
}

void rd_nbd_description(struct rd_nbd *n, char text[RD_DESCRIPTION_MAX])
{
	char *got = lib.get_export_description(n->h);

	snprintf(text, RD_DESCRIPTION_MAX, "%s", got ? got : "");
	free(got);
}

/* ---- reading ----------------------------------------------------------- */

struct request {
	struct rd_nbd *nbd;
	size_t len;
};

static int ended(void *arg, int *error)
{
	struct request *r = arg;
	struct rd_nbd *n = r->nbd;

	n->in_flight--;
	n->last_activity = clock_now_ms();
	if (*error && !n->failed)
		n->failed = *error;
	if (!*error)
		n->done += r->len;
	return 1; /* the command is complete */
}

bool rd_nbd_room(const struct rd_nbd *n)
{
	return n->in_flight < DEPTH;
}

bool rd_nbd_busy(const struct rd_nbd *n)
{
	return n->in_flight > 0;
}

int rd_nbd_start(struct rd_nbd *n, void *to, uint64_t off, size_t len)
{
	struct request *r = malloc(sizeof(*r));

	if (!r)
		return -ENOMEM;
	*r = (struct request){ .nbd = n, .len = len };
	if (!n->in_flight)
		n->last_activity = clock_now_ms();
	n->in_flight++;
	/* libnbd frees r, also on failure. */
	if (lib.aio_pread(n->h, to, len, off,
			  (nbd_completion_callback){ .callback = ended,
						     .user_data = r,
						     .free = free },
			  0) < 0) {
		n->in_flight--;
		return note_failure(n);
	}
	return 0;
}

int rd_nbd_wait(struct rd_nbd *n, uint64_t *done)
{
	int rc = n->in_flight ? poll_once(n) : 0;

	*done += n->done;
	n->done = 0;
	return n->failed ? -n->failed : rc;
}

int rd_nbd_read(struct rd_nbd *n, void *to, uint64_t off, size_t len)
{
	uint64_t done = 0;
	int rc;

	pthread_mutex_lock(&n->mutex);
	rc = n->failed ? -n->failed : rd_nbd_start(n, to, off, len);
	while (!rc && n->in_flight)
		rc = rd_nbd_wait(n, &done);
	/* A late answer must not be written to a buffer that is in other use. */
	if (rc && !n->failed)
		n->failed = -rc;
	pthread_mutex_unlock(&n->mutex);
	return rc;
}

/* ---- holes ------------------------------------------------------------- */

static int on_extents(void *arg, const char *context, uint64_t off,
		      uint32_t *entries, size_t count, int *error)
{
	struct rd_nbd *n = arg;
	uint64_t at = n->known_to;
	size_t i;

	if (*error || strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) ||
	    off != n->known_from)
		return 0;
	for (i = 0; i + 1 < count && n->extent_count < EXTENTS; i += 2) {
		at += entries[i];
		n->extents[n->extent_count++] = (struct extent){
			.end = at,
			.zero = entries[i + 1] & LIBNBD_STATE_ZERO,
		};
	}
	n->known_to = at;
	return 0;
}

static int on_status(void *arg, int *error)
{
	struct rd_nbd *n = arg;

	n->status_pending = false;
	n->last_activity = clock_now_ms();
	n->has_status &= !*error; /* reads will report the error */
	return 1; /* the command is complete */
}

/* Request the block status at @off. If no answer comes, later reads fail, too. */
static void request_status(struct rd_nbd *n, uint64_t off, uint64_t len)
{
	int rc = 0;

	n->known_from = n->known_to = off;
	n->extent_count = 0;
	n->status_pending = true;
	if (!n->in_flight)
		n->last_activity = clock_now_ms();
	if (lib.aio_block_status(n->h, len, off,
				 (nbd_extent_callback){ .callback = on_extents,
							.user_data = n },
				 (nbd_completion_callback){
					 .callback = on_status,
					 .user_data = n },
				 0) < 0)
		n->status_pending = n->has_status = false;
	while (!rc && n->status_pending)
		rc = poll_once(n);
	if (rc && !n->failed)
		n->failed = -rc;
	n->has_status &= !rc && n->known_to > off;
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
	struct extent e = extent_at(n, *off, size);

	while (e.zero && e.end < size) {
		*off = e.end;
		e = extent_at(n, *off, size);
	}
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

int rd_nbd_start(struct rd_nbd *n, void *to, uint64_t off, size_t len)
{
	return rd_nbd_read(n, to, off, len);
}

int rd_nbd_wait(struct rd_nbd *n, uint64_t *done)
{
	(void)n;
	(void)done;
	return -ENOSYS;
}

const char *rd_nbd_why(const struct rd_nbd *n)
{
	(void)n;
	return "not built in";
}

#endif
