#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xm-ramdisk interface as people run it: data, header and picture agree; the
# header compiles in each language that it supports; trees, tarballs and
# programs of every release, made here; hostile input; wrong arguments.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=${B:-build}
tool=$PWD/$B/xm-ramdisk
data=tools/xm-ramdisk/interface
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=

report() { # STATUS NAME
	if [ "$1" = 0 ]; then
		echo "ok interface: $2"
	else
		sed 's/^/# /' "$tmp/out" | head -n 20
		echo "not ok interface: $2"
		failed=yes
	fi
}

test_() { # NAME COMMAND...
	local name=$1
	shift
	"$@" >"$tmp/out" 2>&1
	report $? "$name"
}

run() { "$tool" interface "$@"; }

exits() { # STATUS ARGUMENT...
	local want=$1 got
	shift
	run "$@"
	got=$?
	[ $got = "$want" ] || { echo "status $got, expected $want"; return 1; }
}

prints() { # REGEX ARGUMENT...
	local regex=$1
	shift
	run "$@" >"$tmp/printed" 2>&1
	cat "$tmp/printed"
	grep -Eq -- "$regex" "$tmp/printed"
}

# ---- data, header and picture agree ------------------------------------------

generated() {
	awk -v what=header -f $data/generate.awk $data/changes.tsv \
		$data/versions.tsv $data/compat.h.in
}
same_header() { generated | diff -u include/xen-interface.h - && return
	echo "run: make interface"; return 1; }
same_picture() { run list --svg - | cmp docs/interface-versions.svg - && return
	echo "run: make interface"; return 1; }
same_csv() { # the tool's list against the data itself, column by column
	awk -F'\t' 'NR > 1 { print $1, $2, $3, $4, $5 }' $data/versions.tsv >"$tmp/want"
	run list --csv | awk -F, 'NR > 1 { print $1, $2, $3, $4, $5 }' | diff "$tmp/want" -
}
same_changes() {
	awk -F'\t' 'NR > 1 { print $1, $2, $3, $4, $7 }' $data/changes.tsv >"$tmp/want"
	run list --changes --csv | awk -F, 'NR > 1 { print $1, $2, $3, $4, $7 }' | diff "$tmp/want" -
}
every_release_drawn() {
	local r
	awk -F'\t' 'NR > 1 { print $1 }' $data/versions.tsv | while read -r r; do
		[ "$(grep -c "<title>$r</title>" docs/interface-versions.svg)" -ge 1 ] ||
			{ echo "$r is not drawn"; exit 1; }
	done
}
wrong_data() { # a line that cannot be right stops the build
	local line
	while read -r line; do
		{ cat $data/versions.tsv; printf '%b\n' "$line"; } >"$tmp/bad.tsv"
		awk -v what=tables -f $data/generate.awk $data/changes.tsv "$tmp/bad.tsv" >/dev/null &&
			{ echo "accepted: $line"; return 1; }
	done <<-'END'
		4.17.0\t-\t0x00040e00\t0x00000015\t0x00000015\tx\txl\ttwice
		4.23.0\t-\t0x00041700\t0x00000019\t0x00000017\tx\txl\tno change has it
		4.23.0\t-\t0x41300\t0x00000019\t0x00000017\tx\txl\tshort
		4.23.0\tJuly\t0x00041300\t0x00000019\t0x00000017\tx\txl\tdate
		4.23.0\t-\t0x00041300\t0x00000019\t0x00000017\txl\tcolumns
	END
	return 0
}
one_line() { # one line for a new release is enough for header and tables
	{ cat $data/versions.tsv
	printf '4.23.0\t2026-12-01\t0x00041300\t0x00000019\t0x00000017\tx\txl\ttest\n'; } >"$tmp/new.tsv"
	awk -v what=header -f $data/generate.awk $data/changes.tsv "$tmp/new.tsv" \
		$data/compat.h.in >"$tmp/new.h" &&
		grep -q '^#define XEN_DOMCTL_4_23_0 0x00000019' "$tmp/new.h" &&
		grep -q '"4.19.0 to 4.23.0"' "$tmp/new.h" &&
		awk -v what=tables -f $data/generate.awk $data/changes.tsv "$tmp/new.tsv" | grep -q '"4.23.0"'
}
json() { run "$@" --json | python3 -c 'import json, sys; json.load(sys.stdin)'; }

