/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest that has taken its worker over could do: the code of captured.so,
 * which runs in the worker, in its sandbox. It writes over all memory that the worker
 * shares with others through the store, and sends messages of every kind to the
 * supervisor, for ever.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/blkback/common/control.h"
#include "tests/daemon/xen.h"

#define MAPPINGS 64u

static struct mapping {
	unsigned char *at;
	size_t bytes;
} mapping[MAPPINGS];
static unsigned nr_mappings;
static uint64_t state = 88172645463325252u;

static uint64_t dice(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* ---- the mappings, noted while the worker attaches ----------------------------- */

static int is_of_the_store(int fd)
{
	char path[64], file[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, file, sizeof(file) - 1);
	file[n > 0 ? n : 0] = 0;
	return strstr(file, "/xen-ramdisk-test-") != NULL;
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	void *p = (void *)syscall(SYS_mmap, at, n, prot, flags, fd, off);
	int saved = errno;

	if (p != MAP_FAILED && flags & MAP_SHARED && fd >= 0 &&
	    nr_mappings < MAPPINGS && is_of_the_store(fd))
		mapping[nr_mappings++] = (struct mapping){ p, n };
	errno = saved;
	return p;
}

void *mmap64(void *at, size_t n, int prot, int flags, int fd, off_t off)
	__attribute__((alias("mmap")));

/* ---- the damage ------------------------------------------------------------------ */

/* Keep what can be written, or made so. */
static void find_writable(void)
{
	unsigned i, n = 0;

	for (i = 0; i < nr_mappings; i++)
		if (!mprotect(mapping[i].at, mapping[i].bytes,
			      PROT_READ | PROT_WRITE))
			mapping[n++] = mapping[i];
	nr_mappings = n;
}

static void damage(void)
{
	struct mapping *m = &mapping[dice() % nr_mappings];
	uint64_t *words = (void *)m->at, word = dice() % (m->bytes / 8);

	if (dice() % 2)
		words[word] = dice() % 16 << 48 | (dice() & 15);
	else
		m->at[dice() % m->bytes] = (unsigned char)dice();
}

static void send_messages(void)
{
	static struct blkback_message msg;
	size_t i;
	int fd;

	for (i = 0; i < sizeof(msg) / 8; i++)
		((uint64_t *)(void *)&msg)[i] = dice();
	msg.version = BLKBACK_CONTROL_VERSION + (dice() % 64 == 0);
	msg.type = (uint32_t)(dice() % 24);
	for (fd = 3; fd < 24; fd++)
		send(fd, &msg, sizeof(msg), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void takeover(void)
{
	static const char text[] = "taken over\n";

	find_writable();
	write(STDERR_FILENO, text, sizeof(text) - 1);
	for (;;) {
		if (nr_mappings)
			damage();
		if (dice() % 20000 == 0)
			send_messages();
	}
}
