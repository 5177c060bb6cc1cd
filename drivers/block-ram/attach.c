/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attach and detach: the life of one reference, and with it of a disk.
 *
 * Everything between taking and giving back the disk's lock may be cut short
 * by SIGKILL. What holds it together: a disk whose slots nobody lives in is
 * dead whatever its state says, and the next who comes throws its contents
 * away and loads them anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drivers/block-ram/contents.h"
#include "drivers/block-ram/disk.h"
#include "drivers/block-ram/error.h"

#define LOAD_POLL_NS 100000000 /* between two looks at another's load */

/* ---- the disk's lock --------------------------------------------------- */

/* Tell how far the process that holds the lock of @fd is with its load. */
static int report_other(int fd, const struct rd_attach_request *req,
			struct rd_error *err)
{
	struct rd_header h;

	if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) ||
	    h.state != RD_LOADING)
		return 0;
	if (req->progress(req->progress_arg, h.loaded, h.size))
		return rd_fail(err, -ECANCELED,
			       "waiting for %s to be loaded was given up",
			       req->seed);
	return 0;
}

static int wait_for_disk(int fd, const struct rd_attach_request *req,
			 struct rd_error *err)
{
	const struct timespec nap = { .tv_nsec = LOAD_POLL_NS };
	int rc = rd_trylock_disk(fd);

	if (rc == -EWOULDBLOCK && !req->progress)
		rc = rd_lock_disk(fd);
	while (rc == -EWOULDBLOCK) {
		rc = report_other(fd, req, err);
		if (rc)
			return rc;
		nanosleep(&nap, NULL);
		rc = rd_trylock_disk(fd);
	}
	if (rc)
		rd_fail(err, rc, "cannot lock the disk of %s: %s", req->seed,
			strerror(-rc));
	return rc;
}

/* Open disk @id's header, made if need be, and hold the disk's lock. */
static int open_header(struct rd_disk *disk,
		       const struct rd_attach_request *req,
		       struct rd_error *err)
{
	struct rd_name name = rd_file_name(disk->id, RD_FILE_HEADER);
	struct stat st;
	int rc;