test_ "the header in the tree is generated from the data" same_header
test_ "the picture in docs is generated from the data" same_picture
test_ "list --csv is the data" same_csv
test_ "list --changes --csv is the data" same_changes
test_ "every release is in the picture" every_release_drawn
test_ "the picture is XML" python3 -c 'import sys, xml.dom.minidom as m; m.parse("docs/interface-versions.svg")'
test_ "data that cannot be right is refused" wrong_data
test_ "a new release is one line" one_line
for what in list 'list --changes' 'show 4.10.1' 'show 0x00040e00' 'show 4.10' 'of /usr/include'; do
	# shellcheck disable=SC2086 # words
	test_ "$what --json is JSON" json $what
done

# ---- the header compiles -------------------------------------------------------

compiles() { # COMPILER LANGUAGE STANDARD
	local ask
	for ask in -UXEN_INTERFACE_NEEDED -DXEN_INTERFACE_NEEDED=XEN_INTERFACE_4_0_0; do
		"$1" -x "$2" -std="$3" "$ask" -Wall -Wextra -pedantic -Werror -c \
			-o /dev/null include/xen-interface.h || return
	done
}
for cc in gcc clang; do
	for std in c99 c11 c2x; do
		test_ "the header alone, $cc $std" compiles $cc c $std
	done
	test_ "the header alone, $cc c++17" compiles $cc c++ c++17
done

# ---- trees of every release, made here -----------------------------------------

# tree ROOT RELEASE INTERFACE DOMCTL SYSCTL: the parts of a source tree that are read
tree() {
	local d=$1/xen/include/public v
	mkdir -p "$d/io"
	cat >"$d/xen-compat.h" <<-END
		/* #define __XEN_LATEST_INTERFACE_VERSION__ 0x00000001 */
		#ifndef __XEN_PUBLIC_XEN_COMPAT_H__
		#define __XEN_PUBLIC_XEN_COMPAT_H__
		#define __XEN_LATEST_INTERFACE_VERSION__ $3
		#if defined(__XEN__) || defined(__XEN_TOOLS__)
		#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
		#elif !defined(__XEN_INTERFACE_VERSION__)
		#define __XEN_INTERFACE_VERSION__ 0x00000000
		#endif
		#if __XEN_INTERFACE_VERSION__ > __XEN_LATEST_INTERFACE_VERSION__
		#error "the sentence of xen-compat.h"
		#endif
		#endif
	END
	[ "$4" = - ] || echo "#define XEN_DOMCTL_INTERFACE_VERSION $4" >"$d/domctl.h"
	[ "$5" = - ] || echo "#define XEN_SYSCTL_INTERFACE_VERSION $5" >"$d/sysctl.h"
	v=${2%%[-_]*}
	printf 'export XEN_VERSION = %s\nexport XEN_SUBVERSION = %s\nexport XEN_EXTRAVERSION ?= .%s$(XEN_VENDORVERSION)\n' \
		"${v%%.*}" "$(cut -d. -f2 <<<"$v")" "$(cut -d. -f3- <<<"$v")" >"$1/xen/Makefile"
}
reads_history() {
	local r i d s got
	while IFS=$'\t' read -r r _ i d s _; do
		[ "$r" = release ] && continue
		rm -rf "$tmp/t"
		tree "$tmp/t" "$r" "$i" "$d" "$s"
		got=$(run of "$tmp/t" | awk '$1 == "interface" || $1 == "domctl" || $1 == "sysctl" { printf "%s ", $2 } $1 == "releases" { print $2, $3, $4 }')
		[ "$got" = "$i $([ "$d" = - ] && echo not || echo "$d") $([ "$s" = - ] && echo not || echo "$s") $r  " ] ||
			[ "$r" = 3.0.2-2 ] || { echo "$r: $got"; return 1; }
	done <$data/versions.tsv
}
# Code that needs an interface of the headers compiles. With older headers the
# compiler stops with the sentence of xen-interface.h, which names the release,
# and not with that of xen-compat.h.
asks_history() {
	local values v l
	values=$(awk -F'\t' 'NR > 1 && !s[$3]++ { print $3 }' $data/versions.tsv)
	for l in $values; do
		rm -rf "$tmp/t" "$tmp/inc"
		tree "$tmp/t" 0.0.0 "$l" - -
		mkdir "$tmp/inc" && ln -s "$tmp/t/xen/include/public" "$tmp/inc/xen"
		for v in $values; do
			printf '#define XEN_INTERFACE_NEEDED %s\n#include "xen-interface.h"\n#if __XEN_INTERFACE_VERSION__ != %s\n#error wrong\n#endif\n' \
				"$v" "$v" >"$tmp/ask.c"
			if gcc -E -o /dev/null -I"$tmp/inc" -Iinclude "$tmp/ask.c" 2>"$tmp/err"; then
				[[ ! "$v" > "$l" ]] && [ "$v/$l" != 0x00040901/0x00040a00 ] ||
					{ echo "$v accepted by $l"; return 1; }
			else
				[[ "$v" > "$l" ]] || [ "$v/$l" = 0x00040901/0x00040a00 ] ||
					{ echo "$v refused by $l"; cat "$tmp/err"; return 1; }
				grep -q "this code needs Xen interface $v" "$tmp/err" && ! grep -q 'the sentence of xen-compat.h' "$tmp/err" ||
					{ cat "$tmp/err"; return 1; }
			fi
		done
	done
}

