/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xen-ramdiskd: options, and becoming a daemon. One program in two modes: the
 * supervisor, and (--worker, internal) the worker of one vbd. Everything that
 * fails at the start is printed here, once, in one line.
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

XEN_INTERFACE_MARK; /* for xm-ramdisk interface of */

static const char usage[] =
	"usage: xen-ramdiskd [--foreground | --stop | --upgrade] [--store DIR] [--log-level LEVEL] [--poll US] [--no-sandbox]";

static const char help[] =
	"\n"
	"Serves shared RAM disks to the guests of this Xen host, and to Domain-0.\n"
	"\n"
	"  -f, --foreground       stay in the foreground, log to stderr\n"
	"  -s, --store DIR        the store to serve (default $XEN_RAMDISK_DIR,\n"
	"                         or " RD_STORE_DIR ")\n"
	"  -l, --log-level LEVEL  error, warning, info (default) or debug\n"
	"  -p, --poll US          look for further requests so long before sleeping,\n"
	"                         while it pays off; 0 (off) to 10000 (default 50)\n"
	"      --no-sandbox       leave workers root's powers and every system call:\n"
	"                         for debuggers only\n"
	"      --stop             close all devices, end the daemon of the store\n"
	"      --upgrade          have it replaced by this program, under running guests\n"
	"  -h, --help             this text\n"
	"  -V, --version          the version\n"
	"\n"
	"Exit status: 0 stopped, upgraded or in the background, 1 failed, 2 usage.\n";

struct arguments {
	struct blkback_options options;
	char *worker; /* the value of --worker; NULL: the supervisor */
	int (*ask)(const char *store); /* of the daemon that runs */
	bool by_exec; /* in the daemon's process already */
};

static int usage_error(const char *what, const char *arg)
{
	fprintf(stderr, "xen-ramdiskd: %s%s; %s\n", what, arg, usage);
	return 2;
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct arguments *args)
{
	static const struct option options[] = {
		{ "foreground", no_argument, NULL, 'f' },
		{ "store", required_argument, NULL, 's' },
		{ "log-level", required_argument, NULL, 'l' },
		{ "poll", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "stop", no_argument, NULL, 'q' },
		{ "upgrade", no_argument, NULL, 'u' },
		{ "no-sandbox", no_argument, NULL, 'n' },
		/* internal */
		{ "worker", required_argument, NULL, 'w' },
		{ "upgraded", optional_argument, NULL, 'U' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":fs:l:p:hV", options, NULL)) >=
	       0) {
		switch (c) {
		case 'f':
			args->options.foreground = true;
			break;
		case 's':
			args->options.store = optarg;
			break;
		case 'l':
			if (!blkback_log_parse_level(optarg,
						     &args->options.level))
				break;
			return usage_error(
				"a log level is error, warning, info or debug, not ",
				optarg);
		case 'q':
			args->ask = blkback_stop_ask;
			break;
		case 'u':
			args->ask = blkback_live_update_ask;
			break;
		case 'U':
			args->options.live_updated = !optarg ||
						     strcmp(optarg, "back") !=
							     0;
			args->options.stand_by = optarg ? atoi(optarg) : 0;
			args->by_exec = true;
			break;
		case 'p':
			if (!blkback_parse_number(optarg, BLKBACK_POLL_MAX,
						  &args->options.poll_us))
				break;
			return usage_error(
				"--poll takes microseconds, 0 to 10000, not ",
				optarg);
		case 'n':
			args->options.no_sandbox = true;
			break;
		case 'w':
			args->worker = optarg;
			break;
		case 'h':
			printf("%s\n%s", usage, help);
			return 0;
		case 'V':
			printf("xen-ramdiskd %s (format %u)\n", RD_VERSION,
			       RD_FORMAT);
			return 0;
		case ':':
			return usage_error("a value is missing after ",
					   argv[optind - 1]);
		default:
			return usage_error("unknown option ", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return usage_error("takes no argument, but got ", argv[optind]);
	return -1;
}

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
			    "cannot tell the service manager: %s",
			    strerror(-rc));
	return serve(sup);
}

/* Let go of the terminal and of whoever waits for our output. */
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
		blkback_log(BLKBACK_WARNING, "nobody waited for the start");
	close(ready);
	return serve(sup);
}

/* A store that is named from here, which the daemon leaves; NULL: it is not. */
static char *store_from_here(const struct blkback_options *options)
{
	const char *dir = options->store ? options->store
					 : getenv("XEN_RAMDISK_DIR");
	char *here, *path = NULL;

	if (!dir || !*dir || dir[0] == '/')
		return NULL;
	/* It need not be there yet: no realpath() */
	here = getcwd(NULL, 0);
	if (here && asprintf(&path, "%s/%s", here, dir) < 0)
		path = NULL;
	free(here);
	return path;
}

/* Returns in the parent once the daemon is ready, or said why it is not. */
static int daemonize(struct blkback_options *options)
{
	char *store = store_from_here(options), byte;
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
	/* The daemon prints its own reason: it has our stderr until then. */
	return read(ready[0], &byte, 1) == 1 ? 0 : 1;
}

static int run_worker(const struct arguments *args)
{
	/* "exe" otherwise. Not the daemon's: who says pkill means that one. */
	prctl(PR_SET_NAME, "ramdisk-worker");
	/* It may be made while the daemon still has them. */
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
	int rc = parse(argc, argv, &args);

	if (rc >= 0)
		return rc;
	blkback_log_open(args.options.foreground, args.options.level,
			 args.worker ? "a worker without a device" : NULL);
	if (args.worker)
		return run_worker(&args);
	if (args.ask)
		return args.ask(args.options.store);
	if (args.options.foreground || args.by_exec)
		return run_foreground(&args.options);
	return daemonize(&args.options);
}
