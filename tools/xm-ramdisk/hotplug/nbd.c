/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NBD devices (/dev/nbdN) for the kernel's blkback, over an nbdkit of this host:
 * with the ramdisk plugin for a disk of this host that a loop device cannot
 * serve (private views, thin and lazy disks), or with nbdkit's nbd plugin for a
 * disk that another host serves.
 *
 * nbdkit attaches to the disk with the domain's label when the kernel connects.
 * The attachment ends when the NBD device is disconnected, or stays if nbdkit was killed
 * before that. Three files in the store belong to a label, whose slashes become colons
 * in their names:
 *
 *   LABEL.nbd   the path of the NBD device; there is none if QEMU is the client
 *   LABEL.sock  nbdkit's socket
 *   LABEL.pid   nbdkit's process
 *
 * nbd.lock of the store is held while a free device is looked for and connected:
 * without it, two processes could take the same one. One thread.
 */
#include "tools/xm-ramdisk/hotplug/nbd.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/file.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/program.h"
#include "tools/xm-ramdisk/hotplug/lock.h"

#define LOCK_FILE "nbd.lock"
#define SUFFIX ".nbd"
#define PID_SUFFIX ".pid"
#define DEVICES_MAX 1024
#define DRIVER_SECONDS 20 /* for the driver to make its devices */
#define END_SECONDS 5 /* for nbdkit to end */
#define PARAMETER_MAX (RD_SEED_MAX + 32) /* KEY=URI, or a part of the URI */
#define FILE_MAX NBD_SOCKET_MAX

/* The path of the file of @label that ends in @suffix. */
static void file_of(struct rd_store *store, const char *label,
		    const char *suffix, char path[FILE_MAX])
{
	size_t dir = strlen(rd_store_path(store)) + 1;
	char *p;

	snprintf(path, FILE_MAX, "%s/%s%s", rd_store_path(store), label,
		 suffix);
	for (p = path + dir; *p; p++)
		if (*p == '/')
			*p = ':';
}

/* ---- nbdkit ------------------------------------------------------------- */

/* nbdkit forks into the background when its socket is ready. */
static int run_nbdkit(const char *const argv[], const char *plugin)
{
	int rc = program_run(argv);

	if (rc == -ENOENT)
		return say_failed(
			"this disk needs nbdkit, which is not installed; install nbdkit and nbdkit-%s-plugin",
			plugin);
	if (rc)
		return say_failed(
			"nbdkit with its plugin '%s' did not start; is nbdkit-%s-plugin installed?",
			plugin, plugin);
	return EXIT_DONE;
}

/* @filter: of nbdkit; NULL: the attachment is durable */
static int serve(struct rd_store *store, const char *label, const char *id,
		 bool writable, bool private_view, const char *at_point,
		 const char *filter)
{
	char point[RD_NAME_MAX + 8];
	char plugin[PATH_MAX], socket[FILE_MAX], pidfile[FILE_MAX];
	char disk[RD_ID_MAX + 8], name[RD_LABEL_MAX + 8];
	const char *argv[13] = { "nbdkit", "-U", socket, "-P", pidfile };
	size_t n = 5;

	if (filter)
		argv[n++] = filter;
	argv[n++] = plugin;
	argv[n++] = disk;
	argv[n++] = name;
	argv[n++] = writable ? "mode=w" : "mode=r";
	argv[n++] = private_view ? "private=true" : "private=false";
	if (!filter)
		argv[n++] = "durable=true";
	if (at_point)
		argv[n++] = point;
	if (!program_beside("nbdkit-ramdisk-plugin.so", plugin))
		strcpy(plugin, "ramdisk"); /* of nbdkit's folder of plugins */
	file_of(store, label, ".sock", socket);
	file_of(store, label, PID_SUFFIX, pidfile);
	snprintf(disk, sizeof(disk), "disk=%s", id);
	snprintf(name, sizeof(name), "label=%s", label);
	if (at_point)
		snprintf(point, sizeof(point), "point=%s", at_point);
	unlink(socket);
	setenv("XEN_RAMDISK_DIR", rd_store_path(store), 1);
	return run_nbdkit(argv, "ramdisk");
}

