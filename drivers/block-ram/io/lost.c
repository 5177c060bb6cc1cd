/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See rd_lost() in ramdisk.h. Runs in a signal handler: calls mmap() only, which is a
 * system call and nothing else.
 */
#include "drivers/block-ram/io/lost.h"

#include <errno.h>
#include <sys/mman.h>

static bool contains(const void *start, uint64_t n, const void *address)
{
	return start && (uintptr_t)address - (uintptr_t)start < n;
}

static bool is_of_layer(const struct rd_layer *layer, uint64_t size,
			const void *address)
{
	return contains(layer->data, size, address) ||
	       contains(layer->map, layer->map_bytes, address);
}

bool rd_lost(struct rd_disk *disk, const void *address)
{
	uintptr_t page = (uintptr_t)address & ~(uintptr_t)(RD_BLOCK - 1);
	int saved = errno;
	void *p;

	if (!is_of_layer(&disk->base, disk->size, address) &&
	    !contains(disk->points.map, disk->points.map_bytes, address) &&
	    !(disk->view && is_of_layer(disk->view, disk->size, address)))
		return false;
	/* Before the page is there: another thread may use it at once. */
	atomic_store(&disk->lost, true);
	p = mmap((void *)page, RD_BLOCK, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	errno = saved;
	return p != MAP_FAILED;
}
