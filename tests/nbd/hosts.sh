#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# One host serves a disk and two others use it, each in a network namespace of
# its own; the links between them can be cut. A client reaches the network as
# with `xm-ramdisk attach --remote`: through nbdkit's nbd plugin and retry
# filter. Needs root.
. "$(dirname "$0")/lib.bash"

if [ "$(id -u)" != 0 ] || ! ip netns list >/dev/null 2>&1; then
	echo "not ok $suite: needs root and network namespaces"
	exit 1
fi
n=xr$$
store_is_empty() { [ -z "$(ls -A "$XEN_RAMDISK_DIR")" ]; }
host() { # NAME NUMBER: with a link to the server
	ip netns add "$n-$1"
	ip link add "$n$1" netns "$n-s" type veth peer name eth netns "$n-$1"
	ip -n "$n-s" addr add "10.99.$2.1/24" dev "$n$1"
	ip -n "$n-s" link set "$n$1" up
	ip -n "$n-$1" addr add "10.99.$2.2/24" dev eth
	ip -n "$n-$1" link set eth up
	ip -n "$n-$1" link set lo up
}
remove_hosts() {
	local h
	clean_up
	for h in s a b; do
		ip netns del "$n-$h" 2>/dev/null
	done
}
trap remove_hosts EXIT
ip netns add "$n-s"
ip -n "$n-s" link set lo up
host a 1
host b 2
on() { # HOST COMMAND...
	local h=$1
	shift
	ip netns exec "$n-$h" "$@"
}

truncate -s 32M "$seeds/disk.img"
spawn ip netns exec "$n-s" "$B/xm-ramdisk" serve --tcp --insecure "$seeds/disk.img"
server=${spawned[-1]} log=$seeds/log.$((${#spawned[@]} - 1))
wait_for 20 grep -q nbdcopy "$log"
ok "one host serves" $?
client() { # HOST NUMBER SECONDS
	spawn ip netns exec "$n-$1" nbdkit -f -U "$seeds/$1.sock" --filter=retry \
		nbd "uri=nbd://10.99.$2.1/disk.img" retries="$3" retry-delay=1 retry-exponential=no
	wait_for 10 test -S "$seeds/$1.sock"
}
client a 1 20
a="nbd+unix:///?socket=$seeds/a.sock" b="nbd+unix:///?socket=$seeds/b.sock"
client b 2 3

does "a writes" nbdsh -u "$a" -c 'h.pwrite(b"from a" * 1000, 0)'
does "b reads it" nbdsh -u "$b" -c 'assert h.pread(6000, 0) == b"from a" * 1000'
both='
import nbd, threading
def writer(uri, mine):
    h = nbd.NBD()
    h.connect_uri(uri)
    for i in range(300):
        h.pwrite(bytes([mine]) * 4096, (i % 8) * 4096)
        block = h.pread(4096, (i * 3 % 8) * 4096)
        assert block[1:] == block[:-1], "half of one and half of another"
    h.shutdown()
errors = []
def run(*args):
    try:
        writer(*args)
    except Exception as e:
        errors.append(e)
threads = [threading.Thread(target=run, args=x) for x in (("'$a'", 1), ("'$b'", 2))]
for t in threads: t.start()
for t in threads: t.join()
assert not errors, errors
'
does "both write the same blocks, and no block is a mix of two writes" nbdsh -c "$both"
on s "$B/xm-ramdisk" list --json >"$out"
jq -e '.[0].attachments | length == 1' "$out" >/dev/null
ok "a client that has disconnected is not attached" $?

# Starts a client that writes; each line of its output is a write that is done.
writing() { # URI COUNT PAUSE
	spawn nbdsh -u "$1" -c "
import time
for i in range($2):
    h.pwrite(b'%8d' % i, 65536)
    assert h.pread(8, 65536) == b'%8d' % i
    print(i, flush=True)
    time.sleep($3)
print('done', flush=True)"
	writer=${spawned[-1]} writes=$seeds/log.$((${#spawned[@]} - 1))
	wait_for 10 grep -q '^3$' "$writes"
}
finishes() { # NAME: the writer ends without an error
	wait "$writer"
	cp "$writes" "$out"
	grep -qx "done" "$writes"
	ok "$1" $?
}

writing "$a" 40 0.1
ip -n "$n-s" link set "${n}a" down
sleep 2
cp "$writes" "$seeds/cut"
sleep 1
cmp -s "$writes" "$seeds/cut"
ok "a cut link stops the writer" $?
does "the other host can still read" timeout 30 nbdsh -u "$b" -c 'h.pread(512, 0)'
ip -n "$n-s" link set "${n}a" up
finishes "the writer goes on without an error when the link is back"

nbdkit_of() { on s "$B/xm-ramdisk" list --json | jq '[.[0].attachments[] | select(.label | startswith("nbd/10"))][0].pid'; }
writing "$a" 40 0.1
kill -KILL "$(nbdkit_of)"
finishes "a killed nbdkit: the writer goes on without an error"
grep -q 'nbdkit was ended by signal 9; restarting it' "$log"
ok "nbdkit is restarted" $?
does "what was written is there" nbdsh -u "$b" -c 'assert h.pread(8, 65536) == b"%8d" % 39'
on s "$B/xm-ramdisk" list --json >"$out"
jq -e '.[0].attachments | map(select(.alive | not)) | length == 0' "$out" >/dev/null
ok "the killed one is not attached" $?

# ---- fencing ----------------------------------------------------------------

says "a name is no address" 2 "'host' is no address; expected one like" xm-ramdisk fence host
says "a prefix of 33 bits is no network" 2 'is no address' xm-ramdisk fence 10.99.1.2/33
says "nothing is fenced yet" 0 '^nothing is fenced$' xm-ramdisk fence --list
writing "$b" 1000 0.05
does "b is fenced" xm-ramdisk fence 10.99.2.2
cp "$writes" "$seeds/fenced"
last=$(grep -c . "$writes")
wait "$writer"
cp "$writes" "$out"
grep -q 'command failed: ' "$writes" && ! grep -qx "done" "$writes"
ok "its writer fails when its retries are over" $?
[ "$(grep -c '^[0-9]*$' "$writes")" -le $((last + 1)) ]
ok "it has written nothing more" $?
does "b cannot connect" sh -c "! ip netns exec $n-b timeout 20 nbdinfo --size nbd://10.99.2.1/disk.img"
does "a can write" nbdsh -u "$a" -c 'h.pwrite(b"a", 0)'
says "fence --list prints the address" 0 '^10.99.2.2$' xm-ramdisk fence --list
says "an address that is not fenced cannot be lifted" 1 '10.99.1.2 is not fenced' xm-ramdisk fence --lift 10.99.1.2
does "the fence of b is lifted" xm-ramdisk fence --lift 10.99.2.2
does "b connects" on b nbdinfo --size nbd://10.99.2.1/disk.img
does "a network is fenced" xm-ramdisk fence 10.99.0.0/16
does "no host of it can connect" sh -c "! ip netns exec $n-a timeout 20 nbdinfo --size nbd://10.99.1.1/disk.img"
does "the fence of the network is lifted" xm-ramdisk fence --lift 10.99.0.0/16
does "a host of it connects" on a nbdinfo --size nbd://10.99.1.1/disk.img

kill -KILL "$server"
wait "$server" 2>/dev/null
does "a killed server: its clients fail when their retries are over" sh -c \
	"! timeout 30 nbdsh -u '$b' -c 'h.pread(512, 0)'"
does "its disk is discarded" sh -c 'xm-ramdisk list | grep -qx "no RAM disks"'
finish
