/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interface versions of all releases of Xen since 3.0.2, and the
 * definitions by which one source compiles against the headers of all of them.
 *
 * Generated from tools/xm-ramdisk/interface/versions.tsv and changes.tsv:
 * change those and run `make interface`. This file includes no other of its
 * project: copy it into yours. C99 and later, C++17, gcc and clang. Nothing
 * has to be linked: it has macros and static inline functions only.
 *
 * 1. The numbers. XEN_INTERFACE_4_17_0 is the newest interface in the headers
 *    of Xen 4.17.0; XEN_DOMCTL_4_17_0 and XEN_SYSCTL_4_17_0 are the versions of
 *    its control interfaces. XEN_INTERFACE_V_00040e00 is the value 0x00040e00.
 *    These work in #if:
 *       XEN_INTERFACE_OF(4, 17, 0)             0x00040e00
 *       XEN_INTERFACE_RELEASES(0x00040e00)     "4.14.0 to 4.18.6"
 *    and at run time xen_interface_of("4.17.0"), xen_domctl_of(),
 *    xen_sysctl_of(), xen_interface_releases(0x00040e00).
 *
 * 2. Asking for an interface, and a sentence if the headers lack it:
 *       #define XEN_INTERFACE_NEEDED XEN_INTERFACE_4_0_0
 *       #include <xen-interface.h>
 *       #include <xen/io/ring.h> ...
 *    Name the lowest interface that your code needs. This file asks Xen's
 *    headers for it; if they are too old, the compiler stops with a sentence.
 *    Barriers are defined under the names that the headers use, unless your
 *    code has defined them. With __XEN_TOOLS__ Xen's headers always take
 *    their newest interface, and this file only checks it.
 *
 * 3. Newer names on older headers. Include this file once more after Xen's
 *    headers, and code written with today's names compiles against old ones:
 *    the barriers, ring sizes and copies, grant_entry_v1, block operations,
 *    status codes, event channel operations. A name that Xen's headers define
 *    is never redefined. The hypervisor or the other domain may still lack
 *    what a name stands for: negotiate features, and expect -ENOSYS.
 *
 * XEN_INTERFACE_MARK; in one file of a program puts a note into the program:
 * `xm-ramdisk interface of PROGRAM` reads which interface it was built for.
 */
#ifndef XEN_INTERFACE_H
#define XEN_INTERFACE_H

#include <string.h>

/* No warning for look-ups that a program does not use. */
#ifdef __GNUC__
# define XEN_INTERFACE_FUNCTION static inline __attribute__((unused))
#else
# define XEN_INTERFACE_FUNCTION static inline
#endif

/* ---- a constant for each release --------------------------------------- */

