/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a seed into memory with large requests, several in flight, through Linux
 * AIO and O_DIRECT.
 *
 * A request is direct only if its offset, its length and its address have the
 * alignment that the seed's file system or device requires. Other requests
 * (mostly the last one), and those that the kernel refuses or cuts short, are
 * read buffered. (blktap's driver read 512 bytes at a time with O_DIRECT into
 * unaligned memory, which many file systems refuse.) An NBD seed is read through
 * libnbd with as many requests in flight.
 *
 * One thread. The state is on the stack of rd_load().
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
#include "drivers/block-ram/seed/nbd.h"
#include "include/private/clock.h"
#include "include/private/linux-calls.h"

#define DEPTH 16 /* requests in flight */
#define CHUNK ((size_t)1 << 20) /* bytes a request */
#define PROGRESS_MS 100 /* between two calls of the progress function */

struct request {
	struct iocb iocb; /* first member: io_getevents() returns its address */
	uint64_t off;
	size_t len;
	struct request *next; /* in the free list */
};

struct load {
	const struct rd_load *what;
	const struct rd_seed *seed;
	io_context_t aio; /* valid while direct */
	bool direct;
	struct request requests[DEPTH];
	struct request *free;
	unsigned in_flight;
	uint64_t done; /* bytes read or skipped */
	int64_t last_progress; /* ms, monotonic */
	struct rd_error *err;
};

static int report(struct load *l, bool always)
{
	int64_t now;

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

static int read_buffered(struct load *l, uint64_t off, size_t len)
{
	while (len) {
		ssize_t n = rd_seed_read_buffered(l->seed, l->what->to + off,
						  off, len);

		if (n == -ENODATA && rd_seed_check_size(l->seed, l->err))
			return -EIO;
		if (n < 0)
			return failed(l, off, (int)n);
		off += (uint64_t)n;
		len -= (size_t)n;
		l->done += (uint64_t)n;
	}
	return 0;
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

/* Wait until a request has ended; read what it did not read. */
static int collect(struct load *l)
{
	struct io_event events[DEPTH];
	int n, i, rc = 0;

	do
		n = io_getevents(l->aio, 1, DEPTH, events, NULL);
	while (n == -EINTR);
	if (n < 0)
		return failed(l, l->done, n);
	for (i = 0; i < n; i++) {
		struct request *r = (struct request *)events[i].obj;
		long res = (long)events[i].res;
		size_t got = res > 0 ? (size_t)res : 0;

		l->in_flight--;
		r->next = l->free;
		l->free = r;
		if (rc)
			continue;
		if (res < 0 && res != -EINVAL && res != -EOPNOTSUPP) {
			rc = failed(l, r->off, (int)res);
			continue;
		}
		l->done += got;
		if (got < r->len)
			rc = read_buffered(l, r->off + got, r->len - got);
	}
	return rc;
}

static int read_direct(struct load *l, uint64_t off, size_t len)
{
	struct request *r;
	struct iocb *iocb;
	int rc;

	while (!l->free) {
		rc = collect(l);
		if (rc)
			return rc;
	}
	/* Fault in all pages in one call; else the kernel does it page by page. */
	madvise(l->what->to + off, len, MADV_POPULATE_WRITE);
	r = l->free;
	r->off = off;
	r->len = len;
	iocb = &r->iocb;
	io_prep_pread(iocb, l->seed->direct, l->what->to + off, len,
		      (long long)off);
	rc = io_submit(l->aio, 1, &iocb);
	if (rc != 1) /* queue full, or refused: read it buffered */
		return read_buffered(l, off, len);
	l->free = r->next;
	l->in_flight++;
	return 0;
}

/* ---- from a server ----------------------------------------------------- */

static int wait_for_server(struct load *l)
{
	int rc = rd_nbd_wait(l->seed->nbd, &l->done);

	if (rc)
		return rd_fail(l->err, rc == -ENOMEM ? rc : -EIO,
			       "cannot read seed %s: %s; nothing was attached",
			       l->seed->path, rd_nbd_why(l->seed->nbd));
	return report(l, false);
}

static int read_server(struct load *l, uint64_t off, size_t len)
{
	int rc = 0;

	while (!rc && !rd_nbd_room(l->seed->nbd))
		rc = wait_for_server(l);
	if (!rc && rd_nbd_start(l->seed->nbd, l->what->to + off, off, len))
		rc = rd_fail(l->err, -EIO,
			     "cannot read seed %s: %s; nothing was attached",
			     l->seed->path, rd_nbd_why(l->seed->nbd));
	return rc;
}

/* ---- extents ----------------------------------------------------------- */

static int read_chunk(struct load *l, uint64_t off, size_t len)
{
	size_t head = len & ~(size_t)(l->seed->align - 1);
	int rc;

	if (l->seed->nbd)
		return read_server(l, off, len);
	if (!l->direct ||
	    !rd_seed_aligned(l->seed, l->what->to + off, off, head))
		return read_buffered(l, off, len);
	rc = head ? read_direct(l, off, head) : 0;
	if (!rc && head < len)
		rc = read_buffered(l, off + head, len - head);
	return rc;
}

static int read_extent(struct load *l, uint64_t off, uint64_t end)
{
	struct rd_error why;
	/* After the last extent, an empty one ends the loop. */
	int rc = l->what->extent && off < end
			 ? l->what->extent(l->what->extent_arg, off, end, &why)
			 : 0;

	if (rc)
		return rd_fail(l->err, rc, "cannot load %s: %s", l->seed->path,
			       rc == -ENOSPC ? why.text : strerror(-rc));
	while (!rc && off < end) {
		/* End at a multiple of CHUNK, so that the next request is aligned. */
		uint64_t stop = (off / CHUNK + 1) * CHUNK;
		size_t len = (size_t)((stop < end ? stop : end) - off);

		rc = read_chunk(l, off, len);
		off += len;
		if (!rc)
			rc = report(l, false);
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
	while (!rc && l->in_flight) {
		rc = collect(l);
		if (!rc)
			rc = report(l, false);
	}
	while (!rc && l->seed->nbd && rd_nbd_busy(l->seed->nbd))
		rc = wait_for_server(l);
	return rc;
}

int rd_load(const struct rd_load *what, struct rd_error *err)
{
	struct load l = {
		.what = what,
		.seed = what->seed,
		.err = err,
	};
	int i, rc;

	for (i = 0; i < DEPTH; i++) {
		l.requests[i].next = l.free;
		l.free = &l.requests[i];
	}
	direct_open(&l);
	rc = read_all(&l);
	direct_close(&l);
	if (!rc) /* a truncated file reads as a hole: check the size */
		rc = rd_seed_check_size(what->seed, err);
	return rc ? rc : report(&l, true);
}
