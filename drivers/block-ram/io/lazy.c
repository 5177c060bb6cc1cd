/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See lazy.h. Any thread of any attachment may load a part; each attachment
 * also has one thread of its own that reads what is left, until all is loaded,
 * the seed fails, or the attachment ends. The part states are the only locks.
 */
#include "drivers/block-ram/io/lazy.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/base/memory.h"
#include "drivers/block-ram/format/groups.h"
#include "drivers/block-ram/io/lost.h"
#include "drivers/block-ram/seed/seed.h"
#include "include/private/clock.h"

/* Between two reads of the state of a part that another thread loads. */
#define SLEEP_NS 200000
/*
 * A seed's server has half a minute to answer (seed/nbd.c). A state that lasts
 * longer was damaged, or its process is stopped.
 */
#define PATIENCE_MS 40000
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE (3 << 13) /* class idle, of linux/ioprio.h */

static uint64_t part_bytes(const struct rd_disk *disk, uint64_t part)
{
	uint64_t left = disk->size - part * RD_PART;

	return left < RD_PART ? left : RD_PART;
}

/* ---- filling a claimed part ------------------------------------------------- */

static bool is_zero(const unsigned char *p, size_t n)
{
	return p[0] == 0 && !memcmp(p, p + 1, n - 1);
}

/* How many of @n bytes at @off the seed has: fewer at its end (padding). */
static size_t seed_bytes(const struct rd_disk *disk, uint64_t off, size_t n)
{
	uint64_t left = disk->seed->size > off ? disk->seed->size - off : 0;

	return left < n ? (size_t)left : n;
}

/* A thin disk: only blocks that are not zeros get memory. */
static int fill_thin(struct rd_disk *disk, uint64_t off, size_t n)
{
	unsigned char *buf;
	uint64_t b;
	size_t pos, m;
	int rc;

	if (posix_memalign((void **)&buf, RD_BLOCK, RD_PART))
		return -ENOMEM;
	memset(buf, 0, RD_PART);
	rc = rd_seed_read(disk->seed, buf, off, seed_bytes(disk, off, n));
	for (pos = 0; !rc && pos < n; pos += RD_BLOCK) {
		m = n - pos < RD_BLOCK ? n - pos : RD_BLOCK;
		if (is_zero(buf + pos, m))
			continue;
		b = (off + pos) / RD_BLOCK;
		rc = rd_groups_need(disk, &disk->base, b, b + 1, true);
		if (!rc)
			rc = rd_memory_grow(disk->base.fd, off + pos, m);
		if (rc)
			break;
		memcpy(disk->base.data + off + pos, buf + pos, m);
		atomic_fetch_or(&disk->base.backed[b / 64],
				(uint64_t)1 << (b % 64));
	}
	free(buf);
	return rc;
}

static int fill(struct rd_disk *disk, uint64_t part)
{
	uint64_t off = part * RD_PART;
	size_t n = (size_t)part_bytes(disk, part);
	int rc;

	if (disk->thin)
		return fill_thin(disk, off, n);
	rc = rd_memory_grow(disk->base.fd, off, n);
	return rc ? rc
		  : rd_seed_read(disk->seed, disk->base.data + off, off,
				 seed_bytes(disk, off, n));
}

/* ---- claiming ---------------------------------------------------------- */

/* A part state with the sequence number after @seen's, and without owner. */
static uint64_t next(uint64_t seen, unsigned state)
{
	const uint64_t number = ((uint64_t)1 << RD_OWNER_SHIFT) - 1;

	return (((seen | RD_PART_STATES) + 1) & number) | state;
}

/* Claim the part for loading. Returns its new state; 0 if the claim failed. */
static uint64_t claim(struct rd_disk *disk, rd_part_state *state, uint64_t seen)
{
	uint64_t mine = (uint64_t)(disk->slot + 1) << RD_OWNER_SHIFT |
			next(seen, RD_PART_LOADING);

	return atomic_compare_exchange_strong(state, &seen, mine) ? mine : 0;
}

