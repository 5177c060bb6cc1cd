# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# fio in guests, for benchmarks that compare their disks; a benchmark sources
# it. A cell is OPERATION:SIZE:DEPTH, such as randread:4k:32.
#
#   fio_brd N            /images/seed of $mib MiB, and N RAM disks of the kernel's (brd)
#                        with the same contents
#   fio_guest GUEST VCPUS BRD QDISK  a guest with that on three backends that keep
#                        their bytes in Domain-0's memory: xvdb is ours, xvdc xen-blkback's on
#                        /dev/ramBRD, xvdd QEMU's on /dev/ramQDISK
#   fio_cells GUEST DEVICES LABEL JOBS CELL...  runs each cell for $seconds s over the
#                        first $mib MiB of each of the devices, one device behind the
#                        other; prints a line "DEVICE CELL+LABEL KiB/s" for each
#   fio_both GUEST GUEST DEVICES LABEL CELL...  the same in two guests at once: what
#                        both moved together in $seconds s, counted from when both
#                        have been busy for a while; they have $lead s (5) to get there
#   fio_turn ROUND DEVICE...      the devices, each round beginning with another
#   fio_table FILE NAME=DEVICE... such lines of all rounds as a table: a median and its
#                        spread for each, and what the rounds say of the first one's
#                        ratio to each other one: median and middle half

fio_brd() { # N
	local n
	# shellcheck disable=SC2154 # the benchmark sets it
	modprobe brd rd_nr="$1" rd_size=$((mib * 1024)) &&
		dd if=/dev/urandom of=/images/seed bs=1M count="$mib" status=none || return
	for ((n = 0; n < $1; n++)); do
		dd if=/images/seed of="/dev/ram$n" bs=1M status=none || return
	done
}

# A QEMU backend cannot be attached to a guest that was created without one. It
# reads a key map even without a screen, and any will do.
fio_guest() { # NAME VCPUS BRD QDISK
	mkdir -p /usr/share/qemu/keymaps && : >/usr/share/qemu/keymaps/en-us
	guest_start "$1" fio "vcpus=$2" \
		"disk=[\"phy:/dev/ram$3,xvdc,w\", \"format=raw,vdev=xvdd,access=rw,backendtype=qdisk,target=/dev/ram$4\"]" &&
		cp /images/seed "/images/seed-$1" && xm-ramdisk attach "$1" "/images/seed-$1" xvdb &&
		guest_run "$1" 'cmp /dev/xvdb /dev/xvdc && cmp /dev/xvdb /dev/xvdd'
}

# What every load has, as text for a guest's shell.
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
	# shellcheck disable=SC2016,SC2154 # run's own; the benchmark sets seconds
	guest_run "$guest" "run() {
		fio $(fio_options '$1' '$2' '$3' '$4' "$seconds") --numjobs=$jobs \
			--group_reporting --minimal --terse-version=3 >/tmp/fio || exit
		awk -F ';' -v OFS=' ' -v d=\"\$1\" -v c=\"\$2:\$3:\$4$label\" '{print d, c, \$7 + \$48}' /tmp/fio
	}
	$script"
}

fio_both() { # GUEST GUEST DEVICES LABEL CELL...
	local one=$1 other=$2 devices=$3 label=$4 cell device guest rw bs depth at pids
	shift 4
	for cell in "$@"; do
		IFS=: read -r rw bs depth <<<"$cell"
		for device in $devices; do
			at=$(($(date +%s) + ${lead:-5})) pids=()
			for guest in "$one" "$other"; do
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
				pids+=($!)
			done
			wait "${pids[0]}" && wait "${pids[1]}" || return
			awk -v d="$device" -v c="$cell$label" '$1 < 1 {exit 1} {n++; sum += $1}
				END {if (n != 2) exit 1; printf "%s %s %d\n", d, c, sum}' \
				"/run/vm/fio-$one" "/run/vm/fio-$other" || return
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
	awk -v names="$*" '
		{ if (!($2 in seen)) { seen[$2] = 1; order[++cells] = $2 }
		  v[$2, $1, ++n[$2, $1]] = $3 }
		function sort(m, i, j, t) {
			for (i = 2; i <= m; i++) {
				t = a[i]
				for (j = i - 1; j > 0 && a[j] > t; j--) a[j + 1] = a[j]
				a[j + 1] = t
			}
			return m
		}
		function values(c, d, i) {
			for (i = 1; i <= n[c, d]; i++) a[i] = v[c, d, i]
			return sort(n[c, d])
		}
		function ratios(c, d, e, i, m) {
			m = 0
			for (i = 1; i <= n[c, d]; i++) if (v[c, e, i]) a[++m] = v[c, d, i] / v[c, e, i]
			return sort(m)
		}
		END {
			all = split(names, name, " ")
			printf "%-10s %4s %5s %-6s", "operation", "size", "depth", "guest"
			for (k = 1; k <= all; k++) {
				split(name[k], w, "=")
				name[k] = w[1]
				device[k] = w[2]
				printf " %8s %17s", w[1], "min-max KiB/s"
			}
			for (k = 2; k <= all; k++) printf " %8s %11s", "/" name[k], "middle half"
			print ""
			for (i = 1; i <= cells; i++) {
				c = order[i]; split(c, w, ":")
				printf "%-10s %4s %5s %-6s", w[1], w[2], w[3], w[4]
				for (k = 1; k <= all; k++) {
					m = values(c, device[k])
					printf " %8d %17s", a[int((m + 1) / 2)], a[1] "-" a[m]
				}
				for (k = 2; k <= all; k++) {
					m = ratios(c, device[1], device[k]); q = int((m + 3) / 4)
					printf " %8.2f   %.2f-%.2f", a[int((m + 1) / 2)], a[q], a[m + 1 - q]
				}
				print ""
			}
		}' "$file"
}
