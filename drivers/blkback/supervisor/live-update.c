/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's side of a live update; see live-update.h. Runs on the
 * supervisor's thread. New devices wait while the new program is tried; the
 * workers serve their guests all the time.
 */
#include "drivers/blkback/supervisor/live-update.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "drivers/blkback/common/control.h"
#include "drivers/blkback/common/error.h"
#include "drivers/blkback/common/options.h"
#include "include/private/clock.h"
#include "include/private/linux-calls.h"

#define TRIAL_MS 10000 /* for the new program to print its version */
#define STANDBY_MS 120000 /* for the new program to take over all devices */

static void request_path(char path[BLKBACK_PATH_MAX + 32], const char *store)
{
	snprintf(path, BLKBACK_PATH_MAX + 32, "%s/" BLKBACK_LIVE_UPDATE_FILE,
		 store);
}

void blkback_live_update_answer(const char *store, bool done, const char *text)
{
	char path[BLKBACK_PATH_MAX + 32], line[1024];
	int n, fd;

	request_path(path, store);
	blkback_log(done ? BLKBACK_INFO : BLKBACK_ERROR, "live update: %s",
		    text);
	/* The command reads the file; a command that gave up has removed it. */
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	n = snprintf(line, sizeof(line), "%s %s\n", done ? "done" : "failed",
		     text);
	if (n > (int)sizeof(line) - 1)
		n = (int)sizeof(line) - 1;
	if (write(fd, line, (size_t)n) != n)
		blkback_log(BLKBACK_ERROR, "cannot write %s: %s", path,
			    strerror(errno));
	close(fd);
}

static int read_request(const char *store, char program[BLKBACK_PATH_MAX])
{
	char path[BLKBACK_PATH_MAX + 32], line[BLKBACK_PATH_MAX + 8];
	ssize_t n;
	int fd;

	request_path(path, store);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n <= 0)
		return -EINVAL;
	line[n] = '\0';
	if (sscanf(line, "exec %4095[^\n]", program) != 1 || program[0] != '/')
		return -EINVAL;
	return 0;
}

/* ---- the trial ---------------------------------------------------------- */

/* Read @fd until its end or until TRIAL_MS are over. Terminates @text. */
static void read_all(int fd, char *text, size_t size)
{
	int64_t end = clock_now_ms() + TRIAL_MS;
	size_t n = 0;

	while (n + 1 < size) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - clock_now_ms();
		ssize_t got;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			break;
		got = read(fd, text + n, size - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
}

static _Noreturn void run_trial(const char *program, int out)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(out, STDOUT_FILENO);
	execl(program, "xen-ramdiskd", "--version", NULL);
	_exit(127);
}

