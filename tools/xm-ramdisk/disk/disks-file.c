/* SPDX-License-Identifier: BSD-2-Clause */
/* See disks-file.h. One thread. */
#include "tools/xm-ramdisk/disk/disks-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/disk/target.h"

/* Two bytes for each of a path of commas, and the options. */
#define LINE_MAX_BYTES (2 * RD_SEED_MAX + 256)
#define FILE_MAX_BYTES (1 << 20)
#define BLANKS " \t"

/* ---- one line ----------------------------------------------------------- */

/* @text without blanks at both ends, and without the newline of any system. */
static char *trim(char *text)
{
	size_t n;

	text += strspn(text, BLANKS);
	n = strlen(text);
	while (n && strchr(BLANKS "\r\n", text[n - 1]))
		n--;
	text[n] = 0;
	return text;
}

static bool is_uri(const char *seed)
{
	return !strncmp(seed, "nbd", 3) && strstr(seed, "://");
}

/* What is right in the disk line of a domain, and not here. An exit status. */
static int check_options(const struct disks_line *line)
{
	const struct disk_options *o = &line->disk;

	if (*o->seed != '/' && !is_uri(o->seed))
		return say_failed(
			"'%s' is no seed; expected an absolute path or a URI such as nbd://HOST/EXPORT",
			o->seed);
	if (o->name && !rd_name_valid(o->name))
		return say_failed(
			"'%s' cannot be a disk's name; expected letters, digits, '.', '_' and '-', a letter or digit first",
			o->name);
	if (o->flags & RD_PRIVATE)
		return say_failed(
			"'private' is for an attachment, not for a disk: write it in the domain's disk line, or use 'xm-ramdisk attach --private'");
	if (o->point)
		return say_failed(
			"'point' is for an attachment, not for a disk: write it in the domain's disk line, or use 'xm-ramdisk attach --point'");
	if (o->sector_size)
		return say_failed(
			"'sector-size' is for an attachment, not for a disk: write it in the domain's disk line, or use 'xm-ramdisk attach --sector-size'");
	if (line->serve && !o->name)
		return say_failed(
			"'serve' needs name=NAME: the disk is served as NAME, by xen-ramdisk-serve@NAME");
	return EXIT_DONE;
}

static bool same_seed(const struct disks_line *a, const struct disks_line *b)
{
	if (a->dev || a->ino)
		return a->dev == b->dev && a->ino == b->ino;
	return !strcmp(a->disk.seed, b->disk.seed);
}

/* The name of a disk must be its own, and so must the seed of one without a name. */
static int check_unique(const struct disks_file *file,
			const struct disks_line *line)
{
	const char *name = line->disk.name, *other;
	size_t i;

	for (i = 0; i < file->count; i++) {
		other = file->lines[i].disk.name;
		if (name && other && !strcmp(name, other))
			return say_failed(
				"line %u has the name '%s' already; choose another name",
				file->lines[i].number, name);
		if (!name && !other && same_seed(&file->lines[i], line))
			return say_failed(
				"line %u has the same seed already; add name=NAME for a second disk of it",
				file->lines[i].number);
	}
	return EXIT_DONE;
}

static void identify_seed(struct disks_line *line)
{
	struct stat st;

	if (is_uri(line->disk.seed) || stat(line->disk.seed, &st) < 0)
		return;
	line->dev = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
	line->ino = S_ISBLK(st.st_mode) ? 0 : st.st_ino;
}

/* Parse line->text, and add the line to @file. An exit status. */
static int add_line(struct disks_file *file, struct disks_line *line)
{
	struct disks_line *lines;
	struct rd_error err;
	int rc;

	if (target_parse_line(line->text, &line->disk, &line->serve, &err))
		return say_failed("%s", err.text);
	rc = check_options(line);
	if (rc)
		return rc;
	identify_seed(line);
	rc = check_unique(file, line);
	if (rc)
		return rc;
	lines = realloc(file->lines, (file->count + 1) * sizeof(*lines));
	if (!lines)
		return say_failed("out of memory");
	file->lines = lines;
	lines[file->count++] = *line;
	return EXIT_DONE;
}

/* ---- the file ----------------------------------------------------------- */

/* One line of @n bytes. An exit status. */
static int take_line(struct disks_file *file, char *text, size_t n,
		     unsigned number)
{
	struct disks_line line = { .number = number };
	int rc;

	if (n > LINE_MAX_BYTES)
		return say_failed(
			"the line has %zu bytes; expected SEED[,OPTION...] of at most %d",
			n, LINE_MAX_BYTES);
	text = trim(text);
	if (!*text || *text == '#')
		return EXIT_DONE;
	line.text = strdup(text);
	if (!line.text)
		return say_failed("out of memory");
	rc = add_line(file, &line);
	if (rc)
		free(line.text);
	return rc;
}

static int read_lines(struct disks_file *file, FILE *f)
{
	char *text = NULL;
	size_t size = 0;
	unsigned number = 0;
	ssize_t n;
	int rc = EXIT_DONE;

	while (!rc && (n = getline(&text, &size, f)) >= 0) {
		say_where(file->path, ++number);
		if (memchr(text, 0, (size_t)n))
			rc = say_failed(
				"a byte 0; expected a text file, with a disk in each line");
		else if (take_line(file, text, (size_t)n, number))
			file->faults++;
	}
	say_where(NULL, 0);
	if (!rc && ferror(f))
		rc = say_failed("cannot read %s: %m", file->path);
	free(text);
	return rc;
}

/* A descriptor, or -1 after a message. A named pipe does not make us wait. */
static int open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0) {
		say_failed("cannot open %s: %m", path);
		return -1;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		say_failed(
			"%s is no regular file; expected a text file, with a disk in each line",
			path);
	else if (st.st_size > FILE_MAX_BYTES)
		say_failed(
			"%s has %s; expected a text file, with a disk in each line",
			path, text_size((uint64_t)st.st_size));
	else
		return fd;
	close(fd);
	return -1;
}

int disks_file_read(const char *path, struct disks_file *file)
{
	FILE *f;
	int fd, rc;

	*file = (struct disks_file){ .path = path ? path : DISKS_FILE };
	if (!path && access(file->path, F_OK) < 0 && errno == ENOENT)
		return EXIT_DONE;
	fd = open_regular(file->path);
	if (fd < 0)
		return EXIT_FAILED;
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return say_failed("cannot read %s: %m", file->path);
	}
	rc = read_lines(file, f);
	fclose(f);
	return rc;
}

void disks_file_free(struct disks_file *file)
{
	size_t i;

	for (i = 0; i < file->count; i++)
		free(file->lines[i].text);
	free(file->lines);
	file->lines = NULL;
	file->count = 0;
}
