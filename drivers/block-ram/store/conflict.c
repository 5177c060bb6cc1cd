/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See conflict.h. One thread a store.
 *
 * No lock is held while the store is searched, so two processes may load two
 * files of one path at the same moment. Each has its disk complete, with its
 * attachment, before rd_conflict_recheck(), so at least one of them finds the
 * other's disk. Both may be refused; none gets a disk beside another's unasked.
 */
#include "drivers/block-ram/store/conflict.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/seed/nbd.h"
#include "drivers/block-ram/store/store.h"

#define SHOWN_MAX 200 /* bytes of a path in a message, of its end */
#define LINK_MAX 80 /* where three paths are in one message */
#define SIZE_TEXT 32
#define TIME_TEXT 64

/* ---- living disks ------------------------------------------------------ */

/* Whether the disk @id of header @fd is loading, attached or kept. */
static bool is_living(const struct rd_store *store, int fd, const char *id,
		      const struct rd_header *h)
{
	struct rd_lives lives;
	bool alive;

	rd_lives_init(&lives, store->dir, id);
	alive = rd_disk_alive(&lives, fd, h);
	rd_lives_close(&lives);
	return alive || (h->state == RD_LOADING && rd_disk_locked(fd));
}

/*
 * Whether the disk of header @fd, which was read to *@h, is living. The header is read
 * again after a lock was seen: a process that was making the disk during the first
 * read has written all of the header by then.
 */
static bool reread_living(const struct rd_store *store, int fd, const char *id,
			  struct rd_header *h)
{
	return is_living(store, fd, id, h) && !rd_header_read(fd, id, h, NULL);
}

/* Whether disk @id is living; then its header is in *@h. */
static bool read_living(struct rd_store *store, const char *id,
			struct rd_header *h)
{
	int fd = rd_store_header(store, id, h);
	bool living = fd >= 0 && reread_living(store, fd, id, h);

	if (fd >= 0)
		close(fd);
	return living;
}

bool rd_is_living(struct rd_store *store, const char *id)
{
	struct rd_header h;

	return read_living(store, id, &h);
}

/* ---- searching --------------------------------------------------------- */

struct search {
	const struct rd_seed *seed; /* NULL: none is there */
	const char *path; /* canonical, or as given if it leads to no file */
	const struct rd_spelling *spelling;
	const char *skip; /* id of a disk that is left out, or NULL */
	char same[RD_ID_MAX]; /* the disk of the seed; or empty */
	char old[RD_ID_MAX]; /* a disk of another file of the path; or empty */
	unsigned olds; /* how many */
	uint64_t size, mtime; /* of the file of the disk @old */
	char file[RD_SEED_MAX]; /* of the disk @old */
};

static bool is_same(const struct rd_seed *seed, const struct rd_header *h)
{
	return seed && seed->size == h->seed_size &&
	       rd_seed_is(seed, h->seed_id, h->seed_size, h->seed_mtime);
}

/* Whether @h has the path; or the file, which has another size now. */
static bool is_meant(struct rd_store *store, const struct search *s,
		     const struct rd_header *h)
{
	return !strcmp(h->seed, s->path) ||
	       (s->seed && !strcmp(h->seed_id, s->seed->id)) ||
	       rd_paths_have(store->dir, h->id, h->seed, s->spelling);
}

static void take_note(struct search *s, const char *id,
		      const struct rd_header *h)
{
	if (is_same(s->seed, h)) {
		strcpy(s->same, id);
		return;
	}
	strcpy(s->old, id);
	strcpy(s->file, h->seed);
	s->size = h->seed_size;
	s->mtime = h->seed_mtime;
	s->olds++;
}

static bool matches(struct rd_store *store, const struct search *s,
		    const struct rd_header *h)
{
	return !h->name[0] && (is_same(s->seed, h) || is_meant(store, s, h));
}

/* Most disks do not match: their locks are not looked at. */
static int examine(struct rd_store *store, const char *id, void *arg)
{
	struct search *s = arg;
	struct rd_header h;
	int fd = -1;

	if (!s->skip || strcmp(id, s->skip))
		fd = rd_store_header(store, id, &h);
	if (fd < 0)
		return 0;
	/* An empty disk may be one that is being made: its seed is not known yet. */
	if ((h.state == RD_EMPTY || matches(store, s, &h)) &&
	    reread_living(store, fd, id, &h) && matches(store, s, &h))
		take_note(s, id, &h);
	close(fd);
	return 0;
}

/* ---- the sentence ------------------------------------------------------ */

/* The end of a long path, so that the message has room for what to do. */
struct shown {
	char text[SHOWN_MAX + 4];
};

static struct shown shown(const char *path, size_t max)
{
	struct shown s;
	size_t n = strlen(path);

	snprintf(s.text, sizeof(s.text), "%s%s", n > max ? "..." : "",
		 n > max ? path + n - max : path);
	return s;
}

static const char *size_text(uint64_t n, char text[SIZE_TEXT])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB",
					     "TiB" };
	unsigned u = 0;

	while (n && n % 1024 == 0 && u < 4) {
		n /= 1024;
		u++;
	}
	snprintf(text, SIZE_TEXT, "%" PRIu64 " %s", n, units[u]);
	return text;
}

/* ", modified ...", or nothing where there is no such time. */
static const char *time_text(uint64_t ns, char text[TIME_TEXT])
{
	time_t t = (time_t)(ns / 1000000000u);
	struct tm tm;

	text[0] = 0;
	if (ns && localtime_r(&t, &tm))
		strftime(text, TIME_TEXT, ", modified %F %T", &tm);
	return text;
}

