/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds out whether a xen-ramdiskd serves the store, and starts one if none
 * does: by systemd, if it runs here and has the unit (it then restarts the
 * daemon when needed), otherwise as a program of its own.
 *
 * xen-ramdiskd holds an OFD lock on NODES_DAEMON_FILE of the store as long as
 * it runs, and writes its process, format and version into the file. Here the
 * lock is only tested. One thread, no state.
 */
#include "tools/xm-ramdisk/xen/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers/blkback/common/nodes.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/program.h"

#define UNIT "xen-ramdiskd.service"

/* 1: a daemon of our format runs, 0: none runs, -1: another format, printed. */
static int running(struct rd_store *store)
{
	char path[PATH_MAX], line[128] = "", version[64] = "?";
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	unsigned format;
	int fd, pid, held;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", rd_store_path(store),
		 NODES_DAEMON_FILE);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0;
	held = fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
	n = pread(fd, line, sizeof(line) - 1, 0);
	close(fd);
	if (!held)
		return 0;
	if (n > 0 && sscanf(line, "%d %u %63s", &pid, &format, version) >= 2 &&
	    format == RD_FORMAT)
		return 1;
	if (n <= 0)
		return 0; /* it has the lock and has not written yet: it starts */
	say_failed(
		"the running xen-ramdiskd (%.*s: process, format, version) and this xm-ramdisk %s (format %u) do not belong together; restart xen-ramdiskd from the same package",
		(int)strcspn(line, "\n"), line, RD_VERSION, RD_FORMAT);
	return -1;
}

/* Whether systemd runs here and has a unit that serves this store. */
static bool is_service(struct rd_store *store)
{
	/* the check of sd_booted(3) */
	return access("/run/systemd/system", F_OK) == 0 &&
	       !strcmp(rd_store_path(store), RD_STORE_DIR) &&
	       program_run_quietly((const char *const[]){ "systemctl", "cat",
							  UNIT, NULL }) == 0;
}

/* Returns when the daemon has notified systemd that it is ready. */
static int start_service(void)
{
	if (program_run((const char *const[]){ "systemctl", "start", UNIT,
					       NULL }) == 0)
		return EXIT_DONE;
	return say_failed("systemd could not start " UNIT
			  "; 'journalctl -u " UNIT "' shows the reason");
}

bool daemon_installed(void)
{
	char path[PATH_MAX];

	return program_beside("xen-ramdiskd", path) ||
	       program_exists("xen-ramdiskd");
}

/* Returns when the daemon serves: it then forks into the background. */
static int start(struct rd_store *store)
{
	char program[PATH_MAX];
	const char *const argv[] = { program, "--store", rd_store_path(store),
				     NULL };
	int rc;

	if (is_service(store))
		return start_service();
	if (!program_beside("xen-ramdiskd", program))
		strcpy(program, "xen-ramdiskd"); /* of $PATH */
	rc = program_run(argv);
	if (rc < 0 && rc != -ECHILD) /* -ECHILD: it was killed */
		return say_failed("cannot start %s: %s", program,
				  strerror(-rc));
	if (rc == 0)
		return EXIT_DONE;
	/* two commands may have started a daemon each: one got the lock */
	if (running(store) == 1)
		return EXIT_DONE;
	return say_failed("%s did not start; its reason is above", program);
}

int daemon_ensure(struct rd_store *store)
{
	switch (running(store)) {
	case 0:
		return start(store);
	case 1:
		return EXIT_DONE;
	default:
		return EXIT_FAILED;
	}
}
