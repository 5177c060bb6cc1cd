/* SPDX-License-Identifier: BSD-2-Clause */
/* Labels of attachments, by which `xm-ramdisk list` shows clients. Any thread. */
#ifndef NBDKIT_RAMDISK_LABEL_H
#define NBDKIT_RAMDISK_LABEL_H

#include "include/ramdisk.h"

/* label=. Before nbdkit serves. 0. */
int label_config(const char *value);
bool label_is_given(void);
/*
 * The label of the connection that is being made: the one given, or else "nbd/" and
 * the client's address or process, as far as nbdkit knows it.
 */
void label_of_client(char label[RD_LABEL_MAX]);

#endif
