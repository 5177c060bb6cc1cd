/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared RAM disk: public API of libramdisk.
 *
 * A seed image is loaded once into memory and attached many times, by many
 * processes. Every attachment reads what any other has written, the seed is never
 * written, and the last detach discards the contents.
 *
 * DESIGN. No process owns a disk. A disk is files in a store, a directory on tmpfs:
 * ID.data (exactly the disk's bytes), ID.ranges (one block lock for each 4 KiB block,
 * and which blocks are loaded and have memory; a thin disk has memory for the locks
 * of written blocks only), ID.header (identity, state, points, and one slot for each
 * attachment), ID.counters (one page for each attachment), ID.points (what points
 * keep of changed blocks), the empty files ID.lock-0 to ID.lock-15, as they are
 * needed, and ID.paths, if the disk was attached by paths that lead through symbolic
 * links. An attachment holds an open-file-description lock on its slot's byte of one
 * of the empty files, so the kernel counts the references: a process that dies in any
 * way is detached by the kernel. It has the header mapped for reading only. A private
 * view adds two files of its own, ID.view-SLOT.data and ID.view-SLOT.map.
 * drivers/block-ram/format/header.h documents the format.
 *
 * UNITS. Offsets and lengths are bytes. A disk's size is a multiple of
 * RD_SECTOR. Reads and writes need no alignment.
 *
 * ERRORS. Functions that can fail return 0 or -errno. Those that take a
 * struct rd_error also write one sentence to it, without a newline, for the
 * caller to print; the pointer may be NULL. The library itself prints nothing.
 *
 * THREADS. A store may be used by one thread at a time. One attachment may be
 * used by many threads at once through the range calls (rd_read to rd_flush);
 * rd_detach() must be the last call on it.
 *
 * FORK. Attach after forking, never before: parent and child share an open file
 * description, and so the lock that is the reference. All descriptors are opened
 * close-on-exec.
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
 * Version of the store's format and of what the command, the back end and the
 * store exchange. A disk of another format is refused (-EPROTO).
 */
#define RD_FORMAT 4u

#define RD_SECTOR 512u /* bytes; smallest unit of a disk's size */
#define RD_BLOCK 4096u /* bytes; unit of atomicity, aligned */
#define RD_ID_MAX 80u /* bytes of a disk's identity, with its NUL */
#define RD_LABEL_MAX 64u /* bytes of an attachment's label, with its NUL */
#define RD_SEED_MAX 4096u /* bytes of a seed's path, with its NUL */
#define RD_NAME_MAX 64u /* bytes of a disk's name, with its NUL */
#define RD_INSTANCE_MAX 17u /* bytes of a disk's instance, with its NUL */
#define RD_DESCRIPTION_MAX 4097u /* bytes of an export's, with its NUL */

/* Root's store, unless $XEN_RAMDISK_DIR names another directory. */
#define RD_STORE_DIR "/run/xen-ramdisk"
/* Another user's store: the user's number follows. */
#define RD_USER_STORE_DIR "/dev/shm/xen-ramdisk-"

/*
 * MEMORY. A call that takes memory leaves a margin to the machine itself, of what the
 * kernel reports as available (MemAvailable in /proc/meminfo): 1/50 of all memory, at
 * least 64 MiB and at most 1 GiB; or the value of this environment variable, a number
 * of bytes, or a number with K, M, G or T behind it. If several processes take memory
 * at the same time, each may take up to 1 MiB of the margin.
 */
#define RD_MARGIN_VARIABLE "XEN_RAMDISK_MEMORY_MARGIN"

/* Whether @n units at @off are within @size units. Cannot overflow. */
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

/* The path of this user's default store; valid until the thread's next call. */
const char *rd_store_default(void);

/*
 * Open the store in @dir; NULL means rd_store_default(). A missing
 * directory is made (mode 0700). If it is empty and not on tmpfs, a tmpfs is
 * mounted on it, which needs CAP_SYS_ADMIN; on an empty RD_STORE_DIR also if /run is
 * a tmpfs, unless that mount fails. Close with rd_store_close(); open attachments
 * do not need the store.
 *
 *   -EPERM      another user owns the directory or may write it (or read it, in
 *               RD_USER_STORE_DIR); it is a symbolic link, or no directory
 *   -ENOTEMPTY  the directory is not on tmpfs and not empty: a mount would hide
 *               its files
 */
