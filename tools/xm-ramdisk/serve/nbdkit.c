/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nbdkit with the ramdisk plugin, as a child of xm-ramdisk serve. It inherits
 * the listening socket by systemd's protocol (LISTEN_FDS), and writes its pid
 * into a pipe when it is ready.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/program.h"
#include "tools/xm-ramdisk/serve/serve.h"

#define PLUGIN "nbdkit-ramdisk-plugin.so"
#define LISTEN_FD 3 /* fixed by sd_listen_fds(3) */
#define READY_FD 4
#define HOLDER_FD 5
#define POLL_MS 500
#define END_SECONDS 5 /* from SIGTERM to SIGKILL */
#define ARGUMENTS (2 * SERVE_SEEDS + 32)

/* The plugin beside this program, as in a build folder, or the installed one. */
static void plugin_name(char path[PATH_MAX])
{
	if (!program_beside(PLUGIN, path))
		strcpy(path, "ramdisk");
}

int serve_find_nbdkit(void)
{
	char plugin[PATH_MAX];
	const char *const argv[] = { "nbdkit", plugin, "--dump-plugin", NULL };
	int rc;

	plugin_name(plugin);
	rc = program_run_quietly(argv);
	if (rc == 0)
		return EXIT_DONE;
	if (rc < 0 && rc != -ECHILD)
		return say_failed(
			"cannot start nbdkit, which serves the disks: %s; on Debian: apt-get install nbdkit",
			strerror(-rc));
	return say_failed(
		"nbdkit cannot load its plugin %s; 'make install' puts it where 'nbdkit --dump-config' says plugindir, and 'nbdkit %s --dump-plugin' prints what is wrong",
		plugin, plugin);
}

/* ---- the command line -------------------------------------------------- */

struct arguments {
	char *argv[ARGUMENTS];
	int count;
};

static void add(struct arguments *a, const char *option, const char *value)
{
	char *text;

	if (a->count < ARGUMENTS - 1 &&
	    asprintf(&text, "%s%s", option, value) >= 0)
		a->argv[a->count++] = text;
}

static void add_tls(struct arguments *a, const struct serve *s)
{
	if (!s->tcp)
		return;
	add(a, "--tls=", s->insecure ? "off" : "require");
	if (s->certificates) {
		add(a, "--tls-certificates=", s->certificates);
		add(a, "--tls-verify-peer", "");
	}
	if (s->psk)
		add(a, "--tls-psk=", s->psk);
}

/*
 * A disk to which this process is attached goes by its id: the file of the
 * seed's name can be another one by the time when a client connects.
 */
static void add_disk(struct arguments *a, const struct serve *s,
		     const struct served *d)
{
	if (d->disk) {
		add(a, "disk=", rd_id(d->disk));
		add(a, "name=", d->export);
		return;
	}
	add(a, d->directory ? "dir=" : d->loaded ? "disk=" : "seed=", d->seed);
	if (s->disk.name && !d->loaded)
		add(a, "name=", s->disk.name);
}

static void add_disks(struct arguments *a, const struct serve *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		add_disk(a, s, &s->seeds[i]);
	if (s->disk.flags & RD_PRIVATE)
		add(a, "private=true", "");
	if (s->disk.flags & RD_THIN)
		add(a, "thin=true", "");
	if (s->disk.flags & RD_LAZY)
		add(a, "lazy=true", "");
	if (s->disk.flags & RD_KEEP)
		add(a, "keep=true", "");
	if (s->disk.flags & RD_FRESH)
		add(a, "fresh=true", "");
}

/* @fenced has an address a line; deny= takes them with commas between. */
static void add_fence(struct arguments *a, const char *fenced)
{
	char *list = strdup(fenced), *p;

	for (p = list; p && *p; p++)
		if (*p == '\n')
			*p = p[1] ? ',' : 0;
	if (list)
		add(a, "deny=", list);
	free(list);
}

