/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How to reach a server: URIs of its disks, and commands of clients to copy. Each
 * word of a command is quoted for the shell. One thread.
 */
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/serve/serve.h"

#define PART_MAX (3 * RD_SEED_MAX) /* of bytes that are all escaped */
#define WORD_MAX (3 * PART_MAX)

/* @text as a part of a URI; slashes are not escaped. */
static const char *uri_part(const char *text, char to[PART_MAX])
{
	char *p = to;

	for (; *text && p < to + PART_MAX - 4; text++)
		if (isalnum((unsigned char)*text) || strchr("-._~/", *text))
			*p++ = *text;
		else
			p += sprintf(p, "%%%02X", (unsigned char)*text);
	*p = 0;
	return to;
}

static void make_uri(const struct serve *s, const struct served *d,
		     char to[WORD_MAX])
{
	char export[PART_MAX], file[PART_MAX];
	bool v6 = strchr(s->host, ':');
	bool psk = s->tcp && s->psk;

	uri_part(d->export, export);
	uri_part(psk ? s->psk : s->path, file);
	if (s->tcp)
		snprintf(to, WORD_MAX, "nbd%s://%s%s%s:%s/%s%s%s",
			 s->insecure ? "" : "s", v6 ? "[" : "", s->host,
			 v6 ? "]" : "", s->port, export,
			 psk ? "?tls-psk-file=" : "", psk ? file : "");
	else
		snprintf(to, WORD_MAX, "nbd+unix:///%s?socket=%s", export,
			 file);
}

/* QEMU's options have commas between them; one in a value is written twice. */
static void double_commas(const char *value, char to[PART_MAX])
{
	for (; *value; value++) {
		if (*value == ',')
			*to++ = ',';
		*to++ = *value;
	}
	*to = 0;
}

/* With TLS, QEMU takes the credentials as an object, not in the URI. */
static void print_qemu(const struct serve *s, const struct served *d)
{
	char uri[WORD_MAX], word[WORD_MAX + 64], export[PART_MAX];

	if (s->tcp && !s->insecure) {
		double_commas(d->export, export);
		snprintf(
			word, sizeof(word),
			"driver=nbd,node-name=ram,server.type=inet,server.host=%s,server.port=%s,tls-creds=tls,export=%s",
			s->host, s->port, export);
		printf("  qemu-system-x86_64 -object tls-creds-%s,id=tls,endpoint=client,dir=DIRECTORY -blockdev %s -device virtio-blk-pci,drive=ram ...\n",
		       s->psk ? "psk" : "x509", text_quoted(word));
		return;
	}
	make_uri(s, d, uri);
	snprintf(word, sizeof(word), "if=virtio,format=raw,file=%s", uri);
	printf("  qemu-system-x86_64 -drive %s ...\n", text_quoted(word));
}

/*
 * The kernel's client connects again by itself (-persist): it names the disk's
 * instance, so that it gets no other disk of the name.
 */
static void print_nbd_client(const struct serve *s, const struct served *d)
{
	char name[RD_SEED_MAX + RD_INSTANCE_MAX], instance[RD_INSTANCE_MAX];

	snprintf(name, sizeof(name), "%s", d->export);
	if (d->disk && !(s->disk.flags & RD_PRIVATE) &&
	    !rd_instance(d->disk, instance))
		snprintf(name, sizeof(name), "%s@%s", d->export, instance);
	if (s->tcp)
		printf("  nbd-client %s %s", text_quoted(s->host), s->port);
	else
		printf("  nbd-client -unix %s", text_quoted(s->path));
	printf(" /dev/nbd0 -persist -connections 4 -name %s%s\n",
	       text_quoted(name),
	       s->tcp && s->certificates
		       ? " -cacertfile CA.pem -certfile CERT.pem -keyfile KEY.pem"
		       : "");
}

static void print_nbdcopy(const struct serve *s, const struct served *d)
{
	char uri[WORD_MAX];

	make_uri(s, d, uri);
	printf("  nbdcopy %s COPY.img\n", text_quoted(uri));
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
	char uri[WORD_MAX];

	if (d->disk)
		printf("%s: %s, %s\n", text_shown(rd_seed(d->disk)),
		       text_size(rd_size(d->disk)),
		       s->read_only ? "read-only"
		       : s->disk.flags & RD_PRIVATE
			       ? "a private view for each client"
			       : "shared by all clients");
	else
		print_seed(d);
	make_uri(s, d, uri);
	printf("  %s\n", uri);
}

void serve_print(const struct serve *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		print_disk(s, &s->seeds[i]);
	if (!s->seeds[0].directory) {
		puts("for example:");
		print_qemu(s, &s->seeds[0]);
		/* nbd-client cannot use pre-shared keys */
		if (!s->psk)
			print_nbd_client(s, &s->seeds[0]);
		print_nbdcopy(s, &s->seeds[0]);
	}
}
