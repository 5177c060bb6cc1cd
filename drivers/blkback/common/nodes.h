/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The xenstore nodes of a vbd of kind "ramdisk": what the tool writes and what
 * xen-ramdiskd reads and writes. This is the contract between the two, and the
 * only header of the backend that others may include.
 *
 * In the backend's domain (always Domain-0), under
 * /local/domain/0/backend/ramdisk/<domid>/<devid>, readable by the frontend:
 *
 *   by the tool, in one transaction with the frontend's nodes
 *     frontend     path of the frontend's directory
 *     frontend-id  its domain
 *     online       1; 0 asks the backend to go for good once the frontend closed
 *     state        1 (XenbusStateInitialising); 5 (Closing) asks to detach
 *     format       RD_FORMAT of the tool, decimal
 *     store        the store's directory; a daemon serves its own store only
 *     params       the seed's path, canonical
 *     dev          the vdev as a person wrote it, for people
 *     mode         r or w
 *     disk         id of the disk, which the tool holds until the device is
 *                  connected; missing: the seed's own disk, loaded if need be
 *     private      1: a copy-on-write view of the domain's own; may be missing
 *     removable    0
 *     logical-block-size  what sector-size will say: 512, which it is when the
 *                  node is missing, or 4096. The disk is a whole number of
 *                  them. Sectors are of 512 bytes in sectors and in requests
 *                  all the same; smaller requests are carried out
 *   by the tool, at any time
 *     fault        faults on purpose; missing or empty: none. Words with a
 *                  space between them, each once at most, numbers decimal:
 *                    error=read|write|all  such requests fail; discards are
 *                                  writes, and so are flushes without range=
 *                    ratio=N       so many of them in a million, 1000000
 *                    range=OFF+LEN only those that touch these bytes
 *                    delay=MS      before a request is carried out
 *                    jitter=MS     up to that much more, at random
 *                    freeze=1      all requests wait
 *                    write-protect=1  as if attached for reading
 *                    iops=N        requests a second at most
 *                    bandwidth=N   bytes a second at most
 *                  Anything else: the whole node is ignored, what was set
 *                  before stays, and it is said in the log once
 *     device-type  disk
 *   by xen-ramdiskd
 *     state        as in xen/io/xenbus.h
 *     feature-*, discard-*, max-ring-page-order, multi-queue-max-queues, info,
 *     sectors, sector-size, physical-sector-size: as in xen/io/blkif.h
 *     fault-active the value of fault that acts now; missing: none does
 *     error        one sentence for people when it closed the device by itself
 *   With online 0 xen-ramdiskd removes the directory, and the frontend's, once
 *   the frontend has closed and the disk's reference is given back: "gone" means
 *   detached.
 *
 * xl of Xen 4.19 and later makes a device of another kind for a disk with
 * backendtype=tap, under /local/domain/0/backend/vbd3/<domid>/<devid>. Ours are
 * those whose script node names NODES_XL_SCRIPT; others are tapback's. frontend,
 * frontend-id, online, state and mode are libxl's there, and so is the
 * directory's removal. It waits for state 2 (InitWait) before it runs the
 * script. The rest, in one transaction by the script's command, is in the
 * directory's folder "ramdisk": format, store, params, disk, private,
 * logical-block-size; and by xen-ramdiskd, when its worker has the disk,
 * attached = 1. The frontend is told Connected after libxl's hotplug-status has
 * become "connected".
 *
 * In the frontend's domain, under /local/domain/<domid>/device/vbd/<devid>,
 * owned by it and readable by Domain-0 (by the tool): backend, backend-id,
 * virtual-device, device-type, state = 1. The rest is the frontend's.
 *
 * <devid> is the number of xen/io/blkif.h and docs/man/xen-vbd-interface.7 of
 * Xen: 202 << 8 | disk << 4 | partition for xvda to xvdp, 1 << 28 | ... above.
 *
 * The daemon holds an open-file-description lock on <store>/xen-ramdiskd.pid
 * for as long as it runs, and writes there one line: "PID FORMAT VERSION\n".
 */
#ifndef BLKBACK_NODES_H
#define BLKBACK_NODES_H

#define NODES_KIND "ramdisk"
/* relative to the reader's own domain, which is how a watch may name it */
#define NODES_BACKEND "backend/" NODES_KIND
#define NODES_XL_KIND "vbd3"
#define NODES_XL_BACKEND "backend/" NODES_XL_KIND
#define NODES_XL_FOLDER "ramdisk"
#define NODES_XL_SCRIPT "block-ramdisk" /* last component of its path */
#define NODES_BLOCK_SIZE "logical-block-size"
#define NODES_FAULT "fault"
#define NODES_FAULT_ACTIVE "fault-active"
#define NODES_DAEMON_FILE "xen-ramdiskd.pid"
/* printf and scanf format of a worker's label in the store: domid, devid */
#define NODES_LABEL "vbd/%u/%u"
/*
 * and of two files in the store: its journal, and where it listens. The tool
 * may make the journal, of zeros and this size at least, before the nodes.
 * Then where a worker without a device listens, whose supervisor was killed.
 */
#define NODES_JOURNAL "vbd-%u-%u.journal"
#define NODES_JOURNAL_SIZE 49152 /* bytes */
#define NODES_SOCKET "vbd-%u-%u.socket"
#define NODES_SPARE_SOCKET "xen-ramdiskd.spare"

#endif
