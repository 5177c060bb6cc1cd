/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which Xen a program or library was built against. Three sources:
 *
 *   - the note that XEN_INTERFACE_MARK of xen-interface.h leaves in a program;
 *   - the soname of a library whose version is the release's (libxenctrl and
 *     others), if the file is such a library or needs one;
 *   - in a hypervisor, its version as a string.
 *
 * The domctl number itself is an immediate operand in the code, and is not
 * searched for.
 *
 * The file is not trusted: each access goes through inside(). No state.
 */
#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xm-ramdisk/interface/elf.h"

#define MARK "xen-interface-mark: interface="

struct elf {
	const unsigned char *data;
	size_t len;
	bool wide; /* 64 bit */
	uint64_t dyn, dyn_len; /* file offset and bytes of PT_DYNAMIC */
	uint64_t phoff;
	unsigned phentsize, phnum;
};

/* Whether the file has @len bytes from offset @at on. */
static bool inside(const struct elf *e, uint64_t at, uint64_t len)
{
	return len <= e->len && at <= e->len - len;
}

/* The number of @size bytes at offset @at; 0 if it is outside the file. */
static uint64_t get(const struct elf *e, uint64_t at, unsigned size)
{
	uint64_t v = 0;

	if (inside(e, at, size))
		memcpy(&v, e->data + at, size);
	return le64toh(v);
}

bool iface_is_elf(const void *data, size_t len)
{
	return len >= EI_NIDENT && !memcmp(data, ELFMAG, SELFMAG);
}

struct segment {
	uint32_t type;
	uint64_t offset, addr, filesz;
};

