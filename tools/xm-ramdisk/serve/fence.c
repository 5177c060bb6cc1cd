/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk fence: cut a host off from the disks that are served here. The
 * nbdkit plugin enforces the list; it gets it as deny= when nbdkit starts. So
 * this command sends SIGUSR1 to each server (xm-ramdisk serve), which ends its
 * nbdkit and starts another on the same socket. The old nbdkit carries out or
 * drops the requests that it has read before it ends. So when this command ends,
 * no request of a fenced host can reach a disk. A lock file in the store's
 * directory is held while the list changes.
 */
#include "tools/xm-ramdisk/serve/fence.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/disk.h"

#define LIST "fenced"
#define IN_FORCE "serve-%d.fenced"
#define ADDRESS_MAX (INET6_ADDRSTRLEN + 8) /* with /BITS */
#define WAIT_SECONDS 30
#define POLL_NS 50000000

static const char help[] =
	"usage: xm-ramdisk fence [--lift] ADDRESS\n"
	"       xm-ramdisk fence --list\n\n"
	"Cut a host off from every disk that this host serves over TCP. When the\n"
	"command ends, no request of that host reaches a disk any more. Connections of\n"
	"other hosts are cut too; clients that can reconnect do so.\n\n"
	"  ADDRESS  an IPv4 or IPv6 address, or a network as 192.0.2.0/24\n"
	"  --lift   let the host connect again\n"
	"  --list   show the addresses that are fenced";

/* ---- the files --------------------------------------------------------- */

/* A file that is not there is empty. 0 or -errno. */
static int read_text(const char *path, char text[FENCE_BYTES])
{
	FILE *f = fopen(path, "re");
	size_t n;
	int rc = 0;

	text[0] = 0;
	if (!f)
		return errno == ENOENT ? 0 : -errno;
	n = fread(text, 1, FENCE_BYTES - 1, f);
	text[n] = 0;
	if (ferror(f))
		rc = -EIO;
	fclose(f);
	return rc;
}

/* Replace the file by rename(): no process reads half of @text. */
static int write_text(const char *path, const char *text)
{
	char new[PATH_MAX + 8];
	int rc = 0;
	FILE *f;

	snprintf(new, sizeof(new), "%s.new", path);
	f = fopen(new, "we");
	if (!f)
		return -errno;
	if (fputs(text, f) < 0)
		rc = -EIO;
	if (fclose(f))
		rc = -errno;
	if (!rc && rename(new, path) < 0)
		rc = -errno;
	if (rc)
		unlink(new);
	return rc;
}

int fence_read(const char *store, char text[FENCE_BYTES])
{
	char path[PATH_MAX];
	int rc;

	snprintf(path, sizeof(path), "%s/" LIST, store);
	rc = read_text(path, text);
	if (!rc)
		return EXIT_DONE;
	return say_failed("cannot read the list of fenced addresses, %s: %s",
			  path, strerror(-rc));
}

/* ---- the list ---------------------------------------------------------- */

/* @text, ADDRESS or ADDRESS/BITS, in its canonical spelling. False: invalid. */
static bool canonical(const char *text, char address[ADDRESS_MAX])
{
	const char *slash = strchr(text, '/');
	unsigned char binary[16];
	char host[INET6_ADDRSTRLEN], *end = "";
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	long bits = 0, most = family == AF_INET6 ? 128 : 32;

	if (slash)
		bits = strtol(slash + 1, &end, 10);
	if (*end || bits < 0 || bits > most || (slash && !slash[1]))
		return false;
	snprintf(host, sizeof(host), "%.*s",
		 (int)(slash ? (size_t)(slash - text) : strlen(text)), text);
	if (inet_pton(family, host, binary) != 1 ||
	    !inet_ntop(family, binary, address, INET6_ADDRSTRLEN))
		return false;
	if (slash)
		sprintf(address + strlen(address), "/%ld", bits);
	return true;
}

/* The line of @text that is @address, or NULL. */
static char *find_line(char *text, const char *address)
{
	size_t n = strlen(address);
	char *p;

	for (p = text; *p; p = strchr(p, '\n') + 1) {
		if (!strncmp(p, address, n) && p[n] == '\n')
			return p;
		if (!strchr(p, '\n'))
			break;
	}
	return NULL;
}

static int change(char text[FENCE_BYTES], const char *address, bool lift)
{
	char *line = find_line(text, address);
	size_t n = strlen(address) + 1;

	if (lift && !line)
		return say_failed(
			"%s is not fenced; 'xm-ramdisk fence --list' shows the addresses that are",
			address);
	if (lift)
		memmove(line, line + n, strlen(line + n) + 1);
	else if (!line && strlen(text) + n >= FENCE_BYTES)
		return say_failed(
			"the list of fenced addresses is full; fence a network, as 192.0.2.0/24, in place of its addresses");
	else if (!line)
		sprintf(text + strlen(text), "%s\n", address);
	return EXIT_DONE;
}

