/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * struct rd_store and struct rd_disk, private to libramdisk: no adapter and no
 * tool includes this header.
 *
 * A disk is one or two layers: its base, which all attachments share, and for
 * a private view a layer above it with the blocks that the view has written.
 */
#ifndef BLOCK_RAM_DISK_H
#define BLOCK_RAM_DISK_H

#include <pthread.h>

#include "drivers/block-ram/format/block-lock.h"
#include "drivers/block-ram/format/header.h"
#include "drivers/block-ram/format/slot-lock.h"

/*
 * State of one part (RD_PART bytes) of a lazy disk: owner and sequence number
 * as lazy.h says, with RD_PART_ABSENT, LOADED or LOADING in the low two bits.
 */
typedef _Atomic uint64_t rd_part_state;

#define RD_PART ((uint64_t)256 << 10) /* bytes of a lazy disk read at once */

struct rd_seed;

struct rd_store {
	int dir; /* descriptor of the store's directory */
	char *path; /* canonical */
};

struct rd_layer {
	int fd; /* of the data file; -1 if no block needs memory later */
	unsigned char *data; /* mapping of the data file, disk->size bytes */
	rd_block_lock *locks;
	uint64_t locks_mask; /* block & mask is the index of its lock */
	/*
	 * One bit for each block: whether the block has memory in this layer.
	 * NULL: all blocks have. Without memory, a block of the base reads as
	 * zeros, and a block of a view reads as the base's block. A bit is set
	 * and cleared under the block's lock.
	 */
	_Atomic uint64_t *backed;
	void *map; /* mapping of the locks, the bits and the part states */
	size_t map_bytes;
	/* NULL: all of the map has memory. Otherwise see groups.h. */
	_Atomic uint64_t *present; /* one bit for each group */
	rd_block_lock *gates;
	uint64_t groups;
	unsigned group_shift; /* block >> group_shift is its group */
	int map_fd; /* of the map; -1 if all of it has memory */
};

/* The file ID.points; see points.h. */
struct rd_points {
	int fd; /* -1: this attachment needs no points */
	void *map; /* of the bits and the words; NULL: not for writing */
	size_t map_bytes;
	_Atomic uint64_t *present; /* one bit for each group of words */
	_Atomic uint64_t *words; /* one for each block */
};

struct rd_disk {
	int dir; /* the store's directory; -1 after rd_confine() */
	/* The file of the slot's lock, for reading only; its description has the lock. */
	int slot_fd;
	struct rd_lives lives; /* which other attachments are alive */
	dev_t header_dev; /* the header that the attachment belongs to */
	ino_t header_inode;
	int control_fd; /* see store/hold.h; -1: the disk's lock is not held */
	unsigned slot; /* valid if counters is set */
	bool writable;
	bool quiet; /* no event tells of this attachment; see store/events.h */
	bool thin; /* blocks of the base may have no memory */
	/*
	 * Between the takeover of a durable attachment and rd_settle(): this
	 * process may inherit the block locks that the slot's dead process held.
	 */
	bool settling;
	/* Between rd_freeze() and the last rd_thaw(): the first locked block. */
	uint64_t frozen;
	/* RD_HEADER_BYTES, shared; writable only while the disk's lock is held. */
	struct rd_header *header;
	struct rd_slot_counters *counters; /* of the own slot */
	/* Which thread (rd_this_thread()) adds to counters->thread[n]; 0: none yet. */
	_Atomic uintptr_t counting[RD_COUNTING_THREADS];
	uint64_t size;
	/*
	 * False: block locks are mapped for reading only, for an attachment that
	 * only reads and never has to lock.
	 */
	bool may_lock;
	bool may_lock_base; /* the same for the base, below a private view */
	struct rd_points points;
	/* Number of the point whose blocks are read in place of the base's; or 0. */
	uint64_t point;
	struct rd_damage damage; /* under damage_lock */
	pthread_mutex_t damage_lock;
	_Atomic uint64_t damaged; /* changes with damage */
	atomic_bool lost; /* by rd_lost(): some of the mappings are private */
	/* ms, monotonic: until then waits are short, since one was given up. */
	_Atomic int64_t impatient_until;
	struct rd_layer base;
	struct rd_layer *view; /* NULL without a private view */
	struct rd_layer view_layer;
	_Atomic uint64_t *populated; /* one bit a chunk (populate.h); or NULL */
	char id[RD_ID_MAX];

	/* lazy disks only */
	rd_part_state *parts; /* see lazy.h; NULL: the whole disk is loaded */
	_Atomic uint64_t *loaded; /* bytes of loaded parts; with parts */
	struct rd_seed *seed; /* owned; see io/lazy.c */
	pthread_t background;
	bool has_background;
	atomic_bool stop;
};

/* The layer that this attachment writes, and whose locks guard its blocks. */
static inline struct rd_layer *rd_top(struct rd_disk *disk)
{
	return disk->view ? disk->view : &disk->base;
}

static inline rd_block_lock *rd_block_lock_of(const struct rd_layer *layer,
					      uint64_t block)
{
	return &layer->locks[block & layer->locks_mask];
}

/* Whether @lock is mapped for writing: of a private view's base it may not be. */
static inline bool rd_may_lock(const struct rd_disk *disk,
			       const rd_block_lock *lock)
{
	const struct rd_layer *base = &disk->base;

	return disk->view && lock >= base->locks &&
			       lock < base->locks + rd_blocks(disk->size)
		       ? disk->may_lock_base
		       : disk->may_lock;
}

static inline bool rd_bit(const _Atomic uint64_t *bits, uint64_t n)
{
	return atomic_load_explicit(&bits[n / 64], memory_order_acquire) >>
		       (n % 64) &
	       1;
}

/* Whether the lock and the bit of @block may be accessed; see groups.h. */
static inline bool rd_present(const struct rd_layer *layer, uint64_t block)
{
	return !layer->present ||
	       rd_bit(layer->present, block >> layer->group_shift);
}

static inline bool rd_backed(const struct rd_layer *layer, uint64_t block)
{
	return !layer->backed ||
	       (rd_present(layer, block) && rd_bit(layer->backed, block));
}

/* The files of disk @id, relative to the store's directory. */
enum rd_file {
	RD_FILE_HEADER,
	RD_FILE_DATA,
	RD_FILE_RANGES,
	RD_FILE_COUNTERS,
	RD_FILE_PATHS,
	RD_FILE_POINTS,
};
struct rd_filename {
	char text[RD_ID_MAX + 32];
};
struct rd_filename rd_file_name(const char *id, enum rd_file file);
/* The files of a private view: RD_FILE_DATA, or RD_FILE_RANGES for its map. */
#define RD_VIEW_MARK ".view-" /* between id and slot number */
struct rd_filename rd_view_name(const char *id, unsigned slot,
				enum rd_file file);

/*
 * Remove the contents (data, ranges, counters, paths, points and views) of disk @id;
 * its contents and its header; or one view. Call with RD_LOCK_DISK held. @header is the mapped header,
 * or NULL if there is none to trust. The caller may be killed in between: the
 * header's state becomes RD_EMPTY first, and the header is removed last.
 */
void rd_remove_contents(int dir, const char *id, struct rd_header *header);
void rd_remove_disk(int dir, const char *id, struct rd_header *header);
void rd_remove_view(int dir, const char *id, unsigned slot);

#endif
