/* SPDX-License-Identifier: BSD-2-Clause */
/* Text, JSON and CSV that several subcommands print; print.c. */
#ifndef XM_RAMDISK_INTERFACE_PRINT_H
#define XM_RAMDISK_INTERFACE_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "tools/xm-ramdisk/base/json.h"
#include "tools/xm-ramdisk/interface/facts.h"

void iface_csv_field(FILE *to, const char *text);
/* "0x00040e00", or "-" for 0, which is no value. Returns @text. */
const char *iface_value_text(unsigned value, char text[16]);
/* The same in JSON, with null for 0. */
void iface_json_value(struct json *j, const char *key, unsigned value);
/* The facts of one side as an object. */
void iface_json_facts(struct json *j, const char *key,
		      const struct iface_facts *facts);
/* The facts of one side as text, or as JSON, on standard output. */
void iface_print_facts(const struct iface_facts *facts, bool json);

#endif
