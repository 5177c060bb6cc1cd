/* SPDX-License-Identifier: BSD-2-Clause */
/* See holder.h. */
#include "drivers/nbdkit/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "drivers/nbdkit/pins.h"

#define MESSAGE_MAX (RD_ID_MAX + RD_SEED_MAX + 2)

static int fd = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int holder_config(const char *value)
{
	if (nbdkit_parse_int("holder", value, &fd) < 0)
		return -1;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		return 0;
	nbdkit_error(
		"holder=%s: expected a descriptor; xm-ramdisk serve sets it",
		value);
	return -1;
}

static ssize_t receive(char *text)
{
	ssize_t n;

	do {
		n = recv(fd, text, MESSAGE_MAX - 1, 0);
	} while (n < 0 && errno == EINTR);
	text[n > 0 ? n : 0] = 0;
	return n;
}

/* Send @text, and put the answer in its place. The answer's first byte, or 0. */
static char ask(char text[MESSAGE_MAX])
{
	char answer = 0;

	pthread_mutex_lock(&mutex);
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) >= 0 &&
	    receive(text) > 0)
		answer = *text;
	pthread_mutex_unlock(&mutex);
	return answer;
}

int holder_get_pins(void)
{
	char text[MESSAGE_MAX], *slash;
	unsigned i;

	for (i = 0; fd >= 0; i++) {
		snprintf(text, sizeof(text), "?%u", i);
		if (ask(text) != 'p')
			break;
		slash = strchr(text, '/');
		if (!slash)
			break;
		*slash = 0;
		if (pins_add(slash + 1, text + 1))
			return -1;
	}
	return 0;
}

void holder_prepare(void)
{
	char text[MESSAGE_MAX] = "!";

	if (fd >= 0)
		ask(text);
}

int holder_take(const char *id, const char *export)
{
	char text[MESSAGE_MAX];

	if (fd < 0)
		return 0;
	snprintf(text, sizeof(text), "+%s/%s", id, export);
	if (ask(text) == 'y')
		return 0;
	nbdkit_error(
		"a client of the export '%s' was refused: xm-ramdisk serve cannot attach to its disk",
		export);
	return -1;
}

void holder_release(const char *id)
{
	char text[MESSAGE_MAX];

	if (fd < 0)
		return;
	snprintf(text, sizeof(text), "-%s", id);
	ask(text);
}
