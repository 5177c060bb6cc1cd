# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# fio in guests, for benchmarks that compare their disks; a benchmark sources
# it. A cell is OPERATION:SIZE:DEPTH, such as randread:4k:32.
#
#   fio_cells GUEST DEVICE LABEL JOBS CELL...   runs each for $seconds s over the
#                        first $mib MiB; prints a line "DEVICE CELL+LABEL KiB/s" for each
#   fio_turn ROUND DEVICE...      the devices, each round beginning with another
#   fio_table FILE NAME=DEVICE... such lines of all rounds as a table: a median and
#                        its spread for each, and the first one's ratio to the others'

fio_cells() { # GUEST DEVICE LABEL JOBS CELL...
	local guest=$1 device=$2 label=$3 jobs=$4 cell rw bs depth script=''
	shift 4
	for cell in "$@"; do
		IFS=: read -r rw bs depth <<<"$cell"
		script+="run $rw $bs $depth"$'\n'
	done
	# shellcheck disable=SC2154 # the benchmark sets seconds and mib
	guest_run "$guest" "run() {
		fio --name=b --filename=/dev/$device --direct=1 --ioengine=libaio --rw=\$1 --bs=\$2 \
			--iodepth=\$3 --time_based --runtime=$seconds --size=${mib}m --numjobs=$jobs \
			--group_reporting --norandommap --randrepeat=0 --minimal --terse-version=3 >/tmp/fio || exit
		awk -F ';' -v OFS=' ' -v c=\"\$1:\$2:\$3$label\" '{print \"$device\", c, \$7 + \$48}' /tmp/fio
	}
	$script"
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
	sort -k 2,2 -k 1,1 -k 3,3n "$file" | awk -v names="$*" '
		{ if (!($2 in seen)) { seen[$2] = 1; order[++cells] = $2 }
		  v[$2, $1, ++n[$2, $1]] = $3 }
		function median(c, d) { return v[c, d, int((n[c, d] + 1) / 2)] }
		function spread(c, d) { return v[c, d, 1] "-" v[c, d, n[c, d]] }
		END {
			all = split(names, name, " ")
			printf "%-10s %4s %5s %-6s", "operation", "size", "depth", "guest"
			for (k = 1; k <= all; k++) {
				split(name[k], w, "=")
				device[k] = w[2]
				printf " %8s %17s", w[1], "min-max KiB/s"
			}
			for (k = 2; k <= all; k++)
				printf " %8s", "/" substr(name[k], 1, index(name[k], "=") - 1)
			print ""
			for (i = 1; i <= cells; i++) {
				c = order[i]; split(c, w, ":")
				printf "%-10s %4s %5s %-6s", w[1], w[2], w[3], w[4]
				for (k = 1; k <= all; k++)
					printf " %8d %17s", median(c, device[k]), spread(c, device[k])
				for (k = 2; k <= all; k++)
					printf " %8.2f", median(c, device[1]) / median(c, device[k])
				print ""
			}
		}'
}
