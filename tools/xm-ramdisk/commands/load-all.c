/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See load-all.h. A line that fails does not stop those behind it: at boot a
 * missing seed costs the guests of that disk, and no others. One thread.
 *
 * A disk that is loaded stays as it is, so the command can be run at any time.
 */
#include "tools/xm-ramdisk/commands/load-all.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/process.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/disk/disks-file.h"

#define LABEL "xm-ramdisk load"

struct loading {
	struct rd_store *store;
	const struct disks_file *file;
	unsigned failed; /* lines */
	/* of --check: what the disks need that are not loaded, without thin ones */
	unsigned count;
	uint64_t need;
};

/* "/images/a.img as lab: 16 MiB, thin". */
static void print_disk(const struct disks_line *line, uint64_t size,
		       const char *state)
{
	const struct disk_options *o = &line->disk;

	printf("%s%s%s: %s%s%s%s, %s\n", text_shown(o->seed),
	       o->name ? " as " : "", o->name ? o->name : "", text_size(size),
	       o->flags & RD_THIN ? ", thin" : "",
	       o->flags & RD_LAZY ? ", lazy" : "", line->serve ? ", serve" : "",
	       state);
}

/*
 * Attach if the disk is loaded: 0, -ENOENT if it is not, or if the seed's file is
 * missing, or another error with its sentence.
 */
static int attach_loaded(const struct loading *l, const struct disk_options *o,
			 struct rd_disk **disk, struct rd_error *err)
{
	const struct rd_attach_request req = {
		.seed = o->seed,
		.name = o->name,
		.flags = RD_EXISTING | RD_IMAGE | (o->flags & RD_FRESH),
		.label = LABEL,
	};

	return rd_attach(l->store, &req, disk, err);
}

/* ---- --all -------------------------------------------------------------- */

static int keep_and_print(struct loading *l, const struct disks_line *line,
			  struct rd_disk *disk, const char *state)
{
	struct rd_error err;

	if (rd_keep(l->store, rd_id(disk), true, &err))
		return say_failed("%s", err.text);
	print_disk(line, rd_size(disk), state);
	return process_flush();
}

/* An exit status. */
static int load_line(struct loading *l, const struct disks_line *line)
{
	const char *state = "loaded already";
	struct rd_disk *disk;
	struct rd_error err;
	int rc = attach_loaded(l, &line->disk, &disk, &err);

	if (rc && rc != -ENOENT)
		return say_failed("%s", err.text);
	if (rc) {
		state = "loaded";
		rc = disk_attach_as(l->store, &line->disk, LABEL, false,
				    RD_IMAGE, signals_catch(), &disk);
		if (rc)
			return rc;
	}
	rc = keep_and_print(l, line, disk, state);
	rd_detach(disk);
	return rc;
}

/* ---- --check ------------------------------------------------------------ */

/* Beside its bytes a disk has a lock for each block. */
static uint64_t memory_of(uint64_t size)
{
	return size + size / RD_BLOCK * sizeof(uint64_t);
}

/* An exit status. */
static int check_line(struct loading *l, const struct disks_line *line)
{
	char description[RD_DESCRIPTION_MAX];
	struct rd_disk *disk;
	struct rd_error err;
	uint64_t size;
	int rc = attach_loaded(l, &line->disk, &disk, &err);

	if (!rc) {
		print_disk(line, rd_size(disk), "is loaded");
		rd_detach(disk);
		return EXIT_DONE;
	}
	if (rc == -ENOENT)
		rc = rd_probe(line->disk.seed, &size, description, &err);
	if (rc)
		return say_failed("%s", err.text);
	l->count++;
	if (!(line->disk.flags & RD_THIN))
		l->need += memory_of(size);
	print_disk(line, size, "will be loaded");
	return EXIT_DONE;
}

/* Whether all fit together. An exit status. */
static int check_memory(const struct loading *l)
{
	struct rd_error err;
	char what[96];

	if (!l->need)
		return EXIT_DONE;
	snprintf(what, sizeof(what), "loading %u disk%s", l->count,
		 l->count == 1 ? "" : "s");
	if (rd_check_memory(l->store, what, l->need, &err))
		return say_failed("%s: %s", l->file->path, err.text);
	return EXIT_DONE;
}

/* ---- the command -------------------------------------------------------- */

static int each_line(struct loading *l,
		     int (*fn)(struct loading *, const struct disks_line *))
{
	const volatile sig_atomic_t *stop = signals_catch();
	size_t i;

	for (i = 0; i < l->file->count && !*stop; i++) {
		say_where(l->file->path, l->file->lines[i].number);
		if (fn(l, &l->file->lines[i]))
			l->failed++;
	}
	say_where(NULL, 0);
	if (*stop)
		return say_failed("interrupted; %zu of %zu disks were loaded",
				  i - l->failed, l->file->count);
	return l->failed || l->file->faults ? EXIT_FAILED : EXIT_DONE;
}

static int print_served(const struct disks_file *file)
{
	size_t i;

	for (i = 0; i < file->count; i++)
		if (file->lines[i].serve)
			puts(file->lines[i].disk.name);
	return file->faults ? EXIT_FAILED : EXIT_DONE;
}

static int with_store(enum load_what what, const struct disks_file *file)
{
	struct loading l = { .file = file };
	int rc = what == LOAD_CHECK ? disk_existing_store("load", &l.store)
				    : disk_store("load", &l.store);

	if (rc)
		return rc;
	rc = each_line(&l, what == LOAD_CHECK ? check_line : load_line);
	if (what == LOAD_CHECK && check_memory(&l))
		rc = EXIT_FAILED;
	rd_store_close(l.store);
	return rc;
}

int load_all(enum load_what what, const char *path)
{
	struct disks_file file;
	int rc = disks_file_read(path, &file);

	if (!rc && what == LOAD_SERVED)
		rc = print_served(&file);
	else if (!rc && !file.count && !file.faults)
		printf("no disks in %s\n", text_shown(file.path));
	else if (!rc)
		rc = with_store(what, &file);
	disks_file_free(&file);
	return rc;
}
