/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tapdisk driver: struct tap_disk tapdisk_ram over the shared RAM disk,
 * for every generation of blktap. TAPDISK_GENERATION names the one whose
 * headers it is compiled against:
 *
 *   0  blktap1 of Xen 3.0.3 and 3.0.4
 *   1  blktap1 of Xen 3.1 to 4.5
 *   2  blktap2 of Xen 4.0 to 4.12; blktap of XenServer before 3.16
 *   3  blktap of XenServer and XCP-ng from 3.16 on, 4.x included
 *
 * It uses ramdisk.h only and is not a part of libramdisk. One vbd is one
 * attachment: td_open attaches, td_close detaches. So vbds may be in one process
 * or in many: the store finds the disk that a name means, and the kernel counts
 * the attachments.
 *
 * tapdisk is single-threaded, and so is this file. A request is completed before
 * td_queue_* returns. tapdisk forks (as a daemon) before it opens an image, so no
 * attachment is shared by a parent and a child.
 *
 * Each guest request is checked in sectors(). tapdisk's own checks differ between
 * the generations, so the driver does not rely on them.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "include/private/clock.h"
#include "include/private/damage-text.h"
#include "include/ramdisk.h"

#include "tapdisk.h"
#if TAPDISK_GENERATION >= 2
#include "tapdisk-driver.h"
#include "tapdisk-interface.h"
#endif

#include "drivers/block-ram/tapdisk/pause.h"

#if TAPDISK_GENERATION == 0
#define VBD struct td_state
#elif TAPDISK_GENERATION == 1
#define VBD struct disk_driver
#elif TAPDISK_GENERATION == 2 || TAPDISK_GENERATION == 3
#define VBD td_driver_t
#else
#error "TAPDISK_GENERATION is 0, 1, 2 or 3: see docs/tapdisk.md"
#endif

/* ---- requests ---------------------------------------------------------- */

/* Check that @n sectors at @sector are in the disk; set offset and length (bytes). */
static bool sectors(const struct ram_vbd *v, uint64_t sector, int n,
		    uint64_t *off, size_t *len)
{
	if (!v->disk || n <= 0 ||
	    !rd_in_bounds(sector, (uint64_t)n, rd_size(v->disk) / RD_SECTOR))
		return false;
	*off = sector * RD_SECTOR;
	*len = (size_t)n * RD_SECTOR;
	return true;
}

static void say_damage(const struct rd_disk *disk, const char *text)
{
	syslog(LOG_WARNING, "tapdisk_ram: disk %s: %s", rd_id(disk), text);
}

/* 0 or -errno; not -EBUSY, -EAGAIN or -EINTR, which tapdisk retries. */
static int carry_out(struct ram_vbd *v, bool write, uint64_t sector, int n,
		     void *buf)
{
	uint64_t off, start = clock_now_us();
	size_t len;
	int rc;

	if (!sectors(v, sector, n, &off, &len)) {
		if (v->disk)
			rd_count_error(v->disk);
		rc = -EINVAL;
	} else if (write && !v->writable) {
		rd_count_error(v->disk);
		rc = -EPERM; /* as tapdisk itself: not retried */
	} else {
		rc = write ? rd_write(v->disk, buf, off, len)
			   : rd_read(v->disk, buf, off, len);
		damage_log(v->disk, &v->damage, say_damage);
	}
	if (rc) {
		v->errors++;
		return rc;
	}
	*(write ? &v->writes : &v->reads) += 1;
	*(write ? &v->written_sectors : &v->read_sectors) += (unsigned)n;
	rd_count_latency(v->disk, write, clock_now_us() - start);
	return 0;
}

/* ---- open and close ---------------------------------------------------- */

static void say_replaced(const struct ram_vbd *v, const char *name)
{
	if (rd_seed_now(v->disk) == RD_SEED_REPLACED)
		syslog(LOG_NOTICE,
		       "tapdisk_ram: %s has another file now; the vbd resumes with the disk %s of the old one",
		       name, rd_id(v->disk));
}

/*
 * Attach @v to the disk that is parked for @name: a paused vbd resumes with its
 * disk, whatever file has the name by then. Else to the disk of @name. After a
 * failure nothing is attached.
 */
static int attach_vbd(struct ram_vbd *v, const char *name, bool writable)
{
	struct rd_attach_request req = {
		.seed = name,
		.name = parked_id(name),
		.writable = writable,
		.label = "tapdisk",
	};
	struct rd_store *store = NULL;
	struct rd_error err;
	int rc;

	if (resume(v, name, writable)) {
		say_replaced(v, name);
		return 0;
	}
	memset(v, 0, sizeof(*v));
	if (req.name) {
		req.seed = NULL;
		req.flags = RD_EXISTING;
	}
	rc = rd_store_open(&store, NULL, &err);
	if (!rc) {
		rd_reap(store);
		rc = rd_attach(store, &req, &v->disk, &err);
		rd_store_close(store);
	}
	if (rc) {
		v->disk = NULL;
		syslog(LOG_ERR, "tapdisk_ram: %s", err.text);
		return rc;
	}
	v->writable = writable;
	if (req.name)
		say_replaced(v, name);
	unpark(v->disk, name);
	if (rd_padding(v->disk))
		syslog(LOG_NOTICE,
		       "tapdisk_ram: %s ends inside a sector: %u bytes of zeros follow it",
		       name, rd_padding(v->disk));
	return 0;
}

