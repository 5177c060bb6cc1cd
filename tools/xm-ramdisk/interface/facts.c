/* SPDX-License-Identifier: BSD-2-Clause */
/* See facts.h. No state; any thread may call. */
#include <stdio.h>
#include <string.h>

#include "tools/xm-ramdisk/interface/facts.h"

void iface_facts_range(struct iface_facts *facts, struct iface_range range)
{
	unsigned value;
	int call;

	facts->range = range;
	for (call = 0; call < IFACE_CALLS; call++) {
		if (facts->known[call] ||
		    !iface_range_agrees(range, call, &value))
			continue;
		facts->known[call] = true;
		facts->value[call] = value;
	}
}

void iface_facts_release(struct iface_facts *facts,
			 const struct iface_release *release)
{
	struct iface_range one = { release, release };

	snprintf(facts->release, sizeof(facts->release), "%s", release->name);
	iface_facts_range(facts, one);
}

/* Whether release @r has all the values that are known. */
static bool may_be(const struct iface_facts *facts,
		   const struct iface_release *r)
{
	int call;

	for (call = 0; call < IFACE_CALLS; call++)
		if (facts->known[call] && facts->value[call] != r->value[call])
			return false;
	return true;
}

bool iface_facts_any(const struct iface_facts *facts)
{
	return facts->known[IFACE_GUEST] || facts->known[IFACE_DOMCTL] ||
	       facts->known[IFACE_SYSCTL];
}

void iface_facts_resolve(struct iface_facts *facts)
{
	const struct iface_release *r = NULL;
	size_t i;

	if (facts->release[0])
		r = iface_release_find(facts->release);
	if (r && may_be(facts, r)) {
		facts->range.first = facts->range.last = r;
		return;
	}
	facts->range.first = facts->range.last = NULL;
	for (i = 0; iface_facts_any(facts) && i < iface_release_count; i++) {
		r = &iface_releases[i];
		if (!may_be(facts, r))
			continue;
		if (!facts->range.first)
			facts->range.first = r;
		facts->range.last = r;
	}
}
