/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Management of loaded disks: keep, drop, the end of durable attachments, reset,
 * and the comparison with the seed. One thread a store. RD_LOCK_DISK is held while
 * the disk's state changes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/io/block.h"
#include "drivers/block-ram/seed/seed.h"
#include "drivers/block-ram/store/attach.h"
#include "drivers/block-ram/store/events.h"
#include "drivers/block-ram/store/contents.h"
#include "drivers/block-ram/store/hold.h"
#include "drivers/block-ram/store/slot.h"
#include "drivers/block-ram/store/store.h"

#define LOCK_TRIES 2u /* for RD_LOCK_DISK, about 2 ms */
#define WINDOW \
	((size_t)4 << 20) /* bytes of the seed that are compared at a time */

/* Attach to the loaded disk @id. Returns with RD_LOCK_DISK held. */
static int hold(struct rd_store *store, const char *id, bool writable,
		unsigned flags, const char *label, struct rd_disk **disk,
		struct rd_error *err)
{
	const struct rd_attach_request req = {
		.name = id,
		.writable = writable,
		.flags = RD_EXISTING | RD_QUIET | flags,
		.label = label,
	};

	return rd_attach_holding(store, &req, disk, err);
}

int rd_keep(struct rd_store *store, const char *id, bool keep,
	    struct rd_error *err)
{
	struct rd_disk *disk;
	int rc = hold(store, id, false, RD_CONTROL, "keep", &disk, err);

	if (rc)
		return rc;
	if (keep)
		atomic_fetch_or(&disk->header->flags, RD_DISK_KEEP);
	else
		atomic_fetch_and(&disk->header->flags, ~(unsigned)RD_DISK_KEEP);
	rd_detach_holding(disk);
	return 0;
}

/* ---- durable attachments ----------------------------------------------- */

struct end {
	const char *label;
	bool may_wait;
	int rc;
};

/* Gives the wait for RD_LOCK_DISK up after the time of an attach or detach. */
static int give_up_soon(void *arg, uint64_t done, uint64_t total)
{
	unsigned *tries = arg;

	(void)done, (void)total;
	return ++*tries > LOCK_TRIES;
}

static int end_slot(struct rd_store *store, const char *id, int fd,
		    const struct end *end, unsigned slot)
{
	unsigned tries = 0;
	struct rd_attach_request req = {
		.name = id,
		.label = end->label,
		.progress = end->may_wait ? NULL : give_up_soon,
		.progress_arg = &tries,
		.flags = RD_EXISTING | RD_DURABLE | RD_CONTROL,
	};
	struct rd_disk *disk;
	struct rd_slot s;
	int rc;

	if (rd_slot_alive_in(store->dir, id, slot))
		return -EBUSY;
	rc = rd_slot_read(fd, slot, &s);
	if (rc)
		return rc;
	/* Take the attachment over, and then detach. */
	req.writable = s.flags & RD_SLOT_WRITABLE &&
		       !(s.flags & RD_SLOT_PRIVATE);
	if (s.flags & RD_SLOT_PRIVATE)
		req.flags |= RD_PRIVATE;
	rc = rd_attach_holding(store, &req, &disk, NULL);
	if (rc)
		return rc == -ECANCELED ? -EWOULDBLOCK : rc;
	rd_settle(disk);
	disk->quiet = false;
	rd_detach_holding(disk);
	return 0;
}

/* Open disk @id's header if it has the durable attachment @label. -1: it has not. */
static int open_durable(struct rd_store *store, const char *id,
			const char *label, int *slot)
{
	struct rd_header h;
	int fd = rd_store_header(store, id, &h);

	if (fd < 0)
		return -1;
	*slot = rd_slot_find(fd, &h, RD_SLOT_DURABLE, label);
	if (*slot >= 0)
		return fd;
	close(fd);
	return -1;
}

static int end_one(struct rd_store *store, const char *id, void *arg)
{
	struct end *end = arg;
	int slot, fd = open_durable(store, id, end->label, &slot);

	if (fd < 0)
		return 0;
	end->rc = end_slot(store, id, fd, end, (unsigned)slot);
	close(fd);
	return 1;
}

struct durable_search {
	const char *label;
	char *id;
};

static int find_one(struct rd_store *store, const char *id, void *arg)
{
	struct durable_search *search = arg;
	int slot, fd = open_durable(store, id, search->label, &slot);

	if (fd < 0)
		return 0;
	close(fd);
	snprintf(search->id, RD_ID_MAX, "%s", id);
	return 1;
}

