/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See xen.h: the frontends' pages, which all processes map, and libxengnttab over
 * them.
 */
#include "tests/daemon/xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xengnttab.h>

uint8_t (*fake_pages)[4096];

void *fake_map(const char *suffix, size_t size)
{
	char path[256];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "%s.%s", getenv("FAKE_XEN"), suffix);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)size))
		abort();
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		abort();
	return p;
}

void fake_grants_open(void)
{
	if (!fake_pages)
		fake_pages = fake_map("pages", FAKE_PAGES * 4096u);
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *l, unsigned flags)
{
	(void)l, (void)flags;
	return (xengnttab_handle *)fake_pages;
}

int xengnttab_close(xengnttab_handle *g)
{
	(void)g;
	return 0;
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *g, uint32_t count,
				      uint32_t domid, uint32_t *refs, int prot)
{
	(void)g, (void)domid, (void)prot;
	if (refs[0] < FAKE_PAGES && count <= FAKE_PAGES - refs[0])
		return fake_pages[refs[0]];
	errno = EINVAL;
	return NULL;
}

void *xengnttab_map_grant_ref(xengnttab_handle *g, uint32_t domid, uint32_t ref,
			      int prot)
{
	return xengnttab_map_domain_grant_refs(g, 1, domid, &ref, prot);
}

int xengnttab_unmap(xengnttab_handle *g, void *start, uint32_t count)
{
	(void)g, (void)start, (void)count;
	return 0;
}

/* Only within one page of the guest, as in the hypervisor. */
static int16_t copy(const xengnttab_grant_copy_segment_t *c)
{
	bool to_guest = c->flags & GNTCOPY_dest_gref;
	const union xengnttab_copy_ptr *guest = to_guest ? &c->dest
							 : &c->source;
	uint8_t *page;

	if (takeover && guest->foreign.ref == TAKEOVER_REF)
		takeover();
	if (guest->foreign.ref >= FAKE_PAGES ||
	    guest->foreign.offset + c->len > (int)sizeof(fake_pages[0]))
		return GNTST_bad_gntref;
	page = fake_pages[guest->foreign.ref] + guest->foreign.offset;
	if (to_guest)
		memcpy(page, c->source.virt, c->len);
	else
		memcpy(c->dest.virt, page, c->len);
	return GNTST_okay;
}

int xengnttab_grant_copy(xengnttab_handle *g, uint32_t count,
			 xengnttab_grant_copy_segment_t *segs)
{
	(void)g;
	while (count--) {
		segs->status = copy(segs);
		segs++;
	}
	return 0;
}
