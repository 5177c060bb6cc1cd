#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs the guide for hosts without Xen as it is written: its blocks one after
# another in one shell, which ends at the first command that fails. tests/vm/long/guides
# and its neighbours run the other guides. This script also checks that each guide is run somewhere, and
# that a failing block makes the run fail.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
top=$PWD
scratch=$(mktemp -d) || exit 1
export XEN_RAMDISK_DIR=/dev/shm/xen-ramdisk-guides.$$
mkdir -m 700 "$XEN_RAMDISK_DIR" || exit 1
trap 'rm -rf "$scratch" "$XEN_RAMDISK_DIR"' EXIT
failed=0

run() { # GUIDE: runs its blocks for the host; the output names each block
	local blocks=$scratch/blocks f
	rm -rf "$blocks" "$scratch/work"
	mkdir "$blocks" "$scratch/work"
	awk -f "$top/tests/vm/lib/guide-blocks" dir="$blocks" "$1"
	for f in "$blocks"/*.host; do
		echo "echo '# line ${f##*/}'"
		cat "$f"
	done >"$scratch/script"
	(cd "$scratch/work" && PATH=$B:/usr/sbin:/usr/bin:/sbin:/bin bash -eu -o pipefail "$scratch/script")
}

result() { # STATUS NAME
	if [ "$1" = 0 ]; then
		echo "ok $2"
	else
		echo "not ok $2"
		sed 's/^/    /' "$scratch/out"
		failed=1
	fi
}

run "$top/docs/guide-without-xen.md" >"$scratch/out" 2>&1 </dev/null
result $? "guide-without-xen.md runs as it is written"
[ "$(find "$scratch/blocks" -name '*.host' | wc -l)" -ge 5 ]
result $? "guide-without-xen.md has blocks"

printf '%s\n' '```sh' 'true' '```' '```' 'false' '```' '```sh in g' 'false' '```' '```sh' 'false' 'echo on' '```' >"$scratch/bad.md"
run "$scratch/bad.md" >"$scratch/out" 2>&1 </dev/null
[ $? = 1 ] && grep -qx '# line 0010.host' "$scratch/out" && ! grep -q on "$scratch/out"
result $? "a failing command ends the run in its block"

for f in docs/guide-*.md; do
	case $f in *-without-xen.md) continue ;; esac
	grep -q "^guide ${f##*/}" tests/vm/long/* || echo "$f"
done >"$scratch/out"
[ ! -s "$scratch/out" ]
result $? "every other guide is run in the test bed"
exit $failed
