/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The toolstacks by which a disk is attached to a domain, and the choice between
 * them. Each toolstack has a function that attaches, which returns EXIT_DONE,
 * or EXIT_FAILED after a message; and a function that prints what it would run
 * or write (--dry-run).
 */
#ifndef XM_RAMDISK_TOOLSTACK_H
#define XM_RAMDISK_TOOLSTACK_H

#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/xen/device.h"

enum toolstack {
	TOOLSTACK_NONE,
	TOOLSTACK_DIRECT, /* the tool writes the nodes, for xen-ramdiskd */
	TOOLSTACK_XL, /* xl block-attach with block-ramdisk */
	TOOLSTACK_XM, /* xm block-attach tap:ram:ALIAS, for blktap */
	TOOLSTACKS,
};

/* What is attached, to which domain. */
struct attach {
	const char *domain;
	struct disk_options disk;
	unsigned devid;
	bool writable;
	int seconds; /* to wait for the frontend */
	bool no_wait; /* do not wait for the frontend; only if @remote */
	/* A disk of another host: seconds to reconnect for. 0: one of this host. */
	int remote;
	const char *
		backend; /* the driver domain of the backend; or NULL: this one */
	enum toolstack toolstack;
	bool dry_run;
	const volatile sig_atomic_t *stop; /* set by SIGINT and SIGTERM */
};

bool toolstack_parse(const char *text, enum toolstack *toolstack);
const char *toolstack_name(enum toolstack toolstack);

/*
 * The first toolstack whose requirements this host meets, and in @why which
 * these are; or TOOLSTACK_NONE, and in @why what is lacking.
 */
enum toolstack toolstack_choose(char *why, size_t size);

int toolstack_attach(const struct attach *a);
void toolstack_show(const struct attach *a);

int toolstack_direct_attach(const struct attach *a);
/*
 * The result of an attach in state @state: 1 connected, 0 not yet, -1 failed.
 * @late: the time to wait is over, so "not yet" is a failure.
 */
int toolstack_direct_result(const struct device_state *state, bool late);
void toolstack_direct_show(const struct attach *a);
/*
 * The device is in xenstore: wait until it is connected, and remove it if that fails.
 * An exit status.
 */
int toolstack_direct_connect(const struct attach *a, struct device *d);
/*
 * Print what was attached: @size bytes of @seed. If that cannot be printed, the device
 * is removed again. An exit status.
 */
int toolstack_direct_say(const struct attach *a, struct device *d,
			 uint64_t size, const char *seed);
int toolstack_xl_attach(const struct attach *a);
void toolstack_xl_show(const struct attach *a);
int toolstack_xm_attach(const struct attach *a);
void toolstack_xm_show(const struct attach *a);

/*
 * Detach what the xl and xm toolstacks attached. EXIT_DONE, EXIT_FAILED after a
 * message, or -1 if the toolstack did not attach the device. @backend is the
 * backend's directory.
 */
int toolstack_xl_detach(struct xs_handle *xs, const char *domain,
			unsigned devid, const char *backend);
int toolstack_xm_detach(const char *domain, unsigned devid);

/*
 * A disk that another host serves, by the kernel's blkback over an NBD device.
 * The result of the detach is as that of toolstack_xl_detach().
 */
int toolstack_remote_attach(const struct attach *a);
void toolstack_remote_show(const struct attach *a);
int toolstack_remote_detach(struct device *d, bool force, int seconds,
			    const volatile sig_atomic_t *stop);

/* A disk that xen-ramdiskd of a driver domain serves, a->backend. */
int toolstack_driver_attach(const struct attach *a);
void toolstack_driver_show(const struct attach *a);
/*
 * Close a device whose driver domain is gone; with @force remove it, too. An exit
 * status; -1 if the domain is there.
 */
int toolstack_driver_detach(struct device *d, bool force, int seconds,
			    const volatile sig_atomic_t *stop);

/* Remove the aliases of domains that xm does not list any more. */
void toolstack_xm_clean(struct rd_store *store);

#endif
