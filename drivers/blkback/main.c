/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xen-ramdiskd: the options, and the start of a process as one of
 *   the supervisor, in the foreground or as a daemon;
 *   the worker of one vbd (--worker, internal);
 *   the command that stops or live-updates a running daemon.
 * A failure at the start is printed here, once, in one line. One thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/blkback/common/control.h"
#include "drivers/blkback/common/log.h"
#include "drivers/blkback/common/options.h"
#include "drivers/blkback/supervisor/live-update.h"
#include "drivers/blkback/supervisor/sd-notify.h"
#include "drivers/blkback/supervisor/supervisor.h"
#include "drivers/blkback/supervisor/xenbus.h"
#include "drivers/blkback/worker/sandbox.h"
#include "drivers/blkback/worker/worker.h"
#include "include/private/text.h"

XEN_INTERFACE_MARK; /* for xm-ramdisk interface of */

static const char usage[] =
	"usage: xen-ramdiskd [--foreground | --stop | --live-update | --make-store] [--store DIR] [--log-level LEVEL] [--poll US] [--memory-margin SIZE] [--saved-limit SECONDS] [--no-sandbox]";

static const char help[] =
	"\n"
	"Serves shared RAM disks to the guests of this Xen host, and to Domain-0.\n"
	"\n"
	"  -f, --foreground       stay in the foreground, log to stderr\n"
	"  -s, --store DIR        the store to serve (default $XEN_RAMDISK_DIR,\n"
	"                         or " RD_STORE_DIR ")\n"
	"  -l, --log-level LEVEL  error, warning, info (default) or debug\n"
	"  -p, --poll US          poll a busy ring for up to US microseconds before\n"
	"                         its queue sleeps; 0 (off) to 10000 (default 50)\n"
	"  -m, --memory-margin SIZE\n"
	"                         memory that no disk takes from this system: bytes, or\n"
	"                         with K, M, G or T (default 1/50 of all memory, 64M to\n"
	"                         1G)\n"
	"      --saved-limit SECONDS\n"
	"                         how long a domain that is saved stays attached to its\n"
	"                         disks (default 0: until it is restored or detached)\n"
	"      --no-sandbox       run workers as root, without a system call filter:\n"
	"                         for debuggers only\n"
	"      --stop             close all devices, end the daemon of the store\n"
	"      --live-update      replace the running daemon of the store and its\n"
	"                         workers by this program, under running guests\n"
	"                         (--upgrade is the old name)\n"
	"      --make-store       make the store's directory and mount its tmpfs, where\n"
	"                         they are missing, and exit\n"
	"  -h, --help             print this text\n"
	"  -V, --version          print the version\n"
	"\n"
	"Exit status: 0 done, or in the background; 1 failed; 2 usage.\n";

/* ---- options ------------------------------------------------------------ */

struct arguments {
	struct blkback_options options;
	char *worker; /* the value of --worker; NULL: not a worker */
	int (*command)(const char *store); /* instead of serving; or NULL */
	bool by_exec; /* this process was the daemon before its exec */
};

#define PROCEED (-1) /* of the functions below: no reason to exit yet */

static int usage_error(const char *what, const char *arg)
{
	fprintf(stderr, "xen-ramdiskd: %s%s; %s\n", what, arg, usage);
	return 2;
}

static int set_foreground(struct arguments *args, char *value)
{
	(void)value;
	args->options.foreground = true;
	return PROCEED;
}

static int set_store(struct arguments *args, char *value)
{
	args->options.store = value;
	return PROCEED;
}

static int set_log_level(struct arguments *args, char *value)
{
	if (!blkback_log_parse_level(value, &args->options.level))
		return PROCEED;
	return usage_error("a log level is error, warning, info or debug, not ",
			   value);
}

static int set_poll(struct arguments *args, char *value)
{
	if (!blkback_parse_number(value, BLKBACK_POLL_MAX,
				  &args->options.poll_us))
		return PROCEED;
	return usage_error("--poll takes microseconds, 0 to 10000, not ",
			   value);
}

/* In the environment: the library reads it there, here and in the workers. */
static int set_memory_margin(struct arguments *args, char *value)
{
	uint64_t bytes;

	(void)args;
	if (!text_parse_size(value, &bytes))
		return usage_error(
			"--memory-margin takes a size such as 256M, not ",
			value);
	if (!setenv(RD_MARGIN_VARIABLE, value, 1))
		return PROCEED;
	fprintf(stderr, "xen-ramdiskd: out of memory\n");
	return 1;
}

