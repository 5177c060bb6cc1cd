/* SPDX-License-Identifier: BSD-2-Clause */
/* See process.h. One thread. */
#include "tools/xm-ramdisk/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/message.h"

/* The store takes a file for missing if the process cannot open it. */
#define FILES_NEEDED 64

static void on_file_too_large(int signal)
{
	(void)signal;
}

/* A handler, not SIG_IGN: programs that are started get the default again. */
static void fail_at_file_limit(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_file_too_large;
	sa.sa_flags = SA_RESTART;
	sigaction(SIGXFSZ, &sa, NULL);
}

static const char no_memory_text[] =
	"xm-ramdisk: the store is full, and memory of a disk was taken away by another process that uses the disk; nothing more was done\n";

static const char *volatile unfinished; /* removed by on_bus_error() */

void process_remove_at_bus_error(const char *path)
{
	unfinished = path;
}

/* In a signal handler: no stdio, and no return to the access that failed. */
static void on_bus_error(int signal)
{
	(void)signal;
	ssize_t n = write(STDERR_FILENO, no_memory_text,
			  sizeof(no_memory_text) - 1);

	(void)n;
	if (unfinished)
		unlink(unfinished);
	_exit(EXIT_FAILED);
}

/*
 * Open /dev/null in place of standard descriptors that are closed: a file of
 * the store must not get their numbers. Whether the output was closed.
 */
static bool open_missing(void)
{
	bool closed = fcntl(STDOUT_FILENO, F_GETFD) < 0;
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	return closed;
}

int process_start(void)
{
	struct rlimit files;

	if (open_missing())
		return say_failed(
			"the standard output is closed; nothing was done");
	fail_at_file_limit();
	signal(SIGBUS, on_bus_error);
	if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur < FILES_NEEDED)
		return say_failed(
			"the limit of open files is too low, %u; set it to %d or more with ulimit -n",
			(unsigned)files.rlim_cur, FILES_NEEDED);
	return EXIT_DONE;
}

int process_flush(void)
{
	static bool said;

	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return EXIT_DONE;
	if (!said)
		say_failed("cannot write to the standard output: %s",
			   strerror(errno ? errno : EIO));
	said = true;
	return EXIT_FAILED;
}