static bool segment_at(const struct elf *e, unsigned i, struct segment *s)
{
	uint64_t at = e->phoff + (uint64_t)i * e->phentsize;

	if (!inside(e, at, e->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
		return false;
	s->type = (uint32_t)get(e, at, 4);
	s->offset = e->wide ? get(e, at + 8, 8) : get(e, at + 4, 4);
	s->addr = e->wide ? get(e, at + 16, 8) : get(e, at + 8, 4);
	s->filesz = e->wide ? get(e, at + 32, 8) : get(e, at + 16, 4);
	return true;
}

/* The file offset of a virtual address, or UINT64_MAX. */
static uint64_t offset_of(const struct elf *e, uint64_t addr)
{
	struct segment s;
	unsigned i;

	for (i = 0; i < e->phnum && segment_at(e, i, &s); i++)
		if (s.type == PT_LOAD && addr >= s.addr &&
		    addr - s.addr < s.filesz)
			return s.offset + (addr - s.addr);
	return UINT64_MAX;
}

static int open_elf(struct elf *e, const unsigned char *data, size_t len)
{
	struct segment s;
	unsigned i;

	memset(e, 0, sizeof(*e));
	e->data = data;
	e->len = len;
	e->wide = data[EI_CLASS] == ELFCLASS64;
	if (data[EI_DATA] != ELFDATA2LSB ||
	    len < (e->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
		return -EINVAL;
	e->phoff = e->wide ? get(e, 32, 8) : get(e, 28, 4);
	e->phentsize = (unsigned)get(e, e->wide ? 54 : 42, 2);
	e->phnum = (unsigned)get(e, e->wide ? 56 : 44, 2);
	for (i = 0; i < e->phnum && segment_at(e, i, &s); i++)
		if (s.type == PT_DYNAMIC && inside(e, s.offset, s.filesz)) {
			e->dyn = s.offset;
			e->dyn_len = s.filesz;
		}
	return 0;
}

/* Entry @i of the dynamic section. */
static void dynamic_at(const struct elf *e, uint64_t i, uint64_t *tag,
		       uint64_t *value)
{
	unsigned word = e->wide ? 8 : 4;

	*tag = get(e, e->dyn + 2 * word * i, word);
	*value = get(e, e->dyn + 2 * word * i + word, word);
}

/* The file offset of the names of the dynamic section, or UINT64_MAX. */
static uint64_t strings(const struct elf *e, uint64_t entries)
{
	uint64_t i, tag, value;

	for (i = 0; i < entries; i++) {
		dynamic_at(e, i, &tag, &value);
		if (tag == DT_STRTAB)
			return offset_of(e, value);
	}
	return UINT64_MAX;
}

/* The line of a library whose version is the release's: "libxenctrl.so.4.17". */
static bool release_library(const char *name, unsigned *major, unsigned *minor)
{
	static const char *const library[] = {
		"libxenctrl", "libxenguest", "libxenlight",
		"libxlutil",  "libxenstat",  "libxenvchan",
	};
	size_t i, len;
	char rest;

	for (i = 0; i < sizeof(library) / sizeof(library[0]); i++) {
		len = strlen(library[i]);
		if (!strncmp(name, library[i], len) &&
		    sscanf(name + len, ".so.%2u.%3u%c", major, minor, &rest) ==
			    2 &&
		    *major >= 3)
			return true;
	}
	return false;
}

/* Some lines kept the soname of the line before (tools/libxc/Makefile). */
static struct iface_range lines_of_soname(unsigned major, unsigned minor)
{
	struct iface_range range = iface_line_of(major, minor);
	unsigned last = minor;

	if (major == 3 && minor == 0)
		last = 1;
	else if (major == 3 && minor == 2)
		last = 4;
	else if (major == 4 && minor == 0)
		last = 1;
	if (last != minor && iface_line_of(major, last).last)
		range.last = iface_line_of(major, last).last;
	return range;
}

/* @verb: how the file relates to library @name. */
static bool from_library(struct iface_facts *facts, const char *name,
			 const char *verb)
{
	unsigned major, minor;
	struct iface_range range;

	if (!release_library(name, &major, &minor))
		return false;
	range = lines_of_soname(major, minor);
	if (!range.first)
		return false;
	snprintf(facts->how, sizeof(facts->how), "the file %s %.64s", verb,
		 name);
	iface_facts_range(facts, range);
	return true;
}

static bool from_dynamic(struct iface_facts *facts, const struct elf *e)
{
	uint64_t entries = e->dyn_len / (e->wide ? 16 : 8), i, tag, value, str;
	char name[64];

	str = strings(e, entries);
	for (i = 0; str != UINT64_MAX && i < entries; i++) {
		dynamic_at(e, i, &tag, &value);
		if (tag == DT_NULL)
			break;
		if ((tag != DT_NEEDED && tag != DT_SONAME) || value > e->len ||
		    str + value >= e->len)
			continue;
		snprintf(name, sizeof(name), "%.*s",
			 (int)(e->len - (str + value) < 63
				       ? e->len - (str + value)
				       : 63),
			 (const char *)e->data + str + value);
		if (from_library(facts, name,
				 tag == DT_SONAME ? "is" : "needs"))
			return true;
	}
	return false;
}

/* The value after one MARK; false if there is none, as in xm-ramdisk itself. */
static bool mark_at(struct iface_facts *facts, const unsigned char *at,
		    size_t left)
{
	char text[80];
	unsigned v;

	snprintf(text, sizeof(text), "%.*s",
		 (int)(left < sizeof(text) - 1 ? left : sizeof(text) - 1),
		 (const char *)at);
	text[strcspn(text, ";")] = '\0';
	if (sscanf(text, "0x%8x", &v) != 1)
		return false;
	facts->known[IFACE_GUEST] = true;
	facts->value[IFACE_GUEST] = v;
	snprintf(facts->how, sizeof(facts->how),
		 "the file's XEN_INTERFACE_MARK: interface=%.70s", text);
	return true;
}

static bool from_mark(struct iface_facts *facts, const unsigned char *data,
		      size_t len)
{
	const unsigned char *end = data + len, *at = data;

	while ((at = memmem(at, (size_t)(end - at), MARK, strlen(MARK)))) {
		at += strlen(MARK);
		if (mark_at(facts, at, (size_t)(end - at)))
			return true;
	}
	return false;
}

/* The release that a string begins with: 4.20.3 of "4.20.3+127-gc42374a105-0". */
static const struct iface_release *release_at(const unsigned char *at,
					      size_t left)
{
	unsigned major, minor, point;
	char text[24], name[24];
	int n = 0;

	snprintf(text, sizeof(text), "%.*s",
		 (int)(left < sizeof(text) - 1 ? left : sizeof(text) - 1),
		 (const char *)at);
	if (sscanf(text, "%2u.%2u.%2u%n", &major, &minor, &point, &n) != 3 ||
	    (text[n] && !strchr("+-~ ", text[n])))
		return NULL;
	snprintf(name, sizeof(name), "%u.%u.%u", major, minor, point);
	return iface_release_find(name);
}

/*
 * A hypervisor prints its version from numbers in its code, which are not
 * searched for. Those of distributions often have it as a string too.
 */
static bool from_hypervisor(struct iface_facts *facts,
			    const unsigned char *data, size_t len)
{
	static const char banner[] = "Xen version %d.%d%s";
	const struct iface_release *r = NULL;
	size_t i;

	if (!memmem(data, len, banner, strlen(banner)))
		return false;
	for (i = 1; !r && i < len; i++)
		if (!data[i - 1] && (data[i] == '3' || data[i] == '4'))
			r = release_at(data + i, len - i);
	if (!r)
		return false;
	snprintf(facts->how, sizeof(facts->how),
		 "the table, for the version in this hypervisor");
	iface_facts_release(facts, r);
	return true;
}

int iface_elf_parse(struct iface_facts *facts, const unsigned char *data,
		    size_t len, struct rd_error *err)
{
	struct elf e;
	bool marked;

	if (open_elf(&e, data, len)) {
		snprintf(err->text, sizeof(err->text),
			 "%.200s: expected a little-endian ELF file",
			 facts->name);
		return -EINVAL;
	}
	marked = from_mark(facts, data, len);
	if (from_dynamic(facts, &e) || marked ||
	    from_hypervisor(facts, data, len))
		return 0;
	snprintf(err->text, sizeof(err->text),
		 "%.200s: nothing in the file shows which Xen it was built "
		 "against: it has no XEN_INTERFACE_MARK and needs no library "
		 "with Xen's version (libxenctrl); name its release instead",
		 facts->name);
	return -ENOENT;
}
