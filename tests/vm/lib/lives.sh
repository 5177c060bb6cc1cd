# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# A disk through the life of its domain: for scenarios that save, restore and restart
# guests. Such a scenario sources this file and sets
#
#   file   where xl save puts a guest
#   xvdb   the number of the guests' device, 51728
#
#   attach ARGUMENT...       xm-ramdisk attach, with a time limit
#   write_on NAME BASE       starts a writer in the guest: it writes numbered blocks into
#                            64 blocks of /dev/xvdb from BASE on, and reads them back
#   at_work NAME             waits until the writer has written more; false if it read wrong
#   read_back NAME BLOCK     prints a block's text
#   put_block NAME BLOCK TEXT   writes it
#   listed REGEX             xm-ramdisk list has such a line
#   uuid_of NAME             the UUID of a domain
#   another_domain NAME OLD  true if a domain of that name runs and its number is not OLD
#   kill_it worker|supervisor|both DOMID   SIGKILL
#   restart_daemon           starts xen-ramdiskd, if it does not run
#   killed_save, killed_restore worker|supervisor|both NAME   xl save or restore, with a kill in it
#   no_records               true if the store has no record of a saved attachment

# shellcheck disable=SC2154 # the scenario sets file and xvdb

attach() { xm-ramdisk attach --timeout=120 "$@"; }

# Writes numbered blocks from BASE on, and reads back the block of now and an older one. Without
# the disk, dd would make a file of its name in /dev.
# shellcheck disable=SC2016 # for the guest
verify='put() { printf "%-4096s" "$n" | dd of=/dev/xvdb bs=4096 seek=$((BASE + n % 64)) oflag=direct iflag=fullblock conv=nocreat status=none; }
is() { [ "$(dd if=/dev/xvdb bs=4096 skip=$((BASE + $1 % 64)) count=1 iflag=direct status=none | tr -d " ")" = "$1" ] || echo "no $1 at $n" >/tmp/bad; }
n=0; while ! [ -e /tmp/stop ] && ! [ -e /tmp/bad ]; do n=$((n + 1)); put || echo "write $n" >/tmp/bad; is $n
	[ $n -le 40 ] || is $((n - 40)); echo $n >/tmp/n.new; mv /tmp/n.new /tmp/n; done'

# A command of guest_run ends with the domain's number: the writer runs on its own.
write_on() { # NAME BASE
	guest_run "$1" "cat >/tmp/verify <<'X'
${verify//BASE/$2}
X
setsid bash /tmp/verify >/dev/null 2>/tmp/err </dev/null & sleep 1"
}

# The writer has written something since, and nothing was wrong.
# shellcheck disable=SC2016 # for the guest
at_work() { # NAME
	guest_run "$1" 'a=$(cat /tmp/n); for i in $(seq 300); do [ "$(cat /tmp/n)" -gt "$((a + 1))" ] && break; sleep 0.1; done
		cat /tmp/bad /tmp/err 2>/dev/null; ! [ -e /tmp/bad ] && [ "$(cat /tmp/n)" -gt "$a" ]'
}

listed() { # REGEX
	xm-ramdisk list | tee /run/vm/list | grep -E "$1" || { cat /run/vm/list; return 1; }
}

uuid_of() { # NAME
	xl list -v "$1" | awk 'NR == 2 {print $7}'
}

another_domain() { # NAME OLD
	local now
	now=$(guest_domid "$1") && [ -n "$now" ] && [ "$now" != "$2" ]
}

restart_daemon() {
	kill -0 "$(daemon_pid)" 2>/dev/null || xen-ramdiskd
}

not_there() { # PID
	! kill -0 "$1" 2>/dev/null
}

kill_it() { # worker|supervisor|both DOMID
	local pids=() pid
	[ "$1" = supervisor ] || pids+=("$(worker_of "$2" xvdb)")
	[ "$1" = worker ] || pids+=("$(daemon_pid)")
	kill -KILL "${pids[@]}"
	for pid in "${pids[@]}"; do
		wait_for 60 not_there "$pid" || return
	done
}

node_is_there() { # DOMID
	xenstore-exists "/local/domain/0/backend/ramdisk/$1/$xvdb/state"
}

# xl save, and a kill in the middle of it.
killed_save() { # worker|supervisor|both NAME
	local id save
	id=$(guest_domid "$2")
	xl save "$2" "$file" &
	save=$!
	sleep "0.$((RANDOM % 9 + 1))"
	kill_it "$1" "$id"
	restart_daemon
	wait $save
}

# xl restore, and a kill once the nodes are there.
killed_restore() { # worker|supervisor|both NAME
	local id restore
	xl restore "$file" &
	restore=$!
	wait_for 60 another_domain "$2" none || return
	id=$(guest_domid "$2")
	wait_for 60 node_is_there "$id" || return
	sleep "0.$((RANDOM % 9 + 1))"
	kill_it "$1" "$id"
	restart_daemon
	wait $restore
}

read_back() { # NAME BLOCK
	guest_run "$1" "dd if=/dev/xvdb bs=4096 skip=$2 count=1 iflag=direct status=none | tr -d ' '; [ \${PIPESTATUS[0]} = 0 ]"
}

put_block() { # NAME BLOCK TEXT
	guest_run "$1" "printf '%-4096s' $3 | dd of=/dev/xvdb bs=4096 seek=$2 oflag=direct iflag=fullblock conv=nocreat status=none"
}

no_records() {
	[ -z "$(find /run/xen-ramdisk -name 'saved-*' -print)" ]
}
