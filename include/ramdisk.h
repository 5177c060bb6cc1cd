/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared RAM disk: public API of libramdisk.
 *
 * A seed image is loaded once into memory and attached many times, by many
 * processes. Writes are seen by every attachment, the seed is never written,
 * and when the last attachment goes the contents are discarded.
 *
 * DESIGN. No process owns a disk. A disk is three files in a store, a
 * directory on tmpfs: ID.data (exactly the disk's bytes), ID.ranges (one block
 * lock for each 4 KiB block, and which blocks are loaded and have memory) and
 * ID.header (identity, state, and one slot for each attachment). An attachment
 * holds an open-file-description lock on its slot's byte of the header, so the
 * kernel counts the references: a process that dies in any way is detached by
 * the kernel. A private view adds two files of its own, ID.view-SLOT.data and
 * ID.view-SLOT.map. drivers/block-ram/format/header.h documents the format.
 *
 * UNITS. Offsets and lengths are bytes. A disk's size is a multiple of
 * RD_SECTOR. Reads and writes need no alignment.
 *
 * ERRORS. Functions that can fail return 0 or -errno. Those that take a
 * struct rd_error also leave one finished sentence in it, without a newline,
 * for the caller to print; it may be NULL. Nothing in this library prints.
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
#define RD_NAME_MAX 64u /* bytes of a disk's name, with its NUL */

/* Where root's store is unless $XEN_RAMDISK_DIR names another place. */
#define RD_STORE_DIR "/run/xen-ramdisk"
/* Anyone else's: with the user's number behind it. */
#define RD_USER_STORE_DIR "/dev/shm/xen-ramdisk-"

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

/* Where this user's store is when none is named. Good until the thread's next call. */
const char *rd_store_default(void);

/*
 * Open the store in @dir; NULL means rd_store_default(). The directory is made
 * (mode 0700) when it is missing. When it is empty and not on tmpfs, a tmpfs of
 * its own is mounted on it, which needs CAP_SYS_ADMIN. Close with
 * rd_store_close(); open attachments do not need the store.
 *
 *   -EPERM      another user owns the directory or may write it (or read it, in
 *               RD_USER_STORE_DIR); it is a symbolic link, or no directory
 *   -ENOTEMPTY  it is not on tmpfs and has something in it, which a mount would
 *               hide
 */
int rd_store_open(struct rd_store **store, const char *dir,
		  struct rd_error *err);

/*
 * The same for a caller that only looks: nothing is made or mounted. Where no
 * store is, the store is empty: rd_list() finds no disk, and rd_find() none to
 * name.
 */
int rd_store_open_existing(struct rd_store **store, const char *dir,
			   struct rd_error *err);
/* Whether rd_store_open_existing() found one. */
bool rd_store_exists(const struct rd_store *store);
void rd_store_close(struct rd_store *store);

/* Canonical path of the store's directory; valid until rd_store_close(). */
const char *rd_store_path(const struct rd_store *store);

/*
 * Called while a seed is read, and while another process's load of the same
 * seed is awaited: at the start, at the end, and about ten times a second in
 * between. A non-zero return gives the attach up with -ECANCELED.
 */
typedef int rd_progress_fn(void *arg, uint64_t done, uint64_t total);

/* How to attach. RD_THIN and RD_LAZY take effect if this call loads the disk. */
#define RD_PRIVATE 1u /* own copy-on-write view; implies writable */
#define RD_THIN 2u /* memory is taken as it is needed, not up front */
#define RD_LAZY 4u /* return at once; parts are read at first use */
#define RD_KEEP 8u /* the disk stays when nobody is attached, until rd_drop() */
#define RD_EXISTING 16u /* do not load: -ENOENT if the disk is not there */
/*
 * Durable: the attachment outlives its process, so that a restarted process can
 * take it over. It ends with rd_detach() or rd_end(). Attaching with the same
 * label takes the attachment over, with its private view and its locked blocks.
 * The label must be unique in the store. When the process dies, blocks that it
 * was writing stay locked for a second; then other attachments unlock them.
 */
#define RD_DURABLE 32u
/* The seed must be an image itself: no alias, no empty file. For paths that an
 * untrusted client chooses. */
#define RD_IMAGE 64u