#define XEN_INTERFACE_3_0_2_2 0x00030101
#define XEN_INTERFACE_3_0_3_0 0x00030204
#define XEN_DOMCTL_3_0_3_0 0x00000003
#define XEN_SYSCTL_3_0_3_0 0x00000002
#define XEN_INTERFACE_3_0_4_1 0x00030205
#define XEN_DOMCTL_3_0_4_1 0x00000004
#define XEN_SYSCTL_3_0_4_1 0x00000002
#define XEN_INTERFACE_3_1_3 0x00030205
#define XEN_DOMCTL_3_1_3 0x00000005
#define XEN_SYSCTL_3_1_3 0x00000003
#define XEN_INTERFACE_3_1_4 0x00030205
#define XEN_DOMCTL_3_1_4 0x00000005
#define XEN_SYSCTL_3_1_4 0x00000003
#define XEN_INTERFACE_3_2_0 0x00030207
#define XEN_DOMCTL_3_2_0 0x00000005
#define XEN_SYSCTL_3_2_0 0x00000006
#define XEN_INTERFACE_3_2_1 0x00030207
#define XEN_DOMCTL_3_2_1 0x00000005
#define XEN_SYSCTL_3_2_1 0x00000006
#define XEN_INTERFACE_3_2_2 0x00030207
#define XEN_DOMCTL_3_2_2 0x00000005
#define XEN_SYSCTL_3_2_2 0x00000006
#define XEN_INTERFACE_3_2_3 0x00030207
#define XEN_DOMCTL_3_2_3 0x00000005
#define XEN_SYSCTL_3_2_3 0x00000006
#define XEN_INTERFACE_3_3_0 0x00030209
#define XEN_DOMCTL_3_3_0 0x00000005
#define XEN_SYSCTL_3_3_0 0x00000006
#define XEN_INTERFACE_3_3_1 0x00030209
#define XEN_DOMCTL_3_3_1 0x00000005
#define XEN_SYSCTL_3_3_1 0x00000006
#define XEN_INTERFACE_3_4_0_rc3 0x00030209
#define XEN_DOMCTL_3_4_0_rc3 0x00000005
#define XEN_SYSCTL_3_4_0_rc3 0x00000006
#define XEN_INTERFACE_4_0_0 0x0003020a
#define XEN_DOMCTL_4_0_0 0x00000006
#define XEN_SYSCTL_4_0_0 0x00000007
#define XEN_INTERFACE_4_0_1 0x0003020a
#define XEN_DOMCTL_4_0_1 0x00000006
#define XEN_SYSCTL_4_0_1 0x00000007
#define XEN_INTERFACE_4_0_2 0x0003020a
#define XEN_DOMCTL_4_0_2 0x00000006
#define XEN_SYSCTL_4_0_2 0x00000007
#define XEN_INTERFACE_4_0_3 0x0003020a
#define XEN_DOMCTL_4_0_3 0x00000006
#define XEN_SYSCTL_4_0_3 0x00000007
#define XEN_INTERFACE_4_0_4 0x0003020a
#define XEN_DOMCTL_4_0_4 0x00000006
#define XEN_SYSCTL_4_0_4 0x00000007
#define XEN_INTERFACE_4_1_0 0x0003020a
#define XEN_DOMCTL_4_1_0 0x00000007
#define XEN_SYSCTL_4_1_0 0x00000008
#define XEN_INTERFACE_4_1_1 0x0003020a
#define XEN_DOMCTL_4_1_1 0x00000007
#define XEN_SYSCTL_4_1_1 0x00000008
#define XEN_INTERFACE_4_1_2 0x0003020a
#define XEN_DOMCTL_4_1_2 0x00000007
#define XEN_SYSCTL_4_1_2 0x00000008
#define XEN_INTERFACE_4_1_3 0x0003020a
#define XEN_DOMCTL_4_1_3 0x00000007
#define XEN_SYSCTL_4_1_3 0x00000008
#define XEN_INTERFACE_4_1_4 0x0003020a
#define XEN_DOMCTL_4_1_4 0x00000007
#define XEN_SYSCTL_4_1_4 0x00000008
#define XEN_INTERFACE_4_1_5 0x0003020a
#define XEN_DOMCTL_4_1_5 0x00000007
#define XEN_SYSCTL_4_1_5 0x00000008
#define XEN_INTERFACE_4_1_6 0x0003020a
#define XEN_DOMCTL_4_1_6 0x00000007
#define XEN_SYSCTL_4_1_6 0x00000008
#define XEN_INTERFACE_4_1_6_1 0x0003020a
#define XEN_DOMCTL_4_1_6_1 0x00000007
#define XEN_SYSCTL_4_1_6_1 0x00000008
#define XEN_INTERFACE_4_2_0 0x00040200
#define XEN_DOMCTL_4_2_0 0x00000008
#define XEN_SYSCTL_4_2_0 0x00000009
#define XEN_INTERFACE_4_2_1 0x00040200
#define XEN_DOMCTL_4_2_1 0x00000008
#define XEN_SYSCTL_4_2_1 0x00000009
#define XEN_INTERFACE_4_2_2 0x00040200
#define XEN_DOMCTL_4_2_2 0x00000008
#define XEN_SYSCTL_4_2_2 0x00000009
#define XEN_INTERFACE_4_2_3 0x00040200
#define XEN_DOMCTL_4_2_3 0x00000008
#define XEN_SYSCTL_4_2_3 0x00000009
#define XEN_INTERFACE_4_2_4 0x00040200
#define XEN_DOMCTL_4_2_4 0x00000008
#define XEN_SYSCTL_4_2_4 0x00000009
#define XEN_INTERFACE_4_2_5 0x00040200
#define XEN_DOMCTL_4_2_5 0x00000008
#define XEN_SYSCTL_4_2_5 0x00000009
#define XEN_INTERFACE_4_3_0 0x00040300
#define XEN_DOMCTL_4_3_0 0x00000009
#define XEN_SYSCTL_4_3_0 0x0000000a
#define XEN_INTERFACE_4_3_1 0x00040300
#define XEN_DOMCTL_4_3_1 0x00000009
#define XEN_SYSCTL_4_3_1 0x0000000a
#define XEN_INTERFACE_4_3_2 0x00040300
#define XEN_DOMCTL_4_3_2 0x00000009
#define XEN_SYSCTL_4_3_2 0x0000000a
#define XEN_INTERFACE_4_3_3 0x00040300
#define XEN_DOMCTL_4_3_3 0x00000009
#define XEN_SYSCTL_4_3_3 0x0000000a
#define XEN_INTERFACE_4_3_4 0x00040300
#define XEN_DOMCTL_4_3_4 0x00000009
#define XEN_SYSCTL_4_3_4 0x0000000a
#define XEN_INTERFACE_4_4_0 0x00040400
#define XEN_DOMCTL_4_4_0 0x00000009
#define XEN_SYSCTL_4_4_0 0x0000000a
#define XEN_INTERFACE_4_4_1 0x00040400
#define XEN_DOMCTL_4_4_1 0x00000009
#define XEN_SYSCTL_4_4_1 0x0000000a
#define XEN_INTERFACE_4_4_2 0x00040400
#define XEN_DOMCTL_4_4_2 0x00000009
#define XEN_SYSCTL_4_4_2 0x0000000a
#define XEN_INTERFACE_4_4_3 0x00040400
#define XEN_DOMCTL_4_4_3 0x00000009
#define XEN_SYSCTL_4_4_3 0x0000000a
#define XEN_INTERFACE_4_4_4 0x00040400
#define XEN_DOMCTL_4_4_4 0x00000009
#define XEN_SYSCTL_4_4_4 0x0000000a
#define XEN_INTERFACE_4_5_0 0x00040400
#define XEN_DOMCTL_4_5_0 0x0000000a
#define XEN_SYSCTL_4_5_0 0x0000000b
#define XEN_INTERFACE_4_5_1 0x00040500
#define XEN_DOMCTL_4_5_1 0x0000000a
#define XEN_SYSCTL_4_5_1 0x0000000b
#define XEN_INTERFACE_4_5_2 0x00040500
#define XEN_DOMCTL_4_5_2 0x0000000a
#define XEN_SYSCTL_4_5_2 0x0000000b
#define XEN_INTERFACE_4_5_3 0x00040500
#define XEN_DOMCTL_4_5_3 0x0000000a
#define XEN_SYSCTL_4_5_3 0x0000000b
#define XEN_INTERFACE_4_5_4 0x00040500
#define XEN_DOMCTL_4_5_4 0x0000000a
#define XEN_SYSCTL_4_5_4 0x0000000b
#define XEN_INTERFACE_4_5_5 0x00040500
#define XEN_DOMCTL_4_5_5 0x0000000a
#define XEN_SYSCTL_4_5_5 0x0000000b
#define XEN_INTERFACE_4_6_0 0x00040600
#define XEN_DOMCTL_4_6_0 0x0000000b
#define XEN_SYSCTL_4_6_0 0x0000000c
#define XEN_INTERFACE_4_6_1 0x00040600
#define XEN_DOMCTL_4_6_1 0x0000000b
#define XEN_SYSCTL_4_6_1 0x0000000c
#define XEN_INTERFACE_4_6_3 0x00040600
#define XEN_DOMCTL_4_6_3 0x0000000b
#define XEN_SYSCTL_4_6_3 0x0000000c
#define XEN_INTERFACE_4_6_4 0x00040600
#define XEN_DOMCTL_4_6_4 0x0000000b
#define XEN_SYSCTL_4_6_4 0x0000000c
#define XEN_INTERFACE_4_6_5 0x00040600
#define XEN_DOMCTL_4_6_5 0x0000000b
#define XEN_SYSCTL_4_6_5 0x0000000c
#define XEN_INTERFACE_4_6_6 0x00040600
#define XEN_DOMCTL_4_6_6 0x0000000b
#define XEN_SYSCTL_4_6_6 0x0000000c
#define XEN_INTERFACE_4_7_0 0x00040700
#define XEN_DOMCTL_4_7_0 0x0000000b
#define XEN_SYSCTL_4_7_0 0x0000000d
#define XEN_INTERFACE_4_7_1 0x00040700
#define XEN_DOMCTL_4_7_1 0x0000000b
#define XEN_SYSCTL_4_7_1 0x0000000d
#define XEN_INTERFACE_4_7_2 0x00040700
#define XEN_DOMCTL_4_7_2 0x0000000b
#define XEN_SYSCTL_4_7_2 0x0000000d
#define XEN_INTERFACE_4_7_3 0x00040700
#define XEN_DOMCTL_4_7_3 0x0000000b
#define XEN_SYSCTL_4_7_3 0x0000000d
#define XEN_INTERFACE_4_7_4 0x00040700
#define XEN_DOMCTL_4_7_4 0x0000000b
#define XEN_SYSCTL_4_7_4 0x0000000d
#define XEN_INTERFACE_4_7_5 0x00040700
#define XEN_DOMCTL_4_7_5 0x0000000b
#define XEN_SYSCTL_4_7_5 0x0000000d
#define XEN_INTERFACE_4_7_6 0x00040700
#define XEN_DOMCTL_4_7_6 0x0000000b
#define XEN_SYSCTL_4_7_6 0x0000000d
#define XEN_INTERFACE_4_8_0 0x00040800
#define XEN_DOMCTL_4_8_0 0x0000000c
#define XEN_SYSCTL_4_8_0 0x0000000e
#define XEN_INTERFACE_4_8_1 0x00040800
#define XEN_DOMCTL_4_8_1 0x0000000c
#define XEN_SYSCTL_4_8_1 0x0000000e
#define XEN_INTERFACE_4_8_2 0x00040800
#define XEN_DOMCTL_4_8_2 0x0000000c
#define XEN_SYSCTL_4_8_2 0x0000000e
#define XEN_INTERFACE_4_8_3 0x00040800
#define XEN_DOMCTL_4_8_3 0x0000000c
#define XEN_SYSCTL_4_8_3 0x0000000e
#define XEN_INTERFACE_4_8_4 0x00040800
#define XEN_DOMCTL_4_8_4 0x0000000c
#define XEN_SYSCTL_4_8_4 0x0000000e
#define XEN_INTERFACE_4_8_5 0x00040800
#define XEN_DOMCTL_4_8_5 0x0000000c
#define XEN_SYSCTL_4_8_5 0x0000000e
#define XEN_INTERFACE_4_9_0 0x00040900
#define XEN_DOMCTL_4_9_0 0x0000000d
#define XEN_SYSCTL_4_9_0 0x0000000f
#define XEN_INTERFACE_4_9_1 0x00040900
#define XEN_DOMCTL_4_9_1 0x0000000d
#define XEN_SYSCTL_4_9_1 0x0000000f
#define XEN_INTERFACE_4_9_2 0x00040900
#define XEN_DOMCTL_4_9_2 0x0000000d
#define XEN_SYSCTL_4_9_2 0x0000000f
#define XEN_INTERFACE_4_9_3 0x00040900
#define XEN_DOMCTL_4_9_3 0x0000000d
#define XEN_SYSCTL_4_9_3 0x0000000f
#define XEN_INTERFACE_4_9_4 0x00040900
#define XEN_DOMCTL_4_9_4 0x0000000d
#define XEN_SYSCTL_4_9_4 0x0000000f
#define XEN_INTERFACE_4_10_0 0x00040900
#define XEN_DOMCTL_4_10_0 0x0000000e
#define XEN_SYSCTL_4_10_0 0x00000010
#define XEN_INTERFACE_4_10_1 0x00040900
#define XEN_DOMCTL_4_10_1 0x0000000f
#define XEN_SYSCTL_4_10_1 0x00000010
#define XEN_INTERFACE_4_10_2 0x00040900
#define XEN_DOMCTL_4_10_2 0x0000000f
#define XEN_SYSCTL_4_10_2 0x00000010
#define XEN_INTERFACE_4_10_3 0x00040900
#define XEN_DOMCTL_4_10_3 0x0000000f
#define XEN_SYSCTL_4_10_3 0x00000010
#define XEN_INTERFACE_4_10_4 0x00040900
#define XEN_DOMCTL_4_10_4 0x0000000f
#define XEN_SYSCTL_4_10_4 0x00000010
#define XEN_INTERFACE_4_11_0 0x00040900
#define XEN_DOMCTL_4_11_0 0x00000010
#define XEN_SYSCTL_4_11_0 0x00000011
#define XEN_INTERFACE_4_11_1 0x00040900
#define XEN_DOMCTL_4_11_1 0x00000010
#define XEN_SYSCTL_4_11_1 0x00000011
#define XEN_INTERFACE_4_11_2 0x00040900
#define XEN_DOMCTL_4_11_2 0x00000010
#define XEN_SYSCTL_4_11_2 0x00000011
#define XEN_INTERFACE_4_11_3 0x00040901
#define XEN_DOMCTL_4_11_3 0x00000010
#define XEN_SYSCTL_4_11_3 0x00000011
#define XEN_INTERFACE_4_11_4 0x00040901
#define XEN_DOMCTL_4_11_4 0x00000010
#define XEN_SYSCTL_4_11_4 0x00000011
#define XEN_INTERFACE_4_12_0 0x00040a00
#define XEN_DOMCTL_4_12_0 0x00000011
#define XEN_SYSCTL_4_12_0 0x00000012
#define XEN_INTERFACE_4_12_1 0x00040a00
#define XEN_DOMCTL_4_12_1 0x00000011
#define XEN_SYSCTL_4_12_1 0x00000012
#define XEN_INTERFACE_4_12_2 0x00040a01
#define XEN_DOMCTL_4_12_2 0x00000011
#define XEN_SYSCTL_4_12_2 0x00000012
#define XEN_INTERFACE_4_12_3 0x00040a01
#define XEN_DOMCTL_4_12_3 0x00000011
#define XEN_SYSCTL_4_12_3 0x00000012
#define XEN_INTERFACE_4_12_4 0x00040a01
#define XEN_DOMCTL_4_12_4 0x00000011
#define XEN_SYSCTL_4_12_4 0x00000012
#define XEN_INTERFACE_4_13_0 0x00040d00
#define XEN_DOMCTL_4_13_0 0x00000012
#define XEN_SYSCTL_4_13_0 0x00000012
#define XEN_INTERFACE_4_13_1 0x00040d00
#define XEN_DOMCTL_4_13_1 0x00000012
#define XEN_SYSCTL_4_13_1 0x00000012
#define XEN_INTERFACE_4_13_2 0x00040d00
#define XEN_DOMCTL_4_13_2 0x00000012
#define XEN_SYSCTL_4_13_2 0x00000012
#define XEN_INTERFACE_4_13_3 0x00040d00
#define XEN_DOMCTL_4_13_3 0x00000012
#define XEN_SYSCTL_4_13_3 0x00000012
#define XEN_INTERFACE_4_13_4 0x00040d00
#define XEN_DOMCTL_4_13_4 0x00000012
#define XEN_SYSCTL_4_13_4 0x00000012
#define XEN_INTERFACE_4_13_5 0x00040d00
#define XEN_DOMCTL_4_13_5 0x00000012
#define XEN_SYSCTL_4_13_5 0x00000012
#define XEN_INTERFACE_4_14_0 0x00040e00
#define XEN_DOMCTL_4_14_0 0x00000012
#define XEN_SYSCTL_4_14_0 0x00000013
#define XEN_INTERFACE_4_14_1 0x00040e00
#define XEN_DOMCTL_4_14_1 0x00000012
#define XEN_SYSCTL_4_14_1 0x00000013
#define XEN_INTERFACE_4_14_2 0x00040e00
#define XEN_DOMCTL_4_14_2 0x00000012
#define XEN_SYSCTL_4_14_2 0x00000013
#define XEN_INTERFACE_4_14_3 0x00040e00
#define XEN_DOMCTL_4_14_3 0x00000012
#define XEN_SYSCTL_4_14_3 0x00000013
#define XEN_INTERFACE_4_14_4 0x00040e00
#define XEN_DOMCTL_4_14_4 0x00000012
#define XEN_SYSCTL_4_14_4 0x00000013
#define XEN_INTERFACE_4_14_5 0x00040e00
#define XEN_DOMCTL_4_14_5 0x00000012
#define XEN_SYSCTL_4_14_5 0x00000013
#define XEN_INTERFACE_4_14_6 0x00040e00
#define XEN_DOMCTL_4_14_6 0x00000012
#define XEN_SYSCTL_4_14_6 0x00000013
#define XEN_INTERFACE_4_15_0 0x00040e00
#define XEN_DOMCTL_4_15_0 0x00000013
#define XEN_SYSCTL_4_15_0 0x00000013
#define XEN_INTERFACE_4_15_1 0x00040e00
#define XEN_DOMCTL_4_15_1 0x00000013
#define XEN_SYSCTL_4_15_1 0x00000013
#define XEN_INTERFACE_4_15_2 0x00040e00
#define XEN_DOMCTL_4_15_2 0x00000013
#define XEN_SYSCTL_4_15_2 0x00000013
#define XEN_INTERFACE_4_15_3 0x00040e00
#define XEN_DOMCTL_4_15_3 0x00000013
#define XEN_SYSCTL_4_15_3 0x00000013
#define XEN_INTERFACE_4_15_4 0x00040e00
#define XEN_DOMCTL_4_15_4 0x00000013
#define XEN_SYSCTL_4_15_4 0x00000013
#define XEN_INTERFACE_4_15_5 0x00040e00
#define XEN_DOMCTL_4_15_5 0x00000013
#define XEN_SYSCTL_4_15_5 0x00000013
#define XEN_INTERFACE_4_15_6 0x00040e00
#define XEN_DOMCTL_4_15_6 0x00000013
#define XEN_SYSCTL_4_15_6 0x00000013
#define XEN_INTERFACE_4_15_7 0x00040e00
#define XEN_DOMCTL_4_15_7 0x00000013
#define XEN_SYSCTL_4_15_7 0x00000013
#define XEN_INTERFACE_4_16_0 0x00040e00
#define XEN_DOMCTL_4_16_0 0x00000014
#define XEN_SYSCTL_4_16_0 0x00000014
#define XEN_INTERFACE_4_16_1 0x00040e00
#define XEN_DOMCTL_4_16_1 0x00000014
#define XEN_SYSCTL_4_16_1 0x00000014
#define XEN_INTERFACE_4_16_2 0x00040e00
#define XEN_DOMCTL_4_16_2 0x00000014
#define XEN_SYSCTL_4_16_2 0x00000014
#define XEN_INTERFACE_4_16_3 0x00040e00
#define XEN_DOMCTL_4_16_3 0x00000014
#define XEN_SYSCTL_4_16_3 0x00000014
#define XEN_INTERFACE_4_16_4 0x00040e00
#define XEN_DOMCTL_4_16_4 0x00000014
#define XEN_SYSCTL_4_16_4 0x00000014
#define XEN_INTERFACE_4_16_5 0x00040e00
#define XEN_DOMCTL_4_16_5 0x00000014
#define XEN_SYSCTL_4_16_5 0x00000014
#define XEN_INTERFACE_4_16_6 0x00040e00
#define XEN_DOMCTL_4_16_6 0x00000014
#define XEN_SYSCTL_4_16_6 0x00000014
#define XEN_INTERFACE_4_16_7 0x00040e00
#define XEN_DOMCTL_4_16_7 0x00000014
#define XEN_SYSCTL_4_16_7 0x00000014
#define XEN_INTERFACE_4_17_0 0x00040e00
#define XEN_DOMCTL_4_17_0 0x00000015
#define XEN_SYSCTL_4_17_0 0x00000015
#define XEN_INTERFACE_4_17_1 0x00040e00
#define XEN_DOMCTL_4_17_1 0x00000015
#define XEN_SYSCTL_4_17_1 0x00000015
#define XEN_INTERFACE_4_17_2 0x00040e00
#define XEN_DOMCTL_4_17_2 0x00000015
#define XEN_SYSCTL_4_17_2 0x00000015
#define XEN_INTERFACE_4_17_3 0x00040e00
#define XEN_DOMCTL_4_17_3 0x00000015
#define XEN_SYSCTL_4_17_3 0x00000015
#define XEN_INTERFACE_4_17_4 0x00040e00
#define XEN_DOMCTL_4_17_4 0x00000015
#define XEN_SYSCTL_4_17_4 0x00000015
#define XEN_INTERFACE_4_17_5 0x00040e00
#define XEN_DOMCTL_4_17_5 0x00000015
#define XEN_SYSCTL_4_17_5 0x00000015
#define XEN_INTERFACE_4_17_6 0x00040e00
#define XEN_DOMCTL_4_17_6 0x00000015
#define XEN_SYSCTL_4_17_6 0x00000015
#define XEN_INTERFACE_4_17_7 0x00040e00
#define XEN_DOMCTL_4_17_7 0x00000015
#define XEN_SYSCTL_4_17_7 0x00000015
#define XEN_INTERFACE_4_18_0 0x00040e00
#define XEN_DOMCTL_4_18_0 0x00000016
#define XEN_SYSCTL_4_18_0 0x00000015
#define XEN_INTERFACE_4_18_1 0x00040e00
#define XEN_DOMCTL_4_18_1 0x00000016
#define XEN_SYSCTL_4_18_1 0x00000015
#define XEN_INTERFACE_4_18_2 0x00040e00
#define XEN_DOMCTL_4_18_2 0x00000016
#define XEN_SYSCTL_4_18_2 0x00000015
#define XEN_INTERFACE_4_18_3 0x00040e00
#define XEN_DOMCTL_4_18_3 0x00000016
#define XEN_SYSCTL_4_18_3 0x00000015
#define XEN_INTERFACE_4_18_4 0x00040e00
#define XEN_DOMCTL_4_18_4 0x00000016
#define XEN_SYSCTL_4_18_4 0x00000015
#define XEN_INTERFACE_4_18_5 0x00040e00
#define XEN_DOMCTL_4_18_5 0x00000016
#define XEN_SYSCTL_4_18_5 0x00000015
#define XEN_INTERFACE_4_18_6 0x00040e00
#define XEN_DOMCTL_4_18_6 0x00000016
#define XEN_SYSCTL_4_18_6 0x00000015
#define XEN_INTERFACE_4_19_0 0x00041300
#define XEN_DOMCTL_4_19_0 0x00000017
#define XEN_SYSCTL_4_19_0 0x00000015
#define XEN_INTERFACE_4_19_1 0x00041300
#define XEN_DOMCTL_4_19_1 0x00000017
#define XEN_SYSCTL_4_19_1 0x00000015
#define XEN_INTERFACE_4_19_2 0x00041300
#define XEN_DOMCTL_4_19_2 0x00000017
#define XEN_SYSCTL_4_19_2 0x00000015
#define XEN_INTERFACE_4_19_3 0x00041300
#define XEN_DOMCTL_4_19_3 0x00000017
#define XEN_SYSCTL_4_19_3 0x00000015
#define XEN_INTERFACE_4_19_4 0x00041300
#define XEN_DOMCTL_4_19_4 0x00000017
#define XEN_SYSCTL_4_19_4 0x00000015
#define XEN_INTERFACE_4_19_5 0x00041300
#define XEN_DOMCTL_4_19_5 0x00000017
#define XEN_SYSCTL_4_19_5 0x00000015
#define XEN_INTERFACE_4_19_6 0x00041300
#define XEN_DOMCTL_4_19_6 0x00000017
#define XEN_SYSCTL_4_19_6 0x00000015
#define XEN_INTERFACE_4_20_0 0x00041300
#define XEN_DOMCTL_4_20_0 0x00000017
#define XEN_SYSCTL_4_20_0 0x00000015
#define XEN_INTERFACE_4_20_1 0x00041300
#define XEN_DOMCTL_4_20_1 0x00000017
#define XEN_SYSCTL_4_20_1 0x00000015
#define XEN_INTERFACE_4_20_2 0x00041300
#define XEN_DOMCTL_4_20_2 0x00000017
#define XEN_SYSCTL_4_20_2 0x00000015
#define XEN_INTERFACE_4_20_3 0x00041300
#define XEN_DOMCTL_4_20_3 0x00000017
#define XEN_SYSCTL_4_20_3 0x00000015
#define XEN_INTERFACE_4_20_4 0x00041300
#define XEN_DOMCTL_4_20_4 0x00000017
#define XEN_SYSCTL_4_20_4 0x00000015
#define XEN_INTERFACE_4_21_0 0x00041300
#define XEN_DOMCTL_4_21_0 0x00000017
#define XEN_SYSCTL_4_21_0 0x00000016
#define XEN_INTERFACE_4_21_1 0x00041300
#define XEN_DOMCTL_4_21_1 0x00000017
#define XEN_SYSCTL_4_21_1 0x00000016
#define XEN_INTERFACE_4_21_2 0x00041300
#define XEN_DOMCTL_4_21_2 0x00000017
#define XEN_SYSCTL_4_21_2 0x00000016
#define XEN_INTERFACE_4_22_0 0x00041300
#define XEN_DOMCTL_4_22_0 0x00000018
#define XEN_SYSCTL_4_22_0 0x00000016

