/* SPDX-License-Identifier: BSD-2-Clause */
/* The store and its disks, as the subcommands use them. */
#ifndef XM_RAMDISK_DISK_H
#define XM_RAMDISK_DISK_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "include/ramdisk.h"

/* What a person says of a disk to load or attach. */
struct disk_options {
	const char *seed;
	const char *name; /* or NULL */
	unsigned flags; /* RD_PRIVATE, RD_THIN, RD_LAZY, RD_KEEP */
	unsigned sector_size; /* for a domain: 512, 4096, or 0 for 512 */
};

/* clang-format off */
/* Entries of an option table that set a struct disk_options. */
#define DISK_FLAG_OPTION(o, NAME, FLAG) \
	{ .name = NAME, .flags = &(o)->flags, .set = FLAG }
#define DISK_OPTIONS(o)                          \
	{ .name = "name", .text = &(o)->name },  \
	DISK_FLAG_OPTION(o, "thin", RD_THIN),    \
	DISK_FLAG_OPTION(o, "lazy", RD_LAZY),    \
	DISK_FLAG_OPTION(o, "keep", RD_KEEP)
/* clang-format on */
#define DISK_OPTIONS_HELP                                                          \
	"  --name=NAME  a disk of that name, apart from others of the same seed\n" \
	"  --thin       take memory as it is needed, not all of it up front\n"     \
	"  --lazy       do not wait for the load: read each part at its first use"

/* The value of --sector-size and sector-size=, into the unsigned @to. */
int disk_parse_sector_size(const char *value, void *to);
#define SECTOR_SIZE_EXPECTED "512 or 4096"
/* Whether the disk's size is a whole number of sectors. An exit status. */
int disk_check_sector_size(const struct disk_options *options,
			   const struct rd_disk *disk);

/* No such file, and a disk is called that: it is there already. */
bool disk_is_name(struct rd_store *store, const char *text);

/*
 * Attach to the disk, for reading, with progress on the terminal. A seed that
 * is no file may be the name of a disk that is there. An exit status.
 */
int disk_attach(struct rd_store *store, const struct disk_options *options,
		const char *label, const volatile sig_atomic_t *stop,
		struct rd_disk **disk);

/* The same for one that stays: @flags are added, and it may write. */
int disk_attach_as(struct rd_store *store, const struct disk_options *options,
		   const char *label, bool writable, unsigned flags,
		   const volatile sig_atomic_t *stop, struct rd_disk **disk);

/*
 * Open the store and throw away what is dead. An exit status. Who is not root
 * must have a store already; disk_own_store() makes one.
 */
int disk_store(const char *subcommand, struct rd_store **store);
int disk_own_store(struct rd_store **store);

/*
 * What disk_store() and disk_own_store() call with each store that they open:
 * main() has it end what toolstacks attached for domains that are gone. NULL,
 * as at the start: nothing.
 */
typedef void disk_clean_fn(struct rd_store *store);
void disk_clean_with(disk_clean_fn *fn);

/* One of the disks of rd_list(), found as rd_find() does. An exit status. */
struct disk_list {
	struct rd_disk_info *disks;
	size_t count;
};
int disk_list(struct rd_store *store, struct disk_list *list);
int disk_find(struct rd_store *store, const char *text, char id[RD_ID_MAX]);
const struct rd_disk_info *disk_in(const struct disk_list *list,
				   const char *id);
/* The name that a person would use for it. */
const char *disk_shown_name(const struct rd_disk_info *disk);

#endif