int rd_store_open(struct rd_store **store, const char *dir,
		  struct rd_error *err);

/*
 * The same for a caller that only reads: nothing is made or mounted. Without a
 * store in @dir the call succeeds, and rd_list() and rd_find() find no disk.
 */
int rd_store_open_existing(struct rd_store **store, const char *dir,
			   struct rd_error *err);
/* False if rd_store_open_existing() found no store in the directory. */
bool rd_store_exists(const struct rd_store *store);
void rd_store_close(struct rd_store *store);

/* Canonical path of the store's directory; valid until rd_store_close(). */
const char *rd_store_path(const struct rd_store *store);

/*
 * Called while the library reads a seed or waits for another process's load of it:
 * at the start, at the end, and about ten times a second in between. A non-zero
 * result ends the call that was given the function with -ECANCELED.
 */
typedef int rd_progress_fn(void *arg, uint64_t done, uint64_t total);

/* How to attach. RD_THIN and RD_LAZY take effect if this call loads the disk. */
#define RD_PRIVATE 1u /* own copy-on-write view; implies writable */
#define RD_THIN \
	2u /* memory only for blocks that are not zeros or were written */
#define RD_LAZY 4u /* return at once; parts are read at first use */
#define RD_KEEP \
	8u /* the disk stays without attachments, until rd_keep(.., false) */
#define RD_EXISTING 16u /* do not load: -ENOENT if the disk is not loaded */
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
/*
 * The disk of the file that is at the seed's path now, made if there is none,
 * although a disk of another file that was there before is still loaded. Without
 * such a disk it has no effect. Not without a seed.
 */
#define RD_FRESH 128u

/*
 * A program that knows nothing of this library, such as the kernel's loop driver, uses
 * the attachment's data file: block locks and points mean nothing to it. While there
 * is a writable one no point can be taken, and with a point it is refused.
 */
#define RD_BYPASS 256u

struct rd_attach_request {
	/*
	 * The path of an image file, a block device or an alias file; or of an
	 * empty file, which stands for the only disk of the store; or the URI
	 * of an NBD export (nbd://, nbds://, nbd+unix://, ... as in
	 * nbd_connect_uri(3)). NULL: the loaded disk whose name, id or seed is
	 * @name.
	 */
	const char *seed;
	/*
	 * NULL: the seed's own disk. Otherwise the disk of this name, made from
	 * the seed: letters, digits, '.', '_', '-'; the first is a letter or
	 * a digit. A request without the name does not mean it.
	 */
	const char *name;
	bool writable; /* false: no operation of this attachment changes a byte */
	unsigned flags;
	const char *label; /* who attaches, for people; less than RD_LABEL_MAX */
	rd_progress_fn *progress; /* may be NULL */
	void *progress_arg;
};

/*
 * Attach to the disk that @req names, and load its seed first if it is not loaded.
 * A seed is identified by its file (device, inode, time of birth; a block device
 * by its number and the kernel's sequence number), not by its path; a seed on a
 * server by its URI. Waits while another process loads the same seed. A failed
 * attach leaves nothing behind.
 *
 * If the file at a path was replaced, the path alone means neither the old disk nor
 * a new one: if a disk is loaded whose seed has the canonical path of req->seed and
 * is another file, or had another size, the call fails with -ESTALE. The sentence
 * has the disk's id. The caller chooses: attach the disk that is loaded, by its id
 * (@name, without a seed); or the disk of the new file, with RD_FRESH or a @name.
 *
 *   -EINVAL   the seed is empty and the store does not have exactly one disk;
 *             the seed is neither a regular file nor a block device; the
 *             name is invalid
 *   -EEXIST   the name belongs to a disk of another seed
 *   -ESTALE   a disk of the seed's path is loaded, from another file; or the
 *             disk of the name is
 *   -EBUSY    writable while others have private views, or private while
 *             others write; or writable with RD_BYPASS, and the disk has points;
 *             or the durable label's process is alive
 *   -ENOENT   no such file; or no such disk, with RD_EXISTING or without a seed
 *   -ENOMEM, -ENOSPC  the disk does not fit; @err has the numbers
 *   -EUSERS   the disk has the most attachments that it can have
 *   -EIO      the seed failed or shrank while it was read, or its server
 *             cannot be reached
 *   -ENOSYS   a URI, and libnbd is not installed
 *   -ETIMEDOUT  the seed's server gave no answer for half a minute
 *   -EPROTO   the disk was made by a program with another RD_FORMAT
 *   -ENOTSUP  the kernel's pages are not of RD_BLOCK bytes
 *   -ECANCELED  the progress function returned non-zero
 *   or an error of open(2) or read(2) for the seed
 */
