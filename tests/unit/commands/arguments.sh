#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xm-ramdisk on a host without Xen: usage errors, help and list. Also the message
# of make when a package is missing.
# Needs jq for the JSON. Prints "ok NAME" or "not ok NAME" for each test.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
tool=$B/xm-ramdisk
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
out=$scratch/out
format=$(tests/store-format)
failed=0

result() { # NAME PROBLEM
	if [ -z "$2" ]; then
		echo "ok $1"
		return
	fi
	echo "not ok $1: $2"
	sed 's/^/    /' "$out"
	failed=1
}

# COMMAND must end with STATUS and print one line, which is REGEX from end to end.
says() { # NAME STATUS REGEX COMMAND...
	local name=$1 want=$2 regex=$3 status problem=
	shift 3
	"$@" >"$out" 2>&1 </dev/null
	status=$?
	[ $status = "$want" ] || problem="status $status instead of $want from: $*"
	[ -n "$problem" ] || [ "$(wc -l <"$out")" = 1 ] || problem="not one line from: $*"
	[ -n "$problem" ] || grep -qxE -e "$regex" "$out" || problem="expected '$regex' from: $*"
	result "$name" "$problem"
}

# COMMAND must end with STATUS and print a line that matches REGEX.
prints() { # NAME STATUS REGEX COMMAND...
	local name=$1 want=$2 regex=$3 status problem=
	shift 3
	"$@" >"$out" 2>&1 </dev/null
	status=$?
	[ $status = "$want" ] || problem="status $status instead of $want from: $*"
	[ -n "$problem" ] || grep -qE -e "$regex" "$out" || problem="no '$regex' from: $*"
	result "$name" "$problem"
}

# shellcheck disable=SC2317 # as an argument of says
# A user without a store: one that somebody else's test has left would be listed.
other_user=65534
while [ -e "/dev/shm/xen-ramdisk-$other_user" ]; do
	other_user=$((other_user - 1))
done
nobody() { # COMMAND...
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid="$other_user" --regid=65534 --clear-groups "$@"
	else
		"$@"
	fi
}

# ---- help and usage ---------------------------------------------------------

usage() {
	local sub see
	prints "no argument" 2 '^usage: xm-ramdisk SUBCOMMAND' "$tool"
	prints "--help" 0 '^usage: xm-ramdisk SUBCOMMAND' "$tool" --help
	prints "-h" 0 '^usage: xm-ramdisk SUBCOMMAND' "$tool" -h
	prints "help" 0 '^usage: xm-ramdisk SUBCOMMAND' "$tool" help
	prints "help interface check" 0 '^usage: xm-ramdisk interface check' "$tool" help interface check
	says "help of an unknown subcommand" 2 "xm-ramdisk: no subcommand 'atach'; see 'xm-ramdisk --help'" \
		"$tool" help atach
	says "--version" 0 'xm-ramdisk [0-9.]+ \(store format [0-9]+\)' "$tool" --version
	says "-V" 0 'xm-ramdisk [0-9.]+ \(store format [0-9]+\)' "$tool" -V
	says "an unknown subcommand" 2 "xm-ramdisk: no subcommand 'atach'; see 'xm-ramdisk --help'" \
		"$tool" atach
	for sub in $("$tool" --help | awk '/^  [a-z]/ && $1 != "xm-ramdisk" && $1 != "man" {print $1}'); do
		see="; see 'xm-ramdisk $sub --help'"
		prints "$sub --help" 0 "^usage: xm-ramdisk $sub" "$tool" "$sub" --help
		[ "$sub" = help ] || prints "help $sub" 0 "^usage: xm-ramdisk $sub" "$tool" help "$sub"
		prints "$sub -h" 0 "^usage: xm-ramdisk $sub" "$tool" "$sub" -h
		[ "$sub" != interface ] || continue # it has subcommands of its own
		says "$sub --bogus" 2 "xm-ramdisk: option '--bogus' is unknown.*$see" \
			"$tool" "$sub" --bogus
		[ "$sub" = serve ] || # which takes many seeds
			says "$sub with too many arguments" 2 "xm-ramdisk: expected .*, got .*$see" \
			"$tool" "$sub" a b xvdb w e f g
	done
	see="; see 'xm-ramdisk attach --help'"
	says "attach without arguments" 2 \
		"xm-ramdisk: expected DOMAIN SEED VDEV \[r\|w\], got 0 arguments$see" "$tool" attach
	says "attach without a VDEV" 2 \
		"xm-ramdisk: expected DOMAIN SEED VDEV \[r\|w\], got 2 arguments$see" "$tool" attach 0 seed
	says "attach with a bad VDEV" 2 \
		"xm-ramdisk: 'xvd1' is no virtual device; expected one like xvdb, d1p2, sda1, hdc or 51728$see" \
		"$tool" attach 0 seed xvd1
	says "attach with a bad mode" 2 "xm-ramdisk: mode 'rw' is neither r nor w$see" \
		"$tool" attach 0 seed xvdb rw
	says "attach with a bad time" 2 \
		"xm-ramdisk: --timeout=1h: expected a number of seconds from 1 to 86400$see" \
		"$tool" attach --timeout=1h 0 seed xvdb
	says "attach with an option without its value" 2 \
		"xm-ramdisk: option '--timeout' needs a value$see" "$tool" attach --timeout
	says "attach with -t without its value" 2 \
		"xm-ramdisk: option '--timeout' needs a value$see" "$tool" attach -t
	says "attach with a value for a switch" 2 \
		"xm-ramdisk: option '--thin' takes no value$see" "$tool" attach --thin=yes 0 seed xvdb
	says "attach --no-wait of a disk of this host" 2 \
		"xm-ramdisk: --no-wait is for a disk that another host serves: add --remote, or leave --no-wait out$see" \
		"$tool" attach --no-wait 0 seed xvdb
	says "attach with an unknown letter" 2 \
		"xm-ramdisk: option '-x' is unknown$see" "$tool" attach -x 0 seed xvdb
	fault_usage
	says "detach without a VDEV" 2 \
		"xm-ramdisk: expected DOMAIN VDEV, got 1 argument; see 'xm-ramdisk detach --help'" \
		"$tool" detach 0
	says "detach with a bad VDEV" 2 \
		"xm-ramdisk: 'hda99' is no virtual device; expected one like xvdb, d1p2, sda1, hdc or 51728; see 'xm-ramdisk detach --help'" \
		"$tool" detach 0 hda99
}

