/* SPDX-License-Identifier: BSD-2-Clause */
/* A reader of tar archives that may be hostile; tar.c. */
#ifndef XM_RAMDISK_INTERFACE_TAR_H
#define XM_RAMDISK_INTERFACE_TAR_H

#include <stddef.h>
#include <stdint.h>

#include "tools/xm-ramdisk/interface/facts.h"

#define IFACE_TAR_MAX (UINT64_C(1) << 30) /* bytes, unpacked */
#define IFACE_TAR_MEMBERS 400000u

/* Up to @len bytes of the archive into @buf: how many, 0 at its end, -errno. */
typedef long iface_read_fn(void *arg, void *buf, size_t len);
/*
 * Read an archive and store what Xen's headers in it define in @facts. 0, also
 * if there are no such headers; -EINVAL if the data is no tar archive, -EBADMSG
 * if it is damaged, -EFBIG beyond the limits above, -errno of @read.
 */
int iface_tar_read(struct iface_facts *facts, iface_read_fn *read, void *arg);

#endif