/* ---- a constant for each value, and the releases that have it ---------- */

#define XEN_INTERFACE_V_00030101 0x00030101
#define XEN_INTERFACE_RELEASES_0x00030101 \
	"3.0.2-2"
#define XEN_INTERFACE_V_00030201 0x00030201
#define XEN_INTERFACE_RELEASES_0x00030201 \
	"in no release"
#define XEN_INTERFACE_V_00030202 0x00030202
#define XEN_INTERFACE_RELEASES_0x00030202 \
	"in no release"
#define XEN_INTERFACE_V_00030203 0x00030203
#define XEN_INTERFACE_RELEASES_0x00030203 \
	"in no release"
#define XEN_INTERFACE_V_00030204 0x00030204
#define XEN_INTERFACE_RELEASES_0x00030204 \
	"3.0.3_0"
#define XEN_INTERFACE_V_00030205 0x00030205
#define XEN_INTERFACE_RELEASES_0x00030205 \
	"3.0.4_1 to 3.1.4"
#define XEN_INTERFACE_V_00030206 0x00030206
#define XEN_INTERFACE_RELEASES_0x00030206 \
	"in no release"
#define XEN_INTERFACE_V_00030207 0x00030207
#define XEN_INTERFACE_RELEASES_0x00030207 \
	"3.2.0 to 3.2.3"
