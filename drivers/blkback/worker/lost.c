/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of the disk that another attachment of it has taken away (rd_lost() in
 * ramdisk.h): the worker survives, its requests get errors, and the next worker takes
 * over with mappings of its own. The signal handler runs on any thread of the worker;
 * the rest on the first one.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "drivers/blkback/common/log.h"
#include "drivers/blkback/worker/state.h"

static struct rd_disk *watched;
static int wake_fd;

static void on_bus_error(int number, siginfo_t *info, void *context)
{
	const uint64_t one = 1;
	int saved = errno;

	(void)context;
	if (!watched || !rd_lost(watched, info->si_addr))
		signal(number, SIG_DFL); /* the access is repeated, and fails */
	else if (write(wake_fd, &one, sizeof(one)) < 0) {
		/* The eventfd is full: the first thread was told before. */
	}
	errno = saved;
}

int blkback_lost_watch(const struct worker *w)
{
	struct sigaction action = { .sa_sigaction = on_bus_error,
				    .sa_flags = SA_SIGINFO };

	watched = w->disk;
	wake_fd = w->lost_fd;
	return sigaction(SIGBUS, &action, NULL) ? -errno : 0;
}

void blkback_lost_ignore(void)
{
	watched = NULL;
}

int blkback_lost_end(struct worker *w)
{
	blkback_log(
		BLKBACK_ERROR,
		"the store is full, and another attachment of the disk has taken memory away that the disk had; requests failed, and the next worker takes over");
	blkback_worker_disconnect(w, true);
	return -EINTR;
}
