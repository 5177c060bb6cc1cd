/* SPDX-License-Identifier: BSD-2-Clause */
/* libFuzzer's way into what a frontend may put into rings and pages: make fuzz. */
#include "tests/fuzz/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_ring_program(data, len);
	return 0;
}
