/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See tls.h. libnbd reports one sentence for every certificate that it refuses.
 * Here a second handshake, after which no byte of the disk is read, lets any
 * certificate pass and asks GnuTLS what is wrong with it. So this file decides
 * nothing: it runs after libnbd has refused the server.
 *
 * The exception is rd_tls_check(). If libnbd before 1.20.3 finds no certificate of
 * an authority in the folder that it was given, it looks elsewhere and in the end
 * connects to any server (CVE-2024-7383). Such URIs are refused.
 *
 * GnuTLS is loaded with dlopen(), as libnbd is; its functions and numbers are
 * those of its ABI 30.
 */
#include "drivers/block-ram/seed/tls.h"

#ifndef RD_WITHOUT_NBD

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 5 /* for each answer of the server */

/* ---- the URI ----------------------------------------------------------- */

struct tls_uri {
	char host[256]; /* empty: a Unix socket */
	char port[16];
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char folder[RD_SEED_MAX]; /* with certificates; or empty */
	bool keys; /* shared beforehand: there are no certificates */
};

/* Copy the value of the parameter @name of @uri, percent-decoded. */
static bool uri_parameter(const char *uri, const char *name, char *value,
			  size_t size)
{
	const char *p = strchr(uri, '?');
	size_t len = strlen(name), i = 0;

	while (p && (strncmp(p + 1, name, len) || p[1 + len] != '='))
		p = strpbrk(p + 1, "&;");
	if (!p)
		return false;
	for (p += len + 2; *p && !strchr("&;#", *p); p++) {
		char hex[3] = { 0 };

		if (i + 1 >= size)
			return false;
		value[i] = *p;
		if (*p == '%' && isxdigit((unsigned char)p[1]) &&
		    isxdigit((unsigned char)p[2])) {
			memcpy(hex, p + 1, 2);
			value[i] = (char)strtol(hex, NULL, 16);
			p += 2;
		}
		i++;
	}
	value[i] = 0;
	return true;
}

/* False: no URI with TLS over TCP or a Unix socket. */
static bool uri_parse(const char *uri, struct tls_uri *u)
{
	bool unix_socket = !strncasecmp(uri, "nbds+unix://", 12);
	const char *at = strchr(uri, ':') + 3, *end, *port;
	char ignored[RD_SEED_MAX];

	memset(u, 0, sizeof(*u));
	if (!unix_socket && strncasecmp(uri, "nbds://", 7))
		return false;
	if (!uri_parameter(uri, "tls-certificates", u->folder,
			   sizeof(u->folder)))
		u->folder[0] = 0;
	u->keys = uri_parameter(uri, "tls-psk-file", ignored, sizeof(ignored));
	if (unix_socket)
		return uri_parameter(uri, "socket", u->socket,
				     sizeof(u->socket));
	end = at + strcspn(at, "/?#");
	if (memrchr(at, '@', (size_t)(end - at)))
		at = (char *)memrchr(at, '@', (size_t)(end - at)) + 1;
	port = memrchr(at, ':', (size_t)(end - at));
	if (port && memchr(port, ']', (size_t)(end - port)))
		port = NULL; /* inside an IPv6 address */
	snprintf(u->port, sizeof(u->port), "%.*s",
		 port ? (int)(end - port - 1) : 5, port ? port + 1 : "10809");
	if (port)
		end = port;
	if (*at == '[' && end > at && end[-1] == ']')
		at++, end--;
	snprintf(u->host, sizeof(u->host), "%.*s", (int)(end - at), at);
	return true;
}

/* ---- before: is there an authority? ------------------------------------ */

static bool has_authority(const char *folder)
{
	char path[RD_SEED_MAX + 16];

	snprintf(path, sizeof(path), "%s/ca-cert.pem", folder);
	return access(path, R_OK) == 0;
}

/* Where libnbd looks if the URI names no folder. */
static bool has_default_authority(void)
{
	const char *home = getenv("HOME");
	char path[RD_SEED_MAX];

	if (geteuid() == 0)
		return has_authority("/etc/pki/libnbd");
	snprintf(path, sizeof(path), "%s/.pki/libnbd", home ? home : "");
	if (has_authority(path))
		return true;
	snprintf(path, sizeof(path), "%s/.config/pki/libnbd", home ? home : "");
	return has_authority(path);
}

/* Whether libnbd @version verifies servers by the system's authorities, too. */
static bool verifies_by_system(const char *version)
{
	unsigned a = 0, b = 0, c = 0;

	return sscanf(version, "%u.%u.%u", &a, &b, &c) == 3 &&
	       (a > 1 || b > 20 || (b == 20 && c >= 3));
}

