/* SPDX-License-Identifier: BSD-2-Clause */
/* The writer of metrics of tools/xm-ramdisk/base/exposition.c. */
#include <string.h>

#include "tests/cunit.h"
#include "tools/xm-ramdisk/base/exposition.h"

static char out[2048];

static struct exposition start(bool openmetrics)
{
	struct exposition x = { .openmetrics = openmetrics };

	memset(out, 0, sizeof(out));
	x.out = fmemopen(out, sizeof(out), "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(x.out);
	return x;
}

static void finish(struct exposition *x, const char *expected)
{
	exposition_end(x);
	fclose(x->out);
	CU_ASSERT_STRING_EQUAL(out, expected);
}

static const struct exposition_family counter = { "x_bytes", "bytes",
						  EXPOSITION_COUNTER,
						  "Bytes." };
static const struct exposition_family info = { "x_build", NULL, EXPOSITION_INFO,
					       "Build." };

static void put_both(struct exposition *x)
{
	exposition_family(x, &counter);
	exposition_sample(x, NULL);
	exposition_number(x, UINT64_MAX);
	exposition_family(x, &info);
	exposition_sample(x, NULL);
	exposition_label(x, "a", "1");
	exposition_label(x, "b", "2");
	exposition_number(x, 1);
}

static void openmetrics(void)
{
	struct exposition x = start(true);

	put_both(&x);
	finish(&x, "# HELP x_bytes Bytes.\n# TYPE x_bytes counter\n"
		   "# UNIT x_bytes bytes\n"
		   "x_bytes_total 18446744073709551615\n"
		   "# HELP x_build Build.\n# TYPE x_build info\n"
		   "x_build_info{a=\"1\",b=\"2\"} 1\n# EOF\n");
}

static void prometheus(void)
{
	struct exposition x = start(false);

	put_both(&x);
	finish(&x, "# HELP x_bytes_total Bytes.\n# TYPE x_bytes_total counter\n"
		   "x_bytes_total 18446744073709551615\n"
		   "# HELP x_build_info Build.\n# TYPE x_build_info gauge\n"
		   "x_build_info{a=\"1\",b=\"2\"} 1\n");
}

static void label_is(const char *value, const char *expected)
{
	struct exposition x = start(false);
	char line[256];

	x.family = &info;
	exposition_sample(&x, NULL);
	exposition_label(&x, "l", value);
	exposition_number(&x, 0);
	snprintf(line, sizeof(line), "x_build_info{l=\"%s\"} 0\n", expected);
	finish(&x, line);
}

static void labels(void)
{
	label_is("", "");
	label_is("a\\b\"c\nd{},=", "a\\\\b\\\"c\\nd{},=");
	label_is("\xc3\xa9", "\xc3\xa9");
	label_is("\xe9\x1b[1m", "\\\\xe9\\\\x1b[1m");
	label_is("\xc2\x9b", "\\\\x9b");
}

static void seconds(void)
{
	struct exposition x = start(false);

	x.family = &counter;
	exposition_sample(&x, "_sum");
	exposition_seconds(&x, 12900034);
	finish(&x, "x_bytes_sum 12.900034\n");
}

static const struct test tests[] = {
	{ "OpenMetrics", openmetrics },
	{ "Prometheus' format", prometheus },
	{ "labels are escaped", labels },
	{ "microseconds as seconds", seconds },
};

int main(void)
{
	return RUN_TESTS("exposition", tests);
}
