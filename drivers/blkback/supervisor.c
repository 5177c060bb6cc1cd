/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon. Owns the xenstore handle, the list of devices, the signals and
 * the lock on the store's daemon file; holds no disk. One thread and one
 * poll() (libxenstore has a reader thread of its own behind its descriptor).
 *
 * Each turn drains the watches first, which only marks devices, and looks at
 * each marked device once after that.
 */
#include "supervisor.h"
#include "device.h"
#include "nodes.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WATCHES_A_TURN 4096
#define MAX_QUEUES 4
#define XENSTORE_PATIENCE 20 /* s to answer at the start */

struct blkback_supervisor {
	struct blkback_host host; /* first: devices point at it */
	struct blkback_options options;
	struct rd_store *store;
	struct blkback_device *devices;
	size_t nr_devices;
	int lock;
	int signals;
	bool more_watches;
	struct pollfd *polls;
	size_t nr_polls; /* allocated */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- opening ----------------------------------------------------------- */

static int check_xen(char *text, size_t size)
{
	static const char *const nodes[] = { "/dev/xen/evtchn",
					     "/dev/xen/gntdev" };
	size_t i;

	if (geteuid() != 0) {
		snprintf(text, size,
			 "must be run as root, since only root may serve guests");
		return -EPERM;
	}
	for (i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		if (!access(nodes[i], F_OK))
			continue;
		snprintf(text, size,
			 "no Xen here: %s is missing; this is for Domain-0 with the modules xen-evtchn and xen-gntdev loaded (without Xen, try `make demo`)",
			 nodes[i]);
		return -ENODEV;
	}
	return 0;
}

static int take_lock(struct blkback_supervisor *sup, char *text, size_t size)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[BLKBACK_PATH_MAX + 32], line[64];
	int n;

	snprintf(path, sizeof(path), "%s/" NODES_DAEMON_FILE, sup->host.store);
	sup->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
			 0644);
	if (sup->lock < 0) {
		n = -errno;
		snprintf(text, size, "cannot open %s: %s", path, strerror(-n));
		return n;
	}
	if (fcntl(sup->lock, F_OFD_SETLK, &whole)) {
		n = -errno;
		snprintf(text, size,
			 n == -EAGAIN || n == -EACCES ?
			 "another xen-ramdiskd already serves the store %s" :
			 "cannot lock the daemon file of the store %s",
			 sup->host.store);
		return n;
	}
	n = snprintf(line, sizeof(line), "%d %u %s\n", (int)getpid(),
		     RD_FORMAT, RD_VERSION);
	if (ftruncate(sup->lock, 0) || pwrite(sup->lock, line, n, 0) != n) {
		snprintf(text, size, "cannot write %s: %s", path,
			 strerror(errno));
		return -EIO;
	}
	return 0;
}

static int block_signals(struct blkback_supervisor *sup)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	sup->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return sup->signals < 0 ? -errno : 0;
}

/*
 * Without a daemon behind it the kernel's xenstore device takes a request and
 * waits for the answer, which a signal ends. A watch is set by the kernel itself
 * there, in a wait that nothing ends. So nothing is watched before an answer.
 */
static bool answers(struct xs_handle *xs)
{
	unsigned n;
	char **names = xs_directory(xs, XBT_NULL, "/", &n);

	free(names);
	return names != NULL;
}

static int open_xenstore(struct blkback_supervisor *sup, char *text,
			 size_t size)
{
	sup->host.xs = xs_open(0);
	if (!sup->host.xs) {
		snprintf(text, size,
			 "xenstore does not answer: tried the socket /run/xenstored/socket and /dev/xen/xenbus (%s); is xenstored running?",
			 strerror(errno));
		return -EIO;
	}
	if (!answers(sup->host.xs)) {
		snprintf(text, size, "xenstore answers: %s; is this Domain-0?",
			 strerror(errno));
		return -EIO;
	}
	if (!xs_watch(sup->host.xs, NODES_BACKEND, "back") ||
	    !xs_watch(sup->host.xs, "@releaseDomain", "release")) {
		snprintf(text, size, "cannot watch xenstore: %s",
			 strerror(errno));
		return -EIO;
	}
	return 0;
}

