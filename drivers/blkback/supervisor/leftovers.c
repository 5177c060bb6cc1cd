/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See leftovers.h. Owns nothing. Takes a disk's lock through rd_try_end(),
 * without waiting.
 */
#include "drivers/blkback/supervisor/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/blkback/common/journal.h"
#include "drivers/blkback/common/log.h"
#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/common/record.h"
#include "drivers/blkback/common/reconnect.h"

#define KILL_TIMEOUT_MS 5000 /* for a killed process to end */

static int open_store(struct rd_store *store)
{
	return open(rd_store_path(store), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_journal(struct rd_store *store, uint32_t domid, uint32_t devid)
{
	int dir = open_store(store), fd;
	char name[64];

	if (dir < 0)
		return -1;
	snprintf(name, sizeof(name), NODES_JOURNAL, domid, devid);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	close(dir);
	return fd;
}

/* ---- the worker --------------------------------------------------------- */

int blkback_leftovers_adopt(struct rd_store *store, uint32_t domid,
			    uint32_t devid, pid_t *pid, int *pidfd, int *sock)
{
	char name[64];

	snprintf(name, sizeof(name), NODES_SOCKET, domid, devid);
	return blkback_reconnect(rd_store_path(store), name, pid, pidfd, sock);
}

static void kill_worker(struct rd_store *store, uint32_t domid, uint32_t devid)
{
	struct pollfd p = { .events = POLLIN };
	int sock;
	pid_t pid = 0;

	if (blkback_leftovers_adopt(store, domid, devid, &pid, &p.fd, &sock))
		return;
	blkback_log(BLKBACK_WARNING,
		    "%u/%u: worker %d has no device any more and is killed",
		    domid, devid, (int)pid);
	syscall(SYS_pidfd_send_signal, p.fd, SIGKILL, NULL, 0);
	poll(&p, 1, KILL_TIMEOUT_MS);
	close(p.fd);
	close(sock);
}

/* ---- journal and attachment --------------------------------------------- */

bool blkback_leftovers_exist(struct rd_store *store, uint32_t domid,
			     uint32_t devid)
{
	int fd = open_journal(store, domid, devid);
	char magic[] = BLKBACK_JOURNAL_MAGIC;
	bool used; /* by a worker; a journal that the tool made is all zeros */

	if (fd < 0)
		return false;
	used = pread(fd, magic, sizeof(magic) - 1, 0) == sizeof(magic) - 1 &&
	       !strcmp(magic, BLKBACK_JOURNAL_MAGIC);
	close(fd);
	return used;
}

uint32_t blkback_leftovers_answered(struct rd_store *store, uint32_t domid,
				    uint32_t devid)
{
	int fd = open_journal(store, domid, devid);
	uint32_t sum = 0, pushed;
	unsigned i;

	for (i = 0; fd >= 0 && i < BLKBACK_MAX_QUEUES; i++)
		if (pread(fd, &pushed, sizeof(pushed),
			  offsetof(struct blkback_journal_file,
				   queue[i].pushed)) == sizeof(pushed))
			sum += pushed;
	if (fd >= 0)
		close(fd);
	return sum;
}

static void remove_file(int dir, const char *format, uint32_t domid,
			uint32_t devid)
{
	char name[64];

	snprintf(name, sizeof(name), format, domid, devid);
	unlinkat(dir, name, 0);
}

static void remove_files(struct rd_store *store, uint32_t domid, uint32_t devid,
			 bool journal)
{
	int dir = open_store(store);

	if (dir < 0)
		return;
	remove_file(dir, NODES_SOCKET, domid, devid);
	remove_file(dir, RECORD_OF_DEVICE, domid, devid);
	if (journal)
		remove_file(dir, NODES_JOURNAL, domid, devid);
	close(dir);
}

static int end_leftovers(struct rd_store *store, uint32_t domid, uint32_t devid,
			 bool journal)
{
	char label[RD_LABEL_MAX];
	int rc;

	kill_worker(store, domid, devid);
	snprintf(label, sizeof(label), NODES_LABEL, domid, devid);
	rc = rd_try_end(store, label);
	if (rc == -EWOULDBLOCK)
		return rc;
	if (rc && rc != -ENOENT)
		blkback_log(BLKBACK_ERROR,
			    "%u/%u: cannot end the attachment: %s", domid,
			    devid, strerror(-rc));
	remove_files(store, domid, devid, journal);
	return 0;
}

int blkback_leftovers_end(struct rd_store *store, uint32_t domid,
			  uint32_t devid)
{
	return end_leftovers(store, domid, devid, true);
}

int blkback_leftovers_clear(struct rd_store *store, uint32_t domid,
			    uint32_t devid)
{
	return end_leftovers(store, domid, devid,
			     blkback_leftovers_exist(store, domid, devid));
}

/* ---- without a device --------------------------------------------------- */

int blkback_leftovers_park(struct rd_store *store, uint32_t domid,
			   uint32_t devid, const char *to)
{
	char label[RD_LABEL_MAX], id[RD_ID_MAX];
	int rc;

	kill_worker(store, domid, devid);
	snprintf(label, sizeof(label), NODES_LABEL, domid, devid);
	rc = rd_try_relabel(store, label, to);
	/* A caller that was killed may have come so far. */
	if (rc == -EEXIST && rd_find_durable(store, label, id))
		rc = 0;
	if (!rc)
		remove_files(store, domid, devid, true);
	return rc;
}

int blkback_leftovers_unpark(struct rd_store *store, const char *from,
			     uint32_t domid, uint32_t devid)
{
	char label[RD_LABEL_MAX], id[RD_ID_MAX];
	int rc;

	snprintf(label, sizeof(label), NODES_LABEL, domid, devid);
	rc = rd_find_durable(store, from, id);
	if (rc == -ENOENT)
		return rd_find_durable(store, label, id) ? -ENOENT : 1;
	if (!rc)
		rc = end_leftovers(store, domid, devid, true);
	return rc ? rc : rd_try_relabel(store, from, label);
}

/* ---- all devices of the store ------------------------------------------- */

/*
 * Call @found for each attachment of a device, or only for those of dead
 * workers.
 */
static void for_each_attachment(struct rd_store *store, bool dead_only,
				void (*found)(void *, uint32_t, uint32_t),
				void *arg)
{
	struct rd_disk_info *disks = NULL;
	unsigned domid, devid;
	size_t n = 0, i, k;

	if (rd_list_brief(store, &disks, &n, NULL))
		return;
	for (i = 0; i < n; i++)
		for (k = 0; k < disks[i].attachments; k++) {
			const struct rd_attachment_info *a =
				&disks[i].attachment[k];

			if (a->durable && !(dead_only && a->alive) &&
			    sscanf(a->label, NODES_LABEL, &domid, &devid) == 2)
				found(arg, domid, devid);
		}
	rd_list_free(disks, n);
}

void blkback_leftovers_each_orphan(struct rd_store *store,
				   void (*found)(void *, uint32_t, uint32_t),
				   void *arg)
{
	for_each_attachment(store, true, found, arg);
}

struct sweep {
	struct rd_store *store;
	bool (*known)(void *, uint32_t, uint32_t);
	void *arg;
	int rc;
};

static void end_unknown(void *arg, uint32_t domid, uint32_t devid)
{
	struct sweep *s = arg;

	if (!s->known(s->arg, domid, devid) &&
	    blkback_leftovers_end(s->store, domid, devid))
		s->rc = -EWOULDBLOCK;
}

int blkback_leftovers_sweep(struct rd_store *store,
			    bool (*known)(void *, uint32_t, uint32_t),
			    void *arg)
{
	struct sweep sweep = { store, known, arg, 0 };
	int fd = open_store(store);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	unsigned domid, devid;
	struct dirent *e;

	for_each_attachment(store, false, end_unknown, &sweep);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return sweep.rc;
	}
	while ((e = readdir(dir)))
		if (sscanf(e->d_name, NODES_JOURNAL, &domid, &devid) == 2 ||
		    sscanf(e->d_name, NODES_SOCKET, &domid, &devid) == 2)
			end_unknown(&sweep, domid, devid);
	closedir(dir);
	return sweep.rc;
}
