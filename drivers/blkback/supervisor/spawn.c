/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts worker processes. Between fork and exec only async-signal-safe functions
 * may be called, since the supervisor has a second thread: libxenstore's reader.
 */
#include "drivers/blkback/supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/blkback/common/control.h"
#include "include/private/linux-calls.h"

static _Noreturn void become_worker(int sock, char *const argv[])
{
	sigset_t none;

	/*
	 * Only the supervisor receives ^C of a terminal; it ends the workers.
	 */
	setsid();
	if (sock == BLKBACK_CONTROL_FD)
		fcntl(sock, F_SETFD, 0);
	else if (dup2(sock, BLKBACK_CONTROL_FD) < 0)
		_exit(127);
	if (linux_close_range(BLKBACK_CONTROL_FD + 1, ~0u, 0))
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* The same program, even if its file was replaced meanwhile. */
	execv("/proc/self/exe", argv);
	_exit(127);
}

int blkback_spawn_worker(const struct blkback_options *options, pid_t *pid,
			 int *sock)
{
	char worker[RD_LABEL_MAX], log_level[32];
	char *argv[8] = { "xen-ramdiskd", worker, log_level };
	int pair[2], rc, n = 3;

	if (options->foreground)
		argv[n++] = "--foreground";
	if (options->no_sandbox)
		argv[n++] = "--no-sandbox";
	if (options->store) {
		argv[n++] = "--store";
		argv[n++] = (char *)options->store;
	}
	/*
	 * Room for the longest title of blkback_self_set_title(),
	 * "4294967295/4294967295".
	 */
	snprintf(worker, sizeof(worker), "--worker=%-21s", "spare");
	snprintf(log_level, sizeof(log_level), "--log-level=%s",
		 blkback_log_level_name(options->level));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	*pid = fork();
	if (*pid < 0) {
		rc = -errno;
		close(pair[0]);
		close(pair[1]);
		return rc;
	}
	if (*pid == 0)
		become_worker(pair[1], argv);
	close(pair[1]);
	*sock = pair[0];
	return 0;
}
