#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Shell scripts against shellcheck, manual pages against man and mandoc, C files
# against .clang-format. A script is what git knows and starts with a shell's #!
# line or names its shell to shellcheck. (mandoc's style notes are not asked for.)
set -u
cd "$(dirname "$0")/../../.." || exit 1
failed=0
out=$(mktemp) || exit 1
list=$(mktemp) || exit 1
trap 'rm -f "$out" "$list"' EXIT

result() { # STATUS NAME
	if [ "$1" = 0 ] && [ ! -s "$out" ]; then
		echo "ok $2"
		return
	fi
	echo "not ok $2"
	sed 's/^/    /' "$out"
	failed=1
}

files() {
	git ls-files 2>/dev/null | grep . || find . -type f -not -path './build/*' -printf '%P\n'
}

scripts=0
while read -r f; do
	[ -f "$f" ] || continue
	head -n 5 "$f" | tr -d '\0' | grep -qE '^(#! ?/bin/(busybox )?(ba|da)?sh|#! ?/usr/bin/env bash|# shellcheck shell=)' || continue
	scripts=$((scripts + 1))
	# Not asked for: files that exist in the test bed only (SC1091); $ in
	# single quotes, which is how a command for a guest is written (SC2016);
	# functions that are given to others to call (SC2317); a && b || c, where
	# b is an echo (SC2015); variables of a file for those that source it.
	except=SC1091,SC2016,SC2317,SC2015
	head -n 5 "$f" | grep -q '^# shellcheck shell=' && except+=,SC2034
	shellcheck -x -P SCRIPTDIR -P . -e $except "$f" >"$out" 2>&1
	result $? "shellcheck $f"
done < <(files)
: >"$out"
[ $scripts -gt 30 ]
result $? "$scripts scripts were found"

for f in docs/*.[1-8]; do
	man --warnings -E UTF-8 -l -Tutf8 -Z "$f" >/dev/null 2>"$out"
	result $? "man --warnings $f"
	mandoc -Tlint -W warning "$f" >"$out" 2>&1
	result $? "mandoc -Tlint $f"
done

# The header of interface versions is generated.
files | grep '\.[ch]$' | grep -v '^include/xen-interface\.h$' >"$list"
[ "$(wc -l <"$list")" -gt 200 ]
result $? "the C files were found"
xargs clang-format --dry-run --ferror-limit=1 -Werror <"$list" >"$out" 2>&1
result $? "clang-format: make format lays out what this names"
exit $failed