/* The start has a limit, and the limit has something to say. */
static void on_alarm(int sig)
{
	static const char text[] =
		"xen-ramdiskd: xenstore does not answer; is xenstored running?\n";

	(void)sig;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	_exit(1);
}

static int start_worker(struct blkback_host *host, const char *label,
			pid_t *pid, int *sock)
{
	struct blkback_supervisor *sup = (struct blkback_supervisor *)host;

	return blkback_process_start(label, sup->options.foreground,
				     sup->options.level, pid, sock);
}

static void kill_worker(struct blkback_host *host, pid_t pid)
{
	(void)host;
	kill(pid, SIGKILL);
}

/* A thread each, of which more than there are processors help nobody. */
static unsigned count_queues(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > MAX_QUEUES ? MAX_QUEUES : (unsigned)n;
}

int blkback_supervisor_open(struct blkback_supervisor **out,
			    const struct blkback_options *options, char *text,
			    size_t size)
{
	struct blkback_supervisor *sup;
	struct rd_error err = { "" };
	int ret = check_xen(text, size);

	if (ret)
		return ret;
	sup = calloc(1, sizeof(*sup));
	if (!sup)
		return -ENOMEM;
	sup->lock = sup->signals = -1;
	sup->options = *options;
	sup->host.max_queues = count_queues();
	sup->host.start = start_worker;
	sup->host.kill = kill_worker;
	ret = rd_store_open(&sup->store, options->store, &err);
	if (ret) {
		snprintf(text, size, "%s", err.text);
		goto fail;
	}
	sup->host.store = rd_store_path(sup->store);
	ret = take_lock(sup, text, size);
	if (ret)
		goto fail;
	signal(SIGALRM, on_alarm);
	alarm(XENSTORE_PATIENCE);
	ret = open_xenstore(sup, text, size);
	alarm(0);
	if (ret)
		goto fail;
	ret = block_signals(sup);
	if (ret) {
		snprintf(text, size, "cannot take signals: %s",
			 strerror(-ret));
		goto fail;
	}
	*out = sup;
	return 0;

fail:
	blkback_supervisor_close(sup);
	return ret;
}

void blkback_supervisor_close(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;

	while ((dev = sup->devices)) {
		sup->devices = dev->next;
		blkback_device_free(dev);
	}
	if (sup->host.xs)
		xs_close(sup->host.xs);
	if (sup->signals >= 0)
		close(sup->signals);
	if (sup->lock >= 0)
		close(sup->lock);
	if (sup->store)
		rd_store_close(sup->store);
	free(sup->polls);
	free(sup);
}

/* ---- marking ----------------------------------------------------------- */

static struct blkback_device *find(struct blkback_supervisor *sup,
				   uint32_t domid, uint32_t devid, bool make)
{
	struct blkback_device *dev;

	for (dev = sup->devices; dev; dev = dev->next)
		if (dev->domid == domid && dev->devid == devid)
			return dev;
	if (!make)
		return NULL;
	dev = blkback_device_new(&sup->host, domid, devid);
	if (!dev) {
		blkback_log(BLKBACK_ERROR, "no memory for device %u/%u", domid,
			    devid);
		return NULL;
	}
	dev->next = sup->devices;
	sup->devices = dev;
	sup->nr_devices++;
	return dev;
}

/* Take the number at the start of *@s, to the next slash or the end. */
static bool take_number(const char **s, uint32_t *value)
{
	char text[12];
	size_t n = strcspn(*s, "/");

	if (n >= sizeof(text))
		return false;
	memcpy(text, *s, n);
	text[n] = '\0';
	*s += n + ((*s)[n] == '/');
	return !blkback_parse_number(text, UINT32_MAX, value);
}

