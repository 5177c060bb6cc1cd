/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * journal FILE [VERSION]: writes the journal of a device with two queues, as it is
 * after the kill of a worker with three requests in the first queue. Tests of
 * xm-ramdisk show read it without Xen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/blkback/common/journal.h"

static struct blkback_journal_file file = {
	.version = BLKBACK_JOURNAL_VERSION,
	.state = BLKBACK_JOURNAL_CONNECTED,
	.connection = { .nr_queues = 2, .nr_refs = 1 },
};

static void fill_queues(void)
{
	struct blkback_journal_queue *q = file.queue;
	unsigned i;

	/* notes of answered requests stay until new requests replace them */
	for (i = 0; i < BLKBACK_BATCH; i++)
		blkback_journal_note(&q->entry[i], BLKBACK_NOTE_DONE, 0);
	q->taken = 40;
	q->pushed = 37;
	blkback_journal_note(&q->entry[37 % BLKBACK_BATCH], BLKBACK_NOTE_TAKEN,
			     0);
	blkback_journal_note(&q->entry[38 % BLKBACK_BATCH], BLKBACK_NOTE_BEGUN,
			     0);
	blkback_journal_note(&q->entry[39 % BLKBACK_BATCH], BLKBACK_NOTE_DONE,
			     -5);
	q[1].taken = q[1].pushed = 7;
}

int main(int argc, char **argv)
{
	FILE *f = argc > 1 ? fopen(argv[1], "wb") : NULL;

	if (!f)
		return 2;
	memcpy(file.magic, BLKBACK_JOURNAL_MAGIC, sizeof(file.magic));
	if (argc > 2)
		file.version = (uint32_t)atoi(argv[2]);
	fill_queues();
	return fwrite(&file, sizeof(file), 1, f) != 1 || fclose(f);
}
