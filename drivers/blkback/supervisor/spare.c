/* SPDX-License-Identifier: BSD-2-Clause */
/* See spare.h. */
#include "drivers/blkback/supervisor/spare.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/blkback/common/control.h"
#include "drivers/blkback/common/log.h"
#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/common/reconnect.h"

#define START_DELAY_MS 1000 /* after a worker was needed */
#define REPLY_TIMEOUT_MS 500 /* for an adopted spare to send READY, or to end */

void blkback_spare_init(struct blkback_spare *spare,
			blkback_start_worker *start)
{
	*spare = (struct blkback_spare){ .start = start,
					 .pidfd = -1,
					 .sock = -1 };
}

/* From now on there is no spare. */
static void forget(struct blkback_spare *spare)
{
	spare->pid = 0;
	spare->pidfd = -1;
	spare->sock = -1;
	spare->ready = false;
}

static void close_spare(struct blkback_spare *spare)
{
	close(spare->sock);
	if (spare->pidfd >= 0)
		close(spare->pidfd);
	forget(spare);
}

/* Whether the spare's READY matches a spare that this daemon would start. */
static bool is_usable(const struct blkback_spare *spare,
		      const struct blkback_options *options, const char *build)
{
	struct pollfd p = { .fd = spare->sock, .events = POLLIN };
	static struct blkback_message msg;
	const char *margin = getenv(RD_MARGIN_VARIABLE);

	return poll(&p, 1, REPLY_TIMEOUT_MS) == 1 &&
	       !blkback_control_recv(spare->sock, &msg) &&
	       msg.type == BLKBACK_READY && !strcmp(msg.u.ready.build, build) &&
	       msg.u.ready.level == options->level &&
	       msg.u.ready.foreground == options->foreground &&
	       msg.u.ready.no_sandbox == options->no_sandbox &&
	       !strcmp(msg.u.ready.margin, margin ? margin : "");
}

void blkback_spare_adopt(struct blkback_spare *spare,
			 const struct blkback_options *options,
			 const char *build)
{
	int rc = blkback_reconnect(options->store, NODES_SPARE_SOCKET,
				   &spare->pid, &spare->pidfd, &spare->sock);

	if (rc) {
		forget(spare);
		if (rc != -ENOENT)
			blkback_log(
				BLKBACK_WARNING,
				"cannot connect to the spare worker of an earlier daemon: %s",
				strerror(-rc));
		return;
	}
	spare->ready = is_usable(spare, options, build);
	if (spare->ready)
		return;
	/* If this fails, the spare ends by itself when its time is over. */
	(void)blkback_control_send_type(spare->sock, BLKBACK_END);
	close_spare(spare);
}

void blkback_spare_prepare(struct blkback_spare *spare,
			   const struct blkback_options *options)
{
	int rc;

	spare->start_at = 0;
	if (spare->pid || !spare->start)
		return;
	rc = spare->start(options, &spare->pid, &spare->sock);
	if (!rc)
		return;
	forget(spare);
	blkback_log(BLKBACK_WARNING, "cannot start a spare worker: %s",
		    strerror(-rc));
}

bool blkback_spare_loading(const struct blkback_spare *spare)
{
	return spare->pid && !spare->ready && !spare->fails;
}

int blkback_spare_fd(const struct blkback_spare *spare)
{
	return blkback_spare_loading(spare) ? spare->sock : spare->pidfd;
}

void blkback_spare_readable(struct blkback_spare *spare)
{
	static struct blkback_message msg;
	int rc;

	if (spare->pidfd >= 0)
		blkback_spare_died(spare, spare->pid);
	/* The spare may have been taken since poll(). */
	if (!blkback_spare_loading(spare))
		return;
	rc = blkback_control_recv(spare->sock, &msg);
	if (rc == -EAGAIN)
		return;
	spare->ready = !rc && msg.type == BLKBACK_READY;
	spare->fails = !spare->ready;
}

int blkback_spare_take(struct blkback_spare *spare,
		       const struct blkback_options *options, int64_t now_ms,
		       pid_t *pid, int *pidfd, int *sock)
{
	spare->start_at = now_ms + START_DELAY_MS;
	*pidfd = spare->pidfd;
	if (!spare->pid)
		return spare->start(options, pid, sock);
	*pid = spare->pid;
	*sock = spare->sock;
	forget(spare);
	return 0;
}

int64_t blkback_spare_start_if_due(struct blkback_spare *spare,
				   const struct blkback_options *options,
				   int64_t now_ms)
{
	if (spare->start_at && now_ms >= spare->start_at)
		blkback_spare_prepare(spare, options);
	return spare->start_at;
}

void blkback_spare_died(struct blkback_spare *spare, pid_t pid)
{
	if (pid != spare->pid)
		return;
	spare->fails = !spare->ready;
	close_spare(spare);
	spare->start_at = 0;
}

void blkback_spare_end(struct blkback_spare *spare)
{
	struct pollfd end = { .fd = spare->pidfd, .events = POLLIN };
	pid_t pid = spare->pid;

	if (!pid)
		return;
	if (spare->pidfd >= 0) {
		syscall(SYS_pidfd_send_signal, spare->pidfd, SIGKILL, NULL, 0);
		poll(&end, 1, REPLY_TIMEOUT_MS);
	} else {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	blkback_spare_died(spare, pid);
}
