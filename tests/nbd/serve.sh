#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xm-ramdisk serve: its arguments and messages, its sockets, when a disk is
# discarded, and its end. Without Xen; one part without root.
. "$(dirname "$0")/lib.bash"

head -c 3000100 /dev/urandom >"$seeds/seed image.img"
truncate -s 1M "$seeds/b.img"
usage="; see 'xm-ramdisk serve --help'"


# Starts a server in the background, and waits until it has printed everything.
serving() { # ARGUMENT...
	spawn xm-ramdisk serve "$@"
	server=${spawned[-1]}
	log=$seeds/log.$((${#spawned[@]} - 1))
	wait_for 20 grep -q nbdcopy "$log"
}
uri_of() { # EXPORT SOCKET
	echo "nbd+unix:///$1?socket=$2"
}
instance_of() { # URI
	nbdinfo --json "$1" | jq -r '.exports[0].description' | sed -n 's/^.*RAM disk \([0-9a-f]\{16\}\) of .*$/\1/p'
}
store_has_no_disk() { [ -z "$(find "$XEN_RAMDISK_DIR" -name '*.data')" ]; }
store_is_empty() { [ -z "$(ls -A "$XEN_RAMDISK_DIR")" ]; }

# ---- arguments --------------------------------------------------------------

says "no seed" 2 "expected 1 to 64 SEEDs, got 0 arguments$usage" xm-ramdisk serve
says "TCP without TLS" 2 '^xm-ramdisk: --tcp needs --tls-certificates' xm-ramdisk serve --tcp "$seeds/b.img"
says "TLS without TCP" 2 'is for --tcp; a Unix socket' xm-ramdisk serve --tls-psk=x "$seeds/b.img"
says "TLS and insecure" 2 'insecure is for --tcp without TLS' \
	xm-ramdisk serve --tcp --tls-psk=x --insecure "$seeds/b.img"
says "a socket and TCP" 2 'exclude each other' xm-ramdisk serve --tcp --insecure --socket=x "$seeds/b.img"
says "one name for two seeds" 2 'name is for one SEED, got 2' xm-ramdisk serve --name=x a b
says "two seeds of one name" 2 'would have the same name' \
	xm-ramdisk serve "$seeds/b.img" "$seeds/./b.img"
says "a directory beside a seed" 2 'is a directory, and 1 other' xm-ramdisk serve "$seeds" "$seeds/b.img"
says "an invalid address" 2 "^xm-ramdisk: --tcp=localhost:: expected ADDRESS" \
	xm-ramdisk serve --tcp=localhost: --insecure "$seeds/b.img"
for port in 65536 99999 99999999999 http 80x -1 '8 0' ' 80' 0x50; do
	for host in '' 127.0.0.1 '[::1]'; do
		says "--tcp=$host:$port is refused" 2 'expected ADDRESS, :PORT or ADDRESS:PORT, with a port from 0' \
			timeout 5 xm-ramdisk serve --tcp="$host:$port" --insecure "$seeds/b.img"
	done
done
says "an address of another host" 1 'cannot listen on 192.0.2.1 port 1' \
	xm-ramdisk serve --tcp=192.0.2.1:1 --insecure "$seeds/b.img"
says "a missing seed" 1 "cannot open seed $seeds/none: No such file" \
	xm-ramdisk serve "$seeds/none"
says "missing certificates" 1 'nbdkit did not start; its own message is above' \
	xm-ramdisk serve --tcp=127.0.0.1:0 --tls-certificates="$seeds/none" "$seeds/b.img"
mkdir "$seeds/no-nbdkit"
says "without nbdkit" 1 'cannot start nbdkit, which serves the disks: .*apt-get install nbdkit' \
	env PATH="$seeds/no-nbdkit" "$B/xm-ramdisk" serve "$seeds/b.img"
cp "$B/xm-ramdisk" "$seeds/no-nbdkit"
printf '#!/bin/sh\nexit 1\n' >"$seeds/no-nbdkit/nbdkit"
chmod +x "$seeds/no-nbdkit/nbdkit"
says "without the plugin" 1 "nbdkit cannot load its plugin ramdisk; 'make install'" \
	env PATH="$seeds/no-nbdkit:$PATH" "$seeds/no-nbdkit/xm-ramdisk" serve "$seeds/b.img"
long=$(printf '%0120d' 0)
says "a socket's path that is too long" 1 "the socket's path would have 1[2-9][0-9] bytes, and 107 is the most" \
	xm-ramdisk serve --socket="/$long" "$seeds/b.img"
echo text >"$seeds/text"
says "a socket's path that is a file" 1 'text exists and is no socket' \
	xm-ramdisk serve --socket="$seeds/text" "$seeds/b.img"
does "no failure left anything" store_is_empty

# ---- serving ----------------------------------------------------------------

serving "$seeds/seed image.img" "$seeds/b.img"
ok "serve is ready" $?
socket="$XEN_RAMDISK_DIR/seed image.img.sock"
cp "$log" "$out"
printed=$(grep -o 'nbd+unix://[^ ]*' "$log" | head -1)
[ "$printed" = "nbd+unix:///seed%20image.img?socket=$XEN_RAMDISK_DIR/seed%20image.img.sock" ]
ok "serve prints the URI" $?
does "nbdcopy accepts the URI" sh -c "nbdcopy '$printed' - | cmp -n 3000100 - '$seeds/seed image.img'"
command=$(sed -n 's/^  nbdcopy/nbdcopy/p' "$log" | sed "s,COPY.img,'$seeds/copy',")
does "the command for nbdcopy works" sh -c "$command && cmp -n 3000100 '$seeds/copy' '$seeds/seed image.img'"
qemu=$(sed -n "s/^  qemu-system-x86_64 -drive '.*,file=\(.*\)' \.\.\.$/\1/p" "$log")
does "QEMU accepts the URI of its command" qemu-img info "$qemu"
grep -qxF "  nbd-client -unix '$socket' /dev/nbd0 -persist -connections 4 -name 'seed image.img@$(instance_of "$printed")'" "$log"
ok "the command for nbd-client" $?
does "only the user can connect to the socket" sh -c "[ \"\$(stat -c %a '$socket')\" = 700 ]"
does "the second seed is served by its name" sh -c \
	"[ \"\$(nbdinfo --size '$(uri_of b.img "$XEN_RAMDISK_DIR/seed%20image.img.sock")')\" = 1048576 ]"
says "a second server on the socket" 1 'a server listens on .* already' xm-ramdisk serve "$seeds/seed image.img"
does "the first server still serves" nbdinfo --size "$printed"
says "list shows the server" 0 'xm-ramdisk serve  *-  *r' xm-ramdisk list
does "a client writes and disconnects" nbdsh -u "$printed" -c 'h.pwrite(b"kept", 7)'
does "the next client finds it" nbdsh -u "$printed" -c 'assert h.pread(4, 7) == b"kept"'
kill -INT "$server"
wait "$server"
ok "^C ends it with status 0" $?
does "the server has left nothing" store_is_empty

serving "$seeds/b.img"
kill -KILL "$server"
wait "$server" 2>/dev/null
does "a killed server leaves its socket" test -S "$XEN_RAMDISK_DIR/b.img.sock"
serving "$seeds/b.img"
ok "the next server replaces that socket" $?
end "$server"

# ---- a seed that is replaced ------------------------------------------------

two_mib="$seeds/two.img"
truncate -s 2M "$two_mib"
cp "$seeds/b.img" "$seeds/changing.img"
serving --socket="$seeds/s.sock" "$seeds/changing.img"
u=$(uri_of changing.img "$seeds/s.sock")
finds_what_it_wrote() { # NAME
	does "$1: a client finds the disk and what it wrote" nbdsh -u "$u" -c '
assert h.get_size() == 1 << 20, h.get_size()
assert h.pread(4, 7) == b"kept"'
}
does "a client writes before the seed changes" nbdsh -u "$u" -c 'h.pwrite(b"kept", 7)'
touch "$seeds/changing.img"
finds_what_it_wrote "a touched seed"
cp "$two_mib" "$seeds/new" && mv "$seeds/new" "$seeds/changing.img"
finds_what_it_wrote "a replaced seed"
rm "$seeds/changing.img"
finds_what_it_wrote "a removed seed"
kill_nbdkit() {
	local pid
	pid=$(pgrep -P "$server") && kill "-$1" "$pid" && wait_for 5 sh -c "! kill -0 $pid"
}
does "nbdkit is killed" wait_for 40 kill_nbdkit KILL
wait_for 40 nbdinfo --size "$u"
finds_what_it_wrote "nbdkit was killed"
for n in 1 2 3; do
	wait_for 40 kill_nbdkit KILL
done
wait_for 40 nbdinfo --size "$u"
finds_what_it_wrote "nbdkit was killed again and again"
wait_for 40 kill_nbdkit TERM
wait_for 40 nbdinfo --size "$u"
finds_what_it_wrote "nbdkit was asked to end"
says "the server tells each end" 0 '^5$' grep -c 'nbdkit .*; restarting it' "$log"
kill "$server"
wait "$server"
ok "SIGTERM ends the server with status 0" $?
does "nothing is left after the seed changed" store_is_empty

truncate -s 1M "$seeds/rolled.img"
xm-ramdisk load "$seeds/rolled.img" >/dev/null
old=$(xm-ramdisk list --json | jq -r '.[].id')
cp "$two_mib" "$seeds/rolled.img.new" && mv "$seeds/rolled.img.new" "$seeds/rolled.img"
says "a seed that was replaced is refused" 1 "is another file now .* disk $old was loaded from" \
	xm-ramdisk serve --socket="$seeds/s.sock" "$seeds/rolled.img"
serving --fresh --socket="$seeds/s.sock" "$seeds/rolled.img"
does "--fresh serves the new file" sh -c "[ \"\$(nbdinfo --size '$(uri_of rolled.img "$seeds/s.sock")')\" = 2097152 ]"
end "$server"
serving --socket="$seeds/s.sock" "$old"
does "the id serves the old one" sh -c "[ \"\$(nbdinfo --size '$(uri_of "$old" "$seeds/s.sock")')\" = 1048576 ]"
end "$server"
serving --fresh --discard --socket="$seeds/s.sock" "$seeds/rolled.img"
does "--fresh with --discard" sh -c "[ \"\$(nbdinfo --size '$(uri_of rolled.img "$seeds/s.sock")')\" = 2097152 ]"
end "$server"
xm-ramdisk drop "$old"
does "nothing is left of the replaced seed" store_is_empty

# ---- a client that comes back to a server that has ended --------------------

# Reads and prints how long it took, until an error; after a line on stdin.
reader='
import sys, time
h = nbd.NBD()
h.connect_uri(sys.argv[1])
h.pwrite(b"kept", 7)
print("wrote", flush=True)
sys.stdin.readline()
start = time.monotonic()
try:
    print("read", h.pread(4, 7))
except nbd.Error as e:
    print("error after", int(time.monotonic() - start))
'
cp "$seeds/b.img" "$seeds/again.img"
serving --socket="$seeds/s.sock" "$seeds/again.img"
instance=$(instance_of "$(uri_of again.img "$seeds/s.sock")")
grep -qxF "  nbd-client -unix $seeds/s.sock /dev/nbd0 -persist -connections 4 -name again.img@$instance" "$log"
ok "the command for nbd-client comes back to the instance only" $?
does "NAME@INSTANCE" nbdinfo --size "$(uri_of "again.img@$instance" "$seeds/s.sock")"
says "another instance is refused" 1 'no export named' nbdinfo --size "$(uri_of again.img@0123456789abcdef "$seeds/s.sock")"
says "and the server says so" 0 'a client that came back .* its disk, of instance 0123456789abcdef, is gone' cat "$log"
spawn nbdkit -f -U "$seeds/retry.sock" --filter=retry nbd "uri=$(uri_of "again.img@$instance" "$seeds/s.sock")" \
	retries=3 retry-delay=1 retry-exponential=no
retry=${spawned[-1]}
wait_for 10 test -S "$seeds/retry.sock"
mkfifo "$seeds/go"
/usr/bin/python3 -c "import nbd$reader" "nbd+unix:///?socket=$seeds/retry.sock" <"$seeds/go" >"$seeds/reader" 2>&1 &
client=$!
exec 4>"$seeds/go"
wait_for 10 grep -q wrote "$seeds/reader"
end "$server"
does "the disk ends with its server" store_is_empty
serving --socket="$seeds/s.sock" "$seeds/again.img" # the same seed: the same id
echo >&4
exec 4>&-
wait_for 20 sh -c "! kill -0 $client"
says "a client that comes back has an error in time, not another disk" 0 '^error after [34]$' cat "$seeds/reader"
says "it has loaded nothing" 0 '^1$' sh -c "xm-ramdisk list | grep -c 'again.img'"
end "$retry"
end "$server"
xm-ramdisk load "$seeds/again.img" >/dev/null
serving --socket="$seeds/s.sock" "$seeds/again.img"
instance=$(instance_of "$(uri_of again.img "$seeds/s.sock")")
end "$server"
serving --socket="$seeds/s.sock" "$seeds/again.img"
does "a disk that stays keeps its instance" nbdinfo --size "$(uri_of "again.img@$instance" "$seeds/s.sock")"
end "$server"
xm-ramdisk drop "$seeds/again.img"

# ---- nbdkit that does not start again ---------------------------------------

mkdir "$seeds/broken"
cat >"$seeds/broken/nbdkit" <<END
#!/bin/sh
[ ! -e '$seeds/is-broken' ] || case " \$* " in *--dump-plugin*) ;; *)
	date +%s%N >>'$seeds/starts'
	exit 1 ;;
esac
exec /usr/bin/env PATH='$PATH' nbdkit "\$@"
END
chmod +x "$seeds/broken/nbdkit"
PATH=$seeds/broken:$PATH serving --socket="$seeds/s.sock" "$seeds/b.img"
u=$(uri_of b.img "$seeds/s.sock")
does "a client writes before nbdkit is broken" nbdsh -u "$u" -c 'h.pwrite(b"kept", 7)'
touch "$seeds/is-broken"
wait_for 10 kill_nbdkit KILL
sleep 2
does "the server goes on although nbdkit does not start" kill -0 "$server"
starts=$(wc -l <"$seeds/starts")
[ "$starts" -ge 2 ] && [ "$starts" -le 6 ]
ok "the pauses between starts grow" $?
rm "$seeds/is-broken"
wait_for 20 nbdinfo --size "$u"
finds_what_it_wrote "nbdkit starts again"
end "$server"

# ---- nbdkit that hangs when it starts ---------------------------------------

cat >"$seeds/broken/nbdkit" <<END
#!/bin/sh
case " \$* " in *--dump-plugin*) exit 0 ;; esac
echo \$\$ >>'$seeds/hanging'
trap '' TERM
exec sleep 1000
END
for signal in TERM INT; do
	for background in '' --background; do
		: >"$seeds/hanging"
		# shellcheck disable=SC2086
		PATH=$seeds/broken:$PATH spawn xm-ramdisk serve $background --socket="$seeds/s.sock" "$seeds/b.img"
		server=${spawned[-1]}
		wait_for 10 test -s "$seeds/hanging"
		kill -$signal "$server"
		wait_for 15 sh -c "! kill -0 $server 2>/dev/null"
		ok "SIG$signal ends serve $background while nbdkit hangs" $?
		wait "$server"
		ok "with status 1" $(($? != 1))
		says "and a sentence" 0 '^xm-ramdisk: interrupted while nbdkit started' cat "$seeds/log.$((${#spawned[@]} - 1))"
		does "the nbdkit that hung is gone" sh -c "! kill -0 $(cat "$seeds/hanging")"
		does "nothing is left of it" store_is_empty
	done
