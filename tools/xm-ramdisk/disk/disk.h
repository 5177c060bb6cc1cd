/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store and its disks, for the subcommands and toolstacks. One thread. A
 * function that returns an exit status has printed the reason for a failure.
 */
#ifndef XM_RAMDISK_DISK_H
#define XM_RAMDISK_DISK_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "include/ramdisk.h"

/* The options with which a disk is loaded or attached. */
struct disk_options {
	const char *seed;
	const char *name; /* or NULL */
	/* The disk of this id, which is loaded; @seed is for messages. Or NULL. */
	const char *id;
	const char *point; /* of the disk: the disk as of it; or NULL */
	unsigned flags; /* RD_PRIVATE, RD_THIN, RD_LAZY, RD_KEEP, RD_FRESH */
	unsigned sector_size; /* that a domain sees: 512, 4096; 0 means 512 */
};

/* clang-format off */
/* Entries of an option table that set a struct disk_options. */
#define DISK_FLAG_OPTION(o, NAME, FLAG) \
	{ .name = NAME, .flags = &(o)->flags, .set = FLAG }
#define DISK_OPTIONS(o)                          \
	{ .name = "name", .text = &(o)->name },  \
	DISK_FLAG_OPTION(o, "thin", RD_THIN),    \
	DISK_FLAG_OPTION(o, "lazy", RD_LAZY),    \
	DISK_FLAG_OPTION(o, "keep", RD_KEEP),    \
	DISK_FLAG_OPTION(o, "fresh", RD_FRESH)
/* clang-format on */
#define DISK_OPTIONS_HELP                                                               \
	"  --name=NAME  a disk of that name, separate from others of the same seed\n"   \
	"  --fresh      the disk of the file that SEED is now, although a disk of an\n" \
	"               earlier file of that path is still loaded\n"                    \
	"  --thin       take memory when it is written to, not all of it at once\n"     \
	"  --lazy       do not wait for the load: read each part at its first use"

/* Parse a value of --sector-size into the unsigned @to. 0 or -EINVAL. */
int disk_parse_sector_size(const char *value, void *to);
#define SECTOR_SIZE_EXPECTED "512 or 4096"
/* Check that the disk is a whole number of sectors. An exit status. */
int disk_check_sector_size(const struct disk_options *options,
			   const struct rd_disk *disk);

/*
 * Find the loaded disk that @text, an argument SEED, names: EXIT_DONE with its id,
 * or with an empty id if @text is a file or names no disk. EXIT_FAILED after a
 * message if it names several.
 */
int disk_find_loaded(struct rd_store *store, const char *text,
		     char id[RD_ID_MAX]);

/*
 * Load options->seed, unless it is loaded, and attach this process to the disk
 * under @label, for reading. Shows a progress line; non-zero *stop ends the
 * load. The seed may also be the name or the id of a loaded disk. Says so if the
 * seed was modified since the disk was loaded. An exit status.
 */
int disk_attach(struct rd_store *store, const struct disk_options *options,
		const char *label, const volatile sig_atomic_t *stop,
		struct rd_disk **disk);

/*
 * The same for an attachment that may write and has more RD_* @flags, such as
 * RD_DURABLE: it can stay after this process.
 */
int disk_attach_as(struct rd_store *store, const struct disk_options *options,
		   const char *label, bool writable, unsigned flags,
		   const volatile sig_atomic_t *stop, struct rd_disk **disk);

/*
 * Open the store, and remove attachments of dead processes from it. An exit
 * status. disk_own_store() creates a missing store. disk_store() does so for
 * root only; another user gets the message that @subcommand needs root.
 */
int disk_store(const char *subcommand, struct rd_store **store);
/* As disk_store(), for commands that only read: nothing is made or mounted. */
int disk_existing_store(const char *subcommand, struct rd_store **store);
int disk_own_store(struct rd_store **store);

/*
 * Set the function that disk_store() and disk_own_store() call with each store
 * they open. main() sets one that removes what toolstacks attached to domains
 * that do not exist any more. NULL, the initial value: none is called.
 */
typedef void disk_clean_fn(struct rd_store *store);
void disk_clean_with(disk_clean_fn *fn);

/* rd_list(); free it with rd_list_free(). */
struct disk_list {
	struct rd_disk_info *disks;
	size_t count;
};
/* An exit status. EXIT_FAILED, too, when only some disks could be listed. */
int disk_list(struct rd_store *store, struct disk_list *list);
/* rd_find(). An exit status. */
int disk_find(struct rd_store *store, const char *text, char id[RD_ID_MAX]);
/* The disk @id in @list, or NULL. */
const struct rd_disk_info *disk_in(const struct disk_list *list,
				   const char *id);
/* Its name if it has one, else its seed's path. */
const char *disk_shown_name(const struct rd_disk_info *disk);
/*
 * For each disk of the list, whether another one is of the same path, or of a path with
 * the same last component: the disk's id tells them apart. Allocated; NULL: out of memory.
 */
bool *disk_ambiguous(const struct disk_list *list);

#endif
