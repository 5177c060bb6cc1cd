/* SPDX-License-Identifier: BSD-2-Clause */
/* Huge pages of disks, on tmpfs mounts over the scratch store, for this process only. */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

#include "tests/unit/scratch.h"

#define KIB ((uint64_t)1 << 10)

/* What this process has mapped of the store's files in huge pages, bytes. */
static uint64_t mapped_huge(void)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long long kib, sum = 0;
	bool of_store = false;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		if (strchr("0123456789abcdef", line[0]))
			of_store = strstr(line, scratch_store) != NULL;
		else if (of_store &&
			 sscanf(line, "ShmemPmdMapped: %llu", &kib) == 1)
			sum += kib;
	}
	if (f)
		fclose(f);
	return sum * KIB;
}

/* Memory of all files of the store, bytes. */
static uint64_t memory_of_store(void)
{
	DIR *dir = opendir(scratch_store);
	struct dirent *e;
	uint64_t sum = 0;
	struct stat st;

	while (dir && (e = readdir(dir)))
		if (!fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_blocks * 512;
	if (dir)
		closedir(dir);
	return sum;
}

#define HUGE_DISK (6 * MIB + 100 * KIB)

/* Attach a disk of HUGE_DISK bytes, use parts of it, and look at its memory. */
static void use_disk(unsigned flags, uint64_t *memory, uint64_t *huge)
{
	struct rd_attach_request req = {
		.seed = make_seed("huge", 0, 0),
		.writable = true,
		.label = "test",
		.flags = flags,
	};
	struct rd_store *s = open_store();
	struct rd_error err = { "" };
	char block[4096];
	struct rd_disk *d;
	uint64_t off;

	CU_ASSERT_EQUAL(truncate(req.seed, (off_t)HUGE_DISK), 0);
	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &d, &err), 0);
	memset(block, 0x55, sizeof(block));
	CU_ASSERT_EQUAL(rd_write(d, block, 2 * MIB, sizeof(block)), 0);
	for (off = 0; off < HUGE_DISK; off += MIB)
		CU_ASSERT_EQUAL(byte_at(d, off), off == 2 * MIB ? 0x55 : 0);
	*memory = memory_of_store();
	*huge = mapped_huge();
	rd_detach(d);
	rd_store_close(s);
}

/* A disk with all its memory has huge pages where they are offered, and no more memory. */
static void huge_pages(void)
{
	uint64_t small, full, thin, huge;

	CU_ASSERT_EQUAL_FATAL(mount("test", scratch_store, "tmpfs", 0,
				    "size=32m,mode=0700,huge=never"),
			      0);
	use_disk(0, &small, &huge);
	CU_ASSERT_EQUAL(huge, 0);
	CU_ASSERT_EQUAL(umount(scratch_store), 0);
	if (mount("test", scratch_store, "tmpfs", 0,
		  "size=32m,mode=0700,huge=advise")) {
		CU_ASSERT_EQUAL(errno, EINVAL);
		CU_ASSERT_NOT_EQUAL(
			access("/sys/kernel/mm/transparent_hugepage", F_OK), 0);
		return;
	}
	use_disk(0, &full, &huge);
	CU_ASSERT_TRUE(huge >= 2 * MIB);
	CU_ASSERT_EQUAL(full, small);
	use_disk(RD_THIN, &thin, &huge);
	CU_ASSERT_EQUAL(huge, 0);
	CU_ASSERT_TRUE(thin < 300 * KIB);
	CU_ASSERT_EQUAL(umount(scratch_store), 0);
}

static const struct test tests[] = {
	{ "a disk with all its memory has them", huge_pages },
};

int main(void)
{
	int rc;

	scratch_make();
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		printf("# cannot mount: %m (this test needs root)\n");
		return 1;
	}
	rc = RUN_TESTS("huge pages", tests);
	scratch_remove();
	return rc;
}