done

# ---- options ----------------------------------------------------------------

serving --discard --socket="$seeds/s.sock" "$seeds/b.img"
u=$(uri_of b.img "$seeds/s.sock")
does "--discard: the size is printed, as without it" grep -qE ': 1 MiB, discarded when the last' "$log"
does "--discard: a client writes and disconnects" nbdsh -u "$u" -c 'h.pwrite(b"gone", 7)'
does "--discard: the next client finds the seed" nbdsh -u "$u" -c 'assert h.pread(4, 7) == bytes(4)'
end "$server"
# Disks that only clients load, over the end of nbdkit.
kept_over() { # NAME URI SIGNAL
	does "$1: a client writes while nbdkit is ended by $3" /usr/bin/python3 -c '
import nbd, os, subprocess, sys, time
uri, server, signal = sys.argv[1:]
h = nbd.NBD()
h.connect_uri(uri)
h.pwrite(b"kept", 7)
pid = subprocess.check_output(["pgrep", "-P", server]).split()[0].decode()
subprocess.check_call(["kill", "-" + signal, pid])
if signal == "TERM":
    time.sleep(0.2) # nbdkit waits for its clients
    h.shutdown()
for n in range(100):
    if not os.path.exists("/proc/" + pid):
        break
    time.sleep(0.05)
for n in range(100):
    h = nbd.NBD()
    try:
        h.connect_uri(uri)
        break
    except nbd.Error:
        time.sleep(0.1)
assert h.pread(4, 7) == b"kept", h.pread(4, 7)' "$2" "$server" "$3"
}
serving --discard --socket="$seeds/s.sock" "$seeds/b.img"
for signal in KILL TERM ABRT; do
	kept_over "--discard" "$u" $signal
	does "--discard: when that client is gone, the next one finds the seed" nbdsh -u "$u" -c 'assert h.pread(4, 7) == bytes(4)'