static int set_saved_limit(struct arguments *args, char *value)
{
	if (!blkback_parse_number(value, UINT32_MAX,
				  &args->options.saved_limit))
		return PROCEED;
	return usage_error("--saved-limit takes seconds, 0 for no limit, not ",
			   value);
}

static int set_no_sandbox(struct arguments *args, char *value)
{
	(void)value;
	args->options.no_sandbox = true;
	return PROCEED;
}

static int set_stop(struct arguments *args, char *value)
{
	(void)value;
	args->command = blkback_stop_ask;
	return PROCEED;
}

static int make_store(const char *dir)
{
	struct rd_store *store;
	struct rd_error err;

	if (rd_store_open(&store, dir, &err)) {
		fprintf(stderr, "xen-ramdiskd: %s\n", err.text);
		return 1;
	}
	rd_store_close(store);
	return 0;
}

static int set_make_store(struct arguments *args, char *value)
{
	(void)value;
	args->command = make_store;
	return PROCEED;
}

static int set_live_update(struct arguments *args, char *value)
{
	(void)value;
	args->command = blkback_live_update_ask;
	return PROCEED;
}

static int print_help(struct arguments *args, char *value)
{
	(void)args, (void)value;
	printf("%s\n%s", usage, help);
	return 0;
}

static int print_version(struct arguments *args, char *value)
{
	(void)args, (void)value;
	printf("xen-ramdiskd %s (format %u)\n", RD_VERSION, RD_FORMAT);
	return 0;
}

static int set_worker(struct arguments *args, char *value)
{
	args->worker = value;
	return PROCEED;
}

/*
 * @value is the process id of the standby process, or "back" in the standby
 * process itself when it becomes the daemon again; see live-update.c.
 */
static int set_live_updated(struct arguments *args, char *value)
{
	args->options.live_updated = !value || strcmp(value, "back") != 0;
	args->options.stand_by = value ? atoi(value) : 0;
	args->by_exec = true;
	return PROCEED;
}

#define LONG_ONLY(n) (256 + (n)) /* options without a letter */

static const struct option long_options[] = {
	{ "foreground", no_argument, NULL, 'f' },
	{ "store", required_argument, NULL, 's' },
	{ "log-level", required_argument, NULL, 'l' },
	{ "poll", required_argument, NULL, 'p' },
	{ "memory-margin", required_argument, NULL, 'm' },
	{ "saved-limit", required_argument, NULL, LONG_ONLY(6) },
	{ "no-sandbox", no_argument, NULL, LONG_ONLY(0) },
	{ "stop", no_argument, NULL, LONG_ONLY(1) },
	{ "live-update", no_argument, NULL, LONG_ONLY(2) },
	{ "upgrade", no_argument, NULL, LONG_ONLY(2) }, /* the old name */
	{ "make-store", no_argument, NULL, LONG_ONLY(5) },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	/*
	 * Internal. --upgraded keeps its name: a daemon of another version
	 * passes it to this program, and this program to another version.
	 */
	{ "worker", required_argument, NULL, LONG_ONLY(3) },
	{ "upgraded", optional_argument, NULL, LONG_ONLY(4) },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	int option; /* what getopt_long() returns */
	int (*take)(struct arguments *args, char *value);
} takers[] = {
	{ 'f', set_foreground },
	{ 's', set_store },
	{ 'l', set_log_level },
	{ 'p', set_poll },
	{ 'm', set_memory_margin },
	{ LONG_ONLY(6), set_saved_limit },
	{ LONG_ONLY(0), set_no_sandbox },
	{ LONG_ONLY(1), set_stop },
	{ LONG_ONLY(2), set_live_update },
	{ LONG_ONLY(5), set_make_store },
	{ 'h', print_help },
	{ 'V', print_version },
	{ LONG_ONLY(3), set_worker },
	{ LONG_ONLY(4), set_live_updated },
};

static int take_option(struct arguments *args, int option, const char *arg)
{
	size_t i;

	for (i = 0; i < sizeof(takers) / sizeof(takers[0]); i++)
		if (takers[i].option == option)
			return takers[i].take(args, optarg);
	return usage_error(option == ':' ? "a value is missing after "
					 : "unknown option ",
			   arg);
}

/* PROCEED, or the exit status. */
static int parse(int argc, char **argv, struct arguments *args)
{
	int option, status = PROCEED;

	opterr = 0;
	while (status == PROCEED &&
	       (option = getopt_long(argc, argv, ":fs:l:p:m:hV", long_options,
				     NULL)) >= 0)
		status = take_option(args, option, argv[optind - 1]);
	if (status == PROCEED && optind < argc)
		return usage_error("takes no argument, but got ", argv[optind]);
	return status;
}

