/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of a disk: the format of ID.header, and the two kinds of locks
 * that live on it.
 *
 * A header is struct rd_header, seed's path included, then RD_SLOTS slots.
 * The file has its full length from the start and is sparse: slots up to
 * slots_used have memory behind them and may be touched through a mapping,
 * the others may not (a full tmpfs would answer SIGBUS).
 *
 * Locks are open-file-description locks (fcntl F_OFD_*) on bytes far behind
 * the contents. Their positions are the same in every format, so that any
 * version of these programs can tell a disk in use from a dead one:
 *   RD_LOCK_DISK      held to change the disk's state: load, attach, detach,
 *                     discard. Never held while waiting for anything else.
 *   RD_LOCK_SLOT + n  held by the attachment in slot n for its whole life.
 *
 * A header whose file has no name left (st_nlink 0) belongs to a disk that was
 * discarded; who gets its lock must open the name again.
 */
#ifndef BLOCK_RAM_HEADER_H
#define BLOCK_RAM_HEADER_H

#include <stdatomic.h>
#include <sys/types.h>

#include "include/ramdisk.h"

#define RD_MAGIC "RAMDISK\n" /* 8 bytes, no NUL */
#define RD_SLOTS 4096u
#define RD_LOCK_DISK ((off_t)1 << 40)
#define RD_LOCK_SLOT ((off_t)1 << 41)

enum rd_state {
	RD_EMPTY = 0, /* no contents: load them before use */
	RD_LOADING = 1, /* being loaded by whoever holds RD_LOCK_DISK */
	RD_READY = 2,
};

enum rd_disk_flags {
	RD_DISK_THIN = 1,
	RD_DISK_LAZY = 2, /* it may have parts that are not loaded yet */
	RD_DISK_KEEP = 4,
	RD_DISK_HALF_RESET = 8, /* a reset runs, or did not end */
	RD_DISK_FLAGS = 15, /* all of them */
};

struct rd_header {
	char magic[8]; /* written last when a header is made */
	uint32_t format; /* RD_FORMAT */
	_Atomic uint32_t state; /* enum rd_state */
	uint32_t slots; /* RD_SLOTS */
	_Atomic uint32_t slots_used; /* slots that have memory */
	uint64_t size; /* of the disk, bytes */
	uint64_t seed_size; /* of the seed when it was loaded, bytes */
	uint64_t seed_mtime; /* ns since 1970, when it was loaded */
	_Atomic uint64_t loaded; /* bytes of size: while loading, or lazy */
	_Atomic uint32_t flags; /* enum rd_disk_flags */
	uint32_t reserved0;
	char id[RD_ID_MAX];
	char seed_id[RD_ID_MAX]; /* of the seed's file, as in seed.h */
	char name[RD_NAME_MAX]; /* given by name=, or empty */
	uint8_t reserved[4096 - 64 - 2 * RD_ID_MAX - RD_NAME_MAX];
	char seed[RD_SEED_MAX]; /* canonical path */
};

enum rd_slot_state {
	RD_SLOT_FREE = 0,
	RD_SLOT_ATTACHED =
		1, /* dead if nobody holds its lock and not durable */
};

enum rd_slot_flags {
	RD_SLOT_WRITABLE = 1,
	RD_SLOT_PRIVATE = 2,
	RD_SLOT_DURABLE = 4,
};

struct rd_slot {
	_Atomic uint32_t state; /* enum rd_slot_state */
	_Atomic uint32_t flags; /* enum rd_slot_flags */
	int32_t pid;
	uint32_t reserved0;
	uint64_t since; /* seconds since 1970 */
	char label[RD_LABEL_MAX];
	uint8_t reserved1[40];
	/* cache lines of its own: written on the request path */
	_Atomic uint64_t reads, writes, flushes, discards;
	_Atomic uint64_t read_bytes, write_bytes, discard_bytes, errors;
	_Atomic uint32_t read_latency[RD_LATENCIES];
	_Atomic uint32_t write_latency[RD_LATENCIES];
	uint8_t reserved2[128];
};

_Static_assert(offsetof(struct rd_header, size) == 24, "format");
_Static_assert(offsetof(struct rd_header, flags) == 56, "format");
_Static_assert(offsetof(struct rd_header, id) == 64, "format");
_Static_assert(offsetof(struct rd_header, seed) == 4096, "format");
_Static_assert(sizeof(struct rd_header) == 8192, "format");
_Static_assert(offsetof(struct rd_slot, reads) == 128, "format");
_Static_assert(sizeof(struct rd_slot) == 512, "format");

#define RD_HEADER_BYTES \
	(sizeof(struct rd_header) + (size_t)RD_SLOTS * sizeof(struct rd_slot))

/* Offset of a slot in the file, and its place in a mapping. */
static inline off_t rd_slot_offset(unsigned slot)
{
	return (off_t)(sizeof(struct rd_header) +
		       slot * sizeof(struct rd_slot));
}

static inline struct rd_slot *rd_slot_at(struct rd_header *header,
					 unsigned slot)
{
	return (struct rd_slot *)(header + 1) + slot;
}

/*
 * Whether @header, @n bytes read from the start of a header file of
 * @file_size bytes, can be used by this program. 0; -ENOENT when it was never
 * finished (its maker died: contents may be thrown away); -EPROTO for another
 * format; -EUCLEAN for anything else that does not fit. @path for messages.
 */
int rd_header_check(const struct rd_header *header, size_t n, off_t file_size,
		    const char *path, struct rd_error *err);

/*
 * Open descriptor @fd's RD_LOCK_DISK. rd_lock_disk() waits; the try answers
 * -EWOULDBLOCK. Released by closing the description or rd_unlock_disk().
 */
int rd_lock_disk(int fd);
int rd_trylock_disk(int fd);
void rd_unlock_disk(int fd);
/* Whether another description than @fd has it. An error counts as yes. */
bool rd_disk_locked(int fd);

/* Take slot @slot's lock, or -EWOULDBLOCK if its attachment lives. */
int rd_trylock_slot(int fd, unsigned slot);
void rd_unlock_slot(int fd, unsigned slot);
/*
 * Whether an attachment through another description than @fd lives in one of
 * @count slots from @first. An unexpected error counts as alive.
 */
bool rd_slots_alive(int fd, unsigned first, unsigned count);

/*
 * Whether the disk behind header @fd is to stay: an attachment lives, or is
 * durable, or the disk is kept. @header is what was read of it and checked, or
 * NULL if it cannot be trusted. With the disk's lock held.
 */
bool rd_disk_alive(int fd, const struct rd_header *header);

/* Read and check the header behind @fd; as rd_header_check(). */
int rd_header_read(int fd, const char *path, struct rd_header *header,
		   struct rd_error *err);
int rd_slot_read(int fd, unsigned slot, struct rd_slot *s);

#endif
