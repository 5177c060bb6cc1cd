/* SPDX-License-Identifier: BSD-2-Clause */
/* The options that subcommands of xm-ramdisk interface have in common. */
#ifndef XM_RAMDISK_INTERFACE_OPTIONS_H
#define XM_RAMDISK_INTERFACE_OPTIONS_H

#include <stdbool.h>

/*
 * The options of a subcommand that has --json alone; the arguments begin at
 * optind. EXIT_DONE, EXIT_USAGE after a message, or -1 after --help, which
 * prints @help.
 */
int iface_parse_json(int argc, char **argv, const char *help, bool *json);

#endif
