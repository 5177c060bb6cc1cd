#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xm-ramdisk watch: the events of commands and of NBD clients, of processes that are
# killed, of a store that is full; and how it ends.
. "$(dirname "$0")/lib.bash"

head -c 3000000 /dev/urandom >"$seeds/plain.img"
truncate -s 1G "$seeds/thin.img"

# Starts a watcher, and waits until it watches. $watcher is its process, $events its lines.
watch() { # OPTION...
	events=$seeds/events.${#spawned[@]}
	xm-ramdisk watch "$@" >"$events" 2>"$events.err" </dev/null &
	watcher=$!
	spawned+=("$watcher")
	wait_for 10 test -s "$events"
}
event_is() { # WORD [JQ CONDITION]: there is such an event
	jq -s -e "any(.[]; .event == \"$1\" and (${2:-true}))" "$events" >/dev/null 2>&1
}
happens() { # NAME WORD [CONDITION]
	wait_for 10 event_is "$2" "${3-}"
	local status=$?
	cp "$events" "$out"
	ok "$1" $status
}
store_is_empty() { [ -z "$(ls -A "$XEN_RAMDISK_DIR")" ]; }

# ---- what happens -----------------------------------------------------------------

watch --json
happens "the first line says that it watches" watching '.text == env.XEN_RAMDISK_DIR'
xm-ramdisk load --name=lab "$seeds/plain.img" >/dev/null 2>&1
happens "a load" loaded '.name == "lab" and .id == "n-lab" and (.seed | endswith("/plain.img"))'
serve "$seeds/socket" "$plugin" disk=lab label=client
qemu-io -f raw "$uri" -c 'write 0 4k' >/dev/null 2>&1
happens "an attached client" attached '.label == "client" and .mode == "w" and .pid > 1'
happens "its detach" detached '.label == "client" and .text == ""'
does "reset" xm-ramdisk reset lab
happens "a reset" reset '.name == "lab"'
does "point" xm-ramdisk point lab before
happens "a point" point '.name == "lab" and .text == "before"'
does "rollback" xm-ramdisk rollback lab before
happens "a rollback" rollback '.name == "lab" and .text == "before"'
[ "$(jq -s 'map(select(.label == "point" or .label == "rollback")) | length' "$events")" = 0 ]
ok "and no attachment of the command's own" $?
qemu-io -f raw "$uri" -c 'sleep 100000' >/dev/null 2>&1 &
client=$!
spawned+=("$client")
attached_twice() { [ "$(jq -s 'map(select(.event == "attached" and .label == "client")) | length' "$events")" = 2 ]; }
wait_for 10 attached_twice
{ kill -9 "$server" && wait "$server"; } 2>/dev/null
happens "a killed process" detached '.label == "client" and (.text | test("^process [0-9]+ has ended without a detach"))'
{ kill -9 "$client" && wait "$client"; } 2>/dev/null
xm-ramdisk drop lab >/dev/null
happens "the disk is discarded" discarded '.name == "lab"'
jq -s -e 'all(.[]; .time | test("^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9](:[0-5][0-9]){2}\\.[0-9]{3}[+-][0-9]{2}:[0-9]{2}$"))' "$events" >"$out" 2>&1
ok "each time is RFC 3339 with a zone" $?
[ "$(wc -l <"$events")" = "$(jq -s length "$events")" ]
ok "an object a line" $?
kill -INT "$watcher"
wait "$watcher"
status=$?
cat "$events.err" >"$out"
[ $status = 0 ] && [ ! -s "$out" ]
ok "SIGINT ends it with status 0" $?
does "it leaves nothing in the store" store_is_empty

# ---- nothing is lost -----------------------------------------------------------------

watch --json
xm-ramdisk load --name=many "$seeds/plain.img" >/dev/null 2>&1
for n in 1 2 3 4; do
	(for m in $(seq 25); do xm-ramdisk save many "$seeds/copy.$n.$m" >/dev/null 2>&1; done) &
	pids[n]=$!
done
wait "${pids[@]}"
kill -TERM "$watcher"
wait "$watcher"
jq -s -c '[map(select(.event == "attached" and .label == "xm-ramdisk save")), map(select(.event == "detached" and .label == "xm-ramdisk save"))] | map(length)' "$events" >"$out" 2>&1
[ "$(cat "$out")" = '[100,100]' ]
ok "a hundred saves by four processes" $?
xm-ramdisk drop many >/dev/null

# A watcher that is stopped meanwhile, and then goes on, has them all.
watch --json
xm-ramdisk load --name=later "$seeds/plain.img" >/dev/null 2>&1
kill -STOP "$watcher"
for _ in $(seq 20); do xm-ramdisk reset later >/dev/null; done
kill -CONT "$watcher"
twenty() { [ "$(jq -s 'map(select(.event == "reset")) | length' "$events")" = 20 ]; }
wait_for 10 twenty
status=$?
cp "$events" "$out"
ok "a watcher that was stopped" $status
end "$watcher"
xm-ramdisk drop later >/dev/null

# ---- memory ----------------------------------------------------------------------------

watch --json
truncate -s 4T "$seeds/large.img"
says "a disk that does not fit" 1 'needs|memory' xm-ramdisk load "$seeds/large.img"
happens "memory short: a load" memory-short '(.seed | endswith("large.img")) and (.text | length > 20)'
end "$watcher"

# A thin disk in a store of 4 MiB: the process that writes only counts.
cat >"$seeds/short" <<'SHELL'
mount -t tmpfs -o size=4M,mode=700 tmpfs "$XEN_RAMDISK_DIR" || exit 1
xm-ramdisk watch --json --until=memory-short --timeout=20 >"$1" &
while [ ! -s "$1" ]; do sleep 0.1; done
nbdkit -U - "$2" "$3" thin=true label=writer --run 'qemu-io -f raw "$uri" -c "write 0 16M" -c "sleep 2000"'
wait $!
SHELL
events=$seeds/short.json
unshare -m sh "$seeds/short" "$events" "$plugin" "$seeds/thin.img" >"$out" 2>&1
status=$?
cat "$events" >>"$out"
[ $status = 0 ] && event_is memory-short '.label == "writer" and (.text | test("^[0-9]+ requests failed"))'
ok "memory short: a request" $?

# ---- the ends ----------------------------------------------------------------------------

says "--timeout" 0 'watching' xm-ramdisk watch --timeout=1
says "--until that does not come" 1 "no event 'reset' within 1 seconds" xm-ramdisk watch --until=reset --timeout=1
says "--count that is not reached" 1 '0 events within 1 seconds, fewer than --count=2' xm-ramdisk watch --count=2 --timeout=1
watch --count=2
xm-ramdisk load --name=count "$seeds/plain.img" >/dev/null 2>&1
wait "$watcher"
status=$?
cp "$events" "$out"
[ $status = 0 ] && [ "$(wc -l <"$events")" = 3 ] && grep -qE '^20.*T.* loaded +count$' "$events"
ok "--count, and the text" $?
watch --until=discarded
xm-ramdisk drop count >/dev/null
wait "$watcher"
status=$?
cp "$events" "$out"
[ $status = 0 ] && tail -n 1 "$events" | grep -qE ' discarded +count$'
ok "--until" $?
# without an event: the closed pipe alone ends it
timeout 10 bash -c 'xm-ramdisk watch | head -n 1; echo "${PIPESTATUS[0]}"' >"$out" 2>&1
[ "$(tail -n 1 "$out")" = 141 ] && [ "$(wc -l <"$out")" = 2 ]
ok "a reader that goes ends it silently" $?
does "nothing is left in the store" store_is_empty
says "an unknown event" 2 "expected loaded, attached" xm-ramdisk watch --until=loded
says "a count of nothing" 2 'expected a number from 1' xm-ramdisk watch --count=0

finish