int rd_attach(struct rd_store *store, const struct rd_attach_request *req,
	      struct rd_disk **disk, struct rd_error *err);

/*
 * The same, of the disk as of its point @point (rd_point()): for reading, or with
 * RD_PRIVATE, while others go on writing the disk. The disk is loaded (RD_EXISTING is
 * implied). The point cannot be dropped as long as the attachment exists.
 *
 *   -EINVAL   writable and not private
 *   -ENOENT   also if the disk has no such point
 */
int rd_attach_point(struct rd_store *store, const struct rd_attach_request *req,
		    const char *point, struct rd_disk **disk,
		    struct rd_error *err);

/*
 * Settle: after a durable attachment was taken over, release the block locks of
 * its dead process that are still held. Before rd_settle() only one thread may
 * use the attachment, one request at a time; its requests inherit those locks.
 */
int rd_settle(struct rd_disk *disk);

/*
 * Give up what only rd_detach() needs, before the process enters a sandbox: no
 * descriptor is left through which a file of the store can be opened, or this
 * attachment's slot changed. rd_detach() then only frees @disk. The attachment ends
 * with the process, a durable one with rd_end(). rd_freeze() then fails (-EPERM).
 * 0, or -errno: then nothing is given up.
 */
int rd_confine(struct rd_disk *disk);

/*
 * The longest file that requests of @disk write, bytes: for RLIMIT_FSIZE of a process
 * that was confined.
 */
uint64_t rd_longest_file(const struct rd_disk *disk);

/*
 * Detach and free @disk. The last detach discards the disk's contents. Cannot fail:
 * the next rd_reap() removes what this call cannot remove.
 */
void rd_detach(struct rd_disk *disk);

/*
 * Discard the dead disks: not kept, and without a living or durable attachment.
 * Returns their number, or -errno. Cheap if there are none.
 */
int rd_reap(struct rd_store *store);

/*
 * End the durable attachment @label whose process has died. 0; -ENOENT if there is
 * none; -EBUSY if its process is alive. rd_end() waits for the disk's lock, which a
 * reset holds as long as it reads; rd_try_end() waits about 2 ms and then returns
 * -EWOULDBLOCK.
 */
int rd_end(struct rd_store *store, const char *label);
int rd_try_end(struct rd_store *store, const char *label);

/*
 * Give the durable attachment @from, whose process has died, the label @to: it keeps
 * its place among the disk's attachments, its mode and its private view, and a
 * process that attaches as @to takes it over. 0; -ENOENT if there is no @from;
 * -EEXIST if there is a durable attachment @to; -EBUSY if the process of @from is
 * alive; -EINVAL if @to is too long. Waits for the disk's lock as rd_try_end() does:
 * -EWOULDBLOCK. A caller that is killed has changed the label or has not.
 */
int rd_try_relabel(struct rd_store *store, const char *from, const char *to);

/*
 * Find the loaded disk that @text names: by id, name, seed path, or the last
 * component of a seed path, in this order. -ENOENT if no disk, -ENOTUNIQ if several
 * match; @err lists the choices, each so that it can be passed to rd_find().
 */
int rd_find(struct rd_store *store, const char *text, char id[RD_ID_MAX],
	    struct rd_error *err);

/*
 * Set whether disk @id stays loaded without attachments. rd_keep(.., false) for a
 * disk without attachments discards it. -ENOENT if no such disk is loaded.
 */
int rd_keep(struct rd_store *store, const char *id, bool keep,
	    struct rd_error *err);

