#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A request's costs (tests/bench/request-costs) against the table that is kept in
# docs/bench. Then the same against tables in which a figure was lower: the comparison
# must say so.
set -u
cd "$(dirname "$0")/../../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

result() { # STATUS NAME
	if [ "$1" = 0 ]; then
		echo "ok request-costs: $2"
	else
		echo "not ok request-costs: $2"
		sed 's/^/    /' "$tmp/out"
		failed=1
	fi
}

tests/bench/request-costs --check >"$tmp/out" 2>&1
result $? "no figure is more than 3 % worse than the kept one"
grep '^#' "$tmp/out"

finds() { # FIGURE COLUMN FACTOR
	# The figures of this machine, so that its compiler is the kept one.
	awk -F '\t' -v OFS='\t' -v column="$2" -v factor="$3" '
		$1 == "copy/2/8" { $column *= factor }
		{ print }' "$tmp/here" >"$tmp/lower"
	COSTS_KEPT=$tmp/lower tests/bench/request-costs --check >"$tmp/out" 2>&1
	[ $? = 1 ] && grep -q "^copy/2/8: $1 of a request are .*worse" "$tmp/out" &&
		[ "$(grep -c worse "$tmp/out")" = 1 ] && grep -q -e --accept "$tmp/out"
	result $? "$1 that are worse are found"
}

COSTS_KEPT=$tmp/here tests/bench/request-costs --accept >"$tmp/out" 2>&1
result $? "a table is accepted"
finds instructions 6 0.95
finds calls 4 0.95
finds wakeups 2 0.95
exit $failed
