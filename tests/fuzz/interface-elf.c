/* SPDX-License-Identifier: BSD-2-Clause */
/* libFuzzer's way into the elf parser of xm-ramdisk interface: make fuzz. */
#include "tests/fuzz/interface.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_elf(data, len);
	return 0;
}
