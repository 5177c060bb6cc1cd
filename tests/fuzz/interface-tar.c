/* SPDX-License-Identifier: BSD-2-Clause */
/* The libFuzzer program for the parser of tar archives: make fuzz-interface. */
#include "tests/fuzz/interface.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_tar(data, len);
	return 0;
}
