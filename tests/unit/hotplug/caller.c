/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tools/xm-ramdisk/hotplug/caller.c takes for `xl restore`. A shell with the name of
 * xl runs a script with the name of the subcommand, which asks this program.
 */
#include "tests/unit/scratch.h"
#include "tools/xm-ramdisk/hotplug/caller.h"

static char self[PATH_MAX];

static void make_script(const char *name, const char *text)
{
	FILE *f = fopen(seed_path(name), "we");

	fprintf(f, "%s\n", text);
	fclose(f);
}

/* Run "PROGRAM WORDS" with the scripts beside it; its status: 0 is yes, 1 is no. */
static int asked(const char *program, const char *words)
{
	char command[PATH_MAX + 256];
	int status;

	unlink(seed_path(program));
	/* not sh, which may be busybox and then looks at the name */
	CU_ASSERT_EQUAL(symlink("/bin/bash", seed_path(program)), 0);
	snprintf(command, sizeof(command), "cd %s && ./%s %s", scratch_seeds,
		 program, words);
	status = system(command);
	CU_ASSERT_TRUE(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void restore_is_found(void)
{
	CU_ASSERT_EQUAL(asked("xl", "restore -p /images/one.save"), 0);
	CU_ASSERT_EQUAL(asked("xl", "-f -e restore one.cfg"), 0);
	CU_ASSERT_EQUAL(asked("xl", "between"), 0);
}

static void others_are_not(void)
{
	CU_ASSERT_EQUAL(asked("xl", "create restore"), 1);
	CU_ASSERT_EQUAL(asked("xl", "restored"), 1);
	CU_ASSERT_EQUAL(asked("xs", "restore"), 1);
	CU_ASSERT_EQUAL(asked("libvirtd", "restore xl restore"), 1);
}

static const struct test tests[] = {
	{ "xl restore, also with options or a shell between",
	  restore_is_found },
	{ "no other command, and no other program", others_are_not },
};

int main(int argc, char **argv)
{
	char ask[PATH_MAX + 32];
	int rc;

	(void)argv;
	if (argc == 2)
		return !caller_restores();
	scratch_make();
	self[readlink("/proc/self/exe", self, sizeof(self) - 1)] = 0;
	/* "; exit $?" keeps the shell: it does not become the program */
	snprintf(ask, sizeof(ask), "%s ask; exit $?", self);
	make_script("restore", ask);
	make_script("restored", ask);
	make_script("create", ask);
	make_script("between", "./xl restore; exit $?");
	rc = RUN_TESTS("caller", tests);
	scratch_remove();
	return rc;
}
