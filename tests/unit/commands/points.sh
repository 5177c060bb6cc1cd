#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xm-ramdisk's subcommands for points, which need no Xen: point, rollback, and
# save and diff of a point.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
PATH=$B:$B/tests/helpers:$PATH
seeds=$(mktemp -d) || exit 1
XEN_RAMDISK_DIR=$(mktemp -d /dev/shm/xen-ramdisk-test-XXXXXX) || exit 1
export XEN_RAMDISK_DIR
every=
trap '[ -z "$every" ] || kill $every; rm -rf "$seeds" "$XEN_RAMDISK_DIR"' EXIT
out=$seeds/out
failed=0

ok() { # NAME CONDITION-STATUS
	if [ "$2" = 0 ]; then
		echo "ok points: $1"
	else
		sed 's/^/# /' "$out"
		echo "not ok points: $1"
		failed=1
	fi
}

# NAME STATUS REGEX ARGUMENTS: xm-ramdisk ends with STATUS and prints REGEX.
says() {
	local name=$1 want=$2 regex=$3 status
	shift 3
	xm-ramdisk "$@" >"$out" 2>&1
	status=$?
	[ $status = "$want" ] && grep -qE -e "$regex" "$out"
	ok "$name" $?
}

# NAME COMMAND...: succeeds
does() {
	local name=$1
	shift
	"$@" >"$out" 2>&1
	ok "$name" $?
}

quiet() { # NAME ARGUMENTS: xm-ramdisk succeeds and prints nothing
	local name=$1
	shift
	xm-ramdisk "$@" >"$out" 2>&1 && [ ! -s "$out" ]
	ok "$name" $?
}

# The disk holds the text at the offset.
holds() { # FILE OFFSET TEXT
	[ "$(dd if="$1" bs=1 skip="$2" count=${#3} status=none)" = "$3" ]
}

head -c 3000320 /dev/urandom >"$seeds/lab"
xm-ramdisk load "$seeds/lab" >"$out" || exit 1
id=$(xm-ramdisk show --json lab | jq -r .id)
data=$XEN_RAMDISK_DIR/$id.data

says "no points" 0 '^no points$' point --list lab
quiet "a point" point lab clean
does "a change" poke lab 8192 first
quiet "a second point" point lab second
does "another change" poke lab 8194 SECOND
says "the list has both, in their order" 0 '^clean: taken 20[0-9-]+ [0-9:]+, keeps 4 KiB$' point --list lab
grep -q '^second: .*keeps 4 KiB$' "$out"
ok "the second one is behind" $?
xm-ramdisk point --list --json lab >"$out"
jq -e 'map(.name) == ["clean", "second"] and .[0].memory == 4096 and .[0].attachments == 0' "$out" >/dev/null
ok "the list as JSON" $?
says "show counts them" 0 '^points: +2, which keep 8 KiB$' show lab

does "save of a point" xm-ramdisk save --point=clean lab "$seeds/saved"
does "the saved file equals the seed" cmp "$seeds/lab" "$seeds/saved"
does "save of the second point" xm-ramdisk save --force --point=second lab "$seeds/saved"
does "the saved file has the first change" holds "$seeds/saved" 8192 first
says "save of a point that does not exist" 1 "the disk of /.* has no point 'none'; 'xm-ramdisk point --list' shows" save --point=none lab "$seeds/none"
does "no file of it is left" test ! -e "$seeds/none"

says "a difference to a point" 0 '^8192 4096$' diff --from=clean lab
says "a difference between points" 0 '^8192 4096$' diff --from=clean --to=second lab
xm-ramdisk diff --json --from=second lab >"$out"
jq -e '. == [{"offset": 8192, "length": 4096}]' "$out" >/dev/null
ok "a difference to a point as JSON" $?
quiet "no difference to itself" diff --from=clean --to=clean lab
says "--to without --from" 2 '--to=POINT needs --from=POINT' diff --to=clean lab

coproc hold "$seeds/lab" other
holder=$COPROC_PID
read -r _ <&"${COPROC[0]}"
says "rollback under a writer" 1 'is attached for writing 1 times; detach those, or force' rollback lab second
quiet "rollback under a writer, forced" rollback --force lab second
does "it is undone for the next test" poke lab 8194 SECOND
kill "$holder"
wait "$holder" 2>/dev/null
quiet "rollback" rollback lab second
does "the contents of the point are back" holds "$data" 8192 first
quiet "rollback to the older point" rollback lab clean
does "the disk equals the seed" cmp "$seeds/lab" "$data"
quiet "rollback forth" rollback lab second
does "the newer point was kept" holds "$data" 8192 first
says "rollback to a point that does not exist" 1 "has no point 'none'" rollback lab none

quiet "drop of a point" point --drop lab clean
says "one is left" 0 '^second: taken' point --list lab
says "a point that was dropped" 1 "has no point 'clean'" point --drop lab clean
says "a name that is taken" 1 "has a point 'second' already; drop that one" point lab second
says "a bad name" 1 "is no name of a point: expected" point lab a/b
says "a name like an instance" 1 'not 16 hexadecimal digits' point lab 0123456789abcdef
says "a word is missing" 2 'expected NAME POINT' point lab
says "a word too many" 2 "expected NAME; see" point --list lab x
says "options that exclude each other" 2 '--list, --drop, --every and --on-crash exclude' point --list --drop lab
says "--keep alone" 2 '--keep is for --every and --on-crash' point --keep=3 lab x
says "--json alone" 2 '--json is for --list' point --json lab x
says "a bad --keep" 2 'expected a number of points from 1 to 63' point --every=1 --keep=64 lab
says "--on-crash without Xen" 1 'no Xen here' point --on-crash lab
says "a disk that does not exist" 1 "no disk 'nobody'" point nobody x

# again and again
points() { xm-ramdisk point --list --json lab | jq -r '.[].name'; }
xm-ramdisk point --every=1 --keep=2 lab >"$seeds/every" 2>&1 &
every=$!
for _ in $(seq 100); do
	[ "$(wc -l <"$seeds/every")" -ge 4 ] && break
	sleep 0.2
done
kill -TERM $every
does "a signal ends --every" wait $every
every=
points >"$out"
[ "$(grep -c '^every-20[0-9]*T[0-9]*Z' "$out")" = 2 ]
ok "--keep leaves that many" $?
grep -q '^second$' "$out"
ok "and points of other names" $?
does "the last ones are kept" test "$(points | tail -2)" = "$(tail -2 "$seeds/every")"

quiet "drop of the disk" drop lab
does "no file is left in the store" test -z "$(ls -A "$XEN_RAMDISK_DIR")"
exit $failed