/*
 * Remove query parameter @name from @uri, and write "@key=VALUE" into @arg:
 * nbdkit's nbd plugin refuses file names in the URI, and has parameters for
 * them. @arg is empty if @uri has no such parameter.
 */
static void move_parameter(char *uri, const char *name, const char *key,
			   char arg[PARAMETER_MAX])
{
	size_t len = strlen(name);
	char *p = strchr(uri, '?'), *end;
	unsigned c;

	arg[0] = 0;
	while (p && (strncmp(p + 1, name, len) || p[1 + len] != '='))
		p = strpbrk(p + 1, "&;");
	if (!p)
		return;
	end = p + strcspn(p + 1, "&;#") + 1;
	arg += sprintf(arg, "%s=", key);
	for (name = p + len + 2; name < end; name++) {
		if (*name == '%' && sscanf(name + 1, "%2x", &c) == 1) {
			*arg++ = (char)c;
			name += 2;
		} else {
			*arg++ = *name;
		}
	}
	*arg = 0;
	/* the '?' in front of the first parameter stays for the next one */
	if (*p == '?' && *end && *end != '#')
		memmove(p + 1, end + 1, strlen(end + 1) + 1);
	else
		memmove(p, end, strlen(end) + 1);
}

#define INSTANCE_MARK "RAM disk "
#define VIEW_MARK "private view "

/* Behind @mark in a description of the nbdkit plugin: "[NAME: ]MARK..."; or NULL. */
static const char *behind(const char *description, const char *mark)
{
	const char *space = strchr(description, ' ');

	if (space && space > description && space[-1] == ':')
		description = space + 1;
	return strncmp(description, mark, strlen(mark))
		       ? NULL
		       : description + strlen(mark);
}

static bool find_instance(const char *description,
			  char instance[RD_INSTANCE_MAX])
{
	const char *p = behind(description, INSTANCE_MARK);
	const size_t n = RD_INSTANCE_MAX - 1;

	if (!p || strspn(p, "0123456789abcdef") != n || p[n] != ' ')
		return false;
	snprintf(instance, RD_INSTANCE_MAX, "%s", p);
	return true;
}

/* "@INSTANCE" behind the export's name: the server refuses any other disk. */
void nbd_remote_uri(const struct nbd_remote *remote, char uri[RD_SEED_MAX])
{
	const char *host = strstr(remote->uri, "://");
	char instance[RD_INSTANCE_MAX];
	size_t end, slash;

	snprintf(uri, RD_SEED_MAX, "%s", remote->uri);
	if (!host || !find_instance(remote->description, instance))
		return;
	host += strlen("://");
	end = (size_t)(host - remote->uri) + strcspn(host, "?#");
	slash = strcspn(host, "/?#");
	snprintf(uri + end, RD_SEED_MAX - end, "%s@%s%s",
		 host[slash] == '/' ? "" : "/", instance, remote->uri + end);
}

/*
 * If the kernel's NBD client loses its server, the requests in flight fail. So
 * its server is an nbdkit of this host, whose retry filter reconnects to the
 * other host.
 */
static int serve_remote(struct rd_store *store, const char *label,
			const struct nbd_remote *remote, bool writable)
{
	char socket[FILE_MAX], pidfile[FILE_MAX], retries[32];
	char parameter[PARAMETER_MAX], psk[PARAMETER_MAX];
	char certificates[PARAMETER_MAX], uri[RD_SEED_MAX];
	const char *argv[] = {
		"nbdkit",
		"-U",
		socket,
		"-P",
		pidfile,
		"--filter=retry",
		"nbd",
		parameter,
		retries,
		"retry-delay=1",
		"retry-exponential=no",
		NULL,
		NULL,
		NULL,
		NULL,
	};
	size_t n = 11;

	file_of(store, label, ".sock", socket);
	file_of(store, label, PID_SUFFIX, pidfile);
	nbd_remote_uri(remote, uri);
	snprintf(parameter, sizeof(parameter), "uri=%s", uri);
	move_parameter(parameter, "tls-psk-file", "tls-psk", psk);
	move_parameter(parameter, "tls-certificates", "tls-certificates",
		       certificates);
	if (psk[0])
		argv[n++] = psk;
	if (certificates[0])
		argv[n++] = certificates;
	if (!writable)
		argv[n++] = "-r";
	/*
	 * The driver's limit ends first, see nbd.h. A client that comes back to a
	 * private view has a new one, so that is not retried.
	 */
	snprintf(retries, sizeof(retries), "retries=%d",
		 behind(remote->description, VIEW_MARK)
			 ? 0
			 : remote->seconds + 2 * NBD_GRACE_SECONDS);
	unlink(socket);
	return run_nbdkit(argv, "nbd");
}

