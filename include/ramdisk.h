/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared RAM disk: public API of libramdisk.
 *
 * A seed image is loaded once into memory and attached many times, by many
 * processes. Writes are seen by every attachment, the seed is never written,
 * and when the last attachment goes the contents are discarded.
 *
 * DESIGN. No process owns a disk. A disk is three files in a store, a
 * directory on tmpfs: ID.data (exactly the disk's bytes), ID.ranges (one lock
 * word for each 4 KiB block) and ID.header (identity, state, and one slot for
 * each attachment). An attachment holds an open-file-description lock on its
 * slot's byte of the header, so the kernel counts the references: a process
 * that dies in any way is detached by the kernel. drivers/block-ram/header.h
 * documents the format.
 *
 * UNITS. Offsets and lengths are bytes. A disk's size is a multiple of
 * RD_SECTOR. Reads and writes need no alignment.
 *
 * ERRORS. Functions that can fail return 0 or -errno. Those that take a
 * struct rd_error also leave one finished sentence in it, without a newline,
 * for the person at the edge; it may be NULL. Nothing in this library prints.
 *
 * THREADS. A store may be used by one thread at a time. One attachment may be
 * used by many threads at once through the range calls (rd_read to rd_flush);
 * rd_detach() must be the last call on it.
 *
 * FORK. Attach after forking, never before: an open file description, and
 * with it the lock that is the reference, is shared by both sides of a fork.
 * All descriptors are opened close-on-exec.
 */
#ifndef RAMDISK_H
#define RAMDISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RD_VERSION "0.1"

/*
 * Version of the store's format and of the words that the tool, the backend
 * and the store exchange. A store of another format is refused (-EPROTO).
 */
#define RD_FORMAT 1u

#define RD_SECTOR 512u /* bytes; smallest unit of a disk's size */
#define RD_BLOCK 4096u /* bytes; unit of atomicity, aligned */
#define RD_ID_MAX 80u /* bytes of a disk's identity, with its NUL */
#define RD_LABEL_MAX 64u /* bytes of an attachment's label, with its NUL */
#define RD_SEED_MAX 4096u /* bytes of a seed's path, with its NUL */

/* Where the store is unless $XEN_RAMDISK_DIR names another place. */
#define RD_STORE_DIR "/run/xen-ramdisk"

/* Whether @n units at @off lie within @size of them; cannot wrap. */
static inline bool rd_in_bounds(uint64_t off, uint64_t n, uint64_t size)
{
	return n <= size && off <= size - n;
}

struct rd_error {
	char text[768];
};

struct rd_store; /* an open store directory */
struct rd_disk; /* one attachment to one disk */

/* ---- store: control, never on the request path ------------------------- */

/*
 * Open the store in @dir; NULL means $XEN_RAMDISK_DIR, or else RD_STORE_DIR.
 * The directory is made (mode 0700) when it is missing. When it is not on
 * tmpfs, a tmpfs of its own is mounted there, which needs CAP_SYS_ADMIN.
 * Close with rd_store_close(); open attachments do not need the store.
 */
int rd_store_open(struct rd_store **store, const char *dir,
		  struct rd_error *err);
void rd_store_close(struct rd_store *store);

/* Canonical path of the store's directory; valid until rd_store_close(). */
const char *rd_store_path(const struct rd_store *store);

/*
 * Called while a seed is read, and while another process's load of the same
 * seed is awaited: at the start, at the end, and about ten times a second in
 * between. A non-zero return gives the attach up with -ECANCELED.
 */
typedef int rd_progress_fn(void *arg, uint64_t done, uint64_t total);

struct rd_attach_request {
	const char *seed; /* path of a regular file or block device */
	bool writable; /* false: this attachment can change no byte */
	const char *label; /* who attaches, for people; at most RD_LABEL_MAX */
	rd_progress_fn *progress; /* may be NULL */
	void *progress_arg;
};

/*
 * Attach to the disk that @req->seed names; load the seed first when nobody
 * is attached. The seed is told by its file (device, inode, time of birth;
 * a block device by its number), not by its path. Blocks while another
 * process loads the same seed. A failed attach leaves nothing behind.
 *
 *   -EINVAL   the seed is empty, or is no regular file or block device
 *   -ENOMEM, -ENOSPC  the disk does not fit; @err has the numbers
 *   -EUSERS   every slot of the disk is taken
 *   -EIO      the seed failed or shrank while it was read
 *   -EPROTO   the disk was made by a program with another RD_FORMAT
 *   -ECANCELED  the progress function said so
 *   and what open(2) and read(2) answer for the seed
 */
