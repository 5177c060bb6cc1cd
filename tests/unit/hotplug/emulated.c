/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For which devices tools/xm-ramdisk/hotplug/emulated.c serves the disk to QEMU, and
 * what it writes for libxl. xenstore is functions of this file, and nbdkit a script
 * that writes down its arguments. The watcher that is started is this program.
 */
#include "tests/unit/scratch.h"
#include "tools/xm-ramdisk/hotplug/emulated.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

static struct rd_store *store;
static const char *type, *qemu_state; /* nodes of the domain, or NULL */
static char written[512]; /* "PATH=VALUE" */

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path,
	      unsigned *len)
{
	const char *value = NULL;

	(void)h, (void)t;
	if (!strcmp(path, "/libxl/5/type"))
		value = type;
	if (!strcmp(path, "/local/domain/0/device-model/5/state"))
		value = qemu_state;
	*len = value ? (unsigned)strlen(value) : 0;
	return value ? strdup(value) : NULL;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path,
	      const void *data, unsigned len)
{
	(void)h, (void)t;
	snprintf(written, sizeof(written), "%s=%.*s", path, (int)len,
		 (const char *)data);
	return true;
}

/* The arguments of nbdkit in one line, or "" if it was not started. */
static const char *arguments(void)
{
	static char line[1024];
	FILE *f = fopen(seed_path("arguments"), "re");

	line[0] = 0;
	if (f) {
		if (!fgets(line, sizeof(line), f))
			line[0] = 0;
		fclose(f);
	}
	return line;
}

static void make_nbdkit(int status)
{
	FILE *f = fopen(seed_path("nbdkit"), "we");

	fprintf(f, "#!/bin/sh\necho \"$*\" >%s\nexit %d\n",
		seed_path("arguments"), status);
	fclose(f);
	chmod(seed_path("nbdkit"), 0755);
}

/* Whether the disk of device @devid is served to QEMU. */
static bool is_served(unsigned devid, bool writable, unsigned flags)
{
	struct hotplug h = { .domid = 5,
			     .devid = devid,
			     .back = "/back",
			     .label = "xl/5/768",
			     .writable = writable };

	if (!store)
		store = open_store();
	h.store = store;
	h.disk.flags = flags;
	h.disk.point = flags & RD_PRIVATE ? "moment" : NULL;
	written[0] = 0;
	unlink(seed_path("arguments"));
	emulated_add(&h, "1-2-3");
	return arguments()[0];
}

static void new_hvm_guest(void)
{
	char expected[256];

	type = "hvm";
	qemu_state = NULL;
	CU_ASSERT(is_served(768, true, 0));
	snprintf(expected, sizeof(expected),
		 "/back/physical-device-path=%s/xl:5:768.sock", scratch_store);
	CU_ASSERT_STRING_EQUAL(written, expected);
	snprintf(expected, sizeof(expected), "-U %s/xl:5:768.sock",
		 scratch_store);
	CU_ASSERT_PTR_NOT_NULL(strstr(arguments(), expected));
	CU_ASSERT_PTR_NOT_NULL(strstr(arguments(), " --filter=exitlast "));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(arguments(),
		       " disk=1-2-3 label=xl/5/768 mode=w private=false\n"));
	CU_ASSERT(is_served(768, true, RD_PRIVATE));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(arguments(), " mode=w private=true point=moment\n"));
}

/* QEMU has a controller for these only. */
static void names(void)
{
	static const unsigned emulated[] = { 768,   832,  5632, 51712,
					     51792, 2048, 2064 };
	static const unsigned not [] = { 51808, 51952, 1u << 28 | 16 << 8 };
	size_t i;

	type = "hvm";
	qemu_state = NULL;
	for (i = 0; i < sizeof(emulated) / sizeof(emulated[0]); i++)
		CU_ASSERT(is_served(emulated[i], true, 0));
	for (i = 0; i < sizeof(not ) / sizeof(not [0]); i++)
		CU_ASSERT_FALSE(is_served(not [i], true, 0));
}

static void others(void)
{
	type = "hvm";
	qemu_state = NULL;
	CU_ASSERT_FALSE(is_served(768, false, 0));
	qemu_state = "running";
	CU_ASSERT_FALSE(is_served(768, true, 0));
	qemu_state = NULL;
	type = "pvh";
	CU_ASSERT_FALSE(is_served(768, true, 0));
	type = NULL;
	CU_ASSERT_FALSE(is_served(768, true, 0));
	CU_ASSERT_STRING_EQUAL(written, "");
}

/* It is no failure: the domain has its vbd. libxl then emulates no disk. */
static void nbdkit_fails(void)
{
	type = "hvm";
	qemu_state = NULL;
	make_nbdkit(1);
	CU_ASSERT(is_served(768, true, 0));
	CU_ASSERT_STRING_EQUAL(written, "");
	make_nbdkit(0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "an HVM guest that is being made", new_hvm_guest },
		{ "names that QEMU has a controller for", names },
		{ "other guests, and read-only disks", others },
		{ "nbdkit fails", nbdkit_fails },
	};
	char path[512];
	int rc;

	(void)argv;
	if (argc > 1)
		return 0; /* the watcher */
	scratch_make();
	make_nbdkit(0);
	snprintf(path, sizeof(path), "%s:%s", scratch_seeds, getenv("PATH"));
	setenv("PATH", path, 1);
	rc = RUN_TESTS("emulated disk", tests);
	rd_store_close(store);
	scratch_remove();
	return rc;
}
