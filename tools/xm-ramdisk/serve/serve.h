/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk serve: what its files share. serve.c has the arguments and the
 * server's life, socket.c makes what it listens on, nbdkit.c
 * starts nbdkit, and print.c tells how to reach it.
 */
#ifndef XM_RAMDISK_SERVE_H
#define XM_RAMDISK_SERVE_H

#include <sys/types.h>

#include "tools/xm-ramdisk/disk/disk.h"

#define SERVE_SEEDS 64 /* in one server, at most */
#define SERVE_THREADS 256 /* for one connection, at most */

struct served {
	const char *seed; /* as it was typed */
	bool loaded; /* the name of a disk that is there, not a seed */
	bool directory; /* its files are the exports */
	char export[RD_SEED_MAX]; /* its name; empty for a directory */
	struct rd_disk *disk; /* our reference while we serve, or NULL */
};

struct serve {
	struct disk_options disk; /* of every seed; disk.seed is not used */
	bool read_only, discard, insecure, background;
	bool tcp;
	const char *address; /* HOST, [HOST], HOST:PORT …; NULL: everywhere */
	const char *certificates, *psk; /* or NULL */
	const char *threads; /* of nbdkit for a connection; NULL: its default */
	const char *socket; /* or NULL: beside the disks */
	struct served seeds[SERVE_SEEDS];
	unsigned count;

	/* by serve_listen() */
	int fd; /* listening */
	char path[108]; /* of the Unix socket, or empty */
	char host[256], port[8]; /* as clients may call them */
};

/* ---- socket.c ---------------------------------------------------- */

/*
 * Make s->fd listen, on s->socket or in @store, or on s->address. A socket
 * that nobody answers is a dead server's and is taken away. An exit status.
 */
int serve_listen(struct serve *s, const char *store);
void serve_unlisten(struct serve *s);

/* ---- nbdkit.c ---------------------------------------------------- */

/* See that nbdkit and its plugin are there. An exit status. */
int serve_find_nbdkit(void);
/*
 * Start nbdkit on s->fd, for everyone but the addresses in the lines of
 * @fenced, and wait until it serves. An exit status, and *pid.
 */
int serve_start(const struct serve *s, const char *fenced, pid_t *pid);
/*
 * Wait until it ends, or until *stop or *again: then end it. An exit status,
 * or SERVE_AGAIN, with *again cleared.
 */
#define SERVE_AGAIN (-1)
int serve_wait(pid_t pid, const volatile sig_atomic_t *stop,
	       volatile sig_atomic_t *again);

/* ---- print.c ----------------------------------------------------- */

/* The URIs, and commands that are ready to be copied. */
void serve_print(const struct serve *s);

#endif