int rd_attach(struct rd_store *store, const struct rd_attach_request *req,
	      struct rd_disk **disk, struct rd_error *err);

/*
 * Detach and free @disk. The last detach discards the disk's contents. Never
 * fails: what cannot be removed now is removed by the next rd_reap().
 */
void rd_detach(struct rd_disk *disk);

/*
 * Discard the disks whose attachments have all died. Returns how many, or
 * -errno. Cheap when there is nothing to do.
 */
int rd_reap(struct rd_store *store);

struct rd_counters {
	uint64_t reads, writes, flushes; /* requests carried out */
	uint64_t read_bytes, write_bytes;
	uint64_t errors; /* requests refused or failed */
};

struct rd_attachment_info {
	unsigned slot;
	int pid; /* of the process that attached */
	bool writable;
	char label[RD_LABEL_MAX];
	struct rd_counters counters;
};

struct rd_disk_info {
	char id[RD_ID_MAX];
	char seed[RD_SEED_MAX]; /* path by which it was loaded, resolved */
	uint64_t size; /* of the disk, bytes */
	uint64_t seed_size; /* of the seed, bytes: smaller by the padding */
	uint64_t loaded; /* bytes; less than size while it loads */
	bool loading;
	unsigned attachments; /* entries in @attachment */
	struct rd_attachment_info *attachment;
};

/*
 * List the disks of @store that are loading or attached, ordered by seed.
 * Free with rd_list_free(). A header that cannot be trusted is left out, and
 * @err names the first such (return value still 0; err->text empty if none).
 */
int rd_list(struct rd_store *store, struct rd_disk_info **disks, size_t *count,
	    struct rd_error *err);
void rd_list_free(struct rd_disk_info *disks, size_t count);

/* ---- attachment: the request path -------------------------------------- */

uint64_t rd_size(const struct rd_disk *disk); /* bytes */
bool rd_writable(const struct rd_disk *disk);
const char *rd_id(const struct rd_disk *disk);
/* Bytes of zeros after the seed's last partial sector; 0 if it had none. */
unsigned rd_padding(const struct rd_disk *disk);

/*
 * Read or write @len bytes at @off. Atomic for each RD_BLOCK between all
 * attachments in all processes. -EINVAL outside the disk, -EROFS for a write
 * through a read-only attachment; nothing was moved then.
 */
int rd_read(struct rd_disk *disk, void *buf, uint64_t off, size_t len);
int rd_write(struct rd_disk *disk, const void *buf, uint64_t off, size_t len);

/* All that was written is in memory already: only counted. */
int rd_flush(struct rd_disk *disk);

/*
 * Hold a range while somebody else (the hypervisor) copies. Usage:
 *
 *   do {
 *           rd_range_begin(disk, off, len, flags, &range);
 *           copy from or to range.addr;
 *   } while (rd_range_end(&range) == -EAGAIN);
 *
 * A range begun with RD_RANGE_WRITE is locked against everyone, block by
 * block in ascending order, until rd_range_end(), which then returns 0. One
 * begun for reading locks nothing: rd_range_end() returns -EAGAIN when a
 * writer came in between, and what was copied is to be copied again. After a
 * few such answers begin with RD_RANGE_EXCLUSIVE: that keeps writers out.
 *
 * A thread that holds a range and begins another must pass RD_RANGE_NOWAIT,
 * which answers -EWOULDBLOCK instead of waiting (also for a block that the
 * thread itself holds), or it can deadlock with another process. It then ends
 * what it holds and begins again.
 *
 * Counts one read or write of @len bytes at a successful rd_range_end().
 */
#define RD_RANGE_WRITE 1u
#define RD_RANGE_EXCLUSIVE 2u
#define RD_RANGE_NOWAIT 4u

struct rd_range {
	void *addr; /* @len bytes; read-only without RD_RANGE_WRITE */
	struct rd_disk *disk; /* private from here on */
	uint64_t off;
	size_t len;
	unsigned flags;
	uint64_t snapshot;
};

int rd_range_begin(struct rd_disk *disk, uint64_t off, size_t len,
		   unsigned flags, struct rd_range *range);
int rd_range_end(struct rd_range *range);
/* End a held range whose copy failed: counts an error instead. */
void rd_range_abort(struct rd_range *range);

/* Count a request that the adapter refused before it came here. */
void rd_count_error(struct rd_disk *disk);

#ifdef __cplusplus
}
#endif

#endif
