#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Limits of the process and of the host: a limit of file sizes, open files or
# memory, a store that is full, read-only or has no inode left, and a standard
# output that is closed or full. Each time xm-ramdisk prints one sentence, ends
# with status 1 and leaves nothing. At the end every subcommand under every limit.
# In a mount namespace of its own.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
if [ "${1-}" != inside ]; then
	[ "$(id -u)" = 0 ] || { echo "not ok limits: needs root"; exit 1; }
	exec unshare --mount --propagation private "$0" inside
fi
PATH=$B:$PATH
seeds=$(mktemp -d) || exit 1
export XEN_RAMDISK_DIR=$seeds/store
trap 'cd /; umount -R "$XEN_RAMDISK_DIR" 2>/dev/null; rm -rf "$seeds"' EXIT
out=$seeds/out
failed=0
mkdir "$seeds/dir" && truncate -s 8M "$seeds/dir/seed.img"
seed=$seeds/dir/seed.img

# An empty store on a tmpfs with OPTIONS.
fresh() { # OPTIONS
	umount "$XEN_RAMDISK_DIR" 2>/dev/null
	mkdir -p "$XEN_RAMDISK_DIR" && mount -t tmpfs -o "mode=700,$1" none "$XEN_RAMDISK_DIR"
}

nothing_left() {
	[ -z "$(find "$XEN_RAMDISK_DIR" -name 'f-*' -o -name '*seed*')" ] && [ "$(ls "$seeds/dir")" = seed.img ]
}

# NAME REGEX COMMAND...: status 1 and one sentence, which is "xm-ramdisk: REGEX".
refused() {
	local name=$1 regex=$2 status problem=
	shift 2
	("$@") 2>&1 </dev/null | cat >"$out" # a pipe has no limit of its size
	status=${PIPESTATUS[0]}
	[ "$status" = 1 ] || problem="status $status"
	[ "$(wc -l <"$out")" = 1 ] || problem+=", not one line"
	grep -qE -e "^xm-ramdisk: $regex" "$out" || problem+=", no '$regex'"
	if [ -z "$problem" ]; then
		echo "ok limits: $name"
	else
		sed 's/^/# /' "$out"
		echo "not ok limits: $name: $problem"
		failed=1
	fi
}

ok() { # NAME CONDITION-STATUS
	[ "$2" = 0 ] && echo "ok limits: $1" && return
	sed 's/^/# /' "$out"
	find "$XEN_RAMDISK_DIR" "$seeds/dir" | sed 's/^/# /'
	echo "not ok limits: $1"
	failed=1
}

# shellcheck disable=SC2317 # refused runs it
limited() { # OPTION N ARGUMENTS...: with that limit
	ulimit "$1" "$2" || exit 99
	exec timeout 60 xm-ramdisk "${@:3}"
}
# shellcheck disable=SC2317
to() { # FILE ARGUMENTS...
	exec timeout 60 xm-ramdisk "${@:2}" >"$1"
}
# shellcheck disable=SC2317
closed() { # ARGUMENTS...
	exec timeout 60 xm-ramdisk "$@" >&-
}

# ---- ulimit ------------------------------------------------------------------

fresh size=64M
refused "ulimit -f: load" '.*: File too large$' limited -f 100 load "$seed"
nothing_left
ok "ulimit -f: no file is left" $?
refused "ulimit -f 0: load" '.*: File too large$' limited -f 0 load "$seed"
nothing_left
ok "ulimit -f 0: no file is left" $?
for n in 4 5 6 8 12 20 63; do
	refused "ulimit -n $n: load" 'the limit of open files is too low, .*ulimit -n' limited -n $n load "$seed"
	nothing_left
	ok "ulimit -n $n: no file is left" $?
done
if (ulimit -v 100000 && xm-ramdisk --version) >/dev/null 2>&1; then # a sanitizer needs more
	refused "ulimit -v: load" 'no memory to read seed .*' limited -v 10000 load "$seed"
	nothing_left
	ok "ulimit -v: no file is left" $?
fi

xm-ramdisk load "$seed" >"$out" 2>&1
ok "without limits: load" $?
refused "ulimit -n: list does not say that there is no disk" 'the limit of open files is too low' limited -n 5 list
refused "ulimit -n: show does not say that the seed is gone" 'the limit of open files is too low' limited -n 6 show seed.img
refused "ulimit -f: save" 'cannot save to .*: File too large; no part of it was left there$' \
	limited -f 100 save seed.img "$seeds/dir/copy"
