/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of tools/xm-ramdisk/interface/compare.c against a second statement
 * of them in this file, which reads versions.tsv with a parser of its own and
 * has the exceptions written out. Every pair of releases goes through both.
 */
#include <string.h>

#include "tests/cunit.h"
#include "tools/xm-ramdisk/interface/compare.h"
#include "tools/xm-ramdisk/interface/side.h"

#define RELEASES_MAX 512
#define DATA "tools/xm-ramdisk/interface/versions.tsv"

struct row {
	char name[32];
	unsigned guest, domctl, sysctl;
	unsigned line; /* 4.17 is 417 */
};

static struct row rows[RELEASES_MAX];
static size_t count;

static void read_data(void)
{
	char text[512], domctl[16], sysctl[16];
	FILE *f = fopen(DATA, "r");
	unsigned major, minor;
	struct row *r;

	if (!f || !fgets(text, sizeof(text), f))
		exit(1);
	for (r = rows; fgets(text, sizeof(text), f); r++) {
		if (sscanf(text, "%31s %*s %x %15s %15s", r->name, &r->guest,
			   domctl, sysctl) != 4 ||
		    ++count == RELEASES_MAX)
			exit(1);
		r->domctl = (unsigned)strtoul(domctl, NULL, 16);
		r->sysctl = (unsigned)strtoul(sysctl, NULL, 16);
		sscanf(r->name, "%u.%u", &major, &minor);
		r->line = major * 100 + minor;
	}
	fclose(f);
}

/* c: compatible, w: with a warning, i: incompatible. */
static char guest_rule(const struct row *b, const struct row *o)
{
	if (b->guest > o->guest)
		return 'w';
	/* ext_lfb_base is in 4.11.3 and 4.11.4, and not in 4.12.0 and 4.12.1. */
	if (!strcmp(b->name, "4.11.3") || !strcmp(b->name, "4.11.4"))
		return !strcmp(o->name, "4.12.0") || !strcmp(o->name, "4.12.1")
			       ? 'w'
			       : 'c';
	return 'c';
}

static char control_rule(unsigned b, unsigned o, const struct row *built,
			 const struct row *on)
{
	if (b != o)
		return 'i';
	/* This also covers tools of 4.21 on 4.20, whose stable domctls differ. */
	return built->line > on->line ? 'w' : 'c';
}

static char source_rule(const struct row *b, const struct row *o)
{
	if (b->guest > o->guest || guest_rule(b, o) == 'w')
		return 'i';
	return b->line < 402 && o->line >= 402 ? 'w' : 'c';
}

static char letter(enum iface_verdict verdict)
{
	return "?cwi"[verdict];
}

static char worse(char a, char b)
{
	return strchr("cwi", a) > strchr("cwi", b) ? a : b;
}

static void compare(struct iface_check *c, const char *built, const char *on,
		    unsigned what)
{
	struct rd_error err = { "" };

	CU_ASSERT_EQUAL_FATAL(iface_facts_parse(&c->built, built, &err), 0);
	CU_ASSERT_EQUAL_FATAL(iface_facts_parse(&c->on, on, &err), 0);
	iface_compare(c, what);
}

static bool pair_agrees(const struct row *b, const struct row *o)
{
	struct iface_check c;
	char guest = guest_rule(b, o);
	char domctl = control_rule(b->domctl, o->domctl, b, o);
	char sysctl = control_rule(b->sysctl, o->sysctl, b, o);

	compare(&c, b->name, o->name, IFACE_COUNT_GUEST | IFACE_COUNT_TOOLS);
	return letter(c.call[IFACE_GUEST].verdict) == guest &&
	       letter(c.call[IFACE_DOMCTL].verdict) == domctl &&
	       letter(c.call[IFACE_SYSCTL].verdict) == sysctl &&
	       letter(c.source.verdict) == source_rule(b, o) &&
	       letter(c.verdict) == worse(guest, worse(domctl, sysctl)) &&
	       c.call[IFACE_DOMCTL].why[0] && c.call[IFACE_GUEST].rule[0];
}

static void test_pairs(void)
{
	size_t i, j, pairs = 0, wrong = 0;

	CU_ASSERT_EQUAL(count, iface_release_count);
	for (i = 0; i < count; i++)
		for (j = 0; j < count; j++, pairs++) {
			if (pair_agrees(&rows[i], &rows[j]))
				continue;
			if (wrong++ < 10)
				printf("# %s on %s\n", rows[i].name,
				       rows[j].name);
		}
	printf("# %zu pairs\n", pairs);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(pairs, iface_release_count * iface_release_count);
}

