/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store: its directory, the names of its files, and the removal of dead disks.
 * One thread a store.
 */
#include "drivers/block-ram/store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/base/memory.h"
#include "drivers/block-ram/base/tmpfs.h"
#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/store/events.h"

const char *rd_store_default(void)
{
	static _Thread_local char own[sizeof(RD_USER_STORE_DIR) + 16];
	const char *dir = getenv("XEN_RAMDISK_DIR");

	if (dir && *dir)
		return dir;
	if (geteuid() == 0)
		return RD_STORE_DIR;
	snprintf(own, sizeof(own), RD_USER_STORE_DIR "%u", (unsigned)geteuid());
	return own;
}

/* Any user can make a directory in /dev/shm: other users must not read ours. */
static int check_private(const char *dir, int fd, struct rd_error *err)
{
	struct stat st;

	if (strncmp(dir, RD_USER_STORE_DIR, strlen(RD_USER_STORE_DIR)) ||
	    (fstat(fd, &st) == 0 && !(st.st_mode & (S_IRWXG | S_IRWXO))))
		return 0;
	return rd_fail(
		err, -EPERM,
		"%s is not a directory of yours alone: other users may read it; remove it, or name another in $XEN_RAMDISK_DIR",
		dir);
}

/* Set s->dir. With @make the directory, and a tmpfs, are made if missing. */
static int open_dir(struct rd_store *s, const char *dir, bool make,
		    struct rd_error *err)
{
	bool own_mount = !strcmp(dir, RD_STORE_DIR);
	int rc = make ? rd_tmpfs_make(dir, err) : 0;

	if (rc)
		return rc;
	rc = make ? rd_tmpfs_open(dir, own_mount, err)
		  : rd_tmpfs_open_existing(dir, err);
	if (rc == -ENOENT && !make)
		return 0; /* an empty store */
	if (rc < 0)
		return rc;
	s->dir = rc;
	return check_private(dir, s->dir, err);
}

/* @dir without the slashes at its end, which would follow a symbolic link. */
static char *plain_path(const char *dir)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	return strndup(dir, n);
}

static int open_store(struct rd_store **store, const char *dir, bool make,
		      struct rd_error *err)
{
	char *path = plain_path(dir && *dir ? dir : rd_store_default());
	struct rd_store *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (!s || !path)
		rc = rd_fail(err, -ENOMEM, "out of memory");
	if (s)
		s->dir = -1;
	if (!rc)
		rc = open_dir(s, path, make, err);
	if (!rc) {
		s->path = realpath(path, NULL);
		if (!s->path)
			s->path = strdup(path);
		if (!s->path)
			rc = rd_fail(err, -ENOMEM, "out of memory");
	}
	free(path);
	if (rc)
		rd_store_close(s);
	else
		*store = s;
	return rc;
}

int rd_store_open(struct rd_store **store, const char *dir,
		  struct rd_error *err)
{
	return open_store(store, dir, true, err);
}

int rd_store_open_existing(struct rd_store **store, const char *dir,
			   struct rd_error *err)
{
	return open_store(store, dir, false, err);
}

