#compdef xen-ramdiskd
# SPDX-License-Identifier: BSD-2-Clause
#
# zsh completion for xen-ramdiskd. Written by build-aux/completions from the help texts: change
# those, or build-aux/completions and tools/completion/helpers.zsh, and run `make completions`.

_xen_ramdisk_lines() { # DESCRIPTION: a line of standard input each
	local -a lines=("${(@f)$(cat)}")
	[[ -n $lines ]] && compadd -X "$1" -a lines
}
_xen_ramdisk_domain() {
	xl list 2>/dev/null | awk 'NR > 1 { print $1 }' | _xen_ramdisk_lines domain
}
_xen_ramdisk_attached() {
	xm-ramdisk list --json 2>/dev/null | awk '$1 == "\"vdev\":" { gsub(/[",]/, "", $2); print $2 }' |
		sort -u | _xen_ramdisk_lines vdev
}
# Names of disks; ids instead of those that two disks have.
_xen_ramdisk_disk() {
	xm-ramdisk list --json 2>/dev/null | awk '
		function value(line) {
			sub(/^[^:]*: "/, "", line)
			sub(/",?$/, "", line)
			return line
		}
		$1 == "\"id\":" { id[++n] = value($0) }
		$1 == "\"name\":" { name[n] = value($0) }
		$1 == "\"seed\":" {
			if (name[n] == "") name[n] = value($0)
			count[name[n]]++
		}
		END { for (i = 1; i <= n; i++) print (count[name[i]] > 1 ? id[i] : name[i]) }' | _xen_ramdisk_lines disk
}
_xen_ramdisk_fenced() {
	xm-ramdisk fence --list 2>/dev/null | grep -v nothing | _xen_ramdisk_lines address
}
_xen_ramdisk_release() {
	xm-ramdisk interface list --csv 2>/dev/null | sed '1d; s/,.*//' | _xen_ramdisk_lines release
	_files
}
_xen_ramdisk_vdev() { compadd xvdb xvdc xvdd xvde xvdf }
_xen_ramdisk_file() { _files }
_xen_ramdisk_directory() { _files -/ }
_xen_ramdisk_seed() {
	_xen_ramdisk_disk
	_files
}

_xen_ramdiskd() {
	local curcontext=$curcontext context state state_descr line
	typeset -A opt_args
	case $1 in
	'')
		_arguments -s -C \
			'--foreground[stay in the foreground, log to stderr]' \
			'-f[stay in the foreground, log to stderr]' \
			'--store[the store to serve]:DIR:_xen_ramdisk_directory' \
			'-s[the store to serve]:DIR:_xen_ramdisk_directory' \
			'--log-level[error, warning, info]:LEVEL:(error warning info debug)' \
			'-l[error, warning, info]:LEVEL:(error warning info debug)' \
			'--poll[poll a busy ring for up to US microseconds before its queue sleeps]:US:' \
			'-p[poll a busy ring for up to US microseconds before its queue sleeps]:US:' \
			'--memory-margin[memory that no disk takes from this system]:SIZE:' \
			'-m[memory that no disk takes from this system]:SIZE:' \
			'--saved-limit[how long a domain that is saved stays attached to its disks]:SECONDS:' \
			'--no-sandbox[run workers as root, without a system call filter]' \
			'--stop[close all devices, end the daemon of the store]' \
			'--live-update[replace the running daemon of the store and its workers by this program, under running guests]' \
			'--make-store[make the store'\''s directory and mount its tmpfs, where they are missing, and exit]' \
			'--help[print this text]' \
			'-h[print this text]' \
			'--version[print the version]' \
			'-V[print the version]'
		;;
	esac
}
_xen_ramdiskd ''
