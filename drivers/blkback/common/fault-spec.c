/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See fault-spec.h. The parser is a table of words, each with the function that
 * reads its value. No state; any thread.
 */
#include "drivers/blkback/common/fault-spec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool blkback_fault_same(const struct blkback_fault_set *a,
			const struct blkback_fault_set *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool blkback_fault_none(const struct blkback_fault_set *set)
{
	static const struct blkback_fault_set none;

	return blkback_fault_same(set, &none);
}

static bool range_ends_in_64_bits(uint64_t off, uint64_t len)
{
	return len <= UINT64_MAX - off;
}

bool blkback_fault_valid(const struct blkback_fault_set *s)
{
	if (s->errors > (BLKBACK_FAULT_READS | BLKBACK_FAULT_WRITES) ||
	    s->ratio > BLKBACK_FAULT_ALWAYS || !s->errors != !s->ratio ||
	    (s->range_len && !s->errors) || (s->range_off && !s->range_len) ||
	    !range_ends_in_64_bits(s->range_off, s->range_len))
		return false;
	return s->delay_ms <= BLKBACK_FAULT_MAX_MS &&
	       s->jitter_ms <= BLKBACK_FAULT_MAX_MS && s->freeze <= 1 &&
	       s->write_protect <= 1 && s->iops <= BLKBACK_FAULT_MAX_IOPS &&
	       s->bandwidth <= BLKBACK_FAULT_MAX_BANDWIDTH && !s->reserved;
}

/* ---- reading ----------------------------------------------------------- */

/*
 * Parse digits up to @end and move *text behind @end. @end may be the NUL, where
 * *text stays.
 */
static bool take_number(const char **text, char end, uint64_t max,
			uint64_t *value)
{
	const char *p = *text;

	*value = 0;
	for (; *p && *p != end; p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (digit > 9 || *value > (max - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	if (p == *text || *p != end)
		return false;
	*text = end ? p + 1 : p;
	return true;
}

static bool read_number(const char *text, uint64_t max, uint32_t *value)
{
	uint64_t n;

	if (!take_number(&text, '\0', max, &n))
		return false;
	*value = (uint32_t)n;
	return true;
}

static bool read_error(const char *text, struct blkback_fault_set *set)
{
	if (!strcmp(text, "read"))
		set->errors = BLKBACK_FAULT_READS;
	else if (!strcmp(text, "write"))
		set->errors = BLKBACK_FAULT_WRITES;
	else if (!strcmp(text, "all"))
		set->errors = BLKBACK_FAULT_READS | BLKBACK_FAULT_WRITES;
	if (!set->ratio)
		set->ratio = BLKBACK_FAULT_ALWAYS;
	return set->errors != 0;
}

static bool read_ratio(const char *text, struct blkback_fault_set *set)
{
	return read_number(text, BLKBACK_FAULT_ALWAYS, &set->ratio) &&
	       set->ratio;
}

static bool read_range(const char *text, struct blkback_fault_set *set)
{
	return take_number(&text, '+', UINT64_MAX, &set->range_off) &&
	       take_number(&text, '\0', UINT64_MAX, &set->range_len) &&
	       set->range_len;
}

static bool read_delay(const char *text, struct blkback_fault_set *set)
{
	return read_number(text, BLKBACK_FAULT_MAX_MS, &set->delay_ms);
}

static bool read_jitter(const char *text, struct blkback_fault_set *set)
{
	return read_number(text, BLKBACK_FAULT_MAX_MS, &set->jitter_ms);
}

static bool read_freeze(const char *text, struct blkback_fault_set *set)
{
	return read_number(text, 1, &set->freeze);
}

static bool read_protect(const char *text, struct blkback_fault_set *set)
{
	return read_number(text, 1, &set->write_protect);
}

static bool read_iops(const char *text, struct blkback_fault_set *set)
{
	return read_number(text, BLKBACK_FAULT_MAX_IOPS, &set->iops);
}

static bool read_bandwidth(const char *text, struct blkback_fault_set *set)
{
	return take_number(&text, '\0', BLKBACK_FAULT_MAX_BANDWIDTH,
			   &set->bandwidth);
}

static const struct {
	const char *name;
	bool (*read)(const char *text, struct blkback_fault_set *set);
} words[] = {
	{ "error=", read_error },           { "ratio=", read_ratio },
	{ "range=", read_range },           { "delay=", read_delay },
	{ "jitter=", read_jitter },         { "freeze=", read_freeze },
	{ "write-protect=", read_protect }, { "iops=", read_iops },
	{ "bandwidth=", read_bandwidth },
};

#define WORDS (sizeof(words) / sizeof(words[0]))

/* *seen has a bit for each word read so far: a word may occur once. */
static bool read_word(const char *word, unsigned *seen,
		      struct blkback_fault_set *set)
{
	size_t i;

	for (i = 0; i < WORDS; i++) {
		size_t n = strlen(words[i].name);

		if (strncmp(word, words[i].name, n))
			continue;
		if (*seen & 1u << i)
			return false;
		*seen |= 1u << i;
		return words[i].read(word + n, set);
	}
	return false;
}

int blkback_fault_parse(const char *text, struct blkback_fault_set *set)
{
	char copy[BLKBACK_FAULT_TEXT], *rest, *word;
	unsigned seen = 0;
	bool good = strlen(text) < sizeof(copy);

	memset(set, 0, sizeof(*set));
	snprintf(copy, sizeof(copy), "%s", text);
	for (word = strtok_r(copy, " ", &rest); good && word;
	     word = strtok_r(NULL, " ", &rest))
		good = read_word(word, &seen, set);
	if (good && blkback_fault_valid(set))
		return 0;
	memset(set, 0, sizeof(*set));
	return -EINVAL;
}

/* ---- writing ----------------------------------------------------------- */

const char *blkback_fault_format(const struct blkback_fault_set *s,
				 char text[BLKBACK_FAULT_TEXT])
{
	static const char *const errors[] = { "", "read", "write", "all" };
	FILE *f = fmemopen(text, BLKBACK_FAULT_TEXT, "w");

	text[0] = '\0';
	if (!f)
		return text;
	if (s->errors)
		fprintf(f, " error=%s ratio=%" PRIu32, errors[s->errors & 3],
			s->ratio);
	if (s->range_len)
		fprintf(f, " range=%" PRIu64 "+%" PRIu64, s->range_off,
			s->range_len);
	if (s->delay_ms)
		fprintf(f, " delay=%" PRIu32, s->delay_ms);
	if (s->jitter_ms)
		fprintf(f, " jitter=%" PRIu32, s->jitter_ms);
	if (s->freeze)
		fprintf(f, " freeze=1");
	if (s->write_protect)
		fprintf(f, " write-protect=1");
	if (s->iops)
		fprintf(f, " iops=%" PRIu32, s->iops);
	if (s->bandwidth)
		fprintf(f, " bandwidth=%" PRIu64, s->bandwidth);
	fclose(f);
	return text[0] == ' ' ? memmove(text, text + 1, strlen(text)) : text;
}