[ "$(ls "$seeds/dir")" = seed.img ]
ok "ulimit -f: nothing is left of the save" $?
(ulimit -n 64 && xm-ramdisk save seed.img "$seeds/copy" && xm-ramdisk reset seed.img && xm-ramdisk diff seed.img) >"$out" 2>&1
ok "64 open files are enough" $?

# ---- standard output ----------------------------------------------------------

for c in list "list --json" "show seed.img" "show --json seed.img" "top --once" "--help" "--version" "list --help"; do
	# shellcheck disable=SC2086 # words
	refused "to a full device: $c" 'cannot write to the standard output: No space left on device$' to /dev/full $c
	# shellcheck disable=SC2086
	refused "to a closed output: $c" 'the standard output is closed; nothing was done$' closed $c
done
refused "top, again and again, to a full device" 'cannot write to the standard output: ' timeout 30 bash -c 'exec xm-ramdisk top >/dev/full'
xm-ramdisk drop seed.img
refused "load, to a full device" 'cannot write to the standard output: ' to /dev/full load "$seed"
nothing_left
ok "load, to a full device: no file is left" $?
refused "load, to a closed output" 'the standard output is closed; nothing was done$' closed load "$seed"
nothing_left
ok "load, to a closed output: no file is left" $?
xm-ramdisk load "$seed" >"$out" 2>&-
ok "a closed standard error is none of these" $?
xm-ramdisk drop seed.img

# ---- the store's file system --------------------------------------------------

fresh size=4M
refused "a full store: load" '.* needs .* of memory, and .* free of ' xm-ramdisk load "$seed"
nothing_left
ok "a full store: no file is left" $?
fresh size=64M,nr_inodes=1
refused "no inodes: load" '.*: No space left on device$' xm-ramdisk load "$seed"
nothing_left
ok "no inodes: no file is left" $?
for n in 2 3 4; do
	fresh size=64M,nr_inodes=$n
	if xm-ramdisk load "$seed" >"$out" 2>&1; then
		break
	fi
	refused "$n inodes: load" '.*: No space left on device$' xm-ramdisk load "$seed"
	nothing_left
	ok "$n inodes: no file is left" $?
done
fresh size=64M,ro
refused "a read-only store: load" '.*: Read-only file system$' xm-ramdisk load "$seed"
nothing_left
ok "a read-only store: no file is left" $?
fresh size=64M
xm-ramdisk load "$seed" >"$out" 2>&1 && mount -o remount,ro "$XEN_RAMDISK_DIR" || exit 1
refused "a store that became read-only: list does not say that there is no disk" '.* read-only' xm-ramdisk list
refused "a store that became read-only: drop" '.*: Read-only file system$' xm-ramdisk drop seed.img
mount -o remount,rw "$XEN_RAMDISK_DIR"
xm-ramdisk list >"$out" 2>&1 && grep -q 'seed.img: 8 MiB, kept' "$out"
ok "and that was mounted for writing again: list" $?
umount "$XEN_RAMDISK_DIR" && mount -t tmpfs -o ro,mode=700 none "$XEN_RAMDISK_DIR"
# shellcheck disable=SC2317
in_missing_store() { # ARGUMENTS...
	XEN_RAMDISK_DIR+=/none
	exec xm-ramdisk "$@"
}
refused "a store that cannot be made" '.*: Read-only file system' in_missing_store load "$seed"


# ---- every subcommand under every limit ----------------------------------------

fresh size=64M
xm-ramdisk load "$seed" >"$out" 2>&1
truncate -s 1M "$seeds/other.img"
subcommands=(
	"load $seeds/other.img" list "list --json" "show seed.img" "show --debug seed.img" "top --once" "top --once --json"
	"drop seed.img" "reset seed.img" "save seed.img $seeds/dir/copy" "diff seed.img" "diff --json seed.img"
	"attach a $seed xvdb" "attach --dry-run a $seed xvdb" "attach --toolstack=xm a $seed xvdb" "attach --toolstack=xl a $seed xvdb"
	"attach --remote a nbd://127.0.0.1:1/x xvdb" "detach a xvdb" "fault --json seed.img a" "fault --error=all seed.img a"
	"serve --background --socket=$seeds/s.sock $seed" "serve --background --discard --socket=$seeds/s.sock $seeds/other.img"
	"serve --background --tcp=127.0.0.1:0 --insecure $seeds/dir"
	"fence 192.0.2.1" "fence --list" "fence --lift 192.0.2.1" "hotplug add backend/vbd/1/51712" "hotplug remove backend/vbd/1/51712"
	"hotplug clean" "hotplug watch" "interface list" "interface list --svg $seeds/dir/picture" "interface show 4.17.0" "interface of $B/xm-ramdisk" "interface of --json $B/xm-ramdisk"
	"interface check 4.17.0 4.17.0" "interface running" --help --version "serve --help"
)

