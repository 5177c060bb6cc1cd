#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The picture of build-aux/bench-report: a small record is drawn, and its axes,
# values and names are searched in the picture. No two texts of a picture overlap,
# estimated by the size of their letters; this is checked for the committed picture
# too, which must be what bench-report draws of the committed record.
set -u
cd "$(dirname "$0")/../../.." || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failed=0

result() { # STATUS NAME
	if [ "$1" = 0 ]; then
		echo "ok $2"
	else
		echo "not ok $2"
		sed 's/^/    /' "$scratch/out"
		failed=1
	fi
}

# Prints the pairs of texts that overlap, and the texts that leave the picture.
# A letter of DejaVu Sans is 0.6 of its size wide on average, a bold one 0.68.
overlaps() { # SVG
	python3 - "$1" <<'END'
import re, sys, html
svg = open(sys.argv[1], encoding="utf-8").read()
width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())
boxes = []
for x, y, size, anchor, weight, text in re.findall(
        r'<text x="([^"]*)" y="([^"]*)" font-size="([^"]*)" text-anchor="([^"]*)"'
        r'[^>]*font-weight="([^"]*)"[^>]*>([^<]*)</text>', svg):
    x, y, size, text = float(x), float(y), float(size), html.unescape(text)
    wide = len(text) * size * (0.68 if weight == "bold" else 0.6)
    left = x - {"start": 0, "middle": wide / 2, "end": wide}[anchor]
    boxes.append((left, y - 0.8 * size, left + wide, y + 0.2 * size, text))
for i, a in enumerate(boxes):
    if a[0] < 0 or a[1] < 0 or a[2] > width or a[3] > height:
        print(f"outside the picture: {a[4]}")
    for b in boxes[:i]:
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]:
            print(f"overlap: {b[4]} / {a[4]}")
print(len(boxes), "texts")
END
}

no_overlap() { # SVG MINIMUM
	overlaps "$1" >"$scratch/out" 2>&1 || return
	! grep -qE '^(overlap|outside)' "$scratch/out" && [ "$(sed -n 's/ texts$//p' "$scratch/out")" -ge "$2" ]
}

figure() { # BENCH WHAT UNIT Q1 MEDIAN Q3
	printf '{"bench": "%s", "what": "%s", "unit": "%s", "rounds": 3, "min": %s, "q1": %s, "median": %s, "q3": %s, "max": %s}\n' \
		"$1" "$2" "$3" "$4" "$4" "$5" "$6" "$6"
}

# One name of a benchmark is old, and one is in no list.
record() {
	echo '{"date": "2001-02-03", "machine": {"cpu": "Some CPU", "cpus": 2, "memory_mib": 4096, "kernel": "1.2", "load": 0.5},'
	echo '"versions": {"xen-ramdisk": "0.0", "commit": "abc", "cc": "cc", "qemu": "QEMU"}, "figures": ['
	{
		figure guest-io randread:4k:1:alone 'times blkback' 0.7 1.23 1.4
		figure guest-io randread:4k:1:alone 'times qdisk' 0.72 1.24 1.42
		figure guest-io randwrite:4k:32:two 'times blkback' 1.1 3.33 7.9
		figure xl-roads read:64k:4:alone 'times loop' 0.3 0.41 0.6
		figure xl-roads read:64k:4:alone 'times nbd' 1.3 1.41 1.6
		figure ring 'read 4 KiB, 1 at a time, persistent' '% of memcpy' 86 91 97
		figure unlisted 'first row' 'times something' 1 1.57 2
		figure instructions 'read 4 KiB' instructions 1000 1290 1300
	} | paste -sd, -
	echo ']}'
}

has() { # TEXT...: each is a text of the picture
	local text
	for text in "$@"; do
		grep -qF ">$text</text>" "$scratch/picture.svg" || echo "missing: $text"
	done >"$scratch/out"
	[ ! -s "$scratch/out" ]
}

record >"$scratch/record.json"
build-aux/bench-report --draw "$scratch/record.json" >"$scratch/picture.svg" 2>"$scratch/out"
result $? "a record is drawn"
has 0.25 0.5 1 2 4 8 && has 80 90 100
result $? "the axes have marks with numbers"
has 1.23 1.24 3.33 0.41 1.41 '91 %' 1.57 1,290
result $? "every point has its value"
grep -q 'CPU: Some CPU, 2 processors' "$scratch/picture.svg"
result $? "the picture says which CPU was measured"
has 'A disk line of xl below Xen 4.19' loop nbd
result $? "a benchmark's old name is understood"
has unlisted 'first row'
result $? "a benchmark that is in no list has a panel"
no_overlap "$scratch/picture.svg" 40
result $? "no two texts overlap"

