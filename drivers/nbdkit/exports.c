/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See exports.h. A client's export name is untrusted input. It is compared with the
 * names of seed= and disk=. Under dir= the kernel resolves it inside the directory
 * (openat2(2), RESOLVE_BENEATH), and the file is attached by its descriptor.
 */
#include "drivers/nbdkit/exports.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#define LISTED_MAX 1000 /* most files of dir= in the list of exports */
#define DEPTH_MAX 8 /* levels of folders that are searched for them */

struct export
{
	char *seed; /* path or URI; NULL: a disk that is loaded */
	char *name; /* of the disk, or NULL; without @seed also its id or path */
	char *shown; /* the export name */
};

static struct export *exports;
static unsigned count;
static char *first_name; /* name= before the only seed= */
static char *dir; /* or NULL */
static int dir_fd = -1;
static int links; /* follow symbolic links that leave the directory */

/* ---- parameters -------------------------------------------------------- */

static struct export *add(void)
{
	struct export *more;

	more = realloc(exports, (count + 1) * sizeof(*more));
	if (!more) {
		nbdkit_error("out of memory");
		return NULL;
	}
	exports = more;
	more += count++;
	memset(more, 0, sizeof(*more));
	return more;
}

static int add_seed(const char *value)
{
	struct export *e = add();

	if (!e)
		return -1;
	/* nbdkit changes its working directory when it becomes a daemon. */
	e->seed = strstr(value, "://") ? strdup(value)
				       : nbdkit_absolute_path(value);
	return e->seed ? 0 : -1;
}

static int add_disk(const char *value)
{
	struct export *e = add();

	if (!e)
		return -1;
	e->name = strdup(value);
	return e->name ? 0 : -1;
}

/*
 * Belongs to the seed= before it, or to the only one. After disk= it is the
 * export name.
 */
static int set_name(const char *value)
{
	struct export *e = count ? &exports[count - 1] : NULL;
	char **name = !e ? &first_name : e->seed ? &e->name : &e->shown;

	if (*name) {
		nbdkit_error(
			"name=%s: %s has the name %s already; a name= belongs to the seed= or disk= before it",
			value,
			!e        ? "the first seed"
			: e->seed ? "that seed"
				  : "that disk",
			*name);
		return -1;
	}
	*name = strdup(value);
	return *name ? 0 : -1;
}

static int set_dir(const char *value)
{
	if (dir) {
		nbdkit_error("dir= is there twice; expected one directory");
		return -1;
	}
	dir = nbdkit_realpath(value);
	return dir ? 0 : -1;
}

int exports_config(const char *key, const char *value)
{
	if (!strcmp(key, "seed"))
		return add_seed(value);
	if (!strcmp(key, "disk"))
		return add_disk(value);
	if (!strcmp(key, "name"))
		return set_name(value);
	if (!strcmp(key, "dir"))
		return set_dir(value);
	links = nbdkit_parse_bool(value);
	return links < 0 ? -1 : 0;
}

static int complete_dir(void)
{
	if (count || first_name) {
		nbdkit_error(
			"dir= serves the files of a directory; seed=, name= and disk= cannot be with it");
		return -1;
	}
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		nbdkit_error("cannot open %s: %m", dir);
	return dir_fd < 0 ? -1 : 0;
}

static int check_unique(void)
{
	unsigned i, j;

	for (i = 0; i < count; i++)
		for (j = 0; j < i; j++)
			if (!strcmp(exports[i].shown, exports[j].shown)) {
				nbdkit_error(
					"two disks would have the export name %s; give one another with name=",
					exports[i].shown);
				return -1;
			}
	return 0;
}

int exports_complete(void)
{
	char name[RD_SEED_MAX];
	unsigned i;

	if (dir)
		return complete_dir();
	if (!count) {
		nbdkit_error(
			"expected seed=IMAGE, disk=NAME or dir=DIRECTORY; see nbdkit-ramdisk-plugin(1)");
		return -1;
	}
	if (first_name && (count > 1 || exports[0].name)) {
		nbdkit_error(
			"name=%s stands before the first seed=; a name= belongs to the seed= before it",
			first_name);
		return -1;
	}
	if (first_name) {
		exports[0].name = first_name;
		first_name = NULL;
	}
	for (i = 0; i < count; i++) {
		if (exports[i].shown)
			continue;
		if (!exports[i].name)
			rd_short_name(exports[i].seed, name);
		exports[i].shown = strdup(exports[i].name ? exports[i].name
							  : name);
		if (!exports[i].shown)
			return -1;
	}
	return check_unique();
}

void exports_free(void)
{
	while (count--) {
		free(exports[count].seed);
		free(exports[count].name);
		free(exports[count].shown);
	}
	free(exports);
	free(first_name);
	free(dir);
	if (dir_fd >= 0)
		close(dir_fd);
}

/* ---- files under dir= -------------------------------------------------- */

/*
 * Whether a part of the path @name is "..", "." or empty. Such a name leads out
 * of the directory, or is another spelling of an export's name.
 */
static bool is_odd(const char *name)
{
	const char *p = name;
	size_t n;

	for (;; p += n + 1) {
		n = strcspn(p, "/");
		if (!n || (n <= 2 && p[0] == '.' && p[n - 1] == '.'))
			return true;
		if (!p[n])
			return false;
	}
}

