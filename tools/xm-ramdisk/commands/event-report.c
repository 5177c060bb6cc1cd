/* SPDX-License-Identifier: BSD-2-Clause */
/* See event-report.h. No state; one thread. */
#include "tools/xm-ramdisk/commands/event-report.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tools/xm-ramdisk/base/json.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/xen/who.h"

#define TIME_MAX 40

/* RFC 3339, local time with its offset. */
static const char *event_time(uint64_t ms, char text[TIME_MAX])
{
	time_t seconds = (time_t)(ms / 1000);
	char date[24];
	struct tm tm;
	long offset;

	if (!localtime_r(&seconds, &tm))
		tm = (struct tm){ .tm_year = 70, .tm_mday = 1 };
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	offset = labs(tm.tm_gmtoff) / 60;
	snprintf(text, TIME_MAX, "%s.%03u%c%02u:%02u", date,
		 (unsigned)(ms % 1000), tm.tm_gmtoff < 0 ? '-' : '+',
		 (unsigned)(offset / 60) % 100, (unsigned)(offset % 60));
	return text;
}

static const char *mode_text(char mode)
{
	return mode == 'p'   ? "private view"
	       : mode == 'w' ? "writing"
			     : "reading";
}

static void print_json(struct xs_handle *xs, const struct rd_event *e)
{
	struct json j = { .out = stdout, .one_line = true };
	char time[TIME_MAX], mode[2] = { e->mode };
	struct who w = who_is(xs, e->label);

	json_open(&j, NULL, '{');
	json_string(&j, "time", event_time(e->time_ms, time));
	json_string(&j, "event", e->what);
	json_string(&j, "id", e->id);
	json_string(&j, "name", e->name);
	json_string(&j, "seed", e->seed);
	if (e->label[0]) {
		json_string(&j, "label", e->label);
		if (w.vbd) {
			json_number(&j, "domid", w.domid);
			json_string(&j, "domain", w.domain);
			json_number(&j, "devid", w.devid);
			json_string(&j, "vdev", w.vdev);
		}
	}
	if (e->mode) {
		json_number(&j, "slot", e->slot);
		json_string(&j, "mode", mode);
	}
	if (e->pid > 0)
		json_number(&j, "pid", (uint64_t)e->pid);
	json_string(&j, "text", e->text);
	json_close(&j);
	putchar('\n');
}

/* The disk, as list shows it; or its id, if that is all that is known. */
static const char *disk_of(const struct rd_event *e)
{
	return e->name[0] ? e->name : e->seed[0] ? e->seed : e->id;
}

static void print_text(struct xs_handle *xs, const struct rd_event *e)
{
	char time[TIME_MAX];
	struct who w = who_is(xs, e->label);

	printf("%s %-14s ", event_time(e->time_ms, time), text_shown(e->what));
	if (disk_of(e)[0])
		printf("%s", text_shown(disk_of(e)));
	if (e->label[0])
		printf("%s%s%s%s", disk_of(e)[0] ? ", " : "",
		       text_shown(w.domain), w.vbd ? " " : "",
		       w.vbd ? w.vdev : "");
	if (e->mode)
		printf(", %s", mode_text(e->mode));
	if (e->pid > 0)
		printf(", process %d", e->pid);
	if (e->text[0])
		printf("%s%s", disk_of(e)[0] || e->label[0] ? ": " : "",
		       text_shown(e->text));
	putchar('\n');
}

void event_report(struct xs_handle *xs, const struct rd_event *event, bool json)
{
	(json ? print_json : print_text)(xs, event);
}
