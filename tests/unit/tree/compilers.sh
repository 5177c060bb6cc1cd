#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The sources with other compilers than gcc and glibc: clang without a warning; and musl,
# the C library of Alpine, with which all of them compile, and unit tests of the store pass.
# Debian has neither Xen's libraries nor CUnit for musl: of those the headers are used, and
# tests/helpers/musl stands in for CUnit.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
out=$tmp/out
failed=0

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok compilers: $1"
		return
	fi
	echo "not ok compilers: $1"
	sed 's/^/    /' "$out" | head -n 40
	failed=1
}

mapfile -t sources < <(ls drivers/block-ram/{base,format,seed,io,store}/*.c drivers/blkback/*.c drivers/blkback/*/*.c \
	drivers/nbdkit/*.c tools/xm-ramdisk/*.c tools/xm-ramdisk/*/*.c)
[ ${#sources[@]} -gt 100 ]
ok "more than 100 sources" $?
flags=(-std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Werror
	-D_GNU_SOURCE -Iinclude -I. -I"$B/gen" -DXEN_INTERFACE_NEEDED=XEN_INTERFACE_4_0_0 -include xen-interface.h -fsyntax-only)
clang "${flags[@]}" "${sources[@]}" >"$out" 2>&1
ok "clang has no warning" $?

# Headers of Linux and of the libraries, without those of glibc.
mkdir "$tmp/include"
machine=$(cc -print-multiarch)
ln -s /usr/include/{linux,asm-generic,xen,xen*.h,libaio.h,libnbd.h,nbdkit*.h,seccomp*.h} "/usr/include/$machine/asm" "$tmp/include"
musl=(musl-gcc -idirafter "$tmp/include")
"${musl[@]}" "${flags[@]}" "${sources[@]}" >"$out" 2>&1
ok "musl: all sources compile without a warning" $?

# libaio.a makes system calls only, so it is the same for both.
libaio=$(cc -print-file-name=libaio.a)
musl+=(-std=gnu11 -O1 -D_GNU_SOURCE -DRD_WITHOUT_NBD -Iinclude -I. -Itests/helpers/musl)
mkdir "$tmp/store"
for f in drivers/block-ram/{base,format,seed,io,store}/*.c; do
	echo "$f"
done | xargs -P 2 -I{} sh -c 'f=$1; shift; exec "$@" -c -o "$0/$(basename "$f" .c).o" "$f"' \
	"$tmp/store" {} "${musl[@]}" >"$out" 2>&1
ok "musl: the store is built" $?
for t in store/attach store/manage io/range io/block format/header seed/loader library/abi; do
	"${musl[@]}" -static -include CUnit/CUnit.h -o "$tmp/test" tests/unit/$t.c "$tmp"/store/*.o "$libaio" >"$out" 2>&1
	ok "musl: tests/unit/$t.c is built with it" $?
	"$tmp/test" || failed=1
	rm -f "$tmp/test"
done
exit $failed
