/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the driver share: a store and seeds of their own. */
#ifndef TESTS_TAPDISK_VBD_H
#define TESTS_TAPDISK_VBD_H

#include <errno.h>

#include "tests/tapdisk/host.h"
#include "tests/unit/scratch.h"

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)
#ifdef TAPDISK_JOINED
#define SUITE(name) "tapdisk/" name " gen" NUMBER(TAPDISK_GENERATION) " drop-in"
#else
#define SUITE(name) "tapdisk/" name " gen" NUMBER(TAPDISK_GENERATION)
#endif

#define PAUSES (TAPDISK_GENERATION >= 2) /* a close may be a pause */

static inline void vbd_tests_begin(void)
{
	scratch_make();
	setenv("XEN_RAMDISK_DIR", scratch_store, 1);
}

/* Open or fail the test. */
static inline struct host_vbd *opened(const char *name, bool rdonly)
{
	struct host_vbd *v;

	CU_ASSERT_EQUAL_FATAL(host_open(&v, name, rdonly), 0);
	return v;
}

/* Whether the @n bytes at @p are a seed's from byte @off on. */
static inline bool is_pattern(const unsigned char *p, uint64_t off, size_t n,
			      unsigned salt)
{
	size_t i;

	for (i = 0; i < n && p[i] == pattern(off + i, salt); i++)
		;
	return i == n;
}

static inline bool holds_seed(struct host_vbd *v, uint64_t sector, unsigned n,
			      unsigned salt)
{
	unsigned char *p = malloc((size_t)n * 512);
	bool same;

	CU_ASSERT_EQUAL(host_io(v, false, sector, n, p), 0);
	same = is_pattern(p, sector * 512, (size_t)n * 512, salt);
	free(p);
	return same;
}

/* Fill @n sectors with @byte, and whether they are filled so. */
static inline int fill(struct host_vbd *v, uint64_t sector, unsigned n,
		       int byte)
{
	unsigned char *p = malloc((size_t)n * 512);
	int rc;

	memset(p, byte, (size_t)n * 512);
	rc = host_io(v, true, sector, n, p);
	free(p);
	return rc;
}

static inline bool filled(struct host_vbd *v, uint64_t sector, unsigned n,
			  int byte)
{
	unsigned char *p = malloc((size_t)n * 512);
	size_t i;

	CU_ASSERT_EQUAL(host_io(v, false, sector, n, p), 0);
	for (i = 0; i < (size_t)n * 512 && p[i] == byte; i++)
		;
	free(p);
	return i == (size_t)n * 512;
}

static inline unsigned count_attachments(void)
{
	struct rd_store *s = open_store();
	unsigned n = attachments(s);

	rd_store_close(s);
	return n;
}

/* Run @work in a process that ends as tapdisk does; its exit status. */
static inline int in_process(int (*work)(const char *), const char *arg)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		exit(work(arg));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
