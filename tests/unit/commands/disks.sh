#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xm-ramdisk's subcommands for disks, which need no Xen: load, list, show, top,
# diff, reset, save, drop, and the completion of their arguments.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
PATH=$B:$PATH
seeds=$(mktemp -d) || exit 1
XEN_RAMDISK_DIR=$(mktemp -d /dev/shm/xen-ramdisk-test-XXXXXX) || exit 1
export XEN_RAMDISK_DIR
trap 'rm -rf "$seeds" "$XEN_RAMDISK_DIR"' EXIT
out=$seeds/out
failed=0

ok() { # NAME CONDITION-STATUS
	if [ "$2" = 0 ]; then
		echo "ok disks: $1"
	else
		sed 's/^/# /' "$out"
		echo "not ok disks: $1"
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

empty() { [ ! -s "$1" ]; }
# Changes a byte of the disk, as a domain could.
scribble() { # ID OFFSET
	printf x | dd of="$XEN_RAMDISK_DIR/$1.data" bs=1 seek="$2" conv=notrunc status=none
}

head -c 3000100 /dev/urandom >"$seeds/a b.img"
truncate -s 16M "$seeds/sparse.img"
cp "$seeds/a b.img" "$seeds/copy"

says "an empty list" 0 '^no RAM disks$' list
says "load reports the padding" 0 'ends inside a sector; 220 zero bytes' load "$seeds/a b.img"
says "load with a name" 0 "kept until it is dropped: xm-ramdisk drop lab$" load --name=lab --thin "$seeds/sparse.img"
says "list shows a kept disk" 0 'sparse.img as lab: 16 MiB, thin, kept, attached 0 times' list
xm-ramdisk list --json >"$out"
jq -e 'length == 2 and .[1].name == "lab" and .[0].size == 3000320 and .[0].keep' "$out" >/dev/null
ok "list as JSON" $?
says "a name that is taken" 1 'the name lab belongs to' load --name=lab "$seeds/a b.img"
says "an invalid name" 1 'cannot be a disk.s name' load --name=a/b "$seeds/a b.img"
says "show by the last part of the path" 0 'unchanged since the load' show 'a b.img'
says "show by path" 0 'lifetime: +until it is dropped' show "$seeds/a b.img"
xm-ramdisk show --json lab >"$out"
jq -e '.thin and .seed_now == "same" and .attachments == []' "$out" >/dev/null
ok "show as JSON" $?
says "show of a disk that does not exist" 1 "no disk 'nobody'; there are: .*a b.img, lab" show nobody

id=$(xm-ramdisk show --json 'a b.img' | jq -r .id)
xm-ramdisk diff lab >"$out" 2>&1 && empty "$out"
ok "no difference" $?
scribble "$id" 5000
says "a difference" 0 '^4096 4096$' diff 'a b.img'
xm-ramdisk diff --json 'a b.img' >"$out"
jq -e '. == [{"offset": 4096, "length": 4096}]' "$out" >/dev/null
ok "a difference as JSON" $?

scribble "$id" 100
does "save" xm-ramdisk save 'a b.img' "$seeds/saved"
does "the saved file equals the disk" cmp "$seeds/saved" "$XEN_RAMDISK_DIR/$id.data"
does "save of a sparse disk" xm-ramdisk save lab "$seeds/sparse-saved"
does "the saved file is sparse" test "$(stat -c '%s %b' "$seeds/sparse-saved" | awk '$1 == 16777216 && $2 < 100')"
says "save over a file" 1 'exists; --force replaces it' save lab "$seeds/saved"
does "save over a file, forced" xm-ramdisk save --force lab "$seeds/saved"
says "save over the seed" 1 'is the disk.s seed, which is never written' save --force 'a b.img' "$seeds/a b.img"
says "save into a missing folder" 1 'cannot write beside' save lab "$seeds/no/where"
does "no temporary file is left" test -z "$(find "$seeds" -name "*saved.*")"

does "reset" xm-ramdisk reset 'a b.img'
does "the disk equals the seed again" cmp -n 3000100 "$seeds/a b.img" "$XEN_RAMDISK_DIR/$id.data"
does "the seed was never written" cmp "$seeds/a b.img" "$seeds/copy"
echo x >>"$seeds/a b.img"
says "show reports a modified seed" 0 'MODIFIED since the load' show 'a b.img'
says "reset refuses a modified seed" 1 'has 3000102 bytes now, and had 3000100 when disk f-' reset 'a b.img'
rm "$seeds/a b.img"
says "show reports a removed seed" 0 'GONE; the disk stays' show 'a b.img'

xm-ramdisk top --once --json >"$out" && jq -e '. == []' "$out" >/dev/null
ok "top, once, as JSON" $?
says "top, once" 0 '^ATTACHED TO' top --once
says "attach needs Xen, not the disk's name" 1 'no Xen here|no domain' attach nobody lab xvdb

# completion
# shellcheck disable=SC1091
. tools/completion/xm-ramdisk.bash
completes() { # NAME EXPECTED WORDS...
	local name=$1 want=$2
	shift 2
	COMP_WORDS=(xm-ramdisk "$@") COMP_CWORD=$#
	_xm_ramdisk
	printf '%s\n' "${COMPREPLY[@]}" >"$out"
	[ "${COMPREPLY[*]}" = "$want" ]
	ok "$name" $?
}
completes "a subcommand completes" 'reset' re
completes "an option completes" '--once' top --o
completes "an option of show completes" '--json' show --j
completes "the other option of show completes" '--debug' show --d
completes "a disk's name completes" 'lab' drop l
completes "a disk's name completes behind an option's value" 'lab' fault --error = read l
completes "an option's value completes" 'write' fault --error = w
completes "an option's values are offered" 'read write all none' fault --error =
completes "an option with any value has no completion" '' attach --name = x
completes "a seed's last part completes" 'a b.img' show a
completes "a seed's path completes" "$seeds/a b.img" show "$seeds/a"

does "drop" xm-ramdisk drop lab
does "drop by path" xm-ramdisk drop "$seeds/a b.img"
says "no disk is left" 0 '^no RAM disks$' list
does "no file is left in the store" test -z "$(ls -A "$XEN_RAMDISK_DIR")"
says "a word too many" 2 "expected NAME, got 2 arguments; see 'xm-ramdisk drop --help'" drop a b
says "an unknown option" 2 "option '--bogus' is unknown" save --bogus a b
exit $failed