#define XEN_INTERFACE_V_00030208 0x00030208
#define XEN_INTERFACE_RELEASES_0x00030208 \
	"in no release"
#define XEN_INTERFACE_V_00030209 0x00030209
#define XEN_INTERFACE_RELEASES_0x00030209 \
	"3.3.0 to 3.4.0-rc3"
#define XEN_INTERFACE_V_0003020a 0x0003020a
#define XEN_INTERFACE_RELEASES_0x0003020a \
	"4.0.0 to 4.1.6.1"
#define XEN_INTERFACE_V_00040200 0x00040200
#define XEN_INTERFACE_RELEASES_0x00040200 \
	"4.2.0 to 4.2.5"
#define XEN_INTERFACE_V_00040201 0x00040201
#define XEN_INTERFACE_RELEASES_0x00040201 \
	"in no release"
#define XEN_INTERFACE_V_00040300 0x00040300
#define XEN_INTERFACE_RELEASES_0x00040300 \
	"4.3.0 to 4.3.4"
#define XEN_INTERFACE_V_00040400 0x00040400
#define XEN_INTERFACE_RELEASES_0x00040400 \
	"4.4.0 to 4.5.0"
#define XEN_INTERFACE_V_00040500 0x00040500
#define XEN_INTERFACE_RELEASES_0x00040500 \
	"4.5.1 to 4.5.5"
#define XEN_INTERFACE_V_00040600 0x00040600
#define XEN_INTERFACE_RELEASES_0x00040600 \
	"4.6.0 to 4.6.6"
#define XEN_INTERFACE_V_00040700 0x00040700
#define XEN_INTERFACE_RELEASES_0x00040700 \
	"4.7.0 to 4.7.6"
#define XEN_INTERFACE_V_00040800 0x00040800
#define XEN_INTERFACE_RELEASES_0x00040800 \
	"4.8.0 to 4.8.5"
#define XEN_INTERFACE_V_00040900 0x00040900
#define XEN_INTERFACE_RELEASES_0x00040900 \
	"4.9.0 to 4.11.2"
#define XEN_INTERFACE_V_00040901 0x00040901
#define XEN_INTERFACE_RELEASES_0x00040901 \
	"4.11.3 to 4.11.4"
#define XEN_INTERFACE_V_00040a00 0x00040a00
#define XEN_INTERFACE_RELEASES_0x00040a00 \
	"4.12.0 to 4.12.1"
#define XEN_INTERFACE_V_00040a01 0x00040a01
#define XEN_INTERFACE_RELEASES_0x00040a01 \
	"4.12.2 to 4.12.4"
#define XEN_INTERFACE_V_00040d00 0x00040d00
#define XEN_INTERFACE_RELEASES_0x00040d00 \
	"4.13.0 to 4.13.5"
#define XEN_INTERFACE_V_00040e00 0x00040e00
#define XEN_INTERFACE_RELEASES_0x00040e00 \
	"4.14.0 to 4.18.6"
#define XEN_INTERFACE_V_00041300 0x00041300
#define XEN_INTERFACE_RELEASES_0x00041300 \
	"4.19.0 to 4.22.0"

#define XEN_INTERFACE_NEWEST 0x00041300
#define XEN_INTERFACE_NEWEST_RELEASE "4.22.0"

/* ---- looking up in the preprocessor ------------------------------------ */