/* ---- the servers ------------------------------------------------------- */

/*
 * Send @signal, if it is not 0, to each server of the store that does not
 * enforce @text yet. Removes the copies of killed servers. Returns how many
 * servers there are that do not enforce @text.
 */
static int count_outdated(const char *store, const char *text, int signal)
{
	char path[PATH_MAX], has[FENCE_BYTES];
	DIR *dir = opendir(store);
	struct dirent *e;
	int pid, n = 0;

	while (dir && (e = readdir(dir))) {
		pid = 0;
		if (sscanf(e->d_name, IN_FORCE, &pid) != 1 || pid <= 1 ||
		    strstr(e->d_name, ".new"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", store, e->d_name);
		read_text(path, has);
		if (kill(pid, 0) < 0 && errno == ESRCH)
			unlink(path); /* its server was killed */
		else if (strcmp(has, text)) {
			n++;
			if (signal)
				kill(pid, signal);
		}
	}
	if (dir)
		closedir(dir);
	return n;
}

int fence_in_force(const char *store, const char *text)
{
	char path[PATH_MAX];
	int rc;

	snprintf(path, sizeof(path), "%s/" IN_FORCE, store, (int)getpid());
	if (!text) {
		unlink(path);
		return EXIT_DONE;
	}
	rc = write_text(path, text);
	if (rc)
		return say_failed(
			"cannot write %s, without which fence does not know of this server: %s",
			path, strerror(-rc));
	count_outdated(store, text, 0); /* for what it removes */
	return EXIT_DONE;
}

static int wait_for_servers(const char *store, const char *text)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	int64_t deadline = clock_deadline(WAIT_SECONDS);
	int left = count_outdated(store, text, SIGUSR1);

	while (left && clock_now_ms() < deadline) {
		nanosleep(&pause, NULL);
		left = count_outdated(store, text, 0);
	}
	if (left)
		return say_failed(
			"%d servers do not enforce the list after %d seconds, so the host may still reach their disks; end these servers",
			left, WAIT_SECONDS);
	return EXIT_DONE;
}

static int fence(struct rd_store *store, const char *address, bool lift)
{
	const char *dir = rd_store_path(store);
	char path[PATH_MAX], text[FENCE_BYTES];
	int rc, lock, written = 0;

	snprintf(path, sizeof(path), "%s/" LIST ".lock", dir);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return say_failed("cannot lock %s: %m", path);
	rc = fence_read(dir, text);
	if (rc == EXIT_DONE)
		rc = change(text, address, lift);
	snprintf(path, sizeof(path), "%s/" LIST, dir);
	if (rc == EXIT_DONE)
		written = write_text(path, text);
	if (written)
		rc = say_failed("cannot write %s: %s", path,
				strerror(-written));
	if (rc == EXIT_DONE)
		rc = wait_for_servers(dir, text);
	close(lock);
	return rc;
}

/* EXIT_DONE, or the status to end with; -1 after --help. */
static int parse(int argc, char **argv, bool *lift, bool *list,
		 char address[ADDRESS_MAX])
{
	const struct argument_option options[] = {
		{ .name = "lift", .given = lift },
		{ .name = "list", .given = list },
		{ .name = NULL },
	};
	const struct arguments arguments = { help, options, 0, 1, "ADDRESS" };
	char **words;
	int rc = arguments_parse(argc, argv, &arguments, &words);

	if (rc)
		return rc;
	if (*list && words[0])
		return say_usage("fence", "--list takes no ADDRESS");
	if (*list)
		return EXIT_DONE;
	if (!words[0])
		return say_usage("fence", "expected ADDRESS or --list");
	if (canonical(words[0], address))
		return EXIT_DONE;
	return say_usage(
		"fence",
		"'%s' is no address; expected one like 192.0.2.7, 2001:db8::7 or 192.0.2.0/24",
		words[0]);
}

static int print_list(const char *store)
{
	char text[FENCE_BYTES];
	int rc = fence_read(store, text);

	if (rc == EXIT_DONE)
		fputs(*text ? text : "nothing is fenced\n", stdout);
	return rc;
}

int cmd_fence(int argc, char **argv)
{
	char address[ADDRESS_MAX];
	bool lift = false, list = false;
	struct rd_store *store;
	int rc = parse(argc, argv, &lift, &list, address);

	if (rc)
		return rc < 0 ? EXIT_DONE : rc;
	rc = disk_store("fence", &store);
	if (rc)
		return rc;
	if (list)
		rc = print_list(rd_store_path(store));
	else
		rc = fence(store, address, lift);
	rd_store_close(store);
	return rc;
}