done
end "$server"
does "--discard: nothing is left" store_is_empty
serving --read-only --name=lab --socket="$seeds/s.sock" "$seeds/b.img"
does "--read-only, and --name" sh -c "nbdinfo --json '$(uri_of lab "$seeds/s.sock")' | jq -e '.exports[0].is_read_only'"
end "$server"
serving --private --thin --socket="$seeds/s.sock" "$seeds/b.img"
does "--private" sh -c "nbdinfo --json '$u' | jq -e '.exports[0] | (.can_multi_conn | not) and (.is_read_only | not)'"
end "$server"
xm-ramdisk load --name=there "$seeds/b.img" >/dev/null
serving --socket="$seeds/s.sock" there
does "a loaded disk, by its name" nbdinfo --size "$(uri_of there "$seeds/s.sock")"
end "$server"
xm-ramdisk drop there
spawn xm-ramdisk serve --socket="$seeds/s.sock" "$seeds"
wait_for 10 test -S "$seeds/s.sock"
does "a directory" sh -c "[ \"\$(nbdinfo --size '$u')\" = 1048576 ]"
does "a directory: a client writes, and finds it after the file was replaced" nbdsh -c '
import nbd, shutil, os
h, second = nbd.NBD(), nbd.NBD()
h.connect_uri("'"$u"'")
h.pwrite(b"kept", 7)
shutil.copy("'"$two_mib"'", "'"$seeds"'/new")
os.rename("'"$seeds"'/b.img", "'"$seeds"'/old")
os.rename("'"$seeds"'/new", "'"$seeds"'/b.img")
second.connect_uri("'"$u"'")
os.rename("'"$seeds"'/old", "'"$seeds"'/b.img")
assert second.pread(4, 7) == b"kept"'
server=${spawned[-1]}
for signal in KILL TERM; do
	kept_over "a directory" "$u" $signal
