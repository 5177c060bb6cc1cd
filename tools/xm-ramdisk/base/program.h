/* SPDX-License-Identifier: BSD-2-Clause */
/* Other programs: finding and running them. */
#ifndef XM_RAMDISK_PROGRAM_H
#define XM_RAMDISK_PROGRAM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The path of the file @name in the folder of this program, which is where a build
 * folder has daemon and plugin; or in sbin or lib/nbdkit/plugins of the same prefix.
 * False if there is no such file.
 */
bool program_beside(const char *name, char path[PATH_MAX]);

/* Whether @name is a program in $PATH. */
bool program_exists(const char *name);
/*
 * Run a program of $PATH and wait for its end. Its exit status; -ECHILD if a
 * signal has ended it; -errno if it could not be started. "Quietly": its
 * standard input, output and error are /dev/null.
 */
int program_run(const char *const argv[]);
int program_run_quietly(const char *const argv[]);
/* The same, and the start of the program's output as a string in @text. */
int program_read(const char *const argv[], char *text, size_t size);
/* Start one quietly, and do not wait for its end. 0 or -errno. */
int program_start_quietly(const char *const argv[]);
/* Wait for the end of child @pid: as program_run(). */
int program_wait(pid_t pid);

#endif
