# SPDX-License-Identifier: BSD-2-Clause
#
# What the zsh completions of xm-ramdisk and xen-ramdiskd share; build-aux/completions
# copies it into both. A function for each kind of word.

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
