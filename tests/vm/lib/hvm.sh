# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# HVM guests, which boot from a disk through their firmware and the disk that QEMU in
# Domain-0 emulates. A scenario sources this file.
#
#   hvm_disk FILE [linux]       makes a disk with GRUB, for SeaBIOS and for OVMF. GRUB writes
#                               booted_by=pc or booted_by=efi into its environment block, on the
#                               disk, says so on the serial line, and halts; with "linux" it
#                               starts Linux with the guests' image, which is then used
#                               with guest_wait and guest_run. The last MiB is free
#   hvm_create NAME [LINE...]   creates a guest; LINE is one of xl.cfg, such as 'disk=[...]'
#   hvm_serial NAME             what the guest wrote to its serial line
#   hvm_arguments LINE...       the arguments that libxl has for QEMU, one a line; a
#                               guest with LINE is created for it, and does not start
#
# A sector that the BIOS reads from an IDE disk costs several exits to QEMU. With hdtype="ahci" one
# command reads up to 64 KiB, and a kernel is there in a minute or two. Linux on an emulated
# serial line takes many times as long as on hvc0.

vm_hvm_qemu=/usr/libexec/xen-qemu-system-i386
vm_hvm_part=24 # MiB, of the partition

# shellcheck disable=SC2016 # for GRUB
vm_grub_config() { # [linux]
	printf '%s\n' 'serial --unit=0' 'terminal_output serial' 'load_env' \
		'set booted_by=$grub_platform' 'save_env booted_by' 'echo "GRUB of $grub_platform: written"'
	if [ "${1-}" = linux ]; then
		printf '%s\n' 'linux /vmlinuz console=hvc0 loglevel=4 panic=1 mitigations=off rdinit=/init' \
			'initrd /initrd' 'echo "GRUB of $grub_platform: starts Linux"' 'boot'
	else
		printf '%s\n' 'sleep 1' 'halt'
	fi
}

# shellcheck disable=SC2016 # for GRUB
vm_grub_files() { # FOLDER [linux]
	local tree=$1/tree modules='part_msdos fat search_fs_file normal configfile loadenv echo sleep halt serial terminal test linux'
	printf '%s\n' 'search.file /boot/grub/grub.cfg root' 'set prefix=($root)/boot/grub' \
		'configfile $prefix/grub.cfg' >"$1/early" || return
	mkdir -p "$tree/boot/grub" "$tree/EFI/BOOT" || return
	# shellcheck disable=SC2086 # a list of words
	grub-mkimage -O i386-pc -c "$1/early" -p /boot/grub -o "$1/core.img" biosdisk $modules &&
		grub-mkimage -O x86_64-efi -c "$1/early" -p /boot/grub -o "$tree/EFI/BOOT/BOOTX64.EFI" $modules &&
		vm_grub_config "${2-}" >"$tree/boot/grub/grub.cfg" && grub-editenv "$tree/boot/grub/grubenv" create || return
	[ "${2-}" != linux ] || { cp /boot/guest-vmlinuz "$tree/vmlinuz" && gzip </boot/guest.cpio >"$tree/initrd"; }
}

# A partition of type 0x0e and 24 MiB (49152 sectors), from 1 MiB on; GRUB's first part is
# between table and partition, and 1 MiB behind it is free.
vm_grub_image() { # FOLDER FILE
	truncate -s $((vm_hvm_part + 2))M "$2" && dd if=/usr/lib/grub/i386-pc/boot.img of="$2" bs=440 count=1 conv=notrunc status=none &&
		dd if="$1/core.img" of="$2" bs=512 seek=1 conv=notrunc status=none &&
		dd if="$1/part" of="$2" bs=1M seek=1 conv=notrunc status=none &&
		printf '\200\0\0\0\016\0\0\0\0\010\0\0\0\300\0\0' | dd of="$2" bs=1 seek=446 conv=notrunc status=none &&
		printf '\125\252' | dd of="$2" bs=1 seek=510 conv=notrunc status=none
}

hvm_disk() { # FILE [linux]
	local dir=/run/vm/grub
	rm -rf "$1" $dir && mkdir -p $dir/mnt && vm_grub_files $dir "${2-}" || return
	modprobe vfat && modprobe nls_cp437 && modprobe nls_ascii && modprobe loop &&
		truncate -s ${vm_hvm_part}M $dir/part && mkfs.vfat $dir/part && mount -o loop $dir/part $dir/mnt &&
		cp -r $dir/tree/. $dir/mnt/ && umount $dir/mnt && vm_grub_image $dir "$1"
}

# libxl gives a hotplug script 40 seconds, which a loaded host can use up: tried three times.
hvm_create() { # NAME [LINE...]
	local name=$1 try status
	shift
	printf '%s\n' "name=\"$name\"" 'type="hvm"' 'memory=600' 'tsc_mode="native"' 'device_model_version="qemu-xen"' \
		'vga="none"' 'vnc=0' 'nographic=1' 'usb=0' "serial=\"file:/share/guests/serial-$name.log\"" \
		'on_crash="preserve"' 'on_reboot="destroy"' "$@" >"/run/vm/$name.cfg"
	for try in 1 2 3; do
		vm_xl_create "$name"
		status=$?
		grep -q 'because of timeout' "/run/vm/$name.create" || break
		echo "# guest $name, try $try: the hotplug script had no time" >&2
	done
	return $status
}

hvm_serial() { # NAME
	tr -cd '\11\12\40-\176' <"/share/guests/serial-$1.log"
}

# shellcheck disable=SC2016 # for the script
# libxl asks QEMU for its options first: only the call that would start the guest is answered here.
vm_recorder() {
	printf '%s\n' '#!/bin/sh' 'case "$*" in' '*-xen-domid*) printf "%s\n" "$@" >/run/vm/qemu-arguments; exit 1 ;;' \
		'esac' "exec $vm_hvm_qemu \"\$@\"" >/run/vm/recorder && chmod 755 /run/vm/recorder
}

hvm_arguments() { # LINE...
	rm -f /run/vm/qemu-arguments
	vm_recorder && hvm_create asked "$@" 'device_model_override="/run/vm/recorder"' >/run/vm/asked.err 2>&1
	cat /run/vm/qemu-arguments 2>/dev/null || { cat /run/vm/asked.err; return 1; }
}
