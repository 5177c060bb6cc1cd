#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# contrib/alpine/APKBUILD, without Alpine: it has the variables and functions that abuild asks for, and its
# functions are run with stand-ins for abuild's own, on this tree's build: every file that
# make install installs is in one of the packages.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok alpine: $1"
		return
	fi
	echo "not ok alpine: $1"
	sed 's/^/    /' "$tmp/out"
	failed=1
}

file=contrib/alpine/APKBUILD
sh -n $file >"$tmp/out" 2>&1
ok "its syntax" $?
for v in pkgname pkgver pkgrel pkgdesc url arch license makedepends subpackages source; do
	sh -c '. "./$0" && eval "[ -n \"\$$1\" ]"' $file $v || echo "$v"
done >"$tmp/out" 2>&1
[ ! -s "$tmp/out" ]
ok "its variables" $?
sh -c ". ./$file"' && for f in build package $(for s in $subpackages; do case $s in *:*) echo "${s#*:}" ;; esac; done); do command -v "$f"; done | wc -l' >"$tmp/out" 2>&1
[ "$(cat "$tmp/out")" = 5 ]
ok "its functions" $?
sh -c ". ./$file"' && echo "$pkgver"' >"$tmp/out" 2>&1
[ "$(cat "$tmp/out")" = "$(sed -n 's/^#define RD_VERSION "\(.*\)"/\1/p' include/ramdisk.h)" ]
ok "the version is that of ramdisk.h" $?
! grep -qE '^(md5|sha256|sha512)sums' $file
ok "no sum is made up" $?

# abuild: pkgdir and subpkgdir, the flags, and amove, which moves paths of the one to the other.
cat >"$tmp/abuild" <<'END'
set -eu
. "$1/contrib/alpine/APKBUILD"
pkgdir=$2/$pkgname
cd "$1"
amove() {
	for p in "$@"; do
		mkdir -p "$subpkgdir/$(dirname "$p")"
		mv "$pkgdir/$p" "$subpkgdir/$p"
	done
}
build
package
for s in $subpackages; do
	case $s in
	*:*) subpkgdir=$2/${s%:*} && mkdir -p "$subpkgdir" && "${s#*:}" ;;
	esac
done
END
env -u INIT -u PREFIX -u MAKEFLAGS -u MFLAGS B="$B" CFLAGS="${CFLAGS--O2 -g}" LDFLAGS="${LDFLAGS-}" sh "$tmp/abuild" "$PWD" "$tmp/packages" >"$tmp/out" 2>&1
ok "build, package, and the subpackages' functions" $?
make -s install install-dev B="$B" INIT=openrc DESTDIR="$tmp/tree" PREFIX=/usr NBDKITDIR=/usr/lib/nbdkit/plugins >"$tmp/out" 2>&1
(cd "$tmp/tree" && find . ! -type d | grep -v '/systemd/' | sort) >"$tmp/want"
(cd "$tmp/packages" && find . -mindepth 2 ! -type d | grep -v /licenses/ | sed 's,^\./[^/]*,.,' | sort) >"$tmp/have"
[ "$(wc -l <"$tmp/want")" -gt 60 ] && diff "$tmp/want" "$tmp/have" >"$tmp/out"
ok "each file of make install is in one of them, but systemd's" $?
(cd "$tmp/packages" && ls libramdisk/usr/lib/libramdisk.so.0 libramdisk-dev/usr/include/ramdisk.h xen-ramdisk/usr/sbin/xen-ramdiskd \
	xen-ramdisk-nbdkit/usr/lib/nbdkit/plugins/nbdkit-ramdisk-plugin.so xen-ramdisk/usr/share/licenses/xen-ramdisk/LICENSE) >"$tmp/out" 2>&1
ok "each where it belongs" $?
exit $failed
