/* SPDX-License-Identifier: BSD-2-Clause */
/* See header.h. No state; any thread. */
#include "drivers/block-ram/format/header.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"

static bool all_zero(const void *p, size_t n)
{
	const unsigned char *c = p;

	while (n--)
		if (*c++)
			return false;
	return true;
}

/* Only what a reader of the table relies on. */
static bool points_fit(const struct rd_header *header)
{
	unsigned i;

	if ((header->points & 0xff) > RD_POINTS ||
	    (header->points >> 8) > RD_POINTS)
		return false;
	for (i = 0; i < RD_POINTS; i++)
		if (header->point[i].state > RD_POINT_DROPPING ||
		    !memchr(header->point[i].name, 0, RD_NAME_MAX))
			return false;
	return true;
}

int rd_header_check(const struct rd_header *header, size_t n, off_t file_size,
		    const char *path, struct rd_error *err)
{
	if (n < sizeof(header->magic) + sizeof(header->format) ||
	    all_zero(header->magic, sizeof(header->magic)))
		return rd_fail(
			err, -ENOENT,
			"%s is incomplete: the process that made it was killed",
			path);
	if (memcmp(header->magic, RD_MAGIC, sizeof(header->magic)))
		return rd_fail(err, -EUCLEAN, "%s is not a disk's header",
			       path);
	if (header->format != RD_FORMAT)
		return rd_fail(
			err, -EPROTO,
			"%s has store format %u and this program knows format %u: detach its disk with the version that made it, or use that version",
			path, header->format, RD_FORMAT);
	if (n != sizeof(*header) || file_size != (off_t)RD_HEADER_BYTES ||
	    header->slots != RD_SLOTS || header->slots_used > RD_SLOTS ||
	    header->state > RD_READY || header->size % RD_SECTOR ||
	    header->loaded > header->size || header->seed_size > header->size ||
	    header->size > (uint64_t)INT64_MAX ||
	    header->flags & ~(unsigned)RD_DISK_FLAGS ||
	    (header->state == RD_READY &&
	     (!header->size ||
	      header->size - header->seed_size >= RD_SECTOR)) ||
	    !memchr(header->id, 0, sizeof(header->id)) ||
	    !memchr(header->seed_id, 0, sizeof(header->seed_id)) ||
	    !memchr(header->name, 0, sizeof(header->name)) ||
	    !memchr(header->seed, 0, sizeof(header->seed)) ||
	    !points_fit(header))
		return rd_fail(err, -EUCLEAN,
			       "%s is damaged: its fields do not fit together",
			       path);
	return 0;
}

/*
 * The magic is written last, so a header that is read after its magic is finished.
 * One read may load its bytes in any order.
 */
static ssize_t read_after_magic(int fd, struct rd_header *header)
{
	char magic[sizeof(header->magic)] = "";
	ssize_t n = pread(fd, magic, sizeof(magic), 0);

	if (n < 0)
		return n;
	atomic_thread_fence(memory_order_acquire);
	n = pread(fd, header, sizeof(*header), 0);
	memcpy(header->magic, magic, sizeof(magic));
	return n;
}

int rd_header_read(int fd, const char *path, struct rd_header *header,
		   struct rd_error *err)
{
	struct stat st;
	ssize_t n = read_after_magic(fd, header);

	if (n < 0 || fstat(fd, &st) < 0)
		return rd_fail(err, -errno, "cannot read %s: %m", path);
	return rd_header_check(header, (size_t)n, st.st_size, path, err);
}

int rd_slot_read(int fd, unsigned slot, struct rd_slot *s)
{
	ssize_t n = pread(fd, s, sizeof(*s), rd_slot_offset(slot));

	return n == (ssize_t)sizeof(*s) ? 0 : -EIO;
}

