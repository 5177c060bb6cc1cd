/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the benchmarks of the request path: a disk in a real store for rings over the
 * fake libxengnttab and libxenevtchn, and counters of the calls that a queue's thread
 * makes. Each program includes it in one file. Any thread counts; all else is for the
 * main thread.
 */
#ifndef BENCH_DISK_H
#define BENCH_DISK_H

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <xenevtchn.h>

#include "include/ramdisk.h"
#include "tests/bench/bench.h"

#define DISK ((size_t)256 << 20)

static char dir[64];
static struct rd_disk *disk;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void clean_up(void)
{
	char command[128];

	if (disk)
		rd_detach(disk);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (dir[0] && system(command))
		fprintf(stderr, "ring: cannot remove %s\n", dir);
}

static void open_disk(void)
{
	struct rd_attach_request req = { .writable = true, .label = "bench" };
	struct rd_error err = { "out of memory" };
	struct rd_store *store;
	char path[128];
	int fd;

	strcpy(dir, "/dev/shm/xen-ramdisk-bench-XXXXXX");
	must(mkdtemp(dir) != NULL, dir);
	atexit(clean_up);
	snprintf(path, sizeof(path), "%s/seed", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	must(fd >= 0 && !ftruncate(fd, DISK), path);
	close(fd);
	req.seed = path;
	if (rd_store_open(&store, dir, &err) ||
	    rd_attach(store, &req, &disk, &err)) {
		fprintf(stderr, "ring: %s\n", err.text);
		exit(1);
	}
	rd_store_close(store);
}

/* ---- calls ------------------------------------------------------------------- */

static _Atomic unsigned clocks, polls, waits,
	unmasks; /* so far, by all threads */

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	clocks++;
	return __real_clock_gettime(id, t);
}

int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	polls++;
	return __real_poll(fds, n, timeout);
}

xenevtchn_port_or_error_t __real_xenevtchn_pending(xenevtchn_handle *h);
xenevtchn_port_or_error_t __wrap_xenevtchn_pending(xenevtchn_handle *h);
xenevtchn_port_or_error_t __wrap_xenevtchn_pending(xenevtchn_handle *h)
{
	waits++;
	return __real_xenevtchn_pending(h);
}

int __real_xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t port);
int __wrap_xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t port);
int __wrap_xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t port)
{
	unmasks++;
	return __real_xenevtchn_unmask(h, port);
}

#endif