done
does "a directory: an export keeps its disk over the end of nbdkit although its file is replaced" /usr/bin/python3 -c '
import nbd, os, shutil, subprocess, sys, time
uri, server, image, other = sys.argv[1:]
h = nbd.NBD()
h.connect_uri(uri)
h.pwrite(b"kept", 7)
shutil.copy(other, image + ".new")
os.rename(image, image + ".old")
os.rename(image + ".new", image)
subprocess.check_call(["pkill", "-KILL", "-P", server])
for n in range(100):
    h = nbd.NBD()
    try:
        h.connect_uri(uri)
        break
    except nbd.Error:
        time.sleep(0.1)
os.rename(image + ".old", image)
assert h.get_size() == 1 << 20 and h.pread(4, 7) == b"kept"' "$u" "$server" "$seeds/b.img" "$two_mib"
does "a directory: the server holds the disk no longer than its clients" wait_for 20 store_has_no_disk
end "$server"
serving --lazy --keep --socket="$seeds/s.sock" "$seeds/b.img"
end "$server"
says "--keep outlives the server" 0 'b.img: 1 MiB, .*kept' xm-ramdisk list
xm-ramdisk drop "$seeds/b.img"

xm-ramdisk serve --background --threads=3 --socket="$seeds/s.sock" "$seeds/b.img" >"$out" 2>&1 </dev/null
ok "--background returns when the server is ready" $?
does "the server in the background serves" nbdinfo --size "$u"
pid=$(xm-ramdisk list --json | jq '.[0].attachments[0].pid')
does "--threads reaches nbdkit" sh -c "tr '\\0' ' ' <\"/proc/\$(pgrep -P $pid)/cmdline\" | grep -q -e ' --threads=3 '"
does "SIGTERM ends it" kill "$pid"
wait_for 10 store_is_empty
ok "the server in the background has left nothing" $?
for n in 0 4097 x; do
	says "--connections=$n is refused" 2 "connections=$n: expected 1 to 4096" \
		xm-ramdisk serve --connections=$n "$seeds/b.img"
