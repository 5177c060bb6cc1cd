/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommands. argv[0] is the subcommand's name; each returns the exit status. */
#ifndef XM_RAMDISK_SUBCOMMANDS_H
#define XM_RAMDISK_SUBCOMMANDS_H

int cmd_attach(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_drop(int argc, char **argv);
int cmd_fault(int argc, char **argv);
int cmd_hotplug(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_load(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_point(int argc, char **argv);
int cmd_reset(int argc, char **argv);
int cmd_save(int argc, char **argv);
int cmd_rollback(int argc, char **argv);
int cmd_fence(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_interface(int argc, char **argv);

#endif
