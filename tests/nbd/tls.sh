#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xm-ramdisk serve --make-tls: the certificates that it makes work with the lines that it
# prints; expired ones, other authorities and other hosts are told apart by the server, and
# refused by clients.
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
finish