/* Each rule, with a pair of sides whose verdict it decides. */
static void test_rules(void)
{
	static const struct {
		const char *built, *on, *rule;
		unsigned what;
		char verdict;
	} want[] = {
		{ "4.10.0", "4.10.1", "control-point-release", 2, 'i' },
		{ "4.10.1", "4.10.0", "control-point-release", 2, 'i' },
		{ "4.17.0", "4.17.7", "control-equal", 2, 'c' },
		{ "4.17.0", "4.18.0", "control-exact", 2, 'i' },
		{ "4.21.0", "4.20.0", "control-exact", 2, 'i' },
		{ "4.20.0", "4.19.0", "control-additions", 2, 'w' },
		{ "4.19.0", "4.20.0", "control-equal", 2, 'c' },
		{ "3.0.2-2", "3.0.3_0", "control-dom0-ops", 2, 'i' },
		{ "3.0.2-2", "3.0.2-2", "control-equal", 2, 'c' },
		{ "4.17.0", "4.17.0", "guest-same", 1, 'c' },
		{ "4.0.0", "4.22.0", "guest-older", 1, 'c' },
		{ "4.22.0", "4.0.0", "guest-newer", 1, 'w' },
		{ "4.11.3", "4.12.0", "guest-not-ordered", 1, 'w' },
		{ "4.11.3", "4.12.2", "guest-older", 1, 'c' },
		{ "4.12.0", "4.11.3", "guest-newer", 1, 'w' },
		{ "4.5.1", "4.6.0", "guest-older", 1, 'c' },
		{ "4.22.0", "4.0.0", "source-newer", 4, 'i' },
		{ "4.11.3", "4.12.0", "source-not-ordered", 4, 'i' },
		{ "4.1.0", "4.2.0", "source-removed", 4, 'w' },
		{ "4.2.0", "4.22.0", "source-older", 4, 'c' },
		{ "0x00040e00", "4.22.0", "guest-older", 3, 'c' },
		{ "0x00041300", "4.17", "guest-newer", 3, 'w' },
		{ "4.10", "4.11", "control-exact", 2, 'i' },
	};
	struct iface_check c;
	size_t i;

	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		compare(&c, want[i].built, want[i].on, want[i].what);
		CU_ASSERT_EQUAL_FATAL(c.decided >= 0, true);
		CU_ASSERT_EQUAL(letter(c.verdict), want[i].verdict);
		CU_ASSERT_STRING_EQUAL(c.decided == IFACE_CALLS
					       ? c.source.rule
					       : c.call[c.decided].rule,
				       want[i].rule);
	}
}

/* 4.21 on 4.20: sysctl decides, and domctl has an answer of its own. */
static void test_stable(void)
{
	struct iface_check c;

	compare(&c, "4.21.0", "4.20.0", IFACE_COUNT_TOOLS);
	CU_ASSERT_STRING_EQUAL(c.call[IFACE_DOMCTL].rule, "control-stable");
	CU_ASSERT_EQUAL(c.call[IFACE_DOMCTL].verdict, IFACE_WARN);
	CU_ASSERT_EQUAL(c.decided, IFACE_SYSCTL);
}

/* A value that is not known is not compared. */
static void test_unknown(void)
{
	struct iface_check c;

	compare(&c, "0x00040e00", "4.17.0", IFACE_COUNT_TOOLS);
	CU_ASSERT_EQUAL(c.decided, -1);
	CU_ASSERT_EQUAL(c.call[IFACE_DOMCTL].verdict, IFACE_UNKNOWN);
	compare(&c, "4.10", "4.10.1", IFACE_COUNT_TOOLS);
	CU_ASSERT_EQUAL(c.call[IFACE_DOMCTL].verdict, IFACE_UNKNOWN);
	CU_ASSERT_EQUAL(c.call[IFACE_SYSCTL].verdict, IFACE_COMPATIBLE);
}

static void test_sides(void)
{
	static const char *const bad[] = {
		"",        "4.99.0",       "4.17.99",     "0x",
		"0x1",     "0x15",         "0x1ffffffff", "0x40e0z",
		"nowhere", "/nonexistent", "/dev/null",   "9.9.9",
	};
	struct iface_facts facts;
	struct rd_error err;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.text[0] = '\0';
		CU_ASSERT_NOT_EQUAL(iface_facts_parse(&facts, bad[i], &err), 0);
		CU_ASSERT_NOT_EQUAL(err.text[0], '\0');
	}
}

static const struct test tests[] = {
	{ "every pair of releases, by two statements of the rules",
	  test_pairs },
	{ "each rule by name", test_rules },
	{ "the stable domctls of 4.21", test_stable },
	{ "values that are not known are not compared", test_unknown },
	{ "arguments that name no side", test_sides },
};

int main(void)
{
	read_data();
	return RUN_TESTS("interface-compare", tests);
}
