/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processes of a test: the daemon of the scratch store, its workers and its
 * spare worker. They are found as an administrator finds them: by the store's
 * files and list, and in /proc.
 */
#ifndef TESTS_DAEMON_PROCESSES_H
#define TESTS_DAEMON_PROCESSES_H

#include "tests/daemon/daemon-pid.h"
#include "tests/daemon/guest.h"

#include "tests/unit/scratch.h"

#include <dirent.h>
#include <signal.h>

#define PATIENCE 60000 /* ms; only a hanging process needs so long */

static const char *preload; /* into each program that is run */

static pid_t begin(const char *file, const char *option)
{
	pid_t pid = fork();

	if (pid == 0) {
		setenv("LD_PRELOAD", preload, 1);
		execl(file, "xen-ramdiskd", "--store", scratch_store,
		      "--log-level", "error", option, NULL);
		_exit(126);
	}
	return pid;
}

static int run(const char *file, const char *option)
{
	int status = -1;

	waitpid(begin(file, option), &status, 0);
	return status;
}

/* Of the only durable attachment: not of one that the test itself has. */
static inline pid_t worker_pid(void)
{
	struct rd_disk_info *disks;
	struct rd_store *store;
	unsigned i;
	size_t n = 0;
	pid_t pid = 0;

	CU_ASSERT_EQUAL_FATAL(rd_store_open(&store, scratch_store, NULL), 0);
	CU_ASSERT_EQUAL(rd_list(store, &disks, &n, NULL), 0);
	for (i = 0; n == 1 && i < disks[0].attachments; i++)
		if (disks[0].attachment[i].durable)
			pid = pid ? -1 : disks[0].attachment[i].pid;
	rd_list_free(disks, n);
	rd_store_close(store);
	return pid > 0 ? pid : 0;
}

/* A file of the process in /proc; NULL: there is no such process. */
static FILE *open_of(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return fopen(path, "r");
}

/* Dead, or a zombie. */
static bool is_dead(pid_t pid)
{
	FILE *f = open_of(pid, "stat");
	char state = 'X';

	if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'X';
	if (f)
		fclose(f);
	return state == 'X' || state == 'Z';
}

/* Send @sig, if not 0, and wait for the end of the process. */
static inline bool ends(pid_t pid, int sig)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;

	if (pid <= 0 || (sig && kill(pid, sig)))
		return false;
	while (!is_dead(pid) && (int64_t)clock_now_us() < end)
		usleep(1000);
	return is_dead(pid);
}

static bool runs(pid_t pid, const char *file)
{
	char path[64], exe[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	return !strcmp(exe, file);
}

/* Whether top and pkill show the process by @name. */
static inline bool is_command(pid_t pid, const char *name)
{
	FILE *f = open_of(pid, "comm");
	char command[32] = "";

	if (f && fscanf(f, "%31s", command) != 1)
		command[0] = '\0';
	if (f)
		fclose(f);
	return !strcmp(command, name);
}

/*
 * Whether ps shows the process as a worker of the scratch store with the title
 * @name.
 */
static bool is_named(pid_t pid, const char *name)
{
	FILE *f = open_of(pid, "cmdline");
	char line[1024], title[64] = "";
	size_t n = 0;

	if (f) {
		n = fread(line, 1, sizeof(line) - 1, f);
		fclose(f);
	}
	line[n] = '\0';
	/* The arguments are separated by NULs. */
	if (!memmem(line, n, scratch_store, strlen(scratch_store)) ||
	    sscanf(line + strlen(line) + (n > 0), "--worker=%63s", title) != 1)
		return false;
	return !strcmp(title, name);
}

/* The spare worker that runs @file; 0: none. */
static pid_t spare_of(const char *file)
{
	DIR *all = opendir("/proc");
	struct dirent *e;
	pid_t pid = 0;

	while (all && !pid && (e = readdir(all))) {
		pid_t it = (pid_t)atoi(e->d_name);

		if (it > 0 && is_named(it, "spare") && runs(it, file))
			pid = it;
	}
	if (all)
		closedir(all);
	return pid;
}

static inline pid_t await_spare(const char *file)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;
	pid_t pid;

	while (!(pid = spare_of(file)) && (int64_t)clock_now_us() < end)
		usleep(10000);
	return pid;
}

#endif
