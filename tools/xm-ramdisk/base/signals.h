/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals that end a command. */
#ifndef XM_RAMDISK_SIGNALS_H
#define XM_RAMDISK_SIGNALS_H

#include <signal.h>

/* SIGINT and SIGTERM set the flag returned, instead of ending the process. */
const volatile sig_atomic_t *signals_catch(void);

#endif
