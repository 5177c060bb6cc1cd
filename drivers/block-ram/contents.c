/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See contents.h. Runs under the disk's lock where it makes or removes files.
 */
#include "drivers/block-ram/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/block-ram/error.h"
#include "drivers/block-ram/loader.h"
#include "drivers/block-ram/memory.h"

static uint64_t words_bytes(uint64_t size)
{
	return rd_blocks(size) * sizeof(rd_word);
}

static uint64_t whole_pages(uint64_t bytes)
{
	return (bytes + RD_BLOCK - 1) / RD_BLOCK * RD_BLOCK;
}

/* Make a file of @size bytes with memory behind all of them. */
static int make_file(int dir, const char *id, enum rd_file file, uint64_t size,
		     int *fd)
{
	struct rd_name name = rd_file_name(id, file);
	int f, rc;

	f = openat(dir, name.text,
		   O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f < 0)
		return -errno;
	rc = rd_memory_reserve(f, size);
	if (rc || !fd)
		close(f);
	else
		*fd = f;
	return rc;
}

static int load_into(int fd, struct rd_header *header,
		     const struct rd_seed *seed,
		     const struct rd_attach_request *req, struct rd_error *err)
{
	unsigned char *to;
	int rc;

	to = mmap(NULL, header->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  0);
	if (to == MAP_FAILED)
		return rd_fail(err, -errno, "cannot map the disk of %s: %m",
			       seed->path);
	rc = rd_load(seed, to, &header->loaded, req->progress,
		     req->progress_arg, err);
	munmap(to, header->size);
	return rc;
}

static int make_files(const struct rd_store *store, struct rd_header *header,
		      const struct rd_seed *seed, int *data,
		      struct rd_error *err)
{
	uint64_t need = whole_pages(header->size) +
			whole_pages(words_bytes(header->size));
	int rc = rd_memory_check(store->dir, store->path, seed->path, need,
				 err);

	if (rc)
		return rc;
	rc = make_file(store->dir, header->id, RD_FILE_RANGES,
		       words_bytes(header->size), NULL);
	if (!rc)
		rc = make_file(store->dir, header->id, RD_FILE_DATA,
			       header->size, data);
	if (!rc)
		return 0;
	/* somebody took the memory meanwhile: say what there is now */
	rd_discard_contents(store->dir, header->id, header);
	if ((rc == -ENOSPC || rc == -ENOMEM) &&
	    rd_memory_check(store->dir, store->path, seed->path, need, err))
		return rc;
	return rd_fail(err, rc, "cannot reserve %" PRIu64 " bytes in %s for %s: %s",
		       need, store->path, seed->path, strerror(-rc));
}

int rd_contents_load(const struct rd_store *store, struct rd_header *header,
		     const struct rd_seed *seed,
		     const struct rd_attach_request *req, struct rd_error *err)
{
	int data = -1, rc;

	header->size = rd_disk_size(seed->size);
	header->seed_size = seed->size;
	header->seed_mtime = seed->mtime;
	memcpy(header->seed, seed->path, sizeof(header->seed));
	atomic_store(&header->loaded, 0);
	atomic_store(&header->state, RD_LOADING);
	rc = make_files(store, header, seed, &data, err);
	if (!rc)
		rc = load_into(data, header, seed, req, err);
	if (data >= 0)
		close(data);
	if (rc)
		rd_discard_contents(store->dir, header->id, header);
	else
		atomic_store(&header->state, RD_READY);
	return rc;
}

static int map_file(struct rd_disk *disk, enum rd_file file, uint64_t size,
		    bool writable, void **map, struct rd_error *err)
{
	struct rd_name name = rd_file_name(disk->id, file);
	struct stat st;
	void *p;
	int rc = 0, fd;

	fd = openat(disk->dir, name.text,
		    (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		rc = -EUCLEAN;
	if (rc)
		rc = rd_fail(err, rc, "%s is damaged: %s", name.text,
			     strerror(-rc));
	if (!rc) {
		p = mmap(NULL, size, PROT_READ | (writable ? PROT_WRITE : 0),
			 MAP_SHARED, fd, 0);
		if (p == MAP_FAILED)
			rc = rd_fail(err, -errno, "cannot map %s: %m",
				     name.text);
		else
			*map = p;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

int rd_contents_map(struct rd_disk *disk, struct rd_error *err)
{
	void *data, *words;
	int rc = map_file(disk, RD_FILE_DATA, disk->size, disk->writable,
			  &data, err);

	if (rc)
		return rc;
	disk->data = data;
	/* a reader too may have to keep writers out for a moment */
	rc = map_file(disk, RD_FILE_RANGES, words_bytes(disk->size), true,
		      &words, err);
	if (!rc)
		disk->words = words;
	return rc;
}

void rd_contents_unmap(struct rd_disk *disk)
{
	if (disk->data)
		munmap(disk->data, disk->size);
	if (disk->words)
		munmap((void *)disk->words, words_bytes(disk->size));
	disk->data = NULL;
	disk->words = NULL;
}
