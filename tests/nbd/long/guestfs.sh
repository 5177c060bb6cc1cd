#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# libguestfs' tools on disks of `xm-ramdisk serve`: each starts a small machine
# of its own (in software here) with the disk in it. What one writes another
# reads, and the file system is sound afterwards.
. "$(dirname "$0")/../lib.bash"
export LIBGUESTFS_BACKEND=direct LIBGUESTFS_BACKEND_SETTINGS=force_tcg

for p in guestfish virt-df virt-filesystems mkfs.ext4; do
	command -v $p >/dev/null || {
		echo "not ok $suite: missing program $p; build-aux/packages --install long, as root"
		exit 1
	}
done
mkdir "$seeds/tree"
echo 'from the seed' >"$seeds/tree/hello"
truncate -s 64M "$seeds/fs.img"
mkfs.ext4 -q -d "$seeds/tree" "$seeds/fs.img"
before=$(sha256sum <"$seeds/fs.img")
spawn xm-ramdisk serve --socket="$seeds/s.sock" "$seeds/fs.img"
wait_for 20 test -S "$seeds/s.sock"
ok "a disk is served" $?
uri="nbd:///fs.img?socket=$seeds/s.sock"
fish() { # COMMAND...
	guestfish --format=raw -a "$uri" -m /dev/sda "$@"
}

says "virt-filesystems finds the file system" 0 '^/dev/sda$' virt-filesystems --format=raw -a "$uri"
says "virt-df reads it" 0 '/dev/sda +[0-9]' virt-df --format=raw -a "$uri"
says "guestfish reads what the seed had" 0 '^from the seed$' fish cat /hello
does "guestfish writes" fish write /written 'by one machine'
says "another one reads it" 0 '^by one machine' fish cat /written
does "fstrim" fish fstrim /
does "the disk is copied" nbdcopy "nbd+unix:///fs.img?socket=$seeds/s.sock" "$seeds/copy.img"
does "its file system is sound" e2fsck -fn "$seeds/copy.img"
[ "$before" = "$(sha256sum <"$seeds/fs.img")" ]
ok "the seed is as it was" $?
end "${spawned[0]}"
says "nothing is left" 0 'no RAM disks' xm-ramdisk list

spawn xm-ramdisk serve --private --socket="$seeds/p.sock" "$seeds/fs.img"
wait_for 20 test -S "$seeds/p.sock"
uri="nbd:///fs.img?socket=$seeds/p.sock"
does "guestfish writes to a view of its own" fish write /written 'for me alone'
says "which the next one does not see" 1 'No such file' fish cat /written
finish
