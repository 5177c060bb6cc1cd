/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process that holds the plugin's disks: xm-ramdisk serve attaches to each
 * disk that a client has, so that the disk stays when nbdkit ends, and the next
 * nbdkit gets the pins of the one before (pins.h). holder=FD is a socket to it
 * (SOCK_SEQPACKET). Each request has one answer:
 *
 *   !           a client is about to attach            y
 *   +ID/EXPORT  a client has attached through EXPORT   y, or n: it cannot be held
 *   -ID         a client has detached                  y
 *   ?N          the N-th pin, from 0                   pID/EXPORT, or n: no more
 *
 * tools/xm-ramdisk/serve/hold.c is the other end. A mutex orders the threads'
 * requests. Without holder= nothing is held, and the functions do nothing.
 */
#ifndef NBDKIT_RAMDISK_HOLDER_H
#define NBDKIT_RAMDISK_HOLDER_H

/* holder=. 0, or -1 and said why. */
int holder_config(const char *value);
/* Before nbdkit serves: take over the pins. 0, or -1 and said why. */
int holder_get_pins(void);

/* This process is about to attach to a disk. */
void holder_prepare(void);
/* This process is attached to disk @id. 0, or -1 and said why. */
int holder_take(const char *id, const char *export);
/* This process has detached from disk @id. */
void holder_release(const char *id);

#endif
