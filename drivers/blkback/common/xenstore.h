/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits for the time in which xenstored answers. libxenstore has none: a call
 * waits for the answer of a xenstored that is stopped for as long as it is stopped.
 *
 * libxenstore (tools/libs/store/xs.c in Xen's sources) connects to xenstored's socket,
 * or opens the kernel's device /dev/xen/xenbus where there is no socket. Once a watch is set
 * a thread of its own reads the answers; when the socket closes, that thread ends, and
 * every later call fails at once. Nothing becomes readable then.
 *
 * For a process that uses xenstore in one thread.
 */
#ifndef BLKBACK_XENSTORE_H
#define BLKBACK_XENSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xenstore.h>

/*
 * Whether xenstored answers, over a connection of its own: waits for @ms at most.
 *
 *   0              it does
 *   -ENOENT        it has no socket here, which is so in a domain other than its own;
 *                  only a request to the kernel's device shows whether it answers
 *   -ECONNREFUSED  nothing listens on the socket: xenstored has ended
 *   -ETIMEDOUT     it has not answered
 */
int blkback_xenstore_probe(int ms);

/* What to read, and the answer. */
struct blkback_question {
	const char *path; /* absolute */
	bool directory; /* its children, each name with a zero byte; else its value */
	bool answered; /* false: ask in another way */
	char *answer; /* with a zero byte behind it, to be freed; NULL: refused */
	uint32_t length; /* of the answer */
};

/*
 * Ask @n questions over a connection of its own, many at a time: libxenstore sends one and
 * waits for its answer, which takes ten times as long where two processors wake each
 * other up for each. The questions have no answers yet. Waits for @ms at most. 0, an error of
 * blkback_xenstore_probe(), -EPROTO or -ENOMEM; then some are not answered.
 */
int blkback_xenstore_ask(struct blkback_question *questions, size_t n, int ms);

/*
 * As xs_open(0). *fd: the connection's descriptor for the guard, or -1 if unknown;
 * *by_socket: whether it is xenstored's socket.
 */
struct xs_handle *blkback_xenstore_open(int *fd, bool *by_socket);

/*
 * The number of the domain that this process runs in. Toolstacks write the node domid
 * for each domain; without it, 0.
 */
uint32_t blkback_xenstore_domid(struct xs_handle *xs);

/*
 * Whether there is no domain @domid; also if xenstore does not answer. Only a privileged
 * domain may ask: in another one this is false, and what shows the end of a domain is
 * the end of its nodes.
 */
bool blkback_xenstore_domain_is_gone(struct xs_handle *xs, uint32_t domid);

/*
 * In @seconds from now, unless called again before, with any @seconds and 0 for
 * never: close the connection @fd, so that the call that waits for an answer fails,
 * and all later ones. Uses SIGALRM.
 */
void blkback_xenstore_guard(int fd, unsigned seconds);

/* Whether the guard has closed a connection; and forget that. */
bool blkback_xenstore_hung(void);

#endif