/*
 * Reset disk @id to its seed, in place. -EBUSY while the disk has private views, or
 * writers unless @force. With @force, locked blocks are unlocked, even if a process
 * that is alive has locked them. The seed must be the file that the disk was loaded from and have the
 * same size (-ESTALE); its present contents are used. Other attachments may
 * read old and new blocks meanwhile. If the seed fails in the middle, the disk
 * stays half reset (struct rd_disk_info).
 */
int rd_reset(struct rd_store *store, const char *id, bool force,
	     rd_progress_fn *progress, void *progress_arg,
	     struct rd_error *err);

/*
 * Find the durable attachment @label, and the id of its disk. 0; -ENOENT if there is
 * none.
 */
int rd_find_durable(struct rd_store *store, const char *label,
		    char id[RD_ID_MAX]);

/* Called for each range in ascending order. Non-zero ends the walk: its result. */
typedef int rd_range_fn(void *arg, uint64_t off, uint64_t len);

/*
 * Find the ranges, multiples of RD_BLOCK, in which the disk differs from the
 * present contents of its seed. Writers may change the disk meanwhile.
 */
int rd_diff(struct rd_store *store, const char *id, rd_range_fn *differs,
	    void *arg, rd_progress_fn *progress, void *progress_arg,
	    struct rd_error *err);

/* ---- points ------------------------------------------------------------ */

#define RD_POINTS_MAX 64u /* points of a disk */

/*
 * Take a point of disk @id: one moment of the whole disk, for all attachments in all
 * processes. A write that was answered before the call is in the point, a write that
 * begins after the call is not. Takes the same short time for every size, and stops
 * nobody. From then on the first change of each block copies the block, which takes
 * its memory: also on a disk that is not thin a write can fail with -ENOSPC then.
 * @point: as a disk's name, and not 16 hexadecimal digits.
 *
 *   -EINVAL   the name is invalid
 *   -EEXIST   the disk has a point of that name
 *   -EUSERS   it has RD_POINTS_MAX
 *   -EBUSY    a writable attachment has RD_BYPASS
 *   -ENOMEM, -ENOSPC  no memory for later changes; @err has the numbers
 */
int rd_point(struct rd_store *store, const char *id, const char *point,
	     struct rd_error *err);

struct rd_point_info {
	char name[RD_NAME_MAX];
	uint64_t number; /* the order in which points were taken; not reused */
	uint64_t taken; /* seconds since 1970 */
	uint64_t memory; /* bytes of the copies that were made for it */
	unsigned attachments; /* that see it (rd_attach_point()) */
};

/* List the points of disk @id, the oldest first. Free the list with free(3). */
int rd_point_list(struct rd_store *store, const char *id,
		  struct rd_point_info **points, size_t *count,
		  struct rd_error *err);

/*
 * Drop a point: what only it needs is freed. -ENOENT; -EBUSY while it is attached;
 * -EIO if a block stays locked, or -ENOSPC: the point is gone then, and the next call
 * frees the rest.
 */
int rd_point_drop(struct rd_store *store, const char *id, const char *point,
		  struct rd_error *err);

/*
 * Roll disk @id back to a point, in place; the point and newer ones stay. Conditions,
 * and what is left after a failure, as of rd_reset(). -ENOMEM, -ENOSPC: no memory for
 * what newer points keep; nothing was changed, and @err has the numbers.
 */
int rd_rollback(struct rd_store *store, const char *id, const char *point,
		bool force, rd_progress_fn *progress, void *progress_arg,
		struct rd_error *err);

/*
 * Find the ranges in which the points @from and @to differ, as rd_diff(). @to may be
 * NULL: the disk as it is, which writers may change meanwhile.
 */
int rd_diff_points(struct rd_store *store, const char *id, const char *from,
		   const char *to, rd_range_fn *differs, void *arg,
		   rd_progress_fn *progress, void *progress_arg,
		   struct rd_error *err);

/*
 * A short name of a seed: the last component of its path or of its URI's path; for
 * a URI without a path its host, or "default".
 */
void rd_short_name(const char *seed, char name[RD_SEED_MAX]);

/*
 * Open and close @seed, a path or a URI. Its size, and what its server says
 * about the export, or "". 0 or -errno.
 */