/* Three numbers, so that #if XEN_INTERFACE_OF(4, 17, 0) >= ... works. */
#define XEN_INTERFACE_OF(major, minor, point) \
	XEN_INTERFACE_##major##_##minor##_##point
#define XEN_DOMCTL_OF(major, minor, point) \
	XEN_DOMCTL_##major##_##minor##_##point
#define XEN_SYSCTL_OF(major, minor, point) \
	XEN_SYSCTL_##major##_##minor##_##point
/* The releases with a value, written 0x and eight lower-case digits: a string. */
#define XEN_INTERFACE_RELEASES(value) XEN_INTERFACE_RELEASES_PASTE(value)
#define XEN_INTERFACE_RELEASES_PASTE(value) XEN_INTERFACE_RELEASES_##value

/* ---- looking up at run time -------------------------------------------- */

struct xen_interface_release {
	const char *release;
	unsigned int interface, domctl, sysctl; /* 0: no such calls */
};

/* By index from 0, in the order of the releases' numbers; NULL after the last. */
XEN_INTERFACE_FUNCTION const struct xen_interface_release *
xen_interface_release_at(unsigned int index)
{
	static const struct xen_interface_release table[] = {
		{ "3.0.2-2", 0x00030101, 0, 0 },
		{ "3.0.3_0", 0x00030204, 0x00000003, 0x00000002 },
		{ "3.0.4_1", 0x00030205, 0x00000004, 0x00000002 },
		{ "3.1.3", 0x00030205, 0x00000005, 0x00000003 },
		{ "3.1.4", 0x00030205, 0x00000005, 0x00000003 },
		{ "3.2.0", 0x00030207, 0x00000005, 0x00000006 },
		{ "3.2.1", 0x00030207, 0x00000005, 0x00000006 },
		{ "3.2.2", 0x00030207, 0x00000005, 0x00000006 },
		{ "3.2.3", 0x00030207, 0x00000005, 0x00000006 },
		{ "3.3.0", 0x00030209, 0x00000005, 0x00000006 },
		{ "3.3.1", 0x00030209, 0x00000005, 0x00000006 },
		{ "3.4.0-rc3", 0x00030209, 0x00000005, 0x00000006 },
		{ "4.0.0", 0x0003020a, 0x00000006, 0x00000007 },
		{ "4.0.1", 0x0003020a, 0x00000006, 0x00000007 },
		{ "4.0.2", 0x0003020a, 0x00000006, 0x00000007 },
		{ "4.0.3", 0x0003020a, 0x00000006, 0x00000007 },
		{ "4.0.4", 0x0003020a, 0x00000006, 0x00000007 },
		{ "4.1.0", 0x0003020a, 0x00000007, 0x00000008 },
		{ "4.1.1", 0x0003020a, 0x00000007, 0x00000008 },
		{ "4.1.2", 0x0003020a, 0x00000007, 0x00000008 },
		{ "4.1.3", 0x0003020a, 0x00000007, 0x00000008 },
		{ "4.1.4", 0x0003020a, 0x00000007, 0x00000008 },
		{ "4.1.5", 0x0003020a, 0x00000007, 0x00000008 },
		{ "4.1.6", 0x0003020a, 0x00000007, 0x00000008 },
		{ "4.1.6.1", 0x0003020a, 0x00000007, 0x00000008 },
		{ "4.2.0", 0x00040200, 0x00000008, 0x00000009 },
		{ "4.2.1", 0x00040200, 0x00000008, 0x00000009 },
		{ "4.2.2", 0x00040200, 0x00000008, 0x00000009 },
		{ "4.2.3", 0x00040200, 0x00000008, 0x00000009 },
		{ "4.2.4", 0x00040200, 0x00000008, 0x00000009 },
		{ "4.2.5", 0x00040200, 0x00000008, 0x00000009 },
		{ "4.3.0", 0x00040300, 0x00000009, 0x0000000a },
		{ "4.3.1", 0x00040300, 0x00000009, 0x0000000a },
		{ "4.3.2", 0x00040300, 0x00000009, 0x0000000a },
		{ "4.3.3", 0x00040300, 0x00000009, 0x0000000a },
		{ "4.3.4", 0x00040300, 0x00000009, 0x0000000a },
		{ "4.4.0", 0x00040400, 0x00000009, 0x0000000a },
		{ "4.4.1", 0x00040400, 0x00000009, 0x0000000a },
		{ "4.4.2", 0x00040400, 0x00000009, 0x0000000a },
		{ "4.4.3", 0x00040400, 0x00000009, 0x0000000a },
		{ "4.4.4", 0x00040400, 0x00000009, 0x0000000a },
		{ "4.5.0", 0x00040400, 0x0000000a, 0x0000000b },
		{ "4.5.1", 0x00040500, 0x0000000a, 0x0000000b },
		{ "4.5.2", 0x00040500, 0x0000000a, 0x0000000b },
		{ "4.5.3", 0x00040500, 0x0000000a, 0x0000000b },
		{ "4.5.4", 0x00040500, 0x0000000a, 0x0000000b },
		{ "4.5.5", 0x00040500, 0x0000000a, 0x0000000b },
		{ "4.6.0", 0x00040600, 0x0000000b, 0x0000000c },
		{ "4.6.1", 0x00040600, 0x0000000b, 0x0000000c },
		{ "4.6.3", 0x00040600, 0x0000000b, 0x0000000c },
		{ "4.6.4", 0x00040600, 0x0000000b, 0x0000000c },
		{ "4.6.5", 0x00040600, 0x0000000b, 0x0000000c },
		{ "4.6.6", 0x00040600, 0x0000000b, 0x0000000c },
		{ "4.7.0", 0x00040700, 0x0000000b, 0x0000000d },
		{ "4.7.1", 0x00040700, 0x0000000b, 0x0000000d },
		{ "4.7.2", 0x00040700, 0x0000000b, 0x0000000d },
		{ "4.7.3", 0x00040700, 0x0000000b, 0x0000000d },
		{ "4.7.4", 0x00040700, 0x0000000b, 0x0000000d },
		{ "4.7.5", 0x00040700, 0x0000000b, 0x0000000d },
		{ "4.7.6", 0x00040700, 0x0000000b, 0x0000000d },
		{ "4.8.0", 0x00040800, 0x0000000c, 0x0000000e },
		{ "4.8.1", 0x00040800, 0x0000000c, 0x0000000e },
		{ "4.8.2", 0x00040800, 0x0000000c, 0x0000000e },
		{ "4.8.3", 0x00040800, 0x0000000c, 0x0000000e },
		{ "4.8.4", 0x00040800, 0x0000000c, 0x0000000e },
		{ "4.8.5", 0x00040800, 0x0000000c, 0x0000000e },
		{ "4.9.0", 0x00040900, 0x0000000d, 0x0000000f },
		{ "4.9.1", 0x00040900, 0x0000000d, 0x0000000f },
		{ "4.9.2", 0x00040900, 0x0000000d, 0x0000000f },
		{ "4.9.3", 0x00040900, 0x0000000d, 0x0000000f },
		{ "4.9.4", 0x00040900, 0x0000000d, 0x0000000f },
		{ "4.10.0", 0x00040900, 0x0000000e, 0x00000010 },
		{ "4.10.1", 0x00040900, 0x0000000f, 0x00000010 },
		{ "4.10.2", 0x00040900, 0x0000000f, 0x00000010 },
		{ "4.10.3", 0x00040900, 0x0000000f, 0x00000010 },
		{ "4.10.4", 0x00040900, 0x0000000f, 0x00000010 },
		{ "4.11.0", 0x00040900, 0x00000010, 0x00000011 },
		{ "4.11.1", 0x00040900, 0x00000010, 0x00000011 },
		{ "4.11.2", 0x00040900, 0x00000010, 0x00000011 },
		{ "4.11.3", 0x00040901, 0x00000010, 0x00000011 },
		{ "4.11.4", 0x00040901, 0x00000010, 0x00000011 },
		{ "4.12.0", 0x00040a00, 0x00000011, 0x00000012 },
		{ "4.12.1", 0x00040a00, 0x00000011, 0x00000012 },
		{ "4.12.2", 0x00040a01, 0x00000011, 0x00000012 },
		{ "4.12.3", 0x00040a01, 0x00000011, 0x00000012 },
		{ "4.12.4", 0x00040a01, 0x00000011, 0x00000012 },
		{ "4.13.0", 0x00040d00, 0x00000012, 0x00000012 },
		{ "4.13.1", 0x00040d00, 0x00000012, 0x00000012 },
		{ "4.13.2", 0x00040d00, 0x00000012, 0x00000012 },
		{ "4.13.3", 0x00040d00, 0x00000012, 0x00000012 },
		{ "4.13.4", 0x00040d00, 0x00000012, 0x00000012 },
		{ "4.13.5", 0x00040d00, 0x00000012, 0x00000012 },
		{ "4.14.0", 0x00040e00, 0x00000012, 0x00000013 },
		{ "4.14.1", 0x00040e00, 0x00000012, 0x00000013 },
		{ "4.14.2", 0x00040e00, 0x00000012, 0x00000013 },
		{ "4.14.3", 0x00040e00, 0x00000012, 0x00000013 },
		{ "4.14.4", 0x00040e00, 0x00000012, 0x00000013 },
		{ "4.14.5", 0x00040e00, 0x00000012, 0x00000013 },
		{ "4.14.6", 0x00040e00, 0x00000012, 0x00000013 },
		{ "4.15.0", 0x00040e00, 0x00000013, 0x00000013 },
		{ "4.15.1", 0x00040e00, 0x00000013, 0x00000013 },
		{ "4.15.2", 0x00040e00, 0x00000013, 0x00000013 },
		{ "4.15.3", 0x00040e00, 0x00000013, 0x00000013 },
		{ "4.15.4", 0x00040e00, 0x00000013, 0x00000013 },
		{ "4.15.5", 0x00040e00, 0x00000013, 0x00000013 },
		{ "4.15.6", 0x00040e00, 0x00000013, 0x00000013 },
		{ "4.15.7", 0x00040e00, 0x00000013, 0x00000013 },
		{ "4.16.0", 0x00040e00, 0x00000014, 0x00000014 },
		{ "4.16.1", 0x00040e00, 0x00000014, 0x00000014 },
		{ "4.16.2", 0x00040e00, 0x00000014, 0x00000014 },
		{ "4.16.3", 0x00040e00, 0x00000014, 0x00000014 },
		{ "4.16.4", 0x00040e00, 0x00000014, 0x00000014 },
		{ "4.16.5", 0x00040e00, 0x00000014, 0x00000014 },
		{ "4.16.6", 0x00040e00, 0x00000014, 0x00000014 },
		{ "4.16.7", 0x00040e00, 0x00000014, 0x00000014 },
		{ "4.17.0", 0x00040e00, 0x00000015, 0x00000015 },
		{ "4.17.1", 0x00040e00, 0x00000015, 0x00000015 },
		{ "4.17.2", 0x00040e00, 0x00000015, 0x00000015 },
		{ "4.17.3", 0x00040e00, 0x00000015, 0x00000015 },
		{ "4.17.4", 0x00040e00, 0x00000015, 0x00000015 },
		{ "4.17.5", 0x00040e00, 0x00000015, 0x00000015 },
		{ "4.17.6", 0x00040e00, 0x00000015, 0x00000015 },
		{ "4.17.7", 0x00040e00, 0x00000015, 0x00000015 },
		{ "4.18.0", 0x00040e00, 0x00000016, 0x00000015 },
		{ "4.18.1", 0x00040e00, 0x00000016, 0x00000015 },
		{ "4.18.2", 0x00040e00, 0x00000016, 0x00000015 },
		{ "4.18.3", 0x00040e00, 0x00000016, 0x00000015 },
		{ "4.18.4", 0x00040e00, 0x00000016, 0x00000015 },
		{ "4.18.5", 0x00040e00, 0x00000016, 0x00000015 },
		{ "4.18.6", 0x00040e00, 0x00000016, 0x00000015 },
		{ "4.19.0", 0x00041300, 0x00000017, 0x00000015 },
		{ "4.19.1", 0x00041300, 0x00000017, 0x00000015 },
		{ "4.19.2", 0x00041300, 0x00000017, 0x00000015 },
		{ "4.19.3", 0x00041300, 0x00000017, 0x00000015 },
		{ "4.19.4", 0x00041300, 0x00000017, 0x00000015 },
		{ "4.19.5", 0x00041300, 0x00000017, 0x00000015 },
		{ "4.19.6", 0x00041300, 0x00000017, 0x00000015 },
		{ "4.20.0", 0x00041300, 0x00000017, 0x00000015 },
		{ "4.20.1", 0x00041300, 0x00000017, 0x00000015 },
		{ "4.20.2", 0x00041300, 0x00000017, 0x00000015 },
		{ "4.20.3", 0x00041300, 0x00000017, 0x00000015 },
		{ "4.20.4", 0x00041300, 0x00000017, 0x00000015 },
		{ "4.21.0", 0x00041300, 0x00000017, 0x00000016 },
		{ "4.21.1", 0x00041300, 0x00000017, 0x00000016 },
		{ "4.21.2", 0x00041300, 0x00000017, 0x00000016 },
		{ "4.22.0", 0x00041300, 0x00000018, 0x00000016 },
	};

	return index < sizeof(table) / sizeof(table[0]) ? &table[index] : NULL;
}

