#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Seeds in Ceph and in S3: a cluster of one monitor, one object store in memory and one
# radosgw, all in this test's folder and network namespace. The servers are started by
# the commands of xm-ramdisk(8) as they are written there, but for their folders. Then the
# cluster is killed in the middle of a load, and the load ends with a sentence.
#
# Needs root: for the namespace, in which the servers have addresses of their own.
[ "${1-}" = inside ] || exec unshare --net "$0" inside
. "$(dirname "$0")/../lib.bash"

for p in ceph-mon ceph-osd radosgw rbd rclone qemu-nbd nbdkit curl; do
	command -v $p >/dev/null || {
		echo "not ok $suite: missing program $p; build-aux/packages --install long, as root"
		exit 1
	}
done
ip link set lo up
export CEPH_CONF=$seeds/ceph.conf RCLONE_CONFIG=$seeds/rclone.conf
# An authority of this machine that the loopback's servers do not need.
unset AWS_CA_BUNDLE http_proxy https_proxy
image=$seeds/image
head -c 20000000 /dev/urandom >"$image"
truncate -s 32M "$image"

daemon() { # COMMAND...: a process of the cluster
	spawn "$@"
	daemons+=("${spawned[-1]}")
}
daemons=()
# What waits for a cluster that is gone, qemu-nbd as well, ends by SIGKILL only.
trap '[ ${#spawned[@]} = 0 ] || kill -KILL "${spawned[@]}" 2>/dev/null; clean_up' EXIT

# ---- the cluster ----------------------------------------------------------------

uuid() { cat /proc/sys/kernel/random/uuid; }
fsid=$(uuid) osd=$(uuid)
cat >"$CEPH_CONF" <<END
[global]
fsid = $fsid
mon initial members = a
mon host = [v2:127.0.0.1:3300,v1:127.0.0.1:6789]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd crush chooseleaf type = 0
mon data avail crit = 1
osd objectstore = memstore
memstore device bytes = 1073741824
mon data = $seeds/mon.a
osd data = $seeds/osd.0
rgw data = $seeds/rgw
keyring = $seeds/keyring
run dir = $seeds
crash dir = $seeds
admin socket = $seeds/\$name.asok
pid file = $seeds/\$name.pid
log file = $seeds/\$name.log
mon cluster log file = $seeds/cluster.log
END
cat >"$RCLONE_CONFIG" <<'END'
[lab]
type = s3
provider = Ceph
endpoint = http://127.0.0.1:8080
access_key_id = LABKEY
secret_access_key = labsecret
END
key() { # NAME CAPABILITIES...
	ceph-authtool "$seeds/keyring" --gen-key -n "$@"
}
begin_cluster() {
	mkdir "$seeds/mon.a" "$seeds/osd.0" "$seeds/rgw" &&
		ceph-authtool --create-keyring "$seeds/keyring" --gen-key -n mon. --cap mon 'allow *' &&
		key client.admin --cap mon 'allow *' --cap osd 'allow *' &&
		key osd.0 --cap mon 'allow profile osd' --cap osd 'allow *' &&
		key client.rgw --cap mon 'allow rwx' --cap osd 'allow rwx' &&
		monmaptool --create --fsid "$fsid" --addv a '[v2:127.0.0.1:3300,v1:127.0.0.1:6789]' "$seeds/monmap" &&
		ceph-mon --mkfs -i a --monmap "$seeds/monmap" --keyring "$seeds/keyring" || return
	daemon ceph-mon -i a -f
	timeout 60 ceph osd new "$osd" && ceph-osd -i 0 --mkfs --osd-uuid "$osd" || return
	daemon ceph-osd -i 0 -f
	wait_for 60 sh -c 'timeout 20 ceph osd stat | grep -q "1 up"' &&
		timeout 60 ceph osd pool create rbd 8
}
begin_cluster >"$out" 2>&1 </dev/null
ok "a cluster of one node" $?
does "an image in its pool" timeout 60 rbd import --no-progress "$image" rbd/seed
daemon radosgw -n client.rgw --rgw-frontends='beast endpoint=127.0.0.1:8080' -f
gateway=${daemons[-1]}
wait_for 120 curl -s -m 5 -o "$out" http://127.0.0.1:8080/
ok "its gateway speaks S3" $?
does "an account" timeout 60 radosgw-admin user create --uid=lab --display-name=lab --access-key=LABKEY --secret-key=labsecret
does "a bucket" timeout 60 rclone mkdir lab:images
does "an object in it" timeout 60 rclone copyto "$image" lab:images/seed.img

