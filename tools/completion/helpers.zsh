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
_xen_ramdisk_disk() {
	xm-ramdisk list --json 2>/dev/null | awk '
		function value(line) {
			sub(/^[^:]*: "/, "", line)
			sub(/",?$/, "", line)
			return line
		}
		$1 == "\"name\":" { name = value($0) }
		$1 == "\"seed\":" { print name != "" ? name : value($0) }' | _xen_ramdisk_lines disk
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
