# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# fio in guests, for benchmarks that compare the disks of a guest; a benchmark
# sources this file. A cell is OPERATION:SIZE:DEPTH, such as randread:4k:32.
#
#   fio_brd N            makes /images/seed of $mib MiB, and N RAM disks of the kernel
#                        (brd) with the same contents
#   fio_guest GUEST VCPUS BRD QDISK   starts a guest with disks on $backends, which
#                        keep their bytes in the memory of Domain-0: xvdb on
#                        xen-ramdiskd, xvdc on xen-blkback over /dev/ramBRD, xvdd on
#                        QEMU over /dev/ramQDISK
#   fio_cells GUEST DEVICES LABEL JOBS CELL...   runs each cell for $seconds s over the
#                        first $mib MiB of each device, one device after the other;
#                        prints a line "DEVICE CELL+LABEL KiB/s" for each
#   fio_together GUESTS DEVICES LABEL CELL...   runs the same in several guests at once and
#                        prints their sum. Measures $seconds s, beginning $lead s
#                        (5) after the start; again with three and nine times as long
#                        if a guest was not busy yet.
#   fio_turn ROUND DEVICE...   prints the devices; each round begins with another device
#   fio_table FILE NAME=DEVICE...   prints a table of such lines of all rounds: for each
#                        device the median, minimum and maximum; for the ratio of the
#                        first device to each other one the median and the middle half

# In the test bed and on the host the file is in the same folder.
. "${BASH_SOURCE%/*}/spread.sh"

# What is measured, and what a cell's label ends in. Debian's QEMU for arm64 is built without Xen:
# there is no qdisk there.
# shellcheck disable=SC2034 # the benchmarks read them
backends='xvdb xvdc xvdd' on=
# shellcheck disable=SC2034
[ "$(uname -m)" != aarch64 ] || backends='xvdb xvdc' on=-arm64

fio_brd() { # N
	local n
	# shellcheck disable=SC2154 # the benchmark sets mib
	modprobe brd rd_nr="$1" rd_size=$((mib * 1024)) &&
		dd if=/dev/urandom of=/images/seed bs=1M count="$mib" status=none || return
	for ((n = 0; n < $1; n++)); do
		dd if=/images/seed of="/dev/ram$n" bs=1M status=none || return
	done
}

# A disk with a QEMU backend cannot be attached to a guest that was created without
# one. QEMU opens its key map even without a screen; an empty file is enough.
fio_guest() { # NAME VCPUS BRD QDISK
	local disks="\"phy:/dev/ram$3,xvdc,w\""
	[[ $backends != *xvdd* ]] || disks+=", \"format=raw,vdev=xvdd,access=rw,backendtype=qdisk,target=/dev/ram$4\""
	mkdir -p /usr/share/qemu/keymaps && : >/usr/share/qemu/keymaps/en-us
	guest_start "$1" fio "vcpus=$2" "disk=[$disks]" &&
		cp /images/seed "/images/seed-$1" && xm-ramdisk attach "$1" "/images/seed-$1" xvdb &&
		guest_run "$1" "for disk in $backends; do cmp /dev/xvdb /dev/\$disk || exit; done"
}

# The options of every fio run, as text for a shell in the guest.
fio_options() { # DEVICE OPERATION SIZE DEPTH SECONDS
	# shellcheck disable=SC2154 # the benchmark sets mib
	echo "--name=b --filename=/dev/$1 --direct=1 --ioengine=libaio --rw=$2 --bs=$3" \
		"--iodepth=$4 --time_based --runtime=$5 --size=${mib}m --norandommap --randrepeat=0"
}

fio_cells() { # GUEST DEVICES LABEL JOBS CELL...
	local guest=$1 devices=$2 label=$3 jobs=$4 cell device rw bs depth script=''
	shift 4
	for cell in "$@"; do
		IFS=: read -r rw bs depth <<<"$cell"
		for device in $devices; do
			script+="run $device $rw $bs $depth"$'\n'
		done
	done
	# shellcheck disable=SC2016,SC2154 # $1 to $4 are those of run(); the benchmark sets seconds
	guest_run "$guest" "run() {
		fio $(fio_options '$1' '$2' '$3' '$4' "$seconds") --numjobs=$jobs \
			--group_reporting --minimal --terse-version=3 >/tmp/fio || exit
		awk -F ';' -v OFS=' ' -v d=\"\$1\" -v c=\"\$2:\$3:\$4$label\" '{print d, c, \$7 + \$48}' /tmp/fio
	}
	$script"
}

