#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# libramdisk.so for programs of others: its symbols are the functions of ramdisk.h, with
# versions; the manual page has them all; and a program that is built with pkg-config
# against the installed library attaches, writes and detaches.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
tmp=$(mktemp -d) || exit 1
XEN_RAMDISK_DIR=$(mktemp -d /dev/shm/xen-ramdisk-test-XXXXXX) || exit 1
export XEN_RAMDISK_DIR
trap 'rm -rf "$tmp" "$XEN_RAMDISK_DIR"' EXIT
out=$tmp/out
failed=0

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok library: $1"
		return
	fi
	echo "not ok library: $1"
	sed 's/^/    /' "$out"
	failed=1
}

build-aux/library-manual --functions include/ramdisk.h >"$tmp/header"
[ "$(wc -l <"$tmp/header")" -gt 40 ]
ok "ramdisk.h has functions" $?
nm -D --defined-only "$B/libramdisk.so.0" >"$tmp/nm"
awk '$2 == "T" {print $3}' "$tmp/nm" | sort | sed 's/@@LIBRAMDISK_0$//' >"$tmp/symbols"
diff "$tmp/header" "$tmp/symbols" >"$out"
ok "the library's symbols are the functions of ramdisk.h, of version LIBRAMDISK_0" $?
awk '$2 != "T" && $3 !~ /^LIBRAMDISK_0/' "$tmp/nm" >"$out"
[ ! -s "$out" ]
ok "nothing else is visible" $?
sed -n 's/^ \(rd_[a-z_]*\)@LIBRAMDISK_0 .*/\1/p' debian/libramdisk0.symbols >"$tmp/released"
[ -s "$tmp/released" ] && diff "$tmp/released" "$tmp/symbols" >"$out"
ok "debian/libramdisk0.symbols has them: none has gone" $?
readelf -d "$B/libramdisk.so.0" >"$out"
grep -q 'SONAME.*\[libramdisk.so.0\]' "$out"
ok "the soname" $?

build-aux/library-manual include/ramdisk.h | diff -u docs/libramdisk.3 - >"$out"
ok "libramdisk(3) is that of ramdisk.h (after a change: make library-manual)" $?
while read -r f; do
	grep -q "$f(" docs/libramdisk.3 || echo "$f is missing"
done <"$tmp/header" >"$out"
[ ! -s "$out" ]
ok "libramdisk(3) has every function" $?

# ---- a program of others ----------------------------------------------------

export PKG_CONFIG_PATH=$tmp/usr/lib/pkgconfig
make -s install-dev B="$B" PREFIX="$tmp/usr" >"$out" 2>&1
ok "make install-dev" $?
(cd "$tmp/usr/share/man/man3" && ls rd_*) | sed 's/\.3$//' | sort | diff "$tmp/header" - >"$out"
ok "each function has a page, and nothing else" $?
pkg-config --modversion libramdisk >"$out" 2>&1 &&
	grep -qx "$(sed -n 's/^#define RD_VERSION "\(.*\)"/\1/p' include/ramdisk.h)" "$out"
ok "pkg-config has the version" $?
cp docs/examples/attach.c "$tmp"
# shellcheck disable=SC2046 # words
(cd "$tmp" && ${CC:-cc} -Wall -Wextra -Werror -o attach attach.c $(pkg-config --cflags --libs libramdisk)) >"$out" 2>&1
ok "the example is built with pkg-config" $?
readelf -d "$tmp/attach" >"$out" 2>&1
grep -q 'NEEDED.*\[libramdisk.so.0\]' "$out"
ok "it needs the library by its soname" $?
truncate -s 1M "$tmp/seed.img"
LD_LIBRARY_PATH=$tmp/usr/lib "$tmp/attach" "$tmp/seed.img" >"$out" 2>&1 &&
	grep -qx '1048576 bytes: written by the example' "$out"
ok "it attaches, writes and reads" $?
ls -A "$XEN_RAMDISK_DIR" >"$out"
[ ! -s "$out" ]
ok "its detach discards the disk" $?
LD_LIBRARY_PATH=$tmp/usr/lib "$tmp/attach" "$tmp/none" >"$out" 2>&1
[ $? = 1 ] && grep -q "cannot open seed $tmp/none" "$out"
ok "it prints the library's reason" $?
# shellcheck disable=SC2046 # words
(cd "$tmp" && ${CC:-cc} -static-libgcc -o static attach.c $(pkg-config --cflags libramdisk) "usr/lib/libramdisk.a" \
	$(pkg-config --libs --static libramdisk)) >"$out" 2>&1 && "$tmp/static" "$tmp/seed.img" >"$out" 2>&1
ok "it is built with the static library, too" $?
exit $failed
