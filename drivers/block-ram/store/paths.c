/* SPDX-License-Identifier: BSD-2-Clause */
/* See paths.h. No state; any thread. */
#include "drivers/block-ram/store/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- spelling ---------------------------------------------------------- */

/* Remove empty and "." components. ".." stays: a link may be before it. */
static void simplify(char *path)
{
	char *to = path, *from = path;
	size_t n;

	while (*from) {
		from += strspn(from, "/");
		n = strcspn(from, "/");
		if (n && !(n == 1 && *from == '.')) {
			*to++ = '/';
			memmove(to, from, n);
			to += n;
		}
		from += n;
	}
	*to = 0;
}

/* "FIRST/SECOND", or nothing if that is too long. */
static void join(const char *first, const char *second, char path[RD_SEED_MAX])
{
	int n = snprintf(path, RD_SEED_MAX, "%s/%s", first, second);

	if (n < 0 || (size_t)n >= RD_SEED_MAX)
		path[0] = 0;
}

static void spell_absolute(const char *path, char absolute[RD_SEED_MAX])
{
	char *folder = *path == '/' ? strdup("") : getcwd(NULL, 0);

	absolute[0] = 0;
	if (folder)
		join(folder, path, absolute);
	simplify(absolute);
	free(folder);
}

static void spell_last(const char *path, char last[RD_SEED_MAX])
{
	char *copy = strdup(path), *folder, *base = strdup(path);

	last[0] = 0;
	folder = copy ? realpath(dirname(copy), NULL) : NULL;
	if (folder && base)
		join(strcmp(folder, "/") ? folder : "", basename(base), last);
	free(folder);
	free(copy);
	free(base);
}

void rd_spell(const char *path, struct rd_spelling *spelling)
{
	spell_absolute(path, spelling->absolute);
	spell_last(path, spelling->last);
}

/* ---- the file ---------------------------------------------------------- */

static int open_paths(int dir, const char *id, int flags)
{
	struct rd_filename name = rd_file_name(id, RD_FILE_PATHS);

	return openat(dir, name.text, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/*
 * The whole paths behind @fd, to be freed; the number of their bytes in *@length.
 * NULL if they cannot be read.
 */
static char *read_paths(int fd, size_t *length)
{
	char *text = malloc(RD_PATHS_BYTES);
	ssize_t n = text ? pread(fd, text, RD_PATHS_BYTES, 0) : -1;

	if (n < 0) {
		free(text);
		return NULL;
	}
	while (n && text[n - 1])
		n--;
	*length = (size_t)n;
	return text;
}

static bool contains(const char *text, size_t length, const char *path)
{
	size_t n;

	for (; length; text += n, length -= n) {
		if (!strcmp(text, path))
			return true;
		n = strlen(text) + 1;
	}
	return false;
}

bool rd_paths_have(int dir, const char *id, const char *seed,
		   const struct rd_spelling *spelling)
{
	size_t length = 0;
	char *text;
	bool have;
	int fd;

	if (!strcmp(seed, spelling->absolute) || !strcmp(seed, spelling->last))
		return true;
	fd = open_paths(dir, id, O_RDONLY);
	if (fd < 0)
		return false;
	text = read_paths(fd, &length);
	have = text &&
	       ((*spelling->absolute &&
		 contains(text, length, spelling->absolute)) ||
		(*spelling->last && contains(text, length, spelling->last)));
	free(text);
	close(fd);
	return have;
}

/*
 * Append @path behind the *@length bytes of @text, which has room, and to the file
 * @fd, unless it is there. 1 if it was added; 0; or -errno.
 */
static int add_path(int fd, char *text, size_t *length, const char *path)
{
	size_t n = strlen(path) + 1;
	ssize_t written;

	if (contains(text, *length, path))
		return 0;
	if (*length + n > RD_PATHS_BYTES)
		return -ENOSPC;
	written = pwrite(fd, path, n, (off_t)*length);
	if (written != (ssize_t)n)
		return written < 0 ? -errno : -ENOSPC;
	memcpy(text + *length, path, n);
	*length += n;
	return 1;
}

int rd_paths_add(int dir, const struct rd_header *h,
		 const struct rd_spelling *spelling)
{
	const char *const path[] = { spelling->absolute, spelling->last };
	char *text = NULL;
	size_t length;
	int i, fd = -1, rc = 0, added = 0;

	for (i = 0; rc >= 0 && i < 2; i++) {
		if (!*path[i] || !strcmp(path[i], h->seed))
			continue;
		if (fd < 0)
			fd = open_paths(dir, h->id, O_RDWR | O_CREAT);
		if (fd < 0)
			return -errno;
		if (!text)
			text = read_paths(fd, &length);
		rc = text ? add_path(fd, text, &length, path[i]) : -ENOMEM;
		added |= rc > 0;
	}
	free(text);
	if (fd >= 0)
		close(fd);
	return rc < 0 ? rc : added;
}
