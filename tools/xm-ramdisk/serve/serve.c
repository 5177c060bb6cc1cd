/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk serve: disks for machines without Xen, and for other hosts. Loads
 * the seeds with progress on the terminal, stays attached to the disks, and runs
 * nbdkit with the ramdisk plugin until it is interrupted. The attachments of
 * this process keep the disks when nbdkit or a client's connection ends, so a
 * client that reconnects finds what it has written. One thread, no locks.
 */
#include "tools/xm-ramdisk/serve/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "include/private/clock.h"
#include "include/private/oom.h"
#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/process.h"
#include "tools/xm-ramdisk/base/program.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/serve/fence.h"

#define STEADY_MS \
	10000 /* nbdkit that ran for so long can be restarted at once */
#define PAUSE_MIN_MS 100 /* before another start */
#define PAUSE_MAX_MS 10000
#define SIGNAL_MS 500 /* until a signal that comes before poll() is seen */

#define TEXT_OF(macro) TEXT_OF_(macro)
#define TEXT_OF_(text) #text
#define SEEDS_EXPECTED "1 to " TEXT_OF(SERVE_SEEDS) " SEEDs"
#define THREADS_EXPECTED "1 to " TEXT_OF(SERVE_THREADS)
#define CONNECTIONS_EXPECTED "1 to " TEXT_OF(SERVE_CONNECTIONS)

static const char help[] =
	"usage: xm-ramdisk serve [OPTION...] SEED...\n\n"
	"Load each SEED into memory and serve it over NBD, until interrupted.\n"
	"All clients of a SEED share one disk. Needs nbdkit, not Xen.\n\n"
	"  SEED    image file or block device; nbd://HOST/EXPORT and the like; the\n"
	"          name or id of a loaded disk; or a directory, for all images in it\n\n" DISK_OPTIONS_HELP
	"\n"
	"  --keep       keep the disk when the server ends, until drop\n"
	"  --private    each client gets a copy-on-write view of its own\n"
	"  --read-only  clients cannot write\n"
	"  --discard    discard what was written whenever the last client disconnects\n"
	"  --socket=PATH    the Unix socket (SEED.sock in the store's directory)\n"
	"  --tcp[=ADDRESS]  listen on TCP: ADDRESS, :PORT or ADDRESS:PORT. Needs one of\n"
	"    --tls-certificates=DIRECTORY  ca-cert.pem, server-cert.pem, server-key.pem;\n"
	"                                  clients need certificates of the same CA\n"
	"    --tls-psk=FILE                pre-shared keys of users, made with psktool\n"
	"    --insecure                    no TLS: everyone who reaches the port can write\n"
	"  --make-tls=DIRECTORY  make these certificates, and clients', and serve nothing;\n"
	"                        SEEDs are the names and addresses that clients use\n"
	"  --threads=N  requests of one client that nbdkit runs at once (16); 1 is the\n"
	"               fastest for one client that waits for each response\n"
	"  --connections=N  connections of one client, at most (64)\n"
	"  --background return when the server is ready; it goes on without a terminal\n"
	"  --pid-file=FILE  write the server's process id to FILE when it is ready";

/* ---- arguments --------------------------------------------------------- */

/* @value as the text @to, if it is a number of 1 to @most. */
static int parse_count(const char *value, long most, const char **to)
{
	char *end;
	long n = strtol(value, &end, 10);

	if (end == value || *end || n < 1 || n > most)
		return -EINVAL;
	*to = value;
	return 0;
}

static int parse_threads(const char *value, void *to)
{
	return parse_count(value, SERVE_THREADS, to);
}

static int parse_connections(const char *value, void *to)
{
	return parse_count(value, SERVE_CONNECTIONS, to);
}