/* tapdisk may call it after a failed open, and twice. */
static void detach_vbd(struct ram_vbd *v, const char *name)
{
	if (v->disk)
		give_back(v, name);
	v->disk = NULL;
}

#if TAPDISK_GENERATION <= 1
/* ---- blktap1 ----------------------------------------------------------- */

/* 3.0.x has no read-only flag, and its completion has no sectors. */
#if TAPDISK_GENERATION == 0
#define OPEN_FLAGS
#define MAY_WRITE true
#define STATE(vbd) (vbd)
#define COMPLETE(cb, vbd, rc, sector, n, id, prv) cb(vbd, rc, id, prv)
#else
#define OPEN_FLAGS , td_flag_t flags
#define MAY_WRITE (!(flags & TD_RDONLY))
#define STATE(vbd) ((vbd)->td_state)
#define COMPLETE(cb, vbd, rc, sector, n, id, prv) \
	cb(vbd, rc, sector, n, id, prv)
#endif

static int ram_open(VBD *vbd, const char *name OPEN_FLAGS)
{
	struct ram_vbd *v = vbd->private;
	int rc = attach_vbd(v, name, MAY_WRITE);

	if (rc)
		return rc;
	STATE(vbd)->sector_size = RD_SECTOR;
	STATE(vbd)->size = rd_size(v->disk) / RD_SECTOR;
	STATE(vbd)->info = 0;
	return 0;
}

static int ram_close(VBD *vbd)
{
	detach_vbd(vbd->private, "");
	return 0;
}

/* The callback returns the number of responses that wait to be sent. */
static int ram_queue_read(VBD *vbd, uint64_t sector, int n, char *buf,
			  td_callback_t cb, int id, void *prv)
{
	int rc = carry_out(vbd->private, false, sector, n, buf);

	return COMPLETE(cb, vbd, rc, sector, n, id, prv);
}

static int ram_queue_write(VBD *vbd, uint64_t sector, int n, char *buf,
			   td_callback_t cb, int id, void *prv)
{
	int rc = carry_out(vbd->private, true, sector, n, buf);

	return COMPLETE(cb, vbd, rc, sector, n, id, prv);
}

static int ram_submit(VBD *vbd)
{
	(void)vbd;
	return 0;
}

/* A positive result has tapdisk send the waiting responses. */
static int ram_do_callbacks(VBD *vbd, int sid)
{
	(void)vbd, (void)sid;
	return 1;
}

#if TAPDISK_GENERATION == 0
/* Descriptors to poll. tapdisk skips a 0, and frees the array. */
static int *ram_get_fd(VBD *vbd)
{
	(void)vbd;
	return calloc(MAX_IOFD, sizeof(int));
}
#else
static int ram_get_parent_id(VBD *vbd, struct disk_id *id)
{
	(void)vbd, (void)id;
	return TD_NO_PARENT;
}

static int ram_validate_parent(VBD *vbd, VBD *parent, td_flag_t flags)
{
	(void)vbd, (void)parent, (void)flags;
	return -EINVAL;
}
#endif

#else
/* ---- blktap2 and later ------------------------------------------------- */

#if TAPDISK_GENERATION == 2
#define OPEN_KEY
#else
#define OPEN_KEY struct td_vbd_encryption *encryption,
#endif

static int ram_open(VBD *vbd, const char *name, OPEN_KEY td_flag_t flags)
{
	struct ram_vbd *v = vbd->data;
	int rc = attach_vbd(v, name, !(flags & TD_OPEN_RDONLY));

#if TAPDISK_GENERATION == 3
	(void)encryption; /* for encrypted images only */
#endif
	if (rc)
		return rc;
	vbd->info.sector_size = RD_SECTOR;
	vbd->info.size = rd_size(v->disk) / RD_SECTOR;
	vbd->info.info = 0;
	return 0;
}

static int ram_close(VBD *vbd)
{
	detach_vbd(vbd->data, vbd->name ? vbd->name : "");
	return 0;
}

static void ram_queue_read(VBD *vbd, td_request_t treq)
{
	int rc = carry_out(vbd->data, false, treq.sec, treq.secs, treq.buf);

	td_complete_request(treq, rc);
}

static void ram_queue_write(VBD *vbd, td_request_t treq)
{
	int rc = carry_out(vbd->data, true, treq.sec, treq.secs, treq.buf);

	td_complete_request(treq, rc);
}

static int ram_get_parent_id(VBD *vbd, td_disk_id_t *id)
{
	(void)vbd, (void)id;
	return TD_NO_PARENT;
}

