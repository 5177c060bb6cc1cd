/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this host is: whether it is a Xen control domain, whether this process
 * is root's, and whether xenstore answers. One thread; no state beside this domain's
 * number and the alarm signal, which host_open() uses and restores.
 */
#include "tools/xm-ramdisk/xen/host.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenstore_lib.h>

#include "drivers/blkback/common/xenstore.h"
#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/file.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/program.h"

#define ANSWER_SECONDS 2 /* unless $XEN_RAMDISK_XENSTORE_SECONDS */
#define HUNG_MS 10000 /* one that has not answered is not asked again */

/*
 * /dev/xen/xenbus opens also when xenstored does not run, and then a read from
 * it never returns. So SIGALRM ends the process if the first answer is late.
 */
static void end_without_answer(int signal)
{
	static const char text[] =
		"xm-ramdisk: xenstore does not answer; is xenstored running?\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)signal, (void)n;
	_exit(EXIT_FAILED);
}

unsigned host_xenstore_seconds(void)
{
	const char *text = getenv("XEN_RAMDISK_XENSTORE_SECONDS");
	int seconds = text ? atoi(text) : 0;

	return seconds > 0 && seconds <= 3600 ? (unsigned)seconds
					      : ANSWER_SECONDS;
}

/* blkback_xenstore_probe(), so that a command waits for the time once. */
static int probe(void)
{
	static int64_t hung_until;
	int rc;

	if (clock_now_ms() < hung_until)
		return -ETIMEDOUT;
	rc = blkback_xenstore_probe((int)host_xenstore_seconds() * 1000);
	if (rc == -ETIMEDOUT)
		hung_until = clock_now_ms() + HUNG_MS;
	return rc;
}

/* A handle, or NULL. *answers: whether xenstore answered a request. */
static struct xs_handle *open_in_time(bool *answers)
{
	void (*before)(int) = signal(SIGALRM, end_without_answer);
	struct xs_handle *xs;
	unsigned n;
	char **names;

	/* connecting waits too, for a xenstored with many clients before us */
	alarm(host_xenstore_seconds());
	xs = xs_open(0);
	names = xs ? xs_directory(xs, XBT_NULL, "/", &n) : NULL;
	alarm(0);
	signal(SIGALRM, before);
	/* a domain other than Domain-0 may not list "/" */
	*answers = names || errno == EACCES;
	free(names);
	return xs;
}

bool host_is_xen(void)
{
	char type[16];

	return (file_first_line("/sys/hypervisor/type", type, sizeof(type)) &&
		!strcmp(type, "xen")) ||
	       access("/proc/xen/capabilities", F_OK) == 0;
}

/*
 * Whether this is another domain than Domain-0, whose UUID is all zeros. In a guest
 * xenstored has no socket, and answers through the kernel's device.
 */
static bool is_guest(void)
{
	char uuid[64];

	return file_first_line("/sys/hypervisor/uuid", uuid, sizeof(uuid)) &&
	       uuid[strspn(uuid, "0-")];
}

bool host_has_xenstore(void)
{
	static bool said;
	int rc = host_is_xen() ? probe() : -ENOENT;

	if (rc == -ENOENT && host_is_xen() && is_guest())
		return true;
	if (rc == -ETIMEDOUT && !said)
		say_note(
			"xenstored has not answered for %u seconds, and is not waited for: names of domains are missing; is it stopped?",
			host_xenstore_seconds());
	said |= rc == -ETIMEDOUT;
	return !rc;
}

int host_open(const char *what, struct xs_handle **xs)
{
	const char *path = xs_daemon_socket();
	bool answers;
	int rc;

	if (!host_is_xen())
		return say_failed(
			"no Xen here: /sys/hypervisor/type is not xen, and there is no /proc/xen; to try it without Xen, run 'make demo' in the sources");
	if (geteuid() != 0)
		return say_failed("%s needs root: it writes xenstore", what);
	rc = probe();
	if (rc == -ECONNREFUSED)
		return say_failed(
			"xenstore is down: no process listens on %s; is xenstored running?",
			path);
	if (rc == -ETIMEDOUT)
		return say_failed(
			"xenstore does not answer; is xenstored running?");
	*xs = open_in_time(&answers);
	if (!*xs)
		return say_failed(
			"xenstore is down: neither %s nor /dev/xen/xenbus can be used (%s); is xenstored running?",
			path, strerror(errno));
	if (answers)
		return EXIT_DONE;
	say_failed("xenstore answers: %s; is this a Xen domain?",
		   strerror(errno));
	xs_close(*xs);
	return EXIT_FAILED;
}

void host_load_frontend(void)
{
	static const char *const argv[] = { "modprobe", "-q", "xen-blkfront",
					    NULL };
	/*
	 * Do not wait for modprobe: while it loads, the driver waits for all
	 * devices of the domain, and the caller may be the hotplug script of
	 * one of them. Modprobe gets none of our descriptors, so that a program
	 * that reads our output does not wait for it either. If the driver is
	 * loaded, or built in, modprobe does nothing or fails; both are fine.
	 */
	program_start_quietly(argv);
}

unsigned host_domid(struct xs_handle *xs)
{
	static unsigned domid;
	static bool asked;

	if (!asked)
		domid = blkback_xenstore_domid(xs);
	asked = true;
	return domid;
}
