# SPDX-License-Identifier: BSD-2-Clause
#
# Completion of `xm-ramdisk interface`: ../completion.bash calls this function
# with the words behind `interface`; the last word is being typed.
_xm_ramdisk_interface() { # WORD...
	local cur=${*: -1} sub=${1-} words=
	if [ $# -le 1 ]; then
		words='list show of running check --help'
	else
		case $sub in
		list) words='--changes --json --csv --svg --help' ;;
		show) words="--json --help $(xm-ramdisk interface list --csv 2>/dev/null | sed '1d; s/,.*//')" ;;
		of) words='--json --help' ;;
		running) words='--json --help' ;;
		check) words="--guest --tools --source --json --help running $(xm-ramdisk interface list --csv 2>/dev/null | sed '1d; s/,.*//')" ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	case $sub:$cur in
	of:-* | check:-*) ;;
	of:* | check:* | list:*) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$cur") ;;
	esac
}
