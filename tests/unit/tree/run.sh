#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# tests/run itself, over lists of small parts: what it counts, what it names as failed,
# the order of its output while two parts run at once, and the slowest ten.
set -u
cd "$(dirname "$0")/../../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

# A line of the list; the part is the SCRIPT.
part() { # KIND NAME SCRIPT
	printf '%s\n' "$3" >"$tmp/${2//\//-}"
	printf '%s\t%s\tbash\t%s\n' "$1" "$2" "$tmp/${2//\//-}" >>"$tmp/parts"
}

new_list() {
	: >"$tmp/parts"
}

# Output and status of tests/run go to $tmp/out and $tmp/status; a hang is ended.
run_parts() { # JOBS
	TEST_JOBS=$1 timeout 60 tests/run --parts "$tmp/parts" >"$tmp/out" 2>&1
	echo $? >"$tmp/status"
}

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok run: $1"
		return
	fi
	echo "not ok run: $1"
	sed 's/^/    /' "$tmp/out"
	echo "    status $(cat "$tmp/status")"
	failed=1
}

last_line_is() { # LINE STATUS
	[ "$(tail -n 1 "$tmp/out")" = "$1" ] && [ "$(cat "$tmp/status")" = "$2" ]
}

has_line() { # LINE
	grep -qxF -e "$1" "$tmp/out"
}

# The headlines, in one line.
headlines() {
	sed -n 's/^== //p' "$tmp/out" | tr '\n' ' '
}

new_list
part program good 'echo ok one; echo ok two'
part machine vm/good 'echo ok three'
run_parts 2
last_line_is '3 passed, 0 failed' 0
ok "passed tests are counted" $?
! grep -q '^failed:' "$tmp/out"
ok "no part is named as failed" $?

new_list
part program bad 'echo ok one; echo not ok two; echo not ok three; exit 1'
part program good 'echo ok four'
run_parts 2
last_line_is '2 passed, 2 failed' 1 && has_line 'failed: bad' && ! has_line 'failed: good'
ok "failed tests are counted, and their part is named" $?

new_list
part program silent 'true'
run_parts 1
last_line_is '0 passed, 1 failed' 1 && has_line 'not ok silent: ended with status 0 after 0 tests' &&
	has_line 'failed: silent'
ok "a part that prints nothing is a failure" $?

new_list
part program ends 'echo ok one; exit 3'
part program killed 'echo ok two; kill -KILL $$'
part program absent ''
rm "$tmp/absent"
run_parts 1
last_line_is '2 passed, 3 failed' 1 && has_line 'not ok ends: ended with status 3 after 1 tests' &&
	has_line 'not ok killed: ended with status 137 after 1 tests' &&
	has_line 'not ok absent: ended with status 127 after 0 tests'
ok "a part that ends with a status, or is killed, or is not there, is a failure" $?

new_list
part machine vm/again 'echo ok one; echo ok two; echo "# uncounted: 2"; echo ok one; echo ok two; echo ok three'
run_parts 1
last_line_is '3 passed, 0 failed' 0
ok "uncounted tests are taken back" $?

new_list
run_parts 2
last_line_is '0 passed, 0 failed' 1
ok "no part at all is a failure" $?

# The second part ends first, and prints a half line while the first one writes.
new_list
part program slow "echo ok a; until [ -e $tmp/go ]; do sleep 0.05; done; echo ok b"
part machine vm/fast "printf 'half '; sleep 0.2; echo line; echo ok c; : >$tmp/go"
run_parts 2
[ "$(grep -v '^$' "$tmp/out" | head -n 7 | tr '\n' '|')" = '== slow|ok a|ok b|== vm/fast|half line|ok c|the slowest parts:|' ]
ok "two parts run at once, and each part's lines stay together, in the list's order" $?

# Two programs would each wait for the other to be over.
new_list
for n in 1 2 3; do
	part program p$n "mkdir $tmp/one || exit; sleep 0.2; rmdir $tmp/one; echo ok $n"
	part machine m$n "echo ok m$n"
done
run_parts 2
last_line_is '6 passed, 0 failed' 0 && [ "$(headlines)" = 'p1 m1 p2 m2 p3 m3 ' ]
ok "programs run one after another, beside machines" $?

# Each waits for the other one.
new_list
part program p1 ": >$tmp/see-p; until [ -e $tmp/see-s ]; do sleep 0.05; done; echo ok p1; rm $tmp/see-s"
part program p2 "mkdir $tmp/two || exit; sleep 0.2; rmdir $tmp/two; echo ok p2"
part script s1 "touch $tmp/see-s; until [ -e $tmp/see-p ]; do sleep 0.05; done; echo ok s1; rm $tmp/see-p"
part script s2 "sleep 0.1; echo ok s2"
run_parts 2
last_line_is '4 passed, 0 failed' 0 && [ "$(headlines)" = 'p1 p2 s1 s2 ' ]
ok "without machines, a program and a script run at once" $?

new_list
part script s1 "mkdir $tmp/two || exit; sleep 0.2; rmdir $tmp/two; echo ok s1"
part script s2 "mkdir $tmp/two || exit; sleep 0.2; rmdir $tmp/two; echo ok s2"
run_parts 2
last_line_is '2 passed, 0 failed' 0
ok "scripts run one after another" $?

new_list
for n in 1 2; do
	part machine m$n "mkdir $tmp/one || exit; sleep 0.2; rmdir $tmp/one; echo ok $n \$XEN_RAMDISK_VM_SLOW"
done
XEN_RAMDISK_VM_SLOW='' run_parts 1
last_line_is '2 passed, 0 failed' 0
ok "TEST_JOBS=1: one part at a time" $?
new_list
part machine m1 'echo ok $XEN_RAMDISK_VM_SLOW'
(unset XEN_RAMDISK_VM_SLOW; run_parts 2)
has_line 'ok 2' && XEN_RAMDISK_VM_SLOW=5 run_parts 2 && has_line 'ok 5'
ok "two machines at once have twice the time, unless the caller says so" $?

new_list
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
	part program p$n "echo ok $n; sleep 0.$((n % 3 * 3))"
done
part machine vm/slowest 'echo ok 13; sleep 2'
run_parts 2
sed -n '/^the slowest parts:$/,$p' "$tmp/out" >"$tmp/end"
[ "$(wc -l <"$tmp/end")" = 12 ] && sed -n 2p "$tmp/end" | grep -qE '^ +[0-9]+\.[0-9] s  vm/slowest$' &&
	sed -n '2,11p' "$tmp/end" | sort -c -rn -k 1,1 && last_line_is '13 passed, 0 failed' 0
ok "the slowest ten are listed, the slowest first, before the last line" $?

# A signal ends the parts, and their processes, and what they printed is not lost.
new_list
part machine m1 "echo ok so far; sleep 1000 & echo \$! >$tmp/pid; wait"
TEST_JOBS=2 tests/run --parts "$tmp/parts" >"$tmp/out" 2>&1 &
runs=$!
until [ -s "$tmp/pid" ]; do sleep 0.05; done
kill -TERM $runs
wait $runs
echo $? >"$tmp/status"
has_line 'ok so far' && has_line 'not ok m1: interrupted' && [ "$(cat "$tmp/status")" = 130 ] &&
	for ((n = 0; n < 100; n++)); do kill -0 "$(cat "$tmp/pid")" 2>/dev/null || break; sleep 0.05; done &&
	! kill -0 "$(cat "$tmp/pid")" 2>/dev/null
ok "a signal ends the parts and shows how far they came" $?
exit $failed