static const char *kind(const struct rd_seed *seed)
{
	return seed->nbd ? "export" : seed->device ? "device" : "file";
}

/* "PATH is another file now" or, by a link, "PATH leads to another file now (FILE". */
static void say_now(const struct search *s, char *text, size_t n)
{
	if (!strcmp(s->file, s->path) || !*s->spelling->absolute)
		snprintf(text, n, "%s is another %s now (",
			 shown(s->path, SHOWN_MAX).text, kind(s->seed));
	else
		snprintf(text, n, "%s leads to another %s now (%s, ",
			 shown(s->spelling->absolute, LINK_MAX).text,
			 kind(s->seed), shown(s->path, LINK_MAX).text);
}

static int refuse(const struct search *s, struct rd_error *err)
{
	char size[2][SIZE_TEXT], time[2][TIME_TEXT], others[48] = "";
	char now[2 * SHOWN_MAX + 64];
	const struct rd_seed *seed = s->seed;
	bool file = !seed->nbd && !seed->device;
	bool other_path = strcmp(s->file, s->path) != 0;

	if (s->olds > 1)
		snprintf(others, sizeof(others), "; %u more disks are old",
			 s->olds - 1);
	say_now(s, now, sizeof(now));
	return rd_fail(
		err, -ESTALE,
		"%s%s%s) than the one that disk %s was loaded from (%s%s%s%s%s): to use that disk, give its id, %s, in place of the path; %s, add --fresh or --name=NAME (fresh or name=NAME in a disk line, fresh=true for nbdkit)",
		now, size_text(seed->size, size[0]),
		time_text(file ? seed->mtime : 0, time[0]), s->old,
		other_path ? shown(s->file, LINK_MAX).text : "",
		other_path ? ", " : "", size_text(s->size, size[1]),
		time_text(file ? s->mtime : 0, time[1]), others, s->old,
		s->same[0] ? "to use the disk of the new one"
			   : "to make a disk of the new one");
}

/* ---- the rule ---------------------------------------------------------- */

/*
 * Whether @id is free for a disk of the seed of @t: no living disk has it, or the
 * disk that has it is of this seed. Another process may have loaded that one since
 * the store was searched; it is joined then.
 */
static bool is_free(struct rd_store *store, const struct rd_target *t)
{
	struct rd_header h;

	return !read_living(store, t->id, &h) ||
	       (!h.name[0] && is_same(&t->seed, &h));
}

/* The first of ID, ID.2, ID.3, ... that is free. */
static int choose_id(struct rd_store *store, struct rd_target *t,
		     struct rd_error *err)
{
	unsigned n = 1;
	int len;

	strcpy(t->id, t->seed.id);
	while (!is_free(store, t)) {
		len = snprintf(t->id, sizeof(t->id), "%s.%u", t->seed.id, ++n);
		if (len >= (int)sizeof(t->id))
			return rd_fail(err, -EUSERS,
				       "%s has too many disks of its own",
				       t->seed.path);
	}
	return 0;
}

int rd_conflict_resolve(struct rd_store *store, struct rd_target *t,
			const char *path, bool fresh, struct rd_error *err)
{
	struct search s = { .seed = &t->seed,
			    .path = t->seed.path,
			    .spelling = &t->spelling };
	int rc;

	if (!t->seed.nbd)
		rd_spell(path, &t->spelling);
	t->fresh = fresh;
	rc = rd_store_walk(store, examine, &s);
	if (rc < 0)
		return rd_fail(err, rc, "cannot list %s: %s", store->path,
			       strerror(-rc));
	if (s.olds && !fresh)
		return refuse(&s, err);
	if (!s.same[0])
		return choose_id(store, t, err);
	strcpy(t->id, s.same);
	return 0;
}

int rd_conflict_recheck(struct rd_store *store, const struct rd_target *t,
			const struct rd_seed *seed, struct rd_error *err)
{
	struct search s = { .seed = seed,
			    .path = seed->path,
			    .spelling = &t->spelling,
			    .skip = t->id };

	if (t->name[0] || t->fresh || rd_store_walk(store, examine, &s) ||
	    !s.olds)
		return 0;
	return refuse(&s, err);
}

int rd_conflict_join(const struct rd_target *t, const struct rd_header *h,
		     struct rd_error *err)
{
	if (is_same(&t->seed, h))
		return 0;
	if (t->name[0] && !strcmp(h->seed, t->seed.path))
		return rd_fail(
			err, -ESTALE,
			"%s is another %s now than the one that the disk %s was loaded from: to use that disk, give its name, %s, in place of the path; to make a disk of the new one, choose another name",
			shown(t->seed.path, SHOWN_MAX).text, kind(&t->seed),
			h->name, h->name);
	if (t->name[0])
		return rd_fail(
			err, -EEXIST,
			"the name %s belongs to the disk of %s, not of %s",
			h->name, h->seed, t->what);
	return rd_fail(
		err, -ESTALE,
		"another process has just loaded the disk %s from another %s of %s: try again",
		h->id, kind(&t->seed), shown(t->seed.path, SHOWN_MAX).text);
}

void rd_conflict_gone(struct rd_store *store, const char *path,
		      struct rd_error *err)
{
	struct rd_spelling spelling;
	struct search s = { .path = path, .spelling = &spelling };
	size_t n = err ? strlen(err->text) : 0;

	if (!err)
		return;
	rd_spell(path, &spelling);
	if (rd_store_walk(store, examine, &s) || !s.olds)
		return;
	snprintf(
		err->text + n, sizeof(err->text) - n,
		"; the disk %s was loaded from that path: to use the disk, give its id, %s, in place of the path",
		s.old, s.old);
}