static void scan_domain(struct blkback_supervisor *sup, uint32_t domid)
{
	char path[BLKBACK_XPATH_MAX];
	unsigned n, i;
	uint32_t devid;
	char **list;

	snprintf(path, sizeof(path), "%s/%u", NODES_BACKEND, domid);
	list = xs_directory(sup->host.xs, XBT_NULL, path, &n);
	for (i = 0; list && i < n; i++) {
		struct blkback_device *dev = NULL;

		if (!blkback_parse_number(list[i], UINT32_MAX, &devid))
			dev = find(sup, domid, devid, true);
		if (dev)
			dev->back_dirty = true;
	}
	free(list);
}

static void scan(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;
	unsigned n, i;
	uint32_t domid;
	char **list = xs_directory(sup->host.xs, XBT_NULL, NODES_BACKEND, &n);

	for (i = 0; list && i < n; i++)
		if (!blkback_parse_number(list[i], UINT32_MAX, &domid))
			scan_domain(sup, domid);
	free(list);
	/* And those that are not there any more. */
	for (dev = sup->devices; dev; dev = dev->next)
		dev->back_dirty = true;
}

static void mark_back(struct blkback_supervisor *sup, const char *path)
{
	struct blkback_device *dev;
	uint32_t domid, devid;

	if (strncmp(path, NODES_BACKEND "/", strlen(NODES_BACKEND) + 1)) {
		scan(sup);
		return;
	}
	path += strlen(NODES_BACKEND) + 1;
	if (!take_number(&path, &domid))
		return;
	if (!*path) {
		scan_domain(sup, domid);
		for (dev = sup->devices; dev; dev = dev->next)
			dev->back_dirty |= dev->domid == domid;
		return;
	}
	if (!take_number(&path, &devid))
		return;
	dev = find(sup, domid, devid, true);
	if (dev)
		dev->back_dirty = true;
}

static void mark_front(struct blkback_supervisor *sup, const char *label)
{
	struct blkback_device *dev;
	uint32_t domid, devid;

	if (!take_number(&label, &domid) || !take_number(&label, &devid))
		return;
	dev = find(sup, domid, devid, false);
	if (dev)
		dev->front_dirty = true;
}

static void mark_domains(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;

	for (dev = sup->devices; dev; dev = dev->next)
		dev->domain_dirty = true;
}

/* 0, or -errno when xenstore is gone. */
static int drain_watches(struct blkback_supervisor *sup)
{
	unsigned i;

	sup->more_watches = false;
	for (i = 0; i < WATCHES_A_TURN; i++) {
		char **event = xs_check_watch(sup->host.xs);
		const char *token;

		if (!event)
			return errno == EAGAIN ? 0 : errno ? -errno : -EIO;
		token = event[XS_WATCH_TOKEN];
		if (!strcmp(token, "back"))
			mark_back(sup, event[XS_WATCH_PATH]);
		else if (!strcmp(token, "release"))
			mark_domains(sup);
		else if (!strncmp(token, "front/", 6))
			mark_front(sup, token + 6);
		free(event);
	}
	sup->more_watches = true;
	return 0;
}

/* ---- workers and signals ----------------------------------------------- */

static struct blkback_device *find_worker(struct blkback_supervisor *sup,
					  pid_t pid)
{
	struct blkback_device *dev;

	for (dev = sup->devices; dev; dev = dev->next)
		if (dev->pid == pid)
			return dev;
	return NULL;
}

static void reap_workers(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		dev = find_worker(sup, pid);
		if (!dev)
			continue;
		/* What it said before it died comes before its death. */
		blkback_device_message(dev, now_ms());
		/* Before Closed is written: who reads that may attach anew. */
		rd_reap(sup->store);
		blkback_device_worker_died(dev, status);
	}
}

