#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The plugin in nbdkit, used by clients of other projects (libnbd, QEMU): its
# parameters, exports and flags, and when a disk is loaded and discarded.
. "$(dirname "$0")/lib.bash"

head -c 3000100 /dev/urandom >"$seeds/odd.img"
truncate -s 16M "$seeds/sparse.img"
printf 'at four MiB' | dd of="$seeds/sparse.img" bs=1M seek=4 conv=notrunc status=none
mkdir -p "$seeds/dir/sub" "$seeds/outside"
truncate -s 1M "$seeds/dir/a.img" "$seeds/dir/sub/b.img" "$seeds/outside/secret.img"
truncate -s 0 "$seeds/dir/empty.img"
ln -s ../outside/secret.img "$seeds/dir/leak.img"
ln -s a.img "$seeds/dir/same.img"
ln -s ../outside "$seeds/dir/leakdir"
mkfifo "$seeds/dir/fifo"
printf 'xen-ramdisk alias 1\nseed=%s\n' "$seeds/outside/secret.img" >"$seeds/dir/alias.img"

run() { # PARAMETER... -- COMMAND: a server for one command, which has $uri and $unixsocket
	local parameters=()
	while [ "$1" != -- ]; do
		parameters+=("$1")
		shift
	done
	nbdkit -U - "$plugin" "${parameters[@]}" --run "$2"
}
# nbdkit --run ends the server with a signal, maybe before its last detach; the
# next command of xm-ramdisk removes an attachment that is left.
is_emptied() {
	xm-ramdisk list >/dev/null && store_is_empty
}
store_is_empty() { [ -z "$(ls -A "$XEN_RAMDISK_DIR")" ]; }

# ---- parameters -------------------------------------------------------------

does "--dump-plugin" nbdkit "$plugin" --dump-plugin
for line in version=0.1 "ramdisk_format=$(tests/store-format)" "ramdisk_store=$XEN_RAMDISK_DIR" max_thread_model=parallel \
	"ramdisk_threads=$([[ $(nbdkit --version) =~ ^nbdkit\ 1\.(32\.([4-9]|[1-9][0-9])|33\.[0-9])$ ]] && echo one || echo many) for each connection"; do
	grep -qx "$line" "$out"
	ok "--dump-plugin has $line" $?
done
says "--help" 0 'private=true' nbdkit "$plugin" --help
says "no seed" 1 'expected seed=IMAGE, disk=NAME or dir=' nbdkit "$plugin"
says "a missing seed" 1 'cannot open seed .*/none: No such file' nbdkit "$plugin" "$seeds/none"
says "an unknown parameter" 1 "unknown parameter 'colour'" nbdkit "$plugin" colour=red
says "an invalid mode" 1 'mode=rw: expected r or w' nbdkit "$plugin" "$seeds/odd.img" mode=rw
says "an invalid switch" 1 'boolean' nbdkit "$plugin" "$seeds/odd.img" thin=maybe
says "seeds beside a directory" 1 'dir= serves the files of a directory' \
	nbdkit "$plugin" "$seeds/odd.img" dir="$seeds"
says "two exports of one name" 1 'two disks would have the export name odd.img' \
	nbdkit "$plugin" "$seeds/odd.img" "$seeds/dir/../odd.img"
says "two names for one seed" 1 'has the name a already' nbdkit "$plugin" "$seeds/odd.img" name=a name=b
says "a name before two seeds" 1 'name=x stands before the first seed=' \
	nbdkit "$plugin" name=x "$seeds/odd.img" "$seeds/sparse.img"
says "disk= that is not loaded" 1 "no disk 'nobody'" \
	run disk=nobody -- 'nbdinfo "$uri"'

says "deny= with an invalid address" 1 'deny=: 1.2.3 is neither an address nor a network' nbdkit "$plugin" "$seeds/odd.img" deny=1.2.3
port=$((20000 + $$ % 20000))
denies() { # NAME LIST NEGATION: a client from 127.0.0.1 is refused if NEGATION is !
	spawn nbdkit -f -i 127.0.0.1 -p $port "$plugin" "$seeds/odd.img" deny="$2"
	wait_for 10 sh -c "ss -ltn | grep -q '127.0.0.1:$port '"
	does "$1" sh -c "$3 nbdinfo --size nbd://127.0.0.1:$port"
	end "${spawned[-1]}"
	port=$((port + 1))
}
denies "deny= an address" 192.0.2.1,127.0.0.1 !
denies "deny= a network" 127.0.0.0/9 !
denies "deny= a network of one bit more" 127.0.0.0/7 !
denies "deny= another network" 127.128.0.0/9 ''
denies "deny= all of IPv6 does not refuse IPv4" ::1/128,2000::/3 ''

