/* SPDX-License-Identifier: BSD-2-Clause */
/* Is this a Xen control domain, are we root, does xenstore answer? */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xenstore_lib.h>

#include "tools/xm-ramdisk/xm-ramdisk.h"

#define ANSWER_SECONDS 20

extern char **environ;

/* Whether the first line of @path contains @word. */
static bool file_says(const char *path, const char *word)
{
	char line[128] = "";
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = 0;
	fclose(f);
	return strstr(line, word) != NULL;
}

/*
 * With xenstored gone its device in the kernel still opens, and a read from it
 * never returns. So: ask for the first answer against the clock.
 */
static void no_answer(int signal)
{
	static const char text[] =
		"xm-ramdisk: xenstore does not answer; is xenstored running?\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)signal, (void)n;
	_exit(EXIT_FAILED);
}

/* NULL without one; *answers is whether it said anything. */
static struct xs_handle *open_in_time(bool *answers)
{
	void (*before)(int) = signal(SIGALRM, no_answer);
	struct xs_handle *xs;
	unsigned n;
	char **names;

	/* the connection, too, waits for an xenstored with many before us */
	alarm(ANSWER_SECONDS);
	xs = xs_open(0);
	names = xs ? xs_directory(xs, XBT_NULL, "/", &n) : NULL;
	alarm(0);
	signal(SIGALRM, before);
	*answers = names != NULL;
	free(names);
	return xs;
}

/* xenstored's socket is there and nobody listens: it died. */
static bool socket_is_dead(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, rc;

	if (strlen(path) >= sizeof(a.sun_path) || access(path, F_OK))
		return false;
	strcpy(a.sun_path, path);
	/* one that hangs has no room for us: that is no death */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = connect(fd, (struct sockaddr *)&a, sizeof(a));
	rc = rc < 0 && errno == ECONNREFUSED;
	close(fd);
	return rc;
}

bool host_is_xen(void)
{
	return file_says("/sys/hypervisor/type", "xen") ||
	       access("/proc/xen/capabilities", F_OK) == 0;
}

bool host_has_xenstore(void)
{
	return host_is_xen() && access(xs_daemon_socket(), F_OK) == 0 &&
	       !socket_is_dead(xs_daemon_socket());
}

int host_open(const char *what, struct xs_handle **xs)
{
	const char *path = xs_daemon_socket();
	bool answers;

	if (!host_is_xen())
		return say_failed(
			"no Xen here: /sys/hypervisor/type does not say xen, and there is no /proc/xen; to try it without Xen, run 'make demo' in the sources");
	if (geteuid() != 0)
		return say_failed("%s needs root: it writes xenstore", what);
	if (socket_is_dead(path))
		return say_failed(
			"xenstore is down: nobody answers at %s; is xenstored running?",
			path);
	*xs = open_in_time(&answers);
	if (!*xs)
		return say_failed(
			"xenstore is down: neither %s nor /dev/xen/xenbus can be used (%s); is xenstored running?",
			path, strerror(errno));
	if (answers)
		return EXIT_DONE;
	say_failed("xenstore answers: %s; is this Domain-0?", strerror(errno));
	xs_close(*xs);
	return EXIT_FAILED;
}

bool host_has_program(const char *name)
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

/* With @quiet nothing of the program's is read or shown. 0 or -errno. */
static int spawn(const char *const argv[], bool quiet, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	int fd, rc;

	if (posix_spawn_file_actions_init(&files))
		return -ENOMEM;
	for (fd = STDIN_FILENO; quiet && fd <= STDERR_FILENO; fd++)
		posix_spawn_file_actions_addopen(&files, fd, "/dev/null",
						 O_RDWR, 0);
	/* posix_spawn() changes no argument, whatever its type says */
	rc = posix_spawnp(pid, argv[0], &files, NULL, (char *const *)argv,
			  environ);
	posix_spawn_file_actions_destroy(&files);
	return -rc;
}

static int run(const char *const argv[], bool quiet)
{
	pid_t pid;
	int status, rc = spawn(argv, quiet, &pid);

	if (rc)
		return rc;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

int host_run(const char *const argv[])
{
	return run(argv, false);
}

int host_run_quietly(const char *const argv[])
{
	return run(argv, true);
}

int host_read(const char *const argv[], char *line, size_t size)
{
	int status, rc, fds[2];
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
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

void host_load_frontend(void)
{
	static const char *const argv[] = { "modprobe", "-q", "xen-blkfront",
					    NULL };
	pid_t pid;

	/*
	 * Not waited for: while it loads, the driver waits for the devices that
	 * are there, and the script of one may be who loads it. Whoever reads
	 * our output must not wait for it either. If the driver is built in, or
	 * loaded, modprobe fails or does nothing, and all is well.
	 */
	spawn(argv, true, &pid);
}