# One cell on one device, measured $1 s after its start. Status 2: a guest was not busy yet.
fio_together_once() { # LEAD GUESTS DEVICE CELL LABEL
	local guests=$2 device=$3 cell=$4 label=$5 guest rw bs depth at pid pids=() results=()
	IFS=: read -r rw bs depth <<<"$cell"
	at=$(($(date +%s) + $1))
	for guest in $guests; do
		guest_run "$guest" "sectors() { awk '\$3 == \"$device\" {print \$6 + \$10}' /proc/diskstats; }
			uptime() { awk '{print \$1}' /proc/uptime; }
			fio $(fio_options "$device" "$rw" "$bs" "$depth" 600) >/tmp/fio 2>&1 & fio=\$!
			until [ \$(date +%s) -ge $at ]; do sleep 0.1; done
			from=\$(sectors) since=\$(uptime)
			sleep $seconds
			to=\$(sectors) end=\$(uptime)
			kill \$fio || exit
			wait \$fio
			echo \$from \$since \$to \$end | awk '{print (\$3 - \$1) / 2 / (\$4 - \$2)}'" \
			>"/run/vm/fio-$guest" &
		pids+=($!) results+=("/run/vm/fio-$guest")
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || return 1
	done
	awk -v d="$device" -v c="$cell$label" -v guests="${#pids[@]}" '$1 < 1 {idle = 1} {n++; sum += $1}
		END {if (n != guests) exit 1; if (idle) exit 2; printf "%s %s %d\n", d, c, sum}' "${results[@]}"
}

fio_together() { # GUESTS DEVICES LABEL CELL...
	local guests=$1 devices=$2 label=$3 cell device times status
	shift 3
	for cell in "$@"; do
		for device in $devices; do
			# On a slow host a guest beside three busy ones takes longer to start fio.
			for times in 1 3 9; do
				fio_together_once $((times * ${lead:-5})) "$guests" "$device" "$cell" "$label"
				status=$?
				[ $status = 2 ] || break
			done
			[ $status = 0 ] || return 1
		done
	done
}

fio_turn() { # ROUND DEVICE...
	local round=$1
	shift
	printf '%s\n' "$@" | awk -v r="$round" '{v[NR] = $0}
		END {for (i = 0; i < NR; i++) print v[(i + r) % NR + 1]}'
}

fio_table() { # FILE NAME=DEVICE...
	local file=$1
	shift
	awk -v names="$*" "$spread_awk"'
		{ if (!($2 in seen)) { seen[$2] = 1; order[++cells] = $2 }
		  kib[$2, $1, n[$2, $1]++] = $3 }
		function spread_of(cell, dev,    i, a) {
			for (i = 0; i < n[cell, dev]; i++) a[i] = kib[cell, dev, i] + 0
			spread(a, n[cell, dev])
		}
		function spread_of_ratios(cell, dev, other,    i, m, a) {
			m = 0
			for (i = 0; i < n[cell, dev]; i++)
				if (kib[cell, other, i]) a[m++] = kib[cell, dev, i] / kib[cell, other, i]
			spread(a, m)
		}
		function print_head(    k) {
			printf "%-10s %4s %5s %-11s", "operation", "size", "depth", "guest"
			for (k = 1; k <= devices; k++) printf " %8s %17s", name[k], "min-max KiB/s"
			for (k = 2; k <= devices; k++) printf " %8s %11s", "/" name[k], "middle half"
			print ""
		}
		function print_cell(cell,    k, w) {
			split(cell, w, ":")
			printf "%-10s %4s %5s %-11s", w[1], w[2], w[3], w[4]
			for (k = 1; k <= devices; k++) {
				if (!n[cell, device[k]]) {
					printf " %8s %17s", "-", "-"
					continue
				}
				spread_of(cell, device[k])
				printf " %8d %17s", median, min "-" max
			}
			for (k = 2; k <= devices; k++) {
				if (!n[cell, device[k]]) {
					printf " %8s %11s", "-", "-"
					continue
				}
				spread_of_ratios(cell, device[1], device[k])
				printf " %8.2f   %.2f-%.2f", median, q1, q3
			}
			print ""
		}
		END {
			devices = split(names, name, " ")
			for (k = 1; k <= devices; k++) {
				split(name[k], w, "=")
				name[k] = w[1]
				device[k] = w[2]
			}
			print_head()
			for (i = 1; i <= cells; i++) print_cell(order[i])
		}' "$file"
}
