/* SPDX-License-Identifier: BSD-2-Clause */
/* See version.h. */
#include "drivers/nbdkit/version.h"

#include <stdio.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#define NUMBER(major, minor, micro) ((major)*1000000 + (minor)*1000 + (micro))

/* The number in "nbdkit 1.32.5"; 0 if there is none. */
static int parse(const char *line)
{
	int major, minor, micro = 0;

	if (sscanf(line, "nbdkit %d.%d.%d", &major, &minor, &micro) < 2)
		return 0;
	return NUMBER(major, minor, micro);
}

/* Ask this process's own program; 0 if it is not nbdkit, as under valgrind. */
static int running_version(void)
{
	char command[64], line[128] = "";
	FILE *f;

	snprintf(command, sizeof(command),
		 "exec /proc/%d/exe --version 2>/dev/null", (int)getpid());
	f = popen(command, "re");
	if (!f)
		return 0;
	if (!fgets(line, sizeof(line), f))
		line[0] = 0;
	pclose(f);
	return parse(line);
}

bool version_closes_under_writers(void)
{
	int version = running_version();

	if (!version)
		version = NUMBER(NBDKIT_VERSION_MAJOR, NBDKIT_VERSION_MINOR,
				 NBDKIT_VERSION_MICRO);
	return version >= NUMBER(1, 32, 4) && version < NUMBER(1, 33, 10);
}
