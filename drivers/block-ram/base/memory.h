/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for a disk's files: checks and reservations. MARGIN: no disk gets the last
 * of the machine's memory; ramdisk.h says how much is kept. Any thread.
 */
#ifndef BLOCK_RAM_MEMORY_H
#define BLOCK_RAM_MEMORY_H

#include "include/ramdisk.h"

/*
 * Refuse a kernel whose pages of @size bytes are not blocks: the files of a disk are mapped,
 * and their memory is freed, in pieces of RD_BLOCK. 0 or -ENOTSUP.
 */
int rd_memory_check_pages(long size, struct rd_error *err);

/*
 * Check that @need bytes for @what fit into the tmpfs of descriptor @dir, unless it
 * is negative, and, with the margin, into the machine's available memory. @path names
 * the tmpfs in the sentence. 0; -ENOSPC if the tmpfs is too small, -ENOMEM if the machine has too
 * little memory, both with the numbers in @err; or -errno.
 */
int rd_memory_check(int dir, const char *path, const char *what, uint64_t need,
		    struct rd_error *err);

/*
 * Keep what rd_memory_grow() needs to know how much memory is available: in a
 * sandbox that cannot open files it otherwise checks no margin. Call before.
 */
void rd_memory_watch(void);

/* Whether the machine has @need bytes above the margin. For a write that takes them. */
bool rd_memory_admit(uint64_t need);

/*
 * Take memory for @len bytes at @off of file @fd, if the margin allows. 0; -ENOSPC
 * if the tmpfs or the margin does not; or -errno. On failure a part may be taken.
 */
int rd_memory_grow(int fd, uint64_t off, uint64_t len);

/*
 * The next step of taking memory for the first @size bytes of file @fd, so that no
 * later write to them fails for lack of memory. *taken, 0 before the first step,
 * becomes @size with the last one. A step takes a few milliseconds. @huge: the mapping
 * of rd_memory_map_huge(), or NULL: then holes still read as holes until they are
 * written. Returns as rd_memory_grow().
 */
int rd_memory_reserve(int fd, uint64_t size, void *huge, uint64_t *taken);

/*
 * Map file @fd of @size bytes, of which all will be reserved, if its file system gives
 * it huge pages: a tmpfs with huge=advise, within_size or always. They save most misses
 * of the TLB in every process that maps the file. The first huge page has memory then.
 * NULL: small pages are to be taken.
 */
void *rd_memory_map_huge(int fd, uint64_t size);

/*
 * Take memory without the margin and in one call of the kernel: for a few pages,
 * without which nothing works.
 */
int rd_memory_take(int fd, uint64_t off, uint64_t len);

/* Write @len bytes to file @fd at @off. 0 or -errno. */
int rd_memory_write(int fd, const void *from, uint64_t off, size_t len);

/*
 * Map the first @size bytes of file @fd, shared, without taking memory for its holes,
 * also in a process that has called mlockall(MCL_FUTURE), as tapdisks do: there
 * mmap() takes memory for every page that it may access. NULL with errno.
 */
void *rd_memory_map(int fd, uint64_t size, int prot);
/* The same in the place of the mapping at @at, unless that is NULL. */
void *rd_memory_map_at(void *at, int fd, uint64_t size, int prot);

/* After -ENOSPC of rd_memory_grow(): why, with the numbers. @fd: on the tmpfs. */
void rd_memory_explain(int fd, struct rd_error *why);

#endif
