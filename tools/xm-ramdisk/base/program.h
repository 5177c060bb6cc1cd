/* SPDX-License-Identifier: BSD-2-Clause */
/* Other programs: where they are, and running them. */
#ifndef XM_RAMDISK_PROGRAM_H
#define XM_RAMDISK_PROGRAM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* A file beside this program, as in a build folder: its path, if it is there. */
bool program_beside(const char *name, char path[PATH_MAX]);

/* Whether @name is a program in $PATH. */
bool program_exists(const char *name);
/* Run a program of $PATH and wait for it: its exit status, or -errno. */
int program_run(const char *const argv[]);
/* Start one, with nothing on its descriptors, and do not wait. 0 or -errno. */
int program_start_quietly(const char *const argv[]);
int program_run_quietly(const char *const argv[]);
/* The same, and the start of its output, terminated. */
int program_read(const char *const argv[], char *text, size_t size);

#endif
