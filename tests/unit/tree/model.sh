#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The lock-free parts under C's memory model: tests/model compiles block-lock.c
# and ring.c over the checker relacy and walks all executions with up to four
# preemptions. Then the same with each memory order, and each check, taken out
# of a copy: the model must find a fault in every one, which proves that the model can find it.
set -u
cd "$(dirname "$0")/../../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

build() { # TREE MODEL OUT
	(cd "$1" && g++ -std=c++20 -O1 -w -fpermissive -DXEN_INTERFACE_NEEDED=XEN_INTERFACE_4_0_0 \
		-Itests/model/shim -I. -Iinclude -include xen-interface.h -o "$3" "tests/model/$2.cpp")
}

for model in block-lock ring; do
	if ! build . $model "$tmp/$model" >"$tmp/out" 2>&1; then
		echo "not ok model: $model.cpp compiles"
		sed 's/^/    /' "$tmp/out"
		failed=1
		continue
	fi
	timeout 120 "$tmp/$model" >"$tmp/out" 2>&1 || failed=1
	sed -nE 's/^(ok|not ok) (.*)/\1 model: \2/p' "$tmp/out"
	grep -q '^not ok' "$tmp/out" && sed 's/^/    /' "$tmp/out"
	grep -q '^ok' "$tmp/out" || failed=1
done

# A copy of the tree with one thing weakened: the model must say "not ok".
weaker() { # MODEL FILE SED NAME
	local tree=$tmp/tree
	rm -rf "$tree" && mkdir "$tree" && cp -r drivers include tests "$tree"
	sed -i -E "$3" "$tree/$2"
	if cmp -s "$2" "$tree/$2"; then
		echo "not ok model: $4: there is nothing to weaken in $2"
		failed=1
	elif build "$tree" "$1" "$tmp/weak" >"$tmp/out" 2>&1 &&
		! timeout 120 "$tmp/weak" >"$tmp/out" 2>&1 && grep -q '^not ok' "$tmp/out"; then
		echo "ok model: a fault is found without $4"
	else
		echo "not ok model: no fault is found without $4"
		tail -n 5 "$tmp/out" | sed 's/^/    /'
		failed=1
	fi
}

lock=drivers/block-ram/format/block-lock
weaker block-lock $lock.h 's/atomic_thread_fence\(memory_order_release\);/;/' "the writer's fence"
weaker block-lock tests/model/block-lock.cpp 's/atomic_thread_fence\(memory_order_acquire\);/;/' "the reader's fence"
weaker block-lock $lock.h '/owner \| \(\(value \+ 1\)/,/;/s/memory_order_seq_cst/memory_order_relaxed/' "the acquire of a lock"
weaker block-lock $lock.h '/\(value \+ 1\) & RD_SEQUENCE,/,/;/s/memory_order_release/memory_order_relaxed/' "the release of a lock"
weaker block-lock $lock.c 's/(atomic_load_explicit\(lock, )memory_order_acquire/\1memory_order_relaxed/' "the acquire of a wait"
weaker block-lock $lock.c 's/owned\(disk, value \+ 2\)/owned(disk, value)/' "the new sequence of an inherited lock"
weaker block-lock $lock.c 's/rd_slot_alive\([^;{]*\)\) \{/false) {/' "the question whether the owner lives"
ring=drivers/blkback/ring/ring.c
weaker ring $ring '/->rsp_prod, now,/,/;/s/memory_order_release/memory_order_relaxed/' "the release of responses"
weaker ring $ring '/^bool blkback_ring_push/,/^}/s/atomic_thread_fence\(memory_order_seq_cst\);/;/' "the fence after a push"
weaker ring $ring '/^int blkback_ring_await/,/^}/s/atomic_thread_fence\(memory_order_seq_cst\);/;/' "the fence before the last check"
weaker ring $ring '/^int blkback_ring_pending/,/^}/s/memory_order_acquire/memory_order_relaxed/' "the acquire of requests"
exit $failed