static int ram_validate_parent(VBD *vbd, VBD *parent, td_flag_t flags)
{
	(void)vbd, (void)parent, (void)flags;
	return -EINVAL;
}
#endif

#if TAPDISK_GENERATION == 3
/* ---- block status, from blktap 3.48 on --------------------------------- */

#ifdef TD_BLOCK_STATE_NONE
/*
 * One completion for each piece with the same answer. Extents end at a 4 KiB
 * block or at the request's end, so a piece is whole sectors.
 */
static void ram_queue_block_status(VBD *vbd, td_request_t treq)
{
	struct ram_vbd *v = vbd->data;
	td_request_t piece;
	uint64_t off, len;
	size_t left;
	bool hole;
	int rc = 0;

	if (!sectors(v, treq.sec, treq.secs, &off, &left)) {
		v->errors++;
		td_complete_request(treq, -EINVAL);
		return;
	}
	while (!rc && left) {
		piece = treq;
		len = left;
		rc = rd_extent(v->disk, off, &len, &hole);
		if (!rc) {
			piece.secs = (int)(len / RD_SECTOR);
			/* A hole reads as zeros. */
			piece.status = hole ? TD_BLOCK_STATE_HOLE |
						       TD_BLOCK_STATE_ZERO
					    : TD_BLOCK_STATE_NONE;
		}
		td_complete_request(piece, rc);
		treq.sec += (unsigned)piece.secs;
		treq.secs -= piece.secs;
		off += len;
		left -= len;
	}
}
#endif

/* ---- statistics -------------------------------------------------------- */

/* Writes into the JSON object that tapdisk has opened for this driver. */
static void ram_stats(VBD *vbd, td_stats_t *st)
{
	const struct ram_vbd *v = vbd->data;

	if (!v->disk)
		return;
	tapdisk_stats_field(st, "disk", "s", rd_id(v->disk));
	tapdisk_stats_field(st, "writable", "d", v->writable ? 1 : 0);
	tapdisk_stats_field(st, "bytes", "llu",
			    (unsigned long long)rd_size(v->disk));
	tapdisk_stats_field(st, "padding", "u", rd_padding(v->disk));
	tapdisk_stats_field(st, "reads", "llu", v->reads);
	tapdisk_stats_field(st, "read_sectors", "llu", v->read_sectors);
	tapdisk_stats_field(st, "writes", "llu", v->writes);
	tapdisk_stats_field(st, "written_sectors", "llu", v->written_sectors);
	tapdisk_stats_field(st, "errors", "llu", v->errors);
}

__attribute__((format(printf, 4, 5))) static int
append(char *buf, int *off, int *size, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(buf + *off, *size > 0 ? (size_t)*size : 0, format, ap);
	va_end(ap);
	if (n < 0 || n >= *size)
		return -ENOBUFS;
	*off += n;
	*size -= n;
	return 0;
}

/*
 * Writes the data sources, separated by commas, at @buf + *off, where *size bytes
 * are left. No tapdisk with this form of td_open calls it today.
 */
static int ram_rrd(VBD *vbd, char *buf, int *const off, int *const size)
{
	const struct ram_vbd *v = vbd->data;
	const struct {
		const char *name;
		unsigned long long value;
	} sources[] = {
		{ "ram_reads", v->reads },
		{ "ram_writes", v->writes },
		{ "ram_errors", v->errors },
	};
	size_t i, n = sizeof(sources) / sizeof(sources[0]);
	int rc = 0;

	for (i = 0; !rc && i < n; i++)
		rc = append(
			buf, off, size,
			"\"%s\": { \"description\": \"Requests\", \"owner\": \"host\", \"type\": \"absolute\", \"units\": \"requests\", \"min\": \"0.00\", \"max\": \"inf\", \"value\": \"%llu\", \"value_type\": \"float\" }%s\n",
			sources[i].name, sources[i].value,
			i + 1 < n ? "," : "");
	return rc ? rc : 1;
}
#endif

struct tap_disk tapdisk_ram = {
	.disk_type = "tapdisk_ram",
	.private_data_size = sizeof(struct ram_vbd),
	.td_open = ram_open,
	.td_close = ram_close,
	.td_queue_read = ram_queue_read,
	.td_queue_write = ram_queue_write,
#if TAPDISK_GENERATION <= 1
	.td_submit = ram_submit,
	.td_do_callbacks = ram_do_callbacks,
#endif
#if TAPDISK_GENERATION == 0
	.td_get_fd = ram_get_fd,
#else
	.td_get_parent_id = ram_get_parent_id,
	.td_validate_parent = ram_validate_parent,
#endif
#if TAPDISK_GENERATION == 3
#ifdef TD_BLOCK_STATE_NONE
	.td_queue_block_status = ram_queue_block_status,
#endif
	.td_stats = ram_stats,
	.td_rrd = ram_rrd,
#endif
};
