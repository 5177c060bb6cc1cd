/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An example for libramdisk(3): attach the disk of a seed, write to it, read it
 * back, detach. Every program that attaches the same seed meanwhile reads the same.
 *
 *   cc -o attach attach.c $(pkg-config --cflags --libs libramdisk)
 *   ./attach SEED
 */
#include <ramdisk.h>
#include <stdio.h>
#include <string.h>

static int use(struct rd_disk *disk)
{
	char text[] = "written by the example", back[sizeof(text)];
	int rc = rd_write(disk, text, 0, sizeof(text));

	if (!rc)
		rc = rd_read(disk, back, 0, sizeof(back));
	if (rc) {
		fprintf(stderr, "cannot use the disk: %s\n", strerror(-rc));
		return 1;
	}
	printf("%llu bytes: %s\n", (unsigned long long)rd_size(disk), back);
	return 0;
}

int main(int argc, char **argv)
{
	struct rd_attach_request request = { .writable = true,
					     .label = "example" };
	struct rd_store *store;
	struct rd_disk *disk;
	struct rd_error err;
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: %s SEED\n", argv[0]);
		return 2;
	}
	request.seed = argv[1];
	if (rd_store_open(&store, NULL, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	status = rd_attach(store, &request, &disk, &err) ? 1 : 0;
	if (status) {
		fprintf(stderr, "%s\n", err.text);
	} else {
		status = use(disk);
		rd_detach(disk);
	}
	rd_store_close(store);
	return status;
}
