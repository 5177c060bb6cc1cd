#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# tools/hotplug/block-ramdisk, over a stand-in for xm-ramdisk and for the
# block-common.sh of Xen: the script takes the device from the standard output
# and the reason of a failure from the standard error, whatever is in the other.
set -u
cd "$(dirname "$0")/../../.." || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
out=$scratch/out
failed=0
export TMPDIR=$scratch/tmp
mkdir "$scratch/bin" "$scratch/scripts" "$TMPDIR"
cp tools/hotplug/block-ramdisk "$scratch/scripts/"
cat >"$scratch/scripts/block-common.sh" <<'END'
set -e
command=$1
trap 'echo "trap: $BASH_COMMAND"; exit 1' ERR
fatal() { echo "fatal: $*"; exit 1; }
success() { echo success; }
write_dev() { echo "device: $1"; }
END
cat >"$scratch/bin/xm-ramdisk" <<'END'
#!/bin/bash
echo "$*" >>"$CALLS"
printf "$STDOUT"
printf "$STDERR" >&2
exit "$STATUS"
END
chmod 755 "$scratch/bin/xm-ramdisk"
export PATH=$scratch/bin:$PATH CALLS=$scratch/calls XENBUS_PATH=backend/vbd/1/51712
export STDOUT STDERR STATUS

# NAME STATUS EXPECTED ACTION: the script ends with STATUS, and its output is EXPECTED.
script() {
	local name=$1 want=$2 expected=$3 status
	"$scratch/scripts/block-ramdisk" "$4" >"$out" 2>"$out.err"
	status=$?
	if [ $status = "$want" ] && [ "$(cat "$out")" = "$expected" ] && [ -z "$(ls -A "$TMPDIR")" ]; then
		echo "ok hotplug script: $name"
	else
		sed 's/^/# /' "$out" "$out.err"
		echo "not ok hotplug script: $name: status $status"
		failed=1
	fi
}

STATUS=0 STDOUT='device=/dev/loop7\n' STDERR=''
script "the device" 0 'device: /dev/loop7' add
grep -qxF 'hotplug add backend/vbd/1/51712' "$CALLS" || { echo "not ok hotplug script: the arguments"; failed=1; }
STDERR='xm-ramdisk: note: /a device=/dev/sda\n'
script "a note that names another device" 0 'device: /dev/loop7' add
grep -qF 'note: /a device' "$out.err" || { echo "not ok hotplug script: the note is in the log"; failed=1; }
STDOUT='' STDERR='xm-ramdisk: note: /device=/dev/sda ends inside a sector\n'
script "a note that names a device, and no device" 0 success add
STDOUT='device=/dev/loop7 ; x\n' STDERR=''
script "a device's path with other characters" 1 "fatal: xm-ramdisk hotplug printed 'device=/dev/loop7 ; x' instead of a device" add
STDOUT='device=/dev/loop7\ndevice=/dev/loop8\n'
script "two devices" 1 "fatal: xm-ramdisk hotplug printed 'device=/dev/loop7
device=/dev/loop8' instead of a device" add
STATUS=1 STDOUT='device=/dev/loop7\n' STDERR='xm-ramdisk: /a is missing\n'
script "a failure" 1 'fatal: /a is missing' add
STDERR='modprobe: a warning\nxm-ramdisk: note: x\nxm-ramdisk: /xm-ramdisk: a is missing\nmore\n'
script "the last sentence of a failure" 1 'fatal: /xm-ramdisk: a is missing' add
STDERR='Segmentation fault\n'
script "a failure without a sentence" 1 'fatal: xm-ramdisk hotplug failed with status 1: Segmentation fault' add
STATUS=0 STDOUT='' STDERR=''
script "remove" 0 '' remove
TMPDIR=$scratch/none STDOUT='device=/dev/nbd0\n'
"$scratch/scripts/block-ramdisk" add >"$out" 2>&1
if [ "$(cat "$out")" = 'device: /dev/nbd0' ]; then
	echo "ok hotplug script: no folder for temporary files"
else
	sed 's/^/# /' "$out"
	echo "not ok hotplug script: no folder for temporary files"
	failed=1
fi
exit $failed
