/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request path: every byte that moves between an adapter and a disk moves
 * here. See range.h for how blocks are kept whole. Any number of threads; the
 * only locks are the block words, and none is held when a call returns unless
 * its name says so (rd_range_begin).
 */
#include "drivers/block-ram/range.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "drivers/block-ram/disk.h"

#define OWNER_SHIFT 48
#define SEQUENCE (((uint64_t)1 << OWNER_SHIFT) - 1)

/* How long a waiter is busy, then polite, then asleep between two looks. */
#define SPINS 64
#define YIELDS 32
#define NAP_NS 50000
/* Naps between two questions to the kernel whether the holder lives. */
#define NAPS_A_QUESTION 8

static inline bool locked(uint64_t word)
{
	return word & 1;
}

static inline uint64_t owned(const struct rd_disk *disk, uint64_t sequence)
{
	return (uint64_t)(disk->slot + 1) << OWNER_SHIFT |
	       (sequence & SEQUENCE);
}

/*
 * Copying races with writers by design, and the words tell afterwards. The
 * thread sanitizer cannot know that, so it gets a copy made of relaxed atomic
 * accesses, which is also what the language would ask for.
 */
#if defined(__SANITIZE_THREAD__)
static void copy(void *to, const void *from, size_t len)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	while (len--)
		__atomic_store_n(t++, __atomic_load_n(f++, __ATOMIC_RELAXED),
				 __ATOMIC_RELAXED);
}
#else
#define copy memcpy
#endif

/* ---- waiting ----------------------------------------------------------- */

