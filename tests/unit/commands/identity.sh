#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The same path with another file behind it, for the person at the terminal: each
# command that is given the path refuses, and each way on that its message offers
# can be taken. Mounts, in a mount namespace of its own; needs root.
set -u
if [ -z "${IDENTITY_MOUNTS-}" ]; then
	IDENTITY_MOUNTS=own exec unshare -m "$0" "$@"
fi
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
PATH=$B:$PATH
seeds=$(mktemp -d) || exit 1
XEN_RAMDISK_DIR=$(mktemp -d /dev/shm/xen-ramdisk-test-XXXXXX) || exit 1
export XEN_RAMDISK_DIR
loop=
# shellcheck disable=SC2317 # the trap runs it
end() {
	[ -z "$loop" ] || losetup -d "$loop" 2>/dev/null
	umount "$seeds/mnt" "$seeds/t" 2>/dev/null
	rm -rf "$seeds" "$XEN_RAMDISK_DIR"
}
trap end EXIT
out=$seeds/out
failed=0

ok() { # NAME CONDITION-STATUS
	if [ "$2" = 0 ]; then
		echo "ok identity: $1"
	else
		sed 's/^/# /' "$out"
		echo "not ok identity: $1"
		failed=1
	fi
}

# NAME STATUS REGEX ARGUMENTS: xm-ramdisk ends with STATUS and prints REGEX.
says() {
	local name=$1 want=$2 regex=$3 status
	shift 3
	xm-ramdisk "$@" >"$out" 2>&1 </dev/null
	status=$?
	[ $status = "$want" ] && grep -qE -e "$regex" "$out"
	ok "$name" $?
}

does() { # NAME COMMAND...
	local name=$1
	shift
	"$@" >"$out" 2>&1 </dev/null
	ok "$name" $?
}

ids() { xm-ramdisk list --json | jq -r '.[].id'; }
drop_all() {
	local id
	for id in $(ids); do
		xm-ramdisk drop "$id" || return 1
	done
	[ -z "$(ls -A "$XEN_RAMDISK_DIR")" ]
}

# ---- two disks of one path ----------------------------------------------------

a=$seeds/a.img
truncate -s 1M "$a"
does "load" xm-ramdisk load "$a"
old=$(ids)
says "list shows no id where names are enough" 0 '^/.*/a.img: 1 MiB, kept, attached 0 times$' list
! grep -q "$old" "$out"
ok "no id" $?
truncate -s 2M "$seeds/b" && mv "$seeds/b" "$a"
says "load of a replaced file is refused" 1 "^xm-ramdisk: $a is another file now \(2 MiB, modified .*\) than the one that disk $old was loaded from \(1 MiB, modified .*\): to use that disk, give its id, $old, in place of the path; to make a disk of the new one, add --fresh or --name=NAME" load "$a"
does "the refusal is one line" test "$(wc -l <"$out")" = 1
does "and nothing was loaded" test "$(ids)" = "$old"
says "list tells of the file" 0 'a.img: 1 MiB, kept, of a file that was replaced, attached 0 times' list
says "the first way: the id" 0 "kept until it is dropped" load "$old"
does "it is the old disk" test "$(ids)" = "$old"
says "the second way: --fresh" 0 "a.img: 2 MiB, kept until" load --fresh "$a"
new=$(ids | grep -vxF "$old")
does "it is another disk" test -n "$new"
says "the command that drops it has the id" 0 "xm-ramdisk drop $new\$" load --fresh "$a"
says "the third way: a name" 0 'kept until it is dropped: xm-ramdisk drop third$' load --name=third "$a"
says "the name, once more" 0 'as third: 2 MiB' list
says "list shows the ids" 0 "^  id $old\$" list
grep -qxF "  id $new" "$out"
ok "of both" $?
says "the path means neither" 1 "1 MiB, modified.*to use the disk of the new one, add --fresh" load "$a"
does "drop the named one" xm-ramdisk drop third

# Each command with the path or its end: refused, with choices that can be taken.
choices() { # NAME ARGUMENTS: the message offers the ids, and nothing else
	says "$1: refused" 1 "names more than one disk; choose from: .*$old" "${@:2}"
	sed 's/.*choose from: //; s/ ([^)]*)//g; s/, /\n/g' "$out" | sort >"$seeds/choices"
	ids | sort | cmp -s - "$seeds/choices"
	ok "$1: the choices are the ids" $?
}
for name in "$a" a.img; do
	for c in show drop reset diff; do
		choices "$c ${name##"$seeds"/}" $c "$name"
	done
	choices "save ${name##"$seeds"/}" save "$name" "$seeds/saved"
done
mkdir "$seeds/empty"
cd "$seeds/empty" || exit 1 # where a.img is no file
choices "load a.img" load a.img
choices "serve a.img" serve a.img
cd "$OLDPWD" || exit 1

