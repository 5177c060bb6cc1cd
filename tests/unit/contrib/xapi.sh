#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# contrib/xapi: its scripts are run as xapi-storage-script runs them (by the name of the
# call, with --json, the arguments as JSON on the standard input), in the order in which xapi
# calls them for a VM. tap-ctl is a stand-in, whose tapdisks use the real driver.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
tmp=$(mktemp -d) || exit 1
XEN_RAMDISK_DIR=$(mktemp -d /dev/shm/xen-ramdisk-test-XXXXXX) || exit 1
export XEN_RAMDISK_DIR RAMDISK_STATE_DIR=$tmp/state TAPS=$tmp/taps VBD=$B/tests/tapdisk/vbd-gen3-joined PYTHONDONTWRITEBYTECODE=1
mkdir "$tmp/bin" "$TAPS"
ln -s "$PWD/tests/unit/contrib/tap-ctl" "$tmp/bin/tap-ctl"
PATH=$tmp/bin:$B:/usr/bin:/bin
# shellcheck disable=SC2317 # the trap below runs it
clean_up() {
	local pid
	for pid in "$TAPS"/*.requests; do
		pid=${pid##*/}
		kill "${pid%.requests}" 2>/dev/null
	done
	rm -rf "$tmp" "$XEN_RAMDISK_DIR"
}
trap clean_up EXIT
failed=0
out=$tmp/out

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok xapi: $1"
		return
	fi
	echo "not ok xapi: $1"
	sed 's/^/    /' "$out"
	failed=1
}

contrib/xapi/install "$tmp/dest" >"$out" 2>&1
ok "install" $?
volume=$tmp/dest/usr/libexec/xapi-storage-script/volume/org.xen.xapi.storage.ramdisk
datapath=$tmp/dest/usr/libexec/xapi-storage-script/datapath/ramdisk

call() { # SCRIPT ARGUMENTS: its status; what it prints is in $out
	timeout 60 "$1" --json <<<"$2" >"$out" 2>"$tmp/errors"
	local status=$?
	cat "$tmp/errors" >>"$out"
	return $status
}
# NAME SCRIPT ARGUMENTS FILTER: the call succeeds, and jq's FILTER is true for its result
does() {
	call "$2" "$3" && jq -e "${4-true}" <"$out" >"$tmp/jq"
	ok "$1" $?
}
# NAME SCRIPT ARGUMENTS CODE REGEX: the call fails so, in the form that xapi reads
fails() {
	call "$2" "$3"
	[ $? = 1 ] && jq -e --arg code "$4" --arg words "$5" '.code == $code and (.params | join(" ") | test($words)) and
		(.backtrace | (.error | type) == "string" and (.files | type) == "array" and (.lines | type) == "array")' <"$out" >"$tmp/jq"
	ok "$1" $?
}
disk() { # FILTER: of the only loaded disk
	xm-ramdisk list --json >"$out" 2>&1 && jq -e "$1" <"$out" >"$tmp/jq"
}
is() { # NAME FILTER
	disk "$2"
	ok "$1" $?
}
V() { echo "$volume/$1"; }
D() { echo "$datapath/$1"; }

# ---- the plugins ------------------------------------------------------------------

fields='["configuration","copyright","description","features","name","plugin","required_api_version","required_cluster_stack","vendor","version"]'
does "the volume plugin" "$(V Plugin.Query)" '{"dbg":"d"}' ".plugin == \"ramdisk\" and .required_api_version == \"5.0\" and ($fields - keys == [])"
does "the datapath plugin" "$(D Plugin.Query)" '{"dbg":"d"}' ".features | index(\"NONPERSISTENT\")"
does "diagnostics" "$(V Plugin.diagnostics)" '{"dbg":"d"}' 'type == "string"'
fails "no JSON" "$(V SR.ls)" 'x' RAMDISK_FAILED 'SR.ls: the standard input is not JSON'
fails "a missing argument" "$(V SR.ls)" '{"dbg":"d"}' RAMDISK_FAILED "SR.ls: .*'sr'"

# ---- a storage repository ----------------------------------------------------------

sr=$tmp/sr
configuration="{\"dir\":\"$sr\"}"
fails "a relative directory" "$(V SR.create)" '{"dbg":"d","uuid":"u","configuration":{"dir":"x"},"name":"n","description":"s"}' \
	RAMDISK_FAILED 'expected the absolute path'