int rd_probe(const char *seed, uint64_t *size,
	     char description[RD_DESCRIPTION_MAX], struct rd_error *err);

/*
 * Whether @name can be a disk's name: 1 to RD_NAME_MAX - 1 letters, digits, '.',
 * '_' or '-', a letter or digit first, and without ".view-".
 */
bool rd_name_valid(const char *name);

/*
 * Check that @need bytes of memory for @what could be taken now, as a load does:
 * in the store, if there is one, and on this machine with the margin. Nothing is
 * taken. 0, or -ENOSPC or -ENOMEM with the numbers.
 */
int rd_check_memory(struct rd_store *store, const char *what, uint64_t need,
		    struct rd_error *err);

/* ---- aliases ----------------------------------------------------------- */

/*
 * An alias is a small text file that stands for a disk, for toolstacks that
 * refuse a path that is in use. Format, each line ended by a newline:
 *   xen-ramdisk alias 1
 *   seed=ABSOLUTE PATH
 *   name=NAME            (may be missing)
 *   id=ID                (may be missing) the alias means the disk of this id
 *                        while that is loaded, whatever file the path has
 * rd_alias_write() makes @path, which must not exist. @name and @id may be NULL.
 */
int rd_alias_write(const char *path, const char *seed, const char *name,
		   const char *id, struct rd_error *err);

#define RD_LATENCIES 24u

struct rd_counters {
	uint64_t reads, writes, flushes, discards; /* requests carried out */
	uint64_t read_bytes, write_bytes, discard_bytes;
	uint64_t errors; /* requests that were refused or failed */
	/*
	 * Requests by latency, from rd_count_latency(); an adapter may measure
	 * only some requests. Entry n counts 2^n to 2^(n+1) - 1 microseconds,
	 * the first also less, the last also more.
	 */
	uint32_t read_latency[RD_LATENCIES], write_latency[RD_LATENCIES];
	uint64_t read_us, write_us; /* sums of the measured latencies */
	uint64_t no_memory; /* of @errors: requests that failed with -ENOSPC */
};

struct rd_attachment_info {
	unsigned slot;
	int pid; /* of the process that attached */
	bool alive; /* false: durable, and its process has died */
	bool writable;
	bool private_view;
	bool durable;
	uint64_t view_bytes; /* memory of the private view */
	uint64_t since; /* seconds since 1970 */
	char label[RD_LABEL_MAX];
	struct rd_counters counters;
	unsigned restarts; /* durable: how often a process has taken it over */
};

enum rd_seed_now {
	RD_SEED_SAME,
	RD_SEED_MODIFIED, /* written since it was loaded */
	RD_SEED_REPLACED, /* another file is at the path */
	RD_SEED_GONE,
	RD_SEED_REMOTE, /* on a server, which is not contacted */
};

struct rd_disk_info {
	char id[RD_ID_MAX];
	char name[RD_NAME_MAX]; /* chosen with name=; or empty */
	char seed[RD_SEED_MAX]; /* canonical path or URI */
	enum rd_seed_now seed_now;
	uint64_t size; /* of the disk, bytes */
	uint64_t seed_size; /* of the seed, bytes, without the padding */
	uint64_t loaded; /* bytes; less than size while it loads */
	uint64_t memory; /* bytes taken for the disk, without views */
	bool loading;
	bool thin, lazy, keep;
	bool half_reset; /* a reset is running, or was interrupted */
	uint64_t torn; /* blocks; see rd_damage() */
	unsigned points; /* see rd_point_list() */
	unsigned attachments; /* entries in @attachment */
	struct rd_attachment_info *attachment;
};

/*
 * List the disks of @store that are loading, attached or kept, ordered by seed and
 * name. Free the list with rd_list_free(). A damaged header is skipped: the result
 * is still 0, and @err names the first one (err->text is empty if there is none).
 * -errno if a header cannot be opened, as -EMFILE: no part of the list then.
 */
int rd_list(struct rd_store *store, struct rd_disk_info **disks, size_t *count,
	    struct rd_error *err);
/*
 * The same without what other files say: seed_now, loaded, memory, torn, view_bytes
 * and the counters are 0. Takes half the time.
 */
int rd_list_brief(struct rd_store *store, struct rd_disk_info **disks,
		  size_t *count, struct rd_error *err);
