/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules by which software built for one Xen works on another. No I/O and
 * no state; any thread may call. The numbers promise different things:
 *
 *   guest interface  a number of the source code. The hypervisor never sees
 *                    it, and the ABI only grows.
 *   domctl, sysctl   numbers that the hypervisor compares at every call. They
 *                    must be equal.
 *
 * Each answer has the name of its rule, which docs/xm-ramdisk-interface.8
 * explains. The source of the rules: xen-compat.h, domctl.c and sysctl.c of Xen.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/xm-ramdisk/interface/compare.h"

/* From this line on, tools call some ("stable") domctls with version 0. */
#define STABLE_MAJOR 4
#define STABLE_MINOR 21
/* The first interface without the headers of the ACM security module. */
#define ACM_REMOVED 0x00040200u

const char *iface_verdict_name(enum iface_verdict verdict)
{
	switch (verdict) {
	case IFACE_COMPATIBLE:
		return "compatible";
	case IFACE_WARN:
		return "compatible with a warning";
	case IFACE_INCOMPATIBLE:
		return "incompatible";
	case IFACE_UNKNOWN:
		break;
	}
	return "not compared";
}

__attribute__((format(printf, 4, 5))) static void
answer(struct iface_answer *a, enum iface_verdict verdict, const char *rule,
       const char *why, ...)
{
	va_list ap;

	a->verdict = verdict;
	a->rule = rule;
	va_start(ap, why);
	vsnprintf(a->why, sizeof(a->why), why, ap);
	va_end(ap);
}

/* Whether release @r is of a line before MAJOR.MINOR. */
static bool is_before(const struct iface_release *r, unsigned major,
		      unsigned minor)
{
	return r->major < major || (r->major == major && r->minor < minor);
}

/* Whether both sides have a value for @call. If not, sets *a: not compared. */
static bool both_known(const struct iface_check *c, enum iface_call call,
		       struct iface_answer *a)
{
	const struct iface_facts *lacking = c->built.known[call] ? &c->on
								 : &c->built;

	if (c->built.known[call] && c->on.known[call])
		return true;
	answer(a, IFACE_UNKNOWN, "not-compared",
	       "the %s version of %.200s is not known", iface_call_name(call),
	       lacking->name);
	return false;
}

/*
 * The change that value @asked has and the greater value @latest lacks, or
 * NULL. Values are not ordered across branches: a stable branch that takes a
 * change from master gets a value of its own, and other releases have a greater
 * value without the change.
 */
static const struct iface_change *change_lacked(unsigned asked, unsigned latest)
{
	const struct iface_change *c = NULL;
	size_t i;

	for (i = 0; i < iface_change_count; i++)
		if (iface_changes[i].to == asked && iface_changes[i].master)
			c = &iface_changes[i];
	if (!c || latest <= asked || latest >= c->master)
		return NULL;
	for (i = 0; i < iface_change_count; i++)
		if (iface_changes[i].to == latest &&
		    iface_changes[i].master == c->master)
			return NULL;
	return c;
}

static void compare_guest(struct iface_check *c)
{
	struct iface_answer *a = &c->call[IFACE_GUEST];
	unsigned v = c->built.value[IFACE_GUEST], l = c->on.value[IFACE_GUEST];
	const struct iface_change *change = change_lacked(v, l);

	if (!both_known(c, IFACE_GUEST, a))
		return;
	if (v > l)
		answer(a, IFACE_WARN, "guest-newer",
		       "built for 0x%08x, and the hypervisor has the older "
		       "0x%08x: it runs, since the hypervisor never sees the "
		       "number, but must probe for newer calls "
		       "(XENVER_get_features, -ENOSYS)",
		       v, l);
	else if (change)
		answer(a, IFACE_WARN, "guest-not-ordered",
		       "only %s has 0x%08x; 0x%08x is greater and lacks "
		       "its change: %s",
		       change->branch, v, l, change->why);
	else if (v == l)
		answer(a, IFACE_COMPATIBLE, "guest-same", "0x%08x on both", v);
	else
		answer(a, IFACE_COMPATIBLE, "guest-older",
		       "built for 0x%08x, and the newer 0x%08x keeps the "
		       "older calls",
		       v, l);
}

static void compare_source(struct iface_check *c)
{
	struct iface_answer *a = &c->source;
	unsigned v = c->built.value[IFACE_GUEST], l = c->on.value[IFACE_GUEST];
	const struct iface_change *change = change_lacked(v, l);

	if (!both_known(c, IFACE_GUEST, a))
		return;
	if (v > l)
		answer(a, IFACE_INCOMPATIBLE, "source-newer",
		       "code that asks for 0x%08x stops at the #error of "
		       "xen-compat.h: the newest that these headers have is "
		       "0x%08x",
		       v, l);
	else if (change)
		answer(a, IFACE_INCOMPATIBLE, "source-not-ordered",
		       "these headers accept 0x%08x, and lack a change that "
		       "only %s has: %s",
		       v, change->branch, change->why);
	else if (v < ACM_REMOVED && l >= ACM_REMOVED)
		answer(a, IFACE_WARN, "source-removed",
		       "code that asks for 0x%08x gets the old forms, but the "
		       "ACM headers were removed in 4.2",
		       v);
	else
		answer(a, IFACE_COMPATIBLE, "source-older",
		       "code that asks for 0x%08x gets the forms of that "
		       "version from headers that have 0x%08x",
		       v, l);
}

