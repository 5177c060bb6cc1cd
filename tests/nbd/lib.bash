# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# For tests of the nbdkit plugin and of `xm-ramdisk serve`: each is a script
# that sources this, prints "ok NAME" or "not ok NAME" for each test, and ends
# with `finish`. $seeds is a folder on disk, $XEN_RAMDISK_DIR a store of the
# test's own; both are removed at the end, after whatever `spawn` started.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
B=$(realpath "${B:-build}")
PATH=$B:/usr/bin:$PATH # /usr/bin: nbdsh takes the python3 that it finds
suite=$(basename "$0" .sh)
seeds=$(mktemp -d) || exit 1
XEN_RAMDISK_DIR=$(mktemp -d /dev/shm/xen-ramdisk-test-XXXXXX) || exit 1
export XEN_RAMDISK_DIR
plugin=$B/nbdkit-ramdisk-plugin.so
out=$seeds/out
failed=0
spawned=()

clean_up() {
	local pid
	for pid in "${spawned[@]}"; do
		kill "$pid" 2>/dev/null && wait "$pid"
	done
	rm -rf "$seeds" "$XEN_RAMDISK_DIR"
}
trap clean_up EXIT

ok() { # NAME CONDITION-STATUS
	if [ "$2" = 0 ]; then
		echo "ok $suite: $1"
	else
		sed 's/^/# /' "$out"
		echo "not ok $suite: $1"
		failed=1
	fi
}

# NAME COMMAND...: succeeds
does() {
	local name=$1
	shift
	"$@" >"$out" 2>&1 </dev/null
	ok "$name" $?
}

# NAME STATUS REGEX COMMAND...: ends with STATUS, and prints a line that matches
says() {
	local name=$1 want=$2 regex=$3 status
	shift 3
	"$@" >"$out" 2>&1 </dev/null
	status=$?
	[ $status = "$want" ] && grep -qE -e "$regex" "$out"
	ok "$name" $?
}

# Starts a process in the background, which is ended at the end of the test.
spawn() { # COMMAND...
	"$@" >"$seeds/log.$((${#spawned[@]}))" 2>&1 </dev/null &
	spawned+=($!)
}

end() { # PID: ends it and waits until it has
	kill "$1" 2>/dev/null
	wait "$1"
}

wait_for() { # SECONDS COMMAND...: until it succeeds
	local until=$(($1 * 10 + 1)) n=0
	shift
	until "$@" >/dev/null 2>&1; do
		n=$((n + 1))
		[ $n -lt $until ] || return 1
		sleep 0.1
	done
}

# nbdkit with the plugin on a socket; $uri is its default export
serve() { # SOCKET ARGUMENT...
	local socket=$1
	shift
	spawn nbdkit -f -U "$socket" "$@"
	server=${spawned[-1]}
	uri="nbd+unix:///?socket=$socket"
	wait_for 20 test -S "$socket"
}

finish() {
	exit $failed
}
