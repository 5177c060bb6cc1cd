/* SPDX-License-Identifier: BSD-2-Clause */
/* How a driver of generation 3 ends what was queued. */
#ifndef TESTS_TAPDISK_GEN3_INTERFACE_H
#define TESTS_TAPDISK_GEN3_INTERFACE_H

#include "tapdisk.h"

/* Exactly once for each sector; @res is 0 or -errno. */
void td_complete_request(td_request_t, int res);

#endif