# ---- the manual's commands ----------------------------------------------------------

# The commands that the manual has for the socket NAME, in this test's folder.
commands() { # NAME
	awk -v name="/run/$1.sock" '
		/^\.Bd/ {block = ""; in_block = 1; next}
		/^\.Ed/ {if (index(block, name)) printf "%s", block; in_block = 0}
		in_block {block = block $0 "\n"}' docs/xm-ramdisk.8 | sed "s,/run/,$seeds/,g"
}
manual() { # NAME: starts what the manual starts; $uri is the seed that it attaches
	local line
	uri=
	while read -r line; do
		case $line in
		*' &') spawn sh -c "exec ${line% &}" ;;
		"xm-ramdisk attach testvm '"*) uri=${line#*\'} uri=${uri%%\'*} ;;
		*) echo "# the manual has: $line" && return 1 ;;
		esac
		! [[ $line = *127.0.0.1:8085* ]] || wait_for 20 curl -s -m 5 -o "$seeds/page" http://127.0.0.1:8085/
	done < <(commands "$1")
	[ -n "$uri" ] && wait_for 20 test -S "$seeds/$1.sock"
}
data() { echo "$XEN_RAMDISK_DIR"/*.data; }
loads() { # NAME: loads $uri, and the disk equals the image
	xm-ramdisk load --name=far "$uri" >"$out" 2>&1 && cmp "$(data)" "$image" >>"$out" 2>&1
	ok "$1" $?
	xm-ramdisk drop far >/dev/null 2>&1
}
loading() { # whether a part of the image is in the store
	[ "$(stat -c %b "$(data)")" -gt 2048 ]
}
nothing_left() {
	ls -A "$XEN_RAMDISK_DIR" >"$out"
	[ ! -s "$out" ]
	ok "$1: nothing is left" $?
}

manual ceph >"$out" 2>&1
ok "the manual's commands for Ceph" $?
ceph=$uri
loads "a seed in Ceph"
manual s3 >"$out" 2>&1
ok "the manual's commands for S3" $?
s3=$uri
loads "a seed in S3"

# ---- what goes wrong ------------------------------------------------------------------

spawn nbdkit -f -r -U "$seeds/none.sock" curl url=http://127.0.0.1:8085/none.img
wait_for 20 test -S "$seeds/none.sock"
says "an object that is not there" 1 "^xm-ramdisk: cannot open seed nbd\+unix:///\?socket=$seeds/none.sock: .*no export" \
	timeout 60 xm-ramdisk load "nbd+unix:///?socket=$seeds/none.sock"
says "nbdkit says why" 0 'none.img.*404' cat "$seeds/log.$((${#spawned[@]} - 1))"
nothing_left "an object that is not there"

# Slow, so that a load is in its middle for some seconds.
spawn nbdkit -f -r -U "$seeds/slow.sock" --filter=rate curl url=http://127.0.0.1:8085/seed.img timeout=5 rate=32M
wait_for 20 test -S "$seeds/slow.sock"
timeout 60 xm-ramdisk load "nbd+unix:///?socket=$seeds/slow.sock" >"$seeds/slow" 2>&1 </dev/null &
load=$!
wait_for 20 loading
kill -KILL "$gateway"
wait $load
status=$?
cp "$seeds/slow" "$out"
[ $status = 1 ] && grep -qx "xm-ramdisk: cannot read seed nbd+unix:///?socket=$seeds/slow.sock: .*; nothing was attached" "$out"
ok "S3's gateway is killed in the middle of a load" $?
nothing_left "the gateway is killed"
says "and stays away" 1 "^xm-ramdisk: cannot (open|read) seed .*" timeout 60 xm-ramdisk load "$s3"

# Ceph's library waits for a cluster that is away, for ever: the load does not.
kill -KILL "${daemons[@]}" 2>/dev/null
says "the cluster is killed" 1 '^xm-ramdisk: .*seed .*ceph.sock: .*no answer' timeout 100 xm-ramdisk load "$ceph"
nothing_left "the cluster is killed"
finish
