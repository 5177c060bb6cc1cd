/* SPDX-License-Identifier: BSD-2-Clause */
/* Names, commands and sizes for people: tools/xm-ramdisk/base/text.c. */
#include <stdlib.h>
#include <string.h>

#include "include/private/text.h"
#include "tests/cunit.h"
#include "tools/xm-ramdisk/base/text.h"

static void names(void)
{
	static const struct {
		const char *name, *shown;
	} t[] = {
		{ "", "" },
		{ "/images/a b\\c.img", "/images/a b\\c.img" },
		{ "a\nb\tc", "a\\nb\\x09c" },
		{ "\033[31mred\x7f", "\\x1b[31mred\\x7f" },
		{ "\xc3\xa9\xe2\x82\xac", "\xc3\xa9\xe2\x82\xac" },
		{ "\xe9t\xe9", "\\xe9t\\xe9" },
		{ "\xe2\x82", "\\xe2\\x82" },
		{ "\xc2\x9b", "\\xc2\\x9b" }, /* CSI of C1 */
		{ "\xe2\x80\xae"
		  "gmi",
		  "\\xe2\\x80\\xaegmi" }, /* right to left */
		{ "\xe2\x80\xa8", "\\xe2\\x80\\xa8" }, /* a line separator */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* a surrogate */
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		CU_ASSERT_STRING_EQUAL(text_shown(t[i].name), t[i].shown);
		/* a second time changes nothing */
		CU_ASSERT_STRING_EQUAL(text_shown(t[i].shown), t[i].shown);
	}
}

/* No buffer is overrun, and no character or escape is cut. */
static void long_names(void)
{
	char to[9], *name = malloc(200001);

	CU_ASSERT_EQUAL(text_escape("abc\xe2\x82\xac\x1b", to, 9), 6);
	CU_ASSERT_STRING_EQUAL(to, "abc\xe2\x82\xac");
	CU_ASSERT_EQUAL(text_escape("abcde\xe2\x82\xac", to, 8), 5);
	memset(name, '\'', 200000);
	name[200000] = 0;
	CU_ASSERT_TRUE(strlen(text_shown(name)) > 4096);
	CU_ASSERT_TRUE(strlen(text_quoted(name)) > 4096);
	name[0] = '\033';
	CU_ASSERT_TRUE(strlen(text_quoted(name)) > 4096);
	memset(name, 0xff, 200000);
	CU_ASSERT_TRUE(strlen(text_quoted(name)) > 4096);
	CU_ASSERT_TRUE(strlen(text_column(name, 1000000)) > 4096);
	free(name);
}

/* A size as people write it. */
static void parsed_sizes(void)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "64k", 64 << 10 },
		{ "256M", 256 << 20 },
		{ "3g", (uint64_t)3 << 30 },
		{ "8388607T", (uint64_t)8388607 << 40 },
		{ "9223372036854775807", INT64_MAX },
	};
	static const char *const bad[] = {
		"",
		"-1",
		"+1",
		" 1",
		"1 ",
		"M",
		"1MM",
		"1MiB",
		"1P",
		"0x10",
		"8388608T",
		"9223372036854775808",
		"99999999999999999999",
	};
	uint64_t bytes;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		bytes = 1;
		CU_ASSERT_TRUE(text_parse_size(good[i].text, &bytes));
		CU_ASSERT_EQUAL(bytes, good[i].bytes);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_FALSE(text_parse_size(bad[i], &bytes));
}

static void columns(void)
{
	CU_ASSERT_STRING_EQUAL(text_column("ab", 4), "ab  ");
	CU_ASSERT_STRING_EQUAL(text_column("abcdef", 4), "abcd");
	CU_ASSERT_STRING_EQUAL(text_column("\xc3\xa9\xc3\xa9\xc3\xa9", 2),
			       "\xc3\xa9\xc3\xa9");
	CU_ASSERT_STRING_EQUAL(text_column("\xc3\xa9", 3), "\xc3\xa9  ");
	CU_ASSERT_STRING_EQUAL(text_column("a\nb\033", 5), "a\\nb ");
}

static void quoting(void)
{
	CU_ASSERT_STRING_EQUAL(text_quoted("/images/a-b_c.img,thin"),
			       "/images/a-b_c.img,thin");
	CU_ASSERT_STRING_EQUAL(text_quoted(""), "''");
	CU_ASSERT_STRING_EQUAL(text_quoted("a b"), "'a b'");
	CU_ASSERT_STRING_EQUAL(text_quoted("~"), "'~'");
	CU_ASSERT_STRING_EQUAL(text_quoted("it's $x"), "'it'\\''s $x'");
	CU_ASSERT_STRING_EQUAL(text_quoted("a\n'\\\xff"),
			       "$'a\\n\\'\\\\\\xff'");
}

static void sizes(void)
{
	static const struct {
		uint64_t bytes;
		const char *shown;
	} t[] = {
		{ 0, "0 bytes" },
		{ 1, "1 byte" },
		{ 512, "512 bytes" },
		{ 1023, "1023 bytes" },
		{ 1024, "1 KiB" },
		{ 4096, "4 KiB" },
		{ 1536, "1.5 KiB" },
		{ 3000320, "2.9 MiB" },
		{ (16 << 20) + 1, "16.0 MiB" },
		{ (1 << 20) - 1, "1.0 MiB" },
		{ (uint64_t)10 << 40, "10 TiB" },
		{ (uint64_t)1 << 60, "1 EiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		CU_ASSERT_STRING_EQUAL(text_size(t[i].bytes), t[i].shown);
}

static const struct test tests[] = {
	{ "names for a terminal", names },
	{ "names that do not fit", long_names },
	{ "columns of characters", columns },
	{ "words for a shell", quoting },
	{ "sizes", sizes },
	{ "sizes that people wrote", parsed_sizes },
};

int main(void)
{
	return RUN_TESTS("text", tests);
}