/* By name, as in "4.17.0" or "3.0.2-2"; NULL for any other. */
XEN_INTERFACE_FUNCTION const struct xen_interface_release *
xen_interface_release(const char *release)
{
	const struct xen_interface_release *found;
	unsigned int i;

	for (i = 0; (found = xen_interface_release_at(i)); i++)
		if (!strcmp(found->release, release))
			break;
	return found;
}

/* The value of a release; 0 for an unknown release, or one without the calls. */
XEN_INTERFACE_FUNCTION unsigned int xen_interface_of(const char *release)
{
	const struct xen_interface_release *found =
		xen_interface_release(release);

	return found ? found->interface : 0;
}

XEN_INTERFACE_FUNCTION unsigned int xen_domctl_of(const char *release)
{
	const struct xen_interface_release *found =
		xen_interface_release(release);

	return found ? found->domctl : 0;
}

XEN_INTERFACE_FUNCTION unsigned int xen_sysctl_of(const char *release)
{
	const struct xen_interface_release *found =
		xen_interface_release(release);

	return found ? found->sysctl : 0;
}

/* "4.14.0 to 4.18.6", or "in no release"; NULL for an unknown value. */
XEN_INTERFACE_FUNCTION const char *xen_interface_releases(unsigned int value)
{
	switch (value) {
	case 0x00030101:
		return XEN_INTERFACE_RELEASES_0x00030101;
	case 0x00030201:
		return XEN_INTERFACE_RELEASES_0x00030201;
	case 0x00030202:
		return XEN_INTERFACE_RELEASES_0x00030202;
	case 0x00030203:
		return XEN_INTERFACE_RELEASES_0x00030203;
	case 0x00030204:
		return XEN_INTERFACE_RELEASES_0x00030204;
	case 0x00030205:
		return XEN_INTERFACE_RELEASES_0x00030205;
	case 0x00030206:
		return XEN_INTERFACE_RELEASES_0x00030206;
	case 0x00030207:
		return XEN_INTERFACE_RELEASES_0x00030207;
	case 0x00030208:
		return XEN_INTERFACE_RELEASES_0x00030208;
	case 0x00030209:
		return XEN_INTERFACE_RELEASES_0x00030209;
	case 0x0003020a:
		return XEN_INTERFACE_RELEASES_0x0003020a;
	case 0x00040200:
		return XEN_INTERFACE_RELEASES_0x00040200;
	case 0x00040201:
		return XEN_INTERFACE_RELEASES_0x00040201;
	case 0x00040300:
		return XEN_INTERFACE_RELEASES_0x00040300;
	case 0x00040400:
		return XEN_INTERFACE_RELEASES_0x00040400;
	case 0x00040500:
		return XEN_INTERFACE_RELEASES_0x00040500;
	case 0x00040600:
		return XEN_INTERFACE_RELEASES_0x00040600;
	case 0x00040700:
		return XEN_INTERFACE_RELEASES_0x00040700;
	case 0x00040800:
		return XEN_INTERFACE_RELEASES_0x00040800;
	case 0x00040900:
		return XEN_INTERFACE_RELEASES_0x00040900;
	case 0x00040901:
		return XEN_INTERFACE_RELEASES_0x00040901;
	case 0x00040a00:
		return XEN_INTERFACE_RELEASES_0x00040a00;
	case 0x00040a01:
		return XEN_INTERFACE_RELEASES_0x00040a01;
	case 0x00040d00:
		return XEN_INTERFACE_RELEASES_0x00040d00;
	case 0x00040e00:
		return XEN_INTERFACE_RELEASES_0x00040e00;
	case 0x00041300:
		return XEN_INTERFACE_RELEASES_0x00041300;
	}
	return NULL;
}

/* ---- asking Xen's headers for an interface ------------------------------ */

#ifdef XEN_INTERFACE_NEEDED

