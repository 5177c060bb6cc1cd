# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# bash completion for xm-ramdisk. Written by build-aux/completions from the help texts: change
# those, or build-aux/completions and tools/completion/helpers.bash, and run `make completions`.

_xen_ramdisk_domains() {
	xl list 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# The vdevs of a domain that xm-ramdisk attached.
_xen_ramdisk_attached() { # DOMAIN
	xm-ramdisk list --json 2>/dev/null | awk -v domain="\"$1\"," -v domid="$1," '
		$1 == "\"domid\":" { mine = $2 == domid }
		$1 == "\"domain\":" { mine = mine || $2 == domain }
		$1 == "\"vdev\":" && mine { gsub(/[",]/, "", $2); print $2 }'
}

# Names of disks that begin with TYPED: given names, or seeds by path or file
# name; ids instead of those that two disks have, and of what begins like an id.
_xen_ramdisk_names() { # TYPED
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

_xen_ramdisk_among() { # TYPED WORDS
	mapfile -t COMPREPLY < <(compgen -W "$2" -- "$1")
}

# What is offered for a word of KIND, of which TYPED is typed, after WORD...
_xen_ramdisk_kind() { # KIND TYPED WORD...
	local releases
	case $1 in
	*'|'*) _xen_ramdisk_among "$2" "${1//|/ }" ;;
	domain) _xen_ramdisk_among "$2" "$(_xen_ramdisk_domains)" ;;
	attached) _xen_ramdisk_among "$2" "$(_xen_ramdisk_attached "$3")" ;;
	vdev) _xen_ramdisk_among "$2" 'xvdb xvdc xvdd xvde xvdf' ;;
	fenced) _xen_ramdisk_among "$2" "$(xm-ramdisk fence --list 2>/dev/null | grep -v nothing)" ;;
	disk) mapfile -t COMPREPLY < <(_xen_ramdisk_names "$2") ;;
	directory)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
	file | seed)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$2"; [ "$1" = file ] || _xen_ramdisk_names "$2") ;;
	release)
		releases=$(xm-ramdisk interface list --csv 2>/dev/null | sed '1d; s/,.*//')
		mapfile -t COMPREPLY < <(compgen -W "running $releases" -- "$2"; compgen -f -- "$2") ;;
	esac
}

# The completion of the program whose tables are the functions PREFIX_subcommands,
# PREFIX_options, PREFIX_values and PREFIX_words. Sets $COMPREPLY.
_xen_ramdisk_complete() { # PREFIX
	local cur=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD - 1]} path='' words=() kinds n w kind
	COMPREPLY=()
	# the words before the cursor, without options and their values: bash makes
	# three words of --option=value
	for ((n = 1; n < COMP_CWORD; n++)); do
		w=${COMP_WORDS[n]}
		if [ "$w" = = ]; then
			((n++))
		elif [[ $w == -* ]]; then
			continue
		elif [[ " $("$1_subcommands" "$path") " == *" $w "* ]]; then
			path=${path:+$path }$w
		else
			words+=("$w")
		fi
	done
	if [ "$cur" = = ]; then
		_xen_ramdisk_kind "$("$1_values" "$path:$last")" ''
		return
	fi
	if [ "$last" = = ]; then
		_xen_ramdisk_kind "$("$1_values" "$path:${COMP_WORDS[COMP_CWORD - 2]}")" "$cur"
		return
	fi
	if [[ $last == -* ]] && [[ " $("$1_options" "$path") " == *" $last "* || $last == -? ]]; then
		kind=$("$1_values" "$path:$last")$("$1_letters" "$path:$last")
		if [ -n "$kind" ] && [[ " $("$1_options" "$path") " != *" $last= "* ]]; then
			_xen_ramdisk_kind "$kind" "$cur"
			return
		fi
	fi
	if [[ $cur == -* ]]; then
		_xen_ramdisk_among "$cur" "$("$1_options" "$path")"
		[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
		return
	fi
	w=$("$1_subcommands" "$path")
	if [ -n "$w" ]; then
		_xen_ramdisk_among "$cur" "$w"
		return
	fi
	read -r -a kinds <<<"$("$1_words" "$path")"
	n=${#words[@]}
	if [ "${kinds[${#kinds[@]} - 1]-}" = ... ]; then
		[ "$n" -le $((${#kinds[@]} - 2)) ] || n=$((${#kinds[@]} - 2))
	fi
	_xen_ramdisk_kind "${kinds[n]-none}" "$cur" "${words[@]}"
}

_xm_ramdisk_subcommands() {
	case $1 in
	'') echo 'attach detach list show top watch metrics load drop reset point rollback save diff fault hotplug serve fence interface help' ;;
	'interface') echo 'list show of running check' ;;
	esac
}

_xm_ramdisk_options() {
	case $1 in
	'') echo '--help --version' ;;
	'attach') echo '--name= --fresh --thin --lazy --keep --private --point= --sector-size= --timeout= --no-wait --remote --remote= --backend= --toolstack= --dry-run --help' ;;
	'detach') echo '--force --timeout= --help' ;;
	'list') echo '--json --help' ;;
	'show') echo '--json --debug --help' ;;
	'top') echo '--once --json --help' ;;
	'watch') echo '--json --until= --count= --timeout= --help' ;;
	'metrics') echo '--format= --output= --help' ;;
	'load') echo '--name= --fresh --thin --lazy --all --check --served --help' ;;
	'drop') echo '--saved --help' ;;
	'reset') echo '--force --help' ;;
	'point') echo '--drop --list --json --every= --on-crash --keep= --help' ;;
	'rollback') echo '--force --help' ;;
	'save') echo '--point= --force --help' ;;
	'diff') echo '--from= --to= --json --help' ;;
	'fault') echo '--error= --ratio= --range= --delay= --jitter= --freeze --thaw --write-protect --writable --iops= --bandwidth= --clear --json --help' ;;
	'hotplug') echo '--help' ;;
	'serve') echo '--name= --fresh --thin --lazy --keep --private --read-only --discard --socket= --tcp --tcp= --tls-certificates= --tls-psk= --insecure --make-tls= --threads= --connections= --background --pid-file= --help' ;;
	'fence') echo '--lift --list --help' ;;
	'interface') echo '--help' ;;
	'interface list') echo '--changes --json --csv --svg --help' ;;
	'interface show') echo '--json --help' ;;
	'interface of') echo '--json --help' ;;
	'interface running') echo '--json --help' ;;
	'interface check') echo '--guest --tools --source --json --help' ;;
	'help') echo '--help' ;;
	esac
}

