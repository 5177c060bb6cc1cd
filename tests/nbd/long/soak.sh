#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# For MINUTES (10) all at once: attach, write, kill, reset, serve, and captured
# workers; with contents and counts verified.
#   - the captured workers of tests/ring/worker and tests/daemon
#   - processes that read, write and are killed (tests/unit/io/linear)
#   - a daemon that is killed and replaced under a guest (tests/daemon/restart)
#   - in one store: a server whose client checks every byte while other clients
#     are killed; and a kept disk whose writers are killed, and which is reset
. "$(dirname "$0")/../lib.bash"
minutes=${MINUTES:-10}
until=$((SECONDS + 60 * minutes))
for p in nbdcopy nbdsh jq; do
	command -v $p >/dev/null || { echo "not ok $suite: missing program $p"; exit 1; }
done

# Runs a test program again and again; its output is printed if it fails.
again() { # NAME COMMAND...
	local n=0
	while [ $SECONDS -lt $until ]; do
		"${@:2}" >"$seeds/$1.out" 2>&1 || { cp "$seeds/$1.out" "$seeds/$1.failed"; return 1; }
		n=$((n + 1))
	done
	echo $n >"$seeds/$1.times"
}
jobs_of=()
start() { # NAME COMMAND...
	again "$@" &
	jobs_of+=("$1:$!")
}
start captured env CAPTURED_SECONDS=10 "$B/tests/ring/worker/captured"
start captured-daemon env CAPTURED_ROUNDS=5 "$B/tests/daemon/captured" "$B/xen-ramdiskd" "$B/tests/daemon/captured.so"
start restart "$B/tests/daemon/restart" "$B/xen-ramdiskd" "$B/tests/daemon/xen.so"
start linear "$B/tests/unit/io/linear"

# ---- one store: a server and its clients ------------------------------------------

head -c 32M /dev/urandom >"$seeds/served.img"
head -c 8M /dev/urandom >"$seeds/kept.img"
served_sum=$(sha256sum <"$seeds/served.img")
kept_sum=$(sha256sum <"$seeds/kept.img")
u="nbd+unix:///served.img?socket=$seeds/s.sock"
spawn xm-ramdisk serve --socket="$seeds/s.sock" "$seeds/served.img"
server=${spawned[-1]}
wait_for 20 grep -q nbdcopy "$seeds/log.$((${#spawned[@]} - 1))"
does "the kept disk is loaded" xm-ramdisk load "$seeds/kept.img"

# Writes and reads 4 MiB of which it knows every byte, until its input ends.
client='
import os, random, select, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
size, at = 4 << 20, 8 << 20
model = bytearray(h.pread(size, at))
done = 0
while not select.select([0], [], [], 0)[0]:
    n = random.randrange(1, 70000)
    off = random.randrange(0, size - n)
    if random.random() < .5:
        model[off:off + n] = data = os.urandom(n)
        h.pwrite(data, at + off)
    else:
        assert h.pread(n, at + off) == model[off:off + n], "another byte"
    done += 1
assert h.pread(size, at) == model
print("done", done)'
mkfifo "$seeds/end"
/usr/bin/python3 -c "import nbd$client" "$u" <"$seeds/end" >"$seeds/client" 2>&1 &
checker=$!
exec 4>"$seeds/end"

attachments() { # SEED
	xm-ramdisk list --json | jq "[.[] | select(.seed == \"$1\") | .attachments[]] | length"
}
rounds=0 wrong=0
while [ $SECONDS -lt $until ]; do
	nbdcopy --connections=2 "$u" null: >/dev/null 2>&1 &
	copy=$!
	"$B/tests/helpers/hold" "$seeds/kept.img" writer </dev/zero >/dev/null 2>&1 &
	hold=$!
	sleep 0.$((RANDOM % 5 + 1))
	kill -KILL $copy $hold 2>/dev/null
	wait $copy $hold 2>/dev/null
	[ "$(attachments "$seeds/kept.img")" = 0 ] || wrong=$((wrong + 1))
	xm-ramdisk reset "$seeds/kept.img" >/dev/null 2>&1 || wrong=$((wrong + 1))
	[ -z "$(xm-ramdisk diff "$seeds/kept.img" 2>&1)" ] || wrong=$((wrong + 1))
	rounds=$((rounds + 1))
done
[ $rounds -gt 3 ] && [ $wrong = 0 ]
ok "$rounds rounds of writers that are killed, and resets: the counts and the contents are right" $?
exec 4>&-
wait $checker
ok "the client read what it wrote: $(tail -n 1 "$seeds/client")" $?
does "the server runs" kill -0 "$server"
does "only the server is attached" wait_for 20 sh -c "[ \"\$(xm-ramdisk list --json | jq '[.[].attachments[]] | length')\" = 1 ]"
xm-ramdisk save "$seeds/kept.img" "$seeds/saved" >/dev/null
[ "$(sha256sum <"$seeds/saved")" = "$kept_sum" ]
ok "the kept disk is its seed" $?
[ "$(sha256sum <"$seeds/served.img")" = "$served_sum" ] && [ "$(sha256sum <"$seeds/kept.img")" = "$kept_sum" ]
ok "no seed was written" $?
end "$server"
xm-ramdisk drop "$seeds/kept.img"
for j in "${jobs_of[@]}"; do
	wait "${j#*:}"
	ok "${j%:*}, $(cat "$seeds/${j%:*}.times" 2>/dev/null || echo failed) times" $?
	[ ! -e "$seeds/${j%:*}.failed" ] || sed 's/^/    /' "$seeds/${j%:*}.failed"
done
finish