/* nbdkit's process, or 0 if it does not run any more. */
static pid_t read_pid(struct rd_store *store, const char *label)
{
	char path[FILE_MAX], line[64], state;
	pid_t pid;

	file_of(store, label, PID_SUFFIX, path);
	if (!file_first_line(path, line, sizeof(line)) ||
	    sscanf(line, "%d", &pid) != 1 || pid <= 1)
		return 0;
	/* after nbdkit has ended, its number may be another process's */
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	return file_first_line(path, line, sizeof(line)) &&
			       sscanf(line, "%*d (nbdkit) %c", &state) == 1 &&
			       !strchr("ZX", state)
		       ? pid
		       : 0;
}

/* ---- the device --------------------------------------------------------- */

static bool is_free(int number)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/nbd%d", number);
	if (access(path, F_OK))
		return false;
	snprintf(path, sizeof(path), "/sys/block/nbd%d/pid", number);
	return access(path, F_OK) != 0;
}

/*
 * Connect the first free device to nbdkit. If a request has not been answered
 * after @timeout seconds, unless that is 0, the driver fails all requests of the
 * device. The caller holds nbd.lock.
 */
static int connect_free(struct rd_store *store, const char *label, int timeout,
			char device[NBD_PATH_MAX])
{
	char socket[FILE_MAX], seconds[16];
	const char *const argv[] = { "nbd-client",
				     "-unix",
				     socket,
				     device,
				     "-b",
				     "512",
				     timeout ? "-timeout" : NULL,
				     seconds,
				     NULL };
	bool any_free = false;
	int i, rc;

	file_of(store, label, ".sock", socket);
	snprintf(seconds, sizeof(seconds), "%d", timeout);
	for (i = 0; i < DEVICES_MAX; i++) {
		if (!is_free(i))
			continue;
		any_free = true;
		snprintf(device, NBD_PATH_MAX, "/dev/nbd%d", i);
		rc = program_run_quietly(argv);
		if (rc == 0)
			return EXIT_DONE;
		if (rc == -ENOENT)
			return say_failed(
				"this disk needs nbd-client, which is not installed; install nbd-client");
	}
	return any_free
		       ? say_failed(
				 "nbd-client could not connect a device to nbdkit at %s",
				 socket)
		       : say_failed(
				 "no /dev/nbdN is free; is the kernel's nbd driver loaded, with a large enough nbds_max?");
}

static int write_device_file(struct rd_store *store, const char *label,
			     const char *device)
{
	char path[FILE_MAX];
	FILE *f;

	file_of(store, label, SUFFIX, path);
	f = fopen(path, "we");
	if (!f || fprintf(f, "%s\n", device) < 0 || fclose(f))
		return say_failed("cannot write %s: %s", path, strerror(errno));
	return EXIT_DONE;
}

/*
 * Load the kernel's NBD driver if it has no devices. modprobe returns at once
 * while another process loads the same driver, so wait until the driver's
 * devices are there. The caller holds nbd.lock.
 */
static void load_driver(void)
{
	static const char *const argv[] = { "modprobe", "-q", "nbd", NULL };
	const struct timespec pause = { .tv_nsec = 20000000 };
	int64_t deadline = clock_deadline(DRIVER_SECONDS);
	char state[16];

	if (access("/sys/block/nbd0", F_OK) == 0)
		return;
	program_run(argv);
	while (file_first_line("/sys/module/nbd/initstate", state,
			       sizeof(state)) &&
	       !strcmp(state, "coming") && clock_now_ms() < deadline)
		nanosleep(&pause, NULL);
}

