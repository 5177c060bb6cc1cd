/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin for QEMU's user-mode emulators: counts the instructions that a function of the
 * program and what it calls execute, as callgrind's --toggle-collect does, for any
 * processor that QEMU emulates. tests/bench/processors builds and loads it:
 *
 *   qemu-aarch64 -plugin count.so,function=NAME PROGRAM     prints "instructions N" to
 *                                                           standard error at the end
 *
 * The program must have one thread and symbols; the function must not call itself.
 * QEMU calls count() in that thread before each translated block, which ends at each
 * branch: so the function returns to where the block before its first one has ended. The
 * interface is the documented one of QEMU's plugins (docs/devel/tcg-plugins), version 1,
 * of which Debian 12 has no header.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
					   void (*cb)(uint64_t id,
						      struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *,
					  void (*cb)(unsigned, void *),
					  int flags, void *);
void qemu_plugin_register_atexit_cb(uint64_t id, void (*cb)(uint64_t, void *),
				    void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *,
						 size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *);
int qemu_plugin_install(uint64_t id, const struct qemu_info *, int argc,
			char **argv);

extern int qemu_plugin_version;
int qemu_plugin_version = 1;

struct block {
	uint64_t start, end;
	uint64_t instructions;
	int in_function;
};

static const char *function;
static uint64_t entry; /* the function's first instruction; 0: not yet seen */
static uint64_t back; /* where it returns to; 0: it does not run */
static uint64_t last_end, total;

static void count(unsigned cpu, void *data)
{
	const struct block *b = data;

	(void)cpu;
	if (!back && b->in_function && (!entry || entry == b->start)) {
		entry = b->start;
		back = last_end;
	} else if (b->start == back) {
		back = 0;
	}
	if (back)
		total += b->instructions;
	last_end = b->end;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
	struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, n - 1);
	const char *symbol = qemu_plugin_insn_symbol(first);
	struct block *b = malloc(sizeof(*b)); /* lives as long as the program */

	(void)id;
	if (!b)
		abort();
	*b = (struct block){
		.start = qemu_plugin_insn_vaddr(first),
		.end = qemu_plugin_insn_vaddr(last) +
		       qemu_plugin_insn_size(last),
		.instructions = n,
		.in_function = symbol && !strcmp(symbol, function),
	};
	qemu_plugin_register_vcpu_tb_exec_cb(tb, count, 0, b);
}

static void end(uint64_t id, void *data)
{
	(void)id;
	(void)data;
	fprintf(stderr, "instructions %" PRIu64 "\n", total);
}

int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc,
			char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "function=", 9))
		return -1;
	function = strdup(argv[0] + 9);
	if (!function)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, end, NULL);
	return 0;
}
