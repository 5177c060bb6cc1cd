# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Guests, for scenarios:
#
#   guest_start NAME [OPTION...]     creates a guest and waits until it takes commands
#   guest_create NAME [OPTION...]    only creates a guest
#   guest_wait NAME                  waits until the guest takes commands
#   guest_run NAME COMMAND           runs a command of bash in the guest; output and status
#                                    are the command's (255 and a line on stderr
#                                    if the guest ended or did not answer)
#   guest_domid NAME                 prints its domain number
#   guest_state NAME                 prints running, paused, crashed, shutdown or gone
#   guest_destroy NAME               xl destroy, and waits until it is gone
#   guest_console NAME [LINES]       prints the last lines of its console's log
#   guest_bridge                     makes the bridge vmbr0 in Domain-0, which has 10.0.0.254
#   root_image FILE MIB              makes an image that a guest with the option root boots from
#
# OPTION: pvh; no-blkfront (a guest whose frontend never answers); fio, fs, iscsi (fio, file
# systems, or iSCSI's two sides, with their tools, are there, 160 MB more memory); root (its root
# file system is on its disk xvda); mem=MIB; vcpus=N; net=N (an
# interface on the bridge, number N);
# suite=SUITE (its kernel; the scenario has guest=SUITE); with=FILE (a program, in
# /usr/bin); paused; words=WORDS for the kernel's command line; or key=value in
# quotes, a line of the guest's xl.cfg such as 'disk=["phy:/dev/ram0,xvdc,w"]'. For a
# guest that does not answer, xl pause also serves.
#
# A guest that panics stays, as "crashed", until it is destroyed. guest-agent
# describes how commands get into a guest. guest_wait creates a PVH guest
# again that the emulator has lost: see vm_emulator_lost.

vm_guest_limit=600
declare -A vm_type=([amd64]=pv [arm64]=pvh) # ARM has one type
declare -A vm_mem=([amd64]=192 [arm64]=256) # MiB: the kernel of arm64 needs more
declare -A vm_on_reboot=([amd64]=destroy [arm64]=preserve) # see vm_panicked
vm_run_id=0
vm_tries=3 # see vm_emulator_lost
: >>/run/vm/made-again

guest_domid() { # NAME
	xl domid "$1" 2>/dev/null
}

# On x86, Linux tells the hypervisor of a panic. On ARM it reboots, as panic=1 says;
# a guest of arm64 has no other reason to reboot, and stays (on_reboot). 1 is SHUTDOWN_reboot.
vm_panicked() { # NAME
	[ "${arch-}" = arm64 ] && [ "$(xl list -v "$1" 2>/dev/null | awk 'NR == 2 {print $8}')" = 1 ]
}

guest_state() { # NAME
	local flags
	flags=$(xl list "$1" 2>/dev/null | awk 'NR == 2 {print $5}')
	case $flags in
	'') echo gone ;;
	*c*) echo crashed ;;
	*s*) vm_panicked "$1" && echo crashed || echo shutdown ;;
	*d*) echo dying ;;
	*p*) echo paused ;;
	*) echo running ;;
	esac
}

guest_console() { # NAME [LINES]
	tail -n "${2:-20}" "/share/guests/guest-$1.log" 2>/dev/null | tr -cd '\11\12\40-\176'
}

# Archives (*.cpio) are put one behind the other; other FILEs become /usr/bin of one more.
vm_initrd() { # INITRD FILE...
	local initrd=$1 f tree=/run/vm/with
	shift
	rm -rf "$initrd" "$tree"
	[ $# != 1 ] || { ln -s "$1" "$initrd"; return; }
	for f in "$@"; do
		case $f in
		*.cpio) cat "$f" >>"$initrd" || return ;;
		*) mkdir -p $tree/usr/bin && cp "$f" $tree/usr/bin/ || return ;;
		esac
	done
	[ ! -e $tree ] || (cd $tree && find . | busybox cpio -o -H newc 2>/dev/null) >>"$initrd"
}