# shellcheck disable=SC1091
. tools/completion/xm-ramdisk.bash
completes() { # NAME EXPECTED WORDS...
	COMP_WORDS=(xm-ramdisk "${@:3}") COMP_CWORD=$(($# - 2))
	_xm_ramdisk
	printf '%s\n' "${COMPREPLY[@]}" >"$out"
	[ "$(sort "$out")" = "$2" ]
	ok "$1" $?
}
completes "an id completes" "$(ids | sort)" show f-
completes "a path of two disks does not" '' show a
completes "nor as a whole path" '' show "$a"
completes "--fresh completes" --fresh load --f

for id in $old $new; do
	n=old
	[ "$id" = "$old" ] || n=new
	says "show by id, $n" 0 "^id: +$id\$" show "$id"
	says "show --debug by id, $n" 0 "\"id\": \"$id\"" show --debug "$id"
	says "load by id, $n" 0 "xm-ramdisk drop $id\$" load "$id"
	does "save by id, $n" xm-ramdisk save --force "$id" "$seeds/saved"
	does "save by id, $n: the size" test "$(stat -c %s "$seeds/saved")" = "$(stat -c %s "$XEN_RAMDISK_DIR/$id.data")"
done
does "diff by id, new" xm-ramdisk diff "$new"
does "reset by id, new" xm-ramdisk reset "$new"
refusal="^xm-ramdisk: $a is another file now than the one that disk $old was loaded from; the disk cannot be compared with it or reset to it"
says "diff by id, old: the file is another one" 1 "$refusal" diff "$old"
says "reset by id, old: the file is another one" 1 "$refusal" reset "$old"
says "--fresh with an id" 1 "$new is a loaded disk, and --fresh makes a disk of the file at a seed's path" load --fresh "$new"
says "attach --dry-run by id" 0 "target=$old,private,fresh'" attach --dry-run --toolstack=xl --private --fresh one "$old" xvdb
says "attach --dry-run, fresh in a disk line" 0 "target=$a,fresh'" attach --dry-run --toolstack=xl one "$a,fresh" xvdb
says "an option that is none" 2 'none of private, thin, lazy, keep, fresh, name=NAME' attach --dry-run one "$a,bogus" xvdb

does "drop by id" xm-ramdisk drop "$old"
says "the path means the disk that is left" 0 "a.img: 2 MiB, kept until" load "$a"
does "drop by path" xm-ramdisk drop "$a"
does "nothing is left" drop_all

# ---- two disks of one file name -----------------------------------------------

mkdir "$seeds/x" "$seeds/y"
truncate -s 1M "$seeds/x/same.img" "$seeds/y/same.img"
does "load two" sh -c "xm-ramdisk load '$seeds/x/same.img' && xm-ramdisk load '$seeds/y/same.img'"
xm-ramdisk list >"$out"
[ "$(grep -c '^  id f-' "$out")" = 2 ]
ok "list shows ids of disks with the same file name" $?
says "the choices are the paths" 1 "choose from: $seeds/x/same.img, $seeds/y/same.img\$" show same.img
does "and a path finds its disk" xm-ramdisk show "$seeds/x/same.img"
does "nothing is left of the two" drop_all

# ---- a file that is gone, one that was modified -------------------------------

truncate -s 1M "$seeds/gone.img"
xm-ramdisk load "$seeds/gone.img" >/dev/null
touch -d @5 "$seeds/gone.img"
says "a modified file: the disk, and a note" 0 'note: .*/gone.img was modified since its disk was loaded; the disk has the old contents' load "$seeds/gone.img"
rm "$seeds/gone.img"
says "a removed file: its disk's id" 1 "No such file or directory; the disk $(ids) was loaded from that path" load "$seeds/gone.img"
does "the id can be used" xm-ramdisk load "$(ids)"
does "nothing is left of it" drop_all

# ---- a loop device of another image --------------------------------------------

printf ONE >"$seeds/one" && truncate -s 4M "$seeds/one"
printf TWO >"$seeds/two" && truncate -s 8M "$seeds/two"
loop=$(losetup -f --show "$seeds/one")
does "load a loop device" xm-ramdisk load "$loop"
old=$(ids)
losetup -d "$loop" && losetup "$loop" "$seeds/two"
says "the number has another image: refused" 1 "$loop is another device now \(8 MiB\) than the one that disk $old was loaded from \(4 MiB\)" load "$loop"
does "--fresh makes a disk of it" xm-ramdisk load --fresh "$loop"
new=$(ids | grep -vxF "$old")
[ "$(head -c 3 "$XEN_RAMDISK_DIR/$old.data")$(head -c 3 "$XEN_RAMDISK_DIR/$new.data")" = ONETWO ]
ok "each disk has its image" $?
does "nothing is left of the loop device" drop_all
losetup -d "$loop"
loop=

# ---- overlayfs ------------------------------------------------------------------

# NAME COMMAND: a change that copies the file up keeps the disk
copied_up() {
	cd "$seeds" && mkdir -p t mnt && mount -t tmpfs none t && mkdir t/lo t/up t/wk
	truncate -s 4M t/lo/seed.img
	mount -t overlay overlay -o lowerdir=t/lo,upperdir=t/up,workdir=t/wk mnt
	before=$(stat -c %w mnt/seed.img)
	xm-ramdisk load mnt/seed.img >/dev/null
	old=$(ids)
	$2 mnt/seed.img
	[ "$before" != "$(stat -c %w mnt/seed.img)" ]
	ok "$1: the file was born again" $?
	does "$1: load" xm-ramdisk load mnt/seed.img
	does "$1: one disk" test "$(ids)" = "$old"
	does "$1: the seed is there" sh -c "xm-ramdisk show --json mnt/seed.img | jq -e '.seed_now == \"$3\"'"
	does "$1: diff" xm-ramdisk diff mnt/seed.img
	cp mnt/seed.img mnt/new && mv mnt/new mnt/seed.img
	says "$1, then replaced: refused" 1 "is another file now .* than the one that disk $old was" load mnt/seed.img
	does "$1: nothing is left" drop_all
	umount mnt t
	cd "$OLDPWD" || exit 1
}
copied_up "copy-up by chmod" "chmod u+x" same
copied_up "copy-up by touch" "touch" modified
exit $failed