# Headers with the names of 3.0.2 alone: xen-interface.h must add all names that
# later releases introduced.
oldest() {
	local d=$tmp/old/xen
	tree "$tmp/t" 3.0.2 0x00030101 - -
	mkdir -p "$d/io" && cp "$tmp/t/xen/include/public/xen-compat.h" "$d"
	printf '#include "xen-compat.h"\ntypedef uint16_t domid_t;\n' >"$d/xen.h"
	printf '#define __XEN_PUBLIC_EVENT_CHANNEL_H__\ntypedef uint32_t evtchn_port_t;\n' >"$d/event_channel.h"
	cat >"$d/grant_table.h" <<-'END'
		#ifndef __XEN_PUBLIC_GRANT_TABLE_H__
		#define __XEN_PUBLIC_GRANT_TABLE_H__
		typedef struct grant_entry { uint16_t flags; domid_t domid; uint32_t frame; } grant_entry_t;
		typedef uint32_t grant_ref_t;
		#endif
	END
	cat >"$d/io/ring.h" <<-'END'
		#ifndef __XEN_PUBLIC_IO_RING_H__
		#define __XEN_PUBLIC_IO_RING_H__
		typedef unsigned int RING_IDX;
		#define DEFINE_RING_TYPES(n, req_t, rsp_t) \
			union n##_sring_entry { req_t req; rsp_t rsp; }; \
			typedef struct n##_sring { RING_IDX req_prod, req_event, rsp_prod, rsp_event; \
				uint8_t pad[48]; union n##_sring_entry ring[1]; } n##_sring_t; \
			typedef struct n##_front_ring { RING_IDX req_prod_pvt, rsp_cons; \
				unsigned int nr_ents; n##_sring_t *sring; } n##_front_ring_t; \
			typedef struct n##_back_ring { RING_IDX rsp_prod_pvt, req_cons; \
				unsigned int nr_ents; n##_sring_t *sring; } n##_back_ring_t
		#define SHARED_RING_INIT(s) ((s)->req_prod = (s)->rsp_prod = 0)
		#define FRONT_RING_INIT(r, s, z) ((r)->sring = (s), (r)->nr_ents = (z) / 128)
		#define BACK_RING_INIT(r, s, z) ((r)->sring = (s), (r)->nr_ents = (z) / 128)
		#define RING_SIZE(r) ((r)->nr_ents)
		#define RING_GET_REQUEST(r, i) (&(r)->sring->ring[(i) & (RING_SIZE(r) - 1)].req)
		#define RING_GET_RESPONSE(r, i) (&(r)->sring->ring[(i) & (RING_SIZE(r) - 1)].rsp)
		#define RING_PUSH_REQUESTS(r) do { wmb(); (r)->sring->req_prod = (r)->req_prod_pvt; } while (0)
		#define RING_FINAL_CHECK_FOR_REQUESTS(r, w) \
			do { rmb(); mb(); (w) = (r)->sring->req_prod != (r)->req_cons; } while (0)
		#endif
	END
	cat >"$d/io/blkif.h" <<-'END'
		#ifndef __XEN_PUBLIC_IO_BLKIF_H__
		#define __XEN_PUBLIC_IO_BLKIF_H__
		#include "ring.h"
		#include "../grant_table.h"
		typedef uint16_t blkif_vdev_t;
		typedef uint64_t blkif_sector_t;
		struct blkif_request_segment { grant_ref_t gref; uint8_t first_sect, last_sect; };
		typedef struct { uint8_t operation, nr_segments; blkif_vdev_t handle; uint64_t id;
			blkif_sector_t sector_number; struct blkif_request_segment seg[11]; } blkif_request_t;
		typedef struct { uint64_t id; uint8_t operation; int16_t status; } blkif_response_t;
		DEFINE_RING_TYPES(blkif, blkif_request_t, blkif_response_t);
		#endif
	END
	gcc -std=gnu11 -Wall -Wextra -Werror -Iinclude -I"$tmp/old" -fsyntax-only \
		-DXEN_INTERFACE_NEEDED=XEN_INTERFACE_3_0_2_2 -x c tests/unit/interface/user.c.in
}
test_ "today's names on the oldest headers" oldest
test_ "of: a tree of every release" reads_history
test_ "the header with the headers of every value" asks_history