# ---- limits of one client ---------------------------------------------------

mkdir "$seeds/many"
for i in $(seq 100); do
	truncate -s 64K "$seeds/many/$i.img"
done
opens() { # NAME EXPORT-OF-I WANTED URI: one client tries 1000 connections, and WANTED of them are made
	does "$1" timeout 60 nbdsh -c '
import nbd, subprocess
made = []
for i in range(1000):
    h = nbd.NBD()
    h.set_export_name('"$2"')
    try:
        h.connect_'"$4"'
        made.append(h)
    except nbd.Error:
        break
assert len(made) == '"$3"', len(made)
subprocess.run(["nbdinfo", "--size", "'"$other"'"], check=True)'
}
serve "$seeds/m.sock" "$plugin" dir="$seeds/many"
other="nbd+unix:///1.img?socket=$seeds/m.sock"
opens "one client opens an export a thousand times: 64 times, and another client connects" '"1.img"' 64 "unix('$seeds/m.sock')"
opens "one client opens many exports: 64, and another client connects" 'f"{i % 100 + 1}.img"' 64 "unix('$seeds/m.sock')"
end "$server"
spawn sh -c "ulimit -Sn 64; exec nbdkit -f -i 127.0.0.1 -p $port '$plugin' dir='$seeds/many' connections=30"
wait_for 10 sh -c "ss -ltn | grep -q '127.0.0.1:$port '"
does "connections=30, over TCP" timeout 60 nbdsh -c '
import nbd, socket
silent = [socket.create_connection(("127.0.0.1", '$port')) for i in range(20)]
made = []
for i in range(100):
    h = nbd.NBD()
    h.set_export_name("1.img")
    try:
        h.connect_tcp("127.0.0.1", "'$port'")
        made.append(h)
    except nbd.Error:
        break
assert len(made) == 10, len(made)
s = socket.create_connection(("127.0.0.1", '$port'), source_address=("127.0.0.2", 0))
assert s.recv(8) == b"NBDMAGIC", "a client with another address is refused"'
end "${spawned[-1]}"
port=$((port + 1))
says "connections=0" 1 'connections=0: expected 1 or more' nbdkit "$plugin" "$seeds/odd.img" connections=0
does "no disk is left by the limited clients" wait_for 10 is_emptied

# ---- flags and contents -----------------------------------------------------

run "$seeds/odd.img" -- 'nbdinfo --json "$uri"' >"$out" 2>&1
jq -e '.exports[0] | .["export-size"] == 3000320 and .can_multi_conn and .can_flush and
	.can_fua and .can_trim and .can_zero and .can_fast_zero and .can_cache and .can_df and
	(.is_rotational | not) and (.is_read_only | not) and .block_size_minimum == 1 and
	.block_size_preferred == 4096 and (.description | test("RAM disk [0-9a-f]{16} of .*odd.img"))' "$out" >/dev/null
ok "nbdinfo: size, flags and block sizes" $?
for how in mode=r -r; do
	run "$seeds/odd.img" "$how" -- 'nbdinfo --json "$uri"' >"$out" 2>&1
	jq -e '.exports[0].is_read_only' "$out" >/dev/null
	ok "read-only with $how" $?
done
run "$seeds/odd.img" private=true -- 'nbdinfo --json "$uri"' >"$out" 2>&1
jq -e '.exports[0] | (.can_multi_conn | not) and (.is_read_only | not)' "$out" >/dev/null
ok "private views: no multi-conn" $?
does "nbdcopy reads the seed and its padding" run "$seeds/odd.img" -- \
	"nbdcopy \"\$uri\" - | cmp -n 3000100 - '$seeds/odd.img'"
does "qemu-img compare" run "$seeds/sparse.img" -- \
	"qemu-img compare -f raw -F raw \"\$uri\" '$seeds/sparse.img'"
run "$seeds/sparse.img" thin=true -- 'nbdinfo --map "$uri"' >"$out" 2>&1
awk '{ print $1, $2, $3 }' "$out" | diff - <(printf '0 4194304 3\n4194304 4096 0\n4198400 12578816 3\n') >/dev/null
ok "holes of the seed are holes" $?

# ---- exports ----------------------------------------------------------------

