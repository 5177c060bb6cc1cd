#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What xm-ramdisk prints of names that other people chose. The path of the seed
# and the attachment's label have a newline, the escape sequences of terminals
# and bytes that are no UTF-8. No such byte is in the output of any subcommand,
# --json is UTF-8 from which the exact bytes can be had, and commands that are
# printed for copying are quoted for the shell.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
PATH=$B:$PATH
seeds=$(mktemp -d) || exit 1
XEN_RAMDISK_DIR=$(mktemp -d /dev/shm/xen-ramdisk-test-XXXXXX) || exit 1
export XEN_RAMDISK_DIR
holder=
trap '[ -z "$holder" ] || kill $holder; rm -rf "$seeds" "$XEN_RAMDISK_DIR"' EXIT
out=$seeds/out
failed=0

ok() { # NAME CONDITION-STATUS
	if [ "$2" = 0 ]; then
		echo "ok names: $1"
	else
		sed 's/^/# /' "$out" | cat -v
		echo "not ok names: $1"
		failed=1
	fi
}

# Whether $out is UTF-8 without control characters but the newlines of LINES lines.
clean() { # LINES
	iconv -f UTF-8 -t UTF-8 "$out" >/dev/null 2>&1 && ! LC_ALL=C grep -q '[[:cntrl:]]' "$out" &&
		! LC_ALL=C grep -q $'\xc2[\x80-\x9f]' "$out" && { [ -z "$1" ] || [ "$(wc -l <"$out")" = "$1" ]; }
}

# NAME STATUS LINES WORD ARGUMENTS...: the output is clean, and has WORD in it.
prints() {
	local name=$1 want=$2 lines=$3 word=$4 status
	shift 4
	xm-ramdisk "$@" >"$out" 2>&1 </dev/null
	status=$?
	[ $status = "$want" ] && clean "$lines" && grep -qF -e "$word" "$out"
	ok "$name" $?
}

json_has() { # NAME FILTER ARGUMENTS...: --json is clean, and FILTER is true
	local name=$1 filter=$2
	shift 2
	xm-ramdisk "$@" >"$out" 2>&1 && clean '' && jq -e "$filter" "$out" >/dev/null 2>&1
	ok "$name" $?
}

bad=$'a\nb\e[31m\xff\xc2\x9b\x7f'
shown='a\nb\x1b[31m\xff\xc2\x9b\x7f'
label=$'evil\n\e]0;\xe9'
dir=$seeds/$bad
mkdir "$dir"
seed=$dir/seed.img
truncate -s 1M "$seed"

prints "load" 0 1 "$shown/seed.img" load "$seed"
prints "list" 0 2 "$shown/seed.img" list
coproc "$B/tests/helpers/hold" "$seed" "$label"
holder=$COPROC_PID
read -r -u "${COPROC[0]}" _
prints "list, with an attachment" 0 3 'evil\n\x1b]0;\xe9' list
prints "show" 0 '' "$shown/seed.img" show seed.img
prints "show, the attachment" 0 '' 'evil\n\x1b]0;\xe9' show seed.img
prints "top" 0 2 'evil\n\x1b' top --once
prints "an unknown disk" 1 1 "$shown" show "$bad"
prints "an unknown seed" 1 1 "$shown/none" load "$dir/none"
printf 'x%.0s' {1..600} >"$dir/padded"
prints "a note about padding" 0 2 "$shown/padded ends inside a sector" load "$dir/padded"
prints "a disk that is dropped and attached" 0 1 "$shown/seed.img will be discarded" drop "$seed"
prints "save to a bad folder" 1 1 "$shown/no/file" save seed.img "$dir/no/file"
prints "a usage error" 2 1 "$shown" attach 0 seed xvdb "$bad"
prints "an unknown subcommand" 2 1 "$shown" "$bad"
prints "an unknown option" 2 1 "$shown" list "--$bad"
for t in direct xl xm; do
	prints "attach --dry-run, $t" 0 '' 'seed.img' attach --dry-run --toolstack=$t "$bad" "$seed" xvdb
done
prints "attach --remote --dry-run" 0 '' "$shown" attach --dry-run --remote "$bad" "nbd://host/$bad" xvdb

# ---- JSON ------------------------------------------------------------------

hex() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; }
json_has "the exact bytes of the seed's path" ".[] | select(.seed_hex == \"$(hex "$seed")\")" list --json
json_has "and of the label" ".attachments[] | select(.label_hex == \"$(hex "$label")\")" show --json seed.img
json_has "top" ".[] | select(.seed_hex == \"$(hex "$seed")\" and .label_hex == \"$(hex "$label")\")" top --once --json

# NAME STATUS PATH ARGUMENTS...: the output is JSON in UTF-8 for Python, as strict as it is, has no control
# character, and the exact bytes of PATH, unless that is empty, are in it.
reader='
import json, sys
output = sys.stdin.buffer.read()
want = sys.argv[1].encode("utf-8", "surrogateescape")
def refuse(constant):
    raise ValueError(constant)
