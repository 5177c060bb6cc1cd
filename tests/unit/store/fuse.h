/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A FUSE file system without libfuse, in a child process: one file, "seed", of
 * FUSE_SIZE bytes 'f'. Each SIGUSR1 to the child gives the file another inode
 * number at its next lookup, as file systems do that forget numbers.
 */
#ifndef TESTS_UNIT_STORE_FUSE_H
#define TESTS_UNIT_STORE_FUSE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define FUSE_SIZE 65536u
#define FUSE_FILE 100u /* the file's first node and inode number */

static volatile sig_atomic_t fuse_renumbered;

static inline void fuse_on_signal(int signal)
{
	(void)signal;
	fuse_renumbered++;
}

static inline void fuse_reply(int fd, uint64_t unique, int error,
			      const void *data, size_t n)
{
	struct fuse_out_header h = {
		.len = (uint32_t)(sizeof(h) + n),
		.error = error,
		.unique = unique,
	};
	struct iovec v[] = { { &h, sizeof(h) }, { (void *)data, n } };

	if (writev(fd, v, 2) < 0)
		errno = 0; /* the request was interrupted */
}

static inline struct fuse_attr fuse_attr_of(uint64_t node)
{
	bool root = node == FUSE_ROOT_ID;

	return (struct fuse_attr){
		.ino = node,
		.mode = root ? S_IFDIR | 0755 : S_IFREG | 0644,
		.nlink = 1,
		.size = root ? 0 : FUSE_SIZE,
		.mtime = 1000,
		.blksize = 4096,
	};
}

static inline void fuse_init(int fd, const struct fuse_in_header *h)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_write = FUSE_SIZE,
	};

	fuse_reply(fd, h->unique, 0, &out, sizeof(out));
}

static inline void fuse_lookup(int fd, const struct fuse_in_header *h)
{
	uint64_t node = FUSE_FILE + (uint64_t)fuse_renumbered;
	struct fuse_entry_out out = { .nodeid = node,
				      .attr = fuse_attr_of(node) };

	if (strcmp((const char *)(h + 1), "seed"))
		fuse_reply(fd, h->unique, -ENOENT, NULL, 0);
	else
		fuse_reply(fd, h->unique, 0, &out, sizeof(out));
}

static inline void fuse_getattr(int fd, const struct fuse_in_header *h)
{
	struct fuse_attr_out out = { .attr = fuse_attr_of(h->nodeid) };

	fuse_reply(fd, h->unique, 0, &out, sizeof(out));
}

static inline void fuse_read(int fd, const struct fuse_in_header *h)
{
	const struct fuse_read_in *in = (const void *)(h + 1);
	static char data[FUSE_SIZE];
	size_t n = in->offset < FUSE_SIZE ? FUSE_SIZE - (size_t)in->offset : 0;

	memset(data, 'f', sizeof(data));
	fuse_reply(fd, h->unique, 0, data, in->size < n ? in->size : n);
}

static inline void fuse_serve(int fd, const struct fuse_in_header *h)
{
	struct fuse_open_out opened = { .fh = 0 };

	switch (h->opcode) {
	case FUSE_INIT:
		fuse_init(fd, h);
		break;
	case FUSE_LOOKUP:
		fuse_lookup(fd, h);
		break;
	case FUSE_GETATTR:
		fuse_getattr(fd, h);
		break;
	case FUSE_OPEN:
		fuse_reply(fd, h->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		fuse_read(fd, h);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* have no reply */
	case FUSE_RELEASE:
	case FUSE_FLUSH:
		fuse_reply(fd, h->unique, 0, NULL, 0);
		break;
	default:
		fuse_reply(fd, h->unique, -ENOSYS, NULL, 0);
	}
}

/* Mount on @dir and serve, until it is unmounted. For a child process. */
static inline void fuse_run(const char *dir)
{
	static char request[FUSE_SIZE + 4096];
	char options[96];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	signal(SIGUSR1, fuse_on_signal);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (fd < 0 || mount("test", dir, "fuse.test", 0, options)) {
		perror("# fuse");
		return;
	}
	for (;;) {
		if (read(fd, request, sizeof(request)) > 0)
			fuse_serve(fd, (const void *)request);
		else if (errno == ENODEV)
			_exit(0); /* unmounted */
	}
}

#endif