/* ---- modes -------------------------------------------------------------- */

static int serve(struct blkback_supervisor *sup)
{
	int rc = blkback_supervisor_run(sup);

	blkback_notify("STOPPING=1");
	blkback_supervisor_close(sup);
	return rc ? 1 : 0;
}

static int run_foreground(const struct blkback_options *options)
{
	struct blkback_supervisor *sup;
	struct rd_error err;

	int rc = blkback_supervisor_open(&sup, options, &err);

	if (rc && blkback_log_is_journal())
		blkback_log(BLKBACK_ERROR, "%s", err.text);
	else if (rc)
		fprintf(stderr, "xen-ramdiskd: %s\n", err.text);
	if (rc && options->live_updated)
		blkback_live_update_answer(options->store, false, err.text);
	if (rc)
		return 1;
	rc = blkback_notify("READY=1\nSTATUS=Serves guests.");
	if (rc)
		blkback_log(BLKBACK_WARNING,
			    "cannot notify the service manager: %s",
			    strerror(-rc));
	return serve(sup);
}

/*
 * Close the terminal, and the pipe of a parent that reads this process's output
 * until its end, such as a shell's $(...).
 */
static void detach_output(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}

static int run_daemon(const struct blkback_options *options, int ready)
{
	struct blkback_supervisor *sup;
	struct rd_error err;

	setsid();
	if (chdir("/")) {
		fprintf(stderr, "xen-ramdiskd: cannot enter /: %s\n",
			strerror(errno));
		return 1;
	}
	if (blkback_supervisor_open(&sup, options, &err)) {
		fprintf(stderr, "xen-ramdiskd: %s\n", err.text);
		return 1;
	}
	detach_output();
	if (write(ready, "", 1) != 1)
		blkback_log(BLKBACK_WARNING,
			    "the process that started the daemon has ended");
	close(ready);
	return serve(sup);
}

/*
 * The store's path made absolute, since the daemon changes its directory to /.
 * Allocated; NULL if the path is absolute or none was given.
 */
static char *absolute_store(const struct blkback_options *options)
{
	const char *dir = options->store ? options->store
					 : getenv("XEN_RAMDISK_DIR");
	char *cwd, *path = NULL;

	if (!dir || !*dir || dir[0] == '/')
		return NULL;
	/* Not realpath(): the directory may not exist yet. */
	cwd = getcwd(NULL, 0);
	if (cwd && asprintf(&path, "%s/%s", cwd, dir) < 0)
		path = NULL;
	free(cwd);
	return path;
}

/*
 * In the parent: returns once the daemon serves, or has failed to start. In the
 * child: returns when the daemon ends.
 */
static int daemonize(struct blkback_options *options)
{
	char *store = absolute_store(options), byte;
	int ready[2];
	pid_t pid;

	if (store)
		options->store = store;
	if (pipe2(ready, O_CLOEXEC) || (pid = fork()) < 0) {
		fprintf(stderr, "xen-ramdiskd: cannot start: %s\n",
			strerror(errno));
		free(store);
		return 1;
	}
	if (pid == 0) {
		int rc;

		close(ready[0]);
		rc = run_daemon(options, ready[1]);
		free(store);
		return rc;
	}
	free(store);
	close(ready[1]);
	/* A daemon that fails prints the reason itself: it still has stderr. */
	return read(ready[0], &byte, 1) == 1 ? 0 : 1;
}

static int run_worker(const struct arguments *args)
{
	/*
	 * The name would be "exe" otherwise. It differs from the daemon's name,
	 * so that `pkill xen-ramdiskd` does not reach the workers.
	 */
	prctl(PR_SET_NAME, "ramdisk-worker");
	/* A worker of a starting daemon inherits the daemon's output. */
	if (!args->options.foreground)
		detach_output();
	return blkback_worker_run(BLKBACK_CONTROL_FD,
				  !args->options.no_sandbox &&
					  blkback_sandbox_possible(),
				  args->worker, &args->options);
}

int main(int argc, char **argv)
{
	struct arguments args = { .options.level = BLKBACK_INFO,
				  .options.poll_us = BLKBACK_POLL_DEFAULT };
	int status = parse(argc, argv, &args);

	if (status != PROCEED)
		return status;
	blkback_log_open(args.options.foreground, args.options.level,
			 args.worker ? "a worker without a device" : NULL);
	if (args.worker)
		return run_worker(&args);
	if (args.command)
		return args.command(args.options.store);
	if (args.options.foreground || args.by_exec)
		return run_foreground(&args.options);
	return daemonize(&args.options);
}
