/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a fuzzer's input from its start; after the end all bytes are zero. */
#ifndef FUZZ_BYTES_H
#define FUZZ_BYTES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fuzz_bytes {
	const uint8_t *data;
	size_t len;
};

static inline uint8_t fuzz_byte(struct fuzz_bytes *b)
{
	if (!b->len)
		return 0;
	b->len--;
	return *b->data++;
}

static inline uint16_t fuzz_u16(struct fuzz_bytes *b)
{
	uint16_t low = fuzz_byte(b);

	return (uint16_t)(low | fuzz_byte(b) << 8);
}

static inline uint32_t fuzz_u32(struct fuzz_bytes *b)
{
	uint32_t low = fuzz_u16(b);

	return low | (uint32_t)fuzz_u16(b) << 16;
}

/* Up to @max bytes to @to; how many there were. */
static inline size_t fuzz_take(struct fuzz_bytes *b, void *to, size_t max)
{
	size_t n = b->len < max ? b->len : max;

	memcpy(to, b->data, n);
	b->data += n;
	b->len -= n;
	return n;
}

static inline void fuzz_check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz: not so: %s\n", what);
	abort();
}

#endif
