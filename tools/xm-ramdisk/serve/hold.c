/* SPDX-License-Identifier: BSD-2-Clause */
/* See hold.h. */
#include "tools/xm-ramdisk/serve/hold.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/message.h"

#define MESSAGE_MAX (RD_ID_MAX + RD_SEED_MAX + 2)

struct hold {
	struct hold *next;
	struct rd_disk *disk;
	char *export; /* its name for clients */
	unsigned clients; /* connections of the nbdkit that runs */
	bool released; /* the last of them has detached */
	int64_t until; /* ms; without clients the disk is held until then */
};

/* ---- the disks ----------------------------------------------------------- */

static struct hold **find(struct holds *h, const char *id)
{
	struct hold **at = &h->list;

	while (*at && strcmp(rd_id((*at)->disk), id))
		at = &(*at)->next;
	return at;
}

static void drop(struct hold **at)
{
	struct hold *hold = *at;

	*at = hold->next;
	rd_detach(hold->disk);
	free(hold->export);
	free(hold);
}

static int stopped(void *arg, uint64_t done, uint64_t total)
{
	const struct holds *h = arg;

	(void)done;
	(void)total;
	return *h->stop;
}

/* Attach to the disk @id, to which nbdkit is attached. */
static struct rd_disk *attach(struct holds *h, const char *id)
{
	struct rd_attach_request req = {
		.name = id,
		.flags = RD_EXISTING,
		.label = "xm-ramdisk serve",
		.progress = stopped,
		.progress_arg = h,
	};
	struct rd_disk *disk;
	struct rd_error err;

	if (rd_attach(h->store, &req, &disk, &err)) {
		say_failed("%s", err.text);
		return NULL;
	}
	if (!strcmp(rd_id(disk), id))
		return disk;
	rd_detach(disk); /* a name that looks like the id */
	return NULL;
}

static bool add(struct holds *h, const char *id, const char *export)
{
	struct hold *hold = calloc(1, sizeof(*hold));

	if (hold)
		hold->export = strdup(export);
	if (hold && hold->export)
		hold->disk = attach(h, id);
	if (!hold || !hold->disk) {
		if (hold)
			free(hold->export);
		free(hold);
		return false;
	}
	hold->next = h->list;
	h->list = hold;
	return true;
}

/* ---- the messages -------------------------------------------------------- */

static char take(struct holds *h, char *id)
{
	char *slash = strchr(id, '/');
	struct hold *hold;

	if (!slash)
		return 'n';
	*slash = 0;
	if (!*find(h, id) && !add(h, id, slash + 1))
		return 'n';
	hold = *find(h, id);
	hold->released = false;
	hold->clients++;
	return 'y';
}

static char release(struct holds *h, const char *id)
{
	struct hold *hold = *find(h, id);

	if (hold && hold->clients && !--hold->clients) {
		hold->released = true;
		hold->until = clock_deadline(LINGER_SECONDS);
	}
	return 'y';
}

/* nbdkit accepts a client, so it has not been asked to end. */
static char drop_released(struct holds *h)
{
	struct hold **at = &h->list;

	while (*at)
		if ((*at)->released)
			drop(at);
		else
			at = &(*at)->next;
	return 'y';
}

/* The @n-th disk, as the text "pID/EXPORT", or "n" if there are fewer. */
static void tell(const struct holds *h, unsigned long n, char text[MESSAGE_MAX])
{
	const struct hold *hold = h->list;

	for (; hold && n; n--)
		hold = hold->next;
	if (hold)
		snprintf(text, MESSAGE_MAX, "p%s/%s", rd_id(hold->disk),
			 hold->export);
	else
		strcpy(text, "n");
}

static void answer(struct holds *h, char text[MESSAGE_MAX])
{
	char byte = 'n';

	if (*text == '?') {
		tell(h, strtoul(text + 1, NULL, 10), text);
	} else {
		if (*text == '!')
			byte = drop_released(h);
		else if (*text == '+')
			byte = take(h, text + 1);
		else if (*text == '-')
			byte = release(h, text + 1);
		snprintf(text, MESSAGE_MAX, "%c", byte);
	}
	/* nbdkit waits for one answer at a time: there is room for it */
	send(h->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void holds_answer(struct holds *h)
{
	char text[MESSAGE_MAX];
	ssize_t n;

	while (h->fd >= 0 &&
	       (n = recv(h->fd, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
		text[n] = 0;
		answer(h, text);
	}
}

/* ---- nbdkit starts and ends ---------------------------------------------- */

int holds_begin(struct holds *h)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	h->fd = fds[0];
	return fds[1];
}

void holds_ready(struct holds *h)
{
	int64_t until = clock_deadline(HOLD_SECONDS);
	struct hold *hold;

	for (hold = h->list; hold; hold = hold->next)
		hold->until = until;
}

void holds_end(struct holds *h)
{
	struct hold *hold;

	if (h->fd < 0)
		return;
	/* not the requests that are waiting: their clients are gone with nbdkit */
	close(h->fd);
	h->fd = -1;
	for (hold = h->list; hold; hold = hold->next) {
		hold->clients = 0;
		hold->released = false;
		hold->until = INT64_MAX;
	}
}

void holds_expire(struct holds *h)
{
	struct hold **at = &h->list;
	int64_t now = clock_now_ms();

	while (*at)
		if (!(*at)->clients && (*at)->until <= now)
			drop(at);
		else
			at = &(*at)->next;
}

void holds_free(struct holds *h)
{
	while (h->list)
		drop(&h->list);
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}
