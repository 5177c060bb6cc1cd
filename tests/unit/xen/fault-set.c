/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tools/xm-ramdisk/xen/fault-set.c: values of the options of xm-ramdisk fault,
 * changes one after the other, and faults as text and JSON.
 */
#include <errno.h>
#include <string.h>

#include "tests/cunit.h"
#include "tools/xm-ramdisk/base/json.h"
#include "tools/xm-ramdisk/xen/fault-set.h"

static void ratios(void)
{
	static const struct {
		const char *text;
		uint32_t ratio;
	} good[] = {
		{ "100", 1000000 },    { "100%", 1000000 },
		{ "1", 10000 },        { "50.5", 505000 },
		{ "0.0001", 1 },       { "0.0001%", 1 },
		{ "33.3333", 333333 }, { "100.0000", 1000000 },
		{ "7.", 70000 },
	};
	static const char *const bad[] = { "",
					   "0",
					   "0.00001",
					   "100.0001",
					   "101",
					   "-1",
					   "1e1",
					   ".5",
					   "5%%",
					   "5 ",
					   "99999999999999999999" };
	uint32_t ratio;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ratio = 0;
		CU_ASSERT_EQUAL(fault_parse_ratio(good[i].text, &ratio), 0);
		CU_ASSERT_EQUAL(ratio, good[i].ratio);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(fault_parse_ratio(bad[i], &ratio), -EINVAL);
}

static void ranges(void)
{
	static const char *const bad[] = { "",
					   "1",
					   "1+",
					   "+1",
					   "1+0",
					   "1-2",
					   "1+2+3",
					   "1k+1",
					   "1KB+1",
					   " 1+1",
					   "1+9223372036854775808",
					   "8388608T+1" };
	uint64_t off, len;
	size_t i;

	CU_ASSERT_EQUAL(fault_parse_range("0+512", &off, &len), 0);
	CU_ASSERT_EQUAL(off, 0);
	CU_ASSERT_EQUAL(len, 512);
	CU_ASSERT_EQUAL(fault_parse_range("8M+4K", &off, &len), 0);
	CU_ASSERT_EQUAL(off, 8u << 20);
	CU_ASSERT_EQUAL(len, 4096);
	CU_ASSERT_EQUAL(fault_parse_range("3T+2G", &off, &len), 0);
	CU_ASSERT_EQUAL(off, (uint64_t)3 << 40);
	CU_ASSERT_EQUAL(len, (uint64_t)2 << 30);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(fault_parse_range(bad[i], &off, &len), -EINVAL);
}

static void numbers(void)
{
	uint32_t n;
	uint64_t bytes;

	CU_ASSERT_EQUAL(fault_parse_ms("3600000", &n), 0);
	CU_ASSERT_EQUAL(n, 3600000);
	CU_ASSERT_EQUAL(fault_parse_ms("3600001", &n), -EINVAL);
	CU_ASSERT_EQUAL(fault_parse_ms("5ms", &n), -EINVAL);
	CU_ASSERT_EQUAL(fault_parse_ms("", &n), -EINVAL);
	CU_ASSERT_EQUAL(fault_parse_iops("0", &n), 0);
	CU_ASSERT_EQUAL(n, 0);
	CU_ASSERT_EQUAL(fault_parse_iops("100000001", &n), -EINVAL);
	CU_ASSERT_EQUAL(fault_parse_iops("10K", &n), -EINVAL);
	CU_ASSERT_EQUAL(fault_parse_bandwidth("1T", &bytes), 0);
	CU_ASSERT_EQUAL(bytes, BLKBACK_FAULT_MAX_BANDWIDTH);
	CU_ASSERT_EQUAL(fault_parse_bandwidth("10M", &bytes), 0);
	CU_ASSERT_EQUAL(bytes, 10u << 20);
	CU_ASSERT_EQUAL(fault_parse_bandwidth("1025G", &bytes), -EINVAL);
	CU_ASSERT_EQUAL(fault_parse_bandwidth("10MB", &bytes), -EINVAL);
	CU_ASSERT_EQUAL(fault_parse_errors("all", &n), 0);
	CU_ASSERT_EQUAL(n, 3);
	CU_ASSERT_EQUAL(fault_parse_errors("none", &n), 0);
	CU_ASSERT_EQUAL(n, 0);
	CU_ASSERT_EQUAL(fault_parse_errors("reads", &n), -EINVAL);
}