many=("$seeds/odd.img" "$seeds/sparse.img" name=lab)
run "${many[@]}" -- 'nbdinfo --list --json "$uri"' >"$out" 2>&1
jq -e '[.exports[]["export-name"]] == ["odd.img", "lab"]' "$out" >/dev/null
ok "two seeds are listed, one by its name" $?
run "${many[@]}" -- 'nbdinfo --size "nbd+unix:///lab?socket=$unixsocket";
	nbdinfo --size "nbd+unix:///odd.img?socket=$unixsocket"; nbdinfo --size "$uri"' >"$out" 2>&1
[ "$(tr '\n' ' ' <"$out")" = '16777216 3000320 3000320 ' ]
ok "each by its export name, the first by default" $?
says "an unknown export" 1 "no export 'other'; the first of 2 is odd.img" \
	run "${many[@]}" -- 'nbdinfo "nbd+unix:///other?socket=$unixsocket"'

run dir="$seeds/dir" -- 'nbdinfo --list --json "$uri"' >"$out" 2>/dev/null
run dir="$seeds/dir" -- 'nbdsh -c "h.set_opt_mode(True)" -u "$uri" -c "
names = []
h.opt_list(lambda name, description: names.append(name))
print(sorted(names))"' >"$out" 2>&1
grep -qxF "['a.img', 'alias.img', 'empty.img', 'same.img', 'sub/b.img']" "$out"
ok "a directory's images are listed, links out of it are not" $?
under() { # NAME EXPORT REGEX: EXPORT is refused with REGEX
	says "$1" 1 "$3" run dir="$seeds/dir" -- \
		"nbdsh -c 'h.set_export_name(\"$2\")' -c 'h.connect_unix(\"'\$unixsocket'\")'"
}
does "a file in a folder of it" run dir="$seeds/dir" -- \
	'[ "$(nbdinfo --size "nbd+unix:///sub/b.img?socket=$unixsocket")" = 1048576 ]'
does "a link inside of it" run dir="$seeds/dir" -- 'nbdinfo --size "nbd+unix:///same.img?socket=$unixsocket"'
under "no path that leads up" "../outside/secret.img" "no export '../outside/secret.img' in .*: it leads out"
under "no path up from a folder" "sub/../../outside/secret.img" 'it leads out'
under "no second spelling with ." "./a.img" "has an empty part or '.'"
under "no second spelling with an empty part" "sub//b.img" "has an empty part or '.'"
under "no absolute path" "$seeds/outside/secret.img" 'it leads out'
under "no link that leads out" "leak.img" "no export 'leak.img' in .*: it leads out"
under "no path through a link that leads out" "leakdir/secret.img" 'it leads out'
under "no alias" "alias.img" 'is an alias; expected a disk image'
under "no empty file" "empty.img" 'is empty; expected a disk image'
under "no FIFO" "fifo" 'not an image file'
under "no folder" "sub" 'not an image file'
under "no missing file" "nothing" "no export 'nothing' in .*: No such file"
does "a link that leads out, with links=true" run dir="$seeds/dir" links=true -- \
	'nbdinfo --size "nbd+unix:///leak.img?socket=$unixsocket"'

# ---- when a disk is loaded and discarded ------------------------------------

does "no disk is left" is_emptied
serve "$seeds/a.sock" "$plugin" "$seeds/sparse.img"
life='
import nbd
def connect():
    h = nbd.NBD()
    h.connect_uri("'$uri'")
    return h
a, b = connect(), connect()
a.pwrite(b"seen", 100)
assert b.pread(4, 100) == b"seen"
a.shutdown()
assert b.pread(4, 100) == b"seen", "the first of two disconnects discarded the disk"
b.shutdown()
'
does "other clients see a write, and it stays while one is connected" nbdsh -c "$life"
wait_for 10 store_is_empty
ok "the last connection discards the disk" $?
does "the next connection finds the seed" nbdsh -u "$uri" -c 'assert h.pread(4, 100) == bytes(4)'
xm-ramdisk load "$seeds/sparse.img" >/dev/null
nbdsh -u "$uri" -c 'import subprocess
h.pwrite(b"x" * 8192, 0)
h.pread(512, 0)
h.flush()
print(subprocess.run(["xm-ramdisk", "list", "--json"], capture_output=True).stdout.decode())' >"$out" 2>&1
jq -e '.[0].attachments[0] | .mode == "w" and .writes == 1 and .write_bytes == 8192 and .reads == 1 and
	.flushes == 1 and (.label | startswith("nbd/pid "))' "$out" >/dev/null