done
serving --connections=2 --socket="$seeds/s.sock" "$seeds/b.img"
does "--connections=2" nbdsh -u "$u" -c '
second, third = nbd.NBD(), nbd.NBD()
second.connect_uri("'"$u"'")
try:
    third.connect_uri("'"$u"'")
except nbd.Error:
    pass
else:
    raise AssertionError("three connections")'
end "$server"
for n in 0 257 x 1x -1; do
	says "--threads=$n is refused" 2 "threads=$n: expected 1 to 256" xm-ramdisk serve --threads=$n "$seeds/b.img"
done
says "--background prints nbdkit's reason" 1 "nbdkit: .*error: cannot open seed $seeds/none" \
	xm-ramdisk serve --background --discard "$seeds/none"
says "--background reports an error, too" 1 'cannot open seed' xm-ramdisk serve --background "$seeds/none"

serving --tcp=127.0.0.1:0 --insecure "$seeds/b.img"
tcp=$(grep -o 'nbd://[^ ]*' "$log" | head -1)
does "--tcp on any port" nbdinfo --size "$tcp"
end "$server"
if [ -e /proc/net/if_inet6 ] && grep -q '^0*1 ' /proc/net/if_inet6; then
	serving '--tcp=[::1]:0' --insecure "$seeds/b.img"
	does "--tcp on an IPv6 address" nbdinfo --size "$(grep -o 'nbd://[^ ]*' "$log" | head -1)"
	end "$server"