/* Options that need or exclude each other, and --tcp. An exit status. */
static int check_options(struct serve *s)
{
	bool tls = s->certificates || s->psk;

	if (s->tcp && s->socket)
		return say_usage("serve",
				 "--tcp and --socket exclude each other");
	if (!s->tcp && (tls || s->insecure))
		return say_usage(
			"serve",
			"%s is for --tcp; a Unix socket is guarded by its file's mode",
			s->insecure       ? "--insecure"
			: s->certificates ? "--tls-certificates"
					  : "--tls-psk");
	if (s->certificates && s->psk)
		return say_usage(
			"serve",
			"--tls-certificates and --tls-psk exclude each other");
	if (tls && s->insecure)
		return say_usage("serve",
				 "--insecure is for --tcp without TLS");
	if (s->tcp && !tls && !s->insecure)
		return say_usage(
			"serve",
			"--tcp needs --tls-certificates=DIRECTORY or --tls-psk=FILE, or --insecure if everyone who reaches the port may write");
	if (s->discard && s->disk.flags & RD_KEEP)
		return say_usage("serve",
				 "--discard and --keep exclude each other");
	return s->tcp ? serve_parse_address(s) : EXIT_DONE;
}

/* EXIT_DONE, or the status to end with; -1 after --help. */
static int parse(struct serve *s, int argc, char **argv)
{
	const struct argument_option options[] = {
		DISK_OPTIONS(&s->disk),
		DISK_FLAG_OPTION(&s->disk, "private", RD_PRIVATE),
		{ .name = "socket", .text = &s->socket },
		{ .name = "tcp",
		  .optional = true,
		  .given = &s->tcp,
		  .text = &s->address },
		{ .name = "tls-certificates", .text = &s->certificates },
		{ .name = "tls-psk", .text = &s->psk },
		{ .name = "make-tls", .text = &s->make_tls },
		{ .name = "insecure", .given = &s->insecure },
		{ .name = "read-only", .given = &s->read_only },
		{ .name = "discard", .given = &s->discard },
		{ .name = "threads",
		  .parse = parse_threads,
		  .to = &s->threads,
		  .expected = THREADS_EXPECTED },
		{ .name = "connections",
		  .parse = parse_connections,
		  .to = &s->connections,
		  .expected = CONNECTIONS_EXPECTED },
		{ .name = "background", .given = &s->background },
		{ .name = "pid-file", .text = &s->pid_file },
		{ .name = NULL },
	};
	const struct arguments arguments = { help, options, 1, SERVE_SEEDS,
					     SEEDS_EXPECTED };
	char **words;
	int rc = arguments_parse(argc, argv, &arguments, &words);

	if (rc)
		return rc;
	if (s->make_tls) {
		rc = serve_make_tls(s->make_tls, words);
		return rc ? rc : -1;
	}
	for (; *words; words++)
		s->seeds[s->count++].seed = *words;
	if (s->disk.name && s->count > 1)
		return say_usage("serve", "--name is for one SEED, got %u",
				 s->count);
	return check_options(s);
}

/* ---- the disks --------------------------------------------------------- */

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Whether each SEED is a directory or a loaded disk, and its export's name. */
static int examine(struct serve *s, struct rd_store *store)
{
	char id[RD_ID_MAX] = "";
	unsigned i, j;
	int rc;

	for (i = 0; i < s->count; i++) {
		struct served *d = &s->seeds[i];

		d->directory = is_directory(d->seed);
		if (d->directory && s->count > 1)
			return say_usage(
				"serve",
				"%s is a directory, and %u other SEEDs are given; serve the directory alone",
				d->seed, s->count - 1);
		if (d->directory)
			continue;
		rc = s->disk.name ? EXIT_DONE
				  : disk_find_loaded(store, d->seed, id);
		if (rc)
			return rc;
		d->loaded = id[0];
		rd_short_name(d->seed, d->export);
		if (s->disk.name || d->loaded)
			snprintf(d->export, sizeof(d->export), "%s",
				 s->disk.name ? s->disk.name : d->seed);
		for (j = 0; j < i; j++)
			if (!strcmp(d->export, s->seeds[j].export))
				return say_usage(
					"serve",
					"%s and %s would have the same name for clients; use one server for each",
					s->seeds[j].seed, d->seed);
	}
	return EXIT_DONE;
}