ok "xm-ramdisk list shows the connection and its counters" $?
run label=xl/5/51728 "$seeds/odd.img" -- 'nbdsh -u "$uri" -c "import subprocess; subprocess.run([\"xm-ramdisk\", \"list\"])"' >"$out" 2>&1
grep -qE '^  domain 5 +xvdb +w ' "$out"
ok "label= is the label of the attachment" $?
xm-ramdisk list >/dev/null # removes what the ended server has left
xm-ramdisk drop "$seeds/sparse.img"
kill -KILL "$server"
wait "$server" 2>/dev/null
cp "$seeds/dir/a.img" "$seeds/changing.img"
serve "$seeds/c.sock" "$plugin" "$seeds/changing.img"
does "a replaced seed: its disk is served until the last disconnect, then the new seed" nbdsh -c '
import nbd, os, time
def connect():
    h = nbd.NBD()
    h.connect_uri("'"$uri"'")
    return h
a = connect()
a.pwrite(b"kept", 7)
open("'"$seeds"'/new", "w").truncate(2 << 20)
os.rename("'"$seeds"'/new", "'"$seeds"'/changing.img")
b = connect()
assert b.get_size() == 1 << 20 and b.pread(4, 7) == b"kept", "the new seed beside the old disk"
a.shutdown()
b.shutdown()
for i in range(50):
    c = connect()
    size = c.get_size()
    c.shutdown()
    if size == 2 << 20:
        break
    time.sleep(0.1)
assert size == 2 << 20, "the old disk after its last disconnect"'
end "$server"
# A disk of the path that the plugin does not serve, of a file that was replaced.
truncate -s 1M "$seeds/rolled.img"
xm-ramdisk load "$seeds/rolled.img" >"$out"
old=$(xm-ramdisk list --json | jq -r '.[].id')
truncate -s 2M "$seeds/new" && mv "$seeds/new" "$seeds/rolled.img"
run "$seeds/rolled.img" -- 'nbdinfo --size "$uri"' >"$out" 2>&1
grep -q "is another file now .* disk $old was loaded from.*fresh=true for nbdkit" "$out"
ok "a seed that was replaced is refused" $?
does "fresh=true: the new file" run "$seeds/rolled.img" fresh=true -- '[ "$(nbdinfo --size "$uri")" = 2097152 ]'
does "fresh=true, keep=true" run "$seeds/rolled.img" fresh=true keep=true -- '[ "$(nbdinfo --size "$uri")" = 2097152 ]'
does "the id: the old file" run disk="$old" fresh=true -- '[ "$(nbdinfo --size "$uri")" = 1048576 ]'
for id in $(xm-ramdisk list --json | jq -r '.[].id'); do
	xm-ramdisk drop "$id"
done
serve "$seeds/b.sock" "$plugin" "$seeds/sparse.img" private=true
views='
import nbd
def connect():
    h = nbd.NBD()
    h.connect_uri("'$uri'")
    return h
a, b = connect(), connect()
a.pwrite(b"mine", 100)
assert a.pread(4, 100) == b"mine"
assert b.pread(4, 100) == bytes(4)
b.zero(4096, 4 << 20)
assert a.pread(4, 4 << 20) == b"at f"
'
does "private views do not see writes of each other" nbdsh -c "$views"
end "$server"
does "keep: loaded before it serves, and kept" run "$seeds/odd.img" keep=true name=kept -- true
says "the kept disk has its name" 0 'as kept: 2.9 MiB, kept, attached 0 times' xm-ramdisk list
does "the kept disk is served by disk=" run disk=kept -- '[ "$(nbdinfo --size "$uri")" = 3000320 ]'
does "name= after disk= is the export name" run disk=kept name=shown -- \
	'[ "$(nbdinfo --size "nbd+unix:///shown?socket=$unixsocket")" = 3000320 ]'
kept_id=$(xm-ramdisk list --json | jq -r '.[0].id')
does "disk= with an id" run disk="$kept_id" -- '[ "$(nbdinfo --size "$uri")" = 3000320 ]'
says "two names for one disk=" 1 'that disk has the name a already' nbdkit "$plugin" disk=kept name=a name=b
xm-ramdisk drop kept
does "lazy" run "$seeds/odd.img" lazy=true -- \
	"nbdcopy \"\$uri\" - | cmp -n 3000100 - '$seeds/odd.img'"

# ---- the requests -----------------------------------------------------------

