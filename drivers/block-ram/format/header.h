/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of a disk: the format of ID.header and of ID.counters, and the lock of
 * the disk. The functions keep no state; any thread may call them.
 *
 * A header is struct rd_header, which includes the seed's path and the table of
 * points, followed by RD_SLOTS words (the slots in brief, see RD_BRIEF_TAKEN) and by
 * RD_SLOTS slots. The file is sparse and has its full length from the start. Only the
 * first slots_used words and slots have memory and may be accessed through a mapping.
 * Accessing another one takes memory, and on a full tmpfs raises SIGBUS.
 *
 * WHO WRITES. The header decides what a disk is and who is attached. Only the
 * holder of RD_LOCK_DISK writes it, through a descriptor that is closed when the
 * lock is released. An attachment then has the header mapped for reading only, and
 * not open: a worker that its guest has taken over cannot change it. What attachments
 * write on the request path is elsewhere: block locks, bits and part states in
 * ID.ranges, and counters in ID.counters, which has one page for each slot. Bytes
 * from there are input: check them at each use.
 *
 * RD_LOCK_DISK is an open-file-description lock (fcntl F_OFD_*) on a byte far beyond
 * the contents, at the same position in every format. It is held while the disk's
 * state changes: load, attach, detach, discard. Its holder waits for no other lock.
 * The locks of the slots are on files of their own; see slot-lock.h.
 *
 * A process that waited for RD_LOCK_DISK may get the lock of a deleted file
 * (st_nlink is 0): the disk was discarded meanwhile. Open the name again then.
 */
#ifndef BLOCK_RAM_HEADER_H
#define BLOCK_RAM_HEADER_H

#include <stdatomic.h>
#include <sys/types.h>

#include "include/private/processor.h"
#include "include/ramdisk.h"

#define RD_MAGIC "RAMDISK\n" /* 8 bytes, no NUL */
#define RD_SLOTS 16384u
#define RD_LOCK_DISK ((off_t)1 << 40)

#define RD_POINTS 64u /* most points of a disk */

enum rd_state {
	RD_EMPTY = 0, /* no contents: load the seed before use */
	RD_LOADING = 1, /* the holder of RD_LOCK_DISK loads the seed */
	RD_READY = 2,
};

enum rd_disk_flags {
	RD_DISK_THIN = 1,
	RD_DISK_LAZY = 2, /* some parts may not be loaded yet */
	RD_DISK_KEEP = 4,
	RD_DISK_HALF_RESET =
		8, /* a reset is running, or its process was killed */
	RD_DISK_FLAGS = 15, /* all flags of this format */
};

enum rd_point_state {
	RD_POINT_FREE = 0,
	RD_POINT_BEGUN = 1, /* taken if header.points names it, else not */
	RD_POINT_TAKEN = 2,
	RD_POINT_DROPPING = 3, /* its copies are being moved or freed */
};

/* One point; see points.h. */
struct rd_point_entry {
	/* Points of a disk are in the order of their numbers. 0: no point. */
	_Atomic uint64_t number;
	uint64_t taken; /* seconds since 1970 */
	_Atomic uint32_t state; /* enum rd_point_state */
	uint32_t reserved0;
	char name[RD_NAME_MAX];
	uint8_t reserved1[40];
};

struct rd_header {
	char magic[8]; /* written last: a header without it is unfinished */
	uint32_t format; /* RD_FORMAT */
	_Atomic uint32_t state; /* enum rd_state */
	uint32_t slots; /* RD_SLOTS */
	_Atomic uint32_t slots_used; /* the first so many slots have memory */
	uint64_t size; /* of the disk, bytes */
	uint64_t seed_size; /* of the seed when it was loaded, bytes */
	uint64_t seed_mtime; /* ns since 1970, when it was loaded */
	/* Bytes of size that are loaded. A lazy disk counts in ID.ranges. */
	_Atomic uint64_t loaded;
	_Atomic uint32_t flags; /* enum rd_disk_flags */
	uint32_t search_at; /* where to look next for a dead attachment's slot */
	char id[RD_ID_MAX];
	char seed_id[RD_ID_MAX]; /* identity of the seed's file; see seed.h */
	char name[RD_NAME_MAX]; /* chosen with name=; or empty */
	_Atomic uint64_t torn; /* blocks that ended attachments have counted */
	_Atomic uint64_t
		points; /* into which point writers copy; see points.h */
	uint64_t points_made; /* number of the last point that was begun */
	uint8_t reserved[4096 - 64 - 2 * RD_ID_MAX - RD_NAME_MAX - 24];
	char seed[RD_SEED_MAX]; /* canonical path */
	struct rd_point_entry point[RD_POINTS];
};