/* Connect a device to the nbdkit of @label, which runs. */
static int make_device(struct rd_store *store, const char *label, int timeout,
		       char path[NBD_PATH_MAX])
{
	int rc, locked;

	locked = hotplug_lock(store, LOCK_FILE, LOCK_EX);
	load_driver();
	rc = connect_free(store, label, timeout, path);
	if (rc == EXIT_DONE)
		rc = write_device_file(store, label, path);
	if (locked >= 0)
		close(locked);
	if (rc)
		nbd_remove(store, label);
	return rc;
}

int nbd_make(struct rd_store *store, const char *label, const char *id,
	     bool writable, bool private_view, const char *point,
	     char path[NBD_PATH_MAX])
{
	int rc;

	nbd_remove(store, label);
	rc = serve(store, label, id, writable, private_view, point, NULL);
	return rc ? rc : make_device(store, label, 0, path);
}

int nbd_serve_client(struct rd_store *store, const char *label, const char *id,
		     bool private_view, const char *point,
		     char socket[NBD_SOCKET_MAX])
{
	nbd_remove(store, label);
	file_of(store, label, ".sock", socket);
	return serve(store, label, id, true, private_view, point,
		     "--filter=exitlast");
}

/*
 * The retry filter handles one request after another, and each of them retries
 * for the whole time. So the driver limits the time, once for all requests. If the
 * filter gave up first, a reader with one request at a time would wait again for
 * each of them.
 */
int nbd_make_remote(struct rd_store *store, const char *label,
		    const struct nbd_remote *remote, bool writable,
		    char path[NBD_PATH_MAX])
{
	int rc, timeout = remote->seconds + NBD_GRACE_SECONDS;

	nbd_remove(store, label);
	rc = serve_remote(store, label, remote, writable);
	return rc ? rc : make_device(store, label, timeout, path);
}

bool nbd_find(struct rd_store *store, const char *label,
	      char path[NBD_PATH_MAX])
{
	char file[FILE_MAX];

	file_of(store, label, SUFFIX, file);
	return file_first_line(file, path, NBD_PATH_MAX) && path[0];
}

static bool disconnect(struct rd_store *store, const char *label)
{
	char device[NBD_PATH_MAX];

	if (!nbd_find(store, label, device))
		return false;
	program_run_quietly(
		(const char *const[]){ "nbd-client", "-d", device, NULL });
	return true;
}

/* End the nbdkit of @label, and wait for that: it is no child of ours. */
static void end_nbdkit(struct rd_store *store, const char *label, int signal)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	int64_t deadline = clock_deadline(END_SECONDS);
	pid_t pid = read_pid(store, label);

	if (pid)
		kill(pid, signal);
	while (read_pid(store, label) && clock_now_ms() < deadline)
		nanosleep(&pause, NULL);
}

static void remove_files(struct rd_store *store, const char *label)
{
	static const char *const suffixes[] = { ".sock", PID_SUFFIX, SUFFIX };
	char path[FILE_MAX];
	size_t i;

	for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		file_of(store, label, suffixes[i], path);
		unlink(path);
	}
}

void nbd_remove(struct rd_store *store, const char *label)
{
	disconnect(store, label);
	end_nbdkit(store, label, SIGTERM);
	remove_files(store, label);
}

/* nbdkit must not see the end of the connection, at which it detaches. */
bool nbd_leave(struct rd_store *store, const char *label)
{
	bool had;

	end_nbdkit(store, label, SIGKILL);
	had = disconnect(store, label);
	remove_files(store, label);
	return had;
}

void nbd_walk(struct rd_store *store,
	      void (*fn)(struct rd_store *store, const char *label, void *arg),
	      void *arg)
{
	DIR *d = opendir(rd_store_path(store));
	char label[RD_LABEL_MAX], *p;
	struct dirent *e;
	size_t n;

	while (d && (e = readdir(d))) {
		n = strlen(e->d_name);
		if (n <= strlen(PID_SUFFIX) ||
		    n - strlen(PID_SUFFIX) >= sizeof(label) ||
		    strcmp(e->d_name + n - strlen(PID_SUFFIX), PID_SUFFIX))
			continue;
		memcpy(label, e->d_name, n - strlen(PID_SUFFIX));
		label[n - strlen(PID_SUFFIX)] = 0;
		for (p = label; *p; p++)
			if (*p == ':')
				*p = '/';
		fn(store, label, arg);
	}
	if (d)
		closedir(d);
}
