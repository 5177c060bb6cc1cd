/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The toolstacks by which a disk gets into a domain, and the choice between them.
 * Each has a function that goes it, returns an exit status and said why not,
 * and one that prints what it would run or write.
 */
#ifndef XM_RAMDISK_TOOLSTACK_H
#define XM_RAMDISK_TOOLSTACK_H

#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/xen/device.h"

enum toolstack {
	TOOLSTACK_NONE,
	TOOLSTACK_DIRECT, /* xen-ramdiskd, nodes of our own */
	TOOLSTACK_XL, /* xl block-attach with block-ramdisk */
	TOOLSTACK_XM, /* xm block-attach tap:ram: with an alias, for blktap */
	TOOLSTACKS,
};

struct attach {
	const char *domain;
	struct disk_options disk;
	unsigned devid;
	bool writable;
	int seconds;
	int remote; /* seconds to connect again for; 0: the seed is loaded here */
	enum toolstack toolstack;
	bool dry_run;
	const volatile sig_atomic_t *stop;
};

bool toolstack_parse(const char *text, enum toolstack *toolstack);
const char *toolstack_name(enum toolstack toolstack);

/*
 * The first toolstack that this host has everything for, and in @why what was
 * found; or TOOLSTACK_NONE, and what is lacking.
 */
enum toolstack toolstack_choose(char *why, size_t size);

int toolstack_attach(const struct attach *a);
void toolstack_show(const struct attach *a);

int toolstack_direct_attach(const struct attach *a);
/*
 * How an attach stands: 1 connected, 0 it may come yet, -1 it has failed. @late:
 * nobody waits any longer.
 */
int toolstack_direct_stands(const struct device_state *state, bool late);
void toolstack_direct_show(const struct attach *a);
int toolstack_xl_attach(const struct attach *a);
void toolstack_xl_show(const struct attach *a);
int toolstack_xm_attach(const struct attach *a);
void toolstack_xm_show(const struct attach *a);

/*
 * Detach what the xl and xm toolstacks attached. EXIT_DONE or EXIT_FAILED; -1 if
 * the device is not theirs. @backend is the device's, or NULL.
 */
int toolstack_xl_detach(struct xs_handle *xs, const char *domain,
			unsigned devid, const char *backend);
int toolstack_xm_detach(const char *domain, unsigned devid);

/*
 * A disk that another host serves: the kernel's NBD client and its backend.
 * The detach answers as toolstack_xl_detach().
 */
int toolstack_remote_attach(const struct attach *a);
void toolstack_remote_show(const struct attach *a);
int toolstack_remote_detach(struct device *d, bool force, int seconds,
			    const volatile sig_atomic_t *stop);

/* Remove the aliases of domains that are gone. */
void toolstack_xm_clean(struct rd_store *store);

#endif