# if defined(__XEN_PUBLIC_XEN_COMPAT_H__) && !defined(__XEN_INTERFACE_VERSION__)
#  error "include xen-interface.h before Xen's headers"
# endif
# ifndef __XEN_INTERFACE_VERSION__
#  define XEN_INTERFACE_ASKED
# endif

/*
 * The newest interface of the headers. xen-compat.h is included before a
 * version is chosen, so that its own #error, which does not say what to do, is
 * not reached. It chooses the oldest version, which is replaced below.
 */
# if defined(__has_include) && !defined(__XEN_PUBLIC_XEN_COMPAT_H__) && \
	defined(XEN_INTERFACE_ASKED)
#  if __has_include(<xen/xen-compat.h>)
#   include <xen/xen-compat.h>
#  endif
# endif

# if defined(__XEN_LATEST_INTERFACE_VERSION__)
#  if XEN_INTERFACE_NEEDED > __XEN_LATEST_INTERFACE_VERSION__
#   define XEN_INTERFACE_TOO_OLD
#  endif
# endif
# ifdef XEN_INTERFACE_TOO_OLD
#  if XEN_INTERFACE_NEEDED <= 0x00030101
#   error "this code needs Xen interface 0x00030101, which the headers of Xen 3.0.2-2 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00030204
#   error "this code needs Xen interface 0x00030204, which the headers of Xen 3.0.3_0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00030205
#   error "this code needs Xen interface 0x00030205, which the headers of Xen 3.0.4_1 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00030207
#   error "this code needs Xen interface 0x00030207, which the headers of Xen 3.2.0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00030209
#   error "this code needs Xen interface 0x00030209, which the headers of Xen 3.3.0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x0003020a
#   error "this code needs Xen interface 0x0003020a, which the headers of Xen 4.0.0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00040200
#   error "this code needs Xen interface 0x00040200, which the headers of Xen 4.2.0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00040300
#   error "this code needs Xen interface 0x00040300, which the headers of Xen 4.3.0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00040400
#   error "this code needs Xen interface 0x00040400, which the headers of Xen 4.4.0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00040500
#   error "this code needs Xen interface 0x00040500, which the headers of Xen 4.5.1 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00040600
#   error "this code needs Xen interface 0x00040600, which the headers of Xen 4.6.0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00040700
#   error "this code needs Xen interface 0x00040700, which the headers of Xen 4.7.0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00040800
#   error "this code needs Xen interface 0x00040800, which the headers of Xen 4.8.0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00040900
#   error "this code needs Xen interface 0x00040900, which the headers of Xen 4.9.0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00040901
#   error "this code needs Xen interface 0x00040901, which the headers of Xen 4.11.3 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00040a00
#   error "this code needs Xen interface 0x00040a00, which the headers of Xen 4.12.0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00040a01
#   error "this code needs Xen interface 0x00040a01, which the headers of Xen 4.12.2 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00040d00
#   error "this code needs Xen interface 0x00040d00, which the headers of Xen 4.13.0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00040e00
#   error "this code needs Xen interface 0x00040e00, which the headers of Xen 4.14.0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  elif XEN_INTERFACE_NEEDED <= 0x00041300
#   error "this code needs Xen interface 0x00041300, which the headers of Xen 4.19.0 and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED"
#  else
#   error "XEN_INTERFACE_NEEDED is newer than every release of Xen in this header, and than the Xen headers found here: correct it"
#  endif
# endif
# ifdef __XEN_LATEST_INTERFACE_VERSION__
# if XEN_INTERFACE_NEEDED == 0x00040901 && __XEN_LATEST_INTERFACE_VERSION__ == 0x00040a00
#  error "this code needs Xen interface 0x00040901, which only stable-4.11 has; the headers found here have 0x00040a00, a greater number without the change: build with another point release"
# endif
# endif

# if defined(XEN_INTERFACE_ASKED) && !defined(XEN_INTERFACE_TOO_OLD)
#  if !defined(__XEN__) && !defined(__XEN_TOOLS__)
#   undef __XEN_INTERFACE_VERSION__
#   define __XEN_INTERFACE_VERSION__ XEN_INTERFACE_NEEDED
#   if __XEN_LATEST_INTERFACE_VERSION__ == 0x00030101
#    undef __HYPERVISOR_sched_op /* 3.0.2 defines it if an older one is asked for */
#   endif
#  endif
# endif
# if defined(__XEN_INTERFACE_VERSION__) && !defined(XEN_INTERFACE_TOO_OLD)
#  if __XEN_INTERFACE_VERSION__ < XEN_INTERFACE_NEEDED
#   error "__XEN_INTERFACE_VERSION__ is lower than XEN_INTERFACE_NEEDED: define only the latter, and include xen-interface.h before Xen's headers"
#  endif
# endif

/*
 * Barriers for memory shared with another domain. ring.h calls them xen_mb()
 * if 0x00030208 or later is asked for, and mb() otherwise.
 */
# if __XEN_INTERFACE_VERSION__ >= 0x00030208
#  ifndef xen_mb
#   define xen_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#  endif
#  ifndef xen_rmb
#   define xen_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#  endif
#  ifndef xen_wmb
#   define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#  endif
# else
#  ifndef mb
#   define mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#  endif
#  ifndef rmb
#   define rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#  endif
#  ifndef wmb
#   define wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#  endif
# endif

#endif /* XEN_INTERFACE_NEEDED */

/* ---- the note in a program ----------------------------------------------- */

#define XEN_INTERFACE_TEXT(x) XEN_INTERFACE_TEXT_(x)
#define XEN_INTERFACE_TEXT_(x) #x
#ifdef __XEN_LATEST_INTERFACE_VERSION__
# define XEN_INTERFACE_MARK_LATEST \
	XEN_INTERFACE_TEXT(__XEN_LATEST_INTERFACE_VERSION__)
#else
# define XEN_INTERFACE_MARK_LATEST "unknown"
#endif
#define XEN_INTERFACE_MARK                                             \
	static const char xen_interface_mark[]                         \
	__attribute__((used)) = "xen-interface-mark: interface="       \
	XEN_INTERFACE_TEXT(__XEN_INTERFACE_VERSION__)                  \
	" headers=" XEN_INTERFACE_MARK_LATEST ";"

#endif /* XEN_INTERFACE_H */

/* ---- today's names on older headers -------------------------------------
 *
 * Outside the include guard, so that it is read at every inclusion. Each part
 * takes effect once the Xen header that it completes has been included. The
 * comment behind a name is the release that introduced it. The values are part
 * of the ABI, and never change.
 */
#if defined(XEN_INTERFACE_NEEDED) && defined(__XEN_PUBLIC_IO_RING_H__) && \
	!defined(XEN_INTERFACE_COMPAT_RING)
# define XEN_INTERFACE_COMPAT_RING
# ifndef xen_mb /* 3.3 */
#  define xen_mb() mb()
#  define xen_rmb() rmb()
#  define xen_wmb() wmb()
# endif
# ifndef RING_FREE_REQUESTS /* 3.0.3 */
#  define RING_FREE_REQUESTS(_r) \
	(RING_SIZE(_r) - ((_r)->req_prod_pvt - (_r)->rsp_cons))
# endif
# ifndef __CONST_RING_SIZE /* 4.0; the name of the ring, not a pointer */
#  define XEN_INTERFACE_RD2(x) (((x) & 2u) ? 2u : ((x) & 1u))
#  define XEN_INTERFACE_RD4(x) \
	(((x) & 0xcu) ? XEN_INTERFACE_RD2((x) >> 2) << 2 : XEN_INTERFACE_RD2(x))
#  define XEN_INTERFACE_RD8(x) \
	(((x) & 0xf0u) ? XEN_INTERFACE_RD4((x) >> 4) << 4 : XEN_INTERFACE_RD4(x))
#  define XEN_INTERFACE_RD16(x) \
	(((x) & 0xff00u) ? XEN_INTERFACE_RD8((x) >> 8) << 8 : XEN_INTERFACE_RD8(x))
#  define XEN_INTERFACE_RD32(x)                                       \
	(((x) & 0xffff0000u) ? XEN_INTERFACE_RD16((x) >> 16) << 16    \
			     : XEN_INTERFACE_RD16(x))
