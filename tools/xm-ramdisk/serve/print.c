/* SPDX-License-Identifier: BSD-2-Clause */
/* How to reach a server: URIs of its disks, and commands of clients to copy. */
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/xm-ramdisk/serve/serve.h"
#include "tools/xm-ramdisk/base/text.h"

/* @text as a part of a URI; slashes are not escaped. */
static void put_part(FILE *to, const char *text)
{
	for (; *text; text++)
		if (isalnum((unsigned char)*text) || strchr("-._~/", *text))
			fputc(*text, to);
		else
			fprintf(to, "%%%02X", (unsigned char)*text);
}

/* @text quoted as one word for a shell. */
static void put_word(FILE *to, const char *text)
{
	fputc('\'', to);
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", to);
		else
			fputc(*text, to);
	fputc('\'', to);
}

static void put_uri(FILE *to, const struct serve *s, const struct served *d)
{
	bool v6 = strchr(s->host, ':');

	if (s->tcp)
		fprintf(to, "nbd%s://%s%s%s:%s/", s->insecure ? "" : "s",
			v6 ? "[" : "", s->host, v6 ? "]" : "", s->port);
	else
		fputs("nbd+unix:///", to);
	put_part(to, d->export);
	if (!s->tcp) {
		fputs("?socket=", to);
		put_part(to, s->path);
	} else if (s->psk) {
		fputs("?tls-psk-file=", to);
		put_part(to, s->psk);
	}
}

/* With TLS, QEMU takes the credentials as an object, not in the URI. */
static void put_qemu(const struct serve *s, const struct served *d)
{
	fputs("  qemu-system-x86_64 ", stdout);
	if (s->tcp && !s->insecure) {
		if (s->psk)
			fputs("-object tls-creds-psk,id=tls,endpoint=client,dir=DIRECTORY ",
			      stdout);
		else
			fputs("-object tls-creds-x509,id=tls,endpoint=client,dir=DIRECTORY ",
			      stdout);
		printf("-blockdev driver=nbd,node-name=ram,server.type=inet,server.host=%s,server.port=%s,tls-creds=tls,export=",
		       s->host, s->port);
		put_word(stdout, d->export);
		fputs(" -device virtio-blk-pci,drive=ram ...\n", stdout);
		return;
	}
	fputs("-drive if=virtio,format=raw,file='", stdout);
	put_uri(stdout, s, d);
	fputs("' ...\n", stdout);
}

static void put_nbd_client(const struct serve *s, const struct served *d)
{
	fputs("  nbd-client ", stdout);
	if (s->tcp) {
		printf("%s %s /dev/nbd0", s->host, s->port);
	} else {
		fputs("-unix ", stdout);
		put_word(stdout, s->path);
		fputs(" /dev/nbd0", stdout);
	}
	fputs(" -persist -connections 4 -name ", stdout);
	put_word(stdout, d->export);
	if (s->tcp && s->certificates)
		fputs(" -cacertfile CA.pem -certfile CERT.pem -keyfile KEY.pem",
		      stdout);
	fputc('\n', stdout);
}

static void put_nbdcopy(const struct serve *s, const struct served *d)
{
	fputs("  nbdcopy '", stdout);
	put_uri(stdout, s, d);
	fputs("' COPY.img\n", stdout);
}

/* What a disk of @seed would have, in whole sectors; -1 if that is not known. */
static int64_t size_of(const char *seed)
{
	int fd = open(seed, O_RDONLY | O_CLOEXEC);
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (fd >= 0)
		close(fd);
	return end < 0 ? -1 : (end + 511) / 512 * 512;
}

/* A disk to which this process is not attached. */
static void print_seed(const struct served *d)
{
	int64_t size = d->directory ? -1 : size_of(d->seed);

	fputs(text_shown(d->seed), stdout);
	if (d->directory)
		fputs(": each image in it, by its file name", stdout);
	else if (size >= 0)
		printf(": %s, discarded when the last client disconnects",
		       text_size((uint64_t)size));
	puts("");
}

static void print_disk(const struct serve *s, const struct served *d)
{
	if (d->disk)
		printf("%s: %s, %s\n", text_shown(rd_seed(d->disk)),
		       text_size(rd_size(d->disk)),
		       s->read_only ? "read-only"
		       : s->disk.flags & RD_PRIVATE
			       ? "a private view for each client"
			       : "shared by all clients");
	else
		print_seed(d);
	fputs("  ", stdout);
	put_uri(stdout, s, d);
	puts("");
}

void serve_print(const struct serve *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		print_disk(s, &s->seeds[i]);
	if (!s->seeds[0].directory) {
		puts("for example:");
		put_qemu(s, &s->seeds[0]);
		/* nbd-client cannot use pre-shared keys */
		if (!s->psk)
			put_nbd_client(s, &s->seeds[0]);
		put_nbdcopy(s, &s->seeds[0]);
	}
	fflush(stdout);
}
