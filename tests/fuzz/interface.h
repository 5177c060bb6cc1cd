/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fuzz targets of the parsers of xm-ramdisk interface, one function for each
 * parser. libFuzzer calls them in `make fuzz`; tests/unit/interface/parse.c
 * calls them with mutations of good input in `make check`.
 */
#ifndef FUZZ_INTERFACE_H
#define FUZZ_INTERFACE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xm-ramdisk/interface/elf.h"
#include "tools/xm-ramdisk/interface/header.h"
#include "tools/xm-ramdisk/interface/tar.h"

struct bytes {
	const unsigned char *data;
	size_t len, at;
};

static long read_bytes(void *arg, void *buf, size_t len)
{
	struct bytes *b = arg;
	size_t n = b->len - b->at < len ? b->len - b->at : len;

	/* In small pieces, as a read from a pipe may return. */
	if (n > 700)
		n = 700;
	memcpy(buf, b->data + b->at, n);
	b->at += n;
	return (long)n;
}

/* A copy of the exact length, so that the sanitizer finds reads beyond it. */
static unsigned char *copy_of(const unsigned char *data, size_t len)
{
	unsigned char *copy = malloc(len ? len : 1);

	if (!copy)
		abort();
	memcpy(copy, data, len);
	return copy;
}

static void check_facts(struct iface_facts *facts)
{
	char text[IFACE_RANGE_MAX];

	iface_facts_resolve(facts);
	iface_range_text(facts->range, text);
	if (strnlen(facts->release, sizeof(facts->release)) ==
		    sizeof(facts->release) ||
	    strnlen(facts->how, sizeof(facts->how)) == sizeof(facts->how))
		abort();
}

static inline void fuzz_header(const unsigned char *data, size_t len)
{
	struct iface_facts facts = { 0 };
	unsigned char *copy = copy_of(data, len);

	iface_header_parse(&facts, (const char *)copy, len);
	iface_makefile_parse(&facts, (const char *)copy, len);
	check_facts(&facts);
	free(copy);
}

/* Write the right checksum into a header: a fuzzer would not find it by itself. */
static void set_checksum(unsigned char *block)
{
	unsigned sum = 0, i;
	char text[8];

	memset(block + 148, ' ', 8);
	for (i = 0; i < 512; i++)
		sum += block[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(block + 148, text, 7);
}

static inline void fuzz_tar(const unsigned char *data, size_t len)
{
	struct iface_facts facts = { 0 };
	unsigned char *copy = copy_of(data, len);
	struct bytes b = { copy, len, 0 };
	size_t at;

	for (at = 0; len - at >= 512; at += 512)
		if (copy[at] && copy[at + 257] == 'u')
			set_checksum(copy + at);
	iface_tar_read(&facts, read_bytes, &b);
	check_facts(&facts);
	free(copy);
}

static inline void fuzz_elf(const unsigned char *data, size_t len)
{
	struct iface_facts facts = { 0 };
	struct rd_error err = { "" };
	unsigned char *copy;

	if (!iface_is_elf(data, len))
		return;
	copy = copy_of(data, len);
	iface_elf_parse(&facts, copy, len, &err);
	check_facts(&facts);
	free(copy);
}

#endif
