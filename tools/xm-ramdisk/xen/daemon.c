/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is xen-ramdiskd there, is it ours, and if not, start it: through systemd where
 * that runs and has the unit, which then keeps it running; else ourselves.
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

/* 1 if a daemon of ours runs, 0 if none does, -1 if it was said why not. */
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
		return 0; /* it has just locked the file: as good as starting */
	say_failed(
		"the running xen-ramdiskd (%.*s: process, format, version) and this xm-ramdisk %s (format %u) do not belong together; restart xen-ramdiskd from the same package",
		(int)strcspn(line, "\n"), line, RD_VERSION, RD_FORMAT);
	return -1;
}

/* Whether systemd runs here and knows a unit that serves this store. */
static bool is_service(struct rd_store *store)
{
	/* as sd_booted(3) finds out */
	return access("/run/systemd/system", F_OK) == 0 &&
	       !strcmp(rd_store_path(store), RD_STORE_DIR) &&
	       program_run_quietly((const char *const[]){ "systemctl", "cat",
							  UNIT, NULL }) == 0;
}

/* Returns when it has said that it is ready. */
static int start_service(void)
{
	if (program_run((const char *const[]){ "systemctl", "start", UNIT,
					       NULL }) == 0)
		return EXIT_DONE;
	return say_failed("systemd could not start " UNIT
			  "; 'journalctl -u " UNIT "' has the reason");
}

bool daemon_installed(void)
{
	char path[PATH_MAX];

	return program_beside("xen-ramdiskd", path) ||
	       program_exists("xen-ramdiskd");
}

/* Returns when the daemon serves: it puts itself into the background then. */
static int start(struct rd_store *store)
{
	char program[PATH_MAX];
	const char *const argv[] = { program, "--store", rd_store_path(store),
				     NULL };
	int rc;

	if (is_service(store))
		return start_service();
	if (!program_beside("xen-ramdiskd", program))
		strcpy(program, "xen-ramdiskd"); /* the one in $PATH */
	rc = program_run(argv);
	if (rc < 0 && rc != -ECHILD) /* -ECHILD: it was killed */
		return say_failed("cannot start %s: %s", program,
				  strerror(-rc));
	if (rc == 0)
		return EXIT_DONE;
	/* two commands may have started one each: the first one serves both */
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
