#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Seeds on NBD servers: nbdkit and qemu-nbd, without and with TLS, and in other
# formats than raw. Also the messages when a server does not exist, ends, or
# stops answering. An attach that fails leaves nothing in the store.
. "$(dirname "$0")/lib.bash"

# 24 MiB: data, a hole, data, and an end that is no multiple of 1 MiB
image=$seeds/image
truncate -s $((24 * 1048576 + 4608)) "$image"
head -c 5000000 /dev/urandom | dd of="$image" conv=notrunc status=none
head -c 6000000 /dev/urandom | dd of="$image" bs=1M seek=17 iflag=fullblock conv=notrunc status=none
head -c 3 /dev/urandom | dd of="$image" bs=1 seek=$((24 * 1048576 + 4600)) conv=notrunc status=none
store_is_empty() { [ -z "$(ls -A "$XEN_RAMDISK_DIR")" ]; }
data() { echo "$XEN_RAMDISK_DIR"/*.data; }

far() { # SOCKET ARGUMENT...: an nbdkit that serves the seed at $uri
	local socket=$1
	shift
	serve "$socket" "$@"
}
# NAME URI IMAGE: loads URI, and the disk equals IMAGE
loads() {
	xm-ramdisk load --name=far "$2" >"$out" 2>&1 && cmp "$(data)" "$3" >>"$out" 2>&1
	ok "$1" $?
	xm-ramdisk drop far >/dev/null 2>&1
}
refused() { # NAME REGEX URI [OPTION...]: the load fails with REGEX and leaves nothing
	local name=$1 regex=$2
	shift 2
	says "$name" 1 "$regex" timeout 60 xm-ramdisk load "$@"
	store_is_empty
	ok "$name: nothing is left" $?
}

# Two servers that do not answer for 100 seconds, in the background of the rest.
mkdir /dev/shm/"${seeds##*/}"
far "$seeds/q.sock" --filter=delay file "$image" rdelay=100
XEN_RAMDISK_DIR=/dev/shm/${seeds##*/} xm-ramdisk load "$uri" >"$seeds/silent.out" 2>&1 </dev/null &
silent=$!
far "$seeds/s.sock" --filter=delay file "$image" delay-extents=100
XEN_RAMDISK_DIR=/dev/shm/${seeds##*/} xm-ramdisk load "$uri" >"$seeds/sparse.out" 2>&1 </dev/null &
sparse=$!

# ---- an image, and its identity ---------------------------------------------

far "$seeds/f.sock" file "$image"
loads "nbd+unix" "$uri" "$image"
far "$seeds/l.sock" --filter=log file "$image" "logfile=$seeds/requests"
xm-ramdisk load --thin --name=thin "$uri" >/dev/null
[ "$(stat -c %b "$(data)")" -lt $((13 * 2048)) ] && cmp "$(data)" "$image" >"$out" 2>&1
ok "holes stay holes, by block status" $?
reads=$(grep -c ' Read id' "$seeds/requests")
[ "$reads" -le 14 ]
ok "holes are not read ($reads requests)" $?
xm-ramdisk drop thin
end "$server"
far "$seeds/h.sock" --filter=noextents file "$image"
loads "a server without block status" "$uri" "$image"
end "$server"
far "$seeds/d.sock" --filter=delay file "$image" rdelay=3
SECONDS=0
loads "requests in flight together (11 of 3 seconds each)" "$uri" "$image"
[ $SECONDS -le 20 ]
ok "took $SECONDS seconds" $?
end "$server"

u="nbd+unix:///?socket=$seeds/f.sock"
xm-ramdisk load "$u" >/dev/null
says "the same URI is the same disk" 0 'kept until' xm-ramdisk load "NBD+unix:///?socket=$seeds/f.sock"
[ "$(xm-ramdisk list --json | jq length)" = 1 ]
ok "there is one disk" $?
says "show prints that its seed is on a server" 0 'on a server; not checked for changes' xm-ramdisk show "$u"
printf changed | dd of="$(data)" bs=1 seek=4196 conv=notrunc status=none
says "diff reads the seed from the server again" 0 '^4096 4096$' xm-ramdisk diff "$u"
xm-ramdisk reset "$u" >"$out" 2>&1 && cmp "$(data)" "$image" >>"$out" 2>&1
ok "reset reads it again, too" $?
xm-ramdisk drop "$u"
does "lazy: each part is read at its first use" nbdkit -U - "$plugin" "$u" lazy=true \
	--run "nbdcopy \"\$uri\" - | cmp - '$image'"
does "xm-ramdisk serve of a server's export" sh -c "
	xm-ramdisk serve --background --socket='$seeds/again.sock' '$u' >/dev/null &&
	nbdcopy 'nbd+unix:///default?socket=$seeds/again.sock' - | cmp - '$image'"
kill "$(xm-ramdisk list --json | jq '.[0].attachments[0].pid')"
wait_for 10 store_is_empty
ok "the server ends and leaves nothing" $?

# ---- other formats, through others' servers ---------------------------------

for format in qcow2 vpc vmdk; do
	qemu-img convert -O $format "$image" "$seeds/image.$format"
	qemu-img convert -f $format -O raw "$seeds/image.$format" "$seeds/plain.$format"
	spawn qemu-nbd -r -t -f $format -x image -k "$seeds/$format.sock" "$seeds/image.$format"
	wait_for 10 test -S "$seeds/$format.sock"
	loads "$format through qemu-nbd" "nbd+unix:///image?socket=$seeds/$format.sock" "$seeds/plain.$format"
	end "${spawned[-1]}"
done
# without --shared it serves one client at a time
spawn qemu-nbd -r -t -f raw -x image -k "$seeds/one.sock" "$seeds/plain.qcow2"
wait_for 10 test -S "$seeds/one.sock"
does "lazy, on a server for one client" timeout 20 nbdkit -U - "$plugin" \
	"nbd+unix:///image?socket=$seeds/one.sock" lazy=true \
	--run "nbdcopy \"\$uri\" - | cmp - '$seeds/plain.qcow2'"
end "${spawned[-1]}"
xz -0 -k "$image"
spawn nbdkit -f -U "$seeds/xz.sock" --filter=xz file "$image.xz"
wait_for 10 test -S "$seeds/xz.sock"
loads "xz through nbdkit's filter" "nbd+unix:///?socket=$seeds/xz.sock" "$image"
end "${spawned[-1]}"

# ---- TLS --------------------------------------------------------------------

mkdir "$seeds/pki" "$seeds/other"
authority() { # DIRECTORY: a CA, a server's and a client's certificate
	(
		cd "$1" || exit
		certtool --generate-privkey --ecc --outfile ca-key.pem
		printf 'cn=ca of %s\nca\ncert_signing_key\n' "$1" >ca.info
		certtool --generate-self-signed --load-privkey ca-key.pem --template ca.info --outfile ca-cert.pem
		for who in server client; do
			certtool --generate-privkey --ecc --outfile $who-key.pem
			printf 'cn=localhost\ndns_name=localhost\nip_address=127.0.0.1\ntls_www_%s\n' $who >$who.info
			certtool --generate-certificate --load-ca-certificate ca-cert.pem --load-ca-privkey ca-key.pem \
				--load-privkey $who-key.pem --template $who.info --outfile $who-cert.pem
		done
	) >>"$seeds/certtool" 2>&1
}
authority "$seeds/pki"
authority "$seeds/other"
mkdir "$seeds/pki/c" "$seeds/other/c" "$seeds/mixed" # clients' folders
cp "$seeds/pki/ca-cert.pem" "$seeds/pki/"client-*.pem "$seeds/pki/c"
cp "$seeds/other/ca-cert.pem" "$seeds/other/"client-*.pem "$seeds/other/c"
cp "$seeds/pki/ca-cert.pem" "$seeds/other/"client-*.pem "$seeds/mixed"
xm-ramdisk serve --background --tcp=127.0.0.1:0 --tls-certificates="$seeds/pki" --name=served "$image" >"$out" 2>&1
ok "serve with certificates" $?
port=$(grep -o 'nbds://127.0.0.1:[0-9]*' "$out" | head -1 | sed 's/.*://')
cp "$out" "$seeds/printed"
qemu_connects() { # NAME OUTPUT DIRECTORY: the printed command, as it is
	local command
	command=$(sed -n 's/^  \(qemu-system-x86_64 .*\) \.\.\.$/\1/p' "$2")
	sh -c "printf 'info block\nquit\n' | timeout 60 ${command//DIRECTORY/$3} \
		-accel tcg -nodefaults -display none -S -monitor stdio" >"$out" 2>&1
	grep -qE '^ram: .*nbd' "$out"
	ok "$1" $?
}
qemu_connects "the command for QEMU, with certificates" "$seeds/printed" "$seeds/pki/c"
qemu_refused() {
	! (ok() { return "$2"; } && qemu_connects "" "$@")
}
does "certificates of another authority are refused" qemu_refused "$seeds/printed" "$seeds/mixed"
at() { echo "nbds://127.0.0.1:$port/served?tls-certificates=$1"; }
server=$(xm-ramdisk list --json | jq '.[0].attachments[0].pid')
far_store=$XEN_RAMDISK_DIR
XEN_RAMDISK_DIR=$(mktemp -d /dev/shm/xen-ramdisk-test-XXXXXX) # in place of another host
loads "nbds with certificates" "$(at "$seeds/pki/c")" "$image"
refused "a server of another authority" 'cannot open seed nbds://.*certificate' "$(at "$seeds/other/c")"
refused "a certificate of another authority" 'cannot open seed nbds://' "$(at "$seeds/mixed")"
refused "no TLS where it is required" 'cannot open seed nbd://.*' "nbd://127.0.0.1:$port/served"
kill "$server"
psktool -u Alice -p "$seeds/keys" >/dev/null 2>&1
psktool -u mallory -p "$seeds/wrong" >/dev/null 2>&1
spawn env XEN_RAMDISK_DIR="$far_store" xm-ramdisk serve --tcp=127.0.0.1:0 --tls-psk="$seeds/keys" "$image"
log=$seeds/log.$((${#spawned[@]} - 1))
wait_for 20 grep -q nbdcopy "$log"
port=$(grep -o 'nbds://127.0.0.1:[0-9]*' "$log" | head -1 | sed 's/.*://')
mkdir "$seeds/psk"
psktool -u qemu -p "$seeds/keys" >/dev/null 2>&1
cp "$seeds/keys" "$seeds/psk/keys.psk"
qemu_connects "the command for QEMU, with keys" "$log" "$seeds/psk"
loads "nbds with keys shared beforehand" "nbds://Alice@127.0.0.1:$port/image?tls-psk-file=$seeds/keys" "$image"
refused "a wrong key" 'cannot open seed nbds://' "nbds://mallory@127.0.0.1:$port/image?tls-psk-file=$seeds/wrong"
end "${spawned[-1]}"

# ---- over HTTP --------------------------------------------------------------

cat >"$seeds/ranges.py" <<'END'
import http.server, re, sys
image = open(sys.argv[1], "rb").read()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_HEAD(self):
        part = re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        self.body = image[int(part[1]):int(part[2]) + 1] if part else image
        self.send_response(206 if part else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(self.body)
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
END
spawn python3 "$seeds/ranges.py" "$image"
http=$seeds/log.$((${#spawned[@]} - 1))
wait_for 10 test -s "$http"
far "$seeds/w.sock" curl "http://127.0.0.1:$(cat "$http")/image"
loads "HTTP through nbdkit's curl plugin" "$uri" "$image"
end "$server"

# ---- servers that do not exist ----------------------------------------------

refused "no process listens" 'cannot open seed nbd://127.0.0.1:1/x: .*Connection refused' nbd://127.0.0.1:1/x
refused "no such host" 'cannot open seed nbd://nowhere.invalid/x: ' nbd://nowhere.invalid/x
refused "no such socket" 'cannot open seed nbd\+unix:.*No such file' "nbd+unix:///?socket=$seeds/none"
serve "$seeds/e.sock" "$plugin" "$image"
refused "no such export" "cannot open seed nbd\\+unix:///other.*no export named 'other'" \
	"nbd+unix:///other?socket=$seeds/e.sock"
end "$server"
mkdir "$seeds/lib"
echo 'no library' >"$seeds/lib/libnbd.so.0"
export LD_LIBRARY_PATH="$seeds/lib"
refused "without libnbd" 'seed nbd://host/x needs libnbd, and libnbd.so.0 cannot be opened; .*install libnbd0' \
	nbd://host/x
unset LD_LIBRARY_PATH

# ---- servers that end, fail or do not answer --------------------------------

far "$seeds/k.sock" --filter=delay file "$image" rdelay=2
xm-ramdisk load "$uri" >"$out" 2>&1 &
loading=$!
sleep 1
kill -KILL "$server"
wait "$loading"
[ $? = 1 ] && grep -q "cannot read seed nbd+unix:///?socket=$seeds/k.sock: .*; nothing was attached" "$out"
ok "a server that is killed while a disk loads" $?
does "the failed load has left nothing" store_is_empty
far "$seeds/r.sock" --filter=error file "$image" error-pread=EIO error-pread-rate=30%
refused "a server that answers with errors" 'cannot read seed .*: Input/output error; nothing was' "$uri"
end "$server"
far "$seeds/i.sock" --filter=delay file "$image" rdelay=60
xm-ramdisk load "$uri" >"$out" 2>&1 &
loading=$!
sleep 1
SECONDS=0
kill -INT "$loading"
wait "$loading"
[ $SECONDS -lt 30 ] && grep -q 'was canceled' "$out"
ok "a load is interrupted at once" $?
kill -KILL "$server"
does "the interrupted load has left nothing" store_is_empty
wait "$silent"
[ $? = 1 ] && grep -q 'no answer for 30 seconds; nothing was attached' "$seeds/silent.out"
ok "a server that does not answer reads" $?
wait "$sparse"
[ $? = 1 ] && grep -q 'no answer for 30 seconds; nothing was attached' "$seeds/sparse.out"
ok "a server that does not answer block status" $?
[ -z "$(ls -A "/dev/shm/${seeds##*/}")" ]
ok "both loads have left nothing" $?
rm -rf "$XEN_RAMDISK_DIR" /dev/shm/"${seeds##*/}"
XEN_RAMDISK_DIR=$far_store
does "the servers have left nothing" store_is_empty
finish
