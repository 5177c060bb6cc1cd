/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See xen.h; the grants are in grants.c. Xenstore is a table of paths and a ring of the last changes. Each
 * process compares the changes with its watches every few milliseconds. An event
 * channel has an event every millisecond. There is one lock; since a process
 * may be killed while it holds the lock, others take it after half a second.
 */
#include "tests/daemon/xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#define NODES 256u
#define PATH 200u
#define VALUE 1024u /* longer than an error of a worker */
#define CHANGES 1024u
#define WATCHES 32u
#define HOME "/local/domain/%u/"

static struct {
	int lock;
	unsigned generation; /* of xenstored; odd: it has ended */
	unsigned n;
	struct {
		char path[PATH], value[VALUE];
		unsigned len;
	} node[NODES];
	uint64_t changes;
	char change[CHANGES][PATH];
	_Atomic bool die_in_copy;
} * shared;

_Atomic bool *fake_die_in_copy;
static bool is_worker;

/*
 * While the file $FAKE_XEN.hold exists, new workers wait here, before main().
 */
static void hold_workers(void)
{
	char path[256], line[256] = "";
	FILE *f = fopen("/proc/self/cmdline", "r");
	size_t n = f ? fread(line, 1, sizeof(line) - 1, f) : 0;

	if (f)
		fclose(f);
	snprintf(path, sizeof(path), "%s.hold", getenv("FAKE_XEN"));
	is_worker = memmem(line, n, "--worker", 8);
	if (is_worker)
		while (!syscall(SYS_faccessat, AT_FDCWD, path, F_OK))
			usleep(1000);
}

__attribute__((constructor)) void fake_xen_open(void)
{
	if (!getenv("FAKE_XEN") || shared)
		return;
	hold_workers();
	shared = fake_map("xenstore", sizeof(*shared));
	fake_die_in_copy = &shared->die_in_copy;
	fake_grants_open();
}

static int ticks(long ns, int flags)
{
	struct itimerspec t = { { 0, ns }, { 0, ns } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | flags);

	timerfd_settime(fd, 0, &t, NULL);
	return fd;
}

/*
 * The daemon and the command check for these files, which this machine lacks.
 */
int access(const char *path, int mode)
{
	if (!strncmp(path, "/dev/xen/", 9) || !strncmp(path, "/proc/xen/", 10))
		return 0;
	return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

/* The store copies blocks for points with calls of one block. */
ssize_t pwrite(int fd, const void *buf, size_t n, off_t off)
{
	if (n == 4096 && is_worker &&
	    atomic_exchange(fake_die_in_copy, false)) {
		syscall(SYS_pwrite64, fd, buf, n / 2, off);
		__builtin_trap();
	}
	return syscall(SYS_pwrite64, fd, buf, n, off);
}

/* ---- xenstore ----------------------------------------------------------- */

struct xs_handle {
	int fd;
	unsigned generation; /* of the xenstored that it is connected to */
	uint64_t seen;
	unsigned n, at; /* watches; the next one to compare with the change */
	struct {
		char path[PATH], token[PATH];
		bool first;
	} watch[WATCHES];
};

static void lock(void)
{
	unsigned tries = 0;

	while (__atomic_exchange_n(&shared->lock, 1, __ATOMIC_ACQUIRE) &&
	       tries++ < 5000)
		usleep(100);
}

static void unlock(void)
{
	__atomic_store_n(&shared->lock, 0, __ATOMIC_RELEASE);
}

/* As libxenstore when its xenstored has ended, though another one may run. */
static bool broken(const struct xs_handle *h)
{
	errno = EINVAL;
	return h->generation !=
	       __atomic_load_n(&shared->generation, __ATOMIC_SEQ_CST);
}

void fake_xenstored_end(void)
{
	__atomic_or_fetch(&shared->generation, 1, __ATOMIC_SEQ_CST);
}

void fake_xenstored_begin(bool keeps)
{
	lock();
	if (!keeps)
		shared->n = 0;
	unlock();
	__atomic_add_fetch(&shared->generation, 1, __ATOMIC_SEQ_CST);
}

/* The test's, or none, also on a machine that has one. */
const char *xs_daemon_socket(void)
{
	const char *path = getenv("XENSTORED_PATH");

	return path ? path : "/nonexistent/socket";
}

/* The domain that this process is in: $FAKE_XEN_DOMID, or Domain-0. */
static unsigned own_domid(void)
{
	const char *text = getenv("FAKE_XEN_DOMID");

	return text ? (unsigned)atoi(text) : 0;
}

static const char *home(char buf[PATH])
{
	snprintf(buf, PATH, HOME, own_domid());
	return buf;
}

static const char *absolute(const char *path, char buf[PATH])
{
	size_t n;

	if (path[0] == '/')
		return path;
	n = strlen(home(buf));
	snprintf(buf + n, PATH - n, "%s", path);
	return buf;
}

/*
 * Domain-0 may do all. Another domain owns what is below its own directory, and reads
 * the frontends of others, as the toolstack permits it. It gets EACCES, also
 * for what is not there; and no event of @releaseDomain, which is a node of Domain-0
 * here.
 */
static bool may_write(const char *path)
{
	char buf[PATH];

	errno = EACCES;
	return !own_domid() || !strncmp(path, home(buf), strlen(home(buf)));
}

static bool may_read(const char *path)
{
	return may_write(path) || strstr(path, "/device/vbd/");
}

/* As above, of a node that is not there. */
static int missing(const char *path)
{
	return may_write(path) ? ENOENT : EACCES;
}

static int find(const char *path)
{
	unsigned i;

	for (i = 0; i < shared->n; i++)
		if (!strcmp(shared->node[i].path, path))
			return (int)i;
	return -1;
}

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/');
}