struct rd_attach_request {
	/*
	 * Path of an image file or block device; or of an alias file; or of
	 * an empty file, which means the disk that is there when exactly one
	 * is; or a URI of an NBD server's export (nbd://, nbds://,
	 * nbd+unix://, … as libnbd's nbd_connect_uri(3) has them). NULL with
	 * a name: the disk of that name, which must be there.
	 */
	const char *seed;
	/*
	 * NULL: the seed's own disk. Otherwise the disk of that name, made
	 * from the seed: letters, digits, '.', '_', '-', not at the start.
	 */
	const char *name;
	bool writable; /* false: this attachment can change no byte */
	unsigned flags;
	const char *label; /* who attaches, for people; at most RD_LABEL_MAX */
	rd_progress_fn *progress; /* may be NULL */
	void *progress_arg;
};

/*
 * Attach to the disk that @req names; load the seed first when the disk is
 * not there. The seed is told by its file (device, inode, time of birth; a
 * block device by its number), not by its path; one on a server by its URI. Blocks while another process
 * loads the same seed. A failed attach leaves nothing behind.
 *
 *   -EINVAL   the seed is empty and no single disk is there, or it is no
 *             regular file or block device; a name that cannot be one
 *   -EEXIST   the name belongs to a disk of another seed
 *   -EBUSY    writable, and others have private views; or the other way;
 *             or a durable label whose process lives
 *   -ENOENT   RD_EXISTING, or no seed, and no such disk; no such file
 *   -ENOMEM, -ENOSPC  the disk does not fit; @err has the numbers
 *   -EUSERS   every slot of the disk is taken
 *   -EIO      the seed failed or shrank while it was read, or its server
 *             cannot be reached
 *   -ENOSYS   a URI, and libnbd is not installed
 *   -ETIMEDOUT  the seed's server gave no answer for half a minute
 *   -EPROTO   the disk was made by a program with another RD_FORMAT
 *   -ECANCELED  the progress function returned non-zero
 *   and what open(2) and read(2) answer for the seed
 */
int rd_attach(struct rd_store *store, const struct rd_attach_request *req,
	      struct rd_disk **disk, struct rd_error *err);

/*
 * Settle: after a durable attachment was taken over, release the block locks of
 * its dead process that are still held. Before rd_settle() only one thread may
 * use the attachment, one request at a time; its requests inherit those locks.
 */
int rd_settle(struct rd_disk *disk);

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

/*
 * End the durable attachment of @label whose process has died. 0, -ENOENT if
 * there is none, -EBUSY if its process lives. rd_try_end() answers -EWOULDBLOCK
 * where rd_end() waits for more than a moment: a reset, for one, has the disk's
 * lock for as long as it reads.
 */
int rd_end(struct rd_store *store, const char *label);
int rd_try_end(struct rd_store *store, const char *label);

/*
 * The disk that @text names: a name given by name=, an id, a seed's path, or
 * the last component of exactly one seed's path. -ENOENT or -ENOTUNIQ with the
 * choices in @err.
 */
int rd_find(struct rd_store *store, const char *text, char id[RD_ID_MAX],
	    struct rd_error *err);

/*
 * Change whether disk @id stays when nobody is attached. rd_keep(…, false) of
 * a disk with no attachment discards it. -ENOENT.
 */
int rd_keep(struct rd_store *store, const char *id, bool keep,
	    struct rd_error *err);

/*
 * Bring the seed back in place. -EBUSY while others are attached for writing,
 * unless @force, or while there are private views. The seed must still be the
 * file that the disk was loaded from, of the same size; what it contains now
 * is what the disk gets. Others see blocks of the old and the new contents
 * while it runs. When the seed fails in the middle the disk is left half
 * reset, which rd_list() tells.
 */
int rd_reset(struct rd_store *store, const char *id, bool force,
	     rd_progress_fn *progress, void *progress_arg,
	     struct rd_error *err);

/* Called for each range, in order; a non-zero return ends the walk with it. */
typedef int rd_range_fn(void *arg, uint64_t off, uint64_t len);

/* Find the ranges, multiples of RD_BLOCK, in which the disk differs from its
 * seed as it is now. Writers are not kept out. */
int rd_diff(struct rd_store *store, const char *id, rd_range_fn *differs,
	    void *arg, rd_progress_fn *progress, void *progress_arg,
	    struct rd_error *err);

