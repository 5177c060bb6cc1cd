/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See xenstore-server.h. Nodes and watches are in one hash table each, by path. One
 * lock; the thread takes it while it handles requests, the test for each call. The
 * programs of a test write in one transaction at a time.
 */
#include "tests/daemon/xenstore-server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#define PATH 200u
#define HOME "/local/domain/0/"
#define BUCKETS (1u << 16)
#define CLIENTS 64u

struct node {
	struct node *next; /* in its bucket */
	struct node *parent, *first, *sibling; /* newest child first */
	char *value;
	unsigned len;
	char path[];
};

struct watch {
	struct watch *next;
	struct client *client;
	char *as, *token; /* as the client wrote the path */
	char path[PATH];
};

struct client {
	int fd;
	char in[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX + 1];
	size_t got;
	char *out; /* from @sent to @length: to be sent */
	size_t sent, length, room;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t committed = PTHREAD_COND_INITIALIZER;
static struct client *in_transaction; /* or NULL */
static struct node *nodes[BUCKETS];
static struct watch *watches[BUCKETS];
static struct client *clients[CLIENTS];
static unsigned nr_clients;
static unsigned long requests;
static int listener, wake; /* an eventfd: a client has something to be sent */

static unsigned hash(const char *path)
{
	unsigned h = 5381;

	while (*path)
		h = h * 33 + (unsigned char)*path++;
	return h % BUCKETS;
}

/* ---- answers and events --------------------------------------------------- */

static void append(struct client *c, const void *data, size_t n)
{
	if (c->length + n > c->room) {
		c->room = 2 * (c->length + n);
		c->out = realloc(c->out, c->room);
	}
	memcpy(c->out + c->length, data, n);
	c->length += n;
}

static void answer(struct client *c, const struct xsd_sockmsg *to,
		   const void *data, size_t n)
{
	struct xsd_sockmsg m = *to;

	m.len = (uint32_t)n;
	append(c, &m, sizeof(m));
	append(c, data, n);
}

static void answer_error(struct client *c, const struct xsd_sockmsg *to,
			 int error)
{
	struct xsd_sockmsg m = *to;
	size_t i;

	m.type = XS_ERROR;
	for (i = 0; xsd_errors[i].errnum != error; i++)
		;
	answer(c, &m, xsd_errors[i].errstring,
	       strlen(xsd_errors[i].errstring) + 1);
}

static void answer_ok(struct client *c, const struct xsd_sockmsg *to)
{
	answer(c, to, "OK", 3);
}

static void send_event(const struct watch *w, const char *path)
{
	struct xsd_sockmsg m = { .type = XS_WATCH_EVENT };
	char text[2 * PATH + 2];
	size_t n, token = strlen(w->token) + 1;

	if (w->as[0] != '/' && w->as[0] != '@')
		path += strlen(HOME);
	n = strlen(path) + 1;
	memcpy(text, path, n);
	memcpy(text + n, w->token, token);
	answer(w->client, &m, text, n + token);
}

/* @path has changed: tell who watches it or something above it. */
static void fire(const char *path)
{
	char above[PATH], *slash;
	const struct watch *w;

	snprintf(above, sizeof(above), "%s", path);
	for (;;) {
		for (w = watches[hash(above)]; w; w = w->next)
			if (!strcmp(w->path, above))
				send_event(w, path);
		slash = strrchr(above, '/');
		if (!slash || slash == above)
			return;
		*slash = '\0';
	}
}

/* ---- nodes ----------------------------------------------------------------- */

static struct node *find(const char *path)
{
	struct node *n = nodes[hash(path)];

	while (n && strcmp(n->path, path))
		n = n->next;
	return n;
}

static struct node *make(const char *path)
{
	struct node *n = find(path), *parent = NULL;
	char above[PATH], *slash;

