# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# RAM disks, for scenarios:
#
#   uuid FILE               the UUID of an ext file system, in Domain-0
#   guest_uuid NAME FILE    the same in a guest
#   count SEED              how many attachments the disk of SEED has; 0 if there is no disk
#   count_is SEED N         waits until the disk of SEED has N attachments
#   no_disks                true if there is no RAM disk
#   device_behind KIND DOMID DEVID   what a disk line goes through: the path of the
#                           kernel's block device, or xen-ramdiskd
#   no_kernel_devices       true if no loop or nbd device uses a disk of ours, and no nbdkit runs
#   worker_of DOMID VDEV    the process id of the device's worker
#   daemon_pid              the process id of xen-ramdiskd
#   refused STATUS REGEX COMMAND...   COMMAND ends with STATUS and prints one line, which
#                           is "xm-ramdisk: " and then matches REGEX (grep -E) as a whole
#   no_nodes DOMID DEVID    true if neither backend nor frontend nodes of the device are there
#   background FILE COMMAND...   starts COMMAND, with its output in FILE; its process id is $!
#   ended STATUS REGEX FILE PID   waits for such a process; then as refused

uuid() { # FILE
	dumpe2fs -h "$1" 2>/dev/null | awk '/^Filesystem UUID/ {print $3}'
}

guest_uuid() { # NAME FILE
	guest_run "$1" "dumpe2fs -h $2 2>/dev/null" | awk '/^Filesystem UUID/ {print $3}'
}

count() { # SEED
	xm-ramdisk list --json | awk -v seed="$1" '
		$1 == "\"seed\":" { here = index($0, "\"" seed "\"") }
		$1 == "\"label\":" && here { n++ }
		END { print n + 0 }'
}

count_now() { # SEED N
	[ "$(count "$1")" = "$2" ]
}

count_is() { # SEED N
	wait_for 120 count_now "$1" "$2" && return
	xm-ramdisk list
	return 1
}

no_disks() {
	[ "$(xm-ramdisk list)" = 'no RAM disks' ]
}

device_behind() { # KIND DOMID DEVID
	local back=/local/domain/0/backend/$1/$2/$3
	if xenstore-exists "$back/ramdisk/attached" && ! xenstore-exists "$back/physical-device-path"; then
		echo xen-ramdiskd
	else
		xenstore-read "$back/physical-device-path"
	fi
}

no_kernel_devices() {
	! cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep xen-ramdisk &&
		! grep -H . /sys/block/nbd*/pid 2>/dev/null && ! pgrep -a nbdkit
}

worker_of() { # DOMID VDEV
	xm-ramdisk list --json | awk -v domid="$1," -v vdev="\"$2\"," '
		$1 == "\"domid\":" { d = $2 }
		$1 == "\"vdev\":" { v = $2 }
		$1 == "\"pid\":" && d == domid && v == vdev { print $2 + 0; exit }'
}

daemon_pid() {
	[ -e /run/xen-ramdisk/xen-ramdiskd.pid ] || return
	cut -d ' ' -f 1 /run/xen-ramdisk/xen-ramdiskd.pid
}

vm_one_line() { # STATUS WANTED REGEX FILE
	cat "$4"
	if [ "$1" != "$2" ]; then
		echo "status $1 instead of $2"
		return 1
	fi
	[ "$(wc -l <"$4")" = 1 ] && grep -qxE -e "xm-ramdisk: $3" "$4" && return
	echo "expected one line: $3"
	return 1
}

refused() { # STATUS REGEX COMMAND...
	local want=$1 regex=$2
	shift 2
	"$@" >/run/vm/refused 2>&1
	vm_one_line $? "$want" "$regex" /run/vm/refused
}

no_nodes() { # DOMID DEVID
	local path
	for path in "/local/domain/0/backend/ramdisk/$1/$2" "/local/domain/$1/device/vbd/$2"; do
		if xenstore-exists "$path"; then
			xenstore-ls -f "$path"
			return 1
		fi
	done
}

background() { # FILE COMMAND...
	local file=$1
	shift
	"$@" >"$file" 2>&1 </dev/null &
}

ended() { # STATUS REGEX FILE PID
	wait "$4"
	vm_one_line $? "$1" "$2" "$3"
}
