/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk reset: the seed's contents again, without a detach. */
#include "tools/xm-ramdisk/xm-ramdisk.h"

static const char help[] =
	"usage: xm-ramdisk reset [--force] NAME\n\n"
	"Bring the seed's contents back, in place. Refused while somebody is\n"
	"attached for writing, and while there are private views.\n\n"
	"  NAME     as 'xm-ramdisk list' shows it: a name, or a seed's path or its end\n"
	"  --force  also under those who write; they see it happen";

static int reset(struct rd_store *store, const char *text, bool force)
{
	struct progress p;
	struct rd_error err;
	char id[RD_ID_MAX];
	int rc = disk_find(store, text, id);

	if (rc)
		return rc;
	progress_start(&p, text, signals_catch());
	rc = rd_reset(store, id, force, progress_step, &p, &err);
	progress_end(&p);
	return rc ? say_failed("%s", err.text) : EXIT_DONE;
}

int cmd_reset(int argc, char **argv)
{
	bool force = false;
	const struct flag flags[] = { { "force", &force }, { NULL, NULL } };
	struct rd_store *store;
	char **words;
	int rc = parse_words(argc, argv, help, flags, 1, "NAME", &words);

	if (rc)
		return rc < 0 ? EXIT_DONE : rc;
	rc = disk_store("reset", &store);
	if (rc)
		return rc;
	rc = reset(store, words[0], force);
	rd_store_close(store);
	return rc;
}
