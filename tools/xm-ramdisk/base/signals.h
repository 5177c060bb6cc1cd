/* SPDX-License-Identifier: BSD-2-Clause */
/* The signals that end a command. */
#ifndef XM_RAMDISK_SIGNALS_H
#define XM_RAMDISK_SIGNALS_H

#include <signal.h>

/* From now on SIGINT and SIGTERM only set the flag that is returned. */
const volatile sig_atomic_t *signals_catch(void);

#endif
