#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The packages are built in a new chroot of Debian 12 that has the packages of
# Build-Depends and nothing else: one that is missing there fails the build. Needs root,
# mmdebstrap, and this machine's mirror of Debian.
set -u
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf --one-file-system "$tmp"' EXIT

end() { # STATUS NAME
	if [ "$1" = 0 ]; then
		echo "ok clean-build: $2"
		return
	fi
	echo "not ok clean-build: $2"
	tail -n 30 "$tmp/out" | sed 's/^/    /'
	exit 1
}

# Build-Depends as a list for apt: debhelper-compat is a name of debhelper.
needed=$(sed -n '/^Build-Depends:/,/^[A-Z]/p' debian/control | sed '1s/^Build-Depends://; /^[A-Z]/d; s/([^)]*)//g' | tr -d ' \n' |
	sed 's/debhelper-compat/debhelper/; s/,$//')
mmdebstrap --variant=buildd --include="$needed" bookworm "$tmp/root" >"$tmp/out" 2>&1
end $? "a chroot with $needed"
mkdir "$tmp/root/build" && tar -c --exclude=./build --exclude=./.git . | tar -x -C "$tmp/root/build" --one-top-level=tree
chroot "$tmp/root" sh -c 'cd /build/tree && exec env PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root dpkg-buildpackage -b -us -uc' \
	>"$tmp/out" 2>&1
end $? "dpkg-buildpackage, with Build-Depends checked"
for p in xen-ramdisk xen-ramdisk-nbdkit xen-ramdisk-doc libramdisk0 libramdisk-dev; do
	ls "$tmp/root/build/$p"_[0-9]*.deb
done >"$tmp/out" 2>&1
end $? "all packages are there"
