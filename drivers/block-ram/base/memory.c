/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See memory.h. Owns the descriptor of /proc/meminfo, which stays open for
 * requests in the sandbox, and how much memory the process may still take before
 * it reads that file again. Any thread; no locks.
 */
#include "drivers/block-ram/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "include/private/clock.h"
#include "include/private/linux-calls.h"
#include "include/private/text.h"

#define MIB ((uint64_t)1 << 20)
/*
 * Bytes of one fallocate() call. Between two calls a signal can end the work, and
 * the margin is checked.
 */
#define STEP (32 * MIB)
/* Bytes of a huge page, of every processor that has pages of RD_BLOCK bytes. */
#define HUGE (2 * MIB)
/* The same of rd_memory_reserve(): short, since requests end meanwhile. */
#define RESERVE_STEP (8 * MIB)

/* The margin, unless RD_MARGIN_VARIABLE is set: 1/50 of the memory, within these. */
#define MARGIN_SHARE 50
#define MARGIN_LEAST (64 * MIB)
#define MARGIN_MOST (1024 * MIB)

/*
 * Reading /proc/meminfo takes longer than giving a block its memory. So a read
 * allows the process to take 1/ALLOWANCE_SHARE of what is left above the margin, at
 * most ALLOWANCE_MOST, within ALLOWANCE_MS. What many processes take beyond the
 * margin is at most ALLOWANCE_MOST each.
 */
#define ALLOWANCE_SHARE 64
#define ALLOWANCE_MOST MIB
#define ALLOWANCE_MS 1000

static struct {
	atomic_int meminfo; /* descriptor plus 1; 0: not open */
	_Atomic int64_t left; /* bytes of the allowance */
	_Atomic int64_t until; /* ms, coarse clock: end of the allowance */
} growth;

/* ---- the figures ------------------------------------------------------- */

struct host {
	uint64_t total, available; /* bytes */
};

static bool find(const char *text, const char *name, uint64_t *bytes)
{
	const char *line = strstr(text, name);
	unsigned long long kib;

	if (!line || sscanf(line + strlen(name), " %llu kB", &kib) != 1)
		return false;
	*bytes = kib * 1024;
	return true;
}

/* False if the kernel does not report it. */
static bool read_host(int fd, struct host *host)
{
	char text[256]; /* the two are in the first three lines */
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = 0;
	return find(text, "MemTotal:", &host->total) &&
	       find(text, "MemAvailable:", &host->available);
}

/* Reads a descriptor of its own, so that the process keeps none. */
static bool read_host_once(struct host *host)
{
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	bool known = fd >= 0 && read_host(fd, host);

	if (fd >= 0)
		close(fd);
	return known;
}

static bool read_host_kept(struct host *host)
{
	int fd = atomic_load(&growth.meminfo) - 1;

	return fd >= 0 ? read_host(fd, host) : read_host_once(host);
}

void rd_memory_watch(void)
{
	int fd, none = 0;

	if (atomic_load(&growth.meminfo))
		return;
	fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 &&
	    !atomic_compare_exchange_strong(&growth.meminfo, &none, fd + 1))
		close(fd); /* another thread was quicker */
}

/* False: the variable has a value that is no size; *bytes is the default. */
static bool margin(uint64_t total, uint64_t *bytes)
{
	const char *text = getenv(RD_MARGIN_VARIABLE);

	*bytes = total / MARGIN_SHARE;
	if (*bytes < MARGIN_LEAST)
		*bytes = MARGIN_LEAST;
	if (*bytes > MARGIN_MOST)
		*bytes = MARGIN_MOST;
	return !text || !*text || text_parse_size(text, bytes);
}

/* ---- admission ---------------------------------------------------------- */

static int check_host(const char *what, uint64_t need, struct rd_error *err)
{
	struct host host;
	uint64_t kept;

	if (!read_host_once(&host))
		return 0;
	if (!margin(host.total, &kept))
		return rd_fail(err, -EINVAL,
			       "$" RD_MARGIN_VARIABLE
			       " is \"%s\"; expected a size, such as 256M",
			       getenv(RD_MARGIN_VARIABLE));
	if (need <= host.available && kept <= host.available - need)
		return 0;
	return rd_fail(
		err, -ENOMEM,
		"%s needs %s of memory, and this system has %s available, %s of which are kept for the system itself ($" RD_MARGIN_VARIABLE
		")",
		what, text_bytes(need).text, text_bytes(host.available).text,
		text_bytes(kept).text);
}

int rd_memory_check(int dir, const char *path, const char *what, uint64_t need,
		    struct rd_error *err)
{
	struct statfs fs;
	uint64_t room, total;

	if (dir < 0)
		return check_host(what, need, err);
	if (fstatfs(dir, &fs) < 0)
		return rd_fail(err, -errno, "cannot examine %s: %m", path);
	room = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	total = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
	if (total && need > room)
		return rd_fail(err, -ENOSPC,
			       "%s needs %s of memory, and %s has %s free of %s",
			       what, text_bytes(need).text, path,
			       text_bytes(room).text, text_bytes(total).text);
	return check_host(what, need, err);
}

/* ---- growth ------------------------------------------------------------- */