sed "s/>blkback</>a legend that is much too long</" "$scratch/picture.svg" >"$scratch/long.svg"
! no_overlap "$scratch/long.svg" 40 && grep -q '^overlap: a legend' "$scratch/out"
result $? "a text that is too long is found"

for committed in docs/bench/results-*.json; do
	picture=${committed%.json}.svg
	build-aux/bench-report --draw "$committed" >"$scratch/committed.svg" 2>"$scratch/out" &&
		cmp "$picture" "$scratch/committed.svg" >"$scratch/out" 2>&1
	result $? "$picture is drawn of its record"
	no_overlap "$picture" 200
	result $? "no two texts of it overlap"
	grep -qE '"cpu": "[^"]+"' "$committed"
	result $? "$committed has the CPU"
done
build-aux/bench-report --table docs/bench/results-*.json >"$scratch/page" 2>"$scratch/out" &&
	cmp docs/bench/README.md "$scratch/page" >"$scratch/out" 2>&1
result $? "docs/bench/README.md has the figures of all CPUs"

# Two kinds of CPU side by side; a figure of a benchmark that was not run again stays,
# with its commit.
sed 's/Some CPU/Other CPU/; s/91/12/' "$scratch/record.json" >"$scratch/other.json"
build-aux/bench-report --table "$scratch/record.json" "$scratch/other.json" >"$scratch/out" 2>&1 &&
	grep -qF '| read 4 KiB, 1 at a time, persistent | % of memcpy | 12 (86 to 97) | 91 (86 to 97) |' "$scratch/out"
result $? "a row has the figures of both CPUs"

# The same numbers go through the three implementations of the quartiles: in Python
# as the log of a benchmark in the test bed, in shell and in C.
print_spread() { # reads a record
	python3 -c 'import json, sys
f = json.load(sys.stdin)
f = f.get("figures", [f])[0]
print(f["bench"], f["what"], f["unit"], f["rounds"], *(f"{f[k]:g}" for k in ("min", "q1", "median", "q3", "max")))'
}

spread_in_c() {
	cat >"$scratch/spread.c" <<'END'
#define _GNU_SOURCE
#include <string.h>
#include "tests/bench/bench.h"
int main(void)
{
	double v[] = { 5, 1, 9, 3, 8, 2 };
	struct bench_spread s = bench_spread(v, 6);

	bench_keep("disk-line", "read:4k:1:alone direct", "KiB/s", &s);
	return 0;
}
END
	"${CC:-cc}" -I. -o "$scratch/spread" "$scratch/spread.c" && BENCH_RESULTS=$scratch/c "$scratch/spread"
}

expected='disk-line read:4k:1:alone direct KiB/s 6 1 2 4 8 9'
mkdir "$scratch/logs"
: >"$scratch/logs/results"
printf 'raw xvdb read:4k:1:alone %s\n' 5 1 9 3 8 2 >"$scratch/logs/disk-line.log"
build-aux/bench-report "$scratch/logs" "$scratch/report" >"$scratch/out" 2>&1 &&
	print_spread <"$(echo "$scratch"/report/results-*.json)" >"$scratch/out" 2>&1 &&
	grep -qx "$expected" "$scratch/out"
result $? "a log of the test bed becomes figures"
mkdir "$scratch/again"
figure storm idle ratio 1 2 3 >"$scratch/again/results"
sed -i 's/"commit": "[^"]*"/"commit": "earlier"/' "$scratch"/report/results-*.json
build-aux/bench-report "$scratch/again" "$scratch/report" >"$scratch/out" 2>&1 &&
	grep -q '"commit": "earlier"' "$scratch"/report/results-*.json &&
	cp "$scratch/report/README.md" "$scratch/out" && grep -qF '| idle | ratio | 2 (1 to 3) |' "$scratch/out"
result $? "figures of a benchmark that is not run again stay, with their commit"
# shellcheck source=tests/vm/lib/spread.sh
. tests/vm/lib/spread.sh
BENCH_RESULTS=$scratch/shell keep_figure disk-line 'read:4k:1:alone direct' KiB/s 5 1 9 3 8 2 &&
	print_spread <"$scratch/shell" >"$scratch/out" 2>&1 &&
	grep -qx "$expected" "$scratch/out" && [ "$(median 5 1 9 3 8 2)" = 4 ]
result $? "shell has the same quartiles"
spread_in_c >"$scratch/out" 2>&1 && print_spread <"$scratch/c" >"$scratch/out" 2>&1 &&
	grep -qx "$expected" "$scratch/out"
result $? "C has the same quartiles"
exit $failed
