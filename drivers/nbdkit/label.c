/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "drivers/nbdkit/label.h"

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

static const char *given; /* or NULL */

int label_config(const char *value)
{
	given = value;
	return 0;
}

bool label_is_given(void)
{
	return given != NULL;
}

void label_of_client(char label[RD_LABEL_MAX])
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	char host[48] = "", port[8] = "";
	int64_t pid;

	snprintf(label, RD_LABEL_MAX, "%s", given ? given : "nbd");
	if (given)
		return;
	if (nbdkit_peer_name((struct sockaddr *)&a, &len) < 0)
		return;
	if (a.ss_family == AF_UNIX) {
		pid = nbdkit_peer_pid();
		if (pid > 0)
			snprintf(label, RD_LABEL_MAX, "nbd/pid %" PRId64, pid);
	} else if (!getnameinfo((struct sockaddr *)&a, len, host, sizeof(host),
				port, sizeof(port),
				NI_NUMERICHOST | NI_NUMERICSERV)) {
		/* An IPv4 client on an IPv6 socket. */
		snprintf(label, RD_LABEL_MAX, "nbd/%s %s",
			 strncmp(host, "::ffff:", 7) ? host : host + 7, port);
	}
}