/* Whether no living attachment owns the part state @seen. */
static bool abandoned(struct rd_disk *disk, uint64_t seen)
{
	unsigned owner = (unsigned)(seen >> RD_OWNER_SHIFT);

	return owner == 0 || owner > RD_SLOTS ||
	       (owner - 1 != disk->slot &&
		!rd_slot_alive(&disk->lives, owner - 1));
}

/* The part is not loaded, and no living attachment is loading it. */
static bool is_orphan(struct rd_disk *disk, uint64_t seen)
{
	return seen != RD_PART_LOADED && abandoned(disk, seen);
}

/*
 * Called after the part state became RD_PART_LOADED; the count never exceeds
 * the size. A process killed in between leaves the count too small, never too
 * large: loaded == size always means that every part is loaded.
 */
static void count_part(struct rd_disk *disk, uint64_t part)
{
	uint64_t n = atomic_load(disk->loaded), sum;

	do {
		sum = n + part_bytes(disk, part);
		if (sum > disk->size)
			sum = disk->size;
	} while (!atomic_compare_exchange_weak(disk->loaded, &n, sum));
}

/* Wait for the attachment that loads a part; give it the time that a seed gets. */
static int wait_for_part(int64_t *since)
{
	const struct timespec pause = { .tv_nsec = SLEEP_NS };
	int64_t now = clock_now_ms();

	if (!*since)
		*since = now;
	if (now - *since > PATIENCE_MS)
		return -EIO;
	nanosleep(&pause, NULL);
	return 0;
}

static int load_part(struct rd_disk *disk, uint64_t part)
{
	rd_part_state *state = &disk->parts[part];
	uint64_t seen, mine;
	int64_t since = 0;
	int rc;

	while ((seen = atomic_load_explicit(state, memory_order_acquire)) !=
	       RD_PART_LOADED) {
		mine = is_orphan(disk, seen) ? claim(disk, state, seen) : 0;
		if (mine) {
			rc = fill(disk, part);
			if (!rc && rd_is_lost(disk))
				rc = -EIO;
			atomic_store_explicit(state,
					      rc ? next(mine, RD_PART_ABSENT)
						 : RD_PART_LOADED,
					      memory_order_release);
			if (!rc)
				count_part(disk, part);
			return rc == -ENOSPC || rc == -ENOMEM ? -ENOSPC
			       : rc                           ? -EIO
							      : 0;
		}
		rc = wait_for_part(&since);
		if (rc)
			return rc;
	}
	return 0;
}

static bool is_loaded(struct rd_disk *disk, uint64_t part)
{
	return atomic_load_explicit(&disk->parts[part], memory_order_acquire) ==
	       RD_PART_LOADED;
}

/* The part after the last one of a range. */
static uint64_t end_part(uint64_t off, uint64_t len)
{
	return len ? (off + len - 1) / RD_PART + 1 : 0;
}

bool rd_lazy_loaded(struct rd_disk *disk, uint64_t off, uint64_t len)
{
	uint64_t part, end = end_part(off, len);

	for (part = off / RD_PART; part < end; part++)
		if (!is_loaded(disk, part))
			return false;
	return true;
}

int rd_lazy_load(struct rd_disk *disk, uint64_t off, uint64_t len)
{
	uint64_t part, end = end_part(off, len);
	int rc;

	for (part = off / RD_PART; part < end; part++) {
		if (is_loaded(disk, part))
			continue;
		rc = load_part(disk, part);
		if (rc)
			return rc;
	}
	return 0;
}

/* ---- the background thread ---------------------------------------------------- */

/* If every part is loaded, correct a count that a killed process left small. */
static void complete(struct rd_disk *disk)
{
	uint64_t part, parts = rd_parts(disk->size);

	for (part = 0; part < parts; part++)
		if (atomic_load(&disk->parts[part]) != RD_PART_LOADED)
			return;
	atomic_store(disk->loaded, disk->size);
}