guest_create() { # NAME [OPTION...]
	local name=$1 type=${vm_type[${arch:-amd64}]} mem=${vm_mem[${arch:-amd64}]} vcpus=1 words='' lines='' o
	local from=/boot kernel=/boot/guest-vmlinux parts=(guest) with=() paused=()
	rm -f "/run/vm/$name".{again,id}
	shift
	for o in "$@"; do
		case $o in
		pv | pvh) type=$o ;;
		no-blkfront) words+=" $o" ;;
		root) with+=(/usr/lib/vm/root-init) words+=" rdinit=/usr/bin/root-init" ;;
		fio | fs | iscsi) parts+=("guest-$o") mem=$((mem + 160)) ;;
		suite=*) from=/share/in/guest-${o#*=} kernel=$from/vmlinux ;;
		with=*) with+=("${o#*=}") ;;
		words=*) words+=" ${o#*=}" ;;
		paused) paused=(-p) ;;
		mem=*) mem=${o#*=} ;;
		vcpus=*) vcpus=${o#*=} ;;
		net=*) lines+="vif=[\"mac=00:16:3e:00:00:0${o#*=},script=/usr/lib/vm/vif-bridge\"]"$'\n' ;;
		*=*) lines+=$o$'\n' ;;
		*) echo "guest_create: unknown option $o" >&2; return 2 ;;
		esac
	done
	parts=("${parts[@]/#/$from/}")
	vm_initrd "/run/vm/$name.cpio" "${parts[@]/%/.cpio}" "${with[@]}" || return
	cat >"/run/vm/$name.cfg" <<END
name="$name"
type="$type"
kernel="$kernel"
ramdisk="/run/vm/$name.cpio"
extra="console=hvc0 loglevel=4 panic=1 mitigations=off rdinit=/init$words"
memory=$mem
vcpus=$vcpus
tsc_mode="native"
on_crash="preserve"
on_reboot="${vm_on_reboot[${arch:-amd64}]}"
$lines
END
	[ "$type" != pvh ] || echo "${paused[*]}" >"/run/vm/$name.again"
	vm_xl_create "$name" "${paused[@]}"
}

vm_xl_create() { # NAME [-p]
	local name=$1 status
	shift
	# xl prints a line about tsc_mode each time.
	xl create -q "$@" "/run/vm/$name.cfg" >"/run/vm/$name.create" 2>&1
	status=$?
	grep -v '^got a tsc mode' "/run/vm/$name.create" >&2
	guest_domid "$name" >"/run/vm/$name.id"
	return $status
}

# Virtual processors with a triple fault in Xen's log, one a line as "d12v0", without the
# guests that were created again.
vm_triple_faults() {
	xl dmesg 2>/dev/null | sed -n 's/.*\(d[0-9]*v[0-9]*\) Triple fault.*/\1/p' | sort -u |
		grep -vxFf /run/vm/made-again
}

# The same on the second host: see hosts.sh.
vm_triple_faults_there() { :; }

# QEMU's emulation of nested paging loses PVH guests: a guest goes on with the
# hypervisor's instruction pointer, or gets a page fault without a cause, and ends
# with a triple fault. This happens mostly while the guest's kernel starts, when each
# read of a clock is an exit to the hypervisor: to 13 of 80 guests with Xen 4.20 and
# Linux 6.12, started two at a time. So a guest with a triple fault in Xen's log that
# has not yet reported to be up is created again. If the guest was up, the first check
# that fails then ends the scenario, and tests/vm/run starts it again. Our disk
# cannot be the cause: a kernel that has got to its block frontend answers a fault
# with a panic, and such a guest stays as "crashed".
vm_emulator_lost() { # NAME
	local faults id
	[ -e "/run/vm/$1.again" ] || return
	case $(guest_state "$1") in
	gone) ;;
	shutdown | dying) wait_for 60 vm_gone "$1" || return ;;
	*) return 1 ;;
	esac
	id=$(cat "/run/vm/$1.id")
	# If the guest ended before its domain number was read, any fault may be its own.
	faults=$(vm_triple_faults | grep "^d${id:-.*}v") || return
	echo "# guest $1: lost by the emulator (${faults//$'\n'/ }: triple fault), created again" >&2
	echo "$faults" >>/run/vm/made-again
}

