# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# The spread of what the rounds of a benchmark measured, for benchmarks in shell and
# awk, on this machine and in the test bed. tests/bench/bench.h has the same
# quartiles for those in C. A benchmark sources this file.
#
#   awk "$spread_awk"'PROGRAM'   PROGRAM calls
#       spread(a, n)                    sorts a[0] to a[n - 1] and sets the variables
#                                       min, q1, median, q3 and max
#       keep_figure(file, bench, what, unit, a, n)   the same, and appends the figure
#                                       as a line of JSON to file, unless that is ""
#   median NUMBER...             prints the median
#   keep_figure BENCH WHAT UNIT NUMBER...   appends the figure to $BENCH_RESULTS,
#                                unless that is unset; WHAT has nothing to escape

spread_awk='
function spread(a, n,    i, j, t) {
	for (i = 1; i < n; i++) {
		t = a[i]
		for (j = i; j > 0 && a[j - 1] > t; j--) a[j] = a[j - 1]
		a[j] = t
	}
	min = a[0]; q1 = a[int(n / 4)]; median = (a[int((n - 1) / 2)] + a[int(n / 2)]) / 2; q3 = a[int(3 * n / 4)]; max = a[n - 1]
}
function keep_figure(file, bench, what, unit, a, n) {
	spread(a, n)
	if (file != "")
		printf "{\"bench\": \"%s\", \"what\": \"%s\", \"unit\": \"%s\", \"rounds\": %d, \"min\": %.8g, \"q1\": %.8g, \"median\": %.8g, \"q3\": %.8g, \"max\": %.8g}\n",
			bench, what, unit, n, min, q1, median, q3, max >>file
}
'

median() { # NUMBER...
	printf '%s\n' "$@" | awk "$spread_awk"'{ a[NR - 1] = $1 + 0 } END { spread(a, NR); print median }'
}

keep_figure() { # BENCH WHAT UNIT NUMBER...
	printf '%s\n' "${@:4}" | awk -v file="${BENCH_RESULTS-}" -v bench="$1" -v what="$2" -v unit="$3" \
		"$spread_awk"'{ a[NR - 1] = $1 + 0 } END { keep_figure(file, bench, what, unit, a, NR) }'
}
