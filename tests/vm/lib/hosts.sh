# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Two hosts, for scenarios with hosts=2, which source this file. The scenario runs in
# Domain-0 of hosta, 192.0.2.1; hostb is 192.0.2.2. root of each may use ssh to the other.
#
#   hosts_up                the network and ssh between the two
#   on_hostb COMMAND...     runs a command of hostb, which may be a function of the bed such
#                           as guest_start; each runs in a shell of its own
#
# A guest that was started on hostb, or has moved there, is used by on_hostb guest_run and
# the like. check and its kin belong to hosta.

vm_key=/root/.ssh/id_ed25519

# Sets the address of this host and starts sshd with the one key that both hosts have.
vm_host_up() { # ADDRESS KEY
	local i
	modprobe virtio_net || return
	for ((i = 0; i < 100; i++)); do
		[ ! -e /sys/class/net/eth0 ] || break
		sleep 0.1
	done
	busybox ifconfig eth0 "$1" netmask 255.255.255.0 mtu 9000 up || return
	printf '%s\n' '127.0.0.1 localhost' '192.0.2.1 hosta' '192.0.2.2 hostb' >/etc/hosts
	install -d -m 700 /root/.ssh /run/sshd && install -m 600 "$2" $vm_key && install -m 644 "$2.pub" /root/.ssh/authorized_keys &&
		printf '%s\n' 'Host *' 'StrictHostKeyChecking no' 'UserKnownHostsFile /dev/null' 'LogLevel ERROR' \
			'ControlPath /run/vm/ssh-%h' >/root/.ssh/config || return
	sed -i 's,:/bin/sh$,:/bin/bash,' /etc/passwd # of root, as whom sshd runs commands
	echo 'sshd:x:101:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd
	printf '%s\n' "HostKey $vm_key" 'UsePAM no' 'StrictModes no' "SetEnv PATH=$PATH" >/run/vm/sshd.conf &&
		/usr/sbin/sshd -f /run/vm/sshd.conf -E /share/sshd.log
}

# The command's shell has what a scenario has.
on_hostb() { # COMMAND...
	ssh -n hostb "cd /images; . /usr/lib/vm/second-shell; $(printf '%q ' "$@")"
}

# Each command would otherwise exchange keys, which takes seconds here.
hosts_up() {
	ssh-keygen -q -t ed25519 -N '' -f /run/vm/key && vm_host_up 192.0.2.1 /run/vm/key &&
		cp /run/vm/key.pub /share/second/ && cp /run/vm/key /share/second/key.new &&
		mv /share/second/key.new /share/second/key && wait_for 300 ssh -o ConnectTimeout=5 hostb true &&
		ssh -M -N -f hostb >/dev/null 2>&1
}

vm_triple_faults_there() {
	on_hostb vm_triple_faults
}
