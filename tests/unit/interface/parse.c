/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parsers of headers, tar archives and ELF files: what they accept, what
 * they refuse, and that mutations of good input do no harm. Built with
 * SAN=address,undefined this is a small fuzzer; `make fuzz` is a large one.
 */
#include <errno.h>

#include "tests/cunit.h"
#include "tests/fuzz/interface.h"

#define COMPAT "#define __XEN_LATEST_INTERFACE_VERSION__ 0x00040e00\n"
#define DOMCTL "#define XEN_DOMCTL_INTERFACE_VERSION 0x00000015\n"
#define SYSCTL "#define XEN_SYSCTL_INTERFACE_VERSION 0x00000015\n"

static bool parse(struct iface_facts *facts, const char *text)
{
	memset(facts, 0, sizeof(*facts));
	return iface_header_parse(facts, text, strlen(text));
}

static void test_header(void)
{
	static const char *const same[] = {
		COMPAT,
		"#define __XEN_LATEST_INTERFACE_VERSION__ 0x00040E00",
		"  #  define\t__XEN_LATEST_INTERFACE_VERSION__\t(0x00040e00UL)\n",
		"/* #define __XEN_LATEST_INTERFACE_VERSION__ 1 */" COMPAT,
		"// #define __XEN_LATEST_INTERFACE_VERSION__ 1\n" COMPAT,
		"#define __XEN_LATEST_INTERFACE_VERSION__ \\\n 0x00040e00 /* x */",
		"#define __XEN_LATEST_INTERFACE_VERSION__/**/0x00040e00\r\n",
		COMPAT "#define __XEN_LATEST_INTERFACE_VERSION__ 0x1\n",
	};
	struct iface_facts facts;
	size_t i;

	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		CU_ASSERT_TRUE(parse(&facts, same[i]));
		CU_ASSERT_EQUAL(facts.value[IFACE_GUEST], 0x40e00);
		CU_ASSERT_FALSE(facts.known[IFACE_DOMCTL]);
	}
}

static void test_no_header(void)
{
	static const char *const none[] = {
		"",
		"\n",
		"#",
		"#define",
		"/*",
		"/*/",
		"//",
		"\\",
		"\\\n",
		"#define __XEN_LATEST_INTERFACE_VERSION__",
		"#define __XEN_LATEST_INTERFACE_VERSION__ 0x100000000",
		"#define __XEN_LATEST_INTERFACE_VERSION__ 0x40e00q",
		"#define __XEN_LATEST_INTERFACE_VERSION__ other",
		"#define __XEN_LATEST_INTERFACE_VERSION__ ((((",
		"#undef __XEN_LATEST_INTERFACE_VERSION__ 0x40e00",
		"x #define __XEN_LATEST_INTERFACE_VERSION__ 0x40e00",
		"#define __XEN_LATEST_INTERFACE_VERSION__x 0x40e00",
		"/* " COMPAT,
	};
	struct iface_facts facts;
	size_t i;

	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		CU_ASSERT_FALSE(parse(&facts, none[i]));
}

static void test_makefile(void)
{
	static const char text[] = "export XEN_VERSION       = 4\n"
				   "export XEN_SUBVERSION    = 17\n"
				   "export XEN_EXTRAVERSION ?= .7$(VENDOR)\n";
	struct iface_facts facts = { 0 };

	CU_ASSERT_TRUE(iface_makefile_parse(&facts, text, strlen(text)));
	CU_ASSERT_STRING_EQUAL(facts.release, "4.17.7");
	CU_ASSERT_FALSE(iface_makefile_parse(&facts, "XEN_VERSION = x\n", 16));
}

/* ---- archives -------------------------------------------------------------- */

struct tarball {
	unsigned char data[65536];
	size_t len;
};

