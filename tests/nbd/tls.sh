#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xm-ramdisk serve --make-tls: the certificates that it makes work with the lines that it
# prints; expired ones, other authorities and other hosts are told apart by the server, and
# by a host whose seed is on the server; NBD clients of others refuse them.
# shellcheck source=tests/nbd/lib.bash
. "$(dirname "$0")/lib.bash"

tls=$seeds/tls
truncate -s 1M "$seeds/seed.img"
says "make-tls" 0 "serve --tcp --tls-certificates=$tls/server SEED" \
	xm-ramdisk serve --make-tls="$tls" localhost 127.0.0.1
cp "$out" "$seeds/printed"
cp "$tls/ca-cert.pem" "$seeds/ca"
does "keys are for their owner alone" sh -c "test -z \"\$(find '$tls' -name '*-key.pem' ! -perm 600)\" && test -s '$tls/client/client-key.pem'"
does "a client's folder has no key of the authority" test ! -e "$tls/client/ca-key.pem" -a ! -e "$tls/server/ca-key.pem"
says "make-tls with a bad host" 2 "is no HOST; expected a name or an address" \
	xm-ramdisk serve --make-tls="$tls" 'a"b'
says "make-tls in no directory" 1 'cannot make the directory .*/none/tls: No such file' \
	xm-ramdisk serve --make-tls="$seeds/none/tls" localhost
says "make-tls without certtool" 1 'cannot start certtool.*apt-get install gnutls-bin' \
	env PATH="$seeds" "$B/xm-ramdisk" serve --make-tls="$seeds/without" localhost

