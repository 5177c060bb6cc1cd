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
	int fd; /* of its data, if blocks can be given memory; or -1 */
	unsigned char *data; /* as many bytes as the disk */
	rd_block_lock *locks;
	uint64_t locks_mask; /* block & mask is the index of its lock */
	/*
	 * A bit for each block that has memory here; NULL: all have. A block
	 * of the base without it reads as zeros, one of a view as the base's.
	 * Set and cleared under the block's lock.
	 */
	_Atomic uint64_t *backed;
	void *map; /* locks and what follows them */
	size_t map_bytes;
};

struct rd_disk {
	int dir; /* own copy of the store's */
	int header_fd; /* its description holds the slot's lock */
	unsigned slot;
	bool writable;
	bool thin; /* the base is */
	/*
	 * Between the takeover of a durable attachment and rd_settle(): this
	 * process may inherit the block locks that the slot's dead process held.
	 */
	bool settling;
	/* After rd_freeze(): this block and all later ones are still locked. */
	uint64_t frozen;
	struct rd_header *header; /* RD_HEADER_BYTES, shared */
	struct rd_slot *self;
	uint64_t size;
	struct rd_layer base;
	struct rd_layer *view; /* NULL without a private view */
	struct rd_layer view_layer;
	_Atomic uint64_t *populated; /* see populate.h; or NULL */
	char id[RD_ID_MAX];

	/* lazy disks only */
	rd_part_state *parts; /* see lazy.h; NULL: the whole disk is loaded */
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

static inline bool rd_backed(const struct rd_layer *layer, uint64_t block)
{
	return !layer->backed ||
	       atomic_load_explicit(&layer->backed[block / 64],
				    memory_order_acquire) >>
			       (block % 64) &
		       1;
}

/* The files of disk @id, relative to the store's directory. */
enum rd_file {
	RD_FILE_HEADER,
	RD_FILE_DATA,
	RD_FILE_RANGES
};
struct rd_filename {
	char text[RD_ID_MAX + 32];
};
struct rd_filename rd_file_name(const char *id, enum rd_file file);
/* The files of a private view: RD_FILE_DATA, or RD_FILE_RANGES for its map. */
#define RD_VIEW_MARK ".view-" /* behind an id, before the slot's number */
struct rd_filename rd_view_name(const char *id, unsigned slot,
				enum rd_file file);

/*
 * Remove the contents (data, ranges and views) of disk @id, or all of it. The
 * caller holds the disk's lock. Order and state make a crash in between
 * harmless: a header without contents says RD_EMPTY.
 */
void rd_remove_contents(int dir, const char *id, struct rd_header *header);
void rd_remove_disk(int dir, const char *id, struct rd_header *header);
void rd_remove_view(int dir, const char *id, unsigned slot);

#endif