	for (;;) {
		disk->header_fd =
			openat(disk->dir, name.text,
			       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (disk->header_fd < 0)
			return rd_fail(err, -errno, "cannot make %s: %m",
				       name.text);
		rc = wait_for_disk(disk->header_fd, req, err);
		if (rc)
			return rc;
		if (fstat(disk->header_fd, &st) < 0)
			return rd_fail(err, -errno, "cannot examine %s: %m",
				       name.text);
		if (st.st_nlink)
			return 0;
		/* the disk was discarded while we waited: a new one */
		close(disk->header_fd);
	}
}

/* ---- the header -------------------------------------------------------- */

static int make_header(struct rd_disk *disk)
{
	struct rd_header *h;
	int fd = disk->header_fd;

	/* with the first slots, so that a load is not done for nothing */
	if (ftruncate(fd, 0) < 0 || ftruncate(fd, RD_HEADER_BYTES) < 0 ||
	    fallocate(fd, 0, 0, sizeof(*h) + RD_BLOCK) < 0)
		return -errno;
	h = mmap(NULL, sizeof(*h), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (h == MAP_FAILED)
		return -errno;
	h->format = RD_FORMAT;
	h->slots = RD_SLOTS;
	memcpy(h->id, disk->id, sizeof(h->id));
	atomic_thread_fence(memory_order_release);
	memcpy(h->magic, RD_MAGIC, sizeof(h->magic));
	munmap(h, sizeof(*h));
	return 0;
}

/* Use the header of a living disk only if it can be trusted. */
static int check_header(struct rd_disk *disk, struct rd_error *err)
{
	struct rd_name name = rd_file_name(disk->id, RD_FILE_HEADER);
	struct rd_header h;
	struct stat st;
	ssize_t n = pread(disk->header_fd, &h, sizeof(h), 0);
	int rc;

	if (n < 0 || fstat(disk->header_fd, &st) < 0)
		return rd_fail(err, -errno, "cannot read %s: %m", name.text);
	rc = rd_header_check(&h, (size_t)n, st.st_size, name.text, err);
	if (!rc && (h.state != RD_READY || strcmp(h.id, disk->id)))
		rc = rd_fail(err, -EUCLEAN,
			     "%s is damaged: its fields contradict each other",
			     name.text);
	return rc;
}

static int map_header(struct rd_disk *disk, struct rd_error *err)
{
	void *p = mmap(NULL, RD_HEADER_BYTES, PROT_READ | PROT_WRITE,
		       MAP_SHARED, disk->header_fd, 0);

	if (p == MAP_FAILED)
		return rd_fail(err, -errno, "cannot map the disk's header: %m");
	disk->header = p;
	return 0;
}

/* The disk is dead or new: make it from the seed. */
static int bring_up(struct rd_store *store, struct rd_disk *disk,
		    const struct rd_seed *seed,
		    const struct rd_attach_request *req, struct rd_error *err)
{
	int rc;

	rd_discard_contents(disk->dir, disk->id, NULL);
	rc = make_header(disk);
	if (rc)
		rd_fail(err, rc, "cannot make a disk in %s: %s", store->path,
			strerror(-rc));
	if (!rc)
		rc = map_header(disk, err);
	if (!rc)
		rc = rd_contents_load(store, disk->header, seed, req, err);
	if (rc)
		rd_discard(disk->dir, disk->id, disk->header);
	return rc;
}

/* ---- the slot ---------------------------------------------------------- */

static bool take_slot(struct rd_disk *disk, unsigned slot)
{
	if (rd_trylock_slot(disk->header_fd, slot))
		return false;
	disk->slot = slot;
	return true;
}

/* A slot that has memory: a free one, or a dead attachment's, swept. */
static bool reuse_slot(struct rd_disk *disk)
{
	unsigned i, used = disk->header->slots_used;
	struct rd_slot *s;

	for (i = 0; i < used; i++) {
		s = rd_slot_at(disk->header, i);
		if (!take_slot(disk, i))
			continue;
		if (s->state != RD_SLOT_FREE)
			rd_ranges_sweep(disk->words, rd_blocks(disk->size), i);
		return true;
	}
	return false;
}

static int claim_slot(struct rd_disk *disk, const struct rd_attach_request *req,
		      struct rd_error *err)
{
	unsigned used = disk->header->slots_used;
	struct rd_slot *s;

	if (!reuse_slot(disk)) {
		if (used >= RD_SLOTS)
			return rd_fail(err, -EUSERS,
				       "%s has %u attachments, which is all a disk can have",
				       req->seed, used);
		if (fallocate(disk->header_fd, 0, rd_slot_offset(used),
			      sizeof(*s)) < 0)
			return rd_fail(err, -errno,
				       "no memory for an attachment to %s: %m",
				       req->seed);
		if (!take_slot(disk, used))
			return rd_fail(err, -EUCLEAN,
				       "slot %u of %s is locked and unused",
				       used, req->seed);
		disk->header->slots_used = used + 1;
	}
	s = rd_slot_at(disk->header, disk->slot);
	memset((void *)s, 0, sizeof(*s));
	s->writable = req->writable;
	s->pid = getpid();
	if (req->label)
		snprintf(s->label, sizeof(s->label), "%s", req->label);
	disk->self = s;
	atomic_store(&s->state, RD_SLOT_ATTACHED);
	return 0;
}

/* ---- attach and detach ------------------------------------------------- */

static void release(struct rd_disk *disk)
{
	rd_contents_unmap(disk);
	if (disk->header)
		munmap(disk->header, RD_HEADER_BYTES);
	/* gives back the slot's lock and the disk's, if we still have them */
	if (disk->header_fd >= 0)
		close(disk->header_fd);
	if (disk->dir >= 0)
		close(disk->dir);
	free(disk);
}

/* With the disk's lock held. */
static int attach_locked(struct rd_store *store, struct rd_disk *disk,
			 const struct rd_seed *seed,
			 const struct rd_attach_request *req,
			 struct rd_error *err)
{
	bool alive = rd_slots_alive(disk->header_fd, 0, RD_SLOTS);
	int rc;

	if (alive) {
		rc = check_header(disk, err);
		if (!rc)
			rc = map_header(disk, err);
	} else {
		rc = bring_up(store, disk, seed, req, err);
	}
	if (rc)
		return rc;
	disk->size = disk->header->size;
	rc = rd_contents_map(disk, err);
	if (!rc)
		rc = claim_slot(disk, req, err);
	if (rc && !alive)
		rd_discard(disk->dir, disk->id, disk->header);
	return rc;
}

int rd_attach(struct rd_store *store, const struct rd_attach_request *req,
	      struct rd_disk **disk, struct rd_error *err)
{
	struct rd_disk *d;
	struct rd_seed seed;
	int rc = rd_seed_open(&seed, req->seed, err);

	if (rc)
		return rc;
	d = calloc(1, sizeof(*d));
	if (!d) {
		rd_seed_close(&seed);
		return rd_fail(err, -ENOMEM, "out of memory");
	}
	d->header_fd = -1;
	d->writable = req->writable;
	memcpy(d->id, seed.id, sizeof(d->id));
	d->dir = fcntl(store->dir, F_DUPFD_CLOEXEC, 0);
	if (d->dir < 0)
		rc = rd_fail(err, -errno, "cannot use %s: %m", store->path);
	if (!rc)
		rc = open_header(d, req, err);
	if (!rc)
		rc = attach_locked(store, d, &seed, req, err);
	rd_seed_close(&seed);
	if (rc) {
		release(d);
		return rc;
	}
	rd_unlock_disk(d->header_fd);
	*disk = d;
	return 0;
}

void rd_detach(struct rd_disk *disk)
{
	if (!disk)
		return;
	if (rd_lock_disk(disk->header_fd) == 0) {
		atomic_store(&disk->self->state, RD_SLOT_FREE);
		rd_unlock_slot(disk->header_fd, disk->slot);
		if (!rd_slots_alive(disk->header_fd, 0, RD_SLOTS))
			rd_discard(disk->dir, disk->id, disk->header);
	}
	release(disk);
}

/* ---- what an attachment is --------------------------------------------- */

uint64_t rd_size(const struct rd_disk *disk)
{
	return disk->size;
}

bool rd_writable(const struct rd_disk *disk)
{
	return disk->writable;
}

const char *rd_id(const struct rd_disk *disk)
{
	return disk->id;
}

unsigned rd_padding(const struct rd_disk *disk)
{
	return (unsigned)(disk->size - disk->header->seed_size);
}