serving() { # DIRECTORY
	spawn xm-ramdisk serve --tcp=127.0.0.1:0 --tls-certificates="$1" "$seeds/seed.img"
	server=${spawned[-1]}
	log=$seeds/log.$((${#spawned[@]} - 1))
	wait_for 20 grep -q nbdcopy "$log"
	port=$(grep -o '127.0.0.1:[0-9]*' "$log" | head -n 1)
	port=${port#*:}
}
refused() { # NAME URI
	says "a client refuses: $1" 1 'Error in the certificate verification|pull function|certificate' nbdinfo --size "$2"
}
# The line that was printed for clients, for this port, disk and folder.
printed_uri() {
	sed -n "s/^  nbdcopy '\(.*\)' .*/\1/p" "$seeds/printed" |
		sed "s,localhost/DISK,localhost:$port/seed.img,; s,CLIENT_DIRECTORY,$tls/client,"
}

serving "$tls/server"
says "the printed URI works" 0 '^1048576$' nbdinfo --size "$(printed_uri)"
says "an address works as well" 0 '^1048576$' nbdinfo --size "nbds://127.0.0.1:$port/seed.img?tls-certificates=$tls/client"
does "make-tls of another authority" xm-ramdisk serve --make-tls="$seeds/other" localhost
refused "a server of another authority" "nbds://localhost:$port/seed.img?tls-certificates=$seeds/other/client"
end "$server"

# ---- what the server says of its own certificate ------------------------------

certificate() { # DIRECTORY WORDS: a server's, signed by $tls, of these words
	mkdir -p "$1" && cp "$tls/ca-cert.pem" "$tls/server/server-key.pem" "$1" &&
		printf 'cn = s\nsigning_key\ntls_www_server\n%b' "$2" >"$1/info" &&
		certtool --generate-certificate --load-ca-certificate "$tls/ca-cert.pem" --load-ca-privkey "$tls/ca-key.pem" \
			--load-privkey "$1/server-key.pem" --template "$1/info" --outfile "$1/server-cert.pem"
}
does "an expired certificate is made" certificate "$seeds/expired" \
	'dns_name = localhost\nip_address = 127.0.0.1\nactivation_date = "2020-01-01 00:00:00"\nexpiration_date = "2021-01-01 00:00:00"\n'
says "expired" 1 "^xm-ramdisk: the certificate $seeds/expired/server-cert.pem has expired" \
	xm-ramdisk serve --tcp=127.0.0.1:0 --tls-certificates="$seeds/expired" "$seeds/seed.img"
mkdir "$seeds/mixed"
cp "$tls/server/"server-* "$seeds/other/ca-cert.pem" "$seeds/mixed"
says "of another authority" 1 "mixed/server-cert.pem was not signed by the authority in ca-cert.pem" \
	xm-ramdisk serve --tcp=127.0.0.1:0 --tls-certificates="$seeds/mixed" "$seeds/seed.img"

does "make-tls again, for another host" xm-ramdisk serve --make-tls="$tls" other.example
does "the authority is the same" cmp "$seeds/ca" "$tls/ca-cert.pem"
serving "$tls/server"
says "another host: a note" 0 'tls/server/server-cert.pem does not name 127.0.0.1; a client' cat "$log"
refused "a server of another name" "nbds://127.0.0.1:$port/seed.img?tls-certificates=$tls/client"
end "$server"

# ---- what a host says whose seed is on the server ------------------------------

store=$(mktemp -d /dev/shm/xen-ramdisk-test-XXXXXX) # in place of another host
trap 'clean_up; rm -rf "$store"' EXIT
seed_says() { # NAME SENTENCE URI: an attach there fails with the sentence, and leaves nothing
	says "a seed: $1" 1 "^xm-ramdisk: cannot open seed nbds?(\+unix)?://[^ ]*: $2$" \
		env XEN_RAMDISK_DIR="$store" HOME="$seeds" timeout 60 xm-ramdisk load "$3"
	[ -z "$(ls -A "$store")" ]
	ok "a seed: $1: nothing is left" $?
}
remote_says() { # NAME SENTENCE URI: the same for the disk of another host, over a fake of xenstore
	says "attach --remote: $1" 1 "^xm-ramdisk: cannot open seed nbds://[^ ]*: $2$" \
		env XEN_RAMDISK_DIR="$store" FAKE_XEN="$seeds/xen" LD_PRELOAD="$B/tests/daemon/xen.so" \
		timeout 60 xm-ramdisk attach --remote Domain-0 "$3" xvdb
}
nbdkit_with() { # DIRECTORY ARGUMENT...: serves with these certificates at $port
	local directory=$1
	shift
	port=$((port + 1))
	until ! ss -Hltn "sport = :$port" | grep -q .; do port=$((port + 1)); done
	spawn nbdkit -f -i "${address-127.0.0.1}" -p "$port" --tls=require --tls-certificates="$directory" "$@" memory 1M
	wait_for 20 sh -c "ss -Hltn 'sport = :$port' | grep -q ."
}
at() { echo "nbds://${2-127.0.0.1}:$port/?tls-certificates=$1"; }
does "certificates for another host" certificate "$seeds/host" 'dns_name = other.example\n'
does "certificates of the future" certificate "$seeds/future" \
	'dns_name = localhost\nip_address = 127.0.0.1\nactivation_date = "2099-01-01 00:00:00"\nexpiration_date = "2100-01-01 00:00:00"\n'
does "certificates for this one" certificate "$seeds/here" 'dns_name = localhost\nip_address = 127.0.0.1\n'
nbdkit_with "$seeds/here" --tls-verify-peer
says "a seed: certificates are accepted" 0 '1 MiB, kept' env XEN_RAMDISK_DIR="$store" xm-ramdisk load "$(at "$tls/client")"
XEN_RAMDISK_DIR=$store xm-ramdisk drop "$(at "$tls/client")"
seed_says "another authority" "the server's certificate was not signed by the authority in $seeds/other/client/ca-cert.pem; copy .*" "$(at "$seeds/other/client")"
remote_says "another authority" "the server's certificate was not signed by the authority in $seeds/other/client/ca-cert.pem; copy .*" "$(at "$seeds/other/client")"
seed_says "no such directory" "cannot read $seeds/none/ca-cert.pem: No such file or directory; expected .*" "$(at "$seeds/none")"
seed_says "no directory" "libnbd 1.14.[0-9]+ would not check who the server is; add tls-certificates=DIRECTORY .*" "nbds://127.0.0.1:$port/"
mkdir "$seeds/authority"
cp "$tls/ca-cert.pem" "$seeds/authority"
seed_says "no certificate of its own" "the server ended the connection, and may not accept this host's certificate, $seeds/authority/client-cert.pem; .*" \
	"$(at "$seeds/authority")"
cp "$seeds/other/client/"client-*.pem "$seeds/authority"
seed_says "a certificate of another authority" "the server ended the connection, and may not accept .*" "$(at "$seeds/authority")"
nbdkit_with "$seeds/expired"
seed_says "expired" "the server's certificate has expired; make a new one on the server .*" "$(at "$tls/client")"
remote_says "expired" "the server's certificate has expired; make a new one on the server .*" "$(at "$tls/client")"
nbdkit_with "$seeds/future"
seed_says "not valid yet" "the server's certificate is not valid yet; compare the clocks of both hosts" "$(at "$tls/client")"
nbdkit_with "$seeds/host"
seed_says "another host" "the server's certificate does not name 127.0.0.1; use a name .*" "$(at "$tls/client")"
remote_says "another host" "the server's certificate does not name 127.0.0.1; use a name .*" "$(at "$tls/client")"
remote_says "no such directory" "cannot read $seeds/none/ca-cert.pem: No such file or directory; expected .*" "$(at "$seeds/none")"
seed_says "another host, by name" "the server's certificate does not name localhost; use a name .*" "$(at "$tls/client" localhost)"
address=::1 nbdkit_with "$seeds/here"
seed_says "an IPv6 address" "the server's certificate does not name ::1; use a name .*" "$(at "$tls/client" "[::1]")"
does "certificates for it" certificate "$seeds/six" 'ip_address = ::1\n'
address=::1 nbdkit_with "$seeds/six"
seed_says "an IPv6 address of the certificate" "the server refuses libnbd's way to send the IPv6 address ::1; use the server's name" "$(at "$tls/client" "[::1]")"
finish
