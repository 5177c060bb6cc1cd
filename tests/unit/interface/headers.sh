#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The data against real headers of Xen, and the sources of the project compiled
# with them: the installed headers, and those of Debian 13 and of unstable,
# unpacked from their packages. If a package cannot be fetched, its tests fail.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=${B:-build}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=

report() { # STATUS NAME
	[ "$1" = 0 ] && { echo "ok interface-headers: $2"; return; }
	failed=yes
	sed 's/^/# /' "$tmp/out" | head -n 20
	echo "not ok interface-headers: $2"
}

# The line of releases in a package's version: 4.20 of 4.20.3+127-gc42374a105-0.
line_of() { sed -E 's/^([0-9]+\.[0-9]+).*/\1/'; }
release_of() { sed -E 's/^([0-9]+\.[0-9]+\.[0-9]+).*/\1/'; }

# The values in the headers in folder $1, by the preprocessor, not by our parser.
values_of() {
	printf '%s\n' '#define __XEN_TOOLS__ 1' '#include <stdint.h>' \
		'#include <xen/xen.h>' '#include <xen/domctl.h>' '#include <xen/sysctl.h>' \
		'v __XEN_LATEST_INTERFACE_VERSION__ XEN_DOMCTL_INTERFACE_VERSION XEN_SYSCTL_INTERFACE_VERSION' |
		gcc -E -P -I"$1" - | sed -n 's/^v //p'
}
numbers() { # each as a decimal number, so that 0xA and 0x0000000a agree
	local v
	for v in $1; do printf '%d ' "$v"; done
}

data_agrees() { # INCLUDE VERSION
	local got want line
	got=$(values_of "$1") && [ -n "$got" ] || return
	want=$(awk -F'\t' -v r="$(release_of <<<"$2")" '$1 == r { print $3, $4, $5 }' \
		tools/xm-ramdisk/interface/versions.tsv)
	if [ -z "$want" ]; then # newer than the table: take the newest of its line
		line=$(line_of <<<"$2")
		want=$(awk -F'\t' -v l="$line." 'index($1, l) == 1 { w = $3 " " $4 " " $5 } END { print w }' \
			tools/xm-ramdisk/interface/versions.tsv)
	fi
	echo "headers of $2: $got; data: ${want:-nothing}"
	[ "$(numbers "$got")" = "$(numbers "$want")" ]
}
tool_agrees() { # INCLUDE
	local got
	got=$("$B/xm-ramdisk" interface of "$1" | awk '$1 ~ /^(interface|domctl|sysctl)$/ { print $2 }' | xargs)
	echo "the tool: $got; the preprocessor: $(values_of "$1")"
	[ "$(numbers "$got")" = "$(numbers "$(values_of "$1")")" ]
}

# Every source file of the project, and user.c.in with several XEN_INTERFACE_NEEDED.
compiles() { # INCLUDE
	local f n=0
	for f in drivers/*/*.c drivers/*/*/*.c tools/xm-ramdisk/*.c tools/xm-ramdisk/*/*.c; do
		case $f in
		drivers/nbdkit/*) continue ;; # needs nbdkit's header
		drivers/block-ram/tapdisk/*) continue ;; # needs blktap's headers
		esac
		echo "$f"
		gcc -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -Iinclude -I. -I"$B/gen" -I"$1" \
			-DXEN_INTERFACE_NEEDED=XEN_INTERFACE_4_0_0 -include xen-interface.h \
			-fsyntax-only "$f" || return
		n=$((n + 1))
	done
	[ $n -gt 20 ] || return
	for f in XEN_INTERFACE_3_0_2_2 XEN_INTERFACE_3_3_0 XEN_INTERFACE_4_0_0 XEN_INTERFACE_4_14_0; do
		echo "$f"
		gcc -std=gnu11 -Wall -Wextra -Werror -Wno-strict-prototypes -Iinclude -I"$1" \
			"-DXEN_INTERFACE_NEEDED=$f" -fsyntax-only -x c tests/unit/interface/user.c.in || return
	done
}

all_of() { # NAME INCLUDE VERSION
	case $3 in [0-9]*) ;; *)
		echo "no package libxen-dev" >"$tmp/out"
		report 1 "$1: its package"
		return ;;
	esac
	data_agrees "$2" "$3" >"$tmp/out" 2>&1
	report $? "$1 ($(release_of <<<"$3")): the data has its values"
	tool_agrees "$2" >"$tmp/out" 2>&1
	report $? "$1: interface of reads them"
	compiles "$2" >"$tmp/out" 2>&1
	report $? "$1: the whole project compiles against them"
}

hypervisor() { # SUITE: the release read from the packed hypervisor is its package's
	local tree
	tree=$(tests/debian-packages "$1" xen-system-amd64:xen-hypervisor-) &&
		"$B/xm-ramdisk" interface of "$tree"/boot/xen-*.gz &&
		"$B/xm-ramdisk" interface of "$tree"/boot/xen-*.gz | xargs |
			grep -F "releases $(sed -n 's/.*Version: \([^ ]*\).*/\1/p' "$tree/.complete" | release_of) source"
}

# Whether the suite is unstable with a line of releases that versions.tsv does not
# have yet. Then there is nothing to compare.
ahead() { # SUITE VERSION
	[ "$1" = sid ] && ! awk -F'\t' -v l="$(line_of <<<"$2")." \
		'index($1, l) == 1 { f = 1 } END { exit !f }' tools/xm-ramdisk/interface/versions.tsv
}

all_of "installed headers" /usr/include "$(dpkg-query -W -f '${Version}' libxen-dev 2>/dev/null)"
for suite in trixie sid; do
	tree=$(tests/debian-packages $suite libxen-dev 2>"$tmp/out")
	status=$?
	report $status "$suite: its headers can be fetched"
	[ $status = 0 ] || continue
	version=$(sed -n 's/.*Version: \([^ ]*\).*/\1/p' "$tree/.complete")
	if ahead $suite "$version"; then
		echo "# $suite has $version, which is newer than versions.tsv: docs/interface-versions.md"
		continue
	fi
	# Only Xen's headers, so that the compiler's own C library is used.
	mkdir -p "$tmp/$suite" && cp -r "$tree"/usr/include/xen* "$tmp/$suite/"
	if [ "$(dpkg --print-architecture)" = amd64 ]; then
		hypervisor $suite >"$tmp/out" 2>&1
		report $? "$suite: interface of reads its hypervisor"
	fi
	all_of $suite "$tmp/$suite" "$version"
done
[ -z "$failed" ]
