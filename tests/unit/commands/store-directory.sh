#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The store's directory: what is refused before anything is mounted, and that
# commands which only read make and mount nothing. In a mount namespace of its
# own: a mistake here could hide the host's files.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
if [ "${1-}" != inside ]; then
	[ "$(id -u)" = 0 ] || { echo "not ok store directory: needs root"; exit 1; }
	exec unshare --mount --propagation private "$0" inside
fi
tool=$B/xm-ramdisk
tmp=$(mktemp -d /var/tmp/xen-ramdisk-test-XXXXXX) || exit 1 # no tmpfs
trap 'cd /; umount -R "$tmp"/* 2>/dev/null; rm -rf "$tmp"' EXIT
out=$tmp/out
failed=0

result() { # STATUS NAME
	if [ "$1" = 0 ]; then
		echo "ok store directory: $2"
		return
	fi
	echo "not ok store directory: $2"
	sed 's/^/    /' "$out"
	failed=1
}

with() { # DIRECTORY ARGUMENTS...: run the tool with that store
	XEN_RAMDISK_DIR=$1 "$tool" "${@:2}" >"$out" 2>&1
}

mounts() {
	wc -l </proc/self/mountinfo
}

# A load fails with @SENTENCE, and nothing was mounted meanwhile.
refused() { # DIRECTORY SENTENCE
	local before
	before=$(mounts)
	! with "$1" load "$tmp/seed" && [ "$(wc -l <"$out")" = 1 ] && grep -q "$2" "$out" &&
		[ "$(mounts)" = "$before" ]
}

truncate -s 1M "$tmp/seed"

mkdir -m 0700 "$tmp/full" && echo precious >"$tmp/full/file"
refused "$tmp/full" 'is not on tmpfs and has files in it, so nothing is mounted there'
result $? "a directory with files in it is refused"
with "$tmp/full" list && [ "$(cat "$tmp/full/file")" = precious ]
result $? "list leaves such a directory as it is"

before=$(mounts)
refused / 'is not on tmpfs and has files in it\|is not yours alone' && with / list && [ -d /proc/self ] && [ "$(mounts)" = "$before" ]
result $? "so does the root of the host"

mkdir -m 0700 "$tmp/real" && ln -s real "$tmp/link"
refused "$tmp/link" 'link is not a directory; name one of your own in $XEN_RAMDISK_DIR, not a symbolic link'
result $? "a symbolic link is refused"
refused "$tmp/link/" 'not a symbolic link to one'
result $? "also with a slash behind it"

mkdir -m 0700 "$tmp/theirs" && chown 1 "$tmp/theirs"
refused "$tmp/theirs" 'theirs is not yours alone to write'
result $? "another user's directory is refused"
mkdir "$tmp/open" && chmod 0777 "$tmp/open"
refused "$tmp/open" 'open is not yours alone to write'
result $? "one that others may write is refused"
mkdir "$tmp/tmpfs" && mount -t tmpfs -o mode=1777 none "$tmp/tmpfs"
refused "$tmp/tmpfs" 'tmpfs is not yours alone to write'
result $? "also on tmpfs"

mkdir -m 0700 "$tmp/empty"
before=$(mounts)
for c in list "list --json" "show x" "diff x" "save x $tmp/copy" "top --once"; do
	# shellcheck disable=SC2086 # words
	with "$tmp/empty" $c
	# shellcheck disable=SC2086
	with "$tmp/missing" $c
done
[ "$(mounts)" = "$before" ] && [ ! -e "$tmp/missing" ] && [ ! -e "$tmp/copy" ]
result $? "commands that only read make and mount nothing"
with "$tmp/missing" list --json && jq -e '. == []' "$out" >"$tmp/jq"
result $? "and find a store without disks"
with "$tmp/missing" show x
[ $? = 1 ] && grep -q "no disk 'x'" "$out"
result $? "and say that a disk is not there"

with "$tmp/empty" load "$tmp/seed" && mountpoint -q "$tmp/empty" && with "$tmp/empty" drop "$tmp/seed"
result $? "an empty directory of one's own gets a tmpfs"
with "$tmp/missing" load "$tmp/seed" && mountpoint -q "$tmp/missing" && with "$tmp/missing" drop "$tmp/seed"
result $? "a missing one is made, and gets one too"
mkdir -m 0700 "$tmp/service" && "$B/xen-ramdiskd" --make-store --store "$tmp/service" >"$out" 2>&1 &&
	mountpoint -q "$tmp/service" && "$B/xen-ramdiskd" --make-store --store "$tmp/service" >>"$out" 2>&1 && [ ! -s "$out" ]
result $? "xen-ramdiskd --make-store mounts once"
"$B/xen-ramdiskd" --make-store --store "$tmp/full" >"$out" 2>&1
[ $? = 1 ] && grep -q 'is not on tmpfs and has files in it' "$out" && [ -e "$tmp/full/file" ]
result $? "and refuses a directory with files in it"
exit $failed
