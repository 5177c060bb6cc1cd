/* SPDX-License-Identifier: BSD-2-Clause */
/* SIGINT and SIGTERM set a flag: the command undoes what it has begun, then ends. */
#include "tools/xm-ramdisk/base/signals.h"

#include <string.h>

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	stop = signal;
}

const volatile sig_atomic_t *signals_catch(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_signal;
	/* without SA_RESTART: calls that wait return EINTR */
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	return &stop;
}