void rd_list_free(struct rd_disk_info *disks, size_t count);

/*
 * What rd_find() finds @disk by, which is one of the @count @disks of a list, and
 * no other: its name, its seed's path, or its id if another disk has the path.
 */
const char *rd_unique_name(const struct rd_disk_info *disks, size_t count,
			   const struct rd_disk_info *disk);

/* ---- events ------------------------------------------------------------ */

#define RD_EVENT_WORD_MAX 32u /* bytes of an event's word, with its NUL */
#define RD_EVENT_TEXT_MAX 768u /* bytes of an event's sentence, with its NUL */
#define RD_EVENT_SEED_MAX 2048u /* bytes of an event's seed, with its NUL */

/*
 * What happened, in one word. The library reports: "loaded", "attached", "restarted"
 * (a process took over a durable attachment), "detached", "discarded" (the disk's
 * contents), "reset", "point" and "rollback" (@text is the point's name),
 * "memory-short" (a disk or an attachment was refused). Other
 * programs report with rd_event_send(): xen-ramdiskd "frontend-error". "lost" stands
 * for events that a watcher was too slow for. Other words may be added.
 */
struct rd_event {
	uint64_t time_ms; /* since 1970 */
	uint32_t slot; /* of the attachment that has @label */
	int32_t pid; /* of its process; 0: none */
	char what[RD_EVENT_WORD_MAX];
	char id[RD_ID_MAX]; /* of the disk; or empty */
	char name[RD_NAME_MAX]; /* of the disk; or empty */
	char label[RD_LABEL_MAX]; /* of the attachment; or empty */
	char mode; /* of the attachment: 'r', 'w', 'p' for a private view; 0 */
	char seed[RD_EVENT_SEED_MAX]; /* the end of a longer one; or empty */
	char text[RD_EVENT_TEXT_MAX]; /* a sentence, a name; or empty */
};

struct rd_watch; /* a queue of the store's events */

/*
 * Queue every event of @store from now on, of all processes. A store without a
 * watcher keeps no events, and reporting one costs nothing. The queue is a file in the
 * store that ends with its process. It takes 64 KiB of memory at once and 4 MiB at most:
 * beyond that events are dropped, and the watcher reads "lost". Close with
 * rd_watch_close(). -EACCES, -ENOSPC or another -errno: there is no queue.
 *
 * That a process died is noticed by the next call of rd_reap(), which reports
 * "detached": a watcher calls it now and then.
 */
int rd_watch_open(struct rd_store *store, struct rd_watch **watch,
		  struct rd_error *err);
/* A descriptor that poll(2) reports as readable when there may be an event. */
int rd_watch_fd(const struct rd_watch *watch);
/* The next event: 1; 0 if there is none now; or -errno. Never waits. */
int rd_watch_next(struct rd_watch *watch, struct rd_event *event);
void rd_watch_close(struct rd_watch *watch);

/*
 * Report an event to all watchers of @store. time_ms 0 means now. Texts must end
 * with NUL inside their members. Never waits, and cannot fail: a watcher whose queue
 * cannot be written misses the event. Never on the request path.
 */
void rd_event_send(struct rd_store *store, const struct rd_event *event);

/* ---- attachment: the request path -------------------------------------- */

uint64_t rd_size(const struct rd_disk *disk); /* bytes */
bool rd_writable(const struct rd_disk *disk);
const char *rd_id(const struct rd_disk *disk);
/* The seed's path, and the disk's name or "". Valid until rd_detach(). */
const char *rd_seed(const struct rd_disk *disk);
const char *rd_name(const struct rd_disk *disk);
/* Compare the file that is at the seed's path now with the disk's seed. */
enum rd_seed_now rd_seed_now(const struct rd_disk *disk);
/*
 * The disk's instance: 16 hexadecimal digits that the disk keeps until it is
 * discarded. A disk that is loaded later has another, also one of the same id.
 * 0 or -errno.
 */
int rd_instance(const struct rd_disk *disk, char instance[RD_INSTANCE_MAX]);
/* Zero bytes appended to the seed's last sector; 0 if that was complete. */
unsigned rd_padding(const struct rd_disk *disk);

