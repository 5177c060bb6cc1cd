/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk point --on-crash: the disk as a domain that has crashed left it.
 * xenstore tells that some domain has ended or crashed, and xl which; a domain that
 * has crashed writes no more, but others that share the disk do. One thread.
 */
#include "tools/xm-ramdisk/commands/point-crash.h"

#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/program.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/xen/host.h"
#include "tools/xm-ramdisk/xen/who.h"

#define PREFIX "crash-"
#define MOST 256u /* crashed domains that are remembered */
#define IDLE_MS 10000 /* a look without an event: the domain may attach later */

struct crashes {
	struct disk_job *job;
	struct xs_handle *xs;
	unsigned domid[MOST]; /* crashed, and seen */
	unsigned n;
	int keep;
};

/* The column State of xl list, "r-----": its fifth letter is c. */
static bool is_crashed(unsigned domid)
{
	char number[16], text[4096], *word, *rest = text;
	const char *const argv[] = { "xl", "list", number, NULL };

	snprintf(number, sizeof(number), "%u", domid);
	if (program_read(argv, text, sizeof(text)))
		return false; /* gone */
	while ((word = strtok_r(rest, " \t\n", &rest)))
		if (strlen(word) == 6 && strspn(word, "-rbpscd") == 6 &&
		    strchr(word, 'c'))
			return true;
	return false;
}

static bool is_known(const struct crashes *c, unsigned domid)
{
	unsigned i;

	for (i = 0; i < c->n; i++)
		if (c->domid[i] == domid)
			return true;
	return false;
}

/* A domain's name may have any bytes; a point's has few, and is short. */
static void point_name(const struct who *w, char name[RD_NAME_MAX])
{
	char domain[25], date[32];
	size_t i;

	for (i = 0; i < sizeof(domain) - 1 && w->domain[i]; i++)
		domain[i] = isalnum((unsigned char)w->domain[i]) ||
					    strchr("._-", w->domain[i])
				    ? w->domain[i]
				    : '_';
	domain[i] = 0;
	point_date(date);
	snprintf(name, RD_NAME_MAX, PREFIX "%s-%s", domain, date);
}

static int take(struct crashes *c, const struct who *w)
{
	char name[RD_NAME_MAX];
	int rc;

	if (c->n < MOST)
		c->domid[c->n++] = w->domid;
	point_name(w, name);
	/* The point first, then room: it is the moment that matters. */
	rc = point_take_named(c->job, name);
	if (!rc)
		rc = point_drop_oldest(c->job, PREFIX, c->keep);
	return rc;
}

/* Look at each domain that has the disk; only note them if @quietly. */
static int look(struct crashes *c, bool quietly)
{
	const struct rd_disk_info *d;
	struct disk_list list;
	struct who w;
	unsigned i;
	int rc = disk_list(c->job->store, &list);

	d = rc ? NULL : disk_in(&list, c->job->id);
	if (!rc && !d)
		rc = say_failed("the disk was discarded");
	for (i = 0; !rc && d && i < d->attachments; i++) {
		w = who_is(c->xs, d->attachment[i].label);
		if (!w.vbd || is_known(c, w.domid) || !is_crashed(w.domid))
			continue;
		if (!quietly)
			rc = take(c, &w);
		else if (c->n < MOST)
			c->domid[c->n++] = w.domid;
	}
	rd_list_free(list.disks, list.count);
	return rc;
}

static void wait_event(struct xs_handle *xs, const volatile sig_atomic_t *stop)
{
	struct pollfd p = { .fd = xs_fileno(xs), .events = POLLIN };
	int64_t left, deadline = clock_now_ms() + IDLE_MS;
	bool came = false;
	char **event;

	while (!came && !*stop && (left = deadline - clock_now_ms()) > 0) {
		poll(&p, 1, (int)left);
		while ((event = xs_check_watch(xs))) {
			free(event);
			came = true;
		}
	}
}

static int watch(struct crashes *c)
{
	const volatile sig_atomic_t *stop = signals_catch();
	int rc;

	if (!xs_watch(c->xs, "@releaseDomain", ""))
		return say_failed("cannot watch xenstore");
	rc = look(c, true); /* crashed before this command */
	if (!rc) {
		printf("waiting for a domain to crash\n");
		fflush(stdout);
	}
	while (!rc && !*stop) {
		wait_event(c->xs, stop);
		if (!*stop)
			rc = look(c, false);
	}
	return rc;
}

int point_on_crash(struct disk_job *job, int keep)
{
	struct crashes c = { .job = job, .keep = keep };
	int rc = host_open("point", &c.xs);

	if (rc)
		return rc;
	if (!program_exists("xl"))
		rc = say_failed(
			"--on-crash needs xl, which says whether a domain has crashed; install xen-utils");
	else
		rc = watch(&c);
	xs_close(c.xs);
	return rc;
}
