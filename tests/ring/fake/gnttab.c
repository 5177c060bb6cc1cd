/* SPDX-License-Identifier: BSD-2-Clause */
/* A libxengnttab over an array of pages; any number of threads. */
#include <errno.h>
#include <string.h>
#include <xengnttab.h>
#include <xentoollog.h>

#include "tests/ring/fake/fake.h"

uint8_t fake_page[FAKE_GRANTS][4096] __attribute__((aligned(4096)));
int fake_fail_op = -1, fake_fail_calls, fake_mapped, fake_map_fails_at = -1;
unsigned fake_calls, fake_ops, fake_maps;
bool fake_map_fails;
void (*fake_before_copy)(void);

unsigned fake_said;
static struct xentoollog_logger *log_of_grants;

static void message(struct xentoollog_logger *logger, ...)
{
	va_list none;

	va_start(none, logger);
	logger->vmessage(logger, XTL_ERROR, EINVAL, "fake", "it failed", none);
	va_end(none);
}

void fake_say(struct xentoollog_logger *logger)
{
	if (logger)
		message(logger);
	else
		__atomic_add_fetch(&fake_said, 1, __ATOMIC_SEQ_CST);
}

void fake_grants_reset(void)
{
	memset(fake_page, 0, sizeof(fake_page));
	fake_fail_op = -1;
	fake_fail_calls = 0;
	fake_calls = fake_ops = fake_maps = 0;
	fake_mapped = 0;
	fake_said = 0;
	fake_map_fails = false;
	fake_map_fails_at = -1;
	fake_before_copy = NULL;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger,
				 unsigned open_flags)
{
	(void)open_flags;
	log_of_grants = logger;
	return (xengnttab_handle *)fake_page;
}

int xengnttab_close(xengnttab_handle *xgt)
{
	(void)xgt;
	return 0;
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count,
				      uint32_t domid, uint32_t *refs, int prot)
{
	bool fails = fake_map_fails;
	uint32_t i;

	(void)xgt;
	(void)domid;
	(void)prot;
	/* Side by side in memory only if they are so in the table. */
	for (i = 0; i < count; i++)
		fails |= refs[i] >= FAKE_GRANTS || refs[i] != refs[0] + i;
	if (fails) {
		fake_say(log_of_grants);
		errno = EINVAL;
		return NULL;
	}
	__atomic_add_fetch(&fake_mapped, (int)count, __ATOMIC_SEQ_CST);
	return fake_page[refs[0]];
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid,
			      uint32_t ref, int prot)
{
	__atomic_add_fetch(&fake_maps, 1, __ATOMIC_SEQ_CST);
	if (fake_map_fails_at >= 0 && fake_map_fails_at-- == 0) {
		errno = ENOMEM;
		return NULL;
	}
	return xengnttab_map_domain_grant_refs(xgt, 1, domid, &ref, prot);
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
	(void)xgt;
	(void)start_address;
	__atomic_sub_fetch(&fake_mapped, (int)count, __ATOMIC_SEQ_CST);
	return 0;
}

static int16_t copy_one(struct xengnttab_grant_copy_segment *s)
{
	bool to_guest = s->flags == GNTCOPY_dest_gref;
	union xengnttab_copy_ptr *guest = to_guest ? &s->dest : &s->source;
	uint8_t *ours = to_guest ? s->source.virt : s->dest.virt;
	uint8_t *page;

	if (guest->foreign.ref >= FAKE_GRANTS)
		return GNTST_bad_gntref;
	/* Neither side may cross a page. */
	if (guest->foreign.offset + s->len > 4096u ||
	    (uintptr_t)ours % 4096 + s->len > 4096u || !s->len)
		return GNTST_bad_copy_arg;
	page = fake_page[guest->foreign.ref] + guest->foreign.offset;
	if (to_guest)
		memcpy(page, ours, s->len);
	else
		memcpy(ours, page, s->len);
	return GNTST_okay;
}

int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count,
			 xengnttab_grant_copy_segment_t *segs)
{
	uint32_t i;

	(void)xgt;
	__atomic_add_fetch(&fake_calls, 1, __ATOMIC_SEQ_CST);
	if (fake_before_copy)
		fake_before_copy();
	if (fake_fail_calls > 0) {
		fake_fail_calls--;
		errno = ENOMEM;
		return -1;
	}
	__atomic_add_fetch(&fake_ops, count, __ATOMIC_SEQ_CST);
	for (i = 0; i < count; i++)
		segs[i].status = (int)i == fake_fail_op ? GNTST_bad_gntref
							: copy_one(&segs[i]);
	return 0;
}
