/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of attachments, which xen-ramdiskd keeps in the store's directory, beside
 * the journals: which domain an attachment belongs to, and, while that domain is
 * not there, what its device was like. xenstore has neither once a toolstack has
 * destroyed a domain. Text, a line KEY=VALUE for each member; a file is replaced as
 * a whole. Only root writes there; a file with anything unexpected is refused.
 */
#ifndef BLKBACK_RECORD_H
#define BLKBACK_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/blkback/common/fault-spec.h"
#include "include/ramdisk.h"

#define BLKBACK_UUID_MAX 37u /* bytes, with the NUL */
#define BLKBACK_DOMAIN_MAX 256u /* bytes of a domain's name, with the NUL */

/* Of a device whose domain is there, by domid and devid. */
#define RECORD_OF_DEVICE "vbd-%u-%u.domain"
/* Of an attachment whose domain is not there, by UUID and devid. */
#define RECORD_OF_SAVED "saved-%36[-0-9a-f]-%u.domain" /* for scanf */
#define RECORD_OF_SAVED_NAME "saved-%s-%u.domain" /* for printf */
/* The label of such an attachment, again by UUID and devid. */
#define RECORD_LABEL "saved/%s/%u"

/* For a toolstack to make a domain that has ended again: xl waits for 2 s first. */
#define BLKBACK_RETURN_MS 20000

struct blkback_record {
	char uuid[BLKBACK_UUID_MAX]; /* of the domain */
	char domain[BLKBACK_DOMAIN_MAX]; /* its name */
	uint32_t domid, devid;
	bool of_xl; /* made by libxl, which makes the device again itself */
	bool asked; /* the domain was asked to suspend */
	/* the device, as nodes.h has it */
	char seed[RD_SEED_MAX], disk[RD_ID_MAX];
	char vdev[32]; /* as the user typed it */
	char point[RD_NAME_MAX]; /* of the disk, or empty */
	bool writable, private_view;
	bool nbd; /* of backend/vbd: it had an NBD device, else a loop device */
	uint32_t sector_size;
	struct blkback_fault_set faults;
	/* only of an attachment whose domain is not there */
	bool returning; /* the domain may be starting again: see until */
	uint64_t since; /* seconds since 1970 */
	uint64_t until; /* ms, CLOCK_MONOTONIC: the attachment ends; 0: never */
};

/* Whether @text is a UUID of hexadecimal digits in lower case. */
bool blkback_record_is_uuid(const char *text);

/* Parse a label RECORD_LABEL. */
bool blkback_record_of_label(const char *label, char uuid[BLKBACK_UUID_MAX],
			     uint32_t *devid);

/*
 * Write or read the file @name of the directory open as @dir. 0; -ENOENT; -EUCLEAN
 * when the file has something unexpected; or another -errno.
 */
int blkback_record_write(int dir, const char *name,
			 const struct blkback_record *r);
int blkback_record_read(int dir, const char *name, struct blkback_record *r);

/*
 * The record of a saved attachment in the directory @store: write it under the UUID
 * and devid that it has, read it, remove it. 0 or -errno, as above.
 */
int blkback_record_save(const char *store, const struct blkback_record *r);
int blkback_record_find(const char *store, const char *uuid, uint32_t devid,
			struct blkback_record *r);
void blkback_record_forget(const char *store, const char *uuid, uint32_t devid);

#endif
