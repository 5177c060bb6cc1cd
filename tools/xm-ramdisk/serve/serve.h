/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk serve: what its files share. serve.c parses the arguments, loads
 * the disks and restarts nbdkit, socket.c makes the listening socket, nbdkit.c
 * runs nbdkit, hold.c holds the disks of its clients, and print.c prints how to
 * reach the server. One thread, no locks.
 * A function that returns an exit status has printed the reason for a failure.
 */
#ifndef XM_RAMDISK_SERVE_H
#define XM_RAMDISK_SERVE_H

#include <sys/types.h>

#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/serve/hold.h"

#define SERVE_SEEDS 64 /* in one server, at most */
#define SERVE_THREADS 256 /* for one connection, at most */
#define SERVE_CONNECTIONS 4096 /* of one client, at most */

struct served {
	const char *seed; /* as it was typed */
	bool loaded; /* @seed is the name of a loaded disk */
	bool directory; /* @seed is a directory: its images are the exports */
	char export[RD_SEED_MAX]; /* name for clients; empty for a directory */
	/* attachment of this process; NULL for a directory and with --discard */
	struct rd_disk *disk;
};

struct serve {
	struct disk_options disk; /* for every seed; disk.seed is not used */
	bool read_only, discard, insecure, background;
	bool tcp;
	const char *address; /* HOST, [HOST], HOST:PORT …; NULL: all addresses */
	const char *certificates, *psk; /* or NULL */
	const char *make_tls; /* directory: make certificates, serve nothing */
	const char *threads; /* for a connection; NULL: nbdkit's default */
	const char *connections; /* of a client; NULL: the plugin's default */
	const char *socket; /* path; NULL: in the store's directory */
	const char *pid_file; /* has the server's process id while it runs */
	struct served seeds[SERVE_SEEDS];
	unsigned count;

	/* set by serve_parse_address(), and for the URI by serve_listen() */
	char host[256], port[8];
	struct addrinfo
		*found; /* set by serve_resolve(); freed by serve_unlisten() */

	/* Of the disks that only clients load; NULL: there are none. */
	struct holds *holds;

	/* set by serve_listen() */
	int fd; /* of the listening socket */
	char path[108]; /* of the Unix socket, or empty */
};

/* ---- socket.c ---------------------------------------------------- */

/* Parse s->address, of TCP. An exit status. */
int serve_parse_address(struct serve *s);
/*
 * Find the numeric address of s->host, which can take long: call it while
 * SIGTERM still ends the process. An exit status.
 */
int serve_resolve(struct serve *s);
/*
 * Make s->fd listen: on s->address for TCP, else on s->socket or, if that is
 * NULL, on a socket in the directory @store. A socket file on which no process
 * listens was left by a killed server and is removed. An exit status.
 */
int serve_listen(struct serve *s, const char *store);
/* Close s->fd, and remove its file. */
void serve_unlisten(struct serve *s);

/* ---- nbdkit.c ---------------------------------------------------- */

/* Check that nbdkit and its plugin are installed. An exit status. */
int serve_find_nbdkit(void);

struct server {
	pid_t pid; /* of nbdkit */
	int log; /* pipe of its messages in the background, or -1 */
	bool to_syslog; /* they go to the system's log, and not to stderr */
	struct holds *holds; /* or NULL */
};

/*
 * Start nbdkit on s->fd, and wait until it serves, or *stop becomes non-zero. It
 * refuses clients of the addresses in @fenced, one a line. n->to_syslog is set.
 * An exit status.
 */
int serve_start(const struct serve *s, const char *fenced, struct server *n,
		const volatile sig_atomic_t *stop);
/*
 * Wait until nbdkit ends. When *stop or *restart becomes non-zero, end it. After
 * *stop, EXIT_DONE. After *restart, which is cleared, SERVE_RESTART. If nbdkit
 * ended by itself, SERVE_ENDED, and the reason was printed.
 */
#define SERVE_RESTART (-1)
#define SERVE_ENDED (-2)
int serve_wait(struct server *n, const volatile sig_atomic_t *stop,
	       volatile sig_atomic_t *restart);
/* Wait @ms milliseconds, or until *stop or *restart becomes non-zero. */
void serve_pause(int ms, const volatile sig_atomic_t *stop,
		 const volatile sig_atomic_t *restart);

/* ---- make-tls.c -------------------------------------------------- */

/*
 * Make certificates for the server that clients know by the names or addresses
 * @hosts, and for its clients, in @dir; print how to use them. An exit status.
 */
int serve_make_tls(const char *dir, char **hosts);

/* ---- check-tls.c ------------------------------------------------- */

/*
 * Refuse a server's certificate that has expired or that another authority signed,
 * and note one that does not name the server's address. An exit status.
 */
int serve_check_tls(const struct serve *s);

/* ---- print.c ----------------------------------------------------- */

/* Print the URI of each disk, and commands of clients for the first one. */
void serve_print(const struct serve *s);

#endif