/*
 * What people call a seed in short: the last part of its path, or of a URI's
 * path; of a URI without one its host, or "default".
 */
void rd_short_name(const char *seed, char name[RD_SEED_MAX]);

/* Whether @seed, a path or a URI, can be opened now, and its bytes. -errno. */
int rd_probe(const char *seed, uint64_t *size, struct rd_error *err);

/* ---- aliases ----------------------------------------------------------- */

/*
 * An alias is a small text file that stands for a disk, for toolstacks that
 * refuse one path twice. Format, each line ended by a newline:
 *   xen-ramdisk alias 1
 *   seed=ABSOLUTE PATH
 *   name=NAME            (may be missing)
 * rd_alias_write() makes @path, which must not exist.
 */
int rd_alias_write(const char *path, const char *seed, const char *name,
		   struct rd_error *err);

#define RD_LATENCIES 24u

struct rd_counters {
	uint64_t reads, writes, flushes, discards; /* requests carried out */
	uint64_t read_bytes, write_bytes, discard_bytes;
	uint64_t errors; /* requests refused or failed */
	/*
	 * Requests by their latency, as the adapter told, which may measure
	 * some only: entry n counts those of 2^n to 2^(n+1) - 1 microseconds;
	 * the first also shorter ones, the last also longer ones.
	 */
	uint32_t read_latency[RD_LATENCIES], write_latency[RD_LATENCIES];
};

struct rd_attachment_info {
	unsigned slot;
	int pid; /* of the process that attached */
	bool alive; /* false: durable, waiting for a process */
	bool writable;
	bool private_view;
	bool durable;
	uint64_t view_bytes; /* of memory that a private view has of its own */
	uint64_t since; /* seconds since 1970 */
	char label[RD_LABEL_MAX];
	struct rd_counters counters;
};

enum rd_seed_now {
	RD_SEED_SAME,
	RD_SEED_MODIFIED, /* written since it was loaded */
	RD_SEED_REPLACED, /* another file has its name */
	RD_SEED_GONE,
	RD_SEED_REMOTE, /* on a server, which was not asked */
};

struct rd_disk_info {
	char id[RD_ID_MAX];
	char name[RD_NAME_MAX]; /* given by name=, or empty */
	char seed[RD_SEED_MAX]; /* path by which it was loaded, resolved */
	enum rd_seed_now seed_now;
	uint64_t size; /* of the disk, bytes */
	uint64_t seed_size; /* of the seed, bytes: smaller by the padding */
	uint64_t loaded; /* bytes; less than size while it loads */
	uint64_t memory; /* bytes taken for the disk, without views */
	bool loading;
	bool thin, lazy, keep;
	bool half_reset; /* a reset did not end */
	unsigned attachments; /* entries in @attachment */
	struct rd_attachment_info *attachment;
};

/*
 * List the disks of @store that are loading, attached or kept, ordered by
 * seed and name.
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
/* The path that it was loaded from, and its name or "". Good until detach. */
const char *rd_seed(const struct rd_disk *disk);
const char *rd_name(const struct rd_disk *disk);
/* Bytes of zeros after the seed's last partial sector; 0 if it had none. */
unsigned rd_padding(const struct rd_disk *disk);

/*
 * Read or write @len bytes at @off. Atomic for each RD_BLOCK between all
 * attachments in all processes.
 *   -EINVAL  outside the disk: nothing was moved
 *   -EROFS   a write through a read-only attachment: nothing was moved
 *   -ENOSPC  no memory for a block of a thin disk or of a private view
 *   -EIO     a lazy disk's seed failed
 */
int rd_read(struct rd_disk *disk, void *buf, uint64_t off, size_t len);
int rd_write(struct rd_disk *disk, const void *buf, uint64_t off, size_t len);

/* Only counts the flush: a write is in memory when rd_write() returns. */
int rd_flush(struct rd_disk *disk);

/*
 * Make a range read as zeros, and in a thin disk give the memory of its whole
 * blocks back, unless @keep says that later writes there must not fail.
 * rd_discard() only touches whole blocks; bytes at its edges stay as they are.
 */
int rd_zero(struct rd_disk *disk, uint64_t off, uint64_t len, bool keep);
int rd_discard(struct rd_disk *disk, uint64_t off, uint64_t len);

