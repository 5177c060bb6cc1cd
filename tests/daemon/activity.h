/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What /proc says of a process: the memory that is its own, by kind, and how often it
 * woke up. Any thread.
 */
#ifndef TESTS_DAEMON_ACTIVITY_H
#define TESTS_DAEMON_ACTIVITY_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static FILE *open_proc(pid_t pid, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return fopen(path, "r");
}

#define KINDS 5u
static const char *const kind_name[KINDS] = {
	"heap",
	"stack",
	"data of the program and its libraries",
	"anonymous memory",
	"files of the store and of the test",
};

static unsigned kind_of(const char *file)
{
	if (!strcmp(file, "[heap]"))
		return 0;
	if (!strncmp(file, "[stack", 6))
		return 1;
	if (!file[0] || file[0] == '[')
		return 3;
	return strstr(file, ".so") || strstr(file, "/xen-ramdiskd") ? 2 : 4;
}

/* Add the private memory of @pid, KiB, by kind. All of it. */
static double add_private(pid_t pid, double kib[KINDS])
{
	FILE *f = open_proc(pid, "smaps");
	char line[512], file[256] = "";
	double all = 0;
	unsigned long n;

	while (f && fgets(line, sizeof(line), f)) {
		if (strchr("0123456789abcdef", line[0])) {
			file[0] = '\0';
			sscanf(line, "%*s %*s %*s %*s %*s %255s", file);
		} else if (sscanf(line, "Private_Clean: %lu", &n) == 1 ||
			   sscanf(line, "Private_Dirty: %lu", &n) == 1) {
			kib[kind_of(file)] += (double)n;
			all += (double)n;
		}
	}
	if (f)
		fclose(f);
	return all;
}

static unsigned long status_number(pid_t pid, const char *name)
{
	FILE *f = open_proc(pid, "status");
	char line[256];
	unsigned long n = 0;
	size_t k = strlen(name);

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, k) && line[k] == ':')
			n = strtoul(line + k + 1, NULL, 10);
	if (f)
		fclose(f);
	return n;
}

struct activity {
	unsigned long wakeups, ticks;
};

static void add_thread(struct activity *a, pid_t pid, const char *thread)
{
	char name[64], line[1024];
	unsigned long user = 0, kernel = 0;
	FILE *f;

	snprintf(name, sizeof(name), "task/%s/stat", thread);
	f = open_proc(pid, name);
	if (f && fgets(line, sizeof(line), f) &&
	    sscanf(strrchr(line, ')') + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		   &user, &kernel) == 2)
		a->ticks += user + kernel;
	if (f)
		fclose(f);
	snprintf(name, sizeof(name), "task/%s/status", thread);
	f = open_proc(pid, name);
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "voluntary_ctxt_switches:", 24))
			a->wakeups += strtoul(line + 24, NULL, 10);
	if (f)
		fclose(f);
}

static void add_activity(struct activity *a, pid_t pid)
{
	char path[64];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			add_thread(a, pid, e->d_name);
	if (d)
		closedir(d);
}

#endif
