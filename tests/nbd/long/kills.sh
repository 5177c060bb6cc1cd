#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# KILLS clients (2,000) are killed with requests pending, while another client
# reads and writes. The server, its nbdkit, the disk and the other client go on.
# With the nbdkit of this machine, and with Debian 13's: the plugin is the same
# file, and asks the nbdkit that runs how many threads a connection may have.
. "$(dirname "$0")/../lib.bash"
kills=${KILLS:-2000}
for p in nbdcopy nbdsh nbdkit unshare; do
	command -v $p >/dev/null || { echo "not ok $suite: missing program $p"; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "not ok $suite: needs root, to run Debian 13's nbdkit"; exit 1; }
head -c 64M /dev/urandom >"$seeds/seed.img"
u="nbd+unix:///seed.img?socket=$seeds/s.sock"

# Kills nbdcopy after 5 to 40 ms, two at a time; prints how many it killed before they had ended.
killer='
import random, subprocess, sys, time
uri, kills, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(seed)
killed = 0
def start():
    p = subprocess.Popen(["nbdcopy", "--connections=4", uri, "null:"], stderr=subprocess.DEVNULL)
    return p, time.monotonic() + random.uniform(0.005, 0.04)
running = [start(), start()]
for n in range(kills):
    p, at = running.pop(0)
    time.sleep(max(0, at - time.monotonic()))
    p.kill()
    killed += p.wait() == -9
    running.append(start())
for p, at in running:
    p.kill()
    p.wait()
print(killed)'
# Reads and writes until its input ends; fails at the first error or wrong byte.
bystander='
import os, select, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
done = 0
while not select.select([0], [], [], 0)[0]:
    block = os.urandom(8192)
    h.pwrite(block, 40 << 20)
    assert h.pread(8192, 40 << 20) == block
    done += 1
print("done", done)'

nbdkit_pid() { pgrep -P "$server" -x nbdkit; }
only_serve_is_attached() { [ "$(xm-ramdisk list --json | jq -r '[.[].attachments[].label] | join(",")')" = "xm-ramdisk serve" ]; }

survives() { # NAME ROUND-SEED
	local before client
	spawn xm-ramdisk serve --socket="$seeds/s.sock" "$seeds/seed.img"
	server=${spawned[-1]}
	log=$seeds/log.$((${#spawned[@]} - 1))
	wait_for 20 grep -q nbdcopy "$log"
	before=$(nbdkit_pid)
	does "$1: a client writes" nbdsh -u "$u" -c 'h.pwrite(b"kept", 7)'
	mkfifo "$seeds/end.$2"
	/usr/bin/python3 -c "import nbd$bystander" "$u" <"$seeds/end.$2" >"$seeds/bystander" 2>&1 &
	client=$!
	exec 4>"$seeds/end.$2"
	echo "# $1: the delays are drawn from $2"
	does "$1: $kills clients are killed" /usr/bin/python3 -c "$killer" "$u" "$kills" "$2"
	killed=$(tail -n 1 "$out")
	[ "$killed" -ge $((kills * 9 / 10)) ]
	ok "$1: nine of ten had not ended by themselves" $?
	echo "# $1: $killed of $kills were killed before they had ended"
	exec 4>&-
	wait $client
	ok "$1: another client reads and writes meanwhile" $?
	says "$1: it did something" 0 '^done [1-9]' cat "$seeds/bystander"
	does "$1: the server runs" kill -0 "$server"
	[ -n "$before" ] && [ "$(nbdkit_pid)" = "$before" ]
	ok "$1: its nbdkit is still the first one" $?
	does "$1: no end of nbdkit is in the log" sh -c "! grep 'restarting it' '$log'"
	does "$1: the disk has what was written" nbdsh -u "$u" -c 'assert h.pread(4, 7) == b"kept"'
	does "$1: no client is attached" wait_for 20 only_serve_is_attached
	end "$server"
	ok "$1: the server ends with status 0" $?
}

survives "$(nbdkit --version)" "${KILLS_SEED:-$RANDOM}"

# Debian 13's nbdkit and its libraries, laid over this machine's files in a mount namespace.
tree=$(tests/debian-packages trixie nbdkit libc6 libgnutls30t64 libselinux1 libpcre2-8-0 libp11-kit0 libidn2-0 \
	libunistring5 libtasn1-6 libnettle8t64 libhogweed6t64 libgmp10 libffi8) || {
	echo "not ok $suite: Debian 13's nbdkit cannot be had"
	exit 1
}
mkdir "$seeds/bin" "$seeds/root"
cat >"$seeds/bin/nbdkit" <<END
#!/bin/sh
exec unshare --mount --propagation private sh -c '
	mount -t tmpfs none $seeds/root && mkdir $seeds/root/tree $seeds/root/all &&
	cp -a $tree/usr $seeds/root/tree &&
	mount -t overlay -o lowerdir=$seeds/root/tree:/ none $seeds/root/all || exit 1
	for d in /proc /dev /sys /tmp /run $PWD; do
		mkdir -p $seeds/root/all\$d 2>/dev/null
		mount --rbind \$d $seeds/root/all\$d || exit 1
	done
	exec chroot $seeds/root/all /usr/bin/nbdkit "\$@"' nbdkit "\$@"
END
chmod +x "$seeds/bin/nbdkit"
PATH=$seeds/bin:$PATH
says "Debian 13's nbdkit runs" 0 '^nbdkit 1\.4[0-9]' nbdkit --version
says "the plugin allows it many threads" 0 '^ramdisk_threads=many for each connection' nbdkit "$plugin" --dump-plugin
survives "$(nbdkit --version)" "${KILLS_SEED:-$RANDOM}"
finish
