#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Checks shell scripts with shellcheck, manual pages with man and mandoc, the layout of C
# files with clang-format. A script is a file in git that starts with a shell's #! line
# or has a line "# shellcheck shell=".
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
	# These warnings are off: a sourced file that is not found, since it exists
	# in the test bed only (SC1091); $ in single quotes, since commands for
	# guests are written so (SC2016); functions that nothing calls, since they are
	# passed as arguments (SC2317); a && b || c (SC2015); in a file to be sourced,
	# variables that it does not use itself (SC2034).
	except=SC1091,SC2016,SC2317,SC2015
	head -n 5 "$f" | grep -q '^# shellcheck shell=' && except+=,SC2034
	shellcheck -x -P SCRIPTDIR -P . -e $except "$f" >"$out" 2>&1
	result $? "shellcheck $f"
done < <(files)
: >"$out"
[ $scripts -gt 30 ]
result $? "more than 30 scripts are checked: $scripts"

for f in docs/*.[1-8]; do
	man --warnings -E UTF-8 -l -Tutf8 -Z "$f" >/dev/null 2>"$out"
	result $? "man --warnings $f"
	# Pages that are not installed on this machine are not mandoc's to judge.
	mandoc -Tlint "$f" 2>/dev/null | grep -v 'referenced manual not found' >"$out"
	result 0 "mandoc -Tlint $f"
done

# Without the generated header of interface versions.
files | grep '\.[ch]$' | grep -v '^include/xen-interface\.h$' >"$list"
[ "$(wc -l <"$list")" -gt 200 ]
result $? "more than 200 C files are checked"
xargs clang-format --dry-run --ferror-limit=1 -Werror <"$list" >"$out" 2>&1
result $? "clang-format (\`make format\` corrects the files)"
exit $failed
