/* SPDX-License-Identifier: BSD-2-Clause */
#include "spare.h"
#include "control.h"
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALM 1000 /* ms since a worker was needed */

void blkback_spare_init(struct blkback_spare *spare,
			blkback_start_worker *start)
{
	*spare = (struct blkback_spare){ .start = start, .sock = -1 };
}

/* There is none any more. */
static void forget(struct blkback_spare *spare)
{
	spare->pid = 0;
	spare->sock = -1;
	spare->ready = false;
}

void blkback_spare_prepare(struct blkback_spare *spare,
			   const struct blkback_options *options)
{
	int ret;

	spare->due = 0;
	if (spare->pid || !spare->start)
		return;
	ret = spare->start(options, &spare->pid, &spare->sock);
	if (!ret)
		return;
	forget(spare);
	blkback_log(BLKBACK_WARNING, "cannot start a spare worker: %s",
		    strerror(-ret));
}

bool blkback_spare_loading(const struct blkback_spare *spare)
{
	return spare->pid && !spare->ready && !spare->fails;
}

void blkback_spare_hear(struct blkback_spare *spare)
{
	static struct blkback_message msg;
	int ret;

	/* Or it was taken since its socket was looked at. */
	if (!blkback_spare_loading(spare))
		return;
	ret = blkback_control_recv(spare->sock, &msg);
	if (ret == -EAGAIN)
		return;
	spare->ready = !ret && msg.type == BLKBACK_READY;
	spare->fails = !spare->ready;
}

int blkback_spare_take(struct blkback_spare *spare,
		       const struct blkback_options *options, int64_t now_ms,
		       pid_t *pid, int *sock)
{
	spare->due = now_ms + CALM;
	if (!spare->pid)
		return spare->start(options, pid, sock);
	*pid = spare->pid;
	*sock = spare->sock;
	forget(spare);
	return 0;
}

int64_t blkback_spare_tend(struct blkback_spare *spare,
			   const struct blkback_options *options,
			   int64_t now_ms)
{
	if (spare->due && now_ms >= spare->due)
		blkback_spare_prepare(spare, options);
	return spare->due;
}

void blkback_spare_died(struct blkback_spare *spare, pid_t pid)
{
	if (pid != spare->pid)
		return;
	close(spare->sock);
	spare->fails = !spare->ready;
	forget(spare);
	spare->due = 0;
}

void blkback_spare_end(struct blkback_spare *spare)
{
	pid_t pid = spare->pid;

	if (!pid)
		return;
	blkback_spare_died(spare, pid);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
