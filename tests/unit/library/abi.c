/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library's ABI: sizes and offsets of what ramdisk.h shares with programs that
 * were built against an earlier version, on machines with 64-bit pointers. A change
 * here needs a new SONAME in the Makefile (HACKING.md, "The library's ABI"). The
 * functions are compared by tests/unit/library/library.sh.
 */
#include <stddef.h>

#include "include/ramdisk.h"
#include "tests/cunit.h"

#define SIZE(name, bytes) CU_ASSERT_EQUAL(sizeof(struct name), bytes)
#define AT(name, member, offset) \
	CU_ASSERT_EQUAL(offsetof(struct name, member), offset)

static void error(void)
{
	SIZE(rd_error, 768);
	AT(rd_error, text, 0);
}

static void attach_request(void)
{
	SIZE(rd_attach_request, 48);
	AT(rd_attach_request, seed, 0);
	AT(rd_attach_request, name, 8);
	AT(rd_attach_request, writable, 16);
	AT(rd_attach_request, flags, 20);
	AT(rd_attach_request, label, 24);
	AT(rd_attach_request, progress, 32);
	AT(rd_attach_request, progress_arg, 40);
}

static void counters(void)
{
	SIZE(rd_counters, 280);
	AT(rd_counters, reads, 0);
	AT(rd_counters, writes, 8);
	AT(rd_counters, flushes, 16);
	AT(rd_counters, discards, 24);
	AT(rd_counters, read_bytes, 32);
	AT(rd_counters, write_bytes, 40);
	AT(rd_counters, discard_bytes, 48);
	AT(rd_counters, errors, 56);
	AT(rd_counters, read_latency, 64);
	AT(rd_counters, write_latency, 160);
	AT(rd_counters, read_us, 256);
	AT(rd_counters, write_us, 264);
	AT(rd_counters, no_memory, 272);
}

static void attachment_info(void)
{
	SIZE(rd_attachment_info, 384);
	AT(rd_attachment_info, slot, 0);
	AT(rd_attachment_info, pid, 4);
	AT(rd_attachment_info, alive, 8);
	AT(rd_attachment_info, writable, 9);
	AT(rd_attachment_info, private_view, 10);
	AT(rd_attachment_info, durable, 11);
	AT(rd_attachment_info, view_bytes, 16);
	AT(rd_attachment_info, since, 24);
	AT(rd_attachment_info, label, 32);
	AT(rd_attachment_info, counters, 96);
	AT(rd_attachment_info, restarts, 376);
}

static void disk_info(void)
{
	SIZE(rd_disk_info, 4312);
	AT(rd_disk_info, id, 0);
	AT(rd_disk_info, name, 80);
	AT(rd_disk_info, seed, 144);
	AT(rd_disk_info, seed_now, 4240);
	AT(rd_disk_info, size, 4248);
	AT(rd_disk_info, seed_size, 4256);
	AT(rd_disk_info, loaded, 4264);
	AT(rd_disk_info, memory, 4272);
	AT(rd_disk_info, loading, 4280);
	AT(rd_disk_info, thin, 4281);
	AT(rd_disk_info, lazy, 4282);
	AT(rd_disk_info, keep, 4283);
	AT(rd_disk_info, half_reset, 4284);
	AT(rd_disk_info, torn, 4288);
	AT(rd_disk_info, points, 4296);
	AT(rd_disk_info, attachments, 4300);
	AT(rd_disk_info, attachment, 4304);
}

static void event(void)
{
	SIZE(rd_event, 3080);
	AT(rd_event, time_ms, 0);
	AT(rd_event, slot, 8);
	AT(rd_event, pid, 12);
	AT(rd_event, what, 16);
	AT(rd_event, id, 48);
	AT(rd_event, name, 128);
	AT(rd_event, label, 192);
	AT(rd_event, mode, 256);
	AT(rd_event, seed, 257);
	AT(rd_event, text, 2305);
}

static void range(void)
{
	SIZE(rd_range, 48);
	AT(rd_range, disk, 0);
	AT(rd_range, off, 8);
	AT(rd_range, len, 16);
	AT(rd_range, flags, 24);
	AT(rd_range, snapshot, 32);
	AT(rd_range, copy, 40);
}

static void constants(void)
{
	CU_ASSERT_EQUAL(RD_PRIVATE, 1);
	CU_ASSERT_EQUAL(RD_THIN, 2);
	CU_ASSERT_EQUAL(RD_LAZY, 4);
	CU_ASSERT_EQUAL(RD_KEEP, 8);
	CU_ASSERT_EQUAL(RD_EXISTING, 16);
	CU_ASSERT_EQUAL(RD_DURABLE, 32);
	CU_ASSERT_EQUAL(RD_IMAGE, 64);
	CU_ASSERT_EQUAL(RD_RANGE_WRITE, 1);
	CU_ASSERT_EQUAL(RD_RANGE_EXCLUSIVE, 2);
	CU_ASSERT_EQUAL(RD_RANGE_NOWAIT, 4);
	CU_ASSERT_EQUAL(RD_RANGE_RESUME, 8);
	CU_ASSERT_EQUAL(RD_SEED_REMOTE, 4);
}

static const struct test tests[] = {
	{ "struct rd_error", error },
	{ "struct rd_attach_request", attach_request },
	{ "struct rd_counters", counters },
	{ "struct rd_attachment_info", attachment_info },
	{ "struct rd_disk_info", disk_info },
	{ "struct rd_event", event },
	{ "struct rd_range", range },
	{ "constants", constants },
};

int main(void)
{
	return RUN_TESTS("abi", tests);
}