static void make_arguments(struct arguments *a, const struct serve *s,
			   const char *fenced)
{
	char plugin[PATH_MAX], ready[32], holder[16];

	plugin_name(plugin);
	snprintf(ready, sizeof(ready), "/proc/self/fd/%d", READY_FD);
	a->count = 0;
	add(a, "nbdkit", "");
	add(a, "--foreground", "");
	add(a, "--exit-with-parent", "");
	add(a, "--pidfile=", ready);
	if (s->read_only)
		add(a, "--readonly", "");
	if (s->threads)
		add(a, "--threads=", s->threads);
	add_tls(a, s);
	add(a, plugin, "");
	add_disks(a, s);
	if (s->holds) {
		snprintf(holder, sizeof(holder), "%d", HOLDER_FD);
		add(a, "holder=", holder);
	}
	if (s->connections)
		add(a, "connections=", s->connections);
	if (s->tcp && *fenced)
		add_fence(a, fenced);
	a->argv[a->count] = NULL;
}

/* ---- starting ---------------------------------------------------------- */

/* Ends of pipes and sockets that nbdkit inherits; -1: it does not. */
struct inherited {
	int ready, holder;
	int log; /* standard error */
};

/* In the child: @fd becomes descriptor @to. */
static void move_to(int fd, int to)
{
	if (fd >= 0 && dup2(fd, to) < 0)
		_exit(EXIT_FAILED);
}

/* In the child: a copy of @fd that moving the others does not close. */
static int move_away(int fd)
{
	return fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, HOLDER_FD + 1);
}

/* In the child: move descriptors to where nbdkit expects them, and run it. */
static void run(const struct serve *s, const struct inherited *i, char **argv)
{
	int fd = move_away(s->fd), ready = move_away(i->ready),
	    holder = move_away(i->holder);
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	move_to(i->log, STDERR_FILENO);
	move_to(fd, LISTEN_FD);
	move_to(ready, READY_FD);
	move_to(holder, HOLDER_FD);
	if (fd < 0 || ready < 0 || setenv("LISTEN_PID", pid, 1) ||
	    setenv("LISTEN_FDS", "1", 1))
		_exit(EXIT_FAILED);
	execvp(argv[0], argv);
	say_failed("cannot start %s: %m", argv[0]);
	_exit(EXIT_FAILED);
}

/* nbdkit's messages that are in the pipe n->log, to stderr or the system's log. */
static void relay(const struct server *n)
{
	char text[PIPE_BUF + 1], *line, *save;
	ssize_t got;

	while (n->log >= 0 && (got = read(n->log, text, PIPE_BUF)) > 0) {
		text[got] = 0;
		if (!n->to_syslog) {
			fputs(text, stderr);
			continue;
		}
		for (line = strtok_r(text, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			syslog(LOG_DAEMON | LOG_ERR, "%s", line);
	}
}

/* Wait for the descriptor @fd; relay messages and answer requests meanwhile. */
static void wait_and_relay(const struct server *n, int fd, int ms)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLIN },
			      { .fd = n->log, .events = POLLIN },
			      { .fd = n->holds ? n->holds->fd : -1,
				.events = POLLIN } };

	poll(p, 3, ms);
	relay(n);
	if (n->holds) {
		holds_answer(n->holds);
		holds_expire(n->holds);
	}
}

/*
 * Wait until nbdkit ends, for POLL_MS at most: a signal that arrives just before
 * poll() does not interrupt it. Without a descriptor for the process, wait a
 * moment.
 */
static void wait_a_while(const struct server *n)
{
	int fd = (int)syscall(SYS_pidfd_open, n->pid, 0);

	wait_and_relay(n, fd, fd < 0 ? POLL_MS / 10 : POLL_MS);
	if (fd >= 0)
		close(fd);
}

/* End nbdkit: SIGTERM, and SIGKILL after END_SECONDS. */
static void end(const struct server *n)
{
	int64_t kill_at = clock_deadline(END_SECONDS);

	kill(n->pid, SIGTERM);
	while (waitpid(n->pid, NULL, WNOHANG) == 0) {
		wait_a_while(n);
		if (clock_now_ms() > kill_at)
			kill(n->pid, SIGKILL);
	}
	relay(n);
}

