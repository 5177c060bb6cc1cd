# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# RAM disks, for scenarios:
#
#   uuid FILE               the UUID of an ext file system, in Domain-0
#   guest_uuid NAME FILE    the same in a guest
#   count SEED              how many attachments its disk has; 0 if there is none
#   count_is SEED N         waits until it has so many
#   worker_of DOMID VDEV    process of the backend's worker

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

worker_of() { # DOMID VDEV
	xm-ramdisk list --json | awk -v domid="$1," -v vdev="\"$2\"," '
		$1 == "\"domid\":" { d = $2 }
		$1 == "\"vdev\":" { v = $2 }
		$1 == "\"pid\":" && d == domid && v == vdev { print $2 + 0; exit }'
}
