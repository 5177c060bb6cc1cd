/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk serve --make-tls: an authority, and certificates that it has signed,
 * for one server and its clients. GnuTLS's certtool makes them, since nbdkit uses
 * GnuTLS. Keys are readable by their owner alone. One thread, no locks.
 *
 *   DIRECTORY/ca-cert.pem, ca-key.pem    the authority; kept when it is there
 *   DIRECTORY/server/                    for --tls-certificates
 *   DIRECTORY/client/                    for the clients' tls-certificates=
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/program.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/serve/serve.h"

#define DAYS "3650" /* how long the certificates are valid */

/* The path of DIRECTORY/@who/@what; @who may be "". An exit status. */
static int path_of(const char *dir, const char *who, const char *what,
		   char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s%s%s/%s", dir, *who ? "/" : "", who,
			 what);

	return n < PATH_MAX ? EXIT_DONE
			    : say_failed("the path %s is too long", dir);
}

static int make_directory(const char *path)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return EXIT_DONE;
	return say_failed("cannot make the directory %s: %m", path);
}

static int certtool(const char *const argv[])
{
	int rc = program_run_quietly(argv);

	if (rc == 0)
		return EXIT_DONE;
	if (rc < 0 && rc != -ECHILD)
		return say_failed(
			"cannot start certtool, which makes the certificates: %s; on Debian: apt-get install gnutls-bin",
			strerror(-rc));
	return say_failed("certtool failed at %s", argv[3]);
}

/* certtool's template: what @who's certificate says. An exit status. */
static int write_template(const char *path, const char *who, char **hosts)
{
	FILE *f = fopen(path, "we");
	unsigned char address[16];
	bool bad;

	if (!f)
		return say_failed("cannot write %s: %m", path);
	fprintf(f, "cn = \"xen-ramdisk %s\"\nexpiration_days = " DAYS "\n",
		who);
	if (!strcmp(who, "ca"))
		fputs("ca\ncert_signing_key\n", f);
	else
		fprintf(f, "signing_key\ntls_www_%s\n", who);
	for (; hosts && *hosts; hosts++) {
		bool ip = inet_pton(AF_INET, *hosts, address) == 1 ||
			  inet_pton(AF_INET6, *hosts, address) == 1;

		fprintf(f, "%s = \"%s\"\n", ip ? "ip_address" : "dns_name",
			*hosts);
	}
	bad = ferror(f);
	return fclose(f) || bad ? say_failed("cannot write %s: %m", path)
				: EXIT_DONE;
}

static int make_key(const char *path)
{
	return certtool((const char *const[]){ "certtool", "--generate-privkey",
					       "--outfile", path,
					       "--key-type=ecdsa", NULL });
}

/* A host's name goes into certtool's template: no quote, no new line. */
static int check_hosts(char **hosts)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:";

	for (; *hosts; hosts++)
		if (!**hosts || (*hosts)[strspn(*hosts, letters)])
			return say_usage(
				"serve",
				"'%s' is no HOST; expected a name or an address of the server, as clients use it",
				*hosts);
	return EXIT_DONE;
}

/* ---- the authority and the certificates ---------------------------------- */

static int make_authority(const char *dir)
{
	char key[PATH_MAX], cert[PATH_MAX], info[PATH_MAX];
	int rc = path_of(dir, "", "ca-key.pem", key) ||
		 path_of(dir, "", "ca-cert.pem", cert) ||
		 path_of(dir, "", "ca.info", info);

	if (rc || (access(key, R_OK) == 0 && access(cert, R_OK) == 0))
		return rc ? EXIT_FAILED : EXIT_DONE;
	rc = make_key(key);
	if (rc == EXIT_DONE)
		rc = write_template(info, "ca", NULL);
	if (rc == EXIT_DONE)
		rc = certtool((const char *const[]){
			"certtool", "--generate-self-signed", "--outfile", cert,
			"--load-privkey", key, "--template", info, NULL });
	unlink(info);
	return rc;
}

/* The authority's certificate, for those who get @who's folder alone. */
static int copy_authority(const char *ca, const char *dir, const char *who)
{
	char to[PATH_MAX];
	int rc = path_of(dir, who, "ca-cert.pem", to);

	return rc ? rc
		  : certtool((const char *const[]){
			    "certtool", "--certificate-info", "--outfile", to,
			    "--infile", ca, NULL });
}

static int make_certificate(const char *dir, const char *who, char **hosts)
{
	char folder[PATH_MAX], ca_key[PATH_MAX], ca[PATH_MAX], info[PATH_MAX],
		key[PATH_MAX], cert[PATH_MAX], name[32];
	int rc = path_of(dir, "", who, folder) ||
		 path_of(dir, "", "ca-key.pem", ca_key) ||
		 path_of(dir, "", "ca-cert.pem", ca) ||
		 path_of(dir, who, "info", info);

	snprintf(name, sizeof(name), "%s-key.pem", who);
	rc = rc || path_of(dir, who, name, key);
	snprintf(name, sizeof(name), "%s-cert.pem", who);
	rc = rc || path_of(dir, who, name, cert) || make_directory(folder) ||
	     make_key(key) || write_template(info, who, hosts) ||
	     certtool((const char *const[]){
		     "certtool", "--generate-certificate", "--outfile", cert,
		     "--load-ca-certificate", ca, "--load-ca-privkey", ca_key,
		     "--load-privkey", key, "--template", info, NULL }) ||
	     copy_authority(ca, dir, who);
	unlink(info);
	return rc ? EXIT_FAILED : EXIT_DONE;
}

static void print_use(const char *dir, char **hosts)
{
	printf("certificates for %s, valid for " DAYS " days, are in %s\n"
	       "on this host:\n"
	       "  xm-ramdisk serve --tcp --tls-certificates=%s/server SEED\n"
	       "on a client, with a copy of %s/client (ca-key.pem stays here: who has it can make certificates):\n"
	       "  xm-ramdisk attach --remote DOMAIN 'nbds://%s/DISK?tls-certificates=CLIENT_DIRECTORY' VDEV\n"
	       "  nbdcopy 'nbds://%s/DISK?tls-certificates=CLIENT_DIRECTORY' COPY.img\n",
	       hosts[0], text_shown(dir), text_shown(dir), text_shown(dir),
	       hosts[0], hosts[0]);
}

int serve_make_tls(const char *dir, char **hosts)
{
	int rc = check_hosts(hosts);

	if (rc)
		return rc;
	umask(077);
	rc = make_directory(dir);
	if (rc == EXIT_DONE)
		rc = make_authority(dir);
	if (rc == EXIT_DONE)
		rc = make_certificate(dir, "server", hosts);
	if (rc == EXIT_DONE)
		rc = make_certificate(dir, "client", NULL);
	if (rc == EXIT_DONE)
		print_use(dir, hosts);
	return rc;
}
