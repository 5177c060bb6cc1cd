/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a seed with large requests, several in flight, through Linux AIO and
 * O_DIRECT, and writes each to the disk's file when it has ended.
 *
 * The requests have buffers of their own. Reading into a mapping of the file would
 * save the copy, but the kernel clears each page before it maps it, and that takes
 * longer than to copy into a page that it need not clear.
 *
 * A request is direct as far as its offset and its length have the alignment that
 * the seed's file system or device requires. What is left of it (mostly of the
 * last one), and what the kernel refuses or cuts short, is read buffered.
 * (blktap's driver read 512 bytes at a time with O_DIRECT into unaligned memory,
 * which many file systems refuse.) An NBD seed is read through libnbd, with as many
 * requests in flight on each of its connections.
 *
 * While the first requests are in flight, all memory of the disk is taken. One
 * thread. The state is on the stack of rd_load().
 */
#include "drivers/block-ram/seed/loader.h"

#include <errno.h>
#include <inttypes.h>
#include <libaio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/base/memory.h"
#include "drivers/block-ram/seed/nbd.h"
#include "include/private/clock.h"

#define DEPTH \
	RD_NBD_DEPTH /* requests in flight; on each connection of a server */
#define CHUNK ((size_t)1 << 20) /* bytes a request */
#define HUGE_PAGE ((size_t)2 << 20)
#define PIECE ((uint64_t)32 << 20) /* bytes of one call of extent() */
#define PROGRESS_MS 100 /* between two calls of the progress function */

struct request {
	struct iocb iocb; /* first member: io_getevents() returns its address */
	struct rd_nbd_request remote; /* of an NBD seed */
	struct load *load;
	unsigned char *buf; /* CHUNK bytes, aligned to a page */
	uint64_t off;
	size_t len;
	struct request *next; /* in the list of the free, or of the finished */
};

struct load {
	const struct rd_load *what;
	const struct rd_seed *seed;
	io_context_t aio; /* valid while direct */
	bool direct;
	bool reserved; /* what->reserve() has nothing left to do */
	struct request requests[DEPTH * RD_NBD_CONNECTIONS];
	unsigned char
		*mapping; /* mapping_size() bytes, with the requests' buffers */
	unsigned depth; /* requests that are used */
	struct request *free;
	struct request *finished; /* read from the server, and not yet written */
	unsigned in_flight;
	uint64_t done; /* bytes written or skipped */
	int64_t last_progress; /* ms, monotonic */
	struct rd_error *err;
};

static int report(struct load *l, bool always)
{
	int64_t now;

	if (!l->reserved)
		return 0;
	if (l->what->loaded)
		atomic_store_explicit(l->what->loaded, l->done,
				      memory_order_relaxed);
	if (!l->what->progress)
		return 0;
	now = clock_now_ms();
	if (!always && now - l->last_progress < PROGRESS_MS)
		return 0;
	l->last_progress = now;
	if (l->what->progress(l->what->progress_arg, l->done, l->seed->size))
		return rd_fail(l->err, -ECANCELED, "loading %s was canceled",
			       l->seed->path);
	return 0;
}

static int failed(struct load *l, uint64_t off, int rc)
{
	return rd_fail(l->err, rc == -ENOMEM ? rc : -EIO,
		       "cannot read seed %s at byte %" PRIu64 ": %s",
		       l->seed->path, off, strerror(-rc));
}

/* ---- one request ------------------------------------------------------- */

static void release(struct load *l, struct request *r)
{
	r->next = l->free;
	l->free = r;
}

