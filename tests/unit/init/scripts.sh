#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The scripts of tools/init for sysvinit and OpenRC: installed, and run by the real
# start-stop-daemon, lsb functions and openrc-run, with the real daemon over fakes of Xen's
# libraries. Each system has name spaces of its own, with an /etc, a /run and processes that
# end with the test; OpenRC is unpacked there and not installed. Needs root.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
failed=0

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok $system: $1"
		return
	fi
	echo "not ok $system: $1"
	sed 's/^/    /' "$out"
	failed=1
}

if [ "${1-}" != --inside ]; then
	scratch=$(mktemp -d) || exit 1
	trap 'rm -rf "$scratch"' EXIT
	for system in sysvinit openrc; do
		out=$scratch/out
		mkdir -p "$scratch/$system"
		make -s install INIT=$system B="$B" PREFIX=/usr DESTDIR="$scratch/$system" >"$out" 2>&1
		ok "make install INIT=$system" $?
		unshare --mount --pid --fork --kill-child --mount-proc \
			"tests/unit/init/${0##*/}" --inside $system "$scratch/$system" || failed=1
	done
	exit $failed
fi

# ---- inside --------------------------------------------------------------------

system=$2 installed=$3
lower_usr=$installed/usr:/usr lower_etc=$installed/etc:/etc
if [ "$system" = openrc ]; then
	tree=$(tests/debian-packages bookworm openrc libeinfo1 librc1) || exit 1
	mkdir "$installed/merged"
	cp -a "$tree"/sbin "$tree"/bin "$tree"/lib "$installed/merged"
	lower_usr=$installed/merged:$lower_usr lower_etc=$installed/etc:$tree/etc:/etc
fi
mount -t tmpfs none /run && mkdir /run/up-usr /run/work-usr /run/up-etc /run/work-etc /run/seeds || exit 1
mount -t overlay overlay -o "lowerdir=$lower_usr,upperdir=/run/up-usr,workdir=/run/work-usr" /usr || exit 1
mount -t overlay overlay -o "lowerdir=$lower_etc,upperdir=/run/up-etc,workdir=/run/work-etc" /etc || exit 1
out=/run/out disks=/etc/xen-ramdisk/disks
pid_file=/run/xen-ramdisk/xen-ramdiskd.pid
unset XEN_RAMDISK_DIR
export LC_ALL=C

# NAME STATUS REGEX COMMAND...
says() {
	local name=$1 want=$2 regex=$3 status
	shift 3
	"$@" >"$out" 2>&1 </dev/null
	status=$?
	echo "status $status, expected $want" >>"$out"
	[ $status = "$want" ] && grep -qE -e "$regex" "$out"
	ok "$name" $?
}

daemon_pid() {
	cut -d ' ' -f 1 $pid_file
}

lives() { # PID PROGRAM
	case $(readlink "/proc/$1/exe") in
	"$2" | "$2 (deleted)") ;;
	*) return 1 ;;
	esac
}

# The same program in another file, as an upgrade makes it.
upgrade() { # PROGRAM
	cp "$1" "$1.new" && mv "$1.new" "$1"
}

new_daemon() { # THAN
	[ "$(daemon_pid)" != "$1" ] && lives "$(daemon_pid)" /usr/sbin/xen-ramdiskd && ! lives "$1" /usr/sbin/xen-ramdiskd
}

serves() { # DISK
	local size
	size=$(nbdinfo --size "nbd+unix:///?socket=/run/xen-ramdisk/$1.sock" 2>&1)
	echo "size of $1: $size" >>"$out"
	[ "$size" = 1048576 ]
}

case $system in
sysvinit)
	daemon=/etc/init.d/xen-ramdiskd load=/etc/init.d/xen-ramdisk-load
	service() { # SCRIPT ACTION
		LD_PRELOAD=$B/tests/daemon/xen.so FAKE_XEN=/run/fake "$@"
	}
	stopped=3 partly=1
	says "without Xen the daemon's script does nothing" 0 '^status 0' service $daemon start
	[ ! -e $pid_file ]
	ok "no daemon" $?
	sed -i 's,^XEN=.*,XEN=/etc/passwd,' $daemon
	says "an unknown action" 2 'usage: .*start|stop|restart' service $daemon begin
	;;
