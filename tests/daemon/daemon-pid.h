/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon of the scratch store, by its file. */
#ifndef TESTS_DAEMON_DAEMON_PID_H
#define TESTS_DAEMON_DAEMON_PID_H

#include "tests/unit/scratch.h"

static pid_t daemon_pid(void)
{
	char path[128];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/xen-ramdiskd.pid", scratch_store);
	f = fopen(path, "r");
	if (f && fscanf(f, "%d", &pid) != 1)
		pid = 0;
	if (f)
		fclose(f);
	return pid;
}

#endif