fails "no directory in the configuration" "$(V SR.probe)" '{"dbg":"d","configuration":{}}' RAMDISK_FAILED 'expected the absolute path'
fails "attach before create" "$(V SR.attach)" "{\"dbg\":\"d\",\"configuration\":$configuration}" SR_does_not_exist "$sr"
does "SR.probe finds none" "$(V SR.probe)" "{\"dbg\":\"d\",\"configuration\":$configuration}" '.[0] | .complete and (has("sr") | not)'
does "SR.create" "$(V SR.create)" "{\"dbg\":\"d\",\"uuid\":\"sr-1\",\"configuration\":$configuration,\"name\":\"lab\",\"description\":\"disks\"}" ".dir == \"$sr\""
fails "SR.create again" "$(V SR.create)" "{\"dbg\":\"d\",\"uuid\":\"sr-2\",\"configuration\":$configuration,\"name\":\"lab\",\"description\":\"\"}" \
	RAMDISK_FAILED 'is a storage repository already'
does "SR.attach" "$(V SR.attach)" "{\"dbg\":\"d\",\"configuration\":$configuration}" ". == \"$sr\""
does "SR.probe finds it" "$(V SR.probe)" "{\"dbg\":\"d\",\"configuration\":$configuration}" '.[0].sr.uuid == "sr-1"'
S="\"dbg\":\"d\",\"sr\":\"$sr\""
does "SR.set_name" "$(V SR.set_name)" "{$S,\"new_name\":\"lab 2\"}"
does "SR.set_description" "$(V SR.set_description)" "{$S,\"new_description\":\"ours\"}"
does "SR.stat" "$(V SR.stat)" "{$S}" '.name == "lab 2" and .description == "ours" and .total_space >= .free_space and .free_space > 0 and
	.health == ["Healthy", ""] and .clustered == false and .datasources == [] and .uuid == "sr-1"'
does "SR.ls: none" "$(V SR.ls)" "{$S}" '. == []'
fails "a repository that is not attached" "$(V SR.ls)" "{\"dbg\":\"d\",\"sr\":\"$tmp\"}" Sr_not_attached "$tmp"

# ---- volumes -----------------------------------------------------------------------