/* Apply a change; @expect is the fault spec afterwards. */
static void change(struct blkback_fault_set *set, struct fault_change c,
		   const char *expect)
{
	char text[BLKBACK_FAULT_TEXT];

	fault_apply(&c, set);
	CU_ASSERT_TRUE(blkback_fault_valid(set));
	CU_ASSERT_STRING_EQUAL(blkback_fault_format(set, text), expect);
}

static void changes(void)
{
	struct blkback_fault_set set = { 0 };

	change(&set,
	       (struct fault_change){
		       .error = true,
		       .to = { .errors = 1, .ratio = 5, .range_len = 512 } },
	       "error=read ratio=5 range=0+512");
	change(&set,
	       (struct fault_change){
		       .delay = true,
		       .freeze = true,
		       .to = { .delay_ms = 9, .jitter_ms = 2, .freeze = 1 } },
	       "error=read ratio=5 range=0+512 delay=9 jitter=2 freeze=1");
	/* Values of a changed kind that are not given are reset. */
	change(&set,
	       (struct fault_change){
		       .error = true,
		       .delay = true,
		       .to = { .errors = 2, .ratio = 1000000, .delay_ms = 1 } },
	       "error=write ratio=1000000 delay=1 freeze=1");
	change(&set,
	       (struct fault_change){ .freeze = true,
				      .iops = true,
				      .bandwidth = true,
				      .write_protect = true,
				      .to = { .iops = 7,
					      .bandwidth = 8,
					      .write_protect = 1 } },
	       "error=write ratio=1000000 delay=1 write-protect=1 iops=7 bandwidth=8");
	change(&set,
	       (struct fault_change){ .error = true, .write_protect = true },
	       "delay=1 iops=7 bandwidth=8");
	change(&set,
	       (struct fault_change){
		       .clear = true, .freeze = true, .to = { .freeze = 1 } },
	       "freeze=1");
	change(&set, (struct fault_change){ .clear = true }, "");
}

static void text(void)
{
	static const struct {
		const char *words, *text;
	} shown[] = {
		{ "", "" },
		{ "error=read", "reads fail" },
		{ "error=write ratio=1", "0.0001 % of writes fail" },
		{ "error=all ratio=125000", "12.5 % of requests fail" },
		{ "error=all ratio=500000 range=1+2",
		  "50 % of requests fail in 1+2" },
		{ "delay=5", "delay 5 ms" },
		{ "jitter=5", "delay 0 ms and up to 5 more" },
		{ "delay=5 jitter=6 freeze=1 write-protect=1 iops=7 bandwidth=8",
		  "delay 5 ms and up to 6 more, frozen, write-protected, at most 7 requests/s, at most 8 bytes/s" },
		{ "error=write ratio=333333 range=18446744073709551614+1 delay=3600000 jitter=3600000 freeze=1 write-protect=1 iops=100000000 bandwidth=1099511627776",
		  "33.3333 % of writes fail in 18446744073709551614+1, delay 3600000 ms and up to 3600000 more, frozen, write-protected, at most 100000000 requests/s, at most 1 TiB/s" },
	};
	struct blkback_fault_set set;
	char out[FAULT_TEXT_MAX];
	size_t i;

	for (i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		CU_ASSERT_EQUAL(blkback_fault_parse(shown[i].words, &set), 0);
		CU_ASSERT_STRING_EQUAL(fault_text(&set, out), shown[i].text);
	}
}

static void json(void)
{
	struct blkback_fault_set set;
	char *out = NULL;
	size_t n = 0;
	struct json j = { .out = open_memstream(&out, &n) };

	CU_ASSERT_PTR_NOT_NULL_FATAL(j.out);
	CU_ASSERT_EQUAL(
		blkback_fault_parse(
			"error=all ratio=9 range=1+2 delay=3 jitter=4 freeze=1 iops=5 bandwidth=6",
			&set),
		0);
	fault_json(&j, NULL, &set);
	fclose(j.out);
	CU_ASSERT_STRING_EQUAL(
		out,
		"{\n  \"error\": \"all\",\n  \"error_ratio_ppm\": 9,\n"
		"  \"error_range_offset\": 1,\n  \"error_range_length\": 2,\n"
		"  \"delay_ms\": 3,\n  \"jitter_ms\": 4,\n  \"freeze\": true,\n"
		"  \"write_protect\": false,\n  \"iops\": 5,\n  \"bandwidth\": 6\n}");
	free(out);
}

static const struct test tests[] = {
	{ "ratios", ratios },   { "ranges", ranges }, { "numbers", numbers },
	{ "changes", changes }, { "text", text },     { "json", json },
};

int main(void)
{
	return RUN_TESTS("fault", tests);
}
