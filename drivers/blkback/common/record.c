/* SPDX-License-Identifier: BSD-2-Clause */
/* See record.h. No state; any thread. */
#include "drivers/blkback/common/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_LINE "xen-ramdisk attachment 1"
#define LINE_MAX_BYTES (RD_SEED_MAX + 32)

bool blkback_record_is_uuid(const char *text)
{
	size_t i;

	for (i = 0; i < BLKBACK_UUID_MAX - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-'
			 : !text[i] || !strchr("0123456789abcdef", text[i]))
			return false;
	}
	return !text[i];
}

bool blkback_record_of_label(const char *label, char uuid[BLKBACK_UUID_MAX],
			     uint32_t *devid)
{
	char again[RD_LABEL_MAX];

	if (sscanf(label, "saved/%36[-0-9a-f]/%" SCNu32, uuid, devid) != 2 ||
	    !blkback_record_is_uuid(uuid))
		return false;
	snprintf(again, sizeof(again), RECORD_LABEL, uuid, *devid);
	return !strcmp(again, label);
}

/* ---- writing ------------------------------------------------------------ */

/* A newline would begin another line. */
static void put_text(FILE *f, const char *key, const char *text)
{
	fprintf(f, "%s=", key);
	for (; *text; text++)
		fputc(*text == '\n' ? '?' : *text, f);
	fputc('\n', f);
}

static void put(FILE *f, const struct blkback_record *r)
{
	char faults[BLKBACK_FAULT_TEXT];

	fprintf(f, FIRST_LINE "\n");
	put_text(f, "uuid", r->uuid);
	put_text(f, "domain", r->domain);
	fprintf(f, "domid=%" PRIu32 "\ndevid=%" PRIu32 "\n", r->domid,
		r->devid);
	fprintf(f, "xl=%d\nasked=%d\n", r->of_xl, r->asked);
	put_text(f, "seed", r->seed);
	put_text(f, "disk", r->disk);
	put_text(f, "vdev", r->vdev);
	put_text(f, "point", r->point);
	fprintf(f, "writable=%d\nprivate=%d\nnbd=%d\nsector-size=%" PRIu32 "\n",
		r->writable, r->private_view, r->nbd, r->sector_size);
	put_text(f, "fault", blkback_fault_format(&r->faults, faults));
	fprintf(f, "returning=%d\nsince=%" PRIu64 "\nuntil=%" PRIu64 "\n",
		r->returning, r->since, r->until);
}