static void stop(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;
	unsigned n = 0;

	if (sup->host.stopping)
		return;
	sup->host.stopping = true;
	for (dev = sup->devices; dev; dev = dev->next) {
		n += dev->pid != 0;
		blkback_device_stop(dev, now_ms());
	}
	blkback_log(n ? BLKBACK_WARNING : BLKBACK_INFO,
		    "stopped with %u devices attached", n);
}

static void take_signals(struct blkback_supervisor *sup)
{
	struct signalfd_siginfo info;

	while (read(sup->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap_workers(sup);
		else
			stop(sup);
	}
}

/* ---- the loop ---------------------------------------------------------- */

/* Look at the marked devices; the time of the next deadline, or 0. */
static int64_t process_devices(struct blkback_supervisor *sup)
{
	struct blkback_device **link = &sup->devices, *dev;
	int64_t deadline = 0, now = now_ms();

	while ((dev = *link)) {
		bool due = dev->back_dirty || dev->front_dirty ||
			   dev->domain_dirty ||
			   (dev->kill_at && now >= dev->kill_at);

		if (due && !blkback_device_process(dev, now)) {
			*link = dev->next;
			sup->nr_devices--;
			blkback_device_free(dev);
			continue;
		}
		if (dev->kill_at && !dev->killed &&
		    (!deadline || dev->kill_at < deadline))
			deadline = dev->kill_at;
		link = &dev->next;
	}
	return deadline;
}

static int timeout(const struct blkback_supervisor *sup, int64_t deadline)
{
	int64_t left;

	if (sup->more_watches)
		return 0;
	if (!deadline)
		return -1;
	left = deadline - now_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* Fill the poll set: xenstore, signals, then the workers in list order. */
static int fill_polls(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;
	size_t need = sup->nr_devices + 2, i = 2;

	if (need > sup->nr_polls) {
		struct pollfd *p = realloc(sup->polls, 2 * need * sizeof(*p));

		if (!p)
			return -ENOMEM;
		sup->polls = p;
		sup->nr_polls = 2 * need;
	}
	sup->polls[0] = (struct pollfd){ .fd = xs_fileno(sup->host.xs),
					 .events = POLLIN };
	sup->polls[1] = (struct pollfd){ .fd = sup->signals,
					 .events = POLLIN };
	for (dev = sup->devices; dev; dev = dev->next)
		sup->polls[i++] = (struct pollfd){ .fd = dev->sock,
						   .events = POLLIN };
	return 0;
}

static bool has_workers(const struct blkback_supervisor *sup)
{
	const struct blkback_device *dev;

	for (dev = sup->devices; dev; dev = dev->next)
		if (dev->pid)
			return true;
	return false;
}

static int turn(struct blkback_supervisor *sup, int64_t *deadline)
{
	struct blkback_device *dev;
	size_t i = 2;
	int ret = fill_polls(sup);

	if (ret)
		return ret;
	if (poll(sup->polls, sup->nr_devices + 2, timeout(sup, *deadline)) < 0)
		return errno == EINTR ? 0 : -errno;
	/* The list is as it was polled until process_devices(). */
	for (dev = sup->devices; dev; dev = dev->next)
		if (sup->polls[i++].revents)
			blkback_device_message(dev, now_ms());
	if (sup->polls[1].revents)
		take_signals(sup);
	ret = drain_watches(sup);
	if (ret)
		return ret;
	*deadline = process_devices(sup);
	return 0;
}

int blkback_supervisor_run(struct blkback_supervisor *sup)
{
	int64_t deadline = 0;
	int ret = 0;

	blkback_log(BLKBACK_INFO, "serves the store %s", sup->host.store);
	while (!ret && (!sup->host.stopping || has_workers(sup)))
		ret = turn(sup, &deadline);
	if (ret)
		blkback_log(BLKBACK_ERROR, "xenstore is gone: %s; ends",
			    strerror(-ret));
	return ret;
}
