/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON writer of tools/xm-ramdisk/base/json.c. */
#include <string.h>

#include "tests/cunit.h"
#include "tools/xm-ramdisk/base/json.h"

/* json_string() must write @text as @expected. */
static void string_is(const char *text, const char *expected)
{
	char out[256] = "";
	struct json j = { .out = fmemopen(out, sizeof(out), "w") };

	CU_ASSERT_PTR_NOT_NULL_FATAL(j.out);
	json_string(&j, NULL, text);
	fclose(j.out);
	CU_ASSERT_STRING_EQUAL(out, expected);
}

static void escapes(void)
{
	string_is("", "\"\"");
	string_is("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
	string_is("\n\t\x1f\x7f", "\"\\u000a\\u0009\\u001f\\u007f\"");
	string_is(NULL, "null");
}

static void utf8_stays(void)
{
	string_is("\xc3\xa9", "\"\xc3\xa9\"");
	string_is("\xe2\x82\xac", "\"\xe2\x82\xac\"");
	string_is("\xed\x9f\xbf\xee\x80\x80", "\"\xed\x9f\xbf\xee\x80\x80\"");
	string_is("\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"");
	string_is("\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\"");
}

static void other_bytes_are_escaped(void)
{
	string_is("\xe9", "\"\\u00e9\"");
	string_is("\xe9t\xe9", "\"\\u00e9t\\u00e9\"");
	string_is("\x80\xff", "\"\\u0080\\u00ff\"");
	/* truncated; overlong; a surrogate; beyond 0x10ffff */
	string_is("\xe2\x82", "\"\\u00e2\\u0082\"");
	string_is("\xc0\xaf", "\"\\u00c0\\u00af\"");
	string_is("\xe0\x80\xaf", "\"\\u00e0\\u0080\\u00af\"");
	string_is("\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\"");
	string_is("\xf4\x90\x80\x80", "\"\\u00f4\\u0090\\u0080\\u0080\"");
	string_is("\xf8\x88\x80\x80\x80",
		  "\"\\u00f8\\u0088\\u0080\\u0080\\u0080\"");
}

/* A terminal acts on the first, and reads the second from right to left. */
static void control_characters_are_escaped(void)
{
	string_is("\xc2\x9b", "\"\\u009b\"");
	string_is("\xe2\x80\xae", "\"\\u202e\"");
}

/* A member that is no UTF-8 has its exact bytes beside it, no other has. */
static void exact_bytes(void)
{
	char out[256] = "";
	struct json j = { .out = fmemopen(out, sizeof(out), "w") };

	CU_ASSERT_PTR_NOT_NULL_FATAL(j.out);
	json_open(&j, NULL, '{');
	json_string(&j, "a", "\xc3\xa9\n");
	json_string(&j, "b", "\xc3\xa9\xe9");
	json_close(&j);
	fclose(j.out);
	CU_ASSERT_STRING_EQUAL(out, "{\n  \"a\": \"\xc3\xa9\\u000a\",\n"
				    "  \"b\": \"\xc3\xa9\\u00e9\",\n"
				    "  \"b_hex\": \"c3a9e9\"\n}");
}

static void nesting(void)
{
	char out[256] = "";
	struct json j = { .out = fmemopen(out, sizeof(out), "w") };

	CU_ASSERT_PTR_NOT_NULL_FATAL(j.out);
	json_open(&j, NULL, '{');
	json_number(&j, "n", UINT64_MAX);
	json_open(&j, "list", '[');
	json_bool(&j, NULL, true);
	json_string(&j, NULL, NULL);
	json_close(&j);
	json_open(&j, "empty", '{');
	json_close(&j);
	json_close(&j);
	fclose(j.out);
	CU_ASSERT_STRING_EQUAL(out, "{\n  \"n\": 18446744073709551615,\n"
				    "  \"list\": [\n    true,\n    null\n  ],\n"
				    "  \"empty\": {}\n}");
}

static void one_line(void)
{
	char out[256] = "";
	struct json j = { .out = fmemopen(out, sizeof(out), "w"),
			  .one_line = true };

	CU_ASSERT_PTR_NOT_NULL_FATAL(j.out);
	json_open(&j, NULL, '{');
	json_number(&j, "a", 1);
	json_open(&j, "b", '[');
	json_string(&j, NULL, "x\n");
	json_bool(&j, NULL, true);
	json_close(&j);
	json_close(&j);
	fclose(j.out);
	CU_ASSERT_STRING_EQUAL(out, "{\"a\": 1, \"b\": [\"x\\u000a\", true]}");
}

static const struct test tests[] = {
	{ "quotes, backslashes and control characters are escaped", escapes },
	{ "UTF-8 is written unchanged", utf8_stays },
	{ "bytes that are not UTF-8 are escaped", other_bytes_are_escaped },
	{ "control characters", control_characters_are_escaped },
	{ "the exact bytes can be recovered", exact_bytes },
	{ "objects and arrays", nesting },
	{ "on one line", one_line },
};

int main(void)
{
	return RUN_TESTS("json", tests);
}