guest_bridge() {
	modprobe bridge && modprobe xen-netback && busybox brctl addbr vmbr0 &&
		busybox ifconfig vmbr0 10.0.0.254 up
}

# The contents of the guests' initial RAM disk as a file system.
root_image() { # FILE MIB
	local tree=/run/vm/root
	mkdir -p $tree && (cd $tree && busybox cpio -i </boot/guest.cpio) 2>/dev/null &&
		truncate -s "$2M" "$1" && mke2fs -q -F -t ext4 -d $tree "$1" && rm -rf $tree
}

# Waits for a node to appear, by a watch; returns early if the domain ends.
vm_wait_node() { # NAME PATH LIMIT
	local name=$1 path=$2 limit=$(($3 * ${slow:-1})) end fd watch event state rc=1 released=0
	end=$((SECONDS + limit))
	exec {fd}< <(exec xenstore-watch "$path" @releaseDomain 2>/dev/null)
	watch=$!
	while :; do
		event=
		read -r -t 10 -u "$fd" event
		if xenstore-exists "$path"; then
			rc=0
			break
		fi
		# Each watch fires once when it is set. If the domain ended before that,
		# the read above times out, and the state below shows it.
		case $event in
		"$path") continue ;;
		@releaseDomain) [ $((released++)) != 0 ] || continue ;;
		esac
		state=$(guest_state "$name")
		case $state in
		crashed | shutdown | dying | gone)
			echo "guest $name: $state" >&2
			break ;;
		esac
		if [ $SECONDS -ge $end ]; then
			echo "guest $name: no answer within $limit s (it is $state)" >&2
			break
		fi
	done
	kill "$watch" 2>/dev/null
	exec {fd}<&-
	return $rc
}

guest_wait() { # NAME
	local id try again
	for ((try = 1; ; try++)); do
		if ! id=$(guest_domid "$1"); then
			echo "guest $1: not there" >&2
		elif vm_wait_node "$1" "/local/domain/$id/data/agent" $vm_guest_limit; then
			return 0
		fi
		if [ $try = $vm_tries ] || ! vm_emulator_lost "$1"; then
			break
		fi
		read -r -a again <"/run/vm/$1.again"
		vm_xl_create "$1" "${again[@]}" || break
	done
	guest_console "$1" >&2
	return 1
}

guest_start() { # NAME [OPTION...]
	guest_create "$@" && guest_wait "$1"
}

guest_run() { # NAME COMMAND
	local id dir parts cut status paths=() n
	id=$(guest_domid "$1") || { echo "guest $1: not there" >&2; return 255; }
	vm_run_id=$((vm_run_id + 1))
	dir=/local/domain/$id/data/run/${host:+$host-}$BASHPID-$vm_run_id
	if [ ${#2} -gt 2500 ]; then
		echo "guest_run: a command may have 2500 characters" >&2
		return 255
	fi
	xenstore-write "$dir/command" "$(base64 -w 0 <<<"$2")" || return 255
	if ! vm_wait_node "$1" "$dir/status" "${guest_run_limit:-600}"; then
		echo "guest $1: did not end: $2" >&2
		guest_console "$1" 5 >&2
		return 255
	fi
	{ read -r status; read -r cut; read -r parts; } < <(xenstore-read "$dir/status" "$dir/cut" "$dir/parts")
	for ((n = 0; n < parts; n++)); do
		paths+=("$dir/out/$n")
	done
	[ "$parts" = 0 ] || xenstore-read "${paths[@]}" | tr -d '\n' | base64 -d | gzip -dc
	[ "$cut" = no ] || echo "guest_run: the output was longer than 64 KiB; the rest is lost" >&2
	xenstore-rm "$dir"
	return "$status"
}

vm_gone() { # NAME
	[ "$(guest_state "$1")" = gone ]
}

guest_destroy() { # NAME
	xl destroy "$1" && wait_for $vm_guest_limit vm_gone "$1"
}
