/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server's certificate before clients see it: clients can only say that they
 * refuse it, and not why. GnuTLS's certtool checks it, where certtool is
 * installed. One thread, no locks.
 */
#include <stdio.h>
#include <string.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/program.h"
#include "tools/xm-ramdisk/serve/serve.h"

#define OUTPUT 8192

/* What certtool says of the certificate and, unless it is NULL, @host. */
static bool verify(const char *dir, const char *host, char output[OUTPUT])
{
	/* certtool writes remarks to its standard error */
	static const char script[] =
		"LC_ALL=C exec certtool --verify --load-ca-certificate \"$1/ca-cert.pem\" --infile \"$1/server-cert.pem\" ${2:+--verify-hostname=\"$2\"} 2>/dev/null";
	int rc = program_read((const char *const[]){ "sh", "-c", script, "sh",
						     dir, host, NULL },
			      output, OUTPUT);

	return rc == 0 || rc == 1; /* and not 127: there is no certtool */
}

/* Whether @host is an address that clients can use, and not "every address". */
static bool is_one_host(const char *host)
{
	return *host && strcmp(host, "0.0.0.0") && strcmp(host, "::");
}

int serve_check_tls(const struct serve *s)
{
	char output[OUTPUT];

	if (!s->certificates || !verify(s->certificates, NULL, output))
		return EXIT_DONE;
	if (strstr(output, "expired certificate"))
		return say_failed(
			"the certificate %s/server-cert.pem has expired, and every client would refuse it; 'xm-ramdisk serve --make-tls' makes a new one",
			s->certificates);
	if (strstr(output, "issuer is unknown"))
		return say_failed(
			"the certificate %s/server-cert.pem was not signed by the authority in ca-cert.pem beside it, and clients of that authority would refuse it",
			s->certificates);
	if (s->address && is_one_host(s->host) &&
	    verify(s->certificates, s->host, output) &&
	    strstr(output, "does not match the expected"))
		say_note(
			"the certificate %s/server-cert.pem does not name %s; a client whose URI has this host refuses the server",
			s->certificates, s->host);
	return EXIT_DONE;
}
