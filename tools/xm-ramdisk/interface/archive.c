/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tarballs of releases, plain or packed with gzip, bzip2, xz or zstd, and
 * hypervisors, which are packed as well (xen.gz). One thread; the unpacking
 * program is a child process, which iface_of_archive() starts and waits for.
 *
 * WHY PROGRAMS. gzip, bzip2, xz or zstd unpacks, and tar.c, 300 lines that are
 * fuzzed, reads the members. libarchive would do both, and would be a
 * dependency of the daily tool for one look-up; tar itself would print the
 * members' contents without their names.
 *
 * THE CHILD runs without a shell. Its input is the open file and its output is
 * a pipe to this process, so no name in the archive becomes an argument or a
 * file. It may write no file and use 512 MiB of memory and 120 s of processor
 * time. When all values are found, or a limit of tar.c is passed, the pipe is
 * closed, and SIGPIPE ends the child.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/xm-ramdisk/interface/archive.h"
#include "tools/xm-ramdisk/interface/elf.h"
#include "tools/xm-ramdisk/interface/tar.h"

#define IMAGE_MAX (64u << 20) /* bytes of a hypervisor, which has about 3 MiB */

static const struct packer {
	const char *program;
	unsigned char magic[6];
	size_t len;
} packers[] = {
	{ "gzip", { 0x1f, 0x8b }, 2 },
	{ "bzip2", { 'B', 'Z', 'h' }, 3 },
	{ "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6 },
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4 },
};

const char *iface_packer(const unsigned char *head, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(packers) / sizeof(packers[0]); i++)
		if (len >= packers[i].len &&
		    !memcmp(head, packers[i].magic, packers[i].len))
			return packers[i].program;
	return NULL;
}

static long read_fd(void *arg, void *buf, size_t len)
{
	ssize_t n;

	do
		n = read(*(int *)arg, buf, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static void set_limit(int what, rlim_t value)
{
	struct rlimit l = { value, value };

	setrlimit(what, &l);
}

/* Runs in the child and never returns. Exit status 127: no such program. */
static void run_packer(const char *program, int in, int out)
{
	int quiet;

	set_limit(RLIMIT_AS, (rlim_t)512 << 20);
	set_limit(RLIMIT_CPU, 120);
	set_limit(RLIMIT_FSIZE, 0);
	set_limit(RLIMIT_CORE, 0);
	signal(SIGPIPE, SIG_DFL);
	quiet = open("/dev/null", O_WRONLY);
	if (dup2(quiet, 2) < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0)
		_exit(126);
	execlp(program, program, "-dc", (char *)NULL);
	_exit(127);
}

/*
 * Wait for the child; the result is @rc, or why the child failed. The read end
 * of the pipe is closed: that SIGPIPE ended the child is no error. A child
 * that ended by itself has an exit status: gzip's 2 is a warning (bytes behind
 * the end of the data).
 */
static int wait_for_packer(pid_t pid, const char *program, int rc,
			   struct rd_error *err)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || !WEXITSTATUS(status) ||
	    (!strcmp(program, "gzip") && WEXITSTATUS(status) == 2))
		return rc;
	if (WEXITSTATUS(status) == 127) {
		snprintf(err->text, sizeof(err->text),
			 "cannot run %s, which unpacks this file: install the "
			 "package %s, or unpack the file and give the folder",
			 program,
			 !strcmp(program, "xz") ? "xz-utils" : program);
		return -ENOENT;
	}
	snprintf(err->text, sizeof(err->text),
		 "%s cannot unpack the file: it is damaged, or needs more than "
		 "512 MiB of memory",
		 program);
	return -EBADMSG;
}

typedef int consume_fn(struct iface_facts *facts, int fd, struct rd_error *err);

static int consume_tar(struct iface_facts *facts, int fd, struct rd_error *err)
{
	(void)err;
	return iface_tar_read(facts, read_fd, &fd);
}

static int consume_image(struct iface_facts *facts, int fd,
			 struct rd_error *err)
{
	unsigned char *data = malloc(IMAGE_MAX);
	size_t len = 0;
	long n = 1;
	int rc = -EINVAL;

	if (!data)
		return -ENOMEM;
	while (n > 0 && len < IMAGE_MAX) {
		n = read_fd(&fd, data + len, IMAGE_MAX - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (iface_is_elf(data, len))
		rc = iface_elf_parse(facts, data, len, err);
	free(data);
	return rc;
}

static int read_packed(struct iface_facts *facts, const char *program, int fd,
		       consume_fn *consume, struct rd_error *err)
{
	int ends[2], rc;
	pid_t pid;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		run_packer(program, fd, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return -EAGAIN;
	}
	rc = consume(facts, ends[0], err);
	close(ends[0]);
	return wait_for_packer(pid, program, rc, err);
}

/* A sentence for @rc, unless @err has one. */
static void explain(int rc, struct rd_error *err)
{
	const char *why = strerror(-rc);

	if (err->text[0])
		return;
	if (rc == -EINVAL)
		why = "expected a tar archive or a hypervisor in it, and "
		      "found neither";
	else if (rc == -EBADMSG)
		why = "the tar archive is damaged or cut off";
	else if (rc == -EFBIG)
		why = "the tar archive is larger than any release of Xen; "
		      "unpack it and give the folder";
	snprintf(err->text, sizeof(err->text), "%s", why);
}

int iface_of_archive(struct iface_facts *facts, const char *path, int fd,
		     struct rd_error *err)
{
	unsigned char head[8];
	ssize_t n = pread(fd, head, sizeof(head), 0);
	const char *program;
	char why[sizeof(err->text)];
	int rc;

	if (n < 0)
		return -errno;
	program = iface_packer(head, (size_t)n);
	err->text[0] = '\0';
	snprintf(facts->how, sizeof(facts->how),
		 "the headers in the tarball%s%s",
		 program ? ", unpacked by " : "", program ? program : "");
	rc = program ? read_packed(facts, program, fd, consume_tar, err)
		     : consume_tar(facts, fd, err);
	if (rc == -EINVAL && program)
		rc = read_packed(facts, program, fd, consume_image, err);
	if (rc) {
		explain(rc, err);
		if (!strncmp(err->text, path, strlen(path)))
			return rc;
		memcpy(why, err->text, sizeof(why));
		snprintf(err->text, sizeof(err->text), "%.200s: %.500s", path,
			 why);
		return rc;
	}
	return 0;
}
