#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# How a seed is loaded from a server that answers slowly and many requests at once:
# with how many connections and requests in flight, next to cp and nbdcopy; and
# from servers that refuse, forget or cut the further connections. Root: mounts
# nbdfuse.
. "$(dirname "$0")/lib.bash"

# 64 requests, of 1 MiB each
head -c 64M /dev/urandom >"$seeds/image"
head -c 16M "$seeds/image" >"$seeds/small"
data() { echo "$XEN_RAMDISK_DIR"/*.data; }
now_ms() { date +%s%3N; }

# NAME URI IMAGE: loads URI, and the disk equals IMAGE. Sets $ms.
loads() {
	local from
	from=$(now_ms)
	xm-ramdisk load --name=far "$2" >"$out" 2>&1
	ms=$(($(now_ms) - from))
	cmp "$(data)" "$3" >>"$out" 2>&1
	ok "$1" $?
	xm-ramdisk drop far >/dev/null 2>&1
}
# Serves with the log filter, outermost, for `connections` and `at_once`.
logged() { # SOCKET ARGUMENT...
	local socket=$1
	shift
	rm -f "$seeds/requests"
	serve "$socket" --filter=log "$@" logfile="$seeds/requests"
}
connections() { grep -c ' Connect ' "$seeds/requests"; }
at_once() { # the largest number of reads that the server had
	awk '/ Read id/ { if (++n > most) most = n } /\.\.\.Read id/ { n-- } END { print most }' "$seeds/requests"
}
equals() { # NAME WANTED GOT
	echo "wanted $2, got $3" >"$out"
	[ "$2" = "$3" ]
	ok "$1" $?
}

# ---- several connections ----------------------------------------------------

# A command connects once to look, and once or more to read.
logged "$seeds/m.sock" --filter=multi-conn --filter=delay file "$seeds/image" multi-conn-mode=disable rdelay=1
loads "a server without multi-conn" "$uri" "$seeds/image"
one=$(connections)
equals "16 reads at once" 16 "$(at_once)"
end "$server"
logged "$seeds/s.sock" --filter=delay file "$seeds/image" rdelay=2
loads "a server with multi-conn" "$uri" "$seeds/image"
equals "four connections" $((one + 3)) "$(connections)"
equals "64 reads at once" 64 "$(at_once)"
end "$server"
logged "$seeds/t.sock" file "$seeds/small"
loads "a seed that one connection can have in flight" "$uri" "$seeds/small"
equals "one connection for it" "$one" "$(connections)"
end "$server"
serve "$seeds/l.sock" --filter=limit file "$seeds/image" limit=1
loads "a server that refuses a second connection" "$uri" "$seeds/image"
end "$server"
serve "$seeds/2.sock" --filter=limit file "$seeds/image" limit=2
loads "a server that refuses a third connection" "$uri" "$seeds/image"
end "$server"

# Between client and server: connections from number FIRST on get no byte through
# (silent), or are cut after a megabyte (cut). The command's look is number 1.
cat >"$seeds/between.py" <<'END'
import socket, sys, threading
listen, server, mode, first = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
def carry(a, b, left):
    try:
        while left > 0 and (data := a.recv(65536)):
            b.sendall(data)
            left -= len(data)
    except OSError:
        pass
    for s in a, b:
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
s = socket.socket(socket.AF_UNIX)
s.bind(listen)
s.listen(16)
held = []
number = 0
while True:
    client = s.accept()[0]
    number += 1
    print(number, flush=True)
    held.append(client)
    if mode == "silent" and number >= first:
        continue
    far = socket.socket(socket.AF_UNIX)
    far.connect(server)
    limit = 1 << 20 if mode == "cut" and number >= first else 1 << 60
    threading.Thread(target=carry, args=(client, far, 1 << 60), daemon=True).start()
    threading.Thread(target=carry, args=(far, client, limit), daemon=True).start()
END
between() { # MODE FIRST: $uri leads through it
	rm -f "$seeds/b.sock"
	spawn python3 "$seeds/between.py" "$seeds/b.sock" "$seeds/q.sock" "$1" "$2"
	between=${spawned[-1]} between_log=$seeds/log.$((${#spawned[@]} - 1))
	uri="nbd+unix:///?socket=$seeds/b.sock"
	wait_for 20 test -S "$seeds/b.sock"
}
# QEMU's server: nbdkit 1.32 ends when a client goes with requests pending.
spawn qemu-nbd -r -t -e 8 -f raw -k "$seeds/q.sock" "$seeds/image"
server=${spawned[-1]}
wait_for 20 test -S "$seeds/q.sock"
between silent $((one + 1))
loads "further connections that are never answered" "$uri" "$seeds/image"
equals "they were begun" $((one + 3)) "$(tail -1 "$between_log")"
end "$between"
between cut $((one + 1))
loads "further connections that are cut: their reads move to the first one" "$uri" "$seeds/image"
equals "they were begun, too" $((one + 3)) "$(tail -1 "$between_log")"
end "$between"
between cut 1
says "all connections are cut" 1 'cannot read seed .*; nothing was attached' xm-ramdisk load "$uri"
does "nothing is left" test -z "$(ls -A "$XEN_RAMDISK_DIR")"
end "$between"
end "$server"

# ---- next to cp, dd and nbdcopy ---------------------------------------------

# The same server as a file: a disk that answers slowly, and many at once.
serve "$seeds/d.sock" --filter=delay file "$seeds/small" rdelay=200ms
mkdir "$seeds/mnt"
touch "$seeds/mnt/disk"
spawn nbdfuse -r "$seeds/mnt/disk" "$uri"
mounted=${spawned[-1]}
wait_for 20 mountpoint -q "$seeds/mnt/disk"
ok "nbdfuse is mounted" $?
timed() { # COMMAND...: sets $ms
	local from
	from=$(now_ms)
	"$@" >"$out" 2>&1 || echo failed >>"$out"
	ms=$(($(now_ms) - from))
}
timed cp "$seeds/mnt/disk" "$XEN_RAMDISK_DIR/copy"
cp_ms=$ms
rm "$XEN_RAMDISK_DIR/copy"
timed dd iflag=direct bs=1M if="$seeds/mnt/disk" of="$XEN_RAMDISK_DIR/copy" status=none
dd_ms=$ms
rm "$XEN_RAMDISK_DIR/copy"
dd if="$seeds/mnt/disk" iflag=nocache count=0 status=none # cp has left it in the page cache
loads "a file on a slow disk" "$seeds/mnt/disk" "$seeds/small"
[ $((ms * 4)) -le "$cp_ms" ] && [ "$ms" -le "$dd_ms" ]
ok "a file on a slow disk: $ms ms, a quarter of cp's $cp_ms at most, and less than dd's $dd_ms" $?
equals "nothing of it is left in the page cache" 0 "$(fincore --noheadings --bytes --output=res "$seeds/mnt/disk" | tr -d ' ')"
loads "the same server" "$uri" "$seeds/small"
here=$ms
timed nbdcopy --connections=1 --requests=1 "$uri" null:
[ $((here * 4)) -le "$ms" ]
ok "the same server: $here ms, a quarter of the $ms with one request in flight at most" $?
umount "$seeds/mnt/disk"
wait "$mounted"
end "$server"

# ---- lazy -------------------------------------------------------------------

# Eight processes each need another part: the server has all eight requests at once.
serve "$seeds/z.sock" --filter=delay file "$seeds/small" rdelay=2
rm -f "$seeds/lazy.sock"
spawn nbdkit -f -U "$seeds/lazy.sock" "$plugin" "$uri" lazy=true
wait_for 20 test -S "$seeds/lazy.sock"
cat >"$seeds/parts.py" <<'END'
import sys, threading, time, nbd
def read(part):
    h = nbd.NBD()
    h.connect_unix(sys.argv[1])
    barrier.wait()
    if h.pread(512, part << 18) != seed[part << 18:(part << 18) + 512]:
        wrong.append(part)
seed = open(sys.argv[2], "rb").read()
wrong, parts = [], range(4, 36, 4)
barrier = threading.Barrier(len(parts) + 1)
threads = [threading.Thread(target=read, args=(p,)) for p in parts]
for t in threads:
    t.start()
barrier.wait()
start = time.monotonic()
for t in threads:
    t.join()
print("%.1f seconds for 8 reads of 2 seconds each" % (time.monotonic() - start))
sys.exit(bool(wrong) or time.monotonic() - start > 7)
END
does "lazy, by eight connections" /usr/bin/python3 "$seeds/parts.py" "$seeds/lazy.sock" "$seeds/small"
sed 's/^/# /' "$out"
finish
