/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The xenstore nodes of a vbd of kind "ramdisk", and the files of the store's
 * directory: the contract between the tool and xen-ramdiskd. No functions.
 *
 * In the backend's domain, which is Domain-0 or a driver domain, under
 * /local/domain/<backend's domid>/backend/ramdisk/<domid>/<devid>, owned by the
 * backend's domain and readable by the frontend's. The directories above it are the
 * driver domain's, too, so that xen-ramdiskd can remove them when they are empty.
 *
 *   by the tool, in one transaction with the frontend's nodes
 *     frontend     path of the frontend's directory
 *     frontend-id  its domain
 *     online       1; 0: the backend removes the device after the frontend has closed
 *     state        1 (XenbusStateInitialising); 5 (Closing): detach
 *     format       RD_FORMAT of the tool, decimal
 *     store        the store's directory; a daemon serves its own store only
 *     params       the seed's path, canonical
 *     dev          the vdev as the user typed it, for people
 *     mode         r or w
 *     disk         id of the disk, to which the tool is attached until the device
 *                  is connected; missing: the seed's own disk, loaded if it is
 *                  not loaded. The tool cannot attach in a driver domain: there
 *                  disk is missing, or the id or name of a disk that was loaded there
 *     private      1: a private copy-on-write view; missing: 0
 *     point        the point of the disk that is attached, read-only or as a private
 *                  view; missing: the disk as it is
 *     returned     UUID of the domain, whose attachment was kept while the domain
 *                  was saved or restarted: the worker takes that attachment over.
 *                  Written by xen-ramdiskd itself, or by the script for libxl's
 *                  devices; missing: a new attachment
 *     removable    0
 *     logical-block-size  the value for sector-size: 512 or 4096; missing: 512. It
 *                  divides the disk's size. The node sectors and the requests
 *                  count sectors of 512 bytes in both cases, and requests
 *                  smaller than logical-block-size are executed
 *   by the tool, at any time
 *     fault        the fault spec: injected faults; missing or empty: none. Words
 *                  separated by a space, each at most once, numbers decimal:
 *                    error=read|write|all  these requests fail; a discard is a
 *                                  write, and a flush is one without range=
 *                    ratio=N       of the requests of error=, N in a million fail; default 1000000
 *                    range=OFF+LEN only requests that touch these bytes fail
 *                    delay=MS      before a request is executed
 *                    jitter=MS     up to MS more, at random
 *                    freeze=1      all requests wait
 *                    write-protect=1  as if attached for reading
 *                    iops=N        requests a second at most
 *                    bandwidth=N   bytes a second at most
 *                  A spec with any other word is ignored as a whole: the faults
 *                  set before stay, and the log has one line about it
 *     device-type  disk
 *   by xen-ramdiskd
 *     state        as in xen/io/xenbus.h
 *     feature-*, discard-*, max-ring-page-order, multi-queue-max-queues, info,
 *     sectors, sector-size, physical-sector-size: as in xen/io/blkif.h
 *     fault-active the fault spec that acts now; missing: none
 *   xen-ramdiskd also writes all nodes of the tool's, and the frontend's, for a
 *   domain that is back (returned).
 *     error        one sentence for people: why xen-ramdiskd closed the device
 *   With online 0 xen-ramdiskd removes both directories after the frontend has
 *   closed and the worker has detached: a missing directory means detached.
 *
 * xl of Xen 4.19 and later makes a device of another kind for a disk with
 * backendtype=tap, under backend/vbd3/<domid>/<devid> of the backend's domain.
 * xen-ramdiskd serves the devices whose script node names NODES_XL_SCRIPT;
 * tapback serves the others. libxl writes frontend, frontend-id, online, state
 * and mode, and removes the directory. libxl waits for state 2 (InitWait) before
 * it runs the script. The script's command writes the rest, in one transaction,
 * into the subdirectory "ramdisk": format, store, params, disk, private, point,
 * logical-block-size, returned. xen-ramdiskd writes attached = 1 there when its worker is
 * attached to the disk, and sets state Connected after libxl's hotplug-status is
 * "connected".
 *
 * In the frontend's domain, under /local/domain/<domid>/device/vbd/<devid>,
 * owned by that domain and readable by the backend's: the tool writes backend,
 * backend-id, virtual-device, device-type and state = 1; the frontend writes the
 * rest. A driver domain cannot remove these nodes; the toolstack does.
 *
 * By xen-ramdiskd, under its own domain's directory: data/xen-ramdiskd-<pid>, its
 * version, while it runs. A xenstored that does not have the node any more has lost
 * its contents. Below it are format and store, as in a device: a tool in Domain-0
 * finds the daemon of a driver domain by them.
 *
 * <devid> is the number of xen/io/blkif.h and docs/man/xen-vbd-interface.7 of
 * Xen: 202 << 8 | disk << 4 | partition for xvda to xvdp, 1 << 28 | ... above.
 *
 * The daemon holds an open-file-description lock on <store>/xen-ramdiskd.pid
 * while it runs. The file has one line: "PID FORMAT VERSION\n".
 */
#ifndef BLKBACK_NODES_H
#define BLKBACK_NODES_H

#define NODES_KIND "ramdisk"
/* relative to the reader's own domain: watches report such paths unchanged */
#define NODES_BACKEND "backend/" NODES_KIND
#define NODES_XL_KIND "vbd3"
#define NODES_XL_BACKEND "backend/" NODES_XL_KIND
#define NODES_XL_FOLDER "ramdisk"
#define NODES_XL_SCRIPT \
	"block-ramdisk" /* last component of the script's path */
#define NODES_BLOCK_SIZE "logical-block-size"
#define NODES_RETURNED "returned"
#define NODES_FAULT "fault"
#define NODES_FAULT_ACTIVE "fault-active"
#define NODES_DAEMON_FILE "xen-ramdiskd.pid"
#define NODES_DATA "data"
#define NODES_MARK_NAME "xen-ramdiskd-%u"
#define NODES_MARK NODES_DATA "/" NODES_MARK_NAME
/* printf and scanf format of an attachment's label: domid, devid */
#define NODES_LABEL "vbd/%u/%u"
/*
 * Names of files in the store's directory, again of domid and devid: a worker's
 * journal and listening socket. The tool may make the journal before the nodes:
 * zeros, at least NODES_JOURNAL_SIZE bytes. NODES_SPARE_SOCKET is the listening
 * socket of a spare worker whose supervisor was killed.
 */
#define NODES_JOURNAL "vbd-%u-%u.journal"
#define NODES_JOURNAL_SIZE 49152 /* bytes */
#define NODES_SOCKET "vbd-%u-%u.socket"
#define NODES_SPARE_SOCKET "xen-ramdiskd.spare"

#endif
