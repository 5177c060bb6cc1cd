/* SPDX-License-Identifier: BSD-2-Clause */
/* libFuzzer's way into what guests and tools write into xenstore: make fuzz. */
#include "tests/fuzz/nodes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_nodes_history(data, len);
	return 0;
}