/*
 * Read or write @len bytes at @off. Atomic for each RD_BLOCK between all
 * attachments in all processes. One exception: a process that is killed in the
 * middle of a write, and whose attachment is not durable, leaves the blocks that it was
 * writing, at most 16, with old and new bytes; rd_damage() and struct rd_disk_info count
 * them.
 *   -EINVAL  outside the disk; nothing was copied
 *   -EROFS   a write through a read-only attachment; nothing was copied
 *   -ENOSPC  no memory for a block of a thin disk or of a private view, or for what
 *            a point keeps of a block; see rd_explain_no_memory()
 *   -EIO     the seed of a lazy disk failed; or another attachment, whose process
 *            is alive, has held a block's lock for RD_PATIENCE_MS (rd_damage())
 */
int rd_read(struct rd_disk *disk, void *buf, uint64_t off, size_t len);
int rd_write(struct rd_disk *disk, const void *buf, uint64_t off, size_t len);

/*
 * Write to @why, after -ENOSPC, one sentence on how much memory the store and the
 * machine have: for a log, whose reader sees whether the store or the margin was the
 * limit. Reads /proc/meminfo, so it takes longer than a request.
 */
void rd_explain_no_memory(const struct rd_disk *disk, struct rd_error *why);

/* Only counts the flush: a write is in memory when rd_write() returns. */
int rd_flush(struct rd_disk *disk);

/*
 * rd_zero() makes a range read as zeros, and frees the memory of its whole blocks
 * in a thin disk; with @keep it keeps or reserves the memory, so that later writes
 * there cannot fail. rd_discard() does the same for whole blocks only, and leaves
 * the bytes at the range's edges unchanged. Errors as rd_write().
 */
int rd_zero(struct rd_disk *disk, uint64_t off, uint64_t len, bool keep);
int rd_discard(struct rd_disk *disk, uint64_t off, uint64_t len);

/*
 * rd_discard() for a durable attachment whose process may be killed in the middle
 * of it. *done is the progress: 0 at first, in memory that survives the process. A
 * discard is done in pieces, and *done is updated before the locks of a piece are
 * released. The process that takes the attachment over calls, before rd_settle(),
 * rd_discard_resume(): it finishes the piece that was begun, unless another
 * attachment has taken its blocks; it never waits. After rd_settle(),
 * rd_discard_noted() does the remaining pieces.
 */
int rd_discard_noted(struct rd_disk *disk, uint64_t off, uint64_t len,
		     uint64_t *done);
int rd_discard_resume(struct rd_disk *disk, uint64_t off, uint64_t len,
		      uint64_t *done);

/*
 * Find out whether there is a hole at @off. On entry *len is the number of bytes
 * to examine; on return it is the number of bytes, at least 1, that the answer is
 * for. *hole: they are zeros without memory; else they may be anything. -EINVAL
 * outside the disk, or if *len is 0.
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
 * A range begun with RD_RANGE_WRITE is locked, block by block in ascending order,
 * until rd_range_end(), which then returns 0. A range begun for reading locks
 * nothing, except in a thin disk: rd_range_end() returns -EAGAIN if a block was
 * written meanwhile, and the caller copies again. After a few such results begin
 * with RD_RANGE_EXCLUSIVE, which locks the blocks.
 *
 * A thread that holds a range and begins another one must pass RD_RANGE_NOWAIT;
 * else it can deadlock with another process, or make other processes wait for a
 * seed. With it the call returns -EWOULDBLOCK instead of waiting, also for a block
 * that the thread itself holds and for a part of a lazy disk that is not loaded.
 * The thread then ends the ranges that it holds and begins again.
 *
 * Errors as rd_read() and rd_write(), also -E2BIG for more than RD_RANGE_MAX.
 * Counts one read or write of @len bytes at a successful rd_range_end().
 */
#define RD_RANGE_WRITE 1u
#define RD_RANGE_EXCLUSIVE 2u
#define RD_RANGE_NOWAIT 4u
/*
 * With RD_RANGE_WRITE, after an attachment was taken over and before rd_settle():
 * begin the range only if the dead process had locked all of it and no other
 * process has unlocked a block since; otherwise -ESTALE. Never waits. Success means
 * that the dead process's write can be executed again without overwriting newer
 * data.
 */