_xm_ramdisk_values() {
	case $1 in
	'attach:--name') echo 'none' ;;
	'attach:--point') echo 'none' ;;
	'attach:--sector-size') echo '512|4096' ;;
	'attach:--timeout') echo 'none' ;;
	'attach:--remote') echo 'none' ;;
	'attach:--backend') echo 'none' ;;
	'attach:--toolstack') echo 'direct|xl|xm' ;;
	'detach:--timeout') echo 'none' ;;
	'watch:--until') echo 'none' ;;
	'watch:--count') echo 'none' ;;
	'watch:--timeout') echo 'none' ;;
	'metrics:--format') echo 'none' ;;
	'metrics:--output') echo 'file' ;;
	'load:--name') echo 'none' ;;
	'point:--every') echo 'none' ;;
	'point:--keep') echo 'none' ;;
	'save:--point') echo 'none' ;;
	'diff:--from') echo 'none' ;;
	'diff:--to') echo 'none' ;;
	'fault:--error') echo 'read|write|all|none' ;;
	'fault:--ratio') echo 'none' ;;
	'fault:--range') echo 'none' ;;
	'fault:--delay') echo 'none' ;;
	'fault:--jitter') echo 'none' ;;
	'fault:--iops') echo 'none' ;;
	'fault:--bandwidth') echo 'none' ;;
	'serve:--name') echo 'none' ;;
	'serve:--socket') echo 'file' ;;
	'serve:--tcp') echo 'none' ;;
	'serve:--tls-certificates') echo 'directory' ;;
	'serve:--tls-psk') echo 'file' ;;
	'serve:--make-tls') echo 'directory' ;;
	'serve:--threads') echo 'none' ;;
	'serve:--connections') echo 'none' ;;
	'serve:--pid-file') echo 'file' ;;
	'interface list:--svg') echo 'file' ;;
	esac
}

_xm_ramdisk_letters() {
	case $1 in
	'interface list:-s') echo 'file' ;;
	esac
}

_xm_ramdisk_words() {
	case $1 in
	'attach') echo 'domain seed vdev r|w' ;;
	'detach') echo 'domain attached' ;;
	'show') echo 'disk' ;;
	'load') echo 'seed' ;;
	'drop') echo 'disk' ;;
	'reset') echo 'disk' ;;
	'point') echo 'disk none' ;;
	'rollback') echo 'disk none' ;;
	'save') echo 'disk file' ;;
	'diff') echo 'disk' ;;
	'fault') echo 'disk domain' ;;
	'hotplug') echo 'add|remove|clean|watch none' ;;
	'serve') echo 'seed ...' ;;
	'fence') echo 'fenced' ;;
	'interface show') echo 'release' ;;
	'interface of') echo 'file' ;;
	'interface check') echo 'release release' ;;
	'help') echo 'attach|detach|list|show|top|watch|metrics|load|drop|reset|point|rollback|save|diff|fault|hotplug|serve|fence|interface' ;;
	esac
}

_xm_ramdisk() {
	_xen_ramdisk_complete _xm_ramdisk
}
complete -F _xm_ramdisk xm-ramdisk