fi
does "no disk is left at the end" store_is_empty

# ---- without root -----------------------------------------------------------

if [ "$(id -u)" = 0 ]; then
	mkdir "$seeds/bin" # the build folder may be closed to others
	cp "$B/xm-ramdisk" "$plugin" "$seeds/bin"
	chmod -R a+rX "$seeds"
	as_nobody() {
		env -u XEN_RAMDISK_DIR setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	}
	does "another user starts a server" as_nobody "$seeds/bin/xm-ramdisk" serve --background "$seeds/b.img"
	u=$(uri_of b.img /dev/shm/xen-ramdisk-65534/b.img.sock)
	does "that user can connect" as_nobody nbdinfo --size "$u"
	as_nobody "$seeds/bin/xm-ramdisk" list --json >"$out"
	jq -e 'length == 1 and .[0].attachments[0].label == "xm-ramdisk serve"' "$out" >/dev/null
	ok "that user can list it" $?
	pid=$(jq '.[0].attachments[0].pid' "$out")
	does "only that user can enter the store" sh -c '[ "$(stat -c %a:%u /dev/shm/xen-ramdisk-65534)" = 700:65534 ]'
	kill "$pid"
	wait_for 10 rmdir /dev/shm/xen-ramdisk-65534
	ok "that server ends and removes its store" $?
	mkdir -m 755 /dev/shm/xen-ramdisk-65534
	chown 65534 /dev/shm/xen-ramdisk-65534
	says "a store that others can enter is refused" 1 'is not a directory of yours alone' \
		as_nobody "$seeds/bin/xm-ramdisk" serve "$seeds/b.img"
	rmdir /dev/shm/xen-ramdisk-65534
fi
finish