int rd_find_durable(struct rd_store *store, const char *label,
		    char id[RD_ID_MAX])
{
	struct durable_search search = { label, id };
	int rc = rd_store_walk(store, find_one, &search);

	return rc > 0 ? 0 : rc ? rc : -ENOENT;
}

static int end_any(struct rd_store *store, struct end *end)
{
	int rc = rd_store_walk(store, end_one, end);

	return rc < 0 ? rc : end->rc;
}

int rd_end(struct rd_store *store, const char *label)
{
	return end_any(store, &(struct end){ label, true, -ENOENT });
}

int rd_try_end(struct rd_store *store, const char *label)
{
	return end_any(store, &(struct end){ label, false, -ENOENT });
}

/* ---- comparing the disk with its seed ---------------------------------- */

/* Open the disk's seed, if it is still the same file and of the same size. */
static int open_seed(const struct rd_disk *disk, struct rd_seed *seed,
		     struct rd_error *err)
{
	const struct rd_header *h = disk->header;
	int rc = rd_seed_open(seed, h->seed, err);

	if (rc)
		return rc;
	if (!rd_seed_is(seed, h->seed_id, h->seed_size, h->seed_mtime))
		rc = rd_fail(
			err, -ESTALE,
			"%s is another file now than the one that disk %s was loaded from; the disk cannot be compared with it or reset to it: drop or detach the disk, and load the new file",
			h->seed, h->id);
	else if (seed->size != h->seed_size)
		rc = rd_fail(
			err, -ESTALE,
			"%s has %" PRIu64 " bytes now, and had %" PRIu64
			" when disk %s was loaded from it; the disk cannot be compared with it or reset to it: drop or detach the disk, and load the file again",
			h->seed, seed->size, h->seed_size, h->id);
	if (rc)
		rd_seed_close(seed);
	return rc;
}

/* Called for each window of the seed. 0 or -errno. */
typedef int window_fn(struct rd_disk *disk, const unsigned char *window,
		      uint64_t off, size_t len, void *arg);

static int report(rd_progress_fn *progress, void *arg, uint64_t done,
		  uint64_t total)
{
	return progress && progress(arg, done, total) ? -ECANCELED : 0;
}

/* *@seed_failed: whether the error is the seed's, not the disk's. */
static int walk_windows(struct rd_disk *disk, const struct rd_seed *seed,
			unsigned char *window, window_fn *fn, void *arg,
			rd_progress_fn *progress, void *progress_arg,
			bool *seed_failed)
{
	uint64_t off, have;
	size_t len, n;
	int rc = report(progress, progress_arg, 0, disk->size);

	for (off = 0; !rc && off < disk->size; off += len) {
		len = disk->size - off < WINDOW ? (size_t)(disk->size - off)
						: WINDOW;
		have = seed->size > off ? seed->size - off : 0;
		n = have < len ? (size_t)have : len;
		rc = rd_seed_read(seed, window, off, n);
		*seed_failed = rc != 0;
		memset(window + n, 0, len - n); /* the padding */
		if (!rc)
			rc = fn(disk, window, off, len, arg);
		if (!rc)
			rc = report(progress, progress_arg, off + len,
				    disk->size);
	}
	return rc;
}

static int walk_seed(struct rd_disk *disk, window_fn *fn, void *arg,
		     rd_progress_fn *progress, void *progress_arg,
		     struct rd_error *err)
{
	struct rd_seed seed;
	bool seed_failed = false;
	void *window;
	int rc = open_seed(disk, &seed, err);

	if (rc)
		return rc;
	if (posix_memalign(&window, RD_BLOCK, WINDOW)) {
		rc = rd_fail(err, -ENOMEM, "out of memory");
	} else {
		rc = walk_windows(disk, &seed, window, fn, arg, progress,
				  progress_arg, &seed_failed);
		if (rc == -ECANCELED)
			rd_fail(err, rc, "reading seed %s was canceled",
				seed.path);
		else if (rc < 0 && seed_failed)
			rd_fail(err, rc, "cannot read seed %s: %s", seed.path,
				strerror(-rc));
		else if (rc < 0)
			rd_fail(err, rc, "cannot read or write the disk %s: %s",
				disk->id, strerror(-rc));
		free(window);
	}
	rd_seed_close(&seed);
	return rc;
}

/* ---- reset ------------------------------------------------------------- */

