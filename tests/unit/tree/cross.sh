#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The build for another architecture, and processors that are refused. `make check` has
# built the programs for arm64 in build/arm64; here a second build goes to a folder of its
# own. Then the programs and the tests for arm64 run under qemu-user. What qemu-user lacks
# is named below, with the reason; tests/vm/long/arm64-programs runs those, except
# those named there, in an arm64 Domain-0. The emulator on x86 keeps stores in order, so nothing here shows
# that the order of accesses is right on ARM: tests/unit/tree/model.sh does that.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=${B:-build}
arm64=${B%/san-*}/arm64
unset MAKEFLAGS MAKELEVEL MFLAGS
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

result() { # STATUS NAME
	if [ "$1" = 0 ]; then
		echo "ok cross: $2"
	else
		echo "not ok cross: $2"
		tail -n 20 "$tmp/out" | sed 's/^/    /'
		failed=1
	fi
}

# ---- what is refused --------------------------------------------------------

refused() { # SENTENCE FLAG...
	local sentence=$1
	shift
	! make B="$tmp/refused" CC="gcc $*" CFLAGS= all >"$tmp/out" 2>&1 &&
		[ "$(grep -vc '^make' "$tmp/out")" = 1 ] && grep -q "$sentence" "$tmp/out"
}

refused 'needs a 64-bit ABI' -m32
result $? "a 32-bit build is refused in one line"
refused 'needs a 64-bit ABI' -mx32
result $? "a build for x32 is refused in one line"
refused 'needs a little-endian ABI' -D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__ -w
result $? "a big-endian build is refused in one line"
refused 'is built for amd64 and arm64' -U__x86_64__
result $? "another processor is refused in one line"
! make ARCH=sparc all >"$tmp/out" 2>&1 && grep -q 'ARCH=sparc: expected amd64 or arm64' "$tmp/out"
result $? "an architecture that is not known is refused"

# The same sentence from the compiler, for who compiles a file without the Makefile.
compiler_refuses() { # FILE
	! gcc -U__LP64__ -D_GNU_SOURCE -I. -Iinclude -DXEN_INTERFACE_NEEDED=XEN_INTERFACE_4_0_0 \
		-include xen-interface.h -fsyntax-only "$1" >"$tmp/out" 2>&1 && grep -q 'needs a 64-bit ABI' "$tmp/out"
}
compiler_refuses drivers/block-ram/format/block-lock.c
result $? "the store's sources refuse a 32-bit compiler"
compiler_refuses drivers/blkback/ring/ring.c
result $? "the backend's sources refuse a 32-bit compiler"

# ---- the build --------------------------------------------------------------

sysroot=$(readlink -f "$arm64/sysroot")
[ -d "$sysroot" ] || echo "no sysroot: make ARCH=arm64" >"$tmp/out"
[ -d "$sysroot" ]
result $? "the libraries for arm64 are there"

# As a maintainer with a sysroot of another system builds.
cross_make() {
	make -j2 CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar SYSROOT="$sysroot" B="$tmp/b" CFLAGS=-O0 CI=1 \
		DESTDIR="$tmp/root" NBDKITDIR=/plugins "$@"
}
cross_make -n all install install-dev >"$tmp/commands" 2>&1 &&
	! grep -E "(^|[;&|] *)$tmp/b/[^ ;]*( |\$|$)" "$tmp/commands" >"$tmp/out" && grep -q "ar rcs $tmp/b/" "$tmp/commands"
result $? "no command of make all install is a program that was built"
cross_make all install >"$tmp/out" 2>&1
result $? "make CC=aarch64-linux-gnu-gcc SYSROOT=DIR all install"

is_arm64() { # FILE...
	local f
	for f; do
		LC_ALL=C readelf -h "$f" 2>&1 | grep -q 'Machine: *AArch64' || echo "$f is not for arm64"
	done >"$tmp/out"
	[ ! -s "$tmp/out" ]
}
is_arm64 "$tmp"/root/usr/local/sbin/* "$tmp"/root/plugins/*.so "$arm64"/xen-ramdiskd "$arm64"/tests/vm/hostile
result $? "what is installed is for arm64"

# ---- the programs under qemu-user ---------------------------------------------

qemu-aarch64 -L "$sysroot" "$arm64/xm-ramdisk" interface list --svg "$tmp/svg" >"$tmp/out" 2>&1 &&
	cmp "$tmp/svg" docs/interface-versions.svg >"$tmp/out" 2>&1
result $? "xm-ramdisk for arm64 draws the same picture"

# Wakeups, events and system calls of a request, as the kept table has them for amd64.
qemu-aarch64 -L "$sysroot" "$arm64/tests/bench/costs" 2>"$tmp/out" |
	awk '{printf "%s\t%.4f\t%.4f\t%.4f\t%.4f\n", $1, $3 / $2, $4 / $2, $5 / $2, $6 / $2}' >"$tmp/costs"
grep -v '^#' docs/bench/request-costs.tsv | cut -f 1-5 | diff - "$tmp/costs" >>"$tmp/out"
result $? "a request takes the same system calls and wakeups on arm64"

# Not under qemu-user. ptrace: unit/store/crash, unit/store/point-crash, unit/store/first, ring/ring/restart,
# unit/store/identity, unit/store/relabel. Seccomp: ring/worker/sandbox,
# ring/worker/captured; root's groups: ring/worker/inside. Mappings of 3 TiB and 256 GiB: unit/format/groups, unit/store/points. Which pages are mapped: unit/io/range,
# unit/base/huge-pages. A shell of this machine starts the program again: unit/hotplug/caller. Crashes of qemu-user 7.2 itself
# when a process with threads forks: unit/store/model. Takes minutes because
# a wait for an event is not interrupted as it is on a kernel: ring/ring/busy-poll.
not_here='unit/store/crash ring/ring/restart ring/worker/sandbox ring/worker/inside unit/io/range
	unit/store/model ring/ring/busy-poll ring/worker/captured unit/store/identity unit/format/groups
	unit/store/first unit/store/point-crash unit/store/points unit/base/huge-pages unit/hotplug/caller
	unit/store/relabel'
# Long, and with nothing that depends on the processor:
not_here+=' ring/supervisor/sequences ring/supervisor/supervisor ring/worker/connections unit/interface/parse'
for t in tests/unit/*/*.c tests/ring/{common,ring,worker,supervisor}/*.c; do
	name=${t#tests/}
	name=${name%.c}
	[[ " ${not_here//[$'\n\t']/ } " != *" $name "* ]] || continue
	B=$arm64 timeout 100 qemu-aarch64 -L "$sysroot" "$arm64/tests/$name" >"$tmp/out" 2>&1 &&
		grep -q '^ok' "$tmp/out" && ! grep -q '^not ok' "$tmp/out"
	result $? "$name on arm64: $(grep -c '^ok' "$tmp/out") tests"
done
exit $failed
