# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# The functions that a scenario calls; sourced before the scenario, in Domain-0.
#
#   step TITLE                            prints a headline, with the seconds since the boot
#   check NAME COMMAND...                 ok if the command succeeds
#   check_output NAME REGEX COMMAND...    ok if it succeeds and its output matches (grep -E)
#   check_fails NAME REGEX COMMAND...     ok if it fails and its output matches
#   wait_for SECONDS COMMAND...           repeats COMMAND until it succeeds; fails after SECONDS,
#                                         which are only to end a hang
#   show COMMAND...                       runs COMMAND and prints its output indented
#   guide FILE [HEADING]                  runs the commands of the guide docs/FILE as they are written:
#                                         each block is a check, in a shell of its own in Domain-0
#                                         or in the guest that the block names, or in hostb's
#                                         Domain-0. HEADING: only those below it
#   guide_done FILE                       true if every block of it was run
#
# COMMAND may be a function and runs in this shell. A failed check prints the
# command's output, and the scenario goes on; with verbose=yes a passed check prints it too.
# The functions for guests are in guest.sh, those for RAM disks in disks.sh.

vm_failed=0 vm_passed=0 # read by scenario-main
verbose=${verbose-}
vm_out=/run/vm/check.$$

# shellcheck disable=SC1091 # there inside the test bed only
. /usr/lib/vm/guest.sh
# shellcheck disable=SC1091
. /usr/lib/vm/disks.sh

vm_seconds() { # SINCE, both in EPOCHREALTIME's form; tenths are enough
	local now=${EPOCHREALTIME/[.,]/} since=${1/[.,]/} t
	t=$(((now - since) / 100000))
	echo "$((t / 10)).$((t % 10))"
}

step() {
	echo "== $* ($(cut -d. -f1 /proc/uptime) s)"
}

vm_indent() {
	sed 's/^/    /' "$1"
}

vm_ok() { # NAME SINCE
	echo "ok $1 ($(vm_seconds "$2") s)"
	vm_passed=$((vm_passed + 1))
	if [ "$verbose" = yes ]; then
		vm_indent "$vm_out"
	else
		grep '^# ' "$vm_out"
	fi
	return 0
}

# After the emulator has lost a guest, a failed check proves nothing: end the
# scenario, which tests/vm/run then starts again. See vm_emulator_lost.
vm_end_if_lost() { # NAME
	local faults
	[ "$vm_failed" = 0 ] || return
	faults=$(vm_triple_faults; vm_triple_faults_there)
	[ -n "$faults" ] || return
	echo "$1: result unknown, the emulator lost a guest (${faults//$'\n'/ }: triple fault)"
	vm_indent "$vm_out"
	: >/run/vm/lost
	exit
}

vm_not_ok() { # NAME SINCE REASON
	vm_end_if_lost "$1"
	echo "not ok $1 ($(vm_seconds "$2") s): $3"
	vm_indent "$vm_out"
	# shellcheck disable=SC2034 # scenario-main reads it
	vm_failed=1
	return 1
}

check() {
	local name=$1 start=$EPOCHREALTIME status
	shift
	"$@" >"$vm_out" 2>&1 </dev/null
	status=$?
	if [ $status = 0 ]; then
		vm_ok "$name" "$start"
	else
		vm_not_ok "$name" "$start" "status $status from: $*"
	fi
}

check_output() {
	local name=$1 regex=$2 start=$EPOCHREALTIME status
	shift 2
	"$@" >"$vm_out" 2>&1 </dev/null
	status=$?
	if [ $status != 0 ]; then
		vm_not_ok "$name" "$start" "status $status from: $*"
	elif ! grep -qE -e "$regex" "$vm_out"; then
		vm_not_ok "$name" "$start" "no line matches '$regex' from: $*"
	else
		vm_ok "$name" "$start"
	fi
}

check_fails() {
	local name=$1 regex=$2 start=$EPOCHREALTIME status
	shift 2
	"$@" >"$vm_out" 2>&1 </dev/null
	status=$?
	if [ $status = 0 ]; then
		vm_not_ok "$name" "$start" "it should have failed: $*"
	elif ! grep -qE -e "$regex" "$vm_out"; then
		vm_not_ok "$name" "$start" "status $status, and no line matches '$regex' from: $*"
	else
		vm_ok "$name" "$start"
	fi
}

# The limit ends a wait for what never happens; it is far above what a slow machine needs.
wait_for() {
	local limit=$(($1 * ${slow:-1})) end
	shift
	end=$((SECONDS + limit))
	until "$@"; do
		if [ $SECONDS -ge $end ]; then
			echo "waited $limit s in vain for: $*" >&2
			return 1
		fi
		sleep 0.2
	done
}

show() {
	local status
	"$@" >"$vm_out" 2>&1 </dev/null
	status=$?
	vm_indent "$vm_out"
	return $status
}

guide() { # FILE [HEADING]
	local dir=/run/vm/${1%.md}${2:+/${2// /-}} f where
	mkdir -p "$dir"
	awk -f /usr/lib/vm/guide-blocks dir="$dir" part="${2-}" "/usr/lib/vm/docs/$1"
	check "$1 has commands" test -n "$(ls "$dir")"
	for f in "$dir"/*; do
		where=${f##*.}
		f=${f%.*}
		case $where in
		host) check "$1, line ${f##*/}" bash -eu -o pipefail "$f.host" ;;
		hostb) check "$1, line ${f##*/}, on hostb" on_hostb bash -eu -o pipefail -c "$(cat "$f.hostb")" ;;
		*)
			[ "$(guest_state "$where")" = gone ] || guest_wait "$where"
			check "$1, line ${f##*/}, in $where" guest_run "$where" "set -eu
$(cat "$f.$where")" ;;
		esac
	done
}

guide_done() { # FILE
	local dir=/run/vm/${1%.md}
	mkdir "$dir.all" && awk -f /usr/lib/vm/guide-blocks dir="$dir.all" "/usr/lib/vm/docs/$1" &&
		diff <(ls "$dir.all") <(find "$dir" -type f -printf '%f\n' | sort)
}
