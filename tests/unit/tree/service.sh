#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Checks the systemd units with systemd's own tools: every word is known to them, and the
# exposure of those that run on stays low. tests/vm/long/unit starts the units, under a
# systemd in Domain-0.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failed=0

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok service: $1"
	else
		sed 's/^/# /' "$scratch/out"
		echo "not ok service: $1"
		failed=1
	fi
}

make -s install B="$B" PREFIX=/usr DESTDIR="$scratch/root" >"$scratch/out" 2>&1
unit=$scratch/xen-ramdiskd.service load=$scratch/xen-ramdisk-load.service serve=$scratch/xen-ramdisk-serve@.service
cp "$scratch"/root/usr/lib/systemd/system/xen-ramdisk* "$scratch"
grep -q '^ExecStart=/usr/sbin/xen-ramdiskd --foreground$' "$unit" && ! grep -q '@' <(grep -v SystemCall "$unit")
ok "the installed unit has the programs' directory" $?
grep -q '^ExecStart=/usr/bin/xm-ramdisk load --all$' "$load" && grep -q '^ExecStart=/usr/bin/xm-ramdisk serve ' "$serve" &&
	! grep -qE '@[A-Z]+@' "$load" "$serve"
ok "so have the other units" $?
sed -i "s,/usr/s\?bin/x,$B/x,g" "$unit" "$load" "$serve" # systemd-analyze looks for the programs

# A warning does not change the exit status, so any output is a failure.
systemd-analyze --man=no verify "$unit" >"$scratch/out" 2>&1 &&
	[ ! -s "$scratch/out" ]
ok "systemd-analyze verify prints nothing" $?
systemd-analyze --man=no verify "$load" "$serve" >"$scratch/out" 2>&1 &&
	[ ! -s "$scratch/out" ]
ok "nor for the units of disks and servers" $?

systemd-analyze security --offline=true --threshold=40 --no-pager \
	"$unit" >"$scratch/out" 2>&1
ok "systemd-analyze security: exposure below 4.0" $?
cp "$serve" "$scratch/xen-ramdisk-serve@lab.service" # of an instance only
systemd-analyze security --offline=true --threshold=40 --no-pager \
	"$scratch/xen-ramdisk-serve@lab.service" >"$scratch/out" 2>&1
ok "of a server as well" $?

# The units of the metrics.
metrics=$scratch/xen-ramdisk-metrics.service
cp "$scratch/root/usr/lib/systemd/system/"xen-ramdisk-metrics.* "$scratch"
grep -q '^ExecStart=/usr/bin/xm-ramdisk metrics --format=prometheus --output=' "$metrics"
ok "the installed unit of the metrics has the command's directory" $?
sed -i "s,/usr/bin/,$B/," "$metrics"
systemd-analyze --man=no verify "$metrics" "$scratch/xen-ramdisk-metrics.timer" >"$scratch/out" 2>&1 &&
	[ ! -s "$scratch/out" ]
ok "systemd-analyze verify prints nothing about the metrics" $?
systemd-analyze security --offline=true --threshold=60 --no-pager "$metrics" >"$scratch/out" 2>&1
ok "systemd-analyze security of the metrics: exposure below 6.0" $?

# The store is mounted in the mount name space of process 1, where other programs see it,
# before the daemon starts in its own.
awk '/^ExecStartPre=-\+nsenter --target 1 --mount .*xen-ramdiskd --make-store/ {mounts = NR} /^ExecStart=/ {starts = NR}
	END {exit !(mounts && mounts < starts)}' "$unit"
ok "the store is mounted outside the unit's name space" $?

# The unit must allow each system call that the worker's own sandbox allows.
systemd-analyze syscall-filter >"$scratch/groups" 2>/dev/null
awk -v groups="$scratch/groups" '
	BEGIN {
		while ((getline line <groups) > 0) {
			if (line ~ /^@/) group = line
			else if (line ~ /^    [a-z0-9_@]/ && split(line, w, " ")) has[group] = has[group] " " w[1]
		}
	}
	function add(name, n, w, i) {
		if (name !~ /^@/) { known[name]; return }
		if (name in seen) return
		seen[name]
		n = split(has[name], w, " ")
		for (i = 1; i <= n; i++) add(w[i])
	}
	FILENAME ~ /service/ && sub(/^SystemCallFilter=/, "") { for (f = 1; f <= NF; f++) add($f) }
	/^static const struct rule rules/ { on = 1 }
	on && match($0, /ALLOW[A-Z_]*\([a-z0-9_]+/) {
		call = substr($0, RSTART, RLENGTH); sub(/.*\(/, "", call); n++
		if (!(call in known)) { print "not in the unit: " call; bad = 1 }
	}
	/^};/ { on = 0 }
	END { if (n < 40) { print n " calls found"; bad = 1 }; exit bad }
	' "$unit" drivers/blkback/worker/sandbox.c >"$scratch/out" 2>&1
ok "the unit allows what the workers' sandbox allows" $?
exit $failed
