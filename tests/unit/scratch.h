/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the store share: a scratch store, scratch seeds, and child
 * processes that attach to the same disks. All files are in two directories,
 * which scratch_make() makes and scratch_remove() removes.
 */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/private/clock.h"
#include "include/ramdisk.h"
#include "tests/cunit.h"

#define MIB ((size_t)1 << 20)

static char scratch_store[64], scratch_seeds[64];

static inline void scratch_make(void)
{
	strcpy(scratch_store, "/dev/shm/xen-ramdisk-test-XXXXXX");
	strcpy(scratch_seeds, "/tmp/xen-ramdisk-seed-XXXXXX");
	if (!mkdtemp(scratch_store) || !mkdtemp(scratch_seeds)) {
		perror("scratch directories");
		exit(1);
	}
}

static inline int scratch_remove_one(const char *path, const struct stat *st,
				     int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void scratch_remove(void)
{
	nftw(scratch_store, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	nftw(scratch_seeds, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Path of a seed. Four buffers take turns: the fourth call from now overwrites it. */
static inline const char *seed_path(const char *name)
{
	static char path[4][128];
	static unsigned n;
	char *p = path[n++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", scratch_seeds, name);
	return p;
}

/* The byte at @off of a seed that make_seed() wrote with @salt. */
static inline unsigned char pattern(uint64_t off, unsigned salt)
{
	return (unsigned char)((off * 2654435761u >> 13) + off / 4096 + salt);
}

/* Write a seed of @size bytes of pattern(). */
static inline const char *make_seed(const char *name, size_t size,
				    unsigned salt)
{
	const char *path = seed_path(name);
	FILE *f = fopen(path, "wb");
	size_t i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	for (i = 0; i < size; i++)
		putc(pattern(i, salt), f);
	CU_ASSERT_EQUAL_FATAL(fclose(f), 0);
	return path;
}

static inline struct rd_store *open_store(void)
{
	struct rd_store *s = NULL;
	struct rd_error err;

	CU_ASSERT_EQUAL_FATAL(rd_store_open(&s, scratch_store, &err), 0);
	return s;
}

static inline int attach(struct rd_store *s, const char *seed, bool writable,
			 struct rd_disk **disk, struct rd_error *err)
{
	struct rd_attach_request req = {
		.seed = seed,
		.writable = writable,
		.label = "test",
	};

	*disk = NULL;
	if (err)
		err->text[0] = 0;
	return rd_attach(s, &req, disk, err);
}

/* Attach or fail the test. */
static inline struct rd_disk *attached(struct rd_store *s, const char *seed,
				       bool writable)
{
	struct rd_disk *d;
	struct rd_error err;
	int rc = attach(s, seed, writable, &d, &err);

	if (rc)
		printf("# attach %s: %s\n", seed, err.text);
	CU_ASSERT_EQUAL_FATAL(rc, 0);
	return d;
}

/*
 * Number of files in the store's directory. A disk's lock files count as one: a confined
 * attachment makes all of them. Without any other file they count one by one.
 */
static inline unsigned store_files(void)
{
	DIR *d = opendir(scratch_store);
	unsigned n = 0, more_locks = 0;
	struct dirent *e;

	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	while ((e = readdir(d)))
		if (strstr(e->d_name, ".lock-") &&
		    !strstr(e->d_name, ".lock-0"))
			more_locks++;
		else
			n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	return n ? n : more_locks;
}

/* Number of attachments of all disks in the store, as rd_list() counts them. */
static inline unsigned attachments(struct rd_store *s)
{
	struct rd_disk_info *disks;
	unsigned n = 0;
	size_t i, count;

	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &count, NULL), 0);
	for (i = 0; i < count; i++)
		n += disks[i].attachments;
	rd_list_free(disks, count);
	return n;
}

/* The byte at @off of disk @d. */
static inline unsigned char byte_at(struct rd_disk *d, uint64_t off)
{
	unsigned char x = 0;

	CU_ASSERT_EQUAL(rd_read(d, &x, off, 1), 0);
	return x;
}

/*
 * Take all free memory of the store, which a test has mounted: a write to a hole has
 * -ENOSPC then. Never more than 64 MiB: that is the host's memory.
 */
static inline void fill_store(void)
{
	char zero[4096] = "", path[128];
	size_t most = 64 * MIB / sizeof(zero);
	int fd;

	snprintf(path, sizeof(path), "%s/filler", scratch_store);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	while (most-- && write(fd, zero, sizeof(zero)) > 0)
		;
	CU_ASSERT_NOT_EQUAL(most + 1, 0);
	close(fd);
}

static inline void unfill_store(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/filler", scratch_store);
	unlink(path);
}

static inline double seconds(void)
{
	return (double)clock_now_ns() / 1e9;
}

/*
 * Fork a child that runs @work and then sleeps until it is killed. The child
 * closes its end of a pipe when @work is done; child_start() waits for this.
 */
static inline pid_t child_start(void (*work)(void *), void *arg)
{
	int p[2];
	pid_t pid;
	char c;

	CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		work(arg);
		close(p[1]);
		for (;;)
			pause();
	}
	close(p[1]);
	CU_ASSERT_EQUAL(read(p[0], &c, 1), 0);
	close(p[0]);
	return pid;
}

static inline void child_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#endif
