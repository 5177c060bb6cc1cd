/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands --live-update and --stop: a short-lived process that signals the
 * daemon of a store and waits for the result. Takes no lock. One thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drivers/blkback/common/control.h"
#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/supervisor/live-update.h"

#define TIMEOUT_S 120
#define POLL_NS 50000000

/* The process id of the store's daemon, or 0 after printing that none runs. */
static pid_t find_daemon(const char *dir, char store[PATH_MAX])
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX + 32], line[64] = "";
	int fd, pid = 0;

	if (!dir)
		dir = getenv("XEN_RAMDISK_DIR");
	if (!dir || !*dir)
		dir = RD_STORE_DIR;
	if (!realpath(dir, store)) {
		fprintf(stderr, "xen-ramdiskd: no daemon serves %s: %s\n", dir,
			strerror(errno));
		return 0;
	}
	snprintf(path, sizeof(path), "%s/" NODES_DAEMON_FILE, store);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		if (!fcntl(fd, F_OFD_GETLK, &l) && l.l_type != F_UNLCK &&
		    pread(fd, line, sizeof(line) - 1, 0) > 0)
			sscanf(line, "%d", &pid);
		close(fd);
	}
	if (pid <= 0)
		fprintf(stderr, "xen-ramdiskd: no daemon serves %s\n", store);
	return pid > 0 ? pid : 0;
}

static void sleep_briefly(void)
{
	struct timespec t = { .tv_nsec = POLL_NS };

	nanosleep(&t, NULL);
}

static int print_signal_failure(pid_t pid)
{
	fprintf(stderr,
		"xen-ramdiskd: cannot signal the daemon, process %d: %s\n",
		(int)pid, strerror(errno));
	return 1;
}

int blkback_stop_ask(const char *dir)
{
	char store[PATH_MAX];
	time_t end = time(NULL) + TIMEOUT_S;
	pid_t pid = find_daemon(dir, store);

	if (!pid)
		return 1;
	if (kill(pid, SIGINT))
		return print_signal_failure(pid);
	while (!kill(pid, 0)) {
		if (time(NULL) > end) {
			fprintf(stderr,
				"xen-ramdiskd: process %d has not ended within %d seconds\n",
				(int)pid, TIMEOUT_S);
			return 1;
		}
		sleep_briefly();
	}
	return 0;
}

/* Write the request into the store's directory, where only root can write. */
static int write_request(const char *path, const char *program)
{
	FILE *f;
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (f && fprintf(f, "exec %s\n", program) > 0 && !fclose(f))
		return 0;
	fprintf(stderr, "xen-ramdiskd: cannot write %s: %s\n", path,
		strerror(errno));
	return 1;
}

/* Read the daemon's answer; "" while the file holds only the request. */
static void read_answer(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "r");

	line[0] = '\0';
	if (!f)
		return;
	if (!fgets(line, (int)size, f) || !strncmp(line, "exec ", 5) ||
	    !strchr(line, '\n'))
		line[0] = '\0';
	fclose(f);
}

static int await_answer(pid_t pid, const char *path)
{
	time_t end = time(NULL) + TIMEOUT_S;
	char line[1024];

	for (;;) {
		bool alive = !kill(pid, 0);

		read_answer(path, line, sizeof(line));
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "done ", 5)) {
			printf("xen-ramdiskd: %s\n", line + 5);
			return 0;
		}
		if (!strncmp(line, "failed ", 7)) {
			fprintf(stderr,
				"xen-ramdiskd: live update failed: %s\n",
				line + 7);
			return 1;
		}
		if (!alive || time(NULL) > end) {
			fprintf(stderr,
				alive ? "xen-ramdiskd: no answer from the daemon, process %d; its log may say why\n"
				      : "xen-ramdiskd: the daemon, process %d, has ended; start xen-ramdiskd, which takes over its devices\n",
				(int)pid);
			return 1;
		}
		sleep_briefly();
	}
}

int blkback_live_update_ask(const char *dir)
{
	char store[PATH_MAX], path[PATH_MAX + 32], program[PATH_MAX];
	pid_t pid = find_daemon(dir, store);
	int rc;

	if (!pid)
		return 1;
	if (!realpath("/proc/self/exe", program)) {
		fprintf(stderr,
			"xen-ramdiskd: cannot find its own program: %s\n",
			strerror(errno));
		return 1;
	}
	snprintf(path, sizeof(path), "%s/" BLKBACK_LIVE_UPDATE_FILE, store);
	rc = write_request(path, program);
	if (rc)
		return rc;
	rc = kill(pid, SIGHUP) ? print_signal_failure(pid)
			       : await_answer(pid, path);
	unlink(path);
	return rc;
}