static void *load_rest(void *arg)
{
	struct sched_param none = { .sched_priority = 0 };
	struct rd_disk *disk = arg;
	uint64_t part, parts = rd_parts(disk->size);

	pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
	for (part = 0; part < parts && !disk->stop; part++)
		if (is_orphan(disk, atomic_load(&disk->parts[part])) &&
		    load_part(disk, part))
			break; /* a request for the part returns the error */
	complete(disk);
	return NULL;
}

/* Whether a part that is being loaded is to be marked as absent. */
typedef bool part_fn(struct rd_disk *disk, uint64_t seen);

/* Returns the number of parts that were marked. */
static uint64_t mark_absent(struct rd_disk *disk, part_fn *which)
{
	uint64_t part, parts = rd_parts(disk->size), seen, n = 0;

	for (part = 0; part < parts; part++) {
		seen = atomic_load(&disk->parts[part]);
		if (seen != RD_PART_LOADED && which(disk, seen))
			n += atomic_compare_exchange_strong(
				&disk->parts[part], &seen,
				next(seen, RD_PART_ABSENT));
	}
	return n;
}

static bool is_of_own_slot(struct rd_disk *disk, uint64_t seen)
{
	return seen >> RD_OWNER_SHIFT == disk->slot + 1;
}

static bool is_of_the_living(struct rd_disk *disk, uint64_t seen)
{
	return !abandoned(disk, seen);
}

void rd_lazy_sweep(struct rd_disk *disk)
{
	mark_absent(disk, is_of_own_slot);
}

uint64_t rd_lazy_repair(struct rd_disk *disk)
{
	return disk->parts ? mark_absent(disk, is_of_the_living) : 0;
}

/* Whether disk->seed is another file than the disk's seed, or has shrunk. */
static bool is_other_seed(const struct rd_disk *disk)
{
	const struct rd_header *h = disk->header;

	return !rd_seed_is(disk->seed, h->seed_id, h->seed_size,
			   h->seed_mtime) ||
	       disk->seed->size < h->seed_size;
}

static void close_seed(struct rd_disk *disk)
{
	if (disk->seed)
		rd_seed_close(disk->seed);
	free(disk->seed);
	disk->seed = NULL;
}

/* Set disk->seed: move *@seed there, or open @path if @seed is NULL. */
static int open_seed(struct rd_disk *disk, struct rd_seed *seed,
		     const char *path, struct rd_error *err)
{
	int rc = 0;

	disk->seed = malloc(sizeof(*disk->seed));
	if (!disk->seed)
		return rd_fail(err, -ENOMEM, "no memory to read seed %s", path);
	if (seed) {
		*disk->seed = *seed;
		*seed = (struct rd_seed){ .fd = -1, .direct = -1 };
	} else {
		rc = rd_seed_open(disk->seed, path, err);
	}
	if (rc) {
		free(disk->seed);
		disk->seed = NULL;
		return rc;
	}
	if (!is_other_seed(disk))
		return 0;
	close_seed(disk);
	return rd_fail(
		err, -EIO,
		"seed %s is another file now or has shrunk, and its lazy disk is not completely loaded; put the file back to attach the disk",
		path);
}

int rd_lazy_start(struct rd_disk *disk, struct rd_seed *seed, const char *path,
		  struct rd_error *err)
{
	int rc;

	if (*disk->loaded == disk->size) {
		disk->parts = NULL; /* all parts are loaded: final */
		return 0;
	}
	rc = open_seed(disk, seed, path, err);
	if (rc)
		return rc;
	disk->has_background = !pthread_create(&disk->background, NULL,
					       load_rest, disk);
	return 0;
}

void rd_lazy_stop(struct rd_disk *disk)
{
	disk->stop = true;
	if (disk->has_background)
		pthread_join(disk->background, NULL);
	disk->has_background = false;
	close_seed(disk);
}