static void set(const char *path, const void *value, unsigned len)
{
	char parent[PATH], *slash;
	int i = find(path);

	if (len >= VALUE)
		abort();
	if (i < 0) {
		snprintf(parent, sizeof(parent), "%s", path);
		slash = strrchr(parent, '/');
		*slash = '\0';
		if (slash != parent && find(parent) < 0)
			set(parent, "", 0);
		if (shared->n == NODES)
			abort();
		i = (int)shared->n++;
		snprintf(shared->node[i].path, PATH, "%s", path);
	}
	memcpy(shared->node[i].value, value, len);
	shared->node[i].value[len] = '\0';
	shared->node[i].len = len;
}

static void record_change(const char *path)
{
	snprintf(shared->change[shared->changes % CHANGES], PATH, "%s", path);
	__atomic_add_fetch(&shared->changes, 1, __ATOMIC_SEQ_CST);
}

struct xs_handle *xs_open(unsigned long flags)
{
	unsigned now = __atomic_load_n(&shared->generation, __ATOMIC_SEQ_CST);
	struct xs_handle *h;

	(void)flags;
	errno = ECONNREFUSED;
	if (now & 1)
		return NULL;
	h = calloc(1, sizeof(*h));
	h->generation = now;
	h->fd = ticks(3000000, TFD_NONBLOCK);
	h->seen = shared->changes;
	return h;
}

void xs_close(struct xs_handle *h)
{
	close(h->fd);
	free(h);
}

int xs_fileno(struct xs_handle *h)
{
	return h->fd;
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path,
		    unsigned int *num)
{
	char buf[PATH], **list, *text;
	size_t len;
	unsigned i;

	(void)t;
	if (broken(h))
		return NULL;
	list = malloc(NODES * (sizeof(char *) + PATH));
	text = (char *)(list + NODES);
	path = absolute(path, buf);
	len = strcmp(path, "/") ? strlen(path) : 0;
	*num = 0;
	lock();
	if (!may_read(path) || (len && find(path) < 0)) {
		unlock();
		free(list);
		errno = missing(path);
		return NULL;
	}
	for (i = 0; i < shared->n; i++) {
		const char *name = shared->node[i].path + len + 1;

		if (strncmp(shared->node[i].path, path, len) ||
		    shared->node[i].path[len] != '/' || strchr(name, '/'))
			continue;
		list[*num] = text + *num * PATH;
		snprintf(list[(*num)++], PATH, "%s", name);
	}
	unlock();
	return list;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path,
	      unsigned int *len)
{
	char buf[PATH], *copy = NULL;
	int i;

	(void)t;
	if (broken(h))
		return NULL;
	path = absolute(path, buf);
	lock();
	i = may_read(path) ? find(path) : -1;
	if (i >= 0) {
		copy = strdup(shared->node[i].value);
		*len = shared->node[i].len;
	}
	unlock();
	if (!copy)
		errno = missing(path);
	return copy;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path,
	      const void *data, unsigned int len)
{
	char buf[PATH];

	(void)t;
	if (broken(h))
		return false;
	path = absolute(path, buf);
	if (!may_write(path))
		return false;
	lock();
	set(path, data, len);
	record_change(path);
	unlock();
	return true;
}

bool xs_mkdir(struct xs_handle *h, xs_transaction_t t, const char *path)
{
	return xs_write(h, t, path, "", 0);
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t,
			const char *path, struct xs_permissions *perms,
			unsigned int n)
{
	(void)h, (void)t, (void)path, (void)perms, (void)n;
	return true;
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
	char buf[PATH];
	unsigned i = 0;
	bool there;

	(void)t;
	if (broken(h))
		return false;
	path = absolute(path, buf);
	if (!may_write(path))
		return false;
	lock();
	there = find(path) >= 0;
	while (i < shared->n)
		if (below(shared->node[i].path, path)) {
			char gone[PATH];

			memcpy(gone, shared->node[i].path, PATH);
			shared->node[i] = shared->node[--shared->n];
			record_change(gone);
		} else {
			i++;
		}
	if (!there)
		record_change(path);
	unlock();
	if (!there)
		errno = ENOENT;
	return there;
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
	if (broken(h))
		return false;
	if (h->n == WATCHES)
		abort();
	snprintf(h->watch[h->n].path, PATH, "%s", path);
	snprintf(h->watch[h->n].token, PATH, "%s", token);
	h->watch[h->n++].first = true;
	return true;
}