enum rd_slot_state {
	RD_SLOT_FREE = 0,
	RD_SLOT_ATTACHED = 1, /* dead if the slot is unlocked and not durable */
};

enum rd_slot_flags {
	RD_SLOT_WRITABLE = 1,
	RD_SLOT_PRIVATE = 2,
	RD_SLOT_DURABLE = 4,
	RD_SLOT_FREEZER = 8, /* between rd_freeze() and rd_thaw() */
	RD_SLOT_ENDED = 16, /* not durable; its end was reported (events.h) */
	RD_SLOT_POINT = 32, /* sees the disk as of a point */
	RD_SLOT_BYPASS = 64, /* ID.data is written past the library */
};

struct rd_slot {
	_Atomic uint32_t state; /* enum rd_slot_state */
	_Atomic uint32_t flags; /* enum rd_slot_flags */
	int32_t pid;
	_Atomic uint32_t restarts; /* processes that took the slot over */
	uint64_t since; /* seconds since 1970 */
	char label[RD_LABEL_MAX];
	uint64_t point; /* its number, with RD_SLOT_POINT */
	uint8_t reserved1[32];
};

/*
 * What one thread of an attachment's process counts, in a cache line that no other
 * thread writes: so it adds without a locked instruction, which would wait until all
 * bytes that the request wrote are out of the processor's store buffer.
 */
struct rd_thread_counters {
	struct rd_count {
		_Atomic uint64_t requests, bytes;
	} of[2]; /* reads; writes */
	uint8_t reserved[32];
};

/* Further threads count in rd_slot_counters itself. */
#define RD_COUNTING_THREADS 32u

/*
 * One page of ID.counters: what the attachment in a slot counts. rd_slot_requests()
 * adds up its reads and writes.
 */
struct rd_slot_counters {
	_Atomic uint64_t reads, writes, flushes, discards;
	_Atomic uint64_t read_bytes, write_bytes, discard_bytes, errors;
	_Atomic uint32_t read_latency[RD_LATENCIES];
	_Atomic uint32_t write_latency[RD_LATENCIES];
	_Atomic uint64_t torn; /* blocks; see rd_damage() */
	_Atomic uint64_t read_us, write_us; /* sums of the latencies */
	_Atomic uint64_t no_memory; /* of errors: -ENOSPC */
	uint8_t reserved1[32];
	struct rd_thread_counters thread[RD_COUNTING_THREADS];
	uint8_t reserved2[RD_BLOCK - 320 - 64 * RD_COUNTING_THREADS];
};

_Static_assert(offsetof(struct rd_header, size) == 24, "format");
_Static_assert(offsetof(struct rd_header, flags) == 56, "format");
_Static_assert(offsetof(struct rd_header, id) == 64, "format");
_Static_assert(offsetof(struct rd_header, seed) == 4096, "format");
_Static_assert(offsetof(struct rd_header, points) == 296, "format");
_Static_assert(offsetof(struct rd_header, point) == 8192, "format");
_Static_assert(sizeof(struct rd_point_entry) == 128, "format");
_Static_assert(sizeof(struct rd_header) == 16384, "format");
_Static_assert(sizeof(struct rd_slot) == 128, "format");
_Static_assert(offsetof(struct rd_slot_counters, thread) == 320, "format");
_Static_assert(sizeof(struct rd_thread_counters) == 64, "format");
_Static_assert(sizeof(struct rd_slot_counters) == RD_BLOCK, "format");

#define RD_HEADER_BYTES             \
	(sizeof(struct rd_header) + \
	 (size_t)RD_SLOTS * (sizeof(uint32_t) + sizeof(struct rd_slot)))