	if (n)
		return n;
	snprintf(above, sizeof(above), "%s", path);
	slash = strrchr(above, '/');
	if (slash && strcmp(path, "/")) {
		slash[slash == above] = '\0';
		parent = make(above);
	}
	n = calloc(1, sizeof(*n) + strlen(path) + 1);
	strcpy(n->path, path);
	n->value = calloc(1, 1);
	n->next = nodes[hash(path)];
	nodes[hash(path)] = n;
	n->parent = parent;
	if (parent) {
		n->sibling = parent->first;
		parent->first = n;
	}
	return n;
}

static void set(const char *path, const char *value, unsigned len)
{
	struct node *n = make(path);

	free(n->value);
	n->value = malloc(len + 1);
	memcpy(n->value, value, len);
	n->value[len] = '\0';
	n->len = len;
	fire(path);
}

static void drop(struct node *n)
{
	struct node **link = &nodes[hash(n->path)];

	while (n->first)
		drop(n->first);
	while (*link != n)
		link = &(*link)->next;
	*link = n->next;
	for (link = &n->parent->first; *link != n;)
		link = &(*link)->sibling;
	*link = n->sibling;
	fire(n->path);
	free(n->value);
	free(n);
}

static const char *name_of(const struct node *n)
{
	return strrchr(n->path, '/') + 1;
}

/* The names of the children, each with its NUL. */
static char *list(const struct node *n, size_t *size)
{
	const struct node *child;
	char *text, *p;

	*size = 0;
	for (child = n->first; child; child = child->sibling)
		*size += strlen(name_of(child)) + 1;
	p = text = malloc(*size + 1);
	for (child = n->first; child; child = child->sibling)
		p = stpcpy(p, name_of(child)) + 1;
	return text;
}

/* ---- requests ---------------------------------------------------------------- */

static void answer_list(struct client *c, const struct xsd_sockmsg *m,
			const struct node *n)
{
	size_t size;
	char *text = list(n, &size);

	if (size > XENSTORE_PAYLOAD_MAX)
		answer_error(c, m, E2BIG);
	else
		answer(c, m, text, size);
	free(text);
}

/* As much of the list as fits, from @offset on; an empty name is the end. */
static void answer_part(struct client *c, const struct xsd_sockmsg *m,
			const struct node *n, size_t offset)
{
	char out[XENSTORE_PAYLOAD_MAX] = "1", *text;
	size_t size, k, at = 2; /* behind the generation, which never changes */

	text = list(n, &size);
	while (offset < size &&
	       at + (k = strlen(text + offset) + 1) < sizeof(out)) {
		memcpy(out + at, text + offset, k);
		at += k;
		offset += k;
	}
	if (offset >= size)
		out[at++] = '\0';
	answer(c, m, out, at);
	free(text);
}

/* Of @c: the one with @as and @token, or all in the bucket when @as is NULL. */
static void unwatch(struct client *c, unsigned bucket, const char *as,
		    const char *token)
{
	struct watch **link = &watches[bucket], *w;

	while ((w = *link)) {
		if (w->client != c ||
		    (as && (strcmp(w->as, as) || strcmp(w->token, token)))) {
			link = &w->next;
			continue;
		}
		*link = w->next;
		free(w->as);
		free(w->token);
		free(w);
	}
}

static void watch(struct client *c, const char *path, const char *as,
		  const char *token)
{
	struct watch *w = calloc(1, sizeof(*w));

	w->client = c;
	w->as = strdup(as);
	w->token = strdup(token);
	snprintf(w->path, sizeof(w->path), "%s", path);
	w->next = watches[hash(path)];
	watches[hash(path)] = w;
	send_event(w, path);
}

static bool is_domain(const char *domid)
{
	char path[PATH];

	snprintf(path, sizeof(path), "/local/domain/%s", domid);
	return !strcmp(domid, "0") || find(path);
}

static void end_transaction(struct client *c)
{
	if (in_transaction != c)
		return;
	in_transaction = NULL;
	pthread_cond_broadcast(&committed);
}

/* Requests that need no node. False: it is another one. */
static bool handle_other(struct client *c, const struct xsd_sockmsg *m,
			 const char *path, const char *text, const char *second)
{
	switch (m->type) {
	case XS_TRANSACTION_START:
		in_transaction = c;
		answer(c, m, "1", 2);
		return true;
	case XS_TRANSACTION_END:
		end_transaction(c);
		answer_ok(c, m);
		return true;
	case XS_SET_PERMS:
		answer_ok(c, m);
		return true;
	case XS_IS_DOMAIN_INTRODUCED:
		answer(c, m, is_domain(text) ? "T" : "F", 2);
		return true;
	case XS_WATCH:
		answer_ok(c, m);
		watch(c, path, text, second);
		return true;
	case XS_UNWATCH:
		unwatch(c, hash(path), text, second);
		answer_ok(c, m);
		return true;
	case XS_WRITE:
		set(path, second, m->len - (unsigned)(second - text));
		answer_ok(c, m);
		return true;
	case XS_MKDIR:
		make(path);
		fire(path);
		answer_ok(c, m);
		return true;
	default:
		return false;
	}
}

static void handle(struct client *c, const struct xsd_sockmsg *m,
		   const char *text)
{
	const char *second = text + strnlen(text, m->len) + 1;
	char path[PATH];
	struct node *n;

	requests++;
	snprintf(path, sizeof(path), "%s%s",
		 text[0] == '/' || text[0] == '@' ? "" : HOME, text);
	if (handle_other(c, m, path, text, second))
		return;
	n = find(path);
	if (!n)
		answer_error(c, m, ENOENT);
	else if (m->type == XS_READ)
		answer(c, m, n->value, n->len);
	else if (m->type == XS_DIRECTORY)
		answer_list(c, m, n);
	else if (m->type == XS_DIRECTORY_PART)
		answer_part(c, m, n, strtoul(second, NULL, 10));
	else if (m->type == XS_RM)
		drop(n), answer_ok(c, m);
	else
		answer_error(c, m, ENOSYS);
}

/* ---- the thread ---------------------------------------------------------------- */

/* False: the client has gone. */
static bool receive(struct client *c)
{
	struct xsd_sockmsg m;
	ssize_t n = recv(c->fd, c->in + c->got, sizeof(c->in) - 1 - c->got,
			 MSG_DONTWAIT);
	size_t all;

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	c->got += (size_t)n;
	while (c->got >= sizeof(m)) {
		char text[XENSTORE_PAYLOAD_MAX + 2];

		memcpy(&m, c->in, sizeof(m));
		all = sizeof(m) + m.len;
		if (m.len > XENSTORE_PAYLOAD_MAX)
			return false;
		if (c->got < all)
			break;
		memcpy(text, c->in + sizeof(m), m.len);
		text[m.len] = text[m.len + 1] = '\0';
		c->got -= all;
		memmove(c->in, c->in + all, c->got);
		handle(c, &m, text);
	}
	return true;
}

static void deliver(struct client *c)
{
	ssize_t n = send(c->fd, c->out + c->sent, c->length - c->sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		c->sent += (size_t)n;
	if (c->sent == c->length)
		c->sent = c->length = 0;
}

static void admit(void)
{
	struct client *c = calloc(1, sizeof(*c));

	if (nr_clients == CLIENTS)
		abort();
	c->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (c->fd < 0)
		free(c);
	else
		clients[nr_clients++] = c;
}

static void dismiss(unsigned i)
{
	struct client *c = clients[i];
	unsigned b;

	end_transaction(c);
	for (b = 0; b < BUCKETS; b++)
		unwatch(c, b, NULL, NULL);
	clients[i] = clients[--nr_clients];
	close(c->fd);
	free(c->out);
	free(c);
}

static void *serve(void *arg)
{
	struct pollfd p[CLIENTS + 2];
	uint64_t count;
	unsigned i, n;

	for (;;) {
		p[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = wake, .events = POLLIN };
		pthread_mutex_lock(&lock);
		n = nr_clients;
		for (i = 0; i < n; i++)
			p[i + 2] = (struct pollfd){
				.fd = clients[i]->fd,
				.events = (short)(clients[i]->length
							  ? POLLIN | POLLOUT
							  : POLLIN)
			};
		pthread_mutex_unlock(&lock);
		poll(p, n + 2, -1);
		if (p[1].revents && read(wake, &count, sizeof(count)) < 0)
			abort();
		pthread_mutex_lock(&lock);
		for (i = n; i--;)
			if (p[i + 2].revents & ~POLLOUT && !receive(clients[i]))
				dismiss(i);
		for (i = 0; i < nr_clients; i++)
			if (clients[i]->length)
				deliver(clients[i]);
		if (p[0].revents)
			admit();
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

bool xenstore_serve(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	pthread_t thread;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	wake = eventfd(0, EFD_CLOEXEC);
	make("/");
	return listener >= 0 && wake >= 0 &&
	       !bind(listener, (struct sockaddr *)&a, sizeof(a)) &&
	       !listen(listener, 32) &&
	       !pthread_create(&thread, NULL, serve, NULL);
}

/* ---- the test's calls ------------------------------------------------------------ */

/* The test waits for the end of a transaction: it never sees half of one. */
static void begin_call(void)
{
	pthread_mutex_lock(&lock);
	while (in_transaction)
		pthread_cond_wait(&committed, &lock);
}

static void end_call(void)
{
	uint64_t one = 1;

	pthread_mutex_unlock(&lock);
	if (write(wake, &one, sizeof(one)) < 0)
		abort();
}

void xenstore_set(const char *path, const char *value)
{
	begin_call();
	set(path, value, (unsigned)strlen(value));
	end_call();
}

void xenstore_remove(const char *path)
{
	struct node *n;

	begin_call();
	n = find(path);
	if (n)
		drop(n);
	end_call();
}

bool xenstore_is(const char *path, const char *value)
{
	const struct node *n;
	bool is;

	begin_call();
	n = find(path);
	is = n && value ? !strcmp(n->value, value) : !n && !value;
	pthread_mutex_unlock(&lock);
	return is;
}

void xenstore_hang_up(void)
{
	unsigned i;

	begin_call();
	for (i = 0; i < nr_clients; i++)
		shutdown(clients[i]->fd, SHUT_RDWR);
	end_call();
}

bool xenstore_is_delivered(void)
{
	bool all = true;
	unsigned i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < nr_clients; i++)
		all &= !clients[i]->length;
	pthread_mutex_unlock(&lock);
	return all;
}

unsigned long xenstore_requests(void)
{
	return __atomic_load_n(&requests, __ATOMIC_RELAXED);
}
