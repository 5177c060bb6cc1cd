/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The faults of an attachment: parses the values of the options of xm-ramdisk
 * fault, applies a change to the faults that are set, and prints faults as
 * text and JSON. No state; any thread may call.
 */
#include "tools/xm-ramdisk/xen/fault-set.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/xm-ramdisk/base/json.h"
#include "tools/xm-ramdisk/base/text.h"

/* ---- values ------------------------------------------------------------ */

/* The number at *@text, which moves behind it. False without, or above @max. */
static bool take_digits(const char **text, uint64_t max, uint64_t *value)
{
	const char *p = *text;

	for (*value = 0; *p >= '0' && *p <= '9'; p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (digit > max || *value > (max - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	if (p == *text)
		return false;
	*text = p;
	return true;
}

/* The same in bytes: with K, M, G or T behind it, or nothing. */
static bool take_size(const char **text, uint64_t max, uint64_t *value)
{
	static const char units[] = "KMGT";
	const char *unit;
	unsigned shift;

	if (!take_digits(text, max, value))
		return false;
	unit = **text ? strchr(units, **text) : NULL;
	if (!unit)
		return true;
	shift = 10 * (unsigned)(unit - units + 1);
	if (*value > max >> shift)
		return false;
	*value <<= shift;
	++*text;
	return true;
}

int fault_parse_errors(const char *text, uint32_t *errors)
{
	static const char *const names[] = { "none", "read", "write", "all" };
	uint32_t i;

	for (i = 0; i < 4; i++) {
		if (strcmp(text, names[i]))
			continue;
		*errors = i;
		return 0;
	}
	return -EINVAL;
}

int fault_parse_ratio(const char *text, uint32_t *ratio)
{
	uint64_t n, rest = 0, digit;
	unsigned scale = BLKBACK_FAULT_ALWAYS / 100;

	if (!take_digits(&text, 100, &n))
		return -EINVAL;
	if (*text == '.')
		for (text++; *text >= '0' && *text <= '9' && scale >= 10;
		     text++) {
			digit = (uint64_t)(*text - '0');
			scale /= 10;
			rest += digit * scale;
		}
	if (*text == '%')
		text++;
	n = n * (BLKBACK_FAULT_ALWAYS / 100) + rest;
	if (*text || !n || n > BLKBACK_FAULT_ALWAYS)
		return -EINVAL;
	*ratio = (uint32_t)n;
	return 0;
}

int fault_parse_range(const char *text, uint64_t *off, uint64_t *len)
{
	if (!take_size(&text, INT64_MAX, off) || *text++ != '+' ||
	    !take_size(&text, INT64_MAX, len) || *text || !*len)
		return -EINVAL;
	return 0;
}

int fault_parse_ms(const char *text, uint32_t *ms)
{
	uint64_t n;

	if (!take_digits(&text, BLKBACK_FAULT_MAX_MS, &n) || *text)
		return -EINVAL;
	*ms = (uint32_t)n;
	return 0;
}

int fault_parse_iops(const char *text, uint32_t *iops)
{
	uint64_t n;

	if (!take_digits(&text, BLKBACK_FAULT_MAX_IOPS, &n) || *text)
		return -EINVAL;
	*iops = (uint32_t)n;
	return 0;
}

int fault_parse_bandwidth(const char *text, uint64_t *bytes)
{
	if (!take_size(&text, BLKBACK_FAULT_MAX_BANDWIDTH, bytes) || *text)
		return -EINVAL;
	return 0;
}

/* ---- a change ---------------------------------------------------------- */

void fault_apply(const struct fault_change *change,
		 struct blkback_fault_set *set)
{
	const struct blkback_fault_set *to = &change->to;

	if (change->clear)
		memset(set, 0, sizeof(*set));
	if (change->error) {
		set->errors = to->errors;
		set->ratio = to->ratio;
		set->range_off = to->range_off;
		set->range_len = to->range_len;
	}
	if (change->delay) {
		set->delay_ms = to->delay_ms;
		set->jitter_ms = to->jitter_ms;
	}
	if (change->freeze)
		set->freeze = to->freeze;
	if (change->write_protect)
		set->write_protect = to->write_protect;
	if (change->iops)
		set->iops = to->iops;
	if (change->bandwidth)
		set->bandwidth = to->bandwidth;
}

/* ---- text and JSON ----------------------------------------------------- */

static void print_ratio(FILE *f, uint32_t ratio)
{
	uint32_t percent = ratio / 10000, rest = ratio % 10000, digits = 4;

	if (ratio == BLKBACK_FAULT_ALWAYS)
		return;
	for (; rest && rest % 10 == 0; rest /= 10)
		digits--;
	fprintf(f, "%" PRIu32, percent);
	if (rest)
		fprintf(f, ".%0*" PRIu32, (int)digits, rest);
	fputs(" % of ", f);
}

const char *fault_text(const struct blkback_fault_set *s,
		       char text[FAULT_TEXT_MAX])
{
	static const char *const kinds[] = { "", "reads", "writes",
					     "requests" };
	FILE *f = fmemopen(text, FAULT_TEXT_MAX, "w");

	text[0] = 0;
	if (!f)
		return text;
	if (s->errors) {
		fputs(", ", f);
		print_ratio(f, s->ratio);
		fprintf(f, "%s fail", kinds[s->errors & 3]);
	}
	if (s->range_len)
		fprintf(f, " in %" PRIu64 "+%" PRIu64, s->range_off,
			s->range_len);
	if (s->delay_ms || s->jitter_ms)
		fprintf(f, ", delay %" PRIu32 " ms", s->delay_ms);
	if (s->jitter_ms)
		fprintf(f, " and up to %" PRIu32 " more", s->jitter_ms);
	if (s->freeze)
		fputs(", frozen", f);
	if (s->write_protect)
		fputs(", write-protected", f);
	if (s->iops)
		fprintf(f, ", at most %" PRIu32 " requests/s", s->iops);
	if (s->bandwidth)
		fprintf(f, ", at most %s/s", text_size(s->bandwidth));
	fclose(f);
	return text[0] ? memmove(text, text + 2, strlen(text) - 1) : text;
}

void fault_json(struct json *j, const char *key,
		const struct blkback_fault_set *s)
{
	static const char *const errors[] = { "none", "read", "write", "all" };

	json_open(j, key, '{');
	json_string(j, "error", errors[s->errors & 3]);
	json_number(j, "error_ratio_ppm", s->ratio);
	json_number(j, "error_range_offset", s->range_off);
	json_number(j, "error_range_length", s->range_len);
	json_number(j, "delay_ms", s->delay_ms);
	json_number(j, "jitter_ms", s->jitter_ms);
	json_bool(j, "freeze", s->freeze);
	json_bool(j, "write_protect", s->write_protect);
	json_number(j, "iops", s->iops);
	json_number(j, "bandwidth", s->bandwidth);
	json_close(j);
}