static void member(struct tarball *t, const char *name, char type,
		   const char *content, const char *size)
{
	unsigned char *h = t->data + t->len;
	size_t len = strlen(content), i;
	unsigned sum = 0;
	char octal[24];

	memset(h, 0, 512);
	snprintf((char *)h, 100, "%s", name);
	snprintf(octal, sizeof(octal), "%011zo", len);
	memcpy(h + 124, size ? size : octal, 12);
	h[156] = (unsigned char)type;
	memcpy(h + 257,
	       "ustar\0"
	       "00",
	       8);
	memset(h + 148, ' ', 8);
	for (i = 0; i < 512; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
	memset(h + 512, 0, (len + 511) / 512 * 512);
	memcpy(h + 512, content, len);
	t->len += 512 + (len + 511) / 512 * 512;
}

static int read_tar(const struct tarball *t, size_t len,
		    struct iface_facts *facts)
{
	struct bytes b = { t->data, len, 0 };

	memset(facts, 0, sizeof(*facts));
	return iface_tar_read(facts, read_bytes, &b);
}

static void test_tar(void)
{
	struct tarball t = { .len = 0 };
	struct iface_facts facts;

	member(&t, "xen-4.17.7/README", '0', "text", NULL);
	member(&t, "xen-4.17.7/tools/include/xen/xen-compat.h", '0',
	       "#define __XEN_LATEST_INTERFACE_VERSION__ 0x00000001\n", NULL);
	member(&t, "xen-4.17.7/xen/include/public/xen-compat.h", '0', COMPAT,
	       NULL);
	member(&t, "xen-4.17.7/xen/include/public/domctl.h", '\0', DOMCTL,
	       NULL);
	member(&t, "././@LongLink", 'L',
	       "./xen-4.17.7/xen/include/public/sysctl.h", NULL);
	member(&t, "cut", '0', SYSCTL, NULL);
	memset(t.data + t.len, 0, 1024);
	CU_ASSERT_EQUAL(read_tar(&t, t.len + 1024, &facts), 0);
	CU_ASSERT_EQUAL(facts.value[IFACE_GUEST], 0x40e00);
	CU_ASSERT_EQUAL(facts.value[IFACE_DOMCTL], 0x15);
	CU_ASSERT_EQUAL(facts.value[IFACE_SYSCTL], 0x15);
}

static void test_tar_pax(void)
{
	struct tarball t = { .len = 0 };
	struct iface_facts facts;

	member(&t, "pax", 'x',
	       "49 path=xen-4.17/xen/include/public/xen-compat.h\n", NULL);
	member(&t, "short", '0', COMPAT, NULL);
	memset(t.data + t.len, 0, 1024);
	CU_ASSERT_EQUAL(read_tar(&t, t.len + 1024, &facts), 0);
	CU_ASSERT_EQUAL(facts.value[IFACE_GUEST], 0x40e00);
}

/* Links, devices and deep paths are skipped; damaged archives are refused. */
static void test_tar_hostile(void)
{
	static const char types[] = { '1', '2', '3', '4', '5', '6' };
	struct iface_facts facts;
	struct tarball t;
	size_t i;

	for (i = 0; i < sizeof(types); i++) {
		t.len = 0;
		member(&t, "x/xen/include/public/xen-compat.h", types[i], "",
		       NULL);
		CU_ASSERT_EQUAL(read_tar(&t, t.len, &facts), 0);
		CU_ASSERT_FALSE(facts.known[IFACE_GUEST]);
	}
	t.len = 0;
	member(&t, "../../../../../../xen/include/public/xen-compat.h", '0',
	       COMPAT, NULL);
	CU_ASSERT_EQUAL(read_tar(&t, t.len, &facts), 0);
	CU_ASSERT_FALSE(facts.known[IFACE_GUEST]);
	t.len = 0;
	member(&t, "x", '0', "", "77777777777");
	CU_ASSERT_EQUAL(read_tar(&t, t.len, &facts), -EFBIG);
	t.len = 0;
	member(&t, "x", '0', "",
	       "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
	CU_ASSERT_EQUAL(read_tar(&t, t.len, &facts), -EINVAL);
	t.len = 0;
	member(&t, "x/xen/include/public/xen-compat.h", '0', COMPAT, NULL);
	CU_ASSERT_EQUAL(read_tar(&t, 700, &facts), -EBADMSG);
	CU_ASSERT_EQUAL(read_tar(&t, 100, &facts), -EINVAL);
	CU_ASSERT_EQUAL(read_tar(&t, 0, &facts), -EINVAL);
	t.data[0] ^= 1; /* makes the checksum wrong */
	CU_ASSERT_EQUAL(read_tar(&t, t.len, &facts), -EINVAL);
}

struct endless {
	struct tarball t;
	uint64_t given;
};

static long read_endless(void *arg, void *buf, size_t len)
{
	struct endless *e = arg;
	size_t at = (size_t)(e->given % e->t.len);
	size_t n = e->t.len - at < len ? e->t.len - at : len;

	memcpy(buf, e->t.data + at, n);
	e->given += n;
	return (long)n;
}

/* An endless archive is refused at the limit of members, with little memory. */
static void test_tar_endless(void)
{
	struct endless e = { .given = 0 };
	struct iface_facts facts = { 0 };

	member(&e.t, "x", '0', "", NULL);
	CU_ASSERT_EQUAL(iface_tar_read(&facts, read_endless, &e), -EFBIG);
	CU_ASSERT_TRUE(e.given <= (IFACE_TAR_MEMBERS + 2ull) * 512);
}

/* ---- mutations ------------------------------------------------------------- */

static unsigned seed = 1;

static unsigned next_random(void)
{
	seed = seed * 1103515245u + 12345u;
	return seed >> 8;
}

static void mutate(const unsigned char *good, size_t len, unsigned rounds,
		   void (*fuzz)(const unsigned char *data, size_t len))
{
	unsigned char *copy = malloc(len);
	unsigned i, n;

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	for (i = 0; i < rounds; i++) {
		memcpy(copy, good, len);
		for (n = next_random() % 8; n; n--)
			copy[next_random() % len] =
				(unsigned char)next_random();
		fuzz(copy, i % 4 ? len : next_random() % len);
	}
	free(copy);
	CU_PASS("no crash");
}

static void test_mutations(void)
{
	static const char text[] = COMPAT
		"/* c */ " DOMCTL SYSCTL
		"export XEN_VERSION = 4\nexport XEN_SUBVERSION = 17\n";
	static unsigned char self[1 << 20];
	struct tarball t = { .len = 0 };
	FILE *f = fopen("/proc/self/exe", "r");
	size_t n = f ? fread(self, 1, sizeof(self), f) : 0;

	if (f)
		fclose(f);
	mutate((const unsigned char *)text, sizeof(text), 20000, fuzz_header);
	member(&t, "././@LongLink", 'L', "a/xen/include/public/domctl.h", NULL);
	member(&t, "b", '0', DOMCTL, NULL);
	member(&t, "p", 'x', "36 path=xen/include/public/sysctl.h\n", NULL);
	member(&t, "c", '0', SYSCTL, NULL);
	mutate(t.data, t.len, 20000, fuzz_tar);
	CU_ASSERT_TRUE_FATAL(iface_is_elf(self, n));
	mutate(self, 4096, 5000, fuzz_elf);
}

static const struct test tests[] = {
	{ "headers", test_header },
	{ "text that is no header", test_no_header },
	{ "the release in xen/Makefile", test_makefile },
	{ "a tar archive", test_tar },
	{ "names in pax headers", test_tar_pax },
	{ "hostile tar archives", test_tar_hostile },
	{ "a tar archive without end", test_tar_endless },
	{ "mutations do no harm", test_mutations },
};

int main(void)
{
	return RUN_TESTS("interface-parse", tests);
}