/* Whether both sides are of one line, as 4.10.0 and 4.10.1 are. */
static bool same_line(const struct iface_check *c)
{
	const struct iface_release *b = c->built.range.first;
	const struct iface_release *o = c->on.range.first;

	return b && o && b->major == o->major && b->minor == o->minor &&
	       !is_before(b, c->built.range.last->major,
			  c->built.range.last->minor) &&
	       !is_before(o, c->on.range.last->major, c->on.range.last->minor);
}

/* Whether its tools call stable domctls with version 0. */
static bool has_stable_domctls(const struct iface_facts *f)
{
	return f->range.first &&
	       !is_before(f->range.first, STABLE_MAJOR, STABLE_MINOR);
}

/* The answer for two control versions that differ. */
static void answer_different(struct iface_check *c, enum iface_call call)
{
	struct iface_answer *a = &c->call[call];
	unsigned b = c->built.value[call], o = c->on.value[call];
	const char *name = iface_call_name(call);

	if (!b || !o)
		answer(a, IFACE_INCOMPATIBLE, "control-dom0-ops",
		       "one side is older than 3.0.3, and has dom0_ops in "
		       "place of %s",
		       name);
	else if (same_line(c))
		answer(a, IFACE_INCOMPATIBLE, "control-point-release",
		       "%s changed from 0x%x to 0x%x within %u.%u: the "
		       "hypervisor answers -EACCES; rebuild the tools for it",
		       name, b, o, c->on.range.first->major,
		       c->on.range.first->minor);
	else
		answer(a, IFACE_INCOMPATIBLE, "control-exact",
		       "built for %s 0x%x, and the hypervisor accepts only "
		       "0x%x: every %s fails with -EACCES%s",
		       name, b, o, name,
		       call == IFACE_DOMCTL && has_stable_domctls(&c->built) &&
				       has_stable_domctls(&c->on)
			       ? ", except the stable ones of 4.21"
			       : "");
}

static void compare_control(struct iface_check *c, enum iface_call call)
{
	struct iface_answer *a = &c->call[call];
	const struct iface_range *b = &c->built.range, *o = &c->on.range;
	const char *name = iface_call_name(call);

	if (!both_known(c, call, a))
		return;
	if (c->built.value[call] != c->on.value[call])
		answer_different(c, call);
	else if (call == IFACE_DOMCTL && has_stable_domctls(&c->built) &&
		 o->last && is_before(o->last, STABLE_MAJOR, STABLE_MINOR))
		answer(a, IFACE_WARN, "control-stable",
		       "0x%x on both, but tools of 4.21 and later call the "
		       "stable domctls with version 0, which %s refuses with "
		       "-EACCES",
		       c->on.value[call], c->on.name);
	else if (b->first && o->last &&
		 is_before(o->last, b->first->major, b->first->minor))
		answer(a, IFACE_WARN, "control-additions",
		       "0x%x on both, but %s may use calls and fields that were "
		       "added without a new number",
		       c->on.value[call], c->built.name);
	else if (!c->on.value[call])
		answer(a, IFACE_COMPATIBLE, "control-equal",
		       "both are older than 3.0.3, and have dom0_ops");
	else
		answer(a, IFACE_COMPATIBLE, "control-equal", "%s 0x%x on both",
		       name, c->on.value[call]);
}

/* Answer @a, number @at, counts for the verdict. */
static void count_answer(struct iface_check *c, const struct iface_answer *a,
			 int at)
{
	if (a->verdict <= c->verdict)
		return;
	c->verdict = a->verdict;
	c->decided = at;
}

void iface_compare(struct iface_check *c, unsigned count)
{
	compare_guest(c);
	compare_control(c, IFACE_DOMCTL);
	compare_control(c, IFACE_SYSCTL);
	compare_source(c);
	c->verdict = IFACE_UNKNOWN;
	c->decided = -1;
	if (count & IFACE_COUNT_GUEST)
		count_answer(c, &c->call[IFACE_GUEST], IFACE_GUEST);
	if (count & IFACE_COUNT_TOOLS) {
		count_answer(c, &c->call[IFACE_DOMCTL], IFACE_DOMCTL);
		count_answer(c, &c->call[IFACE_SYSCTL], IFACE_SYSCTL);
	}
	if (count & IFACE_COUNT_SOURCE)
		count_answer(c, &c->source, IFACE_CALLS);
}
