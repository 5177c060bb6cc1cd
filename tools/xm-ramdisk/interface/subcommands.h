/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The subcommands of xm-ramdisk interface. argv[0] is the subcommand's name;
 * each prints and returns the exit status.
 */
#ifndef XM_RAMDISK_INTERFACE_SUBCOMMANDS_H
#define XM_RAMDISK_INTERFACE_SUBCOMMANDS_H

/* Exit statuses of `interface check`; 0, 1 and 2 are those of the tool. */
enum {
	EXIT_WARNING = 3,
	EXIT_INCOMPATIBLE = 4
};

int iface_cmd_list(int argc, char **argv);
int iface_cmd_show(int argc, char **argv);
int iface_cmd_of(int argc, char **argv);
int iface_cmd_running(int argc, char **argv);
int iface_cmd_check(int argc, char **argv);

#endif
