/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a tar archive as a stream, and parses Xen's headers in it.
 *
 * The archive may be hostile. Nothing is created, followed or executed: the
 * name of a member is only compared, links and devices are skipped, and of a
 * header no more than IFACE_HEADER_MAX bytes are kept. IFACE_TAR_MAX bytes and
 * IFACE_TAR_MEMBERS members bound the work; archive.c bounds the program that
 * unpacks.
 *
 * Formats: v7, ustar, GNU (long names), pax (path and size). All of the state
 * is in struct tar.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xm-ramdisk/interface/header.h"
#include "tools/xm-ramdisk/interface/tar.h"

#define BLOCK 512u
#define NAME_MAX_LEN 4096u
#define PAX_MAX 65536u

struct tar {
	iface_read_fn *read;
	void *arg;
	uint64_t total; /* bytes read */
	unsigned members;
	/* name and size of the next member, if a member before it gave them */
	char name[NAME_MAX_LEN];
	bool has_size;
	uint64_t size;
	struct iface_facts found[IFACE_LAYOUTS];
};

struct member {
	const char *name;
	uint64_t size;
	char type;
};

/* Exactly @len bytes. 0, -ENODATA if the archive ends before, -errno. */
static int read_all(struct tar *tar, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		long n = tar->read(tar->arg, (char *)buf + done, len - done);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return -ENODATA;
		done += (size_t)n;
		tar->total += (uint64_t)n;
		if (tar->total > IFACE_TAR_MAX)
			return -EFBIG;
	}
	return 0;
}

static int skip(struct tar *tar, uint64_t len)
{
	char buf[16384];
	int rc = 0;

	while (len && !rc) {
		size_t n = len < sizeof(buf) ? (size_t)len : sizeof(buf);

		rc = read_all(tar, buf, n);
		len -= n;
	}
	return rc;
}

static uint64_t padding(uint64_t size)
{
	return (BLOCK - size % BLOCK) % BLOCK;
}