/* FNV-1a, of which the upper 24 bits are kept. Never RD_BRIEF_ANY_LABEL. */
static uint32_t label_hash(const char *label)
{
	uint32_t hash = 2166136261u;
	size_t i;

	for (i = 0; i < RD_LABEL_MAX && label[i]; i++)
		hash = (hash ^ (unsigned char)label[i]) * 16777619u;
	hash &= RD_BRIEF_ANY_LABEL;
	return hash == RD_BRIEF_ANY_LABEL ? 0 : hash;
}

uint32_t rd_brief(unsigned flags, const char *label)
{
	return RD_BRIEF_TAKEN | (flags & (RD_BRIEF_TAKEN - 1)) |
	       (label ? label_hash(label) : RD_BRIEF_ANY_LABEL);
}

bool rd_brief_fits(uint32_t brief, uint32_t wanted)
{
	uint32_t flags = wanted & ~RD_BRIEF_ANY_LABEL;
	uint32_t has = brief & RD_BRIEF_ANY_LABEL;
	uint32_t label = wanted & RD_BRIEF_ANY_LABEL;

	return (brief & flags) == flags &&
	       (has == label || has == RD_BRIEF_ANY_LABEL ||
		label == RD_BRIEF_ANY_LABEL);
}

static bool slot_fits(int fd, unsigned slot, unsigned flags, const char *label)
{
	struct rd_slot s;

	return !rd_slot_read(fd, slot, &s) && s.state == RD_SLOT_ATTACHED &&
	       (s.flags & flags) == flags &&
	       (!label || !strncmp(s.label, label, sizeof(s.label)));
}

int rd_slot_find(int fd, const struct rd_header *header, unsigned flags,
		 const char *label)
{
	uint32_t brief[1024], wanted = rd_brief(flags, label);
	unsigned first, i, n;

	for (first = 0; first < header->slots_used; first += n) {
		ssize_t got = pread(fd, brief, sizeof(brief),
				    rd_brief_offset(first));

		n = got > 0 ? (unsigned)got / sizeof(*brief) : 0;
		if (n > header->slots_used - first)
			n = header->slots_used - first;
		if (!n)
			return -1;
		for (i = 0; i < n; i++)
			if (rd_brief_fits(brief[i], wanted) &&
			    slot_fits(fd, first + i, flags, label))
				return (int)(first + i);
	}
	return -1;
}

int rd_lock(int fd, int command, short type, off_t start, off_t len)
{
	struct flock l = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = start,
		.l_len = len,
	};
	int rc;

	do
		rc = fcntl(fd, command, &l);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return 0;
	return errno == EACCES || errno == EAGAIN ? -EWOULDBLOCK : -errno;
}

int rd_lock_disk(int fd)
{
	return rd_lock(fd, F_OFD_SETLKW, F_WRLCK, RD_LOCK_DISK, 1);
}

int rd_trylock_disk(int fd)
{
	return rd_lock(fd, F_OFD_SETLK, F_WRLCK, RD_LOCK_DISK, 1);
}

void rd_unlock_disk(int fd)
{
	rd_lock(fd, F_OFD_SETLK, F_UNLCK, RD_LOCK_DISK, 1);
}

bool rd_is_locked(int fd, off_t start, off_t len)
{
	struct flock l = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = start,
		.l_len = len,
	};

	if (fcntl(fd, F_OFD_GETLK, &l) < 0)
		return true;
	return l.l_type != F_UNLCK;
}

bool rd_disk_locked(int fd)
{
	return rd_is_locked(fd, RD_LOCK_DISK, 1);
}

void rd_slot_requests(const struct rd_slot_counters *s, struct rd_counters *sum)
{
	unsigned i;

	sum->reads = s->reads;
	sum->writes = s->writes;
	sum->read_bytes = s->read_bytes;
	sum->write_bytes = s->write_bytes;
	for (i = 0; i < RD_COUNTING_THREADS; i++) {
		sum->reads += s->thread[i].of[0].requests;
		sum->read_bytes += s->thread[i].of[0].bytes;
		sum->writes += s->thread[i].of[1].requests;
		sum->write_bytes += s->thread[i].of[1].bytes;
	}
}
