/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * struct rd_store and struct rd_disk, shared by the files of this folder and
 * by nobody else.
 */
#ifndef BLOCK_RAM_DISK_H
#define BLOCK_RAM_DISK_H

#include "drivers/block-ram/header.h"
#include "drivers/block-ram/range.h"

struct rd_store {
	int dir; /* descriptor of the store's directory */
	char *path; /* canonical */
};

struct rd_disk {
	int dir; /* own copy of the store's */
	int header_fd; /* its description holds the slot's lock */
	unsigned slot;
	bool writable;
	struct rd_header *header; /* RD_HEADER_BYTES, shared */
	struct rd_slot *self;
	unsigned char *data; /* size bytes; read-only if not writable */
	uint64_t size;
	rd_word *words; /* rd_blocks(size) of them, shared */
	char id[RD_ID_MAX];
};

/* The three files of disk @id, relative to the store's directory. */
enum rd_file { RD_FILE_HEADER, RD_FILE_DATA, RD_FILE_RANGES };
struct rd_name {
	char text[RD_ID_MAX + 8];
};
struct rd_name rd_file_name(const char *id, enum rd_file file);

/*
 * Remove the contents (data and ranges) of disk @id, or all of it. The caller
 * holds the disk's lock. Order and state make a crash in between harmless: a
 * header without contents says RD_EMPTY.
 */
void rd_discard_contents(int dir, const char *id, struct rd_header *header);
void rd_discard(int dir, const char *id, struct rd_header *header);

#endif
