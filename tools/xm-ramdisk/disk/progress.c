/* SPDX-License-Identifier: BSD-2-Clause */
/* The progress line of what takes more than a second; see progress.h. */
#include "tools/xm-ramdisk/disk/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/text.h"

#define QUIET_MS 1000 /* no line for what is done sooner */

void progress_start(struct progress *p, const char *verb, const char *what,
		    const volatile sig_atomic_t *stop)
{
	p->verb = verb;
	p->what = what;
	p->terminal = isatty(STDERR_FILENO);
	p->shown = false;
	p->start = clock_now_ms();
	p->stop = stop;
}

int progress_step(void *arg, uint64_t done, uint64_t total)
{
	struct progress *p = arg;

	if (*p->stop)
		return 1;
	if (!p->terminal || total == 0 || clock_now_ms() - p->start < QUIET_MS)
		return 0;
	fprintf(stderr, "\r%s %s: %s of %s (%d %%)\033[K", p->verb,
		text_shown(p->what), text_size(done), text_size(total),
		(int)((double)done * 100 / (double)total));
	p->shown = true;
	return 0;
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
