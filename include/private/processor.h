/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processors that this tree can be built for; stops the build for any other
 * one. Also build-aux/packages preprocesses this file, before anything is compiled,
 * so that the sentence is printed once. Not installed.
 */
#ifndef PRIVATE_PROCESSOR_H
#define PRIVATE_PROCESSOR_H

#if !defined(__LP64__)
/* Also the ILP32 ABIs of 64-bit processors: off_t and size_t have 32 bits. */
#error "xen-ramdisk needs a 64-bit ABI: a disk is mapped as a whole, and its locks are at offsets from 2^40 on. Build for amd64 or arm64; a 64-bit Domain-0 serves 32-bit guests too."
#elif __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "xen-ramdisk needs a little-endian ABI: requests and responses of a ring are in the byte order of Xen, which is little-endian. Build for amd64 or arm64."
#elif !defined(__x86_64__) && !defined(__aarch64__)
#error "xen-ramdisk is built for amd64 and arm64, the processors of Xen that it was tested on. For another one see the section on processors in HACKING.md."
#endif

#endif