# ---- archives ------------------------------------------------------------------

tree "$tmp/xen-4.17.7" 4.17.7 0x00040e00 0x00000015 0x00000015
packs() { # OPTION SUFFIX
	tar -C "$tmp" "$1" -cf "$tmp/xen.tar$2" xen-4.17.7 &&
		prints 'releases +4\.17\.7$' of "$tmp/xen.tar$2" && grep -q 'domctl .*0x00000015' "$tmp/printed"
}
test_ "of: a tarball" packs --format=ustar ''
test_ "of: gzip" packs --gzip .gz
test_ "of: bzip2" packs --bzip2 .bz2
test_ "of: xz" packs --xz .xz
test_ "of: pax" packs --format=pax .pax

damaged() {
	head -c 200 "$tmp/xen.tar.$1" >"$tmp/cut.$1"
	exits 1 of "$tmp/cut.$1" >"$tmp/printed" 2>&1 && grep -q 'damaged' "$tmp/printed"
}
for kind in gz bz2 xz; do
	test_ "of: a $kind that was cut off" damaged $kind
done
hostile() { # names that lead out of the folder, links: no file is made
	mkdir -p "$tmp/h/xen/include/public" "$tmp/room" && ln -s /etc/passwd "$tmp/h/xen/include/public/xen-compat.h"
	echo '#define XEN_DOMCTL_INTERFACE_VERSION 0x15' >"$tmp/h/domctl.h"
	tar -C "$tmp/h" -P --transform 's,^domctl.h,../escaped/xen/include/public/domctl.h,' \
		-czf "$tmp/h.tar.gz" xen domctl.h
	(cd "$tmp/room" && prints 'domctl +0x00000015' of "$tmp/h.tar.gz") &&
		[ -z "$(ls -A "$tmp/room")" ] && [ ! -e "$tmp/escaped" ] && [ ! -e "$tmp/../escaped" ]
}
bomb() { # 1.2 GiB of zeros, packed to 1 MiB: refused with bounded memory
	truncate -s 640M "$tmp/big"
	tar -C "$tmp" -c big 2>/dev/null | head -c 512 | gzip >"$tmp/head.gz"
	rm "$tmp/big"
	head -c 64M /dev/zero | gzip >"$tmp/zeros.gz"
	for _ in 1 2; do
		cat "$tmp/head.gz"
		for _ in 1 2 3 4 5 6 7 8 9 10; do cat "$tmp/zeros.gz"; done
	done >"$tmp/bomb.tar.gz"
	# A sanitizer reserves terabytes of addresses: no limit then.
	([[ $B == *san-* ]] || ulimit -v 600000; prints 'larger than any release' of "$tmp/bomb.tar.gz")
}
no_packer() {
	mkdir -p "$tmp/empty"
	env PATH="$tmp/empty" "$tool" interface of "$tmp/xen.tar.xz" >"$tmp/printed" 2>&1
	grep -q 'cannot run xz.*install the package xz-utils' "$tmp/printed"
}
test_ "of: a tarball with links, and names that lead out of the folder" hostile
test_ "of: an archive that unpacks to 1.2 GiB" bomb
test_ "of: without the program that unpacks" no_packer

