/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The xenstore nodes of one virtual block device, written and read by the
 * tool. drivers/blkback/common/nodes.h documents the nodes.
 */
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
	unsigned backend; /* the backend's domain: this one, or a driver domain */
	char domain[DOMAIN_NAME_MAX]; /* its name, for messages */
	char vdev[VDEV_NAME_MAX];
	char back[96], front[96]; /* xenstore directories of both ends */
};

/* The nodes of a device, read at one moment (not in a transaction). */
struct device_state {
	int back, front; /* enum xenbus_state, 0 if the node is missing */
	bool domain_gone, backend_gone;
	char error[512]; /* the backend's last error, or empty */
	struct blkback_fault_set faults; /* set for the device */
	struct blkback_fault_set faults_active; /* taken up by its worker */
};

/*
 * Open xenstore and find the domain that @domain names, for subcommand @what,
 * as host_open() and domain_find() do. EXIT_DONE, and device_close() ends it;
 * EXIT_FAILED after a message.
 */
int device_open(struct device *d, const char *what, const char *domain,
		unsigned devid);
void device_close(struct device *d);
/* A device over @xs, which stays the caller's, with its backend in this domain. */
void device_of(struct device *d, struct xs_handle *xs, unsigned domid,
	       unsigned devid);
/* Switch to another device of the domain, attached by the tool or by xl. */
void device_select(struct device *d, unsigned devid);
/* The faults that are set for a device; none if @xs is NULL. */
void device_faults(struct xs_handle *xs, xs_transaction_t t, unsigned domid,
		   unsigned devid, struct blkback_fault_set *set);
/* Add the question that it asks of a device without faults (ahead.h). */
void device_faults_ahead(struct xs_handle *xs, unsigned domid, unsigned devid);
/*
 * EXIT_FAILED, after a message, if the vdev is in use. device_create() checks it
 * again; this check comes before a seed is loaded.
 */
int device_check_free(struct device *d);
/* What is attached, and how. */
struct device_disk {
	const char *store; /* of the xen-ramdiskd that serves the device */
	const char *seed;
	const char *id; /* of a loaded disk, or NULL: the seed's */
	bool writable;
	const struct disk_options *options;
};

/*
 * Write both directories in one transaction, for xen-ramdiskd. EXIT_FAILED,
 * after a message, if the vdev is in use or xenstore refuses.
 */
int device_create(struct device *d, const struct device_disk *disk);
/* The backend is in domain @domid. Called before the functions above. */
void device_use_backend(struct device *d, unsigned domid);
/* The backend that the frontend has, if that is xen-ramdiskd of a driver domain. */
bool device_in_driver_domain(struct device *d);
/*
 * The same for the kernel's blkback over block device @path of this host.
 * device_use_kernel() is called before: it sets @d->back.
 */
void device_use_kernel(struct device *d);
int device_create_kernel(struct device *d, const char *path, bool writable);
/* Set "online" to 0 and the backend's state to Closing, in one transaction. */
int device_ask_to_close(struct device *d);
void device_remove_frontend(struct device *d);
void device_remove(struct device *d);
/*
 * The driver domain of the backend is gone, and nobody answers the frontend: close it
 * in the name of the backend, wait for it until @deadline, and remove the backend's
 * nodes. The frontend's stay: if they went, Linux would remove the device, and wait for
 * its requests under way for ever, in the thread that all of its devices need.
 */
void device_bury(struct device *d, int64_t deadline,
		 const volatile sig_atomic_t *stop);
/*
 * The backend's directory as the frontend has it: 0 and *path, for the caller
 * to free; -ENOENT if nothing is attached there; -errno.
 */
int device_backend(struct device *d, char **path);
void device_read(struct device *d, struct device_state *state);
/*
 * Wait until @done returns true for the device's state, at most until
 * @deadline (clock_deadline()) or until a signal handler has set *stop. 0,
 * -ETIMEDOUT, -EINTR or -errno. *state is the state that was read last.
 */
int device_wait(struct device *d,
		bool (*done)(const struct device_state *state),
		struct device_state *state, int64_t deadline,
		const volatile sig_atomic_t *stop);

#endif