static bool within_allowance(uint64_t need, int64_t now)
{
	return need <= ALLOWANCE_MOST && now < atomic_load(&growth.until) &&
	       atomic_fetch_sub(&growth.left, (int64_t)need) >= (int64_t)need;
}

bool rd_memory_admit(uint64_t need)
{
	int64_t now = clock_coarse_ms();
	struct host host;
	uint64_t kept, left;

	if (within_allowance(need, now) || !read_host_kept(&host))
		return true;
	margin(host.total, &kept);
	if (need > host.available || kept > host.available - need) {
		atomic_store(&growth.until, 0);
		return false;
	}
	left = (host.available - need - kept) / ALLOWANCE_SHARE;
	atomic_store(&growth.left,
		     (int64_t)(left < ALLOWANCE_MOST ? left : ALLOWANCE_MOST));
	atomic_store(&growth.until, now + ALLOWANCE_MS);
	return true;
}

int rd_memory_take(int fd, uint64_t off, uint64_t len)
{
	while (fallocate(fd, 0, (off_t)off, (off_t)len) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/*
 * Take *n bytes at @off, the first at most @most of @left, if the margin allows all
 * of @left. The margin is asked again at each step: others take memory, too.
 */
static int take_step(int fd, void *huge, uint64_t off, uint64_t left,
		     uint64_t most, uint64_t *n)
{
	*n = left < most ? left : most;
	if (!rd_memory_admit(left))
		return -ENOSPC;
	/* fallocate() adds what this could not take, and reports why it cannot. */
	if (huge)
		(void)madvise((char *)huge + off, *n, MADV_POPULATE_WRITE);
	return rd_memory_take(fd, off, *n);
}

int rd_memory_grow(int fd, uint64_t off, uint64_t len)
{
	uint64_t n;
	int rc = 0;

	for (; !rc && len; off += n, len -= n)
		rc = take_step(fd, NULL, off, len, STEP, &n);
	return rc;
}

int rd_memory_reserve(int fd, uint64_t size, void *huge, uint64_t *taken)
{
	uint64_t n;
	int rc = take_step(fd, huge, *taken, size - *taken, RESERVE_STEP, &n);

	if (!rc)
		*taken += n;
	return rc;
}

/*
 * Whether the first page of the mapping, which is written, is a huge one. The mount
 * options are no answer: the kernel may have no huge pages, as a PV domain's.
 */
static bool gets_huge(int fd, void *map)
{
	struct stat st;

	return !madvise(map, RD_BLOCK, MADV_POPULATE_WRITE) &&
	       !fstat(fd, &st) && (uint64_t)st.st_blocks * 512 >= HUGE;
}

void *rd_memory_map_huge(int fd, uint64_t size)
{
	/* Not the last part: a huge page behind the end would be wasted. */
	uint64_t whole = size / HUGE * HUGE;
	void *map = NULL;

	if (whole && rd_memory_admit(HUGE))
		map = rd_memory_map(fd, size, PROT_READ | PROT_WRITE);
	if (!map)
		return NULL;
	if (!madvise(map, whole, MADV_HUGEPAGE) && gets_huge(fd, map))
		return map;
	munmap(map, size);
	return NULL;
}

int rd_memory_write(int fd, const void *from, uint64_t off, size_t len)
{
	const char *p = from;
	ssize_t n;

	for (; len; len -= (size_t)n, p += n, off += (uint64_t)n) {
		n = pwrite(fd, p, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return n ? -errno : -ENOSPC;
	}
	return 0;
}

int rd_memory_check_pages(long size, struct rd_error *err)
{
	if (size == (long)RD_BLOCK)
		return 0;
	return rd_fail(
		err, -ENOTSUP,
		"this kernel has pages of %ld bytes, and RAM disks need pages of %u: boot a kernel that has those",
		size, (unsigned)RD_BLOCK);
}

void *rd_memory_map_at(void *at, int fd, uint64_t size, int prot)
{
	void *p = mmap(at, size, PROT_NONE, MAP_SHARED | (at ? MAP_FIXED : 0),
		       fd, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (!munlock(p, size) && !mprotect(p, size, prot))
		return p;
	if (!at)
		munmap(p, size);
	return NULL;
}

void *rd_memory_map(int fd, uint64_t size, int prot)
{
	return rd_memory_map_at(NULL, fd, size, prot);
}

void rd_memory_explain(int fd, struct rd_error *why)
{
	struct statfs fs;
	struct host host;
	uint64_t kept;
	char store[96] = "", system[192] = "";

	if (!fstatfs(fd, &fs) && fs.f_blocks)
		snprintf(
			store, sizeof(store), "; the store has %s free of %s",
			text_bytes((uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize)
				.text,
			text_bytes((uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize)
				.text);
	if (read_host_kept(&host)) {
		margin(host.total, &kept);
		snprintf(
			system, sizeof(system),
			"; this system has %s available, %s of which are kept for the system itself ($" RD_MARGIN_VARIABLE
			")",
			text_bytes(host.available).text, text_bytes(kept).text);
	}
	rd_fail(why, 0, "no memory for a block that has none yet%s%s", store,
		system);
}
