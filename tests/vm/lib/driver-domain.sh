# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# The driver domain "storage", for scenarios in which a guest serves disks to others:
#
#   archive FILE WHAT...   makes an archive for guest_create's with=FILE: of programs, with
#                          the libraries that they need; and of files and folders, by path
#   there COMMAND          runs a command in the driver domain
#   start_daemon           starts xen-ramdiskd there; its log is /root/log
#   is_in SEED N           the driver domain has a disk of the seed, attached N times
#   not_in_xenstore PATH   there is no such node

# /lib is a symbolic link, which a folder of the archive would replace in the guest.
vm_into() { # TREE PATH
	local path
	path=$(realpath "${2%/*}")/${2##*/}
	mkdir -p "$1${path%/*}" && cp -rL "$path" "$1$path"
}

archive() { # FILE WHAT...
	local file=$1 tree=/run/vm/tree what program path
	shift
	rm -rf $tree && mkdir -p $tree || return
	# The C library loads it when libxenstore cancels the thread that reads watches.
	for path in /usr/lib/*-linux-gnu/libgcc_s.so.1; do
		vm_into $tree "$path" || return
	done
	for what in "$@"; do
		case $what in
		/*) vm_into $tree "$what" || return ;;
		*)
			program=$(command -v "$what") && vm_into $tree "$program" || return
			for path in $(LD_TRACE_LOADED_OBJECTS=1 "$program" | grep -o '/[^ ]*'); do
				vm_into $tree "$path" || return
			done ;;
		esac
	done
	(cd $tree && find . | busybox cpio -o -H newc 2>/dev/null) >"$file"
}

there() { # COMMAND
	guest_run storage "$1"
}

# It has told of itself when the last of its nodes is there.
# shellcheck disable=SC2016 # for the driver domain
start_daemon() {
	there 'setsid xen-ramdiskd --foreground >>/root/log 2>&1 </dev/null &
		for i in $(seq 300); do xenstore-exists data/xen-ramdiskd-$!/store && exit; sleep 0.2; done; cat /root/log; exit 1'
}

is_in() { # SEED N
	there "xm-ramdisk list" | tee /run/vm/there | grep -q "^$1: .*attached $2 time" || { cat /run/vm/there; return 1; }
}

not_in_xenstore() { # PATH
	! xenstore-exists "$1"
}