# What is in the store and beside the seed, without the servers that run.
files() { find "$XEN_RAMDISK_DIR" "$seeds/dir" "$seeds/s.sock" -type f,s 2>/dev/null | grep -v '/fenced\(\.lock\)\?$' | sort; }

end_servers() {
	local pid
	for pid in $(pgrep -f "^xm-ramdisk serve .*$seeds"); do
		kill "$pid"
		while grep -q . "/proc/$pid/cmdline" 2>/dev/null; do sleep 0.05; done # empty when it has ended
	done
}

undo() { # SUBCOMMAND
	case $1 in
	load*) xm-ramdisk drop "$seeds/other.img" ;;
	drop*) xm-ramdisk load "$seed" >/dev/null ;;
	save*) rm "$seeds/dir/copy" ;;
	*--svg*) rm "$seeds/dir/picture" ;;
	esac
}

# ---- memory of a disk that another process takes away, and a full store ---------

fresh size=12m
printf hello | dd of="$seed" bs=1 seek=1M conv=notrunc 2>/dev/null
"$B/xm-ramdisk" load --thin "$seed" >"$out"
id=$(xm-ramdisk list --json | jq -r '.[0].id')
for c in "save $id $seeds/dir/saved" "diff $id" "reset $id"; do
	fallocate -p -o 0 -l 8M "$XEN_RAMDISK_DIR/$id.data"
	fallocate -p -o 0 -l 8M "$XEN_RAMDISK_DIR/$id.ranges"
	cat /dev/zero >"$XEN_RAMDISK_DIR/filler" 2>/dev/null
	# shellcheck disable=SC2086 # words of a command
	refused "memory is taken away: ${c%% *}" 'the store is full, and memory of a disk was taken away by another process' xm-ramdisk $c
	rm "$XEN_RAMDISK_DIR/filler"
	[ "$(ls "$seeds/dir")" = seed.img ]
	ok "and nothing is left of ${c%% *}" $?
done
xm-ramdisk drop "$id" >"$out" 2>&1
nothing_left
ok "and the disk can be dropped" $?
truncate -s 0 "$seed" && truncate -s 8M "$seed"
fresh size=64M

# LIMIT COMMAND...: each subcommand behind COMMAND ends with status 0; or with status 1 and one sentence, which is
# the last line, of xm-ramdisk. It leaves nothing.
every() {
	local limit=$1 c status problem before after began
	shift
	for c in "${subcommands[@]}"; do
		problem=
		before=$(files) began=$SECONDS
		# shellcheck disable=SC2086 # words
		("$@" $c) 2>&1 </dev/null | cat >"$out" # a pipe has no limit of its size
		status=${PIPESTATUS[0]}
		end_servers
		[ "$status" != 0 ] || undo "$c"
		after=$(files)
		case $status in
		0) ;;
		1)
			[ "$c" != "interface running" ] || sed -i 's/^no hypervisor: /xm-ramdisk: &/' "$out"
			[ "$(grep -c '^xm-ramdisk: [^ ]' "$out")" = 1 ] || problem+=", not one sentence"
			;;
		*) problem="status $status" ;;
		esac
		[ $((SECONDS - began)) -lt 30 ] || problem+=", $((SECONDS - began)) seconds"
		[ "$before" = "$after" ] || problem+=", left: $(diff <(echo "$before") <(echo "$after"))"
		if [ -z "$problem" ]; then
			echo "ok limits: $limit: $c"
		else
			sed 's/^/# /' "$out"
			echo "not ok limits: $limit: $c: $problem"
			failed=1
		fi
	done
}

every "no limit" timeout 60 xm-ramdisk
every "ulimit -f 0" limited -f 0
every "ulimit -n 5" limited -n 5
every "ulimit -n 64" limited -n 64
if (ulimit -v 100000 && xm-ramdisk --version) >/dev/null 2>&1; then
	every "ulimit -v 10000" limited -v 10000
	every "ulimit -v 20000" limited -v 20000
fi
every "a full output" to /dev/full
every "a closed output" closed
fresh size=64M,nr_inodes=1 || exit 1
every "no inodes" timeout 60 xm-ramdisk
fresh size=64M || exit 1
cat /dev/zero >"$XEN_RAMDISK_DIR/filler" 2>/dev/null
every "a full store" timeout 60 xm-ramdisk
rm "$XEN_RAMDISK_DIR/filler"
mount -o remount,ro "$XEN_RAMDISK_DIR" || exit 1
every "a read-only store" timeout 60 xm-ramdisk
exit $failed
