/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spare worker: a worker without a device, started in advance. It takes the
 * place of the next worker that dies, so that the guest need not wait until a
 * process is started and linked, has prepared its sandbox and opened Xen's
 * devices, which is two thirds of the pause.
 *
 * There is at most one spare. If several workers die together, the first gets the
 * spare; the next spare is started a second after the last worker was needed. A
 * spare whose supervisor was killed listens in the store for a while, where the
 * next supervisor adopts it.
 *
 * Supervisor's thread only; takes no lock.
 */
#ifndef BLKBACK_SPARE_H
#define BLKBACK_SPARE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "drivers/blkback/common/options.h"

/* As blkback_spawn_worker(). */
typedef int blkback_start_worker(const struct blkback_options *options,
				 pid_t *pid, int *sock);

struct blkback_spare {
	blkback_start_worker *start; /* NULL: keep no spare */
	pid_t pid; /* 0: there is no spare */
	int pidfd; /* of a spare that is not a child, or -1 */
	int sock;
	bool ready; /* READY was received */
	bool fails; /* the last spare died before it was ready */
	int64_t start_at; /* ms, monotonic: start the next spare then; 0: not set */
};

void blkback_spare_init(struct blkback_spare *spare,
			blkback_start_worker *start);

/*
 * Adopt the spare that a killed supervisor has left, if it is of @build and was
 * started with the same options; otherwise end it.
 */
void blkback_spare_adopt(struct blkback_spare *spare,
			 const struct blkback_options *options,
			 const char *build);

/* Start a spare now, unless there is one: a worker is about to be needed. */
void blkback_spare_prepare(struct blkback_spare *spare,
			   const struct blkback_options *options);

/* Whether a spare was started and READY is still expected. */
bool blkback_spare_loading(const struct blkback_spare *spare);

/*
 * The descriptor to poll, or -1, and the function to call when it is readable: for
 * READY of a loading spare, or the end of a spare that is not a child.
 */
int blkback_spare_fd(const struct blkback_spare *spare);
void blkback_spare_readable(struct blkback_spare *spare);

/*
 * Get a worker without a device: the spare, or else a new process. *@pidfd is -1
 * for a child. 0 or -errno.
 */
int blkback_spare_take(struct blkback_spare *spare,
		       const struct blkback_options *options, int64_t now_ms,
		       pid_t *pid, int *pidfd, int *sock);

/* Start the next spare if it is time. The time of the next call, or 0. */
int64_t blkback_spare_start_if_due(struct blkback_spare *spare,
				   const struct blkback_options *options,
				   int64_t now_ms);

/*
 * A child was reaped. If it was the spare, the next one is started after the
 * next take.
 */
void blkback_spare_died(struct blkback_spare *spare, pid_t pid);

/* Kill the spare, and wait for its end. */
void blkback_spare_end(struct blkback_spare *spare);

#endif