/* Open the image below dir: an O_PATH descriptor, or -errno. */
static int open_beneath(const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS |
			   (links ? 0 : RESOLVE_BENEATH),
	};
	struct stat st;
	int fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		return fd;
	close(fd);
	return -EINVAL;
}

static int find_file(const char *name, struct exported *e)
{
	int fd = is_odd(name) ? -EXDEV : open_beneath(name);

	if (fd < 0) {
		nbdkit_error(
			"no export '%s' in %s: %s", name, dir,
			fd == -EINVAL ? "not an image file"
			: fd == -EXDEV
				? "it leads out of the directory, or has an empty part or '.'"
				: strerror(-fd));
		return -1;
	}
	e->fd = fd;
	snprintf(e->path, sizeof(e->path), "/proc/self/fd/%d", fd);
	e->seed = e->path;
	e->shown = name;
	e->flags = RD_IMAGE;
	return 0;
}

/* ---- finding ----------------------------------------------------------- */

bool exports_get(unsigned n, struct exported *e)
{
	if (n >= count)
		return false;
	e->seed = exports[n].seed;
	e->name = exports[n].name;
	e->shown = exports[n].shown;
	e->flags = exports[n].seed ? 0 : RD_EXISTING;
	e->instance[0] = e->point[0] = 0;
	e->fd = -1;
	return true;
}

/* The number of the export @name; @count if there is none. "" is the first. */
static unsigned index_of(const char *name)
{
	unsigned i = 0;

	if (*name)
		while (i < count && strcmp(exports[i].shown, name))
			i++;
	return i;
}

static bool is_export(const char *name)
{
	int fd;

	if (!dir)
		return index_of(name) < count;
	fd = is_odd(name) ? -1 : open_beneath(name);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool is_instance(const char *text)
{
	return strlen(text) == RD_INSTANCE_MAX - 1 &&
	       strspn(text, "0123456789abcdef") == RD_INSTANCE_MAX - 1;
}

/* Split NAME@INSTANCE, or NAME@POINT, into e->name_part and @suffix. */
static bool split(const char *name, struct exported *e,
		  char suffix[RD_NAME_MAX])
{
	const char *at = strrchr(name, '@');

	if (!at || !at[1] || strlen(at + 1) >= RD_NAME_MAX ||
	    (size_t)(at - name) >= sizeof(e->name_part))
		return false;
	memcpy(e->name_part, name, (size_t)(at - name));
	e->name_part[at - name] = 0;
	strcpy(suffix, at + 1);
	return true;
}

static int find(const char *name, struct exported *e)
{
	if (dir)
		return find_file(name, e);
	if (exports_get(index_of(name), e))
		return 0;
	nbdkit_error("no export '%s'; the first of %u is %s", name, count,
		     exports[0].shown);
	return -1;
}

int exports_find(const char *name, struct exported *e)
{
	char suffix[RD_NAME_MAX];
	int rc;

	*e = (struct exported){ .fd = -1 };
	if (is_export(name) || !split(name, e, suffix) ||
	    !is_export(e->name_part))
		return find(name, e);
	rc = find(e->name_part, e);
	if (is_instance(suffix))
		strcpy(e->instance, suffix);
	else
		strcpy(e->point, suffix);
	e->flags |= RD_EXISTING; /* a disk that is loaded now is another one */
	return rc;
}

void exported_close(struct exported *e)
{
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

/* ---- listing ----------------------------------------------------------- */

struct listing {
	struct nbdkit_exports *exports;
	unsigned listed, depth;
	char path[4096]; /* below dir; ends in a slash unless empty */
};

static int list_folder(struct listing *l);

static int list_entry(struct listing *l, const struct dirent *d, size_t len)
{
	int n, fd, rc = 0;

	if (d->d_name[0] == '.')
		return 0; /* hidden files, "." and ".." */
	n = snprintf(l->path + len, sizeof(l->path) - len, "%s", d->d_name);
	if ((size_t)n + 1 >= sizeof(l->path) - len)
		return 0;
	fd = open_beneath(l->path);
	if (fd >= 0) {
		close(fd);
		l->listed++;
		rc = nbdkit_add_export(l->exports, l->path, NULL);
	} else if (d->d_type == DT_DIR && l->depth < DEPTH_MAX) {
		strcat(l->path, "/");
		rc = list_folder(l);
	}
	return rc;
}

static int list_folder(struct listing *l)
{
	size_t len = strlen(l->path);
	struct dirent *d;
	int rc = 0, fd;
	DIR *stream;

	fd = openat(dir_fd, len ? l->path : ".",
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream) {
		if (fd >= 0)
			close(fd);
		return 0; /* removed, or not readable */
	}
	l->depth++;
	while (!rc && l->listed < LISTED_MAX && (d = readdir(stream))) {
		rc = list_entry(l, d, len);
		l->path[len] = 0;
	}
	l->depth--;
	closedir(stream);
	return rc;
}

int exports_list(int readonly, int is_tls, struct nbdkit_exports *to)
{
	struct listing l = { .exports = to };
	unsigned i;
	int rc = 0;

	(void)readonly;
	(void)is_tls;
	if (dir)
		return list_folder(&l);
	for (i = 0; !rc && i < count; i++)
		rc = nbdkit_add_export(to, exports[i].shown, exports[i].seed);
	return rc;
}

const char *exports_default(int readonly, int is_tls)
{
	(void)readonly;
	(void)is_tls;
	return dir ? NULL : exports[0].shown;
}
