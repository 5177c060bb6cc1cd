/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules by which one Xen fits another. Two different promises: the guest
 * interface is a number of the source, and the ABI behind it only grows; the
 * control interfaces (domctl, sysctl) are compared by the hypervisor and must
 * be equal. Pure: no I/O, no state.
 *
 * Each answer carries its rule's name; docs/xm-ramdisk-interface.8 has them.
 * xen-compat.h, domctl.c and sysctl.c of Xen are the source of all of them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/xm-ramdisk/interface/compare.h"

/* From this line on some domctls are stable, and ask with version 0. */
#define STABLE_MAJOR 4
#define STABLE_MINOR 21
/* The headers of the ACM security module went with this interface. */
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

/* Is @line of releases before MAJOR.MINOR? */
static bool before(const struct iface_release *r, unsigned major,
		   unsigned minor)
{
	return r->major < major || (r->major == major && r->minor < minor);
}

static bool both_known(const struct iface_check *c, enum iface_call call,
		       struct iface_answer *a)
{
	const struct iface_facts *silent = c->built.known[call] ? &c->on
								: &c->built;

	if (c->built.known[call] && c->on.known[call])
		return true;
	answer(a, IFACE_UNKNOWN, "not-compared", "%.200s does not tell its %s",
	       silent->name, iface_call_name(call));
	return false;
}

/*
 * A value of a stable branch that lacks nothing itself, yet is smaller than
 * one that lacks the change which it was made for.
 */
static const struct iface_change *lacking(unsigned asked, unsigned latest)
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
	const struct iface_change *change = lacking(v, l);

	if (!both_known(c, IFACE_GUEST, a))
		return;
	if (v > l)
		answer(a, IFACE_WARN, "guest-newer",
		       "0x%08x is newer than 0x%08x there: it runs, as the "
		       "number never reaches the hypervisor and the calls only "
		       "grow, but it must probe for what is newer "
		       "(XENVER_get_features, -ENOSYS)",
		       v, l);
	else if (change)
		answer(a, IFACE_WARN, "guest-not-ordered",
		       "0x%08x is of %s only and 0x%08x, though greater, lacks "
		       "its change: %s",
		       v, change->branch, l, change->why);
	else if (v == l)
		answer(a, IFACE_COMPATIBLE, "guest-same", "0x%08x on both", v);
	else
		answer(a, IFACE_COMPATIBLE, "guest-older",
		       "0x%08x is older than 0x%08x there, which keeps the "
		       "calls of before",
		       v, l);
}

static void compare_source(struct iface_check *c)
{
	struct iface_answer *a = &c->source;
	unsigned v = c->built.value[IFACE_GUEST], l = c->on.value[IFACE_GUEST];
	const struct iface_change *change = lacking(v, l);

	if (!both_known(c, IFACE_GUEST, a))
		return;
	if (v > l)
		answer(a, IFACE_INCOMPATIBLE, "source-newer",
		       "code that asks for 0x%08x stops at the #error of "
		       "xen-compat.h: those headers know 0x%08x at most",
		       v, l);
	else if (change)
		answer(a, IFACE_INCOMPATIBLE, "source-not-ordered",
		       "those headers accept 0x%08x and lack what only %s has: "
		       "%s",
		       v, change->branch, change->why);
	else if (v < ACM_REMOVED && l >= ACM_REMOVED)
		answer(a, IFACE_WARN, "source-removed",
		       "code that asks for 0x%08x gets the old forms, except of "
		       "what was removed outright: the ACM headers are gone "
		       "from 4.2 on",
		       v);
	else
		answer(a, IFACE_COMPATIBLE, "source-older",
		       "code that asks for 0x%08x gets the forms of then from "
		       "headers that know 0x%08x",
		       v, l);
}

/* Do both sides belong to one line, as 4.10.0 and 4.10.1 do? */
static bool same_line(const struct iface_check *c)
{
	const struct iface_release *b = c->built.range.first;
	const struct iface_release *o = c->on.range.first;

	return b && o && b->major == o->major && b->minor == o->minor &&
	       !before(b, c->built.range.last->major,
		       c->built.range.last->minor) &&
	       !before(o, c->on.range.last->major, c->on.range.last->minor);
}

static bool stable_domctls(const struct iface_facts *f)
{
	return f->range.first &&
	       !before(f->range.first, STABLE_MAJOR, STABLE_MINOR);
}

static void differ(struct iface_check *c, enum iface_call call)
{
	struct iface_answer *a = &c->call[call];
	unsigned b = c->built.value[call], o = c->on.value[call];
	const char *name = iface_call_name(call);

	if (!b || !o)
		answer(a, IFACE_INCOMPATIBLE, "control-dom0-ops",
		       "one side is of before 3.0.3, which has dom0_ops in "
		       "place of %s",
		       name);
	else if (same_line(c))
		answer(a, IFACE_INCOMPATIBLE, "control-point-release",
		       "%s changed from 0x%x to 0x%x within %u.%u: tools of one "
		       "get -EACCES from the other; rebuild them for it",
		       name, b, o, c->on.range.first->major,
		       c->on.range.first->minor);
	else
		answer(a, IFACE_INCOMPATIBLE, "control-exact",
		       "built for %s 0x%x, and the hypervisor takes 0x%x only: "
		       "every %s answers -EACCES%s",
		       name, b, o, name,
		       call == IFACE_DOMCTL && stable_domctls(&c->built) &&
				       stable_domctls(&c->on)
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
		differ(c, call);
	else if (call == IFACE_DOMCTL && stable_domctls(&c->built) && o->last &&
		 before(o->last, STABLE_MAJOR, STABLE_MINOR))
		answer(a, IFACE_WARN, "control-stable",
		       "0x%x on both, but tools of 4.21 and newer call the "
		       "stable domctls with version 0, which %s refuses with "
		       "-EACCES",
		       c->on.value[call], c->on.name);
	else if (b->first && o->last &&
		 before(o->last, b->first->major, b->first->minor))
		answer(a, IFACE_WARN, "control-additions",
		       "0x%x on both, but %s may use calls and fields that were "
		       "added without a new number",
		       c->on.value[call], c->built.name);
	else if (!c->on.value[call])
		answer(a, IFACE_COMPATIBLE, "control-equal",
		       "both have dom0_ops of before 3.0.3");
	else
		answer(a, IFACE_COMPATIBLE, "control-equal", "%s 0x%x on both",
		       name, c->on.value[call]);
}

static void decide(struct iface_check *c, const struct iface_answer *a, int at)
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
		decide(c, &c->call[IFACE_GUEST], IFACE_GUEST);
	if (count & IFACE_COUNT_TOOLS) {
		decide(c, &c->call[IFACE_DOMCTL], IFACE_DOMCTL);
		decide(c, &c->call[IFACE_SYSCTL], IFACE_SYSCTL);
	}
	if (count & IFACE_COUNT_SOURCE)
		decide(c, &c->source, IFACE_CALLS);
}
