#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The plugin under AddressSanitizer and UndefinedBehaviorSanitizer, under
# valgrind, with invalid bytes from a raw socket, and with fio's verification.
# Builds a second plugin with sanitizers.
. "$(dirname "$0")/lib.bash"

truncate -s 16M "$seeds/disk.img"
store_is_empty() { [ -z "$(ls -A "$XEN_RAMDISK_DIR")" ]; }

# Every kind of request, from two connections at once.
cat >"$seeds/work.py" <<'END'
import nbd, random, sys, threading, time
def connect():
    h = nbd.NBD()
    h.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
    h.connect_uri(sys.argv[1])
    return h
def work(h, seed):
    r = random.Random(seed)
    size = h.get_size()
    for i in range(150):
        n = r.choice((1, 512, 4096, 70000, 1 << 20))
        off = r.randrange(size - n)
        kind = r.randrange(7)
        if kind == 0: h.pwrite(bytes([seed]) * n, off)
        elif kind == 1: h.pread(n, off)
        elif kind == 2: h.trim(n, off)
        elif kind == 3: h.zero(n, off, r.choice((0, nbd.CMD_FLAG_NO_HOLE)))
        elif kind == 4: h.block_status(n, off, lambda *a: 0)
        elif kind == 5: h.cache(n, off)
        else: h.flush()
failed = []
def run(h, seed):
    try: work(h, seed)
    except Exception as e: failed.append(e)
# Opened and closed one at a time: while a thread waits for a lock of the store
# (F_OFD_SETLKW), valgrind runs no other thread, not even the holder of the lock.
handles = [connect() for i in (1, 2)]
threads = [threading.Thread(target=run, args=(h, i + 1)) for i, h in enumerate(handles)]
for t in threads: t.start()
for t in threads: t.join()
for h in handles:
    h.shutdown()
    time.sleep(1)
assert not failed, failed
END
works() { /usr/bin/python3 "$seeds/work.py" "$1"; }

make -s SAN=address,undefined build/san-address-undefined/nbdkit-ramdisk-plugin.so >"$out" 2>&1
ok "a plugin with sanitizers" $?
for how in thin=false thin=true lazy=true private=true; do
	# leaks are not searched: nbdkit itself, built without, frees not all memory
	LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0 \
		serve "$seeds/san.sock" build/san-address-undefined/nbdkit-ramdisk-plugin.so "$seeds/disk.img" "$how"
	log=$seeds/log.$((${#spawned[@]} - 1))
	does "every kind of request under the sanitizers, $how" works "$uri"
	end "$server"
	cp "$log" "$out"
	! grep -q 'Sanitizer\|runtime error' "$log"
	ok "the sanitizers report nothing, $how" $?
	rm -f "$seeds/san.sock"
done

spawn valgrind --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
	nbdkit -f -U "$seeds/vg.sock" "$plugin" "$seeds/disk.img" thin=true
server=${spawned[-1]} log=$seeds/log.$((${#spawned[@]} - 1))
wait_for 60 test -S "$seeds/vg.sock"
does "every kind of request under valgrind" works "nbd+unix:///?socket=$seeds/vg.sock"
end "$server"
status=$?
cp "$log" "$out"
[ $status = 0 ] && grep -q 'ERROR SUMMARY: 0 errors' "$log"
ok "valgrind reports nothing" $?

# ---- invalid bytes ----------------------------------------------------------

serve "$seeds/raw.sock" "$plugin" "$seeds/disk.img"
cat >"$seeds/garbage.py" <<'END'
import os, random, socket, struct, sys
r = random.Random(int(sys.argv[2]))
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(2)
    s.connect(sys.argv[1])
    return s
def send(s, data):
    try:
        s.sendall(data)
        return s.recv(65536)
    except OSError:
        return b""
flags, option = struct.pack(">I", 1), lambda n, d: b"IHAVEOPT" + struct.pack(">II", n, len(d)) + d
for i in range(60):
    s = connect()
    send(s, r.randbytes(r.choice((1, 4, 64, 5000))))
    s.close()
for i in range(60): # options: every number, with wrong lengths
    s = connect()
    s.recv(18)
    d = r.randbytes(r.choice((0, 4, 40, 4000)))
    head = option(r.randrange(12), d)
    if r.random() < .5:
        head = head[:12] + struct.pack(">I", r.choice((0, 1, 0xffffffff, 65537))) + d
    send(s, flags + head)
    s.close()
for i in range(60): # requests: every number, with extreme offsets and lengths
    s = connect()
    s.recv(18)
    send(s, flags + option(1, b""))
    send(s, struct.pack(">IHHQQI", 0x25609513, r.randrange(64), r.randrange(10), i,
                        r.choice((0, 1 << 24, (1 << 64) - 1, (1 << 63) - 1, r.getrandbits(64))),
                        r.choice((0, 1, 4096, 0xffffffff, 1 << 26))) + r.randbytes(r.choice((0, 100))))
    s.close()
END
does "invalid bytes before, in and after the handshake" /usr/bin/python3 "$seeds/garbage.py" "$seeds/raw.sock" 1
does "nbdkit still serves" nbdsh -u "$uri" -c 'assert len(h.pread(16 << 20, 0)) == 16 << 20'
wait_for 10 store_is_empty
ok "no attachment is left" $?

# ---- fio --------------------------------------------------------------------

fio --name=verify --ioengine=nbd --uri="$uri" --rw=randwrite --bs=4k --iodepth=16 --size=16M \
	--verify=crc32c --do_verify=1 --verify_fatal=1 --verify_state_save=0 --output="$out" >/dev/null 2>&1 </dev/null
ok "fio's nbd engine verifies what it wrote" $?
does "qemu-io writes a pattern and verifies it" qemu-io -f raw -c 'write -P 7 4000 70000' \
	-c 'read -P 7 4000 70000' -c 'write -z 8192 4096' -c 'read -P 0 8192 4096' -c 'discard 0 1M' -c 'flush' "$uri"
does "qemu-img map" sh -c "qemu-img map --output=json -f raw '$uri' | jq -e 'map(.length) | add == 16777216'"
finish
