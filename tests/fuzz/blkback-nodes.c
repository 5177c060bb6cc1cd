/* SPDX-License-Identifier: BSD-2-Clause */
/* libFuzzer's entry for the xenstore nodes of guests and tools; see nodes.h. */
#include "tests/fuzz/nodes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_nodes_history(data, len);
	return 0;
}
