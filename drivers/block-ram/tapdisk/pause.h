/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the driver has of a vbd, and what it keeps of a paused one. A part of
 * tapdisk.c, the only file that includes it; single-threaded as that.
 */
#ifndef BLOCK_RAM_PAUSE_H
#define BLOCK_RAM_PAUSE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <syslog.h>
#include <unistd.h>

#include "include/ramdisk.h"

/* The driver's private data. tapdisk allocates it, not always zeroed. */
struct ram_vbd {
	struct rd_disk *disk; /* NULL: not attached */
	bool writable;
	unsigned long long reads, writes; /* requests carried out */
	unsigned long long read_sectors, written_sectors;
	unsigned long long errors;
	_Atomic uint64_t damage; /* that was logged; see damage_is_new() */
};

#if TAPDISK_GENERATION >= 2
/*
 * From blktap2 on, tapdisk closes a paused vbd's image and opens it again later;
 * td_close cannot tell a pause from the end. So that a pause discards neither the
 * contents nor the counters, td_close does not detach but parks the attachment,
 * and the next open of that name continues with it; until another name of the disk
 * is opened, or the process ends (which it does with its last vbd). Of several
 * vbds of one name the first that was paused is the first to resume. The cost: in a
 * process that continues with other vbds, a closed disk keeps its memory until that
 * process ends.
 */
struct parked {
	struct ram_vbd vbd;
	pid_t pid; /* of the process that parked it: a child must not detach it */
	struct parked *next;
	char name[]; /* with which it was opened */
};

static struct parked *parked; /* the first to resume first */

/*
 * Detach what is parked for @disk, and what is parked for @name, which may have
 * named another disk before. Either may be NULL; all if both are.
 */
static void unpark(const struct rd_disk *disk, const char *name)
{
	struct parked **at = &parked, *p;

	while ((p = *at) != NULL) {
		bool meant = (!disk && !name) ||
			     (disk &&
			      !strcmp(rd_id(p->vbd.disk), rd_id(disk))) ||
			     (name && !strcmp(p->name, name));

		if (!meant || p->pid != getpid()) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		rd_detach(p->vbd.disk);
		free(p);
	}
}

/* Where the list has what is parked for @name, @writable or not or (-1) either. */
static struct parked **parked_for(const char *name, int writable)
{
	struct parked **at = &parked, *p;

	while ((p = *at) != NULL &&
	       (strcmp(p->name, name) || p->pid != getpid() ||
		(writable >= 0 && p->vbd.writable != (bool)writable)))
		at = &p->next;
	return at;
}

/* The id of the disk that is parked for @name, or NULL. */
static const char *parked_id(const char *name)
{
	const struct parked *p = *parked_for(name, -1);

	return p ? rd_id(p->vbd.disk) : NULL;
}

/* Continue with the attachment that is parked for @name in this mode, if one is. */
static bool resume(struct ram_vbd *v, const char *name, bool writable)
{
	struct parked **at = parked_for(name, writable), *p = *at;

	if (!p)
		return false;
	*v = p->vbd;
	*at = p->next;
	free(p);
	return true;
}

static void unpark_all(void)
{
	unpark(NULL, NULL);
}

static void give_back(struct ram_vbd *v, const char *name)
{
	static bool at_exit;
	size_t n = strlen(name) + 1;
	struct parked *p = malloc(sizeof(*p) + n), **at = &parked;

	if (!at_exit)
		at_exit = atexit(unpark_all) == 0;
	if (!p || !at_exit) {
		syslog(LOG_WARNING,
		       "tapdisk_ram: out of memory: %s is detached now; if the disk is only paused, and attached nowhere else, its contents are lost",
		       name);
		free(p);
		rd_detach(v->disk);
		return;
	}
	p->vbd = *v;
	p->pid = getpid();
	memcpy(p->name, name, n);
	while (*at)
		at = &(*at)->next;
	p->next = NULL;
	*at = p;
}
#else
/* blktap1 has no pause: td_close is the end. */
static void unpark(const struct rd_disk *disk, const char *name)
{
	(void)disk, (void)name;
}

static const char *parked_id(const char *name)
{
	(void)name;
	return NULL;
}

static bool resume(struct ram_vbd *v, const char *name, bool writable)
{
	(void)v, (void)name, (void)writable;
	return false;
}

static void give_back(struct ram_vbd *v, const char *name)
{
	(void)name;
	rd_detach(v->disk);
}
#endif

#endif
