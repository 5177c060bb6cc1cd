/* SPDX-License-Identifier: BSD-2-Clause */
/* See pins.h. */
#include "drivers/nbdkit/pins.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PINS_MAX 4096 /* with dir= clients choose the names */

struct pin {
	struct pin *next;
	char *name; /* of the export */
	unsigned users; /* connections that attach now; guarded by list_lock */
	pthread_mutex_t lock; /* guards @id */
	char id[RD_ID_MAX]; /* of the disk; empty before the first attach */
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pin *pins;
static unsigned count;

/* ---- the list: the caller holds list_lock ------------------------------ */

static struct pin *add(const char *name)
{
	struct pin *p = calloc(1, sizeof(*p));

	if (p)
		p->name = strdup(name);
	if (!p || !p->name) {
		free(p);
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	p->next = pins;
	pins = p;
	count++;
	return p;
}

static void remove_pin(struct pin **at)
{
	struct pin *p = *at;

	*at = p->next;
	count--;
	pthread_mutex_destroy(&p->lock);
	free(p->name);
	free(p);
}

/* Remove the pins whose disk is not loaded any more. */
static void remove_unloaded(struct rd_store *store)
{
	struct pin **at = &pins;
	char id[RD_ID_MAX];

	while (*at) {
		struct pin *p = *at;

		if (p->users || !rd_find(store, p->id, id, NULL))
			at = &p->next;
		else
			remove_pin(at);
	}
}

static struct pin *find(const char *name)
{
	struct pin *p = pins;

	while (p && strcmp(p->name, name))
		p = p->next;
	return p;
}

/* ---- pins of connections ----------------------------------------------- */

static struct pin *take(struct rd_store *store, const char *name,
			struct rd_error *err)
{
	struct pin *p;

	pthread_mutex_lock(&list_lock);
	p = find(name);
	if (!p && count >= PINS_MAX)
		remove_unloaded(store);
	if (!p && count < PINS_MAX)
		p = add(name);
	if (p)
		p->users++;
	else
		snprintf(
			err->text, sizeof(err->text),
			"no memory for the export '%s', or %u exports have loaded disks, the most for one server",
			name, PINS_MAX);
	pthread_mutex_unlock(&list_lock);
	return p;
}

/* A pin without a disk is of a failed attach. */
static void release(struct pin *p)
{
	struct pin **at = &pins;

	pthread_mutex_lock(&list_lock);
	while (*at != p)
		at = &(*at)->next;
	if (!--p->users && !p->id[0])
		remove_pin(at);
	pthread_mutex_unlock(&list_lock);
}

/*
 * Attach to the disk @id and to no other: a name given by name= can look like an
 * id. -ENOENT if the disk is not loaded.
 */
static int attach_id(struct rd_store *store, const char *id,
		     struct rd_attach_request req, struct rd_disk **disk,
		     struct rd_error *err)
{
	int rc;

	req.seed = NULL;
	req.name = id;
	req.flags = (req.flags | RD_EXISTING) & ~RD_FRESH;
	rc = rd_attach(store, &req, disk, err);
	if (rc || !strcmp(rd_id(*disk), id))
		return rc;
	rd_detach(*disk);
	*disk = NULL;
	return -ENOENT;
}

int pins_attach(struct rd_store *store, const char *name,
		const struct rd_attach_request *req, struct rd_disk **disk,
		struct rd_error *err)
{
	struct pin *p = take(store, name, err);
	int rc = -ENOENT;

	if (!p)
		return -ENOMEM;
	pthread_mutex_lock(&p->lock);
	if (p->id[0])
		rc = attach_id(store, p->id, *req, disk, err);
	if (rc == -ENOENT) {
		p->id[0] = 0;
		rc = rd_attach(store, req, disk, err);
		if (!rc)
			strcpy(p->id, rd_id(*disk));
	}
	pthread_mutex_unlock(&p->lock);
	release(p);
	return rc;
}

int pins_add(const char *name, const char *id)
{
	struct pin *p = find(name);

	if (!p)
		p = add(name);
	if (!p)
		return -1;
	snprintf(p->id, sizeof(p->id), "%s", id);
	return 0;
}

void pins_free(void)
{
	while (pins)
		remove_pin(&pins);
}
