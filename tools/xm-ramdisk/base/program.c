/* SPDX-License-Identifier: BSD-2-Clause */
/* Other programs: finding and running them; see program.h. */
#include "tools/xm-ramdisk/base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The folder of this program into @path. NULL, or where a file's name goes. */
static char *own_folder(char path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 2 * NAME_MAX);
	char *slash;

	if (n <= 0)
		return NULL;
	path[n] = 0;
	slash = strrchr(path, '/');
	return slash ? slash + 1 : NULL;
}

bool program_beside(const char *name, char path[PATH_MAX])
{
	/* of the folder above, where `make install` puts programs and plugin */
	static const char *const folders[] = { "sbin", "lib/nbdkit/plugins" };
	char *end = own_folder(path);
	size_t i;

	if (!end)
		return false;
	snprintf(end, NAME_MAX, "%s", name);
	if (access(path, R_OK) == 0)
		return true;
	for (end--; end > path && end[-1] != '/';)
		end--;
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(end, 2 * NAME_MAX, "%s/%s", folders[i], name);
		if (access(path, R_OK) == 0)
			return true;
	}
	return false;
}

extern char **environ;

/* ---- running ------------------------------------------------------------ */

bool program_exists(const char *name)
{
	const char *path = getenv("PATH"), *end;
	char file[4096];

	for (; path && *path; path = *end ? end + 1 : end) {
		end = strchrnul(path, ':');
		snprintf(file, sizeof(file), "%.*s/%s", (int)(end - path), path,
			 name);
		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}

/* With @quiet, descriptors 0 to 2 are /dev/null. 0 or -errno. */
static int spawn(const char *const argv[], bool quiet, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	int fd, rc;

	if (posix_spawn_file_actions_init(&files))
		return -ENOMEM;
	for (fd = STDIN_FILENO; quiet && fd <= STDERR_FILENO; fd++)
		posix_spawn_file_actions_addopen(&files, fd, "/dev/null",
						 O_RDWR, 0);
	/* posix_spawnp() changes no argument, although its type allows that */
	rc = posix_spawnp(pid, argv[0], &files, NULL, (char *const *)argv,
			  environ);
	posix_spawn_file_actions_destroy(&files);
	return -rc;
}

int program_start_quietly(const char *const argv[])
{
	pid_t pid;

	return spawn(argv, true, &pid);
}

int program_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

static int run(const char *const argv[], bool quiet)
{
	pid_t pid;
	int rc = spawn(argv, quiet, &pid);

	if (rc)
		return rc;
	return program_wait(pid);
}

int program_run(const char *const argv[])
{
	return run(argv, false);
}

int program_run_quietly(const char *const argv[])
{
	return run(argv, true);
}

int program_read(const char *const argv[], char *line, size_t size)
{
	int rc, fds[2];
	posix_spawn_file_actions_t files;
	ssize_t n = 0, got = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, fds[1], STDOUT_FILENO);
	rc = -posix_spawnp(&pid, argv[0], &files, NULL, (char *const *)argv,
			   environ);
	posix_spawn_file_actions_destroy(&files);
	close(fds[1]);
	while (!rc && got < (ssize_t)size - 1 &&
	       (n = read(fds[0], line + got, size - 1 - (size_t)got)) > 0)
		got += n;
	line[got] = 0;
	close(fds[0]);
	if (rc)
		return rc;
	return program_wait(pid);
}
