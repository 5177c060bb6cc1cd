#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The patches for historic drivers: for each release of its range, each patch applies and
# reverts without fuzz to a file that has the historic line at that release's line number, and
# changes that line only. The files are made here; only the one line, with its
# white space, is the historic driver's.
set -u
cd "$(dirname "$0")/../../.." || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

tab=$(printf '\t')
flags="${tab}o_flags = O_DIRECT | O_LARGEFILE | "
opens="        fd = open(name, O_RDWR | O_DIRECT | O_LARGEFILE);"

# PATCH, LINE'S NUMBER, PATH, RELEASES
table() {
	echo 'blktap1-3.0 159 tools/blktap/drivers/block-ram.c 3.0.3 3.0.4'
	echo 'blktap1 170 tools/blktap/drivers/block-ram.c 3.1 3.2'
	echo 'blktap1 162 tools/blktap/drivers/block-ram.c 3.3 3.4 4.0 4.1 4.2 4.3 4.4 4.5'
	echo 'blktap2 137 tools/blktap2/drivers/block-ram.c 4.0 4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 4.9 4.10 4.11 4.12'
	echo 'blktap3 139 drivers/block-ram.c 3.0'
	echo 'blktap3 152 drivers/block-ram.c 3.15'
	echo 'blktap3 153 drivers/block-ram.c 3.16 3.55 4.0'
}

make_file() { # PATH NUMBER LINE
	mkdir -p "$(dirname "$1")" &&
		awk -v at="$2" -v line="$3" 'BEGIN {
			for (i = 1; i <= 300; i++)
				print i == at ? line : "	line " i ";"
		}' >"$1"
}

# One patch on one release's file, forwards and backwards.
applies() { # PATCH NUMBER PATH
	local line=$flags want
	[ "$1" != blktap1-3.0 ] || line=$opens
	want=${line/O_DIRECT | /}
	rm -rf "$dir/tree" && make_file "$dir/tree/$3" "$2" "$line" &&
		cp "$dir/tree/$3" "$dir/before" && make_file "$dir/after" "$2" "$want" &&
		patch -d "$dir/tree" -p1 --fuzz=0 <"patches/$1.patch" &&
		cmp "$dir/tree/$3" "$dir/after" &&
		patch -d "$dir/tree" -p1 -R --fuzz=0 <"patches/$1.patch" &&
		cmp "$dir/tree/$3" "$dir/before" &&
		[ -z "$(find "$dir/tree" -name '*.rej')" ]
}

result() { # STATUS NAME
	if [ "$1" = 0 ]; then
		echo "ok patches: $2"
	else
		sed 's/^/# /' "$dir/log"
		echo "not ok patches: $2"
		failed=1
	fi
}

while read -r patch number path releases; do
	for release in $releases; do
		applies "$patch" "$number" "$path" >"$dir/log" 2>&1
		result $? "$patch.patch on $release"
	done
done < <(table)

# A patch does not apply to the file of another variant.
rm -rf "$dir/tree" && make_file "$dir/tree/drivers/block-ram.c" 153 "$opens"
patch -d "$dir/tree" -p1 --fuzz=0 <patches/blktap3.patch >"$dir/log" 2>&1
[ $? = 1 ]
result $? "the patch of another variant does not apply"

# Every patch is in patches/README.md, and has a header.
{
	for p in patches/*.patch; do
		grep -q "$(basename "$p")" patches/README.md && grep -q '^Releases: ' "$p" &&
			grep -q '^How it was tested: ' "$p" || echo "$p"
	done
} >"$dir/log"
[ ! -s "$dir/log" ]
result $? "each patch has a header and is in the README"

exit $failed
