/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk point --on-crash. */
#ifndef XM_RAMDISK_POINT_CRASH_H
#define XM_RAMDISK_POINT_CRASH_H

#include "tools/xm-ramdisk/disk/command.h"

/*
 * Take a point of the job's disk each time that a domain that has it attached
 * crashes, until a signal. At most @keep of them stay. An exit
 * status, or -errno with the sentence in job->err.
 */
int point_on_crash(struct disk_job *job, int keep);

/*
 * Take a point named @prefix, and a number behind it if there is such a point; print
 * its name. As above.
 */
int point_take_named(struct disk_job *job, const char *prefix);

/* Drop the oldest points whose names begin with @prefix, beyond @keep. */
int point_drop_oldest(struct disk_job *job, const char *prefix, int keep);

/* Write the present date to @text, as part of a point's name. */
void point_date(char text[32]);

#endif
