/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables against older sources, row by row: the survey of 2009 and its ten
 * changesets. And the header xen-interface.h against the tables.
 */
#include <string.h>

#include "include/xen-interface.h"
#include "tests/cunit.h"
#include "tools/xm-ramdisk/interface/table.h"

/* The survey's table: release and __XEN_LATEST_INTERFACE_VERSION__. */
static const struct {
	const char *release;
	unsigned interface;
} survey[] = {
	{ "3.0.2-2", 0x00030101 }, { "3.0.3_0", 0x00030204 },
	{ "3.0.4_1", 0x00030205 }, { "3.1.3", 0x00030205 },
	{ "3.1.4", 0x00030205 },   { "3.2.0", 0x00030207 },
	{ "3.2.1", 0x00030207 },   { "3.2.2", 0x00030207 },
	{ "3.2.3", 0x00030207 },   { "3.3.0", 0x00030209 },
	{ "3.3.1", 0x00030209 },
};

/* The survey's ten changesets in the Mercurial tree. */
static const struct {
	const char *hg;
	unsigned to;
} changesets[] = {
	{ "9512:b524714dfb66", 0x00030101 },
	{ "9868:4e0f2272fbcd", 0x00030201 },
	{ "9889:42a8e3101c6c", 0x00030202 },
	{ "11119:aff2e2b7a23b", 0x00030203 },
	{ "11257:86d26e6ec89b", 0x00030204 },
	{ "12453:bda05853cf21", 0x00030205 },
	{ "16103:ef4119637f52", 0x00030206 },
	{ "16207:aeebd173c3fa", 0x00030207 },
	{ "17027:88818d55e95a", 0x00030208 },
	{ "17983:4bdc3de246c3", 0x00030209 },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_survey(void)
{
	const struct iface_release *r;
	size_t i;

	for (i = 0; i < COUNT(survey); i++) {
		r = iface_release_find(survey[i].release);
		CU_ASSERT_PTR_NOT_NULL_FATAL(r);
		CU_ASSERT_STRING_EQUAL(r->name, survey[i].release);
		CU_ASSERT_EQUAL(r->value[IFACE_GUEST], survey[i].interface);
		CU_ASSERT_PTR_EQUAL(r, &iface_releases[i]);
	}
}

static void test_changesets(void)
{
	size_t i, hg = 0;

	for (i = 0; i < COUNT(changesets); i++) {
		CU_ASSERT_STRING_EQUAL(iface_changes[i].hg, changesets[i].hg);
		CU_ASSERT_EQUAL(iface_changes[i].to, changesets[i].to);
		if (i)
			CU_ASSERT_EQUAL(iface_changes[i].from,
					changesets[i - 1].to);
	}
	for (i = 0; i < iface_change_count; i++)
		hg += strcmp(iface_changes[i].hg, "-") != 0;
	CU_ASSERT_EQUAL(hg, COUNT(changesets));
}

static void test_find(void)
{
	static const char *const unknown[] = { "",         "3",     "3.0",
					       "4.17",     "3.4.9", "4.17.0x",
					       "RELEASE-", "-" };
	size_t i;

	CU_ASSERT_STRING_EQUAL(iface_release_find("3.0.3")->name, "3.0.3_0");
	CU_ASSERT_STRING_EQUAL(iface_release_find("3.4.0")->name, "3.4.0-rc3");
	CU_ASSERT_STRING_EQUAL(iface_release_find("4.1.6")->name, "4.1.6");
	CU_ASSERT_STRING_EQUAL(iface_release_find("4.1.6.1")->name, "4.1.6.1");
	CU_ASSERT_STRING_EQUAL(iface_release_find("RELEASE-4.17.0")->name,
			       "4.17.0");
	CU_ASSERT_STRING_EQUAL(iface_release_find("xen-4.22.0")->name,
			       "4.22.0");
	for (i = 0; i < COUNT(unknown); i++)
		CU_ASSERT_PTR_NULL(iface_release_find(unknown[i]));
}

static void test_ranges(void)
{
	char text[IFACE_RANGE_MAX];
	unsigned value = 1;

	CU_ASSERT_STRING_EQUAL(
		iface_range_text(iface_value_range(IFACE_GUEST, 0x40e00), text),
		"4.14.0 to 4.18.6");
	CU_ASSERT_STRING_EQUAL(
		iface_range_text(iface_value_range(IFACE_DOMCTL, 0xe), text),
		"4.10.0");
	CU_ASSERT_STRING_EQUAL(
		iface_range_text(iface_value_range(IFACE_GUEST, 0x30206), text),
		"none");
	CU_ASSERT_FALSE(
		iface_range_agrees(iface_line_of(4, 10), IFACE_DOMCTL, &value));
	CU_ASSERT_TRUE(
		iface_range_agrees(iface_line_of(4, 10), IFACE_GUEST, &value));
	CU_ASSERT_EQUAL(value, 0x00040900);
	CU_ASSERT_PTR_NULL(iface_line_of(4, 99).first);
}

/* The header's look-ups at run time give the values of the tool's tables. */
static void test_header(void)
{
	const struct xen_interface_release *h;
	const struct iface_release *r;
	unsigned i;

	for (i = 0; i < iface_release_count; i++) {
		r = &iface_releases[i];
		h = xen_interface_release_at(i);
		CU_ASSERT_PTR_NOT_NULL_FATAL(h);
		CU_ASSERT_STRING_EQUAL(h->release, r->name);
		CU_ASSERT_EQUAL(h->interface, r->value[IFACE_GUEST]);
		CU_ASSERT_EQUAL(xen_interface_of(r->name), h->interface);
		CU_ASSERT_EQUAL(xen_domctl_of(r->name), r->value[IFACE_DOMCTL]);
		CU_ASSERT_EQUAL(xen_sysctl_of(r->name), r->value[IFACE_SYSCTL]);
		CU_ASSERT_PTR_NOT_NULL(xen_interface_releases(h->interface));
	}
	CU_ASSERT_PTR_NULL(xen_interface_release_at(i));
	CU_ASSERT_PTR_NULL(xen_interface_releases(0x12345678));
	CU_ASSERT_EQUAL(xen_interface_of("9.9.9"), 0);
	CU_ASSERT_STRING_EQUAL(xen_interface_releases(0x40e00),
			       XEN_INTERFACE_RELEASES(0x00040e00));
	CU_ASSERT_STRING_EQUAL(xen_interface_releases(0x30206),
			       "in no release");
}

/* The look-ups in the preprocessor: this file compiles only if they are right. */
#if XEN_INTERFACE_OF(4, 11, 3) != 0x00040901 ||                             \
	XEN_DOMCTL_OF(4, 10, 0) != 0xe || XEN_DOMCTL_OF(4, 10, 1) != 0xf || \
	XEN_SYSCTL_OF(4, 22, 0) != 0x16 ||                                  \
	XEN_INTERFACE_NEWEST != 0x00041300 ||                               \
	XEN_INTERFACE_V_00040901 != 0x00040901
#error "the look-ups of xen-interface.h are wrong"
#endif

/* Each value of a release, and each value before a change, was made by a change. */
static void test_changes(void)
{
	size_t i, j, found;

	for (i = 0; i < iface_release_count; i++) {
		for (found = j = 0; j < iface_change_count; j++)
			found += iface_changes[j].to ==
				 iface_releases[i].value[IFACE_GUEST];
		CU_ASSERT_TRUE(found > 0);
	}
	for (i = 1; i < iface_change_count; i++) {
		for (found = j = 0; j < iface_change_count; j++)
			found += iface_changes[j].to == iface_changes[i].from;
		CU_ASSERT_TRUE(found > 0);
	}
}

static const struct test tests[] = {
	{ "the survey of 2009, row by row", test_survey },
	{ "the survey's ten changesets", test_changesets },
	{ "a release by each of its names", test_find },
	{ "ranges of releases", test_ranges },
	{ "the header's look-ups against the tables", test_header },
	{ "every value has the change that made it", test_changes },
};

int main(void)
{
	return RUN_TESTS("interface-table", tests);
}
