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
qemu=$(sed -n "s/^  qemu-system-x86_64 -drive .*file='\(.*\)' \.\.\.$/\1/p" "$log")
does "QEMU accepts the URI of its command" qemu-img info "$qemu"
grep -qxF "  nbd-client -unix '$socket' /dev/nbd0 -persist -connections 4 -name 'seed image.img'" "$log"
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
does "nbdkit is killed" wait_for 10 kill_nbdkit KILL
wait_for 10 nbdinfo --size "$u"
finds_what_it_wrote "nbdkit was killed"
for n in 1 2 3; do
	wait_for 10 kill_nbdkit KILL
done
wait_for 10 nbdinfo --size "$u"
finds_what_it_wrote "nbdkit was killed again and again"
wait_for 10 kill_nbdkit TERM
wait_for 10 nbdinfo --size "$u"
finds_what_it_wrote "nbdkit was asked to end"
says "the server tells each end" 0 '^5$' grep -c 'nbdkit .*; restarting it' "$log"
kill "$server"
wait "$server"
ok "SIGTERM ends the server with status 0" $?
does "nothing is left after the seed changed" store_is_empty

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

# ---- options ----------------------------------------------------------------

serving --discard --socket="$seeds/s.sock" "$seeds/b.img"
u=$(uri_of b.img "$seeds/s.sock")
does "--discard: the size is printed, as without it" grep -qE ': 1 MiB, discarded when the last' "$log"
does "--discard: a client writes and disconnects" nbdsh -u "$u" -c 'h.pwrite(b"gone", 7)'
does "--discard: the next client finds the seed" nbdsh -u "$u" -c 'assert h.pread(4, 7) == bytes(4)'
end "$server"
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
end "${spawned[-1]}"
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