#  define __CONST_RING_SIZE(_s, _sz)                                  \
	(XEN_INTERFACE_RD32(((_sz) - offsetof(struct _s##_sring, ring)) / \
			    sizeof(((struct _s##_sring *)0)->ring[0])))
# endif
# ifndef RING_REQUEST_PROD_OVERFLOW /* 4.3, XSA-39 */
#  define RING_REQUEST_PROD_OVERFLOW(_r, _prod) \
	(((_prod) - (_r)->rsp_prod_pvt) > RING_SIZE(_r))
# endif
# ifndef RING_RESPONSE_PROD_OVERFLOW /* 4.16 */
#  define RING_RESPONSE_PROD_OVERFLOW(_r, _prod) \
	(((_prod) - (_r)->rsp_cons) > RING_SIZE(_r))
# endif
/*
 * Copy from the shared page exactly once: without the barriers the compiler
 * could read the page again, after the other domain has changed it (XSA-155).
 */
# ifndef RING_COPY_REQUEST /* 4.7 */
#  define RING_COPY_REQUEST(_r, _idx, _req)                           \
	do {                                                          \
		__asm__ __volatile__("" : : : "memory");              \
		*(_req) = *RING_GET_REQUEST(_r, _idx);                \
		__asm__ __volatile__("" : : : "memory");              \
	} while (0)
# endif
# ifndef RING_COPY_RESPONSE /* 4.16 */
#  define RING_COPY_RESPONSE(_r, _idx, _rsp)                          \
	do {                                                          \
		__asm__ __volatile__("" : : : "memory");              \
		*(_rsp) = *RING_GET_RESPONSE(_r, _idx);               \
		__asm__ __volatile__("" : : : "memory");              \
	} while (0)
# endif
# ifndef XEN_FRONT_RING_INIT /* 4.17 */
#  define XEN_FRONT_RING_INIT(_r, _s, _size)                          \
	do {                                                          \
		SHARED_RING_INIT(_s);                                 \
		FRONT_RING_INIT(_r, _s, _size);                       \
	} while (0)
# endif
# ifndef XEN_RING_NR_UNCONSUMED_RESPONSES /* 4.17 */
#  define XEN_RING_NR_UNCONSUMED_RESPONSES(_r) \
	((_r)->sring->rsp_prod - (_r)->rsp_cons)
# endif
# ifndef XEN_RING_NR_UNCONSUMED_REQUESTS /* 4.17 */
#  define XEN_INTERFACE_LESS(a, b) ((a) < (b) ? (a) : (b))
#  define XEN_RING_NR_UNCONSUMED_REQUESTS(_r)                         \
	XEN_INTERFACE_LESS((_r)->sring->req_prod - (_r)->req_cons,    \
			   RING_SIZE(_r) - ((_r)->req_cons - (_r)->rsp_prod_pvt))
# endif
# ifndef XENPV_FLEX_ARRAY_DIM /* 4.19 */
#  define XENPV_FLEX_ARRAY_DIM 1
# endif
#endif

#if defined(XEN_INTERFACE_NEEDED) && defined(__XEN_PUBLIC_IO_BLKIF_H__) && \
	!defined(XEN_INTERFACE_COMPAT_BLKIF)
# define XEN_INTERFACE_COMPAT_BLKIF
# ifndef BLKIF_OP_WRITE_BARRIER /* 3.0.4 */
#  define BLKIF_OP_WRITE_BARRIER 2
# endif
# ifndef BLKIF_RSP_EOPNOTSUPP /* 3.0.4 */
#  define BLKIF_RSP_EOPNOTSUPP -2
# endif
# ifndef BLKIF_OP_FLUSH_DISKCACHE /* 3.2 */
#  define BLKIF_OP_FLUSH_DISKCACHE 3
# endif
# ifndef BLKIF_OP_RESERVED_1 /* 4.1 */
#  define BLKIF_OP_RESERVED_1 4
# endif
# ifndef BLKIF_OP_DISCARD /* 4.2; 4.1 called it BLKIF_OP_TRIM */
#  define BLKIF_OP_DISCARD 5
struct blkif_request_discard {
	uint8_t operation;
	uint8_t flag;
	blkif_vdev_t handle;
	uint64_t id;
	blkif_sector_t sector_number;
	uint64_t nr_sectors;
};
typedef struct blkif_request_discard blkif_request_discard_t;
# endif
# ifndef BLKIF_DISCARD_SECURE /* 4.2 */
#  define BLKIF_DISCARD_SECURE (1 << 0)
# endif
# ifndef BLKIF_OP_INDIRECT /* 4.4 */
#  define BLKIF_OP_INDIRECT 6
#  define BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST 8
struct blkif_request_indirect {
	uint8_t operation;
	uint8_t indirect_op;
	uint16_t nr_segments;
	uint64_t id;
	blkif_sector_t sector_number;
	blkif_vdev_t handle;
	grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
#  if defined(__i386__)
	uint64_t pad; /* to the length of the request on x86_64 */
#  endif
};
typedef struct blkif_request_indirect blkif_request_indirect_t;
# endif
#endif

/* Segments in one 4 KiB page of an indirect request. Xen's headers lack it. */
#if defined(XEN_INTERFACE_NEEDED) && !defined(XEN_BLKIF_SEGS_PER_INDIRECT_PAGE)
# define XEN_BLKIF_SEGS_PER_INDIRECT_PAGE \
	(4096u / sizeof(struct blkif_request_segment))
#endif

#if defined(XEN_INTERFACE_NEEDED) && defined(__XEN_PUBLIC_GRANT_TABLE_H__) && \
	!defined(XEN_INTERFACE_COMPAT_GRANT)
# define XEN_INTERFACE_COMPAT_GRANT
# if defined(__XEN_LATEST_INTERFACE_VERSION__) && \
	__XEN_LATEST_INTERFACE_VERSION__ < 0x0003020a && \
	!defined(grant_entry_v1) /* 4.0 */
#  define grant_entry_v1 grant_entry
#  define grant_entry_v1_t grant_entry_t
# endif
# ifndef GTF_PWT /* 3.2 */
#  define _GTF_PWT 5
#  define GTF_PWT (1U << _GTF_PWT)
#  define _GTF_PCD 6
#  define GTF_PCD (1U << _GTF_PCD)
#  define _GTF_PAT 7
#  define GTF_PAT (1U << _GTF_PAT)
# endif
# ifndef GTF_sub_page /* 4.0 */
#  define _GTF_sub_page 8
#  define GTF_sub_page (1U << _GTF_sub_page)
#  define GTF_transitive (3U << 0)
# endif
# ifndef GNTTABOP_copy /* 3.0.3 */
#  define GNTTABOP_copy 5
# endif
# ifndef GNTTABOP_query_size /* 3.1 */
#  define GNTTABOP_query_size 6
# endif
# ifndef GNTTABOP_unmap_and_replace /* 3.2 */
#  define GNTTABOP_unmap_and_replace 7
# endif
# ifndef GNTTABOP_set_version /* 4.0 */
#  define GNTTABOP_set_version 8
#  define GNTTABOP_get_status_frames 9
#  define GNTTABOP_get_version 10
# endif
# ifndef GNTTABOP_swap_grant_ref /* 4.2 */
#  define GNTTABOP_swap_grant_ref 11
# endif
# ifndef GNTTABOP_cache_flush /* 4.5 */
#  define GNTTABOP_cache_flush 12
# endif
# ifndef GNTST_bad_copy_arg /* 3.0.3 */
#  define GNTST_bad_copy_arg (-10)
# endif
# ifndef GNTST_address_too_big /* 3.2 */
#  define GNTST_address_too_big (-11)
# endif
# ifndef GNTST_eagain /* 4.0 */
#  define GNTST_eagain (-12)
# endif
# ifndef GNTST_no_space /* 4.16 */
#  define GNTST_no_space (-13)
# endif
# ifndef GNTTAB_NR_RESERVED_ENTRIES /* 4.2 */
#  define GNTTAB_NR_RESERVED_ENTRIES 8
#  define GNTTAB_RESERVED_CONSOLE 0
#  define GNTTAB_RESERVED_XENSTORE 1
# endif
#endif

#if defined(XEN_INTERFACE_NEEDED) && \
	defined(__XEN_PUBLIC_EVENT_CHANNEL_H__) && \
	!defined(XEN_INTERFACE_COMPAT_EVTCHN)
# define XEN_INTERFACE_COMPAT_EVTCHN
# ifndef EVTCHNOP_reset /* 3.1 */
#  define EVTCHNOP_reset 10
# endif
# ifndef EVTCHNOP_init_control /* 4.4 */
#  define EVTCHNOP_init_control 11
#  define EVTCHNOP_expand_array 12
#  define EVTCHNOP_set_priority 13
# endif
# ifndef EVTCHNOP_reset_cont /* 4.15 */
#  define EVTCHNOP_reset_cont 14
# endif
# ifndef EVTCHN_FIFO_PRIORITY_MAX /* 4.4 */
#  define EVTCHN_FIFO_PRIORITY_MAX 0
#  define EVTCHN_FIFO_PRIORITY_DEFAULT 7
#  define EVTCHN_FIFO_PRIORITY_MIN 15
# endif
#endif