/* Take @word over if the attachment that made it @seen is dead. */
static bool take_over(struct rd_disk *disk, rd_word *word, uint64_t seen)
{
	unsigned owner = (unsigned)(seen >> OWNER_SHIFT);

	if (owner == 0 || owner > RD_SLOTS)
		return false;
	if (owner - 1 == disk->slot || /* another thread of ours */
	    rd_slots_alive(disk->header_fd, owner - 1, 1))
		return false;
	/* unlock it; who wants it competes for it like everyone */
	return atomic_compare_exchange_strong(word, &seen,
					      (seen + 1) & SEQUENCE);
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* One step of patience with @word, which was seen locked. */
static void wait_a_little(struct rd_disk *disk, rd_word *word, uint64_t seen,
			  unsigned *patience)
{
	unsigned n = (*patience)++;

	if (n < SPINS) {
		relax();
	} else if (n < SPINS + YIELDS) {
		sched_yield();
	} else if ((n - SPINS - YIELDS) % NAPS_A_QUESTION != 0 ||
		   !take_over(disk, word, seen)) {
		struct timespec nap = { .tv_nsec = NAP_NS };

		nanosleep(&nap, NULL);
	}
}

static uint64_t wait_unlocked(struct rd_disk *disk, rd_word *word)
{
	unsigned patience = 0;
	uint64_t w;

	while (locked(w = atomic_load_explicit(word, memory_order_acquire)))
		wait_a_little(disk, word, w, &patience);
	return w;
}

/* ---- one block --------------------------------------------------------- */

static bool try_lock(struct rd_disk *disk, rd_word *word)
{
	uint64_t w = atomic_load_explicit(word, memory_order_relaxed);

	if (locked(w) || !atomic_compare_exchange_strong_explicit(
				 word, &w, owned(disk, w + 1),
				 memory_order_acquire, memory_order_relaxed))
		return false;
	/* data must not be stored before the odd number is seen */
	atomic_thread_fence(memory_order_release);
	return true;
}

static void lock_block(struct rd_disk *disk, rd_word *word)
{
	while (!try_lock(disk, word))
		wait_unlocked(disk, word);
}

static void unlock_block(rd_word *word)
{
	uint64_t w = atomic_load_explicit(word, memory_order_relaxed);

	atomic_store_explicit(word, (w + 1) & SEQUENCE, memory_order_release);
}

static void read_block(struct rd_disk *disk, rd_word *word, void *to,
		       const unsigned char *from, size_t len)
{
	uint64_t before;

	do {
		before = wait_unlocked(disk, word);
		copy(to, from, len);
		atomic_thread_fence(memory_order_acquire);
	} while (atomic_load_explicit(word, memory_order_relaxed) != before);
}

static void write_block(struct rd_disk *disk, rd_word *word, unsigned char *to,
			const void *from, size_t len)
{
	lock_block(disk, word);
	copy(to, from, len);
	unlock_block(word);
}

/* ---- whole requests ---------------------------------------------------- */

static void count(struct rd_disk *disk, bool write, size_t len)
{
	struct rd_slot *s = disk->self;

	atomic_fetch_add_explicit(write ? &s->writes : &s->reads, 1,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(write ? &s->write_bytes : &s->read_bytes, len,
				  memory_order_relaxed);
}

void rd_count_error(struct rd_disk *disk)
{
	atomic_fetch_add_explicit(&disk->self->errors, 1, memory_order_relaxed);
}

static int check(struct rd_disk *disk, uint64_t off, size_t len, bool write)
{
	int rc = 0;

	if (!rd_in_bounds(off, len, disk->size))
		rc = -EINVAL;
	else if (write && !disk->writable)
		rc = -EROFS;
	if (rc)
		rd_count_error(disk);
	return rc;
}

/* Bytes of a request from @off that lie in one block. */
static inline size_t in_block(uint64_t off, size_t len)
{
	size_t room = RD_BLOCK - off % RD_BLOCK;

	return len < room ? len : room;
}

int rd_read(struct rd_disk *disk, void *buf, uint64_t off, size_t len)
{
	unsigned char *to = buf;
	size_t left, n;
	int rc = check(disk, off, len, false);

	if (rc)
		return rc;
	for (left = len; left; left -= n, off += n, to += n) {
		n = in_block(off, left);
		read_block(disk, &disk->words[off / RD_BLOCK], to,
			   disk->data + off, n);
	}
	count(disk, false, len);
	return 0;
}

int rd_write(struct rd_disk *disk, const void *buf, uint64_t off, size_t len)
{
	const unsigned char *from = buf;
	size_t left, n;
	int rc = check(disk, off, len, true);

	if (rc)
		return rc;
	for (left = len; left; left -= n, off += n, from += n) {
		n = in_block(off, left);
		write_block(disk, &disk->words[off / RD_BLOCK],
			    disk->data + off, from, n);
	}
	count(disk, true, len);
	return 0;
}

int rd_flush(struct rd_disk *disk)
{
	atomic_fetch_add_explicit(&disk->self->flushes, 1,
				  memory_order_relaxed);
	return 0;
}

/* ---- ranges held while somebody else copies ---------------------------- */

static inline uint64_t first_block(const struct rd_range *range)
{
	return range->off / RD_BLOCK;
}

/* One behind the last; equal to the first for an empty range. */
static inline uint64_t end_block(const struct rd_range *range)
{
	return range->len ? (range->off + range->len - 1) / RD_BLOCK + 1 :
			    first_block(range);
}

static void unlock_blocks(struct rd_disk *disk, uint64_t first, uint64_t end)
{
	while (first < end)
		unlock_block(&disk->words[first++]);
}

static int lock_blocks(const struct rd_range *range)
{
	struct rd_disk *disk = range->disk;
	uint64_t b, first = first_block(range), end = end_block(range);

	for (b = first; b < end; b++) {
		if (!(range->flags & RD_RANGE_NOWAIT)) {
			lock_block(disk, &disk->words[b]);
		} else if (!try_lock(disk, &disk->words[b])) {
			unlock_blocks(disk, first, b);
			return -EWOULDBLOCK;
		}
	}
	return 0;
}

/* The sum of a range's sequence numbers, or -EWOULDBLOCK at a locked one. */
static int sum_blocks(const struct rd_range *range, uint64_t *sum)
{
	struct rd_disk *disk = range->disk;
	uint64_t b, w, end = end_block(range);

	*sum = 0;
	for (b = first_block(range); b < end; b++) {
		w = atomic_load_explicit(&disk->words[b], memory_order_acquire);
		if (locked(w)) {
			if (range->flags & RD_RANGE_NOWAIT)
				return -EWOULDBLOCK;
			w = wait_unlocked(disk, &disk->words[b]);
		}
		*sum += w;
	}
	return 0;
}

static bool holds(const struct rd_range *range)
{
	return range->flags & (RD_RANGE_WRITE | RD_RANGE_EXCLUSIVE);
}

int rd_range_begin(struct rd_disk *disk, uint64_t off, size_t len,
		   unsigned flags, struct rd_range *range)
{
	int rc = check(disk, off, len, flags & RD_RANGE_WRITE);

	if (rc)
		return rc;
	*range = (struct rd_range){
		.addr = disk->data + off,
		.disk = disk,
		.off = off,
		.len = len,
		.flags = flags,
	};
	return holds(range) ? lock_blocks(range) :
			      sum_blocks(range, &range->snapshot);
}

int rd_range_end(struct rd_range *range)
{
	struct rd_range now = *range;
	uint64_t sum;

	if (holds(range)) {
		unlock_blocks(range->disk, first_block(range),
			      end_block(range));
	} else {
		atomic_thread_fence(memory_order_acquire);
		now.flags |= RD_RANGE_NOWAIT;
		if (sum_blocks(&now, &sum) || sum != range->snapshot)
			return -EAGAIN;
	}
	count(range->disk, range->flags & RD_RANGE_WRITE, range->len);
	return 0;
}

void rd_range_abort(struct rd_range *range)
{
	if (holds(range))
		unlock_blocks(range->disk, first_block(range),
			      end_block(range));
	rd_count_error(range->disk);
}

void rd_ranges_sweep(rd_word *words, uint64_t blocks, unsigned slot)
{
	uint64_t b, w;

	for (b = 0; b < blocks; b++) {
		w = atomic_load_explicit(&words[b], memory_order_relaxed);
		if (locked(w) && w >> OWNER_SHIFT == slot + 1)
			atomic_compare_exchange_strong(&words[b], &w,
						       (w + 1) & SEQUENCE);
	}
}