# ---- programs and libraries -------------------------------------------------------

marked() {
	printf '#define XEN_INTERFACE_NEEDED XEN_INTERFACE_3_3_0\n#include "xen-interface.h"\nXEN_INTERFACE_MARK;\nint main(void) { return 0; }\n' >"$tmp/m.c"
	gcc -Iinclude -o "$tmp/marked" "$tmp/m.c" && strip "$tmp/marked" &&
		prints 'interface +0x00030209' of "$tmp/marked"
}
linked() {
	echo 'int main(void) { return 0; }' | gcc -x c -o "$tmp/linked" - -Wl,--no-as-needed -lxenctrl &&
		prints 'the file needs libxenctrl.so.4.17' of "$tmp/linked" && grep -q 'domctl +*.*0x00000015' "$tmp/printed"
}
unmarked() {
	gcc -x c -o "$tmp/un" - <<<'int main(void) { return 0; }' && exits 1 of "$tmp/un" &&
		prints 'nothing in the file shows' of "$tmp/un"
}
soname() { # VERSION REGEX: a library of that line
	gcc -shared -nostdlib -x c -o "$tmp/lib.so" "-Wl,-soname,libxenctrl.so.$1" - <<<'int x;' &&
		run of "$tmp/lib.so" | xargs >"$tmp/printed"
	cat "$tmp/printed"
	grep -Eq "$2" "$tmp/printed"
}
test_ "of: a libxenctrl of 4.10 has one of two domctl versions" soname 4.10 \
	'interface 0x00040900 domctl not known sysctl 0x00000010 releases 4\.10\.0 to 4\.10\.4'
test_ "of: a libxenctrl of 4.0 and 4.1" soname 4.0 'releases 4\.0\.0 to 4\.1\.6\.1'
test_ "of: a program with the mark" marked
test_ "of: a program that needs libxenctrl" linked
test_ "of: a program without mark and libraries" unmarked
test_ "of: the installed headers" prints 'interface +0x00040e00' of /usr/include
test_ "of: one header" prints 'domctl +0x00000015' of /usr/include/xen/domctl.h

# ---- check, for people and scripts -------------------------------------------------