bool rd_store_exists(const struct rd_store *store)
{
	return store->dir >= 0;
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

int rd_check_memory(struct rd_store *store, const char *what, uint64_t need,
		    struct rd_error *err)
{
	return rd_memory_check(store->dir, store->path, what, need, err);
}

/* ---- names ------------------------------------------------------------- */

#define HEADER_SUFFIX ".header"

struct rd_filename rd_file_name(const char *id, enum rd_file file)
{
	static const char *const suffix[] = {
		[RD_FILE_HEADER] = HEADER_SUFFIX,
		[RD_FILE_DATA] = ".data",
		[RD_FILE_RANGES] = ".ranges",
		[RD_FILE_COUNTERS] = ".counters",
		[RD_FILE_PATHS] = ".paths",
		[RD_FILE_POINTS] = ".points",
	};
	struct rd_filename name;

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

	if (store->dir < 0)
		return 0; /* rd_store_open_existing() found no store */
	/* A description of its own: a shared one shares the read position. */
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

int rd_store_header(struct rd_store *store, const char *id, struct rd_header *h)
{
	struct rd_filename name = rd_file_name(id, RD_FILE_HEADER);
	int fd = openat(store->dir, name.text,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || !rd_header_read(fd, name.text, h, NULL))
		return fd;
	close(fd);
	return -1;
}

struct rd_filename rd_view_name(const char *id, unsigned slot,
				enum rd_file file)
{
	struct rd_filename name;

	snprintf(name.text, sizeof(name.text), "%s" RD_VIEW_MARK "%u%s", id,
		 slot, file == RD_FILE_DATA ? ".data" : ".map");
	return name;
}

/* ---- removal ----------------------------------------------------------- */

static void remove_file(int dir, struct rd_filename name)
{
	unlinkat(dir, name.text, 0);
}

void rd_remove_view(int dir, const char *id, unsigned slot)
{
	remove_file(dir, rd_view_name(id, slot, RD_FILE_DATA));
	remove_file(dir, rd_view_name(id, slot, RD_FILE_RANGES));
}

/* Remove the private views. Without @header, those that any slot could have. */
static void remove_views(int dir, const char *id, struct rd_header *header)
{
	unsigned i, used = header ? header->slots_used : RD_SLOTS;

	for (i = 0; i < used; i++)
		if (!header || rd_slot_at(header, i)->flags & RD_SLOT_PRIVATE)
			rd_remove_view(dir, id, i);
}

/* Whether the store has a file of a private view of @id. */
static bool has_views(int dir, const char *id)
{
	struct rd_filename prefix;
	struct dirent *e;
	bool found = false;
	int n, fd;
	DIR *d;

	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return true; /* unknown: try to remove them */
	}
	n = snprintf(prefix.text, sizeof(prefix.text), "%s" RD_VIEW_MARK, id);
	while (!found && (e = readdir(d)))
		found = !strncmp(e->d_name, prefix.text, (size_t)n);
	closedir(d);
	return found;
}

void rd_remove_contents(int dir, const char *id, struct rd_header *header)
{
	if (header)
		atomic_store(&header->state, RD_EMPTY);
	remove_file(dir, rd_file_name(id, RD_FILE_DATA));
	remove_file(dir, rd_file_name(id, RD_FILE_RANGES));
	remove_file(dir, rd_file_name(id, RD_FILE_COUNTERS));
	remove_file(dir, rd_file_name(id, RD_FILE_PATHS));
	remove_file(dir, rd_file_name(id, RD_FILE_POINTS));
	if (header || has_views(dir, id))
		remove_views(dir, id, header);
}

void rd_remove_disk(int dir, const char *id, struct rd_header *header)
{
	rd_remove_contents(dir, id, header);
	rd_remove_locks(dir, id);
	remove_file(dir, rd_file_name(id, RD_FILE_HEADER));
}

/* ---- reaping ----------------------------------------------------------- */

/* Remove the views of dead attachments of a living disk. RD_LOCK_DISK is held. */
static void reap_views(struct rd_store *store, struct rd_lives *lives,
		       const char *id, int fd, const struct rd_header *h)
{
	struct rd_slot s;
	unsigned i;

	for (i = 0; i < h->slots_used; i++)
		/* The slot is not freed: the next attachment that claims it does. */
		if (!rd_slot_read(fd, i, &s) && s.state == RD_SLOT_ATTACHED &&
		    s.flags & RD_SLOT_PRIVATE && !(s.flags & RD_SLOT_DURABLE) &&
		    !rd_slot_alive(lives, i))
			rd_remove_view(store->dir, id, i);
}

/* Discard disk @id if it is dead, and count it in *arg, an int. */
static int reap_one(struct rd_store *store, const char *id, void *arg)
{
	struct rd_filename name = rd_file_name(id, RD_FILE_HEADER);
	struct rd_lives lives;
	struct rd_header h;
	struct stat st;
	bool sound;
	int fd = openat(store->dir, name.text, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return 0; /* removed since the directory was read */
	rd_lives_init(&lives, store->dir, id);
	/* A process that holds the lock attaches, loads or detaches: not dead. */
	if (!rd_trylock_disk(fd) && fstat(fd, &st) == 0 && st.st_nlink) {
		sound = !rd_header_read(fd, name.text, &h, NULL);
		if (sound)
			rd_events_dead(&lives, store->dir, fd, &h);
		if (!rd_disk_alive(&lives, fd, sound ? &h : NULL)) {
			/*
			 * The state need not be changed: the lock keeps
			 * others out, and the header is removed last.
			 */
			rd_remove_disk(store->dir, id, NULL);
			if (sound && h.state == RD_READY)
				rd_events_disk(store->dir, &h, "discarded",
					       NULL);
			++*(int *)arg;
		} else if (sound) {
			reap_views(store, &lives, id, fd, &h);
		}
	}
	rd_lives_close(&lives);
	close(fd);
	return 0;
}

int rd_reap(struct rd_store *store)
{
	int n = 0, rc = rd_store_walk(store, reap_one, &n);

	return rc ? rc : n;
}