/* The pipe gets nbdkit's pid when it serves; it ends when nbdkit fails. */
static int wait_until_ready(const struct server *n, int ready,
			    const volatile sig_atomic_t *stop)
{
	struct pollfd p = { .fd = ready, .events = POLLIN };
	char line[16];

	while (poll(&p, 1, 0) <= 0 && !*stop)
		wait_and_relay(n, ready, POLL_MS);
	if (!*stop && read(ready, line, sizeof(line)) > 0)
		return EXIT_DONE;
	end(n);
	return *stop ? say_failed("interrupted while nbdkit started")
		     : say_failed(
			       "nbdkit did not start; its own message is above");
}

static void close_log(struct server *n)
{
	if (n->log >= 0)
		close(n->log);
	n->log = -1;
}

/* A pipe for nbdkit's messages, if there will be no terminal. -1: none. */
static int make_log(const struct serve *s, struct server *n)
{
	int log[2];

	n->log = -1;
	if (!s->background || pipe2(log, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	/* nbdkit waits when the pipe is full, this process never does */
	fcntl(log[1], F_SETFL, 0);
	n->log = log[0];
	return log[1];
}

/* Start nbdkit. *ready is a pipe that wait_until_ready() reads. 0 or -errno. */
static int start(const struct serve *s, char **argv, struct server *n,
		 int *ready)
{
	struct inherited i = { .holder = -1 };
	int pipe[2];

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return -errno;
	*ready = pipe[0];
	i.ready = pipe[1];
	i.log = make_log(s, n);
	n->holds = s->holds;
	n->pid = -1;
	if (s->holds)
		i.holder = holds_begin(s->holds);
	if (!s->holds || i.holder >= 0)
		n->pid = fork();
	if (n->pid == 0)
		run(s, &i, argv);
	close(i.ready);
	if (i.log >= 0)
		close(i.log);
	if (i.holder >= 0)
		close(i.holder);
	return n->pid < 0 ? -errno : 0;
}

int serve_start(const struct serve *s, const char *fenced, struct server *n,
		const volatile sig_atomic_t *stop)
{
	struct arguments a;
	int ready = -1, rc;

	make_arguments(&a, s, fenced);
	rc = start(s, a.argv, n, &ready);
	if (rc)
		rc = say_failed("cannot start nbdkit: %s", strerror(-rc));
	else
		rc = wait_until_ready(n, ready, stop);
	if (ready >= 0)
		close(ready);
	if (rc)
		close_log(n);
	if (s->holds && rc)
		holds_end(s->holds);
	else if (s->holds)
		holds_ready(s->holds);
	while (a.count)
		free(a.argv[--a.count]);
	return rc;
}

static void report_end(int status)
{
	if (WIFSIGNALED(status))
		say_failed("nbdkit was ended by signal %d; restarting it",
			   WTERMSIG(status));
	else
		say_failed("nbdkit ended with status %d; restarting it",
			   WEXITSTATUS(status));
}

int serve_wait(struct server *n, const volatile sig_atomic_t *stop,
	       volatile sig_atomic_t *restart)
{
	int64_t kill_at = INT64_MAX; /* ms; set once SIGTERM was sent */
	bool start_again = false;
	int status = 0;
	pid_t ended;

	while ((ended = waitpid(n->pid, &status, WNOHANG)) != n->pid) {
		if (ended < 0 && errno == ECHILD)
			break;
		if ((*stop || *restart) && kill_at == INT64_MAX) {
			start_again = !*stop;
			*restart = 0;
			kill(n->pid, SIGTERM);
			kill_at = clock_deadline(END_SECONDS);
		} else if (clock_now_ms() > kill_at) {
			kill(n->pid, SIGKILL);
		}
		wait_a_while(n);
	}
	relay(n);
	close_log(n);
	if (n->holds)
		holds_end(n->holds);
	if (*stop || (kill_at != INT64_MAX && !start_again))
		return EXIT_DONE;
	if (start_again)
		return SERVE_RESTART;
	report_end(status);
	return SERVE_ENDED;
}

void serve_pause(int ms, const volatile sig_atomic_t *stop,
		 const volatile sig_atomic_t *restart)
{
	int64_t until = clock_now_ms() + ms, left;

	while (!*stop && !*restart && (left = until - clock_now_ms()) > 0)
		poll(NULL, 0, (int)(left < POLL_MS ? left : POLL_MS));
}
