#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Includes against build-aux/rooms, which says which room may include which.
# Then the same check over small trees that break each rule, which proves that
# the check finds violations.
set -u
cd "$(dirname "$0")/../../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

# The includes of the tree in the current folder that @TABLE does not allow, a
# line each; also what the table lacks, and circles of rooms.
violations() { # TABLE
	find drivers tools include -name '*.[ch]' | sort | awk -v table="$1" '
	function room(file) {
		sub(/\/[^\/]*$/, "", file)
		return file
	}
	BEGIN {
		while ((getline line <table) > 0) {
			sub(/#.*/, "", line)
			if (line !~ /:/)
				continue
			n = split(line, word, /[ \t:]+/)
			known[word[1]] = 1
			for (i = 2; i <= n; i++)
				if (word[i] != "")
					may[word[1], word[i]] = 1
		}
		for (pair in may) {
			split(pair, r, SUBSEP)
			if (!(r[2] in known))
				print table ": " r[1] " may include " r[2] ", which is no room"
		}
		circle()
	}
	# Take away the rooms that need no other, until only circles are left.
	function circle(    a, pair, r, needs, again) {
		do {
			again = 0
			delete needs
			for (pair in may) {
				split(pair, r, SUBSEP)
				if (!(r[2] in gone))
					needs[r[1]] = 1
			}
			for (a in known)
				if (!(a in gone) && !(a in needs)) {
					gone[a] = 1
					again = 1
				}
		} while (again)
		for (a in known)
			if (!(a in gone))
				print table ": " a " is in a circle of rooms, or above one"
	}
	{
		file = $0
		from = room(file)
		if (!(from in known)) {
			print file ": " from " is no room of " table
			next
		}
		number = 0
		while ((getline line <file) > 0) {
			number++
			if (line !~ /^[ \t]*#[ \t]*include[ \t]*"/)
				continue
			split(line, part, "\"")
			to = part[2]
			if (to ~ /\.inc$/ || to ~ /^tapdisk/)
				continue # generated, and blktap itself
			if (to !~ /^(drivers|tools|include)\//)
				print file ":" number ": \"" to "\" is not a full path"
			else if (room(to) != from && !((from, room(to)) in may))
				print file ":" number ": " from " may not include " to
		}
		close(file)
	}'
}

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok rooms: $1"
		return
	fi
	echo "not ok rooms: $1"
	sed 's/^/    /' "$tmp/out"
	failed=1
}

violations build-aux/rooms >"$tmp/out"
[ ! -s "$tmp/out" ]
ok "every include is one that build-aux/rooms allows" $?
includes=$(find drivers tools -name '*.[ch]' -exec grep -h '^#include "' {} + | wc -l)
echo "$includes includes were looked at" >"$tmp/out"
[ "$includes" -gt 500 ]
ok "the includes were found" $?

# ---- each rule, broken --------------------------------------------------

broken() { # NAME WHAT FILE LINE: what violations() must say of a tree with it
	local table=$PWD/build-aux/rooms
	rm -rf "$tmp/tree" && mkdir -p "$tmp/tree/include" "$tmp/tree/tools" "$tmp/tree/${3%/*}"
	printf '/* a file */\n%s\n' "$4" >"$tmp/tree/$3"
	(cd "$tmp/tree" && violations "$table") >"$tmp/out"
	grep -qF "$2" "$tmp/out"
	ok "$1" $?
}

broken "a supervisor that includes the worker" \
	'drivers/blkback/supervisor/x.c:2: drivers/blkback/supervisor may not include drivers/blkback/worker/worker.h' \
	drivers/blkback/supervisor/x.c '#include "drivers/blkback/worker/worker.h"'
broken "an adapter that includes a header of the store" \
	'drivers/nbdkit/x.c:2: drivers/nbdkit may not include drivers/block-ram/format/disk.h' \
	drivers/nbdkit/x.c '#include "drivers/block-ram/format/disk.h"'
broken "a floor that includes the one above it" \
	'drivers/block-ram/format/x.h:2: drivers/block-ram/format may not include drivers/block-ram/io/range.h' \
	drivers/block-ram/format/x.h '	# include "drivers/block-ram/io/range.h"'
broken "an include that is not a full path" 'drivers/blkback/ring/x.c:2: "ring.h" is not a full path' \
	drivers/blkback/ring/x.c '#include "ring.h"'
broken "a folder that is not a room" 'drivers/new/x.c: drivers/new is no room of' drivers/new/x.c ''

mkdir -p "$tmp/empty/drivers" "$tmp/empty/tools" "$tmp/empty/include"
printf 'a : b\nb : c\nc : a\nd : e\n' >"$tmp/circle"
(cd "$tmp/empty" && violations "$tmp/circle") >"$tmp/out"
grep -qF 'b is in a circle of rooms' "$tmp/out" && grep -qF 'd may include e, which is no room' "$tmp/out"
ok "a table with a circle and an unknown room" $?
exit $failed