/* Whether @program starts, is a xen-ramdiskd and has this store's format. */
static int try_program(const char *program, struct rd_error *err)
{
	char output[128];
	unsigned format;
	int out[2], status = -1;
	pid_t pid;

	if (access(program, X_OK))
		return blkback_fail(err, -errno, "cannot run %.256s: %s",
				    program, strerror(errno));
	if (pipe2(out, O_CLOEXEC))
		return blkback_fail(err, -errno, "cannot make a pipe: %s",
				    strerror(errno));
	pid = fork();
	if (pid == 0)
		run_trial(program, out[1]);
	close(out[1]);
	read_all(out[0], output, sizeof(output));
	close(out[0]);
	if (pid > 0) {
		kill(pid, SIGKILL); /* a program that hangs */
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (sscanf(output, "xen-ramdiskd %*s (format %u)", &format) == 1 &&
	    format == RD_FORMAT)
		return 0;
	return blkback_fail(
		err, -ENOEXEC,
		"%.256s does not start, or is no xen-ramdiskd of format %u: it printed \"%.*s\"",
		program, RD_FORMAT, (int)strcspn(output, "\n"), output);
}

/*
 * Execute @program as the daemon; @upgraded is its option --upgraded. Returns
 * on failure.
 */
static void exec_daemon(const char *program, const char *upgraded,
			const char *store,
			const struct blkback_options *options)
{
	char level[32], poll_us[32], saved_limit[32];
	const char *argv[] = {
		"xen-ramdiskd", upgraded, "--store", store, level,
		NULL,           NULL,     NULL,      NULL,  NULL,
	};
	size_t n = 5;

	if (options->foreground)
		argv[n++] = "--foreground";
	if (options->no_sandbox)
		argv[n++] = "--no-sandbox";
	snprintf(poll_us, sizeof(poll_us), "--poll=%u", options->poll_us);
	/* An older program may not have this option. */
	if (options->poll_us != BLKBACK_POLL_DEFAULT)
		argv[n++] = poll_us;
	snprintf(saved_limit, sizeof(saved_limit), "--saved-limit=%u",
		 options->saved_limit);
	if (options->saved_limit)
		argv[n++] = saved_limit;
	snprintf(level, sizeof(level), "--log-level=%s",
		 blkback_log_level_name(options->level));
	execv(program, (char *const *)argv);
}

/*
 * Whether the new program has written a failure, which the command may have
 * read.
 */
static bool has_failed(const char *store)
{
	char path[BLKBACK_PATH_MAX + 32], first = 'e';
	int fd;

	request_path(path, store);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return true; /* the command has read the answer and removed the file */
	if (read(fd, &first, 1) != 1)
		first = 'e';
	close(fd);
	return first == 'f';
}

/*
 * The standby process, a child that runs the old program: if the new program
 * ends before it has taken over all devices, this process becomes the daemon.
 * @ready is written once the process has closed the daemon's descriptors.
 */
static _Noreturn void run_standby(pid_t daemon, int ready, const char *store,
				  const struct blkback_options *options)
{
	struct timespec nap = { .tv_nsec = 50000000 };
	int64_t end = clock_now_ms() + STANDBY_MS;

	/* Close the daemon's lock: both processes would hold it otherwise. */
	if (dup2(ready, STDERR_FILENO + 1) < 0 ||
	    linux_close_range(STDERR_FILENO + 2, ~0u, 0) ||
	    write(STDERR_FILENO + 1, "", 1) != 1)
		_exit(1);
	close(STDERR_FILENO + 1);
	/* After a successful update the new program kills this process. */
	while (getppid() == daemon) {
		if (clock_now_ms() > end)
			_exit(0);
		nanosleep(&nap, NULL);
	}
	setsid();
	if (!has_failed(store))
		blkback_live_update_answer(
			store, false,
			"the new program has ended; the old one goes on");
	exec_daemon("/proc/self/exe", "--upgraded=back", store, options);
	_exit(1);
}

/*
 * Start the standby process. 0 or -errno; *pid is 0 under a service manager,
 * which starts a daemon again itself.
 */
static int start_standby(pid_t *pid, const char *store,
			 const struct blkback_options *options)
{
	pid_t daemon = getpid();
	int ready[2];
	char byte;
	bool started;

	*pid = 0;
	if (getenv("NOTIFY_SOCKET"))
		return 0;
	if (pipe2(ready, O_CLOEXEC))
		return -errno;
	*pid = fork();
	if (*pid == 0)
		run_standby(daemon, ready[1], store, options);
	close(ready[1]);
	started = *pid > 0 && read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	return started ? 0 : -EAGAIN;
}

void blkback_live_update_try(const char *store,
			     const struct blkback_options *options,
			     struct blkback_spare *spare)
{
	char program[BLKBACK_PATH_MAX];
	struct rd_error err;
	char upgraded[32];
	pid_t standby;

	if (read_request(store, program)) {
		blkback_log(
			BLKBACK_WARNING,
			"SIGHUP is ignored, since %s has no request; use xen-ramdiskd --live-update",
			BLKBACK_LIVE_UPDATE_FILE);
		return;
	}
	if (try_program(program, &err)) {
		blkback_live_update_answer(store, false, err.text);
		return;
	}
	if (start_standby(&standby, store, options)) {
		blkback_live_update_answer(store, false,
					   "cannot start the standby process");
		return;
	}
	blkback_log(BLKBACK_INFO, "live update: executes %s", program);
	/* The exec closes the workers' sockets; the workers serve on. */
	snprintf(upgraded, sizeof(upgraded), "--upgraded=%d", (int)standby);
	blkback_spare_end(spare);
	exec_daemon(program, upgraded, store, options);
	blkback_fail(&err, -errno, "cannot run %.256s: %s", program,
		     strerror(errno));
	if (standby)
		kill(standby, SIGKILL); /* reaped with the workers */
	blkback_spare_prepare(spare, options);
	blkback_live_update_answer(store, false, err.text);
}

void blkback_live_update_done(const struct blkback_options *options)
{
	pid_t standby = options->stand_by;

	/* Process ids are reused: kill only a child that has not ended. */
	if (standby > 0 && waitpid(standby, NULL, WNOHANG) == 0)
		kill(standby, SIGKILL);
}
