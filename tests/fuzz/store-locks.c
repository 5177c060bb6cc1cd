/* SPDX-License-Identifier: BSD-2-Clause */
/* The entry point of libFuzzer for the block-lock file of a store: make fuzz. */
#include "tests/fuzz/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_store_locks(data, len);
	return 0;
}
