/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fuzzed functions of the store, one for each kind of file. libFuzzer calls
 * them in `make fuzz`; tests/unit/store/fuzz-store runs them over the corpus and
 * its mutations in every `make check`.
 *
 * The input replaces the header or the block locks of a disk that is attached,
 * since the store removes a damaged disk that is not. Then all functions that
 * read headers run. They may fail; they must not crash or wait for ever.
 */
#ifndef FUZZ_STORE_H
#define FUZZ_STORE_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/store/alias.h"
#include "drivers/block-ram/store/lookup.h"

#define FUZZ_SIZE ((size_t)16 * RD_BLOCK)

static char fuzz_dir[64], fuzz_seed[96], fuzz_alias[96];
static struct rd_store *fuzz_rd;

/* Replaces libaio's io_setup(): ending a context takes tens of milliseconds. */
int io_setup(int depth, void *context);
int io_setup(int depth, void *context)
{
	(void)depth, (void)context;
	return -ENOSYS;
}

static void fuzz_remove(void)
{
	char command[160];

	snprintf(command, sizeof(command), "rm -rf %s", fuzz_dir);
	if (system(command))
		fprintf(stderr, "%s is left\n", fuzz_dir);
}

static void fuzz_must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		abort();
	}
}

static void fuzz_start(void)
{
	int fd;

	if (fuzz_rd)
		return;
	strcpy(fuzz_dir, "/dev/shm/xen-ramdisk-fuzz-XXXXXX");
	fuzz_must(mkdtemp(fuzz_dir) != NULL, "scratch directory");
	atexit(fuzz_remove);
	snprintf(fuzz_seed, sizeof(fuzz_seed), "%s/seed", fuzz_dir);
	snprintf(fuzz_alias, sizeof(fuzz_alias), "%s/alias", fuzz_dir);
	fd = open(fuzz_seed, O_WRONLY | O_CREAT, 0600);
	fuzz_must(fd >= 0 && !ftruncate(fd, FUZZ_SIZE) && !close(fd), "seed");
	fuzz_must(!rd_store_open(&fuzz_rd, fuzz_dir, NULL), "store");
}

static int fuzz_attach(unsigned flags, const char *label, struct rd_disk **d)
{
	const struct rd_attach_request req = {
		.seed = fuzz_seed,
		.writable = !(flags & RD_PRIVATE),
		.flags = flags,
		.label = label,
	};
	struct rd_error err = { "" };
	int rc = rd_attach(fuzz_rd, &req, d, &err);

	fuzz_must(!rc || err.text[0], "an error without a reason");
	return rc;
}

/* Attach and, if this succeeds, read, write and discard. */
static void fuzz_use(unsigned flags, const char *label)
{
	unsigned char buf[2 * RD_BLOCK];
	struct rd_disk *d;

	if (fuzz_attach(flags, label, &d))
		return;
	rd_read(d, buf, 0, sizeof(buf));
	rd_write(d, buf, RD_BLOCK / 2, RD_BLOCK);
	rd_discard(d, 0, rd_size(d));
	rd_detach(d);
}

static void fuzz_all_readers(const char *id)
{
	struct rd_disk_info *l;
	struct rd_error err;
	char found[RD_ID_MAX];
	size_t n;

	if (!rd_list(fuzz_rd, &l, &n, &err))
		rd_list_free(l, n);
	rd_find(fuzz_rd, "seed", found, &err);
	fuzz_use(0, "fuzz");
	fuzz_use(RD_PRIVATE, "fuzz");
	fuzz_use(RD_DURABLE, "durable");
	rd_keep(fuzz_rd, id, true, &err);
	rd_end(fuzz_rd, "durable");
	rd_reset(fuzz_rd, id, true, NULL, NULL, &err);
	rd_keep(fuzz_rd, id, false, &err);
	rd_reap(fuzz_rd);
}

/*
 * Write @data over file @file of a disk, while an open file description holds
 * the lock of slot 0, as the process of an attachment would.
 */
static void fuzz_file(const uint8_t *data, size_t len, enum rd_file file,
		      unsigned flags)
{
	struct rd_disk *d;
	struct rd_filename name;
	char id[RD_ID_MAX];
	int fd, holder;

	fuzz_start();
	fuzz_must(!fuzz_attach(flags | RD_KEEP, "living", &d), "attach");
	strcpy(id, rd_id(d));
	name = rd_file_name(id, file);
	rd_detach(d);
	/* no mapping of this process exists while the file changes */
	holder = rd_slot_lock(fuzz_rd->dir, id, 0);
	fuzz_must(holder >= 0, "lock");
	fd = openat(fuzz_rd->dir, name.text, O_RDWR | O_CLOEXEC);
	fuzz_must(fd >= 0 && pwrite(fd, data, len, 0) == (ssize_t)len,
		  name.text);
	close(fd);
	fuzz_all_readers(id);
	close(holder);
	rd_remove_disk(fuzz_rd->dir, id, NULL);
}

/* The first bytes of the header and of its slots. */
static inline void fuzz_store_header(const uint8_t *data, size_t len)
{
	struct rd_header h;

	/* rd_header_check() alone, with memory of exactly one header */
	unsigned char *copy = malloc(sizeof(h));

	fuzz_must(copy != NULL, "malloc");
	memset(copy, 0, sizeof(h));
	memcpy(copy, data, len < sizeof(h) ? len : sizeof(h));
	rd_header_check((const struct rd_header *)copy,
			len < sizeof(h) ? len : sizeof(h), RD_HEADER_BYTES,
			"fuzz", NULL);
	free(copy);
	if (len <= sizeof(h) + 4 * sizeof(struct rd_slot))
		fuzz_file(data, len, RD_FILE_HEADER, 0);
}

/*
 * Block locks, backing bits and states of parts. Owners that are attached are
 * removed from the input: the store would wait for their locks.
 */
static inline void fuzz_store_locks(const uint8_t *data, size_t len)
{
	uint64_t w[FUZZ_SIZE / RD_BLOCK + 2];
	size_t i;

	if (len > sizeof(w))
		return;
	memset(w, 0, sizeof(w));
	memcpy(w, data, len);
	for (i = 0; i < sizeof(w) / sizeof(*w); i++)
		if (w[i] >> RD_OWNER_SHIFT >= 1 && w[i] >> RD_OWNER_SHIFT <= 4)
			w[i] &= RD_SEQUENCE;
	fuzz_file((const uint8_t *)w, len, RD_FILE_RANGES, RD_THIN | RD_LAZY);
}

static inline void fuzz_store_alias(const uint8_t *data, size_t len)
{
	char seed[RD_SEED_MAX], name[RD_NAME_MAX], id[RD_ID_MAX];
	struct rd_error err = { "" };
	int fd, rc;

	fuzz_start();
	fd = open(fuzz_alias, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	fuzz_must(fd >= 0 && write(fd, data, len) == (ssize_t)len, "alias");
	close(fd);
	rc = rd_alias_read(fuzz_alias, seed, name, id, &err);
	fuzz_must(rc >= 0 || err.text[0], "an error without a reason");
	if (rc == 1)
		fuzz_must(seed[0] == '/' && strlen(seed) < RD_SEED_MAX &&
				  (!name[0] || rd_name_valid(name)) &&
				  strlen(id) < RD_ID_MAX && !strchr(id, '/'),
			  "an invalid alias");
}

#endif