head -c 1048576 /dev/urandom >"$sr/golden.img"
touch "$sr/notes.txt"
members='["key","uuid","name","description","read_write","sharable","virtual_size","physical_utilisation","uri","keys"]'
does "an image that was put there is a volume" "$(V SR.ls)" "{$S}" "length == 1 and (.[0] | .key == \"golden.img\" and .sharable and .virtual_size == 1048576 and
	.uri == [\"ramdisk://$sr/golden.img\"] and ($members - keys == []))"
uuid=$(jq -r '.[0].uuid' <"$out")
does "its UUID stays" "$(V Volume.stat)" "{$S,\"key\":\"golden.img\"}" ".uuid == \"$uuid\""
does "Volume.create" "$(V Volume.create)" "{$S,\"name\":\"scratch\",\"description\":\"empty\",\"size\":1000000,\"sharable\":false}" \
	'.virtual_size == 1000448 and .name == "scratch" and .read_write and .sharable == false'
scratch=$(jq -r .key <"$out")
fails "Volume.create without a size" "$(V Volume.create)" "{$S,\"name\":\"x\",\"description\":\"\",\"size\":0,\"sharable\":false}" RAMDISK_FAILED 'at least one sector'
does "Volume.set_name" "$(V Volume.set_name)" "{$S,\"key\":\"$scratch\",\"new_name\":\"renamed\"}"
does "Volume.set_description" "$(V Volume.set_description)" "{$S,\"key\":\"$scratch\",\"new_description\":\"still empty\"}"
does "Volume.set" "$(V Volume.set)" "{$S,\"key\":\"$scratch\",\"k\":\"vdi-type\",\"v\":\"user\"}"
does "Volume.set, a second" "$(V Volume.set)" "{$S,\"key\":\"$scratch\",\"k\":\"other\",\"v\":\"x\"}"
does "Volume.unset" "$(V Volume.unset)" "{$S,\"key\":\"$scratch\",\"k\":\"other\"}"
does "Volume.resize" "$(V Volume.resize)" "{$S,\"key\":\"$scratch\",\"new_size\":2097152}"
does "all of it is there" "$(V Volume.stat)" "{$S,\"key\":\"$scratch\"}" \
	'.name == "renamed" and .description == "still empty" and .keys == {"vdi-type":"user"} and .virtual_size == 2097152'
fails "Volume.resize to less" "$(V Volume.resize)" "{$S,\"key\":\"$scratch\",\"new_size\":512}" RAMDISK_FAILED 'expected no less'
for key in none.img ../sr/golden.img .lock notes.txt sr.json; do
	fails "no volume: $key" "$(V Volume.stat)" "{$S,\"key\":\"$key\"}" Volume_does_not_exist ''
done
does "Volume.similar_content" "$(V Volume.similar_content)" "{$S,\"key\":\"golden.img\"}" '. == []'
ln -s volume.py "$volume/Volume.compose"
fails "a call that it has not" "$(V Volume.compose)" "{$S}" Unimplemented Volume.compose

# ---- a VM starts and ends: on-boot=persist ------------------------------------------

U="\"dbg\":\"d\",\"uri\":\"ramdisk://$sr/golden.img\""
does "Datapath.open" "$(D Datapath.open)" "{$U,\"persistent\":true}" '. == null'
is "the disk is loaded" 'length == 1 and .[0].keep and .[0].attachments == []'
fails "activate before attach" "$(D Datapath.activate)" "{$U,\"domain\":\"1\"}" RAMDISK_FAILED 'is not attached to domain 1'
does "Datapath.attach" "$(D Datapath.attach)" "{$U,\"domain\":\"1\"}" '[.implementations[][0]] == ["XenDisk","Nbd","BlockDevice"] and
	.implementations[0][1].backend_type == "vbd3" and (.implementations[0][1].params | test("tapdisk-1$")) and
	(.implementations[1][1].uri | test("^nbd:unix:/run/blktap-control/nbd[0-9]+[.]1:exportname="))'
cp "$out" "$tmp/first"
does "Datapath.attach again" "$(D Datapath.attach)" "{$U,\"domain\":\"1\"}"
cmp -s "$out" "$tmp/first"
ok "is the same tapdisk" $?
does "Datapath.activate" "$(D Datapath.activate)" "{$U,\"domain\":\"1\"}"
does "Datapath.activate again" "$(D Datapath.activate)" "{$U,\"domain\":\"1\"}"
does "another VM attaches" "$(D Datapath.attach)" "{$U,\"domain\":\"2\"}"
does "another VM activates" "$(D Datapath.activate)" "{$U,\"domain\":\"2\"}"
is "two tapdisks share one disk" 'length == 1 and (.[0].attachments | length == 2 and all(.label == "tapdisk"))'
data=("$XEN_RAMDISK_DIR"/*.data)
head -c 8 "${data[0]}" | grep -q '^tapdisk '
ok "what a VM writes is in the disk" $?
fails "Volume.destroy under a VM" "$(V Volume.destroy)" "{$S,\"key\":\"golden.img\"}" RAMDISK_FAILED 'attached 2 times'
does "Volume.snapshot under a VM" "$(V Volume.snapshot)" "{$S,\"key\":\"golden.img\"}" '.read_write == false and (.uri[0] | test("[?]readonly$"))'
snapshot=$(jq -r .key <"$out")
cmp -s "$sr/$snapshot" "${data[0]}" && ! cmp -s "$sr/$snapshot" "$sr/golden.img"
ok "has what the VM wrote" $?
fails "Volume.revert under a VM" "$(V Volume.revert)" "{$S,\"snapshot\":\"$snapshot\",\"key\":\"golden.img\"}" RAMDISK_FAILED 'attached for writing'
! cmp -s "$sr/$snapshot" "$sr/golden.img"
ok "and leaves the seed" $?
for d in 1 2; do
	does "Datapath.deactivate $d" "$(D Datapath.deactivate)" "{$U,\"domain\":\"$d\"}"
	does "Datapath.deactivate $d again" "$(D Datapath.deactivate)" "{$U,\"domain\":\"$d\"}"
	does "Datapath.detach $d" "$(D Datapath.detach)" "{$U,\"domain\":\"$d\"}"
	does "Datapath.detach $d again" "$(D Datapath.detach)" "{$U,\"domain\":\"$d\"}"
done
does "Datapath.close" "$(D Datapath.close)" "{$U}"
is "the disk is kept for the next start" '.[0].keep and .[0].attachments == []'
cmp -s "$sr/$snapshot" "${data[0]}"
ok "with what was written" $?

# ---- back to the seed ------------------------------------------------------------------

cp "$sr/golden.img" "$tmp/golden"
does "Volume.clone" "$(V Volume.clone)" "{$S,\"key\":\"golden.img\"}" '.read_write'
clone=$(jq -r .key <"$out")
cmp -s "$sr/$clone" "${data[0]}"
ok "copies what the disk has" $?
does "Datapath.open, on-boot=reset" "$(D Datapath.open)" "{$U,\"persistent\":false}"
is "nothing of the last run is left" '. == []'
does "attach" "$(D Datapath.attach)" "{$U,\"domain\":\"3\"}"
does "activate" "$(D Datapath.activate)" "{$U,\"domain\":\"3\"}"
does "a second VM of it" "$(D Datapath.open)" "{$U,\"persistent\":false}"
is "finds the disk of the first" '.[0].keep == false and (.[0].attachments | length == 1)'
data=("$XEN_RAMDISK_DIR"/*.data)
cmp -s -i 512 "${data[0]}" "$tmp/golden" && ! cmp -s "${data[0]}" "$tmp/golden"
ok "which began as the seed" $?
does "detach of one that was not deactivated" "$(D Datapath.detach)" "{$U,\"domain\":\"3\"}"
does "close" "$(D Datapath.close)" "{$U}"
is "the disk goes with its last VM" '. == []'
does "Volume.revert" "$(V Volume.revert)" "{$S,\"snapshot\":\"$snapshot\",\"key\":\"golden.img\"}"
cmp -s "$sr/golden.img" "$sr/$snapshot"
ok "the seed is the snapshot" $?
does "loaded again" "$(D Datapath.open)" "{$U,\"persistent\":true}"
truncate -s 0 "$tmp/zeros" && truncate -s 1M "$tmp/zeros"
cp "$tmp/zeros" "$sr/$clone"
does "Volume.revert of a loaded disk" "$(V Volume.revert)" "{$S,\"snapshot\":\"$clone\",\"key\":\"golden.img\"}"
data=("$XEN_RAMDISK_DIR"/*.data)
cmp -s "${data[0]}" "$tmp/zeros"
ok "resets the disk" $?

# ---- a snapshot, and what goes wrong ------------------------------------------------------

R="\"dbg\":\"d\",\"uri\":\"ramdisk://$sr/$snapshot?readonly\""
does "a snapshot is attached" "$(D Datapath.attach)" "{$R,\"domain\":\"u0-x/y\"}"
does "and activated" "$(D Datapath.activate)" "{$R,\"domain\":\"u0-x/y\"}"
grep -q "^open .*-a ram:$sr/$snapshot -R$" "$TAPS/log"
ok "for reading" $?
pid=$(sed -n 's/^open -p \([0-9]*\) .*-R$/\1/p' "$TAPS/log")
kill -KILL "$pid" "$(pgrep -P "$pid")"
does "detach of a tapdisk that was killed" "$(D Datapath.detach)" "{$R,\"domain\":\"u0-x/y\"}"
[ "$(cat "$TAPS/freed")" = "$(sed -n 's/^open .*-m \([0-9]*\) .*-R$/\1/p' "$TAPS/log")" ]
ok "frees its device" $?
touch "$TAPS/refuse"
fails "a tapdisk that cannot be attached" "$(D Datapath.attach)" "{$R,\"domain\":\"5\"}" RAMDISK_FAILED '^tap-ctl attach: exit status 104$'
rm "$TAPS/refuse"
last=$(sed -n 's/^attach -p \([0-9]*\) .*/\1/p' "$TAPS/log" | tail -n 1)
[ "$(tail -n 1 "$TAPS/freed")" = "$(cat "$TAPS/minors")" ] && [ -n "$last" ] && ! pgrep -f "tap-ctl tapdisk" -r R,S,D | grep -qx "$last"
ok "is ended, and its device freed" $?
fails "a URI of others" "$(D Datapath.attach)" '{"dbg":"d","uri":"tapdisk:///x","domain":"1"}' RAMDISK_FAILED 'expected ramdisk:///PATH'
fails "a seed that is not there" "$(D Datapath.open)" "{\"dbg\":\"d\",\"uri\":\"ramdisk://$sr/none.img\",\"persistent\":true}" \
	RAMDISK_FAILED "xm-ramdisk load: xm-ramdisk: cannot open seed $sr/none.img"
PATH=/usr/bin:/bin fails "no tap-ctl" "$(D Datapath.attach)" "{$U,\"domain\":\"9\"}" RAMDISK_FAILED 'cannot run tap-ctl: .*install it'

# ---- the end ------------------------------------------------------------------------------

does "Volume.destroy" "$(V Volume.destroy)" "{$S,\"key\":\"$scratch\"}"
[ ! -e "$sr/$scratch" ] && [ ! -e "$sr/$scratch.json" ]
ok "its files are gone" $?
fails "Volume.destroy again" "$(V Volume.destroy)" "{$S,\"key\":\"$scratch\"}" Volume_does_not_exist "$scratch"
does "SR.detach" "$(V SR.detach)" "{$S}"
is "no disk is left" '. == []'
does "SR.destroy" "$(V SR.destroy)" "{$S}"
(cd "$sr" && echo *) >"$out"
[ "$(cat "$out")" = 'golden.img notes.txt' ]
ok "leaves what others put there" $?
ls -A "$XEN_RAMDISK_DIR" >"$out"
[ ! -s "$out" ]
ok "the store is empty" $?
exit $failed
