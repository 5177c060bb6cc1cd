# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# bash completion for xm-ramdisk: subcommands, options, domains, seeds, vdevs.

_xm_ramdisk_domains() {
	xl list 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# The vdevs of a domain that this tool attached.
_xm_ramdisk_attached() { # DOMAIN
	xm-ramdisk list --json 2>/dev/null | awk -v domain="\"$1\"," -v domid="$1," '
		$1 == "\"domid\":" { mine = $2 == domid }
		$1 == "\"domain\":" { mine = mine || $2 == domain }
		$1 == "\"vdev\":" && mine { gsub(/[",]/, "", $2); print $2 }'
}

# Names of disks that begin with TYPED: given names, or seeds by path or file
# name; ids instead of those that two disks have, and of what begins like an id.
_xm_ramdisk_names() { # TYPED
	xm-ramdisk list --json 2>/dev/null | awk -v typed="$1" '
		function offer(name) { if (index(name, typed) == 1) print name }
		function value(line) {
			sub(/^[^:]*: "/, "", line)
			sub(/",?$/, "", line)
			return line
		}
		$1 == "\"id\":" { id[++n] = value($0) }
		$1 == "\"name\":" { name[n] = value($0) }
		$1 == "\"seed\":" {
			if (name[n] != "") next
			name[n] = value($0)
			if (typed !~ /\//) sub(/.*\//, "", name[n])
			count[name[n]]++
		}
		END {
			for (i = 1; i <= n; i++) {
				offer(count[name[i]] > 1 ? id[i] : name[i])
				if (typed ~ /^[fbun]-/ && count[name[i]] <= 1)
					offer(id[i])
			}
		}'
}

_xm_ramdisk_files() { # TYPED
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# The values of an option, which follow its "=".
_xm_ramdisk_value() { # OPTION TYPED
	local w
	case $1 in
	--error) w='read write all none' ;;
	--toolstack) w='direct xl xm' ;;
	--sector-size) w='512 4096' ;;
	--socket | --tls-certificates | --tls-psk)
		_xm_ramdisk_files "$2"
		return ;;
	*) return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$w" -- "$2")
}

_xm_ramdisk() {
	local cur=${COMP_WORDS[COMP_CWORD]} sub=${COMP_WORDS[1]-} words=() w n
	COMPREPLY=()
	# bash makes three words of --option=value
	if [ "$cur" = = ] && [ "$COMP_CWORD" -gt 2 ]; then
		_xm_ramdisk_value "${COMP_WORDS[COMP_CWORD - 1]}" ''
		return
	fi
	if [ "$COMP_CWORD" -gt 3 ] && [ "${COMP_WORDS[COMP_CWORD - 1]}" = = ]; then
		_xm_ramdisk_value "${COMP_WORDS[COMP_CWORD - 2]}" "$cur"
		return
	fi
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W 'attach detach list show top load drop reset save diff fault serve fence hotplug interface --help --version' -- "$cur")
		return
	fi
	if [ "$sub" = interface ]; then
		_xm_ramdisk_interface "${COMP_WORDS[@]:2:COMP_CWORD-1}"
		return
	fi
	if [[ $cur == -* ]]; then
		case $sub in
		attach) w='--remote --remote= --timeout= --name= --fresh --private --thin --lazy --keep --sector-size= --toolstack= --dry-run --help' ;;
		detach) w='--force --timeout= --help' ;;
		list | diff) w='--json --help' ;;
		show) w='--json --debug --help' ;;
		top) w='--once --json --help' ;;
		load) w='--name= --fresh --thin --lazy --help' ;;
		reset | save) w='--force --help' ;;
		fault) w='--error= --ratio= --range= --delay= --jitter= --freeze --thaw --write-protect --writable
			--iops= --bandwidth= --clear --json --help' ;;
		drop) w='--help' ;;
		fence) w='--lift --list --help' ;;
		serve) w='--name= --fresh --private --thin --lazy --keep --read-only --discard --socket= --tcp --tcp= --tls-certificates= --tls-psk= --insecure --threads= --connections= --background --help' ;;
		*) w= ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$w" -- "$cur")
		[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
		return
	fi
	# the words before the cursor, without options: their number tells which is typed
	for ((n = 2; n < COMP_CWORD; n++)); do
		if [ "${COMP_WORDS[n]}" = = ]; then
			((n++))
		elif [[ ${COMP_WORDS[n]} != -* ]]; then
			words+=("${COMP_WORDS[n]}")
		fi
	done
	case $sub:${#words[@]} in
	hotplug:0)
		mapfile -t COMPREPLY < <(compgen -W 'add remove clean watch' -- "$cur") ;;
	attach:0 | detach:0)
		mapfile -t COMPREPLY < <(compgen -W "$(_xm_ramdisk_domains)" -- "$cur") ;;
	save:1)
		_xm_ramdisk_files "$cur" ;;
	fence:0)
		[[ " ${COMP_WORDS[*]} " != *' --lift '* ]] ||
			mapfile -t COMPREPLY < <(compgen -W "$(xm-ramdisk fence --list 2>/dev/null | grep -v nothing)" -- "$cur") ;;
	attach:1 | load:0 | serve:*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur"; _xm_ramdisk_names "$cur") ;;
	fault:1)
		mapfile -t COMPREPLY < <(compgen -W "$(_xm_ramdisk_domains)" -- "$cur") ;;
	show:0 | fault:0 | drop:0 | reset:0 | save:0 | diff:0)
		mapfile -t COMPREPLY < <(_xm_ramdisk_names "$cur") ;;
	attach:2)
		mapfile -t COMPREPLY < <(compgen -W 'xvdb xvdc xvdd xvde xvdf' -- "$cur") ;;
	attach:3)
		mapfile -t COMPREPLY < <(compgen -W 'r w' -- "$cur") ;;
	detach:1)
		mapfile -t COMPREPLY < <(compgen -W "$(_xm_ramdisk_attached "${words[0]}")" -- "$cur") ;;
	esac
}

complete -F _xm_ramdisk xm-ramdisk
