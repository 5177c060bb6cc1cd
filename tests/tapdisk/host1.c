/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stand-in for blktap1's tapdisk (see host.h): a ring's requests are kept
 * by number, each segment is one call, the callback counts sectors down, and a
 * response waits until the driver reports that responses can be sent.
 */
#if TAPDISK_GENERATION <= 1
#include "tests/tapdisk/host.h"

#include <stdlib.h>
#include <string.h>

#include "tapdisk.h"

#define REQUESTS 64
#define SEGMENTS 11
#define SEGMENT_SECTORS 8

struct request {
	int pending; /* sectors */
	int status; /* the first failure */
	bool submitting;
	bool responded;
};

struct host_vbd {
	struct td_state state;
#if TAPDISK_GENERATION == 1
	struct disk_driver driver;
#endif
	struct request request[REQUESTS];
	unsigned waiting; /* responses that are not sent yet */
};

unsigned host_faults;

static void *allocated(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		abort();
	return p;
}

#if TAPDISK_GENERATION == 0
#define DRIVER(v) (&(v)->state)
#define STATE(d) (d)
#else
#define DRIVER(v) (&(v)->driver)
#define STATE(d) ((d)->td_state)
#endif

int host_open(struct host_vbd **vbd, const char *name, bool rdonly)
{
	struct host_vbd *v = allocated(sizeof(*v));
	int rc;

	v->state.host = v;
#if TAPDISK_GENERATION == 1
	v->driver.td_state = &v->state;
	v->driver.name = strcpy(allocated(strlen(name) + 1), name);
#endif
	DRIVER(v)->private = allocated((size_t)tapdisk_ram.private_data_size);
	memset(DRIVER(v)->private, 0xa5, (size_t)tapdisk_ram.private_data_size);
#if TAPDISK_GENERATION == 0
	(void)rdonly;
	rc = tapdisk_ram.td_open(&v->state, name);
	/* tapdisk asks for and polls the descriptors even if the open failed */
	int *fds = tapdisk_ram.td_get_fd(&v->state);

	for (int i = 0; i < MAX_IOFD; i++)
		host_faults += fds[i] < 0;
	free(fds);
#else
	rc = tapdisk_ram.td_open(&v->driver, name,
				 rdonly ? TD_RDONLY | 0x80 : 0x80);
#endif
	*vbd = v;
	if (!rc)
		return 0;
#if TAPDISK_GENERATION == 0
	host_close(v); /* 3.0.x closes what it failed to open */
#else
	free(v->driver.name);
	free(v->driver.private);
	free(v);
#endif
	*vbd = NULL;
	return rc;
}

void host_close(struct host_vbd *v)
{
	tapdisk_ram.td_close(DRIVER(v));
	free(DRIVER(v)->private);
#if TAPDISK_GENERATION == 1
	free(v->driver.name);
#endif
	free(v);
}

uint64_t host_sectors(const struct host_vbd *v)
{
	return v->state.sector_size == 512 ? (uint64_t)v->state.size : 0;
}

/* The end of some sectors of request @id. */
static int ended(struct host_vbd *v, int res, int n, int id)
{
	struct request *r = &v->request[id];

	r->pending -= n;
	host_faults += r->pending < 0 || res > 0 || res == -16 /* EBUSY */;
	if (res && !r->status)
		r->status = res;
	if (r->submitting || r->pending)
		return 0;
	r->responded = true;
	v->waiting++;
	return 1;
}

#if TAPDISK_GENERATION == 0
static int callback(struct td_state *s, int res, int id, void *prv)
{
	return ended(s->host, res, (int)(intptr_t)prv, id);
}
#else
static int callback(struct disk_driver *d, int res, uint64_t sector, int n,
		    int id, void *prv)
{
	(void)sector;
	host_faults += n != (int)(intptr_t)prv;
	return ended(d->td_state->host, res, n, id);
}
#endif

static int call(struct host_vbd *v, bool write, uint64_t sector, int n,
		void *buf, int id)
{
	v->request[id].pending += n;
	return (write ? tapdisk_ram.td_queue_write : tapdisk_ram.td_queue_read)(
		DRIVER(v), sector, n, buf, callback, id, (void *)(intptr_t)n);
}

/* After a batch: send the waiting responses if td_do_callbacks reports them. */
static void end_batch(struct host_vbd *v, int early)
{
	early += tapdisk_ram.td_submit(DRIVER(v));
	if (early > 0 &&
	    tapdisk_ram.td_do_callbacks(DRIVER(v), MAX_IOFD + 1) > 0)
		v->waiting = 0;
	host_faults += v->waiting != 0;
}

int host_queue(struct host_vbd *v, bool write, uint64_t sector, int n,
	       void *buf)
{
	struct request *r = &v->request[0];

	memset(r, 0, sizeof(*r));
	end_batch(v, call(v, write, sector, n, buf, 0));
	host_faults += !r->responded;
	return r->status;
}

int host_io(struct host_vbd *v, bool write, uint64_t sector, unsigned n,
	    void *buf)
{
	char *p = buf;
	int rc = 0;

	while (!rc && n) {
		int id, used = 0, early = 0;

		for (id = 0; id < REQUESTS && n; id++, used++) {
			struct request *r = &v->request[id];
			int i, m;

			memset(r, 0, sizeof(*r));
			r->submitting = true;
			for (i = 0; i < SEGMENTS && n; i++) {
				m = n < SEGMENT_SECTORS ? (int)n
							: SEGMENT_SECTORS;
				early += call(v, write, sector, m, p, id);
				sector += (unsigned)m;
				p += m * 512;
				n -= (unsigned)m;
			}
			r->submitting = false;
			if (!r->pending)
				early += ended(v, 0, 0, id);
		}
		end_batch(v, early);
		for (id = 0; id < used; id++) {
			host_faults += !v->request[id].responded;
			rc = rc ? rc : v->request[id].status;
		}
	}
	return rc;
}
#else
typedef int host1_is_for_other_generations;
#endif
