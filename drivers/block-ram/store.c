/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store: its directory, the names of its files, and the removal of disks
 * that nobody holds any more. One thread a store.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/block-ram/disk.h"
#include "drivers/block-ram/error.h"
#include "drivers/block-ram/store.h"
#include "drivers/block-ram/tmpfs.h"

static int open_dir(struct rd_store *s, const char *dir, struct rd_error *err)
{
	s->path = realpath(dir, NULL);
	if (!s->path)
		return rd_fail(err, -errno, "cannot open %s: %m", dir);
	s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return rd_fail(err, -errno, "cannot open %s: %m", s->path);
	return 0;
}

int rd_store_open(struct rd_store **store, const char *dir,
		  struct rd_error *err)
{
	struct rd_store *s;
	int rc;

	if (!dir)
		dir = getenv("XEN_RAMDISK_DIR");
	if (!dir || !*dir)
		dir = RD_STORE_DIR;
	rc = rd_tmpfs_prepare(dir, !strcmp(dir, RD_STORE_DIR), err);
	if (rc)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s)
		return rd_fail(err, -ENOMEM, "out of memory");
	s->dir = -1;
	rc = open_dir(s, dir, err);
	if (rc)
		rd_store_close(s);
	else
		*store = s;
	return rc;
}

void rd_store_close(struct rd_store *store)
{
	if (!store)
		return;
	if (store->dir >= 0)
		close(store->dir);
	free(store->path);
	free(store);
}

const char *rd_store_path(const struct rd_store *store)
{
	return store->path;
}

/* ---- names ------------------------------------------------------------- */

#define HEADER_SUFFIX ".header"

struct rd_name rd_file_name(const char *id, enum rd_file file)
{
	static const char *const suffix[] = {
		[RD_FILE_HEADER] = HEADER_SUFFIX,
		[RD_FILE_DATA] = ".data",
		[RD_FILE_RANGES] = ".ranges",
	};
	struct rd_name name;

	snprintf(name.text, sizeof(name.text), "%s%s", id, suffix[file]);
	return name;
}

static bool header_id(const char *name, char *id)
{
	size_t n = strlen(name), s = strlen(HEADER_SUFFIX);

	if (n <= s || n - s >= RD_ID_MAX || strcmp(name + n - s, HEADER_SUFFIX))
		return false;
	memcpy(id, name, n - s);
	id[n - s] = 0;
	return true;
}

int rd_store_walk(struct rd_store *store, rd_walk_fn *fn, void *arg)
{
	char id[RD_ID_MAX];
	struct dirent *e;
	int rc = 0, fd;
	DIR *d;

	/* a description of its own: a shared one would share the position */
	fd = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (!rc && (e = readdir(d)))
		if (header_id(e->d_name, id))
			rc = fn(store, id, arg);
	closedir(d);
	return rc;
}

/* ---- removal ----------------------------------------------------------- */

static void remove_file(int dir, const char *id, enum rd_file file)
{
	struct rd_name name = rd_file_name(id, file);

	unlinkat(dir, name.text, 0);
}

void rd_discard_contents(int dir, const char *id, struct rd_header *header)
{
	if (header)
		atomic_store(&header->state, RD_EMPTY);
	remove_file(dir, id, RD_FILE_DATA);
	remove_file(dir, id, RD_FILE_RANGES);
}

void rd_discard(int dir, const char *id, struct rd_header *header)
{
	rd_discard_contents(dir, id, header);
	remove_file(dir, id, RD_FILE_HEADER);
}

/* Discard disk @id if it is dead. Adds to *arg, an int, if it was. */
static int reap_one(struct rd_store *store, const char *id, void *arg)
{
	struct rd_name name = rd_file_name(id, RD_FILE_HEADER);
	struct stat st;
	int fd = openat(store->dir, name.text, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return 0; /* gone meanwhile */
	/* who holds the lock is attaching, loading or detaching: alive */
	if (!rd_trylock_disk(fd) && fstat(fd, &st) == 0 && st.st_nlink &&
	    !rd_slots_alive(fd, 0, RD_SLOTS)) {
		/*
		 * The lock keeps everyone out, and the header goes last, so
		 * its state need not be changed: a crash in between leaves a
		 * dead disk, which is loaded anew in any case.
		 */
		rd_discard(store->dir, id, NULL);
		++*(int *)arg;
	}
	close(fd);
	return 0;
}

int rd_reap(struct rd_store *store)
{
	int n = 0, rc = rd_store_walk(store, reap_one, &n);

	return rc ? rc : n;
}
