/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker that waits to be told which device is its own, so that a guest whose
 * worker has died does not wait for a process to be made, loaded and linked, to
 * list the calls of its sandbox and to open Xen's devices, which would be two
 * thirds of the pause. It has nothing of any device. There is at most one: of
 * workers that die together the first gets it, and it is replaced when all is
 * calm again. One whose supervisor was killed listens in the store for a while
 * and is the next supervisor's. Supervisor's thread only.
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
	blkback_start_worker *start; /* NULL: none is kept */
	pid_t pid; /* 0: there is none */
	int pidfd; /* of one that is not our child, or -1 */
	int sock;
	bool ready; /* it has said so */
	bool fails; /* the last one died before that */
	int64_t due; /* ms, monotonic: to be started; 0: not */
};

void blkback_spare_init(struct blkback_spare *spare,
			blkback_start_worker *start);

/*
 * Take over the one that a killed supervisor has left, if it is as ours would
 * be: of @build, and started with the same options. Others are told to end.
 */
void blkback_spare_adopt(struct blkback_spare *spare,
			 const struct blkback_options *options,
			 const char *build);

/* Start one now, unless there is one: a worker is about to be needed. */
void blkback_spare_prepare(struct blkback_spare *spare,
			   const struct blkback_options *options);

/* Whether it is worth to wait for it: it is not loaded yet, and can be heard. */
bool blkback_spare_loading(const struct blkback_spare *spare);

/*
 * What to poll for it, or -1, and what to call when there is something: the
 * first word of one that loads, the end of one that is not our child.
 */
int blkback_spare_fd(const struct blkback_spare *spare);
void blkback_spare_readable(struct blkback_spare *spare);

/*
 * A worker's process: the spare one, or else a new one. *@pidfd is -1 for a
 * child. 0 or -errno.
 */
int blkback_spare_take(struct blkback_spare *spare,
		       const struct blkback_options *options, int64_t now_ms,
		       pid_t *pid, int *pidfd, int *sock);

/* Start one when it is due again. When to come back, or 0. */
int64_t blkback_spare_start_if_due(struct blkback_spare *spare,
				   const struct blkback_options *options,
				   int64_t now_ms);

/* A child was reaped. If it was the spare, the next one follows the next take. */
void blkback_spare_died(struct blkback_spare *spare, pid_t pid);

/* End it, and wait for that. */
void blkback_spare_end(struct blkback_spare *spare);

#endif