/* Writes only blocks that differ: the others need no memory and no write. */
static int reset_window(struct rd_disk *disk, const unsigned char *window,
			uint64_t off, size_t len, void *arg)
{
	unsigned char *now = arg;
	size_t pos, n;
	int rc = 0;

	/* Set here and not earlier: a seed that cannot be opened changes nothing. */
	atomic_fetch_or(&disk->header->flags, RD_DISK_HALF_RESET);
	for (pos = 0; !rc && pos < len; pos += n) {
		n = len - pos < RD_BLOCK ? len - pos : RD_BLOCK;
		rc = rd_read(disk, now, off + pos, n);
		if (rc || !memcmp(now, window + pos, n))
			continue;
		if (!memcmp(window + pos, rd_zero_block, n))
			rc = rd_zero(disk, off + pos, n, false);
		else
			rc = rd_write(disk, window + pos, off + pos, n);
	}
	return rc;
}

static int may_reset(struct rd_disk *disk, bool force, struct rd_error *err)
{
	unsigned n = rd_slot_other_writers(disk);

	if (n && !force)
		return rd_fail(
			err, -EBUSY,
			"the disk of %s is attached for writing %u times; detach those, or force the reset while they are attached",
			disk->header->seed, n);
	return 0;
}

int rd_reset(struct rd_store *store, const char *id, bool force,
	     rd_progress_fn *progress, void *progress_arg, struct rd_error *err)
{
	unsigned char now[RD_BLOCK];
	struct rd_header *h;
	struct rd_disk *disk;
	struct stat st;
	/* As a writer: refused while the disk has private views. */
	int rc = hold(store, id, true, 0, "reset", &disk, err);

	if (rc)
		return rc;
	h = disk->header;
	rc = may_reset(disk, force, err);
	if (!rc)
		rc = walk_seed(disk, reset_window, now, progress, progress_arg,
			       err);
	if (rc == -EIO && force && rd_contents_repair(disk)) {
		if (err)
			err->text[0] = 0;
		rc = walk_seed(disk, reset_window, now, progress, progress_arg,
			       err);
	}
	if (!rc)
		atomic_fetch_and(&h->flags, ~(unsigned)RD_DISK_HALF_RESET);
	if (!rc && stat(h->seed, &st) == 0)
		h->seed_mtime = (uint64_t)st.st_mtim.tv_sec * 1000000000u +
				(uint64_t)st.st_mtim.tv_nsec;
	if (!rc)
		rd_events_disk(disk->dir, h, "reset", force ? "forced" : NULL);
	else if (h->flags & RD_DISK_HALF_RESET)
		rd_events_disk(disk->dir, h, "reset-failed",
			       err ? err->text : strerror(-rc));
	rd_detach_holding(disk);
	return rc;
}

/* ---- diff -------------------------------------------------------------- */

struct diff {
	rd_range_fn *differs;
	void *arg;
	uint64_t start, end; /* of the current differing range; equal: none */
	unsigned char *now;
};

static int report_range(struct diff *d)
{
	int rc = d->start < d->end
			 ? d->differs(d->arg, d->start, d->end - d->start)
			 : 0;

	d->start = d->end;
	return rc;
}

static int diff_window(struct rd_disk *disk, const unsigned char *window,
		       uint64_t off, size_t len, void *arg)
{
	struct diff *d = arg;
	size_t pos, n;
	int rc = 0;

	for (pos = 0; !rc && pos < len; pos += n) {
		n = len - pos < RD_BLOCK ? len - pos : RD_BLOCK;
		rc = rd_read(disk, d->now, off + pos, n);
		if (rc)
			break;
		if (memcmp(d->now, window + pos, n)) {
			if (d->start == d->end)
				d->start = off + pos;
			d->end = off + pos + n;
		} else {
			rc = report_range(d);
		}
	}
	return rc;
}

int rd_diff(struct rd_store *store, const char *id, rd_range_fn *differs,
	    void *arg, rd_progress_fn *progress, void *progress_arg,
	    struct rd_error *err)
{
	unsigned char now[RD_BLOCK];
	struct diff d = { .differs = differs, .arg = arg, .now = now };
	struct rd_disk *disk;
	int rc = hold(store, id, false, 0, "diff", &disk, err);

	if (rc)
		return rc;
	rc = rd_unhold(disk, err); /* others may attach meanwhile */
	if (rc) {
		rd_detach_holding(disk);
		return rc;
	}
	rc = walk_seed(disk, diff_window, &d, progress, progress_arg, err);
	if (!rc)
		rc = report_range(&d);
	rd_detach(disk);
	return rc;
}