requests='
h.pwrite(b"a" * 9000, 1234)
assert h.pread(9000, 1234) == b"a" * 9000
h.pwrite(b"fua", 5, nbd.CMD_FLAG_FUA)
h.zero(5000, 2000)
assert h.pread(9000, 1234) == b"a" * 766 + bytes(5000) + b"a" * 3234
h.zero(4096, 0, nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_NO_HOLE)
assert h.pread(4096, 0) == bytes(4096)
h.pwrite(b"b" * 16384, 0)
h.trim(10000, 1000)
assert h.pread(4096, 0) == b"b" * 4096
assert h.pread(4096, 4096) == bytes(4096)
h.cache(65536, 0)
h.pread(1, h.get_size() - 1)
h.set_strict_mode(0)
for f in (lambda: h.pread(2, h.get_size() - 1), lambda: h.pwrite(b"12", h.get_size() - 1)):
    try:
        f()
    except nbd.Error as e:
        assert e.errno in ("EINVAL", "ENOSPC"), e.errno
    else:
        raise AssertionError("out of bounds")
'
for how in thin=false thin=true private=true lazy=true; do
	does "all kinds of requests, $how" run "$seeds/odd.img" "$how" -- "nbdsh -u \"\$uri\" -c '$requests'"
done
# nbdkit 1.32.5 aborted in this test, most often in the first 10 clients.
head -c 8M /dev/urandom >"$seeds/full.img"
serve "$seeds/d.sock" "$plugin" "$seeds/full.img" keep=true
does "clients that disconnect with reads pending leave the server running" nbdsh -c '
import nbd, os
for i in range(100):
    if os.fork() == 0:
        h = nbd.NBD()
        h.connect_uri("'"$uri"'")
        for n in range(16):
            h.aio_pread(nbd.Buffer(1 << 18), n << 18)
        os._exit(0)
    assert os.wait()[1] == 0, i'
does "the server is the same process" kill -0 "$server"
does "the server serves the next client" nbdinfo --size "$uri"
end "$server"
xm-ramdisk list >/dev/null
xm-ramdisk drop "$seeds/full.img"
# A process that is killed in the middle of a write.
serve "$seeds/torn.sock" "$plugin" "$seeds/full.img"
log=$seeds/log.$((${#spawned[@]} - 1))
coproc nbdsh -u "$uri" -c '
import sys
for line in sys.stdin:
    h.pread(4096, 8192)
    print("read", flush=True)'
echo >&"${COPROC[1]}" && read -r answer <&"${COPROC[0]}"
[ "$answer" = read ] && ! grep -q "was killed" "$log"
ok "it reads, and the log is quiet" $?
"$B/tests/helpers/hold" "$seeds/full.img" writer 8192 </dev/zero >"$seeds/held" &
holder=$!
wait_for 20 grep -q attached "$seeds/held"
kill -KILL $holder
wait $holder 2>/dev/null
echo >&"${COPROC[1]}" && read -r answer <&"${COPROC[0]}"
cp "$log" "$out"
[ "$answer" = read ] && grep -qE 'disk f-[^ ]*: the process of attachment [0-9]+ was killed while it wrote the block at byte 8192 of the disk: the block may have old and new bytes \(1 such blocks\)' "$out"
ok "a block that may be half written is in the log" $?
client=$COPROC_PID
eval "exec ${COPROC[1]}>&-"
wait "$client"
end "$server"
does "a read-only disk refuses every kind of change" run "$seeds/odd.img" mode=r -- 'nbdsh -u "$uri" -c "
h.set_strict_mode(0)
for f in (lambda: h.pwrite(b\"x\", 0), lambda: h.zero(512, 0), lambda: h.trim(4096, 0)):
    try:
        f()
    except nbd.Error as e:
        assert e.errno == \"EPERM\", e.errno
    else:
        raise AssertionError(\"it wrote\")"'
# ---- an attachment that outlives nbdkit ---------------------------------------

does "nothing is attached" is_emptied
says "durable=true without label=" 1 'durable=true needs label=' nbdkit "$plugin" durable=true "$seeds/odd.img"
serve_durable() { serve "$seeds/$1" "$plugin" label=xl/5/51728 durable=true private=true "$seeds/odd.img"; }
serve_durable first
# The client has written when it kills nbdkit.
nbdsh -u "$uri" -c "import os; h.pwrite(b'view' * 1024, 8192); os.kill($server, 9)" >"$out" 2>&1
wait "$server" 2>/dev/null
xm-ramdisk list >"$out"
grep -qE '^  domain 5 +xvdb +p ' "$out"
ok "durable=true: the attachment of a killed nbdkit stays" $?
serve_durable second
does "durable=true: the next one goes on with it" nbdsh -u "$uri" -c 'assert h.pread(4, 8192) == b"view"'
wait_for 10 store_is_empty
ok "durable=true: it ends with its client" $?
end "$server"
does "no disk is left at the end" is_emptied
finish