/* A number of a header: octal, or GNU's base 256. 0, or -EINVAL if neither. */
static int parse_field(const unsigned char *text, size_t len, uint64_t *value)
{
	uint64_t v = 0;
	size_t i = 0;

	if (text[0] & 0x80) {
		v = text[0] & 0x7f;
		for (i = 1; i < len; i++) {
			if (v >> 55)
				return -EINVAL;
			v = v << 8 | text[i];
		}
		*value = v;
		return 0;
	}
	while (i < len && text[i] == ' ')
		i++;
	for (; i < len && text[i] >= '0' && text[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(text[i] - '0');
	if (i < len && text[i] && text[i] != ' ')
		return -EINVAL;
	*value = v;
	return 0;
}

static bool sum_is_right(const unsigned char block[BLOCK])
{
	uint64_t want;
	uint64_t sum = 0;
	size_t i;

	if (parse_field(block + 148, 8, &want))
		return false;
	for (i = 0; i < BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : block[i];
	return sum == want;
}

static bool is_empty(const unsigned char block[BLOCK])
{
	size_t i;

	for (i = 0; i < BLOCK; i++)
		if (block[i])
			return false;
	return true;
}

/* The name in the header, unless a member before it gave a longer one. */
static void take_short_name(struct tar *tar, const unsigned char block[BLOCK])
{
	int prefix = 0;

	if (tar->name[0])
		return;
	if (!memcmp(block + 257, "ustar", 6) && block[345])
		prefix = snprintf(tar->name, sizeof(tar->name), "%.155s/",
				  (const char *)block + 345);
	snprintf(tar->name + prefix, sizeof(tar->name) - (size_t)prefix,
		 "%.100s", (const char *)block);
}

/* The content of a member that describes the next member, cut at @max bytes. */
static int read_text(struct tar *tar, uint64_t size, char *text, size_t max)
{
	size_t n = size < max - 1 ? (size_t)size : max - 1;
	int rc = read_all(tar, text, n);

	text[n] = '\0';
	return rc ? rc : skip(tar, size - n + padding(size));
}

/* Take one record of a pax header, "LENGTH KEY=VALUE\n": its length, or 0. */
static size_t pax_record(struct tar *tar, const char *at, size_t left)
{
	char *key, *end;
	unsigned long len = strtoul(at, &key, 10);

	if (key == at || *key != ' ' || len > left ||
	    len < (size_t)(key - at) + 3 || at[len - 1] != '\n')
		return 0;
	key++;
	if (!strncmp(key, "path=", 5)) {
		size_t n = (size_t)(at + len - 1 - (key + 5));

		if (key + 5 > at + len - 1 || n >= sizeof(tar->name))
			return len;
		memcpy(tar->name, key + 5, n);
		tar->name[n] = '\0';
	} else if (!strncmp(key, "size=", 5)) {
		tar->size = strtoull(key + 5, &end, 10);
		tar->has_size = end == at + len - 1;
	}
	return len;
}

static int read_pax(struct tar *tar, uint64_t size)
{
	char *text = malloc(PAX_MAX);
	size_t len, n, at;
	int rc;

	if (!text)
		return -ENOMEM;
	rc = read_text(tar, size, text, PAX_MAX);
	len = rc ? 0 : size < PAX_MAX - 1 ? (size_t)size : PAX_MAX - 1;
	for (at = 0; at < len; at += n) {
		n = pax_record(tar, text + at, len - at);
		if (!n)
			break;
	}
	free(text);
	return rc;
}

/*
 * A release's tarball has one folder around the tree, a package's two. A path
 * with more folders is that of another copy of the headers.
 */
static bool is_deep(const char *path)
{
	const char *at;
	int slashes = 0;

	if (!strncmp(path, "./", 2))
		path += 2;
	for (at = path; *at; at++)
		slashes += *at == '/';
	return slashes > 5;
}

static int read_member(struct tar *tar, const struct member *m)
{
	uint64_t n = m->size < IFACE_HEADER_MAX ? m->size : IFACE_HEADER_MAX;
	bool makefile;
	int layout = is_deep(m->name) ? -1 : iface_layout(m->name, &makefile);
	char *text;
	int rc;

	if (layout < 0)
		return skip(tar, m->size + padding(m->size));
	text = malloc((size_t)n + 1);
	if (!text)
		return -ENOMEM;
	rc = read_all(tar, text, (size_t)n);
	if (!rc && makefile)
		iface_makefile_parse(&tar->found[layout], text, (size_t)n);
	else if (!rc)
		iface_header_parse(&tar->found[layout], text, (size_t)n);
	free(text);
	return rc ? rc : skip(tar, m->size - n + padding(m->size));
}

/* Whether nothing else has to be found. */
static bool is_complete(const struct iface_facts *f)
{
	return f->known[IFACE_GUEST] && f->known[IFACE_DOMCTL] &&
	       f->known[IFACE_SYSCTL] && f->release[0];
}

/* Read the member behind header @block. */
static int one_member(struct tar *tar, const unsigned char block[BLOCK])
{
	struct member m = { tar->name, 0, (char)block[156] };
	int rc = parse_field(block + 124, 12, &m.size);

	if (rc || ++tar->members > IFACE_TAR_MEMBERS)
		return rc ? rc : -EFBIG;
	if (m.size > IFACE_TAR_MAX)
		return -EFBIG;
	if (m.type == 'L')
		return read_text(tar, m.size, tar->name, sizeof(tar->name));
	if (m.type == 'x')
		return read_pax(tar, m.size);
	if (m.type == 'g' || m.type == 'K')
		return skip(tar, m.size + padding(m.size));
	take_short_name(tar, block);
	if (tar->has_size)
		m.size = tar->size;
	if (m.size > IFACE_TAR_MAX)
		return -EFBIG;
	if (m.type == '0' || m.type == '\0' || m.type == '7')
		rc = read_member(tar, &m);
	else if (m.type < '1' || m.type > '6') /* links, devices: no content */
		rc = skip(tar, m.size + padding(m.size));
	tar->name[0] = '\0';
	tar->has_size = false;
	return rc;
}

static int read_members(struct tar *tar)
{
	unsigned char block[BLOCK];
	int rc;

	while (!(rc = read_all(tar, block, sizeof(block)))) {
		if (is_empty(block))
			return 0;
		if (!sum_is_right(block))
			return tar->members ? -EBADMSG : -EINVAL;
		rc = one_member(tar, block);
		if (rc)
			return rc == -ENODATA ? -EBADMSG : rc;
		if (is_complete(&tar->found[0]))
			return 0;
	}
	if (rc != -ENODATA)
		return rc;
	return tar->members ? 0 : -EINVAL;
}

int iface_tar_read(struct iface_facts *facts, iface_read_fn *read, void *arg)
{
	struct tar *tar = calloc(1, sizeof(*tar));
	int rc, i;

	if (!tar)
		return -ENOMEM;
	tar->read = read;
	tar->arg = arg;
	rc = read_members(tar);
	for (i = 0; !rc && i < IFACE_LAYOUTS; i++) {
		if (!iface_facts_any(&tar->found[i]))
			continue;
		memcpy(facts->known, tar->found[i].known, sizeof(facts->known));
		memcpy(facts->value, tar->found[i].value, sizeof(facts->value));
		memcpy(facts->release, tar->found[i].release,
		       sizeof(facts->release));
		break;
	}
	free(tar);
	return rc;
}