test_ "check: compatible is 0" exits 0 check 4.17.0 4.17.7
test_ "check: a warning is 3" exits 3 check --guest 4.22.0 4.17.0
test_ "check: incompatible is 4" exits 4 check 4.17.7 4.18.0
test_ "check: usage is 2" exits 2 check 4.17.7
test_ "check: an unknown release is 1" exits 1 check 4.17.7 4.99.0
test_ "check: 4.10.0 to 4.10.1 prints the reason" prints 'domctl changed from 0xe to 0xf within 4.10' check 4.10.0 4.10.1
test_ "check: 4.10.0 to 4.10.1 is compatible for guests" exits 0 check --guest 4.10.0 4.10.1
test_ "check: a tree on a tarball" exits 0 check "$tmp/xen-4.17.7" "$tmp/xen.tar.xz"
test_ "check: a path on a release" exits 4 check /usr/include 4.20.0
test_ "check: headers too old for the source" exits 4 check --source 4.22.0 /usr/include
for bad in 'list x' 'list --jason' 'list --json --csv' 'show' 'show a b' 'of' 'running x' 'check a' 'nothing' ''; do
	# shellcheck disable=SC2086 # words
	test_ "usage is 2: interface $bad" exits 2 $bad
done
for bad in 'show 4.99.0' 'show 0x99999999' 'of /nonexistent' 'of /dev/null' 'of /etc/passwd' 'list --svg /nonexistent/x'; do
	# shellcheck disable=SC2086 # words
	test_ "failure is 1: interface $bad" exits 1 $bad
done
full() { run list >/dev/full 2>"$tmp/printed"; [ $? = 1 ] && grep -q 'cannot write' "$tmp/printed"; }
test_ "a full disk is reported" full

# ---- running: here, without a hypervisor, and without libraries ---------------------

not_here() { [ -e /sys/hypervisor/type ] && [ "$(cat /sys/hypervisor/type)" = xen ] ||
	{ exits 1 running && prints 'no hypervisor: ' running; }; }
no_libraries() { # the tool is linked to libxenstore alone
	! readelf -d "$tool" | grep -E 'NEEDED.*libxen(ctrl|call|guest)'
}
no_xen_libraries() { # in a root folder with the tool and the libraries it is linked to
	local root=$tmp/root enter=(chroot) lib
	[ "$(id -u)" = 0 ] || enter=(unshare -r chroot)
	mkdir -p "$root"
	ldd "$tool" | grep -oE '/[^ ]+' | while read -r lib; do
		mkdir -p "$root$(dirname "$lib")" && cp -L "$lib" "$root$lib"
	done
	cp "$tool" "$root/xm-ramdisk"
	"${enter[@]}" "$root" /xm-ramdisk interface running >"$tmp/printed" 2>&1
	cat "$tmp/printed"
	grep -Eq 'libxenctrl +- +not installed' "$tmp/printed" && grep -Eq 'libxenstore +[34]' "$tmp/printed" || return
	# The leak sanitizer fails without /proc.
	[[ $B == *san-* ]] || "${enter[@]}" "$root" /xm-ramdisk interface check 4.17.0 4.17.1
}
check_json() {
	local status
	run check 4.10.0 4.10.1 --json >"$tmp/printed"
	status=$?
	[ $status = 4 ] && python3 -c 'import json, sys
c = json.load(sys.stdin)
assert c["verdict"] == "incompatible" and c["decided_by"] == "domctl"
assert c["domctl"]["rule"] == c["rule"] == "control-point-release"
assert c["built"]["domctl"] == "0x0000000e" and c["on"]["domctl"] == "0x0000000f"
assert c["interface"]["verdict"] == c["sysctl"]["verdict"] == "compatible"' <"$tmp/printed"
}
test_ "check --json" check_json
test_ "running: no hypervisor" not_here
test_ "running: a host without libxenctrl" no_xen_libraries
test_ "running: the installed libxenctrl" prints 'libxenctrl +4\.17' running
test_ "libxenctrl is not linked" no_libraries

[ -z "$failed" ]
