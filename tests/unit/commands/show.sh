#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xm-ramdisk show --debug: the journal of an attached device. A process holds a
# disk under the label of a device, as a worker does, and a program puts the
# device's journal into the store.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
seeds=$(mktemp -d) || exit 1
XEN_RAMDISK_DIR=$(mktemp -d /dev/shm/xen-ramdisk-test-XXXXXX) || exit 1
export XEN_RAMDISK_DIR
out=$seeds/out
journal=$XEN_RAMDISK_DIR/vbd-0-51728.journal
failed=0

ok() { # NAME CONDITION-STATUS
	if [ "$2" = 0 ]; then
		echo "ok show: $1"
	else
		sed 's/^/# /' "$out"
		echo "not ok show: $1"
		failed=1
	fi
}

# NAME FILTER: jq's answer to the journal that show prints is true.
journal_is() {
	"$B/xm-ramdisk" show --debug seed >"$out" 2>&1 &&
		jq -e ".attachments[0].journal | $2" "$out" >/dev/null 2>&1
	ok "$1" $?
}

truncate -s 1M "$seeds/seed"
coproc "$B/tests/helpers/hold" "$seeds/seed" vbd/0/51728
holder=$COPROC_PID
trap 'kill $holder; rm -rf "$seeds" "$XEN_RAMDISK_DIR"' EXIT
read -r -u "${COPROC[0]}" _

journal_is "a device without a journal" \
	'.file == "vbd-0-51728.journal" and .error == "cannot be opened: No such file or directory" and (has("queues") | not)'
truncate -s 48K "$journal"
journal_is "a journal that no worker has opened" '.error == "is empty: no worker has opened it yet"'

"$B/tests/helpers/journal" "$journal"
before=$(sha256sum "$journal")
journal_is "a worker's journal: version and state" '.version == 1 and .state == "connected" and (has("error") | not)'
journal_is "its queues: taken and pushed" '[.queues[] | .taken, .pushed] == [40, 37, 7, 7]'
journal_is "its queues: only requests without an answer count" \
	'[.queues[] | .entries_taken, .entries_begun, .entries_done] == [1, 1, 1, 0, 0, 0]'
[ "$before" = "$(sha256sum "$journal")" ]
ok "the journal is not changed" $?
jq -e ".store == \"$XEN_RAMDISK_DIR\" and .store_format == $(tests/store-format)" "$out" >/dev/null
ok "the store and its format" $?
"$B/xm-ramdisk" show --json seed >"$out" 2>&1 &&
	jq -e '(.attachments[0] | has("journal") | not) and (has("store") | not)' "$out" >/dev/null
ok "without --debug there is no journal" $?

"$B/tests/helpers/journal" "$journal" 9
journal_is "a journal of another version" \
	'.version == 9 and .state == "connected" and .error == "has queues of version 9; this xm-ramdisk reads version 1"'
"$B/tests/helpers/journal" "$journal"
truncate -s 2000 "$journal"
journal_is "a journal that ends in its queues" '.state == "connected" and (.error | test("^ends after 2000 bytes; a journal has [0-9]+$"))'
truncate -s 20 "$journal"
journal_is "a journal that ends before them" '(has("state") | not) and (.error | startswith("ends after 20 bytes"))'
head -c 48K /dev/urandom >"$journal"
journal_is "a file that is no journal" '.error == "is no journal"'
rm "$journal"
mkfifo "$journal"
journal_is "a pipe in its place" '.error == "cannot be opened: Invalid argument"'
rm "$journal"
ln -s /dev/zero "$journal"
journal_is "a symbolic link in its place" '.error | startswith("cannot be opened: ")'
rm "$journal"

"$B/tests/helpers/journal" "$journal"
# Whatever the guest of a worker writes: all of the file but its magic and version.
{
	head -c 12 "$journal"
	head -c 48K /dev/urandom
} >"$seeds/noise"
mv "$seeds/noise" "$journal"
journal_is "a journal with noise in it" '.version == 1 and (.queues | length) <= 8 and
	all(.queues[]; .entries_taken + .entries_begun + .entries_done <= 32)'
exit $failed