int blkback_record_write(int dir, const char *name,
			 const struct blkback_record *r)
{
	char temporary[128];
	int rc = 0, fd;
	FILE *f;

	snprintf(temporary, sizeof(temporary), "%s.new", name);
	fd = openat(dir, temporary,
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	put(f, r);
	if (fflush(f) || ferror(f))
		rc = errno ? -errno : -EIO;
	fclose(f);
	if (!rc && renameat(dir, temporary, dir, name))
		rc = -errno;
	if (rc)
		unlinkat(dir, temporary, 0);
	return rc;
}

/* ---- reading ------------------------------------------------------------ */

static bool take_text(char *to, size_t size, const char *value)
{
	size_t n = strlen(value);

	if (n >= size)
		return false;
	memcpy(to, value, n + 1);
	return true;
}

static bool take_number(uint64_t *to, uint64_t max, const char *value)
{
	char *end;

	if (*value < '0' || *value > '9')
		return false;
	errno = 0;
	*to = strtoull(value, &end, 10);
	return !errno && !*end && *to <= max;
}

static bool take_bool(bool *to, const char *value)
{
	*to = !strcmp(value, "1");
	return *to || !strcmp(value, "0");
}

static bool take_u32(uint32_t *to, const char *value)
{
	uint64_t n = 0;
	bool ok = take_number(&n, UINT32_MAX, value);

	*to = (uint32_t)n;
	return ok;
}

/* False: an unexpected key or value. */
static bool take(struct blkback_record *r, const char *key, const char *value)
{
	if (!strcmp(key, "uuid"))
		return take_text(r->uuid, sizeof(r->uuid), value);
	if (!strcmp(key, "domain"))
		return take_text(r->domain, sizeof(r->domain), value);
	if (!strcmp(key, "domid"))
		return take_u32(&r->domid, value);
	if (!strcmp(key, "devid"))
		return take_u32(&r->devid, value);
	if (!strcmp(key, "xl"))
		return take_bool(&r->of_xl, value);
	if (!strcmp(key, "asked"))
		return take_bool(&r->asked, value);
	if (!strcmp(key, "seed"))
		return take_text(r->seed, sizeof(r->seed), value);
	if (!strcmp(key, "disk"))
		return take_text(r->disk, sizeof(r->disk), value);
	if (!strcmp(key, "vdev"))
		return take_text(r->vdev, sizeof(r->vdev), value);
	if (!strcmp(key, "point"))
		return take_text(r->point, sizeof(r->point), value);
	if (!strcmp(key, "writable"))
		return take_bool(&r->writable, value);
	if (!strcmp(key, "private"))
		return take_bool(&r->private_view, value);
	if (!strcmp(key, "nbd"))
		return take_bool(&r->nbd, value);
	if (!strcmp(key, "sector-size"))
		return take_u32(&r->sector_size, value);
	if (!strcmp(key, "fault"))
		return !blkback_fault_parse(value, &r->faults);
	if (!strcmp(key, "returning"))
		return take_bool(&r->returning, value);
	if (!strcmp(key, "since"))
		return take_number(&r->since, UINT64_MAX, value);
	if (!strcmp(key, "until"))
		return take_number(&r->until, INT64_MAX, value);
	return false;
}

static int take_lines(FILE *f, struct blkback_record *r)
{
	char line[LINE_MAX_BYTES], *value;
	bool first = true;

	while (fgets(line, sizeof(line), f)) {
		size_t n = strlen(line);

		if (!n || line[n - 1] != '\n')
			return -EUCLEAN;
		line[n - 1] = '\0';
		if (first) {
			first = false;
			if (strcmp(line, FIRST_LINE))
				return -EUCLEAN;
			continue;
		}
		value = strchr(line, '=');
		if (!value)
			return -EUCLEAN;
		*value++ = '\0';
		if (!take(r, line, value))
			return -EUCLEAN;
	}
	return first || !blkback_record_is_uuid(r->uuid) ? -EUCLEAN : 0;
}

int blkback_record_read(int dir, const char *name, struct blkback_record *r)
{
	int rc, fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	memset(r, 0, sizeof(*r));
	if (!f) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	rc = take_lines(f, r);
	fclose(f);
	return rc;
}

/* ---- of saved attachments ----------------------------------------------- */

/* Open the directory @store, and name the record. */
static int open_saved(const char *store, const char *uuid, uint32_t devid,
		      char name[128])
{
	int dir = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	snprintf(name, 128, RECORD_OF_SAVED_NAME, uuid, devid);
	return dir < 0 ? -errno : dir;
}

int blkback_record_save(const char *store, const struct blkback_record *r)
{
	char name[128];
	int rc, dir = open_saved(store, r->uuid, r->devid, name);

	if (dir < 0)
		return dir;
	rc = blkback_record_write(dir, name, r);
	close(dir);
	return rc;
}

int blkback_record_find(const char *store, const char *uuid, uint32_t devid,
			struct blkback_record *r)
{
	char name[128];
	int rc, dir = open_saved(store, uuid, devid, name);

	if (dir < 0)
		return dir;
	rc = blkback_record_read(dir, name, r);
	close(dir);
	return rc;
}

void blkback_record_forget(const char *store, const char *uuid, uint32_t devid)
{
	char name[128];
	int dir = open_saved(store, uuid, devid, name);

	if (dir < 0)
		return;
	unlinkat(dir, name, 0);
	close(dir);
}