fault_usage() {
	local options problem see="; see 'xm-ramdisk fault --help'"
	while IFS='|' read -r options problem; do
		# shellcheck disable=SC2086 # a list of words
		says "fault $options" 2 "xm-ramdisk: $problem$see" "$tool" fault $options xvdb 0
	done <<-'END'
		--error=reads|--error=reads: expected read, write, all or none
		--error=all --ratio=0|--ratio=0: expected a percentage from 0\.0001 to 100
		--ratio=5|--ratio and --range go with --error=read, write or all
		--error=none --range=0+1|--ratio and --range go with --error=read, write or all
		--error=all --range=5|--range=5: expected a range of bytes like 0\+512 or 8M\+4K
		--delay=1s|--delay=1s: expected a number of milliseconds up to 3600000
		--jitter=3|--jitter goes with --delay
		--freeze --thaw|--freeze and --thaw exclude each other
		--iops=many|--iops=many: expected a number of requests up to 100000000
		--bandwidth=2T|--bandwidth=2T: expected a number of bytes up to 1T
	END
	says "fault without DOMAIN" 2 "xm-ramdisk: expected NAME DOMAIN, got 1 argument$see" \
		"$tool" fault --freeze xvdb
}

margin_usage() {
	local value

	for value in "" x -1 1X 1KK "1 M" 9223372036854775808 8388608T; do
		says "the daemon with --memory-margin=$value" 2 \
			"xen-ramdiskd: --memory-margin takes a size such as 256M, not $value; usage: .*" \
			"$B/xen-ramdiskd" "--memory-margin=$value"
	done
}

poll_usage() {
	local value
	for value in 10001 -1 5us ''; do
		says "the daemon with --poll=$value" 2 \
			"xen-ramdiskd: --poll takes microseconds, 0 to 10000, not $value; usage: .*" \
			"$B/xen-ramdiskd" "--poll=$value"
	done
}

# ---- no Xen here ------------------------------------------------------------

without_xen() {
	local no_xen="xm-ramdisk: no Xen here: /sys/hypervisor/type is not xen, and there is no /proc/xen; to try it without Xen, run 'make demo' in the sources"
	if grep -qs xen /sys/hypervisor/type || [ -e /proc/xen/capabilities ]; then
		return # this host runs Xen; tests/vm has the tests for that
	fi
	says "attach without Xen" 1 "$no_xen" "$tool" attach 0 /dev/null xvdb
	says "detach without Xen" 1 "$no_xen" "$tool" detach 0 xvdb
	says "fault without Xen" 1 "$no_xen" "$tool" fault --freeze xvdb 0
	says "the daemon as another user" 1 \
		'xen-ramdiskd: must be run as root, since only root may serve guests' \
		nobody "$B/xen-ramdiskd" --store "$scratch/store"
	[ "$(id -u)" = 0 ] || return
	# shellcheck disable=SC2016 # the message has backquotes
	says "the daemon without Xen" 1 \
		'xen-ramdiskd: no Xen here: /dev/xen/evtchn is missing; .*`make demo`\)' \
		"$B/xen-ramdiskd" --store "$scratch/store"
}