int rd_tls_check(const char *uri, const char *version, char why[RD_TLS_WHY])
{
	struct tls_uri u;
	int rc;

	if (!uri_parse(uri, &u) || u.keys)
		return 0;
	if (u.folder[0] && !has_authority(u.folder)) {
		rc = -errno;
		snprintf(
			why, RD_TLS_WHY,
			"cannot read %.300s/ca-cert.pem: %s; expected the certificate of the server's authority there",
			u.folder, strerror(-rc));
		return rc;
	}
	if (u.folder[0] || has_default_authority() ||
	    verifies_by_system(version))
		return 0;
	snprintf(
		why, RD_TLS_WHY,
		"libnbd %s would not check who the server is; add tls-certificates=DIRECTORY to the URI, a directory with the ca-cert.pem of the server's authority",
		version);
	return -EACCES;
}

/* ---- GnuTLS ------------------------------------------------------------ */

#define GNUTLS_LIBRARY "libgnutls.so.30"
enum {
	TLS_CLIENT = 1 << 1 | 1 << 6, /* GNUTLS_CLIENT, GNUTLS_NO_SIGNAL */
	TLS_CERTIFICATE = 1, /* GNUTLS_CRD_CERTIFICATE */
	TLS_PEM = 1, /* GNUTLS_X509_FMT_PEM */
	TLS_DNS = 1, /* GNUTLS_NAME_DNS */
	/* gnutls_certificate_status_t */
	TLS_REVOKED = 1 << 5,
	TLS_NO_SIGNER = 1 << 6,
	TLS_SIGNER_NO_AUTHORITY = 1 << 7,
	TLS_INSECURE = 1 << 8,
	TLS_NOT_YET = 1 << 9,
	TLS_EXPIRED = 1 << 10,
	TLS_WRONG_HOST = 1 << 14,
};

/* The functions, with their results and arguments; @p and @q are opaque. */
#define TLS_FUNCTIONS(f)                                                       \
	f(int, certificate_allocate_credentials,                               \
	  (void **p)) f(void, certificate_free_credentials,                    \
			(void *p)) f(int, certificate_set_x509_trust_file,     \
				     (void *p, const char *path, int format))  \
		f(int, certificate_set_x509_key_file,                          \
		  (void *p, const char *cert, const char *key,                 \
		   int format)) f(int, init,                                   \
				  (void **p, unsigned flags)) f(void, deinit,  \
								(void *p))     \
			f(int, set_default_priority,                           \
			  (void *p)) f(int, credentials_set,                   \
				       (void *p, int kind, void *q))           \
				f(int, server_name_set,                        \
				  (void *p, int kind, const void *name,        \
				   size_t size)) f(void, transport_set_int2,   \
						   (void *p, int receive,      \
						    int send))                 \
					f(void, handshake_set_timeout,         \
					  (void *p, unsigned ms)) f(int,       \
								    handshake, \
								    (void *p)) \
						f(int,                         \
						  certificate_verify_peers3,   \
						  (void *p, const char *host,  \
						   unsigned *status))

#define TLS_DECLARE(result, name, arguments) result(*name) arguments;
struct gnutls {
	TLS_FUNCTIONS(TLS_DECLARE)
};

static bool load_gnutls(struct gnutls *g)
{
	void *library = dlopen(GNUTLS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	bool found = library != NULL;

#define TLS_FIND(result, name, arguments)                    \
	if (found)                                           \
		found = (*(void **)&g->name = dlsym(library, \
						    "gnutls_" #name)) != NULL;
	TLS_FUNCTIONS(TLS_FIND)
	return found;
}

/* ---- NBD, up to TLS ---------------------------------------------------- */

static int connect_any(const struct tls_uri *u)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
	struct addrinfo one = { .ai_family = AF_UNIX,
				.ai_addr = (struct sockaddr *)&local,
				.ai_addrlen = sizeof(local) };
	const struct addrinfo *a = &one;
	int fd = -1;

	memcpy(local.sun_path, u->socket, sizeof(local.sun_path));
	if (!u->socket[0]) {
		if (getaddrinfo(u->host[0] ? u->host : "localhost", u->port,
				&hints, &all))
			return -1;
		a = all;
	}
	for (; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			   sizeof(patience));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
			   sizeof(patience));
		if (connect(fd, a->ai_addr, a->ai_addrlen)) {
			close(fd);
			fd = -1;
		}
	}
	if (all)
		freeaddrinfo(all);
	return fd;
}

/* Until the server has agreed to TLS; the protocol's "fixed newstyle". */
static bool start_tls(int fd)
{
	static const unsigned char ask[] = {
		0,   0,   0,   3, /* the client's flags, as most servers have them */
		'I', 'H', 'A', 'V', 'E', 'O',
		'P', 'T', 0,   0,   0,   5, /* NBD_OPT_STARTTLS */
		0,   0,   0,   0, /* no data */
	};
	static const unsigned char agreed[] = { 0, 0, 0, 5, 0, 0, 0, 1 };
	unsigned char greeting[18], reply[20];

	return recv(fd, greeting, sizeof(greeting), MSG_WAITALL) ==
		       sizeof(greeting) &&
	       !memcmp(greeting, "NBDMAGICIHAVEOPT", 16) &&
	       send(fd, ask, sizeof(ask), MSG_NOSIGNAL) == sizeof(ask) &&
	       recv(fd, reply, sizeof(reply), MSG_WAITALL) == sizeof(reply) &&
	       !memcmp(reply + 8, agreed, sizeof(agreed));
}

