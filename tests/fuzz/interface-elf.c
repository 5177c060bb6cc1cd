/* SPDX-License-Identifier: BSD-2-Clause */
/* The libFuzzer program for the parser of ELF files: make fuzz-interface. */
#include "tests/fuzz/interface.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_elf(data, len);
	return 0;
}
