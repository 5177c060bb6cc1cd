#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The completions of bash, zsh and fish: they are what the help texts say, all three offer
# the same options, and the shells themselves load them and complete words. An option that
# a program takes and no help text has is found by reading the tables in the sources.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
tmp=$(mktemp -d) || exit 1
XEN_RAMDISK_DIR=$(mktemp -d /dev/shm/xen-ramdisk-test-XXXXXX) || exit 1
export XEN_RAMDISK_DIR HOME=$tmp PATH=$B:$PATH LC_ALL=C.UTF-8
trap 'rm -rf "$tmp" "$XEN_RAMDISK_DIR"' EXIT
out=$tmp/out
failed=0

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok completion: $1"
		return
	fi
	echo "not ok completion: $1"
	sed 's/^/    /; $s/$//' "$out"
	echo
	failed=1
}

mkdir "$tmp/made"
build-aux/completions "$B" "$tmp/made" >"$out" 2>&1 &&
	diff -u --exclude='helpers.*' tools/completion "$tmp/made" >>"$out"
ok "the tree's are those of the help texts (after a change: make completions)" $?

# ---- what the shells offer --------------------------------------------------

bash_offers() { # PROGRAM WORD...
	bash -c '. "tools/completion/$1.bash"
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		"_${1//-/_}"
		printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
}

fish_offers() { # PROGRAM WORD...
	local line=$*
	fish --no-config -c 'source tools/completion/$argv[1].fish; complete -C $argv[2]' "$1" "$line" | sed 's/\t.*//'
}

# An interactive zsh on a terminal of its own, with a compadd that prints what it is given.
zsh_offers() { # PROGRAM WORD...
	local line=$*
	zsh -f -c '
		zmodload zsh/zpty
		zpty z zsh -f -i
		zpty -w z "PROMPT=; stty -echo; autoload -Uz compinit; compinit -u -D"
		zpty -w z "fpath=($1 \$fpath); autoload -Uz _$2; compdef _$2 $2"
		zpty -w z "compadd() { local -a m; builtin compadd -O m \"\$@\"; print -rl -- \"offer \"\$^m >>$1/offers; builtin compadd \"\$@\" }"
		zpty -w z "done-now() { zle complete-word; print done >>$1/offers; zle send-break }; zle -N done-now"
		zpty -w z "bindkey ^X done-now"
		zpty -w z "print ready >>$1/offers"
		for i in {1..100}; do [[ -s $1/offers ]] && break; sleep 0.1; done
		zpty -w -n z "$3"$'\''\x18'\''
		for i in {1..100}; do grep -qs "^done" $1/offers && break; sleep 0.1; done
		zpty -d z' zsh "$tmp/zsh" "$1" "$line"
	sed -n 's/^offer //p' "$tmp/zsh/offers"
	rm -f "$tmp/zsh/offers"
}
mkdir "$tmp/zsh"
for p in xm-ramdisk xen-ramdiskd; do
	cp "tools/completion/$p.zsh" "$tmp/zsh/_$p"
done

offers() { # NAME EXPECTED PROGRAM WORD...: each shell must offer exactly EXPECTED
	local name=$1 expected=$2 shell
	shift 2
	for shell in bash fish zsh; do
		"${shell}_offers" "$@" 2>&1 | sed 's/=$//' | sort -u | tr '\n' ' ' >"$out"
		[ "$(sed 's/ $//' "$out")" = "$expected" ]
		ok "$shell: $name" $?
	done
}

has() { # NAME EXPECTED PROGRAM WORD...: each shell must offer EXPECTED, among others
	local name=$1 expected=$2 shell
	shift 2
	for shell in bash fish zsh; do
		"${shell}_offers" "$@" >"$out" 2>&1
		grep -qxE -- "(.*/)?$expected" "$out" # zsh has the folder apart
		ok "$shell: $name" $?
	done
}

truncate -s 1M "$tmp/seed.img"
xm-ramdisk load --name=lab "$tmp/seed.img" >"$out" 2>&1
ok "a disk is loaded" $?
offers "a subcommand" 'detach' xm-ramdisk det
offers "the options of serve that begin so" '--tcp --thin --threads --tls-certificates --tls-psk' xm-ramdisk serve --t
offers "the daemon's options" '--stop --store' xen-ramdiskd --st
offers "a disk's name" 'lab' xm-ramdisk drop ''
offers "read or write, behind three words" 'r w' xm-ramdisk attach a b xvdb ''
offers "subcommands of interface" 'check list of running show' xm-ramdisk interface ''
offers "options of interface check" '--source' xm-ramdisk interface check --so
offers "a name for help" 'save serve show' xm-ramdisk help s
has "a file as a seed" seed.img xm-ramdisk load "$tmp/se"
offers "a level of the log" 'debug' xen-ramdiskd --log-level d

# ---- the tables of the sources ----------------------------------------------

# "--NAME" of each option that a program takes.
taken() {
	grep -rhoE '(\.name = |DISK_FLAG_OPTION\([^"]*)"[a-z-]+"' tools/xm-ramdisk
	grep -rhoE '\{ "[a-z-]+", (no|required|optional)_argument' tools/xm-ramdisk drivers/blkback/main.c |
		grep -vE '"(worker|upgraded|upgrade)"' # internal ones, and an old name
}
taken | sed 's/.*"\([a-z-]*\)".*/\1/' | sort -u >"$tmp/taken"
for p in xm-ramdisk xen-ramdiskd; do
	grep -oE -- '--[a-z-]+' "tools/completion/$p.bash"
done | sed 's/^--//' | sort -u >"$tmp/offered"
comm -23 "$tmp/taken" "$tmp/offered" >"$out"
[ "$(wc -l <"$tmp/taken")" -gt 35 ] && [ ! -s "$out" ]
ok "each option that the programs take is offered" $?
exit $failed
