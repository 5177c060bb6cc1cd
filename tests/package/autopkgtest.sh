#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The tests in debian/tests, over the packages in $B/deb: in a mount namespace of its own
# /usr has their files as well, so nothing is installed here. Needs root, and make deb.
set -u
cd "$(dirname "$0")/../.." || exit 1
B=$(realpath "${B:-build}")
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok autopkgtest: $1"
		return
	fi
	echo "not ok autopkgtest: $1"
	sed 's/^/    /' "$tmp/out"
	failed=1
}

mkdir "$tmp/tree"
for p in xen-ramdisk xen-ramdisk-nbdkit libramdisk0 libramdisk-dev; do
	dpkg-deb -x "$B"/deb/"$p"_[0-9]*.deb "$tmp/tree"
done >"$tmp/out" 2>&1
[ -x "$tmp/tree/usr/bin/xm-ramdisk" ] && [ -x "$tmp/tree/usr/sbin/xen-ramdiskd" ]
ok "the packages are built (make deb)" $?
for p in "$B"/deb/*.deb; do
	dpkg-deb -f "$p" Package
done | grep -v -- -dbgsym | sort >"$tmp/out"
[ "$(tr '\n' ' ' <"$tmp/out")" = "libramdisk-dev libramdisk0 xen-ramdisk xen-ramdisk-doc xen-ramdisk-nbdkit " ]
ok "all packages are there" $?
while read -r t; do
	unshare -m sh -c 'mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr && exec "$2"' sh "$tmp/tree" "debian/tests/$t" \
		>"$tmp/out" 2>&1 </dev/null
	ok "debian/tests/$t" $?
done < <(sed -n 's/^Tests: //p' debian/tests/control)
exit $failed
