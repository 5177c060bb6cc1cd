/* SPDX-License-Identifier: BSD-2-Clause */
/* The xenstore nodes of one vbd. drivers/blkback/common/nodes.h documents them. */
#ifndef XM_RAMDISK_DEVICE_H
#define XM_RAMDISK_DEVICE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <xenstore.h>

#include "drivers/blkback/common/fault-spec.h"
#include "include/ramdisk.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/xen/domain.h"
#include "tools/xm-ramdisk/xen/vdev.h"

struct device {
	struct xs_handle *xs;
	unsigned domid, devid;
	char domain[DOMAIN_NAME_MAX]; /* for people */
	char vdev[VDEV_NAME_MAX];
	char back[96], front[96]; /* directories */
};

/* What one look at the nodes of a device shows. */
struct device_state {
	int back, front; /* enum xenbus_state, 0 if the node is missing */
	bool domain_gone;
	char error[512]; /* the backend's last sentence, or empty */
	struct blkback_fault_set faults, faults_active; /* wanted, and acting */
};

/*
 * xenstore and the domain that @domain names, for subcommand @what: as
 * host_open() and domain_find(), an exit status. Give back with device_close().
 */
int device_open(struct device *d, const char *what, const char *domain,
		unsigned devid);
void device_close(struct device *d);
/* Another device of the same domain, that may have been attached by xl. */
void device_select(struct device *d, unsigned devid);
/* The faults that are set for a device; none without @xs. */
void device_faults(struct xs_handle *xs, xs_transaction_t t, unsigned domid,
		   unsigned devid, struct blkback_fault_set *set);
/* Say so if the vdev is in use: before a seed is loaded for nothing. */
int device_check_free(struct device *d);
/*
 * Write both directories in one transaction. EXIT_FAILED if the vdev is in
 * use, or xenstore refuses.
 */
int device_create(struct device *d, const char *store,
		  const struct rd_disk *disk, bool writable,
		  const struct disk_options *options);
/*
 * The same for the kernel's backend and a block device of this host: first say
 * that it is the backend that is meant, then create.
 */
void device_use_kernel(struct device *d);
int device_create_kernel(struct device *d, const char *path, bool writable);
/*
 * Ask frontend and backend to let go, at the next detach for good.
 */
int device_ask_to_close(struct device *d);
void device_remove_frontend(struct device *d);
void device_remove(struct device *d);
/*
 * Whose backend serves the vdev: 0 and a malloc'ed path, -ENOENT if nothing
 * is attached there, -errno.
 */
int device_backend(struct device *d, char **path);
void device_look(struct device *d, struct device_state *state);
/*
 * Wait until @done says so of the device's state, at most until @deadline
 * (clock_deadline()) or a signal set *stop. 0, -ETIMEDOUT, -EINTR or -errno; in
 * every case *state is the last look.
 */
int device_wait(struct device *d,
		bool (*done)(const struct device_state *state),
		struct device_state *state, int64_t deadline,
		const volatile sig_atomic_t *stop);

#endif
