/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poke DISK OFFSET TEXT: writes TEXT to a loaded disk in $XEN_RAMDISK_DIR, as a
 * domain would. DISK is a name, an id or a seed's path.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/ramdisk.h"

int main(int argc, char **argv)
{
	struct rd_attach_request req = { .writable = true,
					 .flags = RD_EXISTING,
					 .label = "poke" };
	struct rd_store *store;
	struct rd_disk *disk;
	struct rd_error err;
	char id[RD_ID_MAX];
	int rc;

	if (argc != 4)
		return 2;
	req.name = id;
	if (rd_store_open(&store, NULL, &err) ||
	    rd_find(store, argv[1], id, &err) ||
	    rd_attach(store, &req, &disk, &err)) {
		fprintf(stderr, "poke: %s\n", err.text);
		return 1;
	}
	rc = rd_write(disk, argv[3], strtoull(argv[2], NULL, 0),
		      strlen(argv[3]));
	rd_detach(disk);
	rd_store_close(store);
	if (rc)
		fprintf(stderr, "poke: %s\n", strerror(-rc));
	return rc ? 1 : 0;
}