/* Load every disk and stay attached. With --discard only clients attach. */
static int load(struct serve *s, struct rd_store *store,
		const volatile sig_atomic_t *stop)
{
	struct disk_options o = s->disk;
	unsigned i;
	int rc = EXIT_DONE;

	for (i = 0; rc == EXIT_DONE && i < s->count; i++) {
		o.seed = s->seeds[i].seed;
		if (!s->seeds[i].directory && !s->discard)
			rc = disk_attach(store, &o, "xm-ramdisk serve", stop,
					 &s->seeds[i].disk);
	}
	return rc;
}

/* Whether this process is not attached to all disks from the start. */
static bool clients_load(const struct serve *s)
{
	return s->seeds[0].directory || s->discard;
}

static void detach_all(struct serve *s)
{
	unsigned i;

	if (s->holds)
		holds_free(s->holds);

	for (i = 0; i < s->count; i++)
		rd_detach(s->seeds[i].disk); /* or NULL */
}

/* ---- running ----------------------------------------------------------- */

/* The command has printed everything: close the terminal. */
static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd;

	for (fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

static const volatile sig_atomic_t at_once = 1; /* to end nbdkit */
static volatile sig_atomic_t fence_changed; /* the list of fenced addresses */

static void on_change(int signal)
{
	(void)signal;
	fence_changed = 1;
}

/* An exit status. */
static int write_pid(const struct serve *s)
{
	FILE *f;
	int rc;

	if (!s->pid_file)
		return EXIT_DONE;
	f = fopen(s->pid_file, "we");
	if (!f)
		return say_failed("cannot write %s: %m", s->pid_file);
	rc = fprintf(f, "%d\n", (int)getpid()) < 0;
	if (fclose(f) || rc)
		return say_failed("cannot write %s: %m", s->pid_file);
	return EXIT_DONE;
}

/*
 * The server is ready: print how to reach it. In the background, @ready is a
 * pipe to the parent, which ends when it reads a byte; otherwise -1. An exit
 * status.
 */
static int report_ready(const struct serve *s, int ready)
{
	int rc;

	rc = write_pid(s);
	if (rc)
		return rc;
	serve_print(s);
	rc = process_flush();
	if (rc || ready < 0)
		return rc;
	leave_terminal();
	if (write(ready, "", 1) == 1)
		close(ready);
	return EXIT_DONE;
}

/*
 * Start nbdkit, and tell fence that it enforces the list @fenced. An exit status;
 * nbdkit does not run after a failure. Only the @first server must be able to
 * tell: of later ones fence finds the list of the first, and says if it is old.
 */
static int start_fenced(const struct serve *s, const char *store,
			const char *fenced, bool first, struct server *n,
			const volatile sig_atomic_t *stop)
{
	int started = serve_start(s, fenced, n, stop);
	/* also when it did not start: no nbdkit runs without this list */
	int rc = fence_in_force(store, fenced);

	if (started || !rc || !first)
		return started;
	serve_wait(n, &at_once, &fence_changed);
	return rc;
}

/* Run nbdkit once, with the list of fenced addresses. As serve_wait(). */
static int run_server(const struct serve *s, const char *store, int ready,
		      bool first, const volatile sig_atomic_t *stop)
{
	struct server n = { .log = -1, .to_syslog = !first };
	char fenced[FENCE_BYTES];
	int rc;

	fence_changed = 0;
	rc = fence_read(store, fenced);
	if (rc == EXIT_DONE)
		rc = start_fenced(s, store, fenced, first, &n, stop);
	if (rc && first)
		return rc;
	if (rc)
		return SERVE_ENDED; /* also after *stop */
	if (first)
		rc = report_ready(s, ready);
	if (rc) {
		serve_wait(&n, &at_once, &fence_changed);
		return rc;
	}
	n.to_syslog = true; /* if there is a pipe */
	return serve_wait(&n, stop, &fence_changed);
}

/*
 * Run nbdkit again and again. When it ends by itself soon after its start, the
 * pause before the next start doubles. This process is attached to the disks,
 * so it goes on as long as nbdkit cannot start: clients reconnect afterwards.
 */
static int run_servers(const struct serve *s, const char *store, int ready,
		       const volatile sig_atomic_t *stop)
{
	int pause = 0; /* ms */
	int64_t since;
	bool first = true;
	int rc;

	do {
		since = clock_now_ms();
		rc = run_server(s, store, ready, first, stop);
		first = false;
		if (rc == SERVE_RESTART || clock_now_ms() - since >= STEADY_MS)
			pause = 0;
		if (rc != SERVE_ENDED)
			continue;
		serve_pause(pause, stop, &fence_changed);
		pause = pause ? pause * 2 : PAUSE_MIN_MS;
		if (pause > PAUSE_MAX_MS)
			pause = PAUSE_MAX_MS;
	} while (rc < 0 && !*stop);
	return rc < 0 ? EXIT_DONE : rc;
}

static int run(struct serve *s, const char *store, int ready,
	       const volatile sig_atomic_t *stop)
{
	int rc = serve_listen(s, store);

	if (rc == EXIT_DONE) {
		rc = run_servers(s, store, ready, stop);
		if (s->pid_file) /* of this server: it has the socket */
			unlink(s->pid_file);
	}
	fence_in_force(store, NULL);
	serve_unlisten(s);
	return rc;
}

static int serve(struct serve *s, int ready)
{
	struct holds holds = { .fd = -1 };
	const struct sigaction change = { .sa_handler = on_change };
	const volatile sig_atomic_t *stop;
	struct rd_store *store;
	int rc = serve_resolve(s);

	stop = signals_catch();
	if (rc == EXIT_DONE)
		rc = disk_own_store(&store);
	if (rc)
		return rc;
	sigaction(SIGUSR1, &change, NULL);
	oom_kill_last(); /* and nbdkit: its clients wait while it restarts */
	rc = examine(s, store);
	holds.store = store;
	holds.stop = stop;
	if (rc == EXIT_DONE && clients_load(s))
		s->holds = &holds;
	if (rc == EXIT_DONE)
		rc = load(s, store, stop);
	if (rc == EXIT_DONE)
		rc = run(s, rd_store_path(store), ready, stop);
	detach_all(s);
	rd_store_close(store);
	return rc;
}

/* Wait a moment for the child's byte, or its end. 1: it is there. */
static int wait_for_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, SIGNAL_MS) > 0;
}

/*
 * The child does everything: attachments must be made after fork(). A signal
 * before the server is ready ends the child as well.
 */
static int serve_in_background(struct serve *s)
{
	const volatile sig_atomic_t *stop = signals_catch();
	int ready[2], status;
	char byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return say_failed("cannot make a pipe: %m");
	pid = fork();
	if (pid < 0)
		return say_failed("cannot go into the background: %m");
	if (pid == 0) {
		close(ready[0]);
		setsid();
		return serve(s, ready[1]);
	}
	close(ready[1]);
	while (wait_for_ready(ready[0]) == 0)
		if (*stop)
			kill(pid, SIGTERM);
	if (read(ready[0], &byte, 1) == 1)
		return EXIT_DONE;
	status = program_wait(pid);
	return status < 0 ? EXIT_FAILED : status;
}

int cmd_serve(int argc, char **argv)
{
	struct serve s = { .fd = -1 };
	int rc = parse(&s, argc, argv);

	if (rc)
		return rc < 0 ? EXIT_DONE : rc;
	rc = serve_find_nbdkit();
	if (rc == EXIT_DONE)
		rc = serve_check_tls(&s);
	if (rc)
		return rc;
	return s.background ? serve_in_background(&s) : serve(&s, -1);
}