# ---- list -------------------------------------------------------------------

list() {
	says "list as another user" 1 "xm-ramdisk: list needs root: the disks are root's" \
		nobody "$tool" list
	[ "$(id -u)" = 0 ] || return
	# on tmpfs, so that xm-ramdisk mounts none
	XEN_RAMDISK_DIR=$(mktemp -d -p /dev/shm) || return
	export XEN_RAMDISK_DIR
	says "list of nothing" 0 'no RAM disks' "$tool" list
	says "list --json of nothing" 0 '\[\]' "$tool" list --json
	lists
	rm -rf "$XEN_RAMDISK_DIR"
	unset XEN_RAMDISK_DIR
}

json() { # NAME FILTER: jq FILTER of list --json must be true
	local problem=
	"$tool" list --json >"$out" 2>&1 || problem="status $? from list --json"
	[ -n "$problem" ] || jq -e "$2" "$out" >/dev/null 2>&1 || problem="not so: $2"
	result "$1" "$problem"
}

# A seed with a name that JSON has to quote, attached with the label of xvdb of Domain-0.
lists() {
	local seed="$scratch/a \"seed\" \\ ä" holder
	truncate -s 3000000 "$seed"
	coproc "$B/tests/helpers/hold" "$seed" vbd/0/51728
	holder=$COPROC_PID
	read -r -u "${COPROC[0]}" _
	prints "list has the disk" 0 "^$scratch/a \"seed\" .*: 2\.9 MiB, attached 1 time\$" "$tool" list
	prints "list has the attachment" 0 "^  (Domain-0|domain 0) +xvdb +w +4 KiB +4 KiB +$holder\$" "$tool" list
	json "list --json is JSON" 'length == 1'
	json "list --json has the seed's name" ".[0].seed == \"$scratch/a \\\"seed\\\" \\\\ ä\""
	json "list --json has the size, rounded up" '.[0].size == 3000320 and .[0].seed_size == 3000000'
	json "list --json has the attachment" '.[0].attachments | length == 1 and .[0].domid == 0 and
		.[0].vdev == "xvdb" and .[0].faults.error == "none" and .[0].mode == "w" and .[0].pid == '"$holder"
	json "list --json has the counters" '.[0].attachments[0] | .reads == 1 and .writes == 1 and
		.read_bytes == 4096 and .write_bytes == 4096 and .errors == 0'
	printf '\143' | dd of="$(echo "$XEN_RAMDISK_DIR"/*.header)" bs=1 seek=8 conv=notrunc status=none
	says "list with a header of another format" 1 \
		'xm-ramdisk: f-.*\.header has store format 99 and this program knows format '"$format"': .*' "$tool" list
	kill -KILL "$holder"
	wait "$holder" 2>/dev/null
	says "list after the process was killed" 0 'no RAM disks' "$tool" list
}

# ---- make -------------------------------------------------------------------

# A compiler that does not find one header.
compiler_without() { # HEADER
	cat >"$scratch/cc" <<END
#!/bin/sh
case "\$*" in
*-E*) input=\$(cat)
	case \$input in *'<$1>'*) exit 1 ;; esac
	printf '%s\n' "\$input" | exec cc "\$@" ;;
*) exec cc "\$@" ;;
esac
END
	chmod 755 "$scratch/cc"
}

packages() {
	local missing
	while read -r header package what; do
		compiler_without "$header"
		says "make without $package" 1 \
			"missing: package $package \(for <$header>\); on Debian: apt-get install $package" \
			env CC="$scratch/cc" build-aux/packages "$what"
	done <<-END
		xenstore.h libxen-dev build
		libaio.h libaio-dev build
		seccomp.h libseccomp-dev build
		libnbd.h libnbd-dev build
		nbdkit-plugin.h nbdkit-plugin-dev build
		CUnit/CUnit.h libcunit1-dev test
	END
	says "make without a compiler" 1 \
		'missing: package gcc \(a C compiler, .*\); on Debian: apt-get install gcc libc6-dev' \
		env CC="$scratch/none" build-aux/packages build
	compiler_without xenstore.h
	missing=$(make -s CC="$scratch/cc" B="$scratch/build" 2>&1 | grep -c '^missing: package libxen-dev')
	: >"$out"
	result "make reports a missing package once" "$([ "$missing" = 1 ] || echo "$missing times")"
}

usage
poll_usage
margin_usage
without_xen
list
packages
exit $failed
