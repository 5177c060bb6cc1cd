/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux's calls and numbers that glibc declares and musl 1.2.3 does not. Include
 * this header instead of calling them without it. No state; any thread.
 */
#ifndef LINUX_CALLS_H
#define LINUX_CALLS_H

#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#ifndef MADV_GUARD_INSTALL /* Linux 6.13 */
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

#ifndef STATX_BTIME
#include <linux/stat.h>

static inline int statx(int fd, const char *path, int flags, unsigned mask,
			struct statx *to)
{
	return (int)syscall(SYS_statx, fd, path, flags, mask, to);
}
#endif

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u /* Linux 5.11 */
#endif

/* preadv2(2); the kernel takes the offset in two halves of a long each. */
static inline ssize_t linux_preadv2(int fd, const struct iovec *parts,
				    int count, off_t off, int flags)
{
	return syscall(SYS_preadv2, fd, parts, (long)count, (long)off,
		       (long)((uint64_t)off >> 32), (long)flags);
}

/* close_range(2) */
static inline int linux_close_range(unsigned first, unsigned last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

#endif
