/* SPDX-License-Identifier: BSD-2-Clause */
/* libFuzzer's way into what a store's alias file may hold: make fuzz. */
#include "tests/fuzz/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_store_alias(data, len);
	return 0;
}