static int read_buffered(struct load *l, unsigned char *to, uint64_t off,
			 size_t len)
{
	while (len) {
		ssize_t n = rd_seed_read_buffered(l->seed, to, off, len);

		if (n == -ENODATA && rd_seed_check_size(l->seed, l->err))
			return -EIO;
		if (n < 0)
			return failed(l, off, (int)n);
		to += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_out(struct load *l, const struct request *r)
{
	int rc = rd_memory_write(l->what->to, r->buf, r->off, r->len);
	struct rd_error why;

	if (rc == -ENOSPC)
		rd_memory_explain(l->what->to, &why);
	if (rc)
		return rd_fail(l->err, rc, "cannot load %s: %s", l->seed->path,
			       rc == -ENOSPC ? why.text : strerror(-rc));
	l->done += r->len;
	return 0;
}

/* The first @got bytes of @r were read: read the others, and write all. */
static int finish(struct load *l, struct request *r, size_t got)
{
	int rc = 0;

	if (got < r->len)
		rc = read_buffered(l, r->buf + got, r->off + got, r->len - got);
	if (!rc)
		rc = write_out(l, r);
	release(l, r);
	return rc;
}

/* ---- the direct path --------------------------------------------------- */

static void direct_open(struct load *l)
{
	l->direct = l->seed->direct >= 0 && l->seed->align <= CHUNK &&
		    io_setup(DEPTH, &l->aio) == 0;
}

static void direct_close(struct load *l)
{
	if (l->direct)
		io_destroy(l->aio); /* waits for the requests in flight */
}

/* Finish the requests that have ended; wait for one, unless @poll. */
static int collect(struct load *l, bool poll)
{
	struct timespec none = { 0 };
	struct io_event events[DEPTH];
	int n, i, rc = 0;

	do
		n = io_getevents(l->aio, poll ? 0 : 1, DEPTH, events,
				 poll ? &none : NULL);
	while (n == -EINTR);
	if (n < 0)
		return failed(l, l->done, n);
	l->in_flight -= (unsigned)n;
	for (i = 0; !rc && i < n; i++) {
		struct request *r = (struct request *)events[i].obj;
		long res = (long)events[i].res;

		if (res < 0 && res != -EINVAL && res != -EOPNOTSUPP)
			rc = failed(l, r->off, (int)res);
		else
			rc = finish(l, r, res > 0 ? (size_t)res : 0);
	}
	return rc;
}

static int read_direct(struct load *l, struct request *r)
{
	size_t head = r->len & ~(size_t)(l->seed->align - 1);
	struct iocb *iocb = &r->iocb;

	if (!l->direct || !head ||
	    !rd_seed_aligned(l->seed, r->buf, r->off, head))
		return finish(l, r, 0);
	io_prep_pread(iocb, l->seed->direct, r->buf, head, (long long)r->off);
	if (io_submit(l->aio, 1, &iocb) != 1) /* queue full, or refused */
		return finish(l, r, 0);
	l->in_flight++;
	return 0;
}

/* ---- from a server ----------------------------------------------------- */

static int server_failed(struct load *l, int rc)
{
	return rd_fail(l->err, rc == -ENOMEM ? rc : -EIO,
		       "cannot read seed %s: %s; nothing was attached",
		       l->seed->path, rd_nbd_why(l->seed->nbd));
}

static void arrived(struct rd_nbd_request *remote)
{
	struct request *r = remote->arg;

	r->next = r->load->finished;
	r->load->finished = r;
}

/* As collect(); returns after a tenth of a second at the latest. */
static int collect_from_server(struct load *l, bool poll)
{
	int rc = rd_nbd_wait(l->seed->nbd, poll ? 0 : INT32_MAX);
	struct request *r;

	if (rc)
		return server_failed(l, rc);
	while (!rc && (r = l->finished)) {
		l->finished = r->next;
		rc = finish(l, r, r->len);
	}
	return rc;
}

static int read_server(struct load *l, struct request *r)
{
	int rc;

	r->remote = (struct rd_nbd_request){ .to = r->buf,
					     .off = r->off,
					     .len = r->len,
					     .done = arrived,
					     .arg = r };
	/* Again, if the connection that had room is lost. */
	while ((rc = rd_nbd_start(l->seed->nbd, &r->remote)) == -EAGAIN) {
		rc = collect_from_server(l, false);
		if (rc)
			return rc;
	}
	return rc ? server_failed(l, rc) : 0;
}

/* ---- all requests ------------------------------------------------------ */

static bool has_room(const struct load *l)
{
	return l->free && (!l->seed->nbd || rd_nbd_room(l->seed->nbd));
}

static bool is_busy(const struct load *l)
{
	return l->seed->nbd ? rd_nbd_busy(l->seed->nbd) || l->finished
			    : l->in_flight > 0;
}

static int take_memory(struct load *l)
{
	int rc = l->what->reserve(l->what->arg, &l->reserved);

	return !rc && l->reserved ? report(l, true) : rc;
}

/* Wait for requests. As long as there is memory to take, do that meanwhile. */
static int wait_for_requests(struct load *l)
{
	bool poll = !l->reserved;
	int rc = poll ? take_memory(l) : 0;

	if (!rc)
		rc = l->seed->nbd ? collect_from_server(l, poll)
				  : collect(l, poll);
	return rc ? rc : report(l, false);
}

static int read_chunk(struct load *l, uint64_t off, size_t len)
{
	struct request *r;
	int rc = 0;

	while (!rc && !has_room(l))
		rc = wait_for_requests(l);
	if (rc)
		return rc;
	r = l->free;
	l->free = r->next;
	r->off = off;
	r->len = len;
	return l->seed->nbd ? read_server(l, r) : read_direct(l, r);
}

/* ---- extents ----------------------------------------------------------- */

static int begin_piece(struct load *l, uint64_t off, uint64_t end,
		       uint64_t extent_end)
{
	struct rd_error why;
	int rc = l->what->extent ? l->what->extent(l->what->arg, off, end,
						   extent_end, &why)
				 : 0;

	return rc ? rd_fail(l->err, rc, "cannot load %s: %s", l->seed->path,
			    rc == -ENOSPC ? why.text : strerror(-rc))
		  : 0;
}

static uint64_t next_multiple(uint64_t off, uint64_t of, uint64_t end)
{
	uint64_t stop = (off / of + 1) * of;

	return stop < end ? stop : end;
}

static int read_piece(struct load *l, uint64_t off, uint64_t end)
{
	uint64_t stop;
	int rc = 0;

	/* End at a multiple of CHUNK, so that the next request is aligned. */
	for (; !rc && off < end; off = stop) {
		stop = next_multiple(off, CHUNK, end);
		rc = read_chunk(l, off, (size_t)(stop - off));
		if (!rc)
			rc = report(l, false);
	}
	return rc;
}

static int read_extent(struct load *l, uint64_t off, uint64_t end)
{
	uint64_t stop;
	int rc = 0;

	for (; !rc && off < end; off = stop) {
		stop = next_multiple(off, PIECE, end);
		rc = begin_piece(l, off, stop, end);
		if (!rc)
			rc = read_piece(l, off, stop);
	}
	return rc;
}

void rd_next_extent(const struct rd_seed *seed, uint64_t *off, uint64_t *end)
{
	off_t data, hole;

	*end = seed->size;
	if (seed->nbd)
		rd_nbd_next_extent(seed->nbd, off, end);
	if (seed->nbd || seed->device)
		return;
	data = lseek(seed->fd, (off_t)*off, SEEK_DATA);
	if (data < 0 && errno == ENXIO) {
		*off = *end; /* a hole up to the seed's end */
		return;
	}
	if (data < 0)
		return; /* no SEEK_DATA on this file system: all is data */
	hole = lseek(seed->fd, data, SEEK_HOLE);
	*off = (uint64_t)data < *end ? (uint64_t)data : *end;
	if (hole > data && (uint64_t)hole < *end)
		*end = (uint64_t)hole;
}

static int read_all(struct load *l)
{
	uint64_t off = 0, end, from;
	int rc = report(l, true);

	while (!rc && off < l->seed->size) {
		from = off;
		rd_next_extent(l->seed, &off, &end);
		l->done += off - from;
		rc = read_extent(l, off, end);
		off = end;
	}
	while (!rc && is_busy(l))
		rc = wait_for_requests(l);
	while (!rc && !l->reserved) /* all requests were quicker */
		rc = take_memory(l);
	return rc;
}

static size_t mapping_size(const struct load *l)
{
	return l->depth * CHUNK + HUGE_PAGE;
}

/*
 * The buffers; NULL without memory. Those that are never used take none. A seed that uses
 * all of them has huge pages there, if the kernel has some: a direct request is then one
 * piece of memory for the disk instead of 256.
 */
static unsigned char *map_buffers(struct load *l)
{
	unsigned char *start;

	l->mapping = mmap(NULL, mapping_size(l), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (l->mapping == MAP_FAILED)
		return NULL;
	start = l->mapping + -(uintptr_t)l->mapping % HUGE_PAGE;
	if (l->seed->size >= l->depth * CHUNK)
		(void)madvise(start, l->depth * CHUNK, MADV_HUGEPAGE);
	return start;
}

static int open_load(struct load *l)
{
	uint64_t wanted = (l->seed->size - 1) / (DEPTH * CHUNK) + 1;
	unsigned char *buffers;
	unsigned i;

	l->depth = DEPTH;
	if (l->seed->nbd && wanted > 1)
		l->depth *= rd_nbd_spread(l->seed->nbd, wanted);
	buffers = map_buffers(l);
	if (!buffers)
		return rd_fail(l->err, -ENOMEM, "no memory to read seed %s",
			       l->seed->path);
	for (i = l->depth; i-- > 0;) {
		l->requests[i].load = l;
		l->requests[i].buf = buffers + i * CHUNK;
		release(l, &l->requests[i]);
	}
	direct_open(l);
	return 0;
}

static void close_load(struct load *l)
{
	direct_close(l);
	munmap(l->mapping, mapping_size(l));
}

int rd_load(const struct rd_load *what, struct rd_error *err)
{
	struct load l = {
		.what = what,
		.seed = what->seed,
		.reserved = !what->reserve,
		.err = err,
	};
	int rc = open_load(&l);

	if (rc)
		return rc;
	rc = read_all(&l);
	close_load(&l);
	if (!rc) /* a truncated file reads as a hole: check the size */
		rc = rd_seed_check_size(what->seed, err);
	return rc ? rc : report(&l, true);
}