bool xs_unwatch(struct xs_handle *h, const char *path, const char *token)
{
	unsigned i;

	if (broken(h))
		return false;
	for (i = 0; i < h->n; i++)
		if (!strcmp(h->watch[i].path, path) &&
		    !strcmp(h->watch[i].token, token)) {
			h->watch[i] = h->watch[--h->n];
			return true;
		}
	errno = ENOENT;
	return false;
}

static char **event(const char *path, const char *token)
{
	char **e = malloc(2 * sizeof(char *) + 2 * (size_t)PATH);

	e[XS_WATCH_PATH] = (char *)(e + 2);
	e[XS_WATCH_TOKEN] = e[XS_WATCH_PATH] + PATH;
	snprintf(e[XS_WATCH_PATH], PATH, "%s", path);
	snprintf(e[XS_WATCH_TOKEN], PATH, "%s", token);
	return e;
}

char **xs_check_watch(struct xs_handle *h)
{
	char buf[PATH];
	uint64_t n;
	unsigned i;

	if (broken(h))
		return NULL;
	for (i = 0; i < h->n; i++)
		if (h->watch[i].first) {
			h->watch[i].first = false;
			return event(h->watch[i].path, h->watch[i].token);
		}
	for (; h->seen < shared->changes; h->seen++, h->at = 0) {
		const char *path = shared->change[h->seen % CHANGES];

		while (h->at < h->n) {
			const char *watched = h->watch[i = h->at++].path;

			if (!below(path, absolute(watched, buf)) ||
			    !may_read(path))
				continue;
			return event(watched[0] == '/'
					     ? path
					     : path + strlen(home(buf)),
				     h->watch[i].token);
		}
	}
	if (read(h->fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		abort();
	errno = EAGAIN;
	return NULL;
}

/* Transactions always succeed: the test makes no conflicting writes. */
xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
	return !broken(h);
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort_it)
{
	(void)t, (void)abort_it;
	return !broken(h);
}

/* Domains that have a name, and Domain-0. */
bool xs_is_domain_introduced(struct xs_handle *h, unsigned int domid)
{
	char path[PATH];
	bool there;

	if (broken(h))
		return false;
	if (own_domid()) { /* only Domain-0 may ask */
		errno = EACCES;
		return false;
	}
	snprintf(path, sizeof(path), HOME "name", domid);
	lock();
	there = !domid || find(path) >= 0;
	unlock();
	return there;
}

/* ---- event channels ----------------------------------------------------- */

/* Each tick is an event of the guest's port, or of a wakeup that was sent. */
#define RECEIVE_PORT 1 /* of the wakeup */
#define SEND_PORT 2
#define GUEST 100

struct xenevtchn_handle {
	int fd;
	int port; /* of the guest */
	_Atomic bool woken; /* the wakeup was sent */
};

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *l, unsigned flags)
{
	xenevtchn_handle *h = calloc(1, sizeof(*h));

	(void)l, (void)flags;
	h->fd = ticks(1000000, 0);
	return h;
}

int xenevtchn_close(xenevtchn_handle *h)
{
	close(h->fd);
	free(h);
	return 0;
}

int xenevtchn_fd(xenevtchn_handle *h)
{
	return h->fd;
}

int xenevtchn_notify(xenevtchn_handle *h, evtchn_port_t port)
{
	if (port == SEND_PORT)
		h->woken = true;
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *h,
						      uint32_t domid)
{
	(void)h, (void)domid;
	return RECEIVE_PORT;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *h,
						     uint32_t domid,
						     evtchn_port_t remote)
{
	if (domid == DOMID_SELF)
		return SEND_PORT;
	return h->port = (int)remote + GUEST;
}

int xenevtchn_unbind(xenevtchn_handle *h, evtchn_port_t port)
{
	(void)h, (void)port;
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *h)
{
	uint64_t n;

	if (read(h->fd, &n, sizeof(n)) < 0)
		return -1;
	return atomic_exchange(&h->woken, false) ? RECEIVE_PORT : h->port;
}

int xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t port)
{
	(void)h, (void)port;
	return 0;
}

int xenevtchn_restrict(xenevtchn_handle *h, domid_t domid)
{
	(void)h, (void)domid;
	return 0;
}
