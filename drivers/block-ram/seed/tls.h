/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a person needs to know about TLS with a seed's server, and libnbd does not
 * say. Needs GnuTLS, which libnbd has loaded: see tls.c.
 */
#ifndef BLOCK_RAM_TLS_H
#define BLOCK_RAM_TLS_H

#include "include/ramdisk.h"

#ifndef RD_WITHOUT_NBD

#define RD_TLS_WHY 512u /* bytes of a reason, with its NUL */

/*
 * Check, before a connection to @uri, that libnbd will find the certificate of an
 * authority to verify the server with. @version is libnbd's. 0, or -errno and a
 * reason.
 */
int rd_tls_check(const char *uri, const char *version, char why[RD_TLS_WHY]);

/*
 * Find out why TLS with the server of @uri failed, with a connection of our own.
 * False: nothing is known that is better than libnbd's words.
 */
bool rd_tls_explain(const char *uri, char why[RD_TLS_WHY]);

#endif
#endif