/*
 * A slot in brief, so that a search among thousands reads few of them: 0 if the slot is
 * free; else RD_BRIEF_TAKEN, the slot's flags, and 24 bits of a hash of its label. The
 * word is written before the slot is taken and cleared after it is freed, and a process
 * may be killed in between: it tells which slots to look at, and the slot tells the
 * truth. RD_SLOT_FREEZER and RD_SLOT_ENDED are not in it.
 */
#define RD_BRIEF_TAKEN 128u
#define RD_BRIEF_ANY_LABEL 0xffffff00u /* also while the label changes */

/* The word of a slot, or of what is searched. @label: NULL if any will do. */
uint32_t rd_brief(unsigned flags, const char *label);
/* Whether the slot of the word @brief may have all flags, and the label, of @wanted. */
bool rd_brief_fits(uint32_t brief, uint32_t wanted);

/* Offsets in the file of a slot and of its word, and their addresses in a mapping. */
static inline off_t rd_brief_offset(unsigned slot)
{
	return (off_t)(sizeof(struct rd_header) + slot * sizeof(uint32_t));
}

static inline off_t rd_slot_offset(unsigned slot)
{
	return rd_brief_offset(RD_SLOTS) +
	       (off_t)(slot * sizeof(struct rd_slot));
}

static inline _Atomic uint32_t *rd_brief_at(struct rd_header *header,
					    unsigned slot)
{
	return (_Atomic uint32_t *)(header + 1) + slot;
}

static inline struct rd_slot *rd_slot_at(struct rd_header *header,
					 unsigned slot)
{
	return (struct rd_slot *)((char *)header + rd_slot_offset(0)) + slot;
}

/*
 * Whether this program can use @header, which is @n bytes read from the start of
 * a header file of @file_size bytes. @path is for the sentence in @err.
 *
 *   0         yes
 *   -ENOENT   unfinished: the process that made the header died, and the disk's
 *             contents may be discarded
 *   -EPROTO   another format
 *   -EUCLEAN  damaged
 */
int rd_header_check(const struct rd_header *header, size_t n, off_t file_size,
		    const char *path, struct rd_error *err);

/*
 * Acquire RD_LOCK_DISK for the open file description of @fd. rd_lock_disk()
 * waits; rd_trylock_disk() returns -EWOULDBLOCK. rd_unlock_disk() releases the
 * lock, and so does closing the description.
 */
int rd_lock_disk(int fd);
int rd_trylock_disk(int fd);
void rd_unlock_disk(int fd);
/* Whether another description holds the lock. An error counts as yes. */
bool rd_disk_locked(int fd);

/*
 * An open-file-description lock: @command is F_OFD_SETLK or F_OFD_SETLKW, @type one of
 * F_RDLCK, F_WRLCK, F_UNLCK. 0, -EWOULDBLOCK or -errno.
 */
int rd_lock(int fd, int command, short type, off_t start, off_t len);
/*
 * Whether another description than that of @fd holds a lock on one of @len bytes from
 * @start. An unexpected error counts as yes.
 */
bool rd_is_locked(int fd, off_t start, off_t len);

/* Read the header behind @fd and check it. Returns as rd_header_check(). */
int rd_header_read(int fd, const char *path, struct rd_header *header,
		   struct rd_error *err);
int rd_slot_read(int fd, unsigned slot, struct rd_slot *s);
/*
 * The first attached slot, alive or not, with all of @flags, and with @label if that is
 * not NULL, in the header behind @fd, of which @header is a copy; or -1.
 */
int rd_slot_find(int fd, const struct rd_header *header, unsigned flags,
		 const char *label);

/* The offset of slot @slot's page in ID.counters, and the file's size. */
static inline off_t rd_counters_offset(unsigned slot)
{
	return (off_t)slot * RD_BLOCK;
}
#define RD_COUNTERS_BYTES ((off_t)RD_SLOTS * RD_BLOCK)

/* Store the reads and writes of all threads, and their bytes, in *@sum. */
void rd_slot_requests(const struct rd_slot_counters *s,
		      struct rd_counters *sum);

#endif