/* ---- after: what is wrong ---------------------------------------------- */

/* The certificate's @status in words. False: nothing is wrong with it. */
static bool say_status(const struct tls_uri *u, unsigned status,
		       char why[RD_TLS_WHY])
{
	const char *folder = u->folder[0] ? u->folder : "libnbd's directory";

	if (status & TLS_EXPIRED)
		snprintf(
			why, RD_TLS_WHY,
			"the server's certificate has expired; make a new one on the server (xm-ramdisk serve --make-tls)");
	else if (status & TLS_NOT_YET)
		snprintf(
			why, RD_TLS_WHY,
			"the server's certificate is not valid yet; compare the clocks of both hosts");
	else if (status & (TLS_NO_SIGNER | TLS_SIGNER_NO_AUTHORITY))
		snprintf(
			why, RD_TLS_WHY,
			"the server's certificate was not signed by the authority in %.300s/ca-cert.pem; copy the server's ca-cert.pem there, or it is another server",
			folder);
	else if (status & TLS_WRONG_HOST)
		snprintf(
			why, RD_TLS_WHY,
			"the server's certificate does not name %s; use a name of the certificate, or make one with this name (xm-ramdisk serve --make-tls)",
			u->host);
	else if (status & TLS_REVOKED)
		snprintf(why, RD_TLS_WHY,
			 "the server's certificate was revoked");
	else if (status & TLS_INSECURE)
		snprintf(
			why, RD_TLS_WHY,
			"the server's certificate has a signature that is not secure; make a new one");
	else if (status)
		snprintf(
			why, RD_TLS_WHY,
			"the server's certificate is not valid (GnuTLS: status %#x)",
			status);
	return status != 0;
}

static bool explain_session(const struct gnutls *g, const struct tls_uri *u,
			    void *session, int fd, char why[RD_TLS_WHY])
{
	unsigned status = 0;

	g->set_default_priority(session);
	/* libnbd sends an IPv6 address as a name, which servers then refuse. */
	if (u->host[0] && !strchr(u->host, ':'))
		g->server_name_set(session, TLS_DNS, u->host, strlen(u->host));
	g->transport_set_int2(session, fd, fd);
	g->handshake_set_timeout(session, PATIENCE_S * 1000);
	if (g->handshake(session))
		return false;
	if (g->certificate_verify_peers3(session, u->host[0] ? u->host : NULL,
					 &status))
		return false;
	if (say_status(u, status, why))
		return true;
	if (strchr(u->host, ':')) {
		snprintf(
			why, RD_TLS_WHY,
			"the server refuses libnbd's way to send the IPv6 address %s; use the server's name",
			u->host);
		return true;
	}
	/* TLS 1.3: the server looks at ours after the handshake. */
	snprintf(
		why, RD_TLS_WHY,
		"the server ended the connection, and may not accept this host's certificate, %.300s/client-cert.pem; the server's log has its reason",
		u->folder[0] ? u->folder : "libnbd's directory");
	return true;
}

bool rd_tls_explain(const char *uri, char why[RD_TLS_WHY])
{
	struct gnutls g;
	struct tls_uri u;
	char cert[RD_SEED_MAX + 32], key[RD_SEED_MAX + 32];
	void *credentials = NULL, *session = NULL;
	bool explained = false;
	int fd;

	if (!uri_parse(uri, &u) || u.keys || !load_gnutls(&g))
		return false;
	fd = connect_any(&u);
	if (fd < 0 || !start_tls(fd) ||
	    g.certificate_allocate_credentials(&credentials) ||
	    g.init(&session, TLS_CLIENT))
		goto out;
	snprintf(cert, sizeof(cert), "%s/ca-cert.pem", u.folder);
	if (u.folder[0])
		g.certificate_set_x509_trust_file(credentials, cert, TLS_PEM);
	snprintf(cert, sizeof(cert), "%s/client-cert.pem", u.folder);
	snprintf(key, sizeof(key), "%s/client-key.pem", u.folder);
	if (u.folder[0] && access(cert, R_OK) == 0)
		g.certificate_set_x509_key_file(credentials, cert, key,
						TLS_PEM);
	if (!g.credentials_set(session, TLS_CERTIFICATE, credentials))
		explained = explain_session(&g, &u, session, fd, why);
out:
	if (session)
		g.deinit(session);
	if (credentials)
		g.certificate_free_credentials(credentials);
	if (fd >= 0)
		close(fd);
	return explained;
}

#endif
