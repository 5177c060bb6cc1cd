/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stand-in for the tapdisk of blktap2 and later (see host.h): an image's
 * driver handle may be shared by vbds and is closed with the last; a request
 * travels by value and may be completed in pieces.
 */
#if TAPDISK_GENERATION >= 2
#include "tests/tapdisk/host.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tapdisk-driver.h"
#include "tapdisk-interface.h"

#define SEGMENT_SECTORS 8
#define FLAGS (TD_OPEN_QUIET | TD_OPEN_SHAREABLE)

enum {
	OPEN = 1
}; /* td_driver_handle.state */

struct host_vbd {
	td_driver_t *driver;
};

struct vreq {
	int pending; /* sectors */
	int error; /* the first */
	unsigned ends; /* completions */
	td_sector_t first; /* of a block-status call */
	unsigned char *status;
};

unsigned host_faults;

static void *allocated(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		abort();
	return p;
}

static void free_driver(td_driver_t *d)
{
	free(d->name);
	free(d->data);
	free(d);
}

int host_open(struct host_vbd **vbd, const char *name, bool rdonly)
{
	td_flag_t flags = FLAGS | (rdonly ? TD_OPEN_RDONLY : 0);
	td_driver_t *d = allocated(sizeof(*d));
	int rc;

	*vbd = NULL;
	d->name = strcpy(allocated(strlen(name) + 1), name);
	d->data = allocated((size_t)tapdisk_ram.private_data_size);
#if TAPDISK_GENERATION == 2
	rc = tapdisk_ram.td_open(d, name, flags);
#else
	rc = tapdisk_ram.td_open(d, name, NULL, flags);
#endif
	if (rc) { /* freed and not closed */
		free_driver(d);
		return rc;
	}
	d->state = OPEN;
	d->refcnt = 1;
	*vbd = allocated(sizeof(**vbd));
	(*vbd)->driver = d;
	return 0;
}

struct host_vbd *host_share(struct host_vbd *v)
{
	struct host_vbd *w = allocated(sizeof(*w));

	w->driver = v->driver;
	w->driver->refcnt++;
	return w;
}

void host_close(struct host_vbd *v)
{
	td_driver_t *d = v->driver;

	if (--d->refcnt == 0) {
		if (d->state == OPEN)
			tapdisk_ram.td_close(d);
		free_driver(d);
	}
	free(v);
}

uint64_t host_sectors(const struct host_vbd *v)
{
	return v->driver->info.sector_size == 512 ? v->driver->info.size : 0;
}

void td_complete_request(td_request_t treq, int res)
{
	struct vreq *r = treq.cb_data;

	r->ends++;
	r->pending -= treq.secs;
	host_faults += r->pending < 0 || res > 0 || res == -EBUSY ||
		       res == -EAGAIN || res == -EINTR;
	if (res && !r->error)
		r->error = res;
#if TAPDISK_GENERATION == 3
	if (r->status && !res)
		memset(r->status + (treq.sec - r->first), treq.status,
		       (size_t)treq.secs);
#endif
}

static void call(struct host_vbd *v, bool write, uint64_t sector, int n,
		 void *buf, struct vreq *r)
{
	td_request_t treq = {
		.op = write,
		.buf = buf,
		.sec = sector,
		.secs = n,
		.cb_data = r,
	};

	r->pending += n;
	(write ? tapdisk_ram.td_queue_write
	       : tapdisk_ram.td_queue_read)(v->driver, treq);
}

int host_queue(struct host_vbd *v, bool write, uint64_t sector, int n,
	       void *buf)
{
	struct vreq r = { 0 };

	call(v, write, sector, n, buf, &r);
	host_faults += r.pending != 0 || r.ends != 1;
	return r.error;
}

int host_io(struct host_vbd *v, bool write, uint64_t sector, unsigned n,
	    void *buf)
{
	struct vreq r = { 0 };
	char *p = buf;
	int m;

	for (; n; n -= (unsigned)m, sector += (unsigned)m, p += m * 512) {
		m = n < SEGMENT_SECTORS ? (int)n : SEGMENT_SECTORS;
		call(v, write, sector, m, p, &r);
	}
	host_faults += r.pending != 0;
	return r.error;
}

#if TAPDISK_GENERATION == 3
int host_status(struct host_vbd *v, uint64_t sector, int n,
		unsigned char *status)
{
	struct vreq r = { .pending = n, .first = sector, .status = status };
	td_request_t treq = { .op = 2, .sec = sector, .secs = n, .cb_data = &r };

	tapdisk_ram.td_queue_block_status(v->driver, treq);
	host_faults += r.pending != 0;
	return r.error;
}

struct tapdisk_stats_ctx {
	char text[1024];
};

void tapdisk_stats_field(td_stats_t *st, const char *key, const char *conv, ...)
{
	size_t n = strlen(st->text);
	char format[32], value[256];
	va_list ap;

	snprintf(format, sizeof(format), "%%%s", conv);
	va_start(ap, conv);
	vsnprintf(value, sizeof(value), format, ap);
	va_end(ap);
	snprintf(st->text + n, sizeof(st->text) - n, " %s=%s", key, value);
}

const char *host_stats(struct host_vbd *v)
{
	static struct tapdisk_stats_ctx st;

	st.text[0] = 0;
	tapdisk_ram.td_stats(v->driver, &st);
	return st.text;
}

int host_rrd(struct host_vbd *v, char *buf, int *off, int *size)
{
	return tapdisk_ram.td_rrd(v->driver, buf, off, size);
}
#endif
#else
typedef int host2_is_for_other_generations;
#endif
