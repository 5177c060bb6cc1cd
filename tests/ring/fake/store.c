/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A store of one disk in this process's memory. It follows ramdisk.h's rules for
 * ranges, and can change blocks during a read when a test asks for it.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "include/ramdisk.h"
#include "tests/ring/fake/fake.h"

#define BLOCKS (FAKE_DISK_SIZE / RD_BLOCK + 1)

struct rd_disk {
	bool writable;
	uint8_t *data;
};

static struct rd_disk disk;
static _Thread_local char self; /* its address is the thread's name */
static const char *locked[BLOCKS];
static uint64_t version[BLOCKS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
uint8_t *fake_disk;
_Thread_local unsigned fake_held;
unsigned fake_ends_again, fake_begins_exclusive, fake_errors, fake_flushes;
_Atomic unsigned fake_latencies[2]; /* reads, writes */
_Atomic unsigned fake_prefetched;
bool fake_attach_fails;
bool fake_forgets;
struct rd_damage fake_damage;
struct rd_event fake_event;
unsigned fake_events_sent;
_Atomic bool fake_attach_waits;
int fake_attached;
static _Atomic bool lost; /* see rd_lost() */

struct rd_disk *fake_disk_new(bool writable)
{
	static uint8_t memory[FAKE_DISK_SIZE] __attribute__((aligned(4096)));
	size_t i;

	fake_disk = memory;
	for (i = 0; i < FAKE_DISK_SIZE; i++)
		fake_disk[i] = (uint8_t)(i * 31 + i / 509);
	memset(locked, 0, sizeof(locked));
	memset(version, 0, sizeof(version));
	fake_ends_again = fake_begins_exclusive = fake_held = 0;
	fake_errors = fake_flushes = 0;
	fake_latencies[0] = fake_latencies[1] = 0;
	fake_prefetched = 0;
	fake_attach_fails = fake_forgets = false;
	fake_damage = (struct rd_damage){ .torn.n = 0 };
	fake_attach_waits = lost = false;
	disk = (struct rd_disk){ writable, fake_disk };
	return &disk;
}

uint64_t fake_disk_hash(void)
{
	uint64_t h = 14695981039346656037ull;
	size_t i;

	for (i = 0; i < FAKE_DISK_SIZE; i++)
		h = (h ^ fake_disk[i]) * 1099511628211ull;
	return h;
}

int rd_store_open(struct rd_store **store, const char *dir,
		  struct rd_error *err)
{
	(void)dir;
	(void)err;
	*store = NULL;
	return 0;
}

void rd_explain_no_memory(const struct rd_disk *d, struct rd_error *why)
{
	(void)d;
	snprintf(why->text, sizeof(why->text), "no memory here");
}

void rd_store_close(struct rd_store *store)
{
	(void)store;
}

const char *rd_store_path(const struct rd_store *store)
{
	(void)store;
	return "/fake";
}

int rd_attach(struct rd_store *store, const struct rd_attach_request *req,
	      struct rd_disk **out, struct rd_error *err)
{
	(void)store;
	while (fake_attach_waits) {
		usleep(1000);
		if (req->progress(req->progress_arg, 1, 2)) {
			snprintf(err->text, sizeof(err->text), "given up");
			return -ECANCELED;
		}
	}
	if (fake_attach_fails) {
		snprintf(err->text, sizeof(err->text), "%s is empty",
			 req->seed);
		return -EINVAL;
	}
	*out = fake_disk_new(req->writable);
	fake_attached++;
	return 0;
}

int rd_attach_point(struct rd_store *store, const struct rd_attach_request *req,
		    const char *point, struct rd_disk **out,
		    struct rd_error *err)
{
	(void)point;
	return rd_attach(store, req, out, err);
}

void rd_detach(struct rd_disk *d)
{
	(void)d;
	fake_attached--;
}

int rd_confine(struct rd_disk *d)
{
	(void)d;
	return 0;
}

/* A worker that resumes finds the attachment that it asks for. */
int rd_find_durable(struct rd_store *store, const char *label,
		    char id[RD_ID_MAX])
{
	(void)store, (void)label;
	if (fake_forgets)
		return -ENOENT;
	snprintf(id, RD_ID_MAX, "fake");
	return 0;
}

void fake_take_memory(uint64_t block)
{
	int fd = memfd_create("nothing", MFD_CLOEXEC);

	if (mmap(fake_disk + block * RD_BLOCK, RD_BLOCK, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		abort();
	close(fd);
}

bool rd_lost(struct rd_disk *d, const void *address)
{
	uintptr_t page = (uintptr_t)address & ~(uintptr_t)(RD_BLOCK - 1);

	if ((uintptr_t)address - (uintptr_t)d->data >= FAKE_DISK_SIZE)
		return false;
	lost = true;
	return mmap((void *)page, RD_BLOCK, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		    0) != MAP_FAILED;
}

uint64_t rd_damage(struct rd_disk *d, struct rd_damage *damage)
{
	(void)d;
	if (damage)
		*damage = fake_damage;
	return fake_damage.torn.n + fake_damage.stuck.n;
}

unsigned fake_reaps;

int rd_reap(struct rd_store *store)
{
	(void)store;
	fake_reaps++;
	return 0;
}

uint64_t rd_longest_file(const struct rd_disk *d)
{
	return rd_size(d);
}

uint64_t rd_size(const struct rd_disk *d)
{
	(void)d;
	return FAKE_DISK_SIZE;
}

bool rd_writable(const struct rd_disk *d)
{
	return d->writable;
}

int rd_flush(struct rd_disk *d)
{
	(void)d;
	__atomic_add_fetch(&fake_flushes, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* Whole blocks only. It may wait, so nothing may be held. */
int rd_discard(struct rd_disk *d, uint64_t off, uint64_t len)
{
	uint64_t from = (off + RD_BLOCK - 1) / RD_BLOCK * RD_BLOCK;
	uint64_t to = (off + len) / RD_BLOCK * RD_BLOCK;

	if (fake_held)
		abort();
	if (!rd_in_bounds(off, len, FAKE_DISK_SIZE))
		return -EINVAL;
	if (!d->writable)
		return -EROFS;
	if (from < to)
		memset(d->data + from, 0, to - from);
	return 0;
}

int rd_discard_noted(struct rd_disk *d, uint64_t off, uint64_t len,
		     uint64_t *done)
{
	(void)done;
	return rd_discard(d, off, len);
}

int rd_discard_resume(struct rd_disk *d, uint64_t off, uint64_t len,
		      uint64_t *done)
{
	(void)d, (void)off, (void)len, (void)done;
	return 0;
}

int rd_settle(struct rd_disk *d)
{
	(void)d;
	return 0;
}

int rd_try_relabel(struct rd_store *store, const char *from, const char *to)
{
	(void)store, (void)from, (void)to;
	return -ENOENT;
}

int rd_try_end(struct rd_store *store, const char *label)
{
	(void)store, (void)label;
	return -ENOENT;
}

const char *fake_store_waits;

int rd_list_brief(struct rd_store *store, struct rd_disk_info **disks,
		  size_t *count, struct rd_error *err)
{
	static struct rd_attachment_info dead = { .durable = true };
	static struct rd_disk_info only = { .attachments = 1,
					    .attachment = &dead };

	(void)store, (void)err;
	if (fake_store_waits)
		strcpy(dead.label, fake_store_waits);
	*disks = &only;
	*count = fake_store_waits ? 1 : 0;
	return 0;
}

void rd_list_free(struct rd_disk_info *disks, size_t count)
{
	(void)disks, (void)count;
}

const char *rd_id(const struct rd_disk *d)
{
	(void)d;
	return "fake";
}

void rd_count_error(struct rd_disk *d)
{
	(void)d;
	__atomic_add_fetch(&fake_errors, 1, __ATOMIC_SEQ_CST);
}

static uint64_t sum_versions(const struct rd_range *r)
{
	uint64_t b, sum = 0;

	for (b = r->off / RD_BLOCK; b <= (r->off + r->len - 1) / RD_BLOCK; b++)
		sum += version[b];
	return sum;
}

static const char *any_locked(const struct rd_range *r)
{
	uint64_t b;

	for (b = r->off / RD_BLOCK; b <= (r->off + r->len - 1) / RD_BLOCK; b++)
		if (locked[b])
			return locked[b];
	return NULL;
}

static void set_locked(const struct rd_range *r, bool yes)
{
	uint64_t b;

	for (b = r->off / RD_BLOCK; b <= (r->off + r->len - 1) / RD_BLOCK;
	     b++) {
		locked[b] = yes ? &self : NULL;
		if (!yes && (r->flags & RD_RANGE_WRITE))
			version[b]++;
	}
}

void *rd_range_at(const struct rd_range *range, size_t pos, size_t *n)
{
	uint8_t *at = range->disk->data + range->off + pos;
	size_t block = RD_BLOCK - (range->off + pos) % RD_BLOCK;

	*n = range->len - pos;
	if (*n > block)
		*n = block;
	return at;
}

void rd_count_latency(struct rd_disk *d, bool write, uint64_t us)
{
	(void)d;
	(void)us;
	fake_latencies[write]++;
}

void rd_prefetch(struct rd_disk *d, uint64_t off)
{
	(void)d;
	if (off >= FAKE_DISK_SIZE)
		abort(); /* not an offset that was checked */
	fake_prefetched++;
}

int rd_range_begin(struct rd_disk *d, uint64_t off, size_t len, unsigned flags,
		   struct rd_range *range)
{
	const char *holder;

	*range = (struct rd_range){
		.disk = d,
		.off = off,
		.len = len,
		.flags = flags,
	};
	if (len > FAKE_DISK_SIZE || off > FAKE_DISK_SIZE - len)
		return -EINVAL;
	if ((flags & RD_RANGE_WRITE) && !d->writable)
		return -EROFS;
	if (fake_held && !(flags & RD_RANGE_NOWAIT))
		abort(); /* the rule against deadlock */
	pthread_mutex_lock(&lock);
	while ((holder = any_locked(range))) {
		if (flags & RD_RANGE_NOWAIT) {
			pthread_mutex_unlock(&lock);
			return -EWOULDBLOCK;
		}
		if (holder == &self)
			abort(); /* would wait for ever */
		pthread_mutex_unlock(&lock);
		sched_yield();
		pthread_mutex_lock(&lock);
	}
	if (flags & (RD_RANGE_WRITE | RD_RANGE_EXCLUSIVE))
		set_locked(range, true);
	if (flags & RD_RANGE_EXCLUSIVE)
		fake_begins_exclusive++;
	range->snapshot = sum_versions(range);
	fake_held++;
	pthread_mutex_unlock(&lock);
	return 0;
}

static int end(struct rd_range *range)
{
	if (range->flags & (RD_RANGE_WRITE | RD_RANGE_EXCLUSIVE)) {
		set_locked(range, false);
		return 0;
	}
	if (fake_ends_again) {
		fake_ends_again--;
		return -EAGAIN;
	}
	return any_locked(range) || sum_versions(range) != range->snapshot
		       ? -EAGAIN
		       : 0;
}

int rd_range_end(struct rd_range *range)
{
	int ret;

	fake_held--;
	pthread_mutex_lock(&lock);
	ret = end(range);
	if (!ret && lost)
		ret = -EIO;
	pthread_mutex_unlock(&lock);
	return ret;
}

void rd_range_abort(struct rd_range *range)
{
	fake_held--;
	pthread_mutex_lock(&lock);
	if (range->flags & (RD_RANGE_WRITE | RD_RANGE_EXCLUSIVE))
		set_locked(range, false);
	fake_errors++;
	pthread_mutex_unlock(&lock);
}

void rd_event_send(struct rd_store *store, const struct rd_event *event)
{
	(void)store;
	fake_event = *event;
	fake_events_sent++;
}