/*
 * rd_discard() of a durable attachment, for one that is taken over in the
 * middle of it. *done, 0 at first, says how far it has come and must survive
 * the process; a discard is carried out in pieces, and noted before the locks
 * of each are let go. After the attachment was taken over, and before
 * rd_settle(), rd_discard_resume() finishes the piece that was begun, unless
 * others have been there meanwhile; it never waits. After rd_settle(),
 * rd_discard_noted() carries out the rest.
 */
int rd_discard_noted(struct rd_disk *disk, uint64_t off, uint64_t len,
		     uint64_t *done);
int rd_discard_resume(struct rd_disk *disk, uint64_t off, uint64_t len,
		      uint64_t *done);

/*
 * What is at @off: *len bytes, at least 1 and at most those asked for, that
 * are all zeros without memory behind them (*hole), or may be anything.
 */
int rd_extent(struct rd_disk *disk, uint64_t off, uint64_t *len, bool *hole);

/*
 * Hold a range while the caller copies by other means (grant copy). Usage:
 *
 *   do {
 *           rc = rd_range_begin(disk, off, len, flags, &range);
 *           for (pos = 0; pos < len; pos += n)
 *                   copy from or to n bytes at rd_range_at(&range, pos, &n);
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
 * thread itself holds, and for a part of a lazy disk that is not read yet), or
 * it can deadlock with another process, or make it wait for a seed. It then ends
 * what it holds and begins again.
 *
 * Errors as rd_read() and rd_write(), also -E2BIG for more than RD_RANGE_MAX.
 * Counts one read or write of @len bytes at a successful rd_range_end().
 */
#define RD_RANGE_WRITE 1u
#define RD_RANGE_EXCLUSIVE 2u
#define RD_RANGE_NOWAIT 4u
/*
 * With RD_RANGE_WRITE, in an attachment that was taken over, before
 * rd_settle(): only if the dead process held all of the range, and nobody has
 * taken a block of it since; otherwise -ESTALE. Never waits. Success means that
 * the dead process's write can be executed again without overwriting newer data.
 */
#define RD_RANGE_RESUME 8u
#define RD_RANGE_MAX ((size_t)1 << 20) /* bytes */

struct rd_range {
	struct rd_disk *disk; /* private, all of it */
	uint64_t off;
	size_t len;
	unsigned flags;
	uint64_t snapshot;
};

int rd_range_begin(struct rd_disk *disk, uint64_t off, size_t len,
		   unsigned flags, struct rd_range *range);
/*
 * Where the bytes from @pos, less than the range's length, are, and in *n how
 * many are there; *n never crosses a block's end. Read-only without
 * RD_RANGE_WRITE. Good until the range ends.
 */
void *rd_range_at(const struct rd_range *range, size_t pos, size_t *n);
int rd_range_end(struct rd_range *range);
/* End a held range whose copy failed: counts an error instead. */
void rd_range_abort(struct rd_range *range);

/*
 * A request at @off, less than the disk's size, comes next: the caches may fetch
 * what it will touch first, its block's lock and first bytes, while something
 * else is copied. No processor looks ahead over a page's end by itself. A hint
 * that waits for nothing and never fails.
 */
void rd_prefetch(struct rd_disk *disk, uint64_t off);

/*
 * rd_freeze() locks all blocks of the disk, to copy its contents as of one
 * moment; rd_thaw() unlocks from the start up to offset @to, once copied.
 * -EINVAL for a private view; -EIO or -ENOSPC if a lazy disk cannot be loaded.
 * While frozen this attachment may call only rd_frozen_at(): the address of the
 * byte at @off, and in *n how many follow in its block; NULL for a hole.
 */
int rd_freeze(struct rd_disk *disk);
const void *rd_frozen_at(struct rd_disk *disk, uint64_t off, size_t *n);
void rd_thaw(struct rd_disk *disk, uint64_t to);

/* Record the latency of a request, microseconds; the range call counts it. */
void rd_count_latency(struct rd_disk *disk, bool write, uint64_t us);

/* Count a request that the adapter refused without calling the store. */
void rd_count_error(struct rd_disk *disk);

#ifdef __cplusplus
}
#endif

#endif
