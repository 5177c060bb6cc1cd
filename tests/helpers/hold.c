/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold SEED LABEL [OFFSET]: attaches to SEED's disk in $XEN_RAMDISK_DIR, reads and
 * writes one block, says "attached", and stays until its input ends; with OFFSET in
 * the middle of a write of the block there. For tests that want a disk in use without
 * Xen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "include/ramdisk.h"

int main(int argc, char **argv)
{
	struct rd_attach_request req = { .writable = true };
	struct rd_store *store;
	struct rd_disk *disk;
	struct rd_error err;
	char block[RD_BLOCK];
	struct rd_range range;

	if (argc != 3 && argc != 4)
		return 2;
	req.seed = argv[1];
	req.label = argv[2];
	if (rd_store_open(&store, NULL, &err) ||
	    rd_attach(store, &req, &disk, &err)) {
		fprintf(stderr, "hold: %s\n", err.text);
		return 1;
	}
	if (rd_read(disk, block, 0, sizeof(block)) ||
	    rd_write(disk, block, 0, sizeof(block)))
		return 1;
	if (argc == 4 && rd_range_begin(disk, strtoull(argv[3], NULL, 0),
					sizeof(block), RD_RANGE_WRITE, &range))
		return 1;
	puts("attached");
	fflush(stdout);
	while (read(STDIN_FILENO, block, sizeof(block)) > 0)
		;
	if (argc == 4)
		rd_range_abort(&range);
	rd_detach(disk);
	rd_store_close(store);
	return 0;
}
