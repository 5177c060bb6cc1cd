#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The file of disks, xen-ramdisk-disks(5): load --all, --check and --served; what each wrong
# line and each wrong file is told. Needs root, for a name space with an /etc of its own.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
PATH=$B:$PATH
seeds=$(mktemp -d) || exit 1
store=$(mktemp -d /dev/shm/xen-ramdisk-test-XXXXXX) || exit 1
export XEN_RAMDISK_DIR=$store
trap 'rm -rf "$seeds" "$store"' EXIT
out=$seeds/out disks=$seeds/disks
failed=0

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok disks file: $1"
		return
	fi
	sed 's/^/# /' "$out" | cut -c 1-400
	echo "not ok disks file: $1"
	failed=1
}

# NAME STATUS REGEX ARGUMENTS: xm-ramdisk ends with STATUS and prints REGEX.
says() {
	local name=$1 want=$2 regex=$3 status
	shift 3
	timeout 60 xm-ramdisk "$@" >"$out" 2>&1
	status=$?
	[ $status = "$want" ] && grep -qE -e "$regex" "$out"
	ok "$name" $?
}

# NAME REGEX LINE...: --check refuses the last line, with FILE:LINE and REGEX, and no other.
refuses() {
	local name=$1 regex=$2
	shift 2
	printf '%s\n' "$@" >"$disks"
	xm-ramdisk load --check "$disks" >"$out" 2>&1
	[ $? = 1 ] && [ "$(grep -c '^xm-ramdisk: ' "$out")" = 1 ] &&
		grep -qE -e "^xm-ramdisk: $disks:$#: $regex" "$out"
	ok "$name" $?
}

loaded() { # the disks' names and seeds, in one line
	xm-ramdisk list --json | jq -r '.[] | if .name == "" then (.seed | split("/") | last) else .name end' | tr '\n' ' '
}

# ---- a file, and the disks of it ---------------------------------------------

truncate -s 1M "$seeds/a.img" "$seeds/c d,#.img"
head -c 2M /dev/urandom >"$seeds/b.img"
printf '# a comment\n\n%s\n \t%s,name=lab,thin,serve\t \r\n%s,keep\n%s,name=last,lazy' \
	"$seeds/a.img" "$seeds/b.img" "$seeds/c d,,#.img" "$seeds/b.img" >"$disks"
rmdir "$store"
says "check: what would be loaded" 0 "b.img as lab: 2 MiB, thin, serve, will be loaded$" load --check "$disks"
[ "$(grep -c 'will be loaded$' "$out")" = 4 ]
ok "check: all four disks" $?
[ ! -e "$store" ]
ok "check makes no store" $?
mkdir -m 700 "$store"
says "check, with an empty store" 0 "a.img: 1 MiB, will be loaded$" load --all --check "$disks"
[ "$(xm-ramdisk list)" = "no RAM disks" ]
ok "check loads nothing" $?
says "all disks are loaded" 0 "as last: 2 MiB, lazy, loaded$" load --all "$disks"
[ "$(loaded)" = "a.img lab last c d,#.img " ]
ok "with a comment, blanks, a blank in a path, CRLF, and no newline at the end" $?
xm-ramdisk list --json | jq -e 'all(.keep) and (map(select(.name == "lab")) | .[0].thin)' >"$out"
ok "they are kept, and have their options" $?
says "again: nothing is loaded" 0 "b.img as lab: 2 MiB, thin, serve, loaded already$" load --all "$disks"
[ "$(grep -c 'loaded already$' "$out")" = 4 ]
ok "again: all four are loaded already" $?
says "check: what is loaded" 0 "a.img: 1 MiB, is loaded$" load --check "$disks"
xm-ramdisk drop lab
says "one that was dropped is loaded again" 0 "as lab: 2 MiB, thin, serve, loaded$" load --all "$disks"
[ "$(grep -c ', loaded$' "$out")" = 1 ]
ok "only that one" $?
says "the names of disks that are served" 0 '^lab$' load --served "$disks"
[ "$(wc -l <"$out")" = 1 ]
ok "no other name" $?

# attached, not kept: kept from now on
printf '%s,name=used\n' "$seeds/a.img" >"$disks"
xm-ramdisk load --name=used "$seeds/a.img" >"$out" && xm-ramdisk serve --name=used --background \
	--pid-file="$seeds/pid" --socket="$seeds/sock" "$seeds/a.img" >>"$out" && xm-ramdisk drop used >>"$out"
says "a disk that is used, and not kept" 0 'as used: 1 MiB, loaded already' load --all "$disks"
kill "$(cat "$seeds/pid")"
for _ in $(seq 50); do
	[ -e "$seeds/pid" ] || break
	sleep 0.1
done
says "is kept from now on" 0 'as used: 1 MiB, kept, attached 0 times' list

# ---- lines -------------------------------------------------------------------

