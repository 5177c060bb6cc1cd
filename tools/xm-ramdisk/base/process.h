/* SPDX-License-Identifier: BSD-2-Clause */
/* What the process needs of its surroundings: output, limits. */
#ifndef XM_RAMDISK_PROCESS_H
#define XM_RAMDISK_PROCESS_H

/*
 * At the start of main(): refuse to run without a standard output, or with a
 * limit of open files that is too low. A limit of file sizes makes writes fail
 * from here on, where it would end the process. An exit status.
 */
int process_start(void);
/*
 * Another process may take memory of a disk away while the store is full: the process
 * then ends with a sentence, and removes the file @path first. NULL: no file.
 */
void process_remove_at_bus_error(const char *path);
/*
 * Write what was printed so far. A command that can undo its work does so if
 * this fails; main() calls it at the end of every command. An exit status.
 */
int process_flush(void);

#endif
