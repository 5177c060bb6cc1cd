/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's out-of-memory killer, proc(5): it ends the process with the highest
 * score, and counts a disk to each process that has it mapped. For the programs of
 * this tree that hold disks; not installed.
 */
#ifndef PRIVATE_OOM_H
#define PRIVATE_OOM_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * The end of such a process frees none of its disk's memory, which is files. With
 * -999 only a process that the kernel may not kill at all (-1000) is spared longer,
 * even if the disks are nearly all of the memory: with -900 they would count for
 * more than a small process. Not -1000, since the kernel panics when it finds no
 * process to kill.
 */
#define OOM_SCORE_ADJUST (-999)

/*
 * Make this process, and those that it starts later, the last to be killed. Without
 * the privilege (CAP_SYS_RESOURCE) nothing changes, which is no error.
 */
static inline void oom_kill_last(void)
{
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char now[16] = "";

	if (fd < 0)
		return;
	if (pread(fd, now, sizeof(now) - 1, 0) > 0 &&
	    atoi(now) > OOM_SCORE_ADJUST)
		dprintf(fd, "%d\n", OOM_SCORE_ADJUST);
	close(fd);
}

#endif
