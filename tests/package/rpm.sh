#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# contrib/rpm/xen-ramdisk.spec: rpmlint finds nothing in it and no error in what it builds; rpmbuild
# builds it from a tarball of this tree. Not in a Fedora: its BuildRequires are not looked for
# (--nodeps), and Debian's rpm has no systemd macros.
set -u
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok rpm: $1"
		return
	fi
	echo "not ok rpm: $1"
	tail -n 40 "$tmp/out" | sed 's/^/    /'
	failed=1
}

spec=contrib/rpm/xen-ramdisk.spec
name=$(sed -n 's/^Version: *//p' $spec)
[ "$name" = "$(sed -n 's/^#define RD_VERSION "\(.*\)"/\1/p' include/ramdisk.h)" ]
ok "the version is that of ramdisk.h" $?
name=xen-ramdisk-$name
rpmlint -r contrib/rpm/xen-ramdisk.rpmlintrc $spec >"$tmp/out" 2>&1 && grep -q ' 0 errors, 0 warnings' "$tmp/out"
ok "rpmlint on the spec file" $?
mkdir "$tmp/rpm" "$tmp/rpm/SOURCES"
tar -cz --exclude=./build --exclude=./.git --transform "s,^\.,$name," -f "$tmp/rpm/SOURCES/$name.tar.gz" .
# The build must not see this make's variables.
env -u MAKEFLAGS -u MFLAGS -u B -u PREFIX rpmbuild --nodeps -ba --define "_topdir $tmp/rpm" --define "_smp_mflags -j2" $spec >"$tmp/out" 2>&1
ok "rpmbuild" $?
rpms=("$tmp"/rpm/RPMS/*/*.rpm)
for p in "${rpms[@]}"; do
	basename "$p" | sed 's/-[0-9].*//'
done | grep -v -- -debug | sort >"$tmp/out"
[ "$(tr '\n' ' ' <"$tmp/out")" = 'libramdisk libramdisk-devel xen-ramdisk xen-ramdisk-nbdkit ' ]
ok "all packages are there" $?
file_of() { # NAME
	echo "$tmp"/rpm/RPMS/*/"$1"-[0-9]*.rpm
}
has() { # PACKAGE FILE...
	rpm -qlp "$(file_of "$1")" >"$tmp/out" 2>&1
	local p=$1
	shift
	for f in "$@"; do
		grep -qE "^$f$" "$tmp/out" || return
	done
	echo "$p" >>"$tmp/checked"
}
has xen-ramdisk /usr/bin/xm-ramdisk /usr/sbin/xen-ramdiskd /etc/xen/scripts/block-ramdisk /usr/lib/systemd/system/xen-ramdiskd.service \
	'/usr/share/man/man8/xm-ramdisk.8(.gz)?'
ok "the programs" $?
has xen-ramdisk-nbdkit /usr/lib64/nbdkit/plugins/nbdkit-ramdisk-plugin.so '/usr/share/man/man1/nbdkit-ramdisk-plugin.1(.gz)?'
ok "the plugin of nbdkit" $?
has libramdisk /usr/lib64/libramdisk.so.0
ok "the library" $?
has libramdisk-devel /usr/include/ramdisk.h /usr/include/xen-interface.h /usr/lib64/libramdisk.so /usr/lib64/libramdisk.a \
	/usr/lib64/pkgconfig/libramdisk.pc '/usr/share/man/man3/rd_attach.3(.gz)?'
ok "its headers" $?
# Each file of `make install` is in one package.
make -s install install-dev DESTDIR="$tmp/tree" INIT=systemd PREFIX=/usr LIBDIR=/usr/lib64 NBDKITDIR=/usr/lib64/nbdkit/plugins >"$tmp/out" 2>&1
(cd "$tmp/tree" && find . ! -type d | sed 's,^\.,,; s,\.gz$,,' | sort) >"$tmp/want"
for p in xen-ramdisk xen-ramdisk-nbdkit libramdisk libramdisk-devel; do
	rpm -qlp "$(file_of $p)" 2>/dev/null
done | grep -vE '^/usr/(share/(doc|licenses)/|lib/(\.build-id|debug))' | sed 's,\.gz$,,' | sort >"$tmp/have"
[ "$(wc -l <"$tmp/want")" -gt 60 ] && diff "$tmp/want" "$tmp/have" >"$tmp/out"
ok "each file of make install is in one of them" $?
rpm -qp --requires "$(file_of xen-ramdisk)" >"$tmp/out" 2>&1
grep -q '^libxenstore\.so' "$tmp/out" && grep -q '^libseccomp\.so' "$tmp/out"
ok "the libraries that it needs" $?
rpm -qp --scripts "$(file_of xen-ramdisk)" >"$tmp/out" 2>&1
grep -q 'xen-ramdiskd --live-update' "$tmp/out"
ok "an update replaces the running daemon" $?
# What rpmlint asks for without a distribution's configuration: a signature, a packager and a
# group; openSUSE's names of libraries; ldconfig, which a trigger of Fedora's glibc runs; and what
# only Fedora's own rpm does with symbols and hashes.
ignored='no-signature|no-packager-tag|no-group-tag|shlib-policy-name-error|non-versioned-file-in-library-package|outside-libdir-files'
ignored="$ignored|library-without-ldconfig-post(in|un)|missing-hash-section|static-library-without-debuginfo"
rpmlint "${rpms[@]}" >"$tmp/lint" 2>&1
grep ': E: ' "$tmp/lint" | grep -vE ": E: ($ignored)" >"$tmp/out"
[ ! -s "$tmp/out" ] && grep -q '4 packages and 0 specfiles checked\|[4-9] packages' "$tmp/lint"
ok "rpmlint on the packages: no other error" $?
exit $failed
