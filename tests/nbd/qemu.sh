#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Virtual machines without Xen: QEMU boots a small Linux twice, in software, at
# once, each with the same two disks of `xm-ramdisk serve` behind virtio. The
# guests (qemu.init) check the second disk, write to the first, wait for what
# the other guest writes there, and print the results on their consoles. In the
# end the bytes of the first disk are those that the guests should have written.
# Kernel, drivers and busybox are those of the test bed's images.
. "$(dirname "$0")/lib.bash"
limit=300 # seconds, of a machine that is busy with other things

for p in qemu-system-x86_64 cpio; do
	command -v $p >/dev/null || {
		echo "not ok $suite: missing program $p; build-aux/packages --install test, as root"
		exit 1
	}
done
images=$(tests/vm/images 2>"$out" | tail -n 1)
[ -e "$images/vmlinux" ] && [ -e "$images/initrd" ]
ok "a kernel and an initrd" $?
[ $failed = 0 ] || finish
# The kernel unpacks an archive that follows the initrd over it.
mkdir "$seeds/tree"
install -m 755 tests/nbd/qemu.init "$seeds/tree/init"
{
	cat "$images/initrd"
	(cd "$seeds/tree" && echo init | cpio -o -H newc -R 0:0 --quiet)
} >"$seeds/initrd"

head -c 8M /dev/urandom >"$seeds/shared.img"
head -c 5M /dev/urandom >"$seeds/read.img"
cp "$seeds/shared.img" "$seeds/shared.before"
cp "$seeds/read.img" "$seeds/read.before"
sum=$(sha256sum <"$seeds/read.img")
spawn xm-ramdisk serve --socket="$seeds/s.sock" "$seeds/shared.img" "$seeds/read.img"
server=${spawned[-1]}
log=$seeds/log.$((${#spawned[@]} - 1))
wait_for 20 grep -q nbdcopy "$log"
ok "two disks are served" $?
# The option as the server prints it, for its first disk.
printed=$(sed -n "s/^  qemu-system-x86_64 -drive \(.*\) \.\.\.$/\1/p" "$log" | tr -d "'")

boot() { # NUMBER: a guest in the background, until it has powered itself off
	spawn timeout -k 5 "$limit" qemu-system-x86_64 -accel tcg -m 256 -nodefaults \
		-no-reboot -display none -serial "file:$seeds/console.$1" \
		-kernel "$images/vmlinux" -initrd "$seeds/initrd" \
		-append "console=ttyS0 quiet panic=-1 guest=$1 sum=${sum%% *}" \
		-drive "$printed" -drive "${printed/shared.img/read.img}"
	guest[$1]=${spawned[-1]}
}
guest=()
boot 1
boot 2
for n in 1 2; do
	wait "${guest[n]}"
	status=$?
	cat "$seeds/console.$n" "$seeds"/log.* >"$out" 2>&1
	ok "guest $n ends by itself (status $status)" $status
	while read -r said; do
		grep -qF "guest $n: $said" "$seeds/console.$n"
		ok "guest $n: $said" $?
	done <<-'SAID'
		the disk for reading is its seed
		its own writes are there
		the other guest's writes are there
		all is well
	SAID
done

# What guest N should have written: a MiB at N MiB, and a page at page N.
for n in 1 2; do
	yes "guest $n was here" | head -c 1M |
		dd of="$seeds/shared.before" bs=1M seek=$n conv=notrunc iflag=fullblock status=none
	yes "guest $n is done" | head -c 4096 |
		dd of="$seeds/shared.before" bs=4096 seek=$n conv=notrunc iflag=fullblock status=none
done
shared="nbd+unix:///shared.img?socket=$seeds/s.sock"
does "the host reads what both wrote, and nothing else has changed" \
	sh -c "nbdcopy '$shared' - | cmp - '$seeds/shared.before'"
does "nor has the other disk" \
	sh -c "nbdcopy '${shared/shared.img/read.img}' - | cmp - '$seeds/read.before'"
differs() { # SEED LINES
	xm-ramdisk diff "$1" >"$out" 2>&1 && [ "$(cat "$out")" = "$2" ]
	ok "diff of $(basename "$1")" $?
}
differs "$seeds/shared.img" $'4096 8192\n1048576 2097152'
differs "$seeds/read.img" ''
end "$server"
head -c 8M "$seeds/shared.img" | cmp -s - "$seeds/shared.before"
[ $? = 1 ] && cmp "$seeds/read.img" "$seeds/read.before" >"$out" 2>&1
ok "the seeds' files are as they were" $?
does "no disk is left" sh -c "[ -z \"\$(ls -A '$XEN_RAMDISK_DIR')\" ]"
finish
