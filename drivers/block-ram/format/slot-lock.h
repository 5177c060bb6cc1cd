/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The locks of the slots: which attachments are alive.
 *
 * An attachment holds a lock on its slot until it ends, and the kernel releases the
 * lock when the attachment's process dies. The kernel keeps the locks of a file in a
 * list and walks it for each request, so the locks are spread over RD_LOCK_FILES empty
 * files, ID.lock-0 and following: RD_LOCK_RUN slots in a row belong to one file, the
 * next ones to the next file. A file is made with its first lock, and a confined
 * attachment (rd_confine()) makes all of them.
 *
 * The lock of slot n is a shared open-file-description lock (fcntl F_OFD_*) on byte
 * RD_LOCK_SLOT + n of its file. It is taken with RD_LOCK_DISK held, by a description
 * that is open for reading only: nobody claims a slot between the question whether it
 * is locked and the lock. The files are removed with the header. Names and positions
 * are the same in every format from 4 on, so that any version of these programs can
 * tell a disk in use from a dead one; formats up to 3 have all locks on ID.header.
 */
#ifndef BLOCK_RAM_SLOT_LOCK_H
#define BLOCK_RAM_SLOT_LOCK_H

#include <pthread.h>

#include "drivers/block-ram/format/header.h"

#define RD_LOCK_FILES 16u
#define RD_LOCK_RUN 64u
#define RD_LOCK_SLOT ((off_t)1 << 41)

/*
 * Answers whether slots of one disk are alive. Any number of threads may ask, except
 * during rd_lives_close().
 */
struct rd_lives {
	int dir; /* the store's directory, borrowed; -1: no more files are opened */
	char id[RD_ID_MAX];
	pthread_mutex_t opening; /* held while a file is opened */
	/* The disk's lock files; -1: not opened yet. */
	_Atomic int fd[RD_LOCK_FILES];
};

void rd_lives_init(struct rd_lives *lives, int dir, const char *id);
/* Close the files. They are opened again if there is another question. */
void rd_lives_close(struct rd_lives *lives);
/*
 * Make and open all files, so that questions can be answered without the directory:
 * lives->dir is -1 then, and no thread opens a file any more. 0 or -errno.
 */
int rd_lives_open_all(struct rd_lives *lives);

/*
 * Whether another description holds the lock of @slot; of any slot. An unexpected
 * error counts as yes.
 */
bool rd_slot_alive(struct rd_lives *lives, unsigned slot);
bool rd_any_slot_alive(struct rd_lives *lives);
/* The same for a single question. */
bool rd_slot_alive_in(int dir, const char *id, unsigned slot);

/*
 * Claim @slot, with RD_LOCK_DISK held. Returns a descriptor that holds the lock, for
 * rd_slot_unlock(); -EWOULDBLOCK if the slot's attachment is alive; -errno.
 */
int rd_slot_lock(int dir, const char *id, unsigned slot);
/* Unlock, although a child process may have the description too; then close @fd. */
void rd_slot_unlock(int fd, unsigned slot);

/*
 * Whether the disk of @lives is to stay: an attachment is alive or durable, or the
 * disk is kept. @fd is its header, and @header a checked copy of that, or NULL if the
 * header cannot be trusted. Call with RD_LOCK_DISK held.
 */
bool rd_disk_alive(struct rd_lives *lives, int fd,
		   const struct rd_header *header);

/* Remove the files of a disk without attachments, with RD_LOCK_DISK held. */
void rd_remove_locks(int dir, const char *id);

#endif