value = json.loads(output.decode("utf-8"), parse_constant=refuse)
assert not [c for c in output.decode("utf-8") if c != "\n" and not c.isprintable()]
found = []
def walk(v):
    for k, x in v.items() if isinstance(v, dict) else enumerate(v):
        if isinstance(x, (dict, list)):
            walk(x)
        elif isinstance(x, str) and isinstance(v, dict) and k + "_hex" in v:
            found.append(bytes.fromhex(v[k + "_hex"]))
        elif isinstance(x, str):
            found.append(x.encode("utf-8"))
walk(value)
assert not want or [f for f in found if want in f], "the bytes of the path are not there"
'
python_reads() {
	local name=$1 want=$2 path=$3 status
	shift 3
	xm-ramdisk "$@" >"$out" 2>"$out.err" </dev/null
	status=$?
	[ $status = "$want" ] && python3 -c "$reader" "$path" <"$out" >>"$out.err" 2>&1
	status=$?
	[ $status = 0 ] || cat "$out.err" >>"$out"
	ok "JSON that Python reads: $name" $status
}

quotes=$seeds/$'q"uo\\te\'s \xe2\x80\xae\xc3\xa9 \xed\xa0\x80 \xf5{}[]\t,:'
mkdir "$quotes"
head -c 1M /dev/urandom >"$quotes/two.img"
prints "load of a path with quotes" 0 1 'two.img' load "$quotes/two.img"
python_reads "list" 0 "$seed" list --json
python_reads "list, quotes" 0 "$quotes/two.img" list --json
python_reads "list, the label" 0 "$label" list --json
python_reads "show" 0 "$seed" show --json seed.img
python_reads "show, quotes" 0 "$quotes/two.img" show --json two.img
python_reads "show --debug" 0 "$quotes/two.img" show --debug two.img
python_reads "top" 0 "$label" top --once --json
python_reads "diff" 0 '' diff --json two.img
program="$quotes/program"
cp "$B/xm-ramdisk" "$program" && cp "$B/xm-ramdisk" "$dir/program"
python_reads "interface of, quotes" 0 "$program" interface of --json "$program"
python_reads "interface of" 0 "$dir/program" interface of --json "$dir/program"
python_reads "interface check" 0 "$dir/program" interface check --json "$dir/program" 4.17.0
python_reads "interface list" 0 '' interface list --json
python_reads "interface show" 0 '' interface show --json 4.17.0
xm-ramdisk interface running --json >"$out" 2>"$out.err" </dev/null
status=$? # 1 without a hypervisor
python_reads "interface running" $status '' interface running --json
prints "interface of" 0 '' "$shown/program" interface of "$dir/program"
prints "interface check" 0 '' "$shown/program" interface check "$dir/program" 4.17.0
prints "interface of a file that is none" 1 1 "$shown/seed.img" interface of "$seed"
xm-ramdisk drop two.img

# ---- commands for copying --------------------------------------------------

# The words of the command that COMMAND's output names behind PREFIX, as a shell reads them.
copied() { # NAME PREFIX EXPECTED-WORD... -- COMMAND...
	local name=$1 prefix=$2 words=() text
	shift 2
	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	"$@" >"$out" 2>/dev/null
	text=$(sed -n "s/^.*$prefix//p" "$out" | tail -n 1)
	eval "set -- $text" 2>>"$out"
	[ "$(printf '<%s>' "$@")" = "$(printf '<%s>' "${words[@]}")" ]
	ok "$name" $?
}

quoted="$seeds/it's \$HOME \`id\`"
truncate -s 1M "$quoted"
copied "load: the command that drops the disk" 'dropped: ' xm-ramdisk drop "$quoted" -- xm-ramdisk load "$quoted"
copied "the same, with a newline in the path" 'dropped: ' xm-ramdisk drop "$seed" -- xm-ramdisk load "$seed"
copied "attach --dry-run, xl" 'would run: ' xl block-attach "a b" \
	"script=block-ramdisk,vdev=xvdb,access=rw,target=$quoted" -- \
	xm-ramdisk attach --dry-run --toolstack=xl "a b" "$quoted" xvdb
copied "attach --dry-run, xm" 'would run: ' xm block-attach "a'b" "tap:ram:$XEN_RAMDISK_DIR/aliases/DOMID.51728" xvdb w -- \
	xm-ramdisk attach --dry-run --toolstack=xm "a'b" "$quoted" xvdb
copied "attach --remote --dry-run" 'would run: nbdkit' --filter=retry nbd "uri=nbd://host/a?b&c=d'" retries=60 -- \
	xm-ramdisk attach --dry-run --remote a "nbd://host/a?b&c=d'" xvdb
exit $failed