a=$seeds/a.img
refuses "an unknown option" "'thn' behind the seed is none of serve, thin, lazy, keep, fresh, name=NAME" "$a,thn"
refuses "a blank behind a comma" "' thin' behind the seed" "$a, thin"
refuses "a comment behind a seed" "'keep # lab' behind the seed" "" "$a,keep # lab"
refuses "an empty name" "'name=' behind the seed" "$a,name="
refuses "no seed" "the seed's path is empty" ",name=x"
refuses "a relative path" "'a.img' is no seed; expected an absolute path or a URI" "a.img"
refuses "a path that cannot be a name" "'x/y' cannot be a disk's name" "$a,name=x/y"
refuses "a private view" "'private' is for an attachment" "$a,private"
refuses "a point" "'point' is for an attachment" "$a,point=before"
refuses "a sector size" "'sector-size' is for an attachment" "$a,sector-size=4096"
refuses "serve without a name" "'serve' needs name=NAME" "$a,serve"
refuses "a seed that is missing" "cannot open seed $seeds/none: No such file" "# one" "$seeds/none"
refuses "a directory as a seed" "seed $seeds is a directory; expected an image file or a block device" "$seeds"
: >"$seeds/empty"
refuses "an empty seed" "seed $seeds/empty is empty" "$seeds/empty,name=e"
refuses "an NBD server that is missing" '.*nbd\+unix' "nbd+unix:///?socket=$seeds/none"
refuses "a name twice" "line 1 has the name 'one' already" "$a,name=one" "$seeds/b.img,name=one"
ln -s a.img "$seeds/link"
ln "$a" "$seeds/hard"
refuses "a seed twice" "line 2 has the same seed already" "" "$a" "$a"
refuses "a seed twice, by a symbolic link" "line 1 has the same seed already" "$a" "$seeds/link"
refuses "a seed twice, by a hard link" "line 1 has the same seed already" "$a" "$seeds/hard,thin"
printf '%s\n%s,name=one\n%s,name=two\n' "$a" "$a" "$a" >"$disks"
says "a seed of disks with different names" 0 'as two: 1 MiB, will be loaded' load --check "$disks"
refuses "a control character is shown as such" "'a\\\\x1b' is no seed" $'a\e'
{ printf '%s\n' "$a" && head -c 1000000 /dev/zero | tr '\0' / && echo && echo "$seeds/b.img"; } >"$disks"
says "a line of 1 MB" 1 "^xm-ramdisk: $disks:2: the line has 1000001 bytes; expected" load --check "$disks"
grep -q 'b.img: 2 MiB, will be loaded' "$out"
ok "the line behind it is read" $?
printf '%s\n' "$seeds/none" "$seeds/b.img" "$a,thn" "$a,name=good" >"$disks"
says "a line that fails does not stop the others" 1 'as good: 1 MiB, loaded$' load --all "$disks"
grep -q "^xm-ramdisk: $disks:1: cannot open seed" "$out" && grep -q "^xm-ramdisk: $disks:3: 'thn'" "$out" &&
	grep -q 'b.img: 2 MiB, loaded$' "$out"
ok "each fault has its line" $?
cp "$seeds/b.img" "$seeds/new" && mv "$seeds/new" "$seeds/b.img"
echo "$seeds/b.img" >"$disks"
says "a seed that was replaced" 1 "^xm-ramdisk: $disks:1: .*is another file now" load --all "$disks"
echo "$seeds/b.img,fresh" >"$disks"
says "the same, with fresh" 0 'b.img: 2 MiB, loaded$' load --all "$disks"

# ---- memory --------------------------------------------------------------------

printf '%s,name=m1\n%s,name=m2\n' "$a" "$a" >"$disks"
XEN_RAMDISK_MEMORY_MARGIN=1000T says "more than there is memory for" 1 \
	"^xm-ramdisk: $disks: loading 2 disks needs 2.0 MiB of memory, and this system has" load --check "$disks"
printf '%s,name=m1,thin\n' "$a" >"$disks"
XEN_RAMDISK_MEMORY_MARGIN=1000T says "thin disks are not counted" 0 'will be loaded' load --check "$disks"

# ---- files and options ---------------------------------------------------------

says "a directory" 1 "^xm-ramdisk: $seeds is no regular file; expected a text file" load --all "$seeds"
mkfifo "$seeds/fifo"
says "a named pipe, which nobody writes" 1 'is no regular file' load --all "$seeds/fifo"
says "a program" 1 ':1: a byte 0; expected a text file' load --all "$B/nbdkit-ramdisk-plugin.so"
truncate -s 3M "$seeds/large"
says "a large file" 1 'large has 3 MiB; expected a text file' load --all "$seeds/large"
says "a file that is missing" 1 "cannot open $seeds/none: No such file" load --all "$seeds/none"
: >"$disks"
says "an empty file" 0 "^no disks in $disks$" load --all "$disks"
says "an empty file, checked" 0 "^no disks in $disks$" load --check "$disks"
says "two files" 2 'expected SEED or FILE, got 2 arguments' load --all "$disks" "$disks"
says "an option of one seed" 2 '^xm-ramdisk: --name, .* are for one SEED' load --all --thin "$disks"
says "check and served" 2 '--check and --served exclude each other' load --check --served "$disks"
says "neither a seed nor a file" 2 'expected SEED, got 0 arguments' load

# NAME STATUS REGEX CONTENTS|-: --all with an /etc of its own
by_default() {
	mkdir -p "$seeds/ns"
	unshare -m sh -c 'mount -t tmpfs none "$1" && mkdir "$1/up" "$1/work" &&
		mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/up,workdir=$1/work" /etc &&
		rm -rf /etc/xen-ramdisk && if [ "$2" != - ]; then
			mkdir /etc/xen-ramdisk && echo "$2" >/etc/xen-ramdisk/disks
		fi && exec xm-ramdisk load --all' sh "$seeds/ns" "$4" >"$out" 2>&1
	[ $? = "$2" ] && grep -qE -e "$3" "$out"
	ok "$1" $?
}
by_default "no file in /etc is no error" 0 '^no disks in /etc/xen-ramdisk/disks$' -
by_default "the file in /etc" 0 'as default: 1 MiB, loaded$' "$a,name=default"
by_default "a fault in it" 1 "^xm-ramdisk: /etc/xen-ramdisk/disks:1: 'x' behind the seed" "$a,x"
exit $failed
