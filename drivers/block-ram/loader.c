/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a seed into memory: large requests, several in flight through Linux
 * AIO with O_DIRECT.
 *
 * Each request goes direct only if its offset, its length and its address are
 * aligned as the seed's file system or device demands; what is not (the tail,
 * mostly) and what the direct path refuses or cuts short is read buffered.
 * The historic driver read 512 bytes at a time with O_DIRECT into memory that
 * was not aligned, which many file systems refuse: nothing here depends on an
 * alignment that was not checked.
 *
 * One thread. The state lives on the stack of rd_load().
 */
#include "drivers/block-ram/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libaio.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drivers/block-ram/error.h"

#define DEPTH 16 /* requests in flight */
#define CHUNK ((size_t)1 << 20) /* bytes a request */
#define PROGRESS_NS 100000000 /* between two calls of the progress function */

struct request {
	struct iocb iocb; /* first: io_getevents() hands back its address */
	uint64_t off;
	size_t len;
	struct request *next; /* in the free list */
};

struct load {
	const struct rd_seed *seed;
	unsigned char *to;
	int direct; /* descriptor with O_DIRECT, or -1 */
	uint64_t align; /* of offset, length and address on it; power of 2 */
	io_context_t aio; /* valid while direct >= 0 */
	struct request requests[DEPTH];
	struct request *free;
	unsigned in_flight;
	uint64_t done; /* bytes read or passed over */
	_Atomic uint64_t *loaded;
	rd_progress_fn *progress;
	void *progress_arg;
	struct timespec last_progress;
	struct rd_error *err;
};

static int report(struct load *l, bool always)
{
	struct timespec now;
	int64_t ns;

	if (l->loaded)
		atomic_store_explicit(l->loaded, l->done, memory_order_relaxed);
	if (!l->progress)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (now.tv_sec - l->last_progress.tv_sec) * INT64_C(1000000000) +
	     now.tv_nsec - l->last_progress.tv_nsec;
	if (!always && ns < PROGRESS_NS)
		return 0;
	l->last_progress = now;
	if (l->progress(l->progress_arg, l->done, l->seed->size))
		return rd_fail(l->err, -ECANCELED, "loading %s was given up",
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
		ssize_t n = pread(l->seed->fd, l->to + off, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(l, off, -errno);
		if (n == 0) {
			int rc = rd_seed_check_size(l->seed, l->err);

			return rc ? rc : failed(l, off, -ENODATA);
		}
		off += (uint64_t)n;
		len -= (size_t)n;
		l->done += (uint64_t)n;
	}
	return 0;
}

/* ---- the direct path --------------------------------------------------- */

static uint64_t direct_alignment(const struct load *l)
{
	struct stat st;
	int sector = 0;

	if (l->seed->device)
		return ioctl(l->direct, BLKSSZGET, &sector) < 0 || sector <= 0 ?
			       4096 :
			       (uint64_t)sector;
	if (fstat(l->direct, &st) < 0 || st.st_blksize <= 0)
		return 4096;
	/* the file system's block: never less than its device's sector */
	return (uint64_t)st.st_blksize;
}

static void direct_open(struct load *l)
{
	char self[32];

	l->direct = -1;
	/* by descriptor: the path may name another file by now */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", l->seed->fd);
	l->direct = open(self, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (l->direct < 0)
		return; /* not supported here: buffered, all of it */
	l->align = direct_alignment(l);
	if ((l->align & (l->align - 1)) == 0 && l->align <= CHUNK &&
	    io_setup(DEPTH, &l->aio) == 0)
		return;
	close(l->direct);
	l->direct = -1;
}

static void direct_close(struct load *l)
{
	if (l->direct < 0)
		return;
	io_destroy(l->aio); /* waits for what is still in flight */
	close(l->direct);
}

/* Wait for at least one request to end, and finish what it left undone. */
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
	r = l->free;
	r->off = off;
	r->len = len;
	iocb = &r->iocb;
	io_prep_pread(iocb, l->direct, l->to + off, len, (long long)off);
	rc = io_submit(l->aio, 1, &iocb);
	if (rc != 1) /* no room in the kernel's queue, or refused: no matter */
		return read_buffered(l, off, len);
	l->free = r->next;
	l->in_flight++;
	return 0;
}

/* ---- extents ----------------------------------------------------------- */

static int read_chunk(struct load *l, uint64_t off, size_t len)
{
	uint64_t low = l->align - 1;
	size_t head;
	int rc;

	if (l->direct < 0 || ((uintptr_t)(l->to + off) & low) || (off & low))
		return read_buffered(l, off, len);
	head = len & ~low;
	rc = head ? read_direct(l, off, head) : 0;
	if (!rc && head < len)
		rc = read_buffered(l, off + head, len - head);
	return rc;
}

static int read_extent(struct load *l, uint64_t off, uint64_t end)
{
	int rc = 0;

	while (!rc && off < end) {
		/* up to a multiple of CHUNK, so that what follows is aligned */
		uint64_t stop = (off / CHUNK + 1) * CHUNK;
		size_t len = (size_t)((stop < end ? stop : end) - off);

		rc = read_chunk(l, off, len);
		off += len;
		if (!rc)
			rc = report(l, false);
	}
	return rc;
}

/* The next extent with data at or behind *@off; *@off = *@end at the end. */
static void next_extent(const struct load *l, uint64_t *off, uint64_t *end)
{
	off_t data, hole;

	*end = l->seed->size;
	if (l->seed->device)
		return;
	data = lseek(l->seed->fd, (off_t)*off, SEEK_DATA);
	if (data < 0 && errno == ENXIO) {
		*off = *end; /* a hole up to the end */
		return;
	}
	if (data < 0)
		return; /* the file system cannot tell: all of it is data */
	hole = lseek(l->seed->fd, data, SEEK_HOLE);
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
		next_extent(l, &off, &end);
		l->done += off - from;
		rc = read_extent(l, off, end);
		off = end;
	}
	while (!rc && l->in_flight) {
		rc = collect(l);
		if (!rc)
			rc = report(l, false);
	}
	return rc;
}

int rd_load(const struct rd_seed *seed, unsigned char *to,
	    _Atomic uint64_t *loaded, rd_progress_fn *progress,
	    void *progress_arg, struct rd_error *err)
{
	struct load l = {
		.seed = seed,
		.to = to,
		.align = 1,
		.loaded = loaded,
		.progress = progress,
		.progress_arg = progress_arg,
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
	if (!rc) /* a hole where the file was cut off reads as no error */
		rc = rd_seed_check_size(seed, err);
	return rc ? rc : report(&l, true);
}