openrc)
	daemon=xen-ramdiskd load=xen-ramdisk-load
	# what `openrc sysinit` makes, and what Debian's scripts for dependencies read
	for d in starting started stopping inactive wasinactive failed hotplugged daemons options exclusive scheduled tmp; do
		mkdir -p /run/openrc/$d
	done
	touch /run/openrc/softlevel /etc/insserv.conf
	mkdir -p /etc/conf.d
	printf 'export LD_PRELOAD=%s FAKE_XEN=/run/fake\n' "$B/tests/daemon/xen.so" >/etc/conf.d/xen-ramdiskd
	# of Alpine, which has scripts of these names
	for s in xenstored localmount; do
		printf '#!/sbin/openrc-run\nstart() {\n\ttouch /run/%s\n}\n' $s >/etc/init.d/$s
		chmod +x /etc/init.d/$s
	done
	service() { # NAME ACTION
		/sbin/rc-service "$@"
	}
	stopped=3 partly=0
	;;
esac

says "the daemon starts" 0 . service "$daemon" start
lives "$(daemon_pid)" /usr/sbin/xen-ramdiskd
ok "it runs" $?
[ "$system" != openrc ] || [ -e /run/xenstored ]
ok "xenstored is started before it" $?
says "its status" 0 'running|started' service "$daemon" status
first=$(daemon_pid)
says "a second start is no error" 0 . service "$daemon" start
[ "$(daemon_pid)" = "$first" ]
ok "it leaves the daemon" $?
upgrade /usr/sbin/xen-ramdiskd
says "the status of a daemon whose program was upgraded" 0 'running|started' service "$daemon" status
says "reload is a live update" 0 . service "$daemon" reload
[ "$(daemon_pid)" = "$first" ] && [ "/proc/$first/exe" -ef /usr/sbin/xen-ramdiskd ]
ok "the process is the same, and runs the new program" $?
says "restart" 0 . service "$daemon" restart
new_daemon "$first"
ok "it is a new process" $?

truncate -s 1M /run/seeds/a.img /run/seeds/b.img
printf '/run/seeds/a.img\n/run/seeds/b.img,name=lab,serve\n/run/seeds/a.img,name=two,serve\n' >$disks
mkdir /etc/xen-ramdisk/serve
echo 'OPTIONS="--read-only --connections=3"' >/etc/xen-ramdisk/serve/two
cd /run/seeds && echo x >lab # a file that has a disk's name, where the script is called
says "disks are loaded" 0 . service "$load" start
xm-ramdisk list >"$out" 2>&1 && grep -q '^/run/seeds/a.img: 1 MiB, kept' "$out" && grep -q 'b.img as lab: 1 MiB, kept, attached 1 ' "$out"
ok "each line's disk is kept" $?
serves lab && serves two
ok "the disks with serve are served" $?
nbdinfo "nbd+unix:///?socket=/run/xen-ramdisk/two.sock" >"$out" 2>&1 && grep -q 'is_read_only: true' "$out"
ok "with the options of their files" $?
says "status" 0 'lab is served|started' service "$load" status
server=$(cat /run/xen-ramdisk-serve.lab.pid)
upgrade /usr/bin/xm-ramdisk
says "a reload, after an upgrade" 0 . service "$load" reload
! grep -qE 'not all|listens' "$out" && [ "$(cat /run/xen-ramdisk-serve.lab.pid)" = "$server" ] && lives "$server" /usr/bin/xm-ramdisk
ok "leaves the servers that run" $?
says "stop" 0 . service "$load" stop
! lives "$server" /usr/bin/xm-ramdisk && [ -z "$(ls /run/xen-ramdisk-serve.*.pid 2>/dev/null)" ]
ok "ends the servers" $?
xm-ramdisk list >"$out" 2>&1 && grep -q 'b.img as lab: 1 MiB, kept, attached 0 ' "$out"
ok "the disks stay loaded" $?
says "status" "$stopped" 'lab is not served|stopped' service "$load" status

echo /run/seeds/none >>$disks
says "a line that fails" "$partly" "^ *.*xm-ramdisk: $disks:4: cannot open seed /run/seeds/none" service "$load" start
serves lab
ok "the others are loaded and served" $?
server=$(cat /run/xen-ramdisk-serve.lab.pid)
says "stop" 0 . service "$load" stop
! lives "$server" /usr/bin/xm-ramdisk
ok "ends them" $?

first=$(daemon_pid)
upgrade /usr/sbin/xen-ramdiskd
says "the daemon stops, after an upgrade" 0 . service "$daemon" stop
! lives "$first" /usr/sbin/xen-ramdiskd
ok "it has ended" $?
says "its status" "$stopped" 'not running|stopped' service "$daemon" status
says "a second stop is no error" 0 . service "$daemon" stop
exit $failed
