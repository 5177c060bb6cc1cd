#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# make install and uninstall: the files of root's, below DESTDIR; and those of an
# ordinary user, below a home of its own, where the installed command serves a disk.
# Needs root for the second part, since it becomes another user.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
scratch=$(mktemp -d) || exit 1
out=$scratch/out
failed=0
server=
user=65533 # that nothing else runs as
trap '[ -z "$server" ] || kill $server 2>/dev/null; rm -rf "$scratch" /dev/shm/xen-ramdisk-$user' EXIT

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok install: $1"
		return
	fi
	echo "not ok install: $1"
	sed 's/^/    /' "$out"
	failed=1
}

all() { # TARGET
	make -s "$1" B="$B" DESTDIR="$scratch/root" PREFIX=/usr NBDKITDIR=/usr/lib/nbdkit/plugins >"$out" 2>&1
}

has_all() { # FOLDER FILE...
	local folder=$1 f status=0
	shift
	for f; do
		[ -s "$folder/$f" ] || { echo "$f is missing" >>"$out"; status=1; }
	done
	return $status
}

nothing_in() { # FOLDER
	find "$1" ! -type d >>"$out"
	[ ! -s "$out" ]
}

all install && has_all "$scratch/root" usr/bin/xm-ramdisk usr/sbin/xen-ramdiskd usr/share/man/man8/xm-ramdisk.8 \
	usr/share/man/man1/nbdkit-ramdisk-plugin.1 usr/lib/nbdkit/plugins/nbdkit-ramdisk-plugin.so \
	etc/xen/scripts/block-ramdisk usr/share/bash-completion/completions/xm-ramdisk \
	usr/share/bash-completion/completions/xen-ramdiskd usr/share/zsh/site-functions/_xm-ramdisk \
	usr/share/fish/vendor_completions.d/xen-ramdiskd.fish usr/share/man/man5/xen-ramdisk-disks.5 \
	usr/lib/systemd/system/xen-ramdiskd.service usr/lib/systemd/system/xen-ramdisk-load.service \
	usr/lib/systemd/system/xen-ramdisk-serve@.service etc/xen-ramdisk/disks
ok "make install" $?
[ ! -e "$scratch/root/etc/init.d" ]
ok "no script of another init system, unless INIT names it" $?
"$B/xm-ramdisk" load --served "$scratch/root/etc/xen-ramdisk/disks" >"$out" 2>&1 && [ ! -s "$out" ]
ok "the file of disks has comments only" $?
echo '# mine' >>"$scratch/root/etc/xen-ramdisk/disks"
all install && grep -q '^# mine$' "$scratch/root/etc/xen-ramdisk/disks"
ok "make install leaves the administrator's file of disks" $?
all uninstall && find "$scratch/root" ! -type d >"$out" && [ "$(cat "$out")" = "$scratch/root/etc/xen-ramdisk/disks" ]
ok "make uninstall, too" $?
rm "$scratch/root/etc/xen-ramdisk/disks"
for init in openrc sysvinit; do
	make -s install-boot INIT=$init B="$B" DESTDIR="$scratch/root" PREFIX=/usr >"$out" 2>&1 &&
		[ -x "$scratch/root/etc/init.d/xen-ramdiskd" ] && [ -x "$scratch/root/etc/init.d/xen-ramdisk-load" ] &&
		[ -z "$(find "$scratch/root" -name '*.service')" ] && ! grep -rE '@[A-Z]+@' "$scratch/root/etc" >>"$out"
	ok "make install INIT=$init has its scripts, and no unit" $?
	all uninstall && nothing_in "$scratch/root"
	ok "make uninstall takes them back" $?
done
! make -s install-boot INIT=upstart DESTDIR="$scratch/root" >"$out" 2>&1 && grep -q 'INIT=upstart: expected systemd, openrc, sysvinit or none' "$out"
ok "another INIT is refused" $?
all install
[ ! -e "$scratch/root/usr/sbin/xm-ramdisk" ]
ok "the command is in bin, and not in sbin" $?

# Earlier versions had the command in sbin, which comes first in root's PATH.
echo old >"$scratch/root/usr/sbin/xm-ramdisk"
all install && [ "$(readlink "$scratch/root/usr/sbin/xm-ramdisk")" = /usr/bin/xm-ramdisk ]
ok "a command of an earlier version in sbin becomes a link" $?
all install-dev && has_all "$scratch/root" usr/lib/libramdisk.so.0 usr/lib/libramdisk.so usr/share/man/man3/rd_attach.3
ok "make install-dev" $?
all uninstall && nothing_in "$scratch/root"
ok "make uninstall leaves nothing" $?

# sbin and bin are one folder, as on some distributions
ln -sfn bin "$scratch/root/usr/sbin.new" && rm -rf "$scratch/root/usr/sbin" &&
	mv -T "$scratch/root/usr/sbin.new" "$scratch/root/usr/sbin"
all install && [ ! -L "$scratch/root/usr/bin/xm-ramdisk" ] && has_all "$scratch/root" usr/bin/xm-ramdisk
ok "where sbin is a link to bin, the command stays a program" $?

# ---- an ordinary user -----------------------------------------------------------

home=$scratch/home
mkdir "$home" && chmod 755 "$scratch" && chown $user:$user "$home"
as_user=(setpriv --reuid="$user" --regid="$user" --clear-groups env -i HOME="$home"
	PATH="$home/.local/bin:/usr/local/bin:/usr/bin:/bin")

serves() {
	truncate -s 1M "$home/seed.img"
	"${as_user[@]}" xm-ramdisk serve --socket="$home/sock" "$home/seed.img" >"$out" 2>&1 &
	server=$!
	for _ in $(seq 100); do
		[ ! -S "$home/sock" ] || break
		sleep 0.1
	done
	[ "$("${as_user[@]}" nbdinfo --size "nbd+unix:///?socket=$home/sock" 2>>"$out")" = 1048576 ]
}

"${as_user[@]}" make -s install B="$B" PREFIX="$home/.local" >"$out" 2>&1 &&
	has_all "$home/.local" bin/xm-ramdisk lib/nbdkit/plugins/nbdkit-ramdisk-plugin.so share/man/man8/xm-ramdisk.8 \
		share/bash-completion/completions/xm-ramdisk
ok "make install PREFIX=\$HOME/.local as an ordinary user" $?
grep -q 'needs root' "$out" && [ ! -e "$home/.local/sbin" ]
ok "it says that the backend needs root, and does not install it" $?
serves
ok "the installed command finds its plugin and serves a disk" $?
kill "$server" && wait "$server"
server=
"${as_user[@]}" make -s uninstall B="$B" PREFIX="$home/.local" >"$out" 2>&1 && nothing_in "$home/.local"
ok "make uninstall as that user leaves nothing" $?
"${as_user[@]}" make -s install-nbd B="$B" PREFIX="$home/.local" >"$out" 2>&1 && has_all "$home/.local" bin/xm-ramdisk
ok "make install-nbd" $?
exit $failed