#define RD_RANGE_RESUME 8u
#define RD_RANGE_MAX ((size_t)1 << 20) /* bytes */

struct rd_range {
	struct rd_disk *disk; /* all members are private */
	uint64_t off;
	size_t len;
	unsigned flags;
	uint64_t snapshot;
	void *copy; /* of the range's bytes, or NULL */
};

int rd_range_begin(struct rd_disk *disk, uint64_t off, size_t len,
		   unsigned flags, struct rd_range *range);
/*
 * The address of the range's byte @pos, which is less than the range's length. *n is
 * the number of the range's bytes that follow there, at least 1. Read-only without
 * RD_RANGE_WRITE. Valid until the range ends.
 */
void *rd_range_at(const struct rd_range *range, size_t pos, size_t *n);
int rd_range_end(struct rd_range *range);
/* End a range whose copy failed. Counts an error instead of a request. */
void rd_range_abort(struct rd_range *range);

/*
 * A hint that a request at @off, which is inside the disk, comes next: prefetches
 * the block's lock and first bytes into the caches while the caller copies another
 * block. (Processors do not prefetch across a page's end by themselves.) Never
 * waits or fails.
 */
void rd_prefetch(struct rd_disk *disk, uint64_t off);

/*
 * rd_freeze() locks all blocks of the disk, to copy its contents as of one
 * moment; rd_thaw() unlocks from the start up to offset @to, once copied.
 * -EINVAL for a private view; -EIO or -ENOSPC if a lazy disk cannot be loaded;
 * -EIO if a block stays locked.
 * While the disk is frozen, this attachment may call only rd_frozen_at(): the
 * address of the byte at @off, and in *n the number of bytes up to its block's end;
 * NULL for a hole.
 */
int rd_freeze(struct rd_disk *disk);
const void *rd_frozen_at(struct rd_disk *disk, uint64_t off, size_t *n);
void rd_thaw(struct rd_disk *disk, uint64_t to);

/*
 * What this attachment found at the locks of blocks that other processes wrote.
 *
 * torn: a process was killed while it wrote a block, and nobody completes the write:
 * the block may have old bytes and new bytes, as after a loss of power. (A durable
 * attachment's next process completes the write.)
 *
 * stuck: a request failed with -EIO because a living process did not release a block
 * for RD_PATIENCE_MS: the process is stopped, or has damaged the lock. For
 * RD_IMPATIENT_MS after that, requests of this attachment wait RD_DISTRUST_MS at
 * most. A wait for rd_freeze() has no limit.
 */
#define RD_PATIENCE_MS 2000
#define RD_DISTRUST_MS 20
#define RD_IMPATIENT_MS 10000

struct rd_damage_count {
	uint64_t n; /* since the attach */
	uint64_t off; /* of the last block, bytes; 0 in a private view */
	unsigned slot; /* of the attachment that had the lock, if there is one */
};

struct rd_damage {
	struct rd_damage_count torn, stuck;
};

/* Fill *@damage, unless it is NULL. Returns a number that grows with each event. */
uint64_t rd_damage(struct rd_disk *disk, struct rd_damage *damage);

/*
 * MEMORY THAT WAS TAKEN AWAY. Another attachment of a thin or lazy disk that does not
 * keep the rules of the format (its guest has taken its process over) can free memory
 * which the disk counts on. If the store is full at that moment, the kernel raises
 * SIGBUS at the next access. A program that has to survive that calls rd_lost() in its
 * handler of SIGBUS, with the address of the access (si_addr):
 *
 *   true   the address is in the disk's memory. A page of zeros, which only this
 *          process has, is there now, so that the access can be repeated. From now on
 *          each call of this attachment that would return 0 returns -EIO. Detach, and
 *          attach again.
 *   false  it is not, and nothing was done
 *
 * Any thread; safe in a signal handler.
 */
bool rd_lost(struct rd_disk *disk, const void *address);

/* Record the latency of a request, microseconds; the range call counts it. */
void rd_count_latency(struct rd_disk *disk, bool write, uint64_t us);

/* Count a request that the adapter refused without calling the store. */
void rd_count_error(struct rd_disk *disk);

#ifdef __cplusplus
}
#endif

#endif
