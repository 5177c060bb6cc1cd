#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Sizes are printed in the unit that people read: in list, show, top and load,
# of disks from one sector to 3 GiB.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
PATH=$B:$PATH
seeds=$(mktemp -d) || exit 1
XEN_RAMDISK_DIR=$(mktemp -d /dev/shm/xen-ramdisk-test-XXXXXX) || exit 1
export XEN_RAMDISK_DIR
holder=
trap '[ -z "$holder" ] || kill $holder; rm -rf "$seeds" "$XEN_RAMDISK_DIR"' EXIT
out=$seeds/out
failed=0

# NAME REGEX ARGUMENTS: xm-ramdisk succeeds, prints REGEX, and no size of 0 MiB or the like.
prints() {
	local name=$1 regex=$2
	shift 2
	if xm-ramdisk "$@" >"$out" 2>&1 && grep -qE -e "$regex" "$out" && ! grep -qE '(^| )0 [KM]iB|[0-9]{4,}(\.[0-9])? [KMG]iB' "$out"; then
		echo "ok sizes: $name"
	else
		sed 's/^/# /' "$out"
		echo "not ok sizes: $name"
		failed=1
	fi
}

truncate -s 512 "$seeds/sector"
truncate -s 4096 "$seeds/block"
truncate -s 3000000 "$seeds/odd"
truncate -s 3G "$seeds/large"
prints "load a sector" 'sector: 512 bytes, kept' load "$seeds/sector"
prints "load a block" 'block: 4 KiB, kept' load "$seeds/block"
prints "load 3000000 bytes" 'odd: 2\.9 MiB, kept' load "$seeds/odd"
prints "list" 'block: 4 KiB, kept, attached 0 times$' list
prints "show" '^size: +4 KiB \(4096 bytes\)$' show block
prints "show, the padding" '^size: +2\.9 MiB \(3000320 bytes\), 320 bytes of them padding$' show odd
prints "show, the memory" '^memory: +64 KiB, reserved$' show block
prints "show, what is loaded" '^loaded: +4 KiB of 4 KiB$' show block
prints "load of a large disk" 'large: 3 GiB, kept' load --thin "$seeds/large"
prints "list of a large disk" 'large: 3 GiB, thin, kept' list
prints "show of a large disk" '^size: +3 GiB \(3221225472 bytes\)$' show large
coproc "$B/tests/helpers/hold" "$seeds/block" vbd/0/51728
holder=$COPROC_PID
read -r -u "${COPROC[0]}" _
prints "list, what was read and written" ' xvdb +w +4 KiB +4 KiB +[0-9]+$' list
prints "show, what was read and written" 'read 1 times, 4 KiB; wrote 1 times, 4 KiB' show block
prints "top" ' xvdb +block +0 +0 +0 bytes +0 bytes +0$' top --once
exit $failed
