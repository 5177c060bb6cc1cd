/* SPDX-License-Identifier: BSD-2-Clause */
/* Alias files; ramdisk.h has their format. No state; any thread. */
#include "drivers/block-ram/store/alias.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"

#define MAGIC "xen-ramdisk alias 1\n"
#define SEED "seed="
#define NAME "name="
#define ID "id="
#define ALIAS_MAX                                                   \
	(sizeof(MAGIC) + sizeof(SEED) + sizeof(NAME) + sizeof(ID) + \
	 RD_SEED_MAX + RD_NAME_MAX + RD_ID_MAX)

static bool usable_path(const char *path)
{
	return path[0] == '/' && strlen(path) < RD_SEED_MAX &&
	       !strchr(path, '\n');
}

/* Consume the line at *text if it starts with @key. Returns its value, or NULL. */
static const char *take_line(char **text, const char *key)
{
	size_t n = strlen(key);
	char *end = strchr(*text, '\n'), *value = *text + n;

	if (!end || strncmp(*text, key, n))
		return NULL;
	*end = 0;
	*text = end + 1;
	return value;
}

static bool usable_id(const char *id)
{
	return *id && strlen(id) < RD_ID_MAX && !strpbrk(id, "/\n");
}

static int parse(char *text, const char *path, char seed[RD_SEED_MAX],
		 char name[RD_NAME_MAX], char id[RD_ID_MAX],
		 struct rd_error *err)
{
	const char *s = take_line(&text, SEED), *n = take_line(&text, NAME);
	const char *i = take_line(&text, ID);

	if (!s || !usable_path(s) || (n && !rd_name_valid(n)) ||
	    (i && !usable_id(i)) || *text)
		return rd_fail(
			err, -EUCLEAN,
			"alias %s is damaged: expected 'seed=/PATH' and optionally 'name=NAME' and 'id=ID' after its first line",
			path);
	/* The three checks have checked the lengths, too. */
	strcpy(seed, s);
	strcpy(name, n ? n : "");
	strcpy(id, i ? i : "");
	return 1;
}

int rd_alias_read(const char *path, char seed[RD_SEED_MAX],
		  char name[RD_NAME_MAX], char id[RD_ID_MAX],
		  struct rd_error *err)
{
	char text[ALIAS_MAX + 1];
	struct stat st;
	ssize_t n = -1;
	int fd;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
	    st.st_size > (off_t)ALIAS_MAX)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		n = read(fd, text, ALIAS_MAX);
		close(fd);
	}
	if (n < (ssize_t)strlen(MAGIC) || memcmp(text, MAGIC, strlen(MAGIC)))
		return 0;
	text[n] = 0;
	if (strlen(text) != (size_t)n)
		return rd_fail(err, -EUCLEAN,
			       "alias %s is damaged: it contains a NUL byte",
			       path);
	return parse(text + strlen(MAGIC), path, seed, name, id, err);
}

int rd_alias_write(const char *path, const char *seed, const char *name,
		   const char *id, struct rd_error *err)
{
	FILE *f;
	int fd, rc = 0;

	if (!usable_path(seed) || (name && !rd_name_valid(name)) ||
	    (id && !usable_id(id)))
		return rd_fail(
			err, -EINVAL,
			"an alias needs a seed's absolute path, a valid name and a disk's id");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return rd_fail(err, -errno, "cannot make alias %s: %m", path);
	f = fdopen(fd, "w");
	if (!f) {
		close(fd);
		rc = -ENOMEM;
	} else {
		fprintf(f, MAGIC SEED "%s\n", seed);
		if (name)
			fprintf(f, NAME "%s\n", name);
		if (id)
			fprintf(f, ID "%s\n", id);
		if (ferror(f))
			rc = -EIO;
		if (fclose(f))
			rc = -errno;
	}
	if (rc) {
		unlink(path);
		rd_fail(err, rc, "cannot write alias %s: %s", path,
			strerror(-rc));
	}
	return rc;
}
