#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The documents that lead through the tree, against the tree: the files and the
# functions that they name are there, links in Markdown lead somewhere, and each
# folder of tests has a README. Then the same checks over a small tree that
# breaks each rule, which proves that the checks find something.
set -u
cd "$(dirname "$0")/../../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0
maps=(README.md HACKING.md SECURITY.md CHANGELOG.md docs/architecture.md tests/*/README.md)

files() { # NAME...: of the tree in the current folder, without what was built
	local names=() n
	for n; do
		names+=(-o -name "$n")
	done
	find . \( -path ./build -o -path ./.git \) -prune -o -type f \( "${names[@]:1}" \) -print | sed 's,^\./,,' | sort
}

# DOCUMENT:LINE: NAME for each path below a folder of the tree, and for each
# file's name alone in backticks, that is missing. A pattern has to match.
# Words in capitals stand for something else (docs/NAME.8) and are left out.
missing_files() { # DOCUMENT...
	files '*' >"$tmp/files"
	sed 's,.*/,,' "$tmp/files" | sort -u >"$tmp/names"
	awk '
	function one(path) {
		sub(/[.,:;]+$/, "", path)
		if (path !~ /(NAME|SUITE|ROOM)/)
			print FILENAME ":" FNR ": " path
	}
	{
		line = " " $0
		while (match(line, /[^A-Za-z0-9_.\/-](drivers|tools|tests|include|docs|build-aux|patches|debian|\.ci)\/[A-Za-z0-9_.*\/-]*/)) {
			one(substr(line, RSTART + 1, RLENGTH - 1))
			line = substr(line, RSTART + RLENGTH)
		}
		line = $0
		while (match(line, /`[A-Za-z][A-Za-z0-9_.-]*\.(c|h|sh|in|md|svg|[1-8])`/)) {
			one(substr(line, RSTART + 1, RLENGTH - 2))
			line = substr(line, RSTART + RLENGTH)
		}
	}' "$@" | while read -r where path; do
		case $path in
		*/*) compgen -G "$path" >/dev/null ;;
		*) grep -qxF -- "$path" "$tmp/names" ;;
		esac || echo "$where $path is not in the tree"
	done
}

# The functions that the tree defines: of C, with the brace that opens one in
# the first column; macros with arguments; functions of shell scripts.
functions() {
	files '*.c' '*.h' | while read -r f; do
		cat "$f"
		echo ';'
	done | awk '
	/^#[ \t]*define[ \t]+[A-Za-z_0-9]+\(/ {
		sub(/\(.*/, "")
		print $NF
		next
	}
	/^\{/ { if (name) print name; name = "" }
	/^[A-Za-z_].*\(/ && !/;/ {
		name = $0
		sub(/\(.*/, "", name)
		sub(/.*[^A-Za-z0-9_]/, "", name)
		next
	}
	/;/ { name = "" }'
	files '*' | grep '^tests/' | xargs grep -hsoE '^[a-z_0-9]+\(\) \{' | sed 's/().*//'
}

missing_functions() { # DOCUMENT...
	functions | sort -u >"$tmp/functions"
	grep -noE '[A-Za-z_][A-Za-z0-9_]*\(\)' /dev/null "$@" | while IFS=: read -r file line name; do
		grep -qxF -- "${name%()}" "$tmp/functions" || echo "$file:$line: $name is not defined in the tree"
	done
}

# As they stand in the page that is made of DOCUMENT: what a # may lead to.
anchors() { # DOCUMENT
	sed -n 's/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}

# Links of other hosts are not followed.
dead_links() {
	files '*.md' | while read -r f; do
		grep -noE '\]\([^)]+\)' "$f" | while IFS=: read -r line link; do
			link=${link#](} link=${link%)}
			case $link in
			*://* | mailto:*) continue ;;
			'#'*) to=$f ;;
			*) to=$(dirname "$f")/${link%%#*} ;;
			esac
			[ -e "$to" ] || { echo "$f:$line: $link leads nowhere"; continue; }
			[ "${link#*#}" = "$link" ] || anchors "$to" | grep -qxF -- "${link#*#}" ||
				echo "$f:$line: $link names no heading of $to"
		done
	done
}

without_readme() {
	local d
	for d in tests/*/; do
		[ -s "${d}README.md" ] || echo "${d}README.md is missing"
	done
}

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok map: $1"
		return
	fi
	echo "not ok map: $1"
	sed 's/^/    /' "$tmp/out"
	failed=1
}

nothing() { # NAME COMMAND...: which must print nothing
	local name=$1
	shift
	"$@" >"$tmp/out" 2>&1
	[ ! -s "$tmp/out" ]
	ok "$name" $?
}

nothing "every file that is named is in the tree" missing_files "${maps[@]}"
nothing "every function that is named is defined" missing_functions "${maps[@]}"
nothing "every link in Markdown leads somewhere" dead_links
nothing "every folder of tests has a README" without_readme

{
	grep -ohE '[A-Za-z_][A-Za-z0-9_]*\(\)' docs/architecture.md | sort -u | wc -l
	functions | sort -u | wc -l
	files '*.md' | xargs cat | grep -cE '\]\([^)]+\)'
} >"$tmp/out"
{ read -r named && read -r defined && read -r links; } <"$tmp/out"
[ "$named" -gt 50 ] && [ "$defined" -gt 1000 ] && [ "$links" -gt 5 ]
ok "functions and links were found" $?

# ---- each rule, broken --------------------------------------------------

mkdir -p "$tmp/tree/docs" "$tmp/tree/drivers/a" "$tmp/tree/tests/with" "$tmp/tree/tests/bare"
cd "$tmp/tree" || exit 1
echo '# With' >tests/with/README.md
# Called in one file and declared in another, which defines nothing.
printf 'int declared(int a,\n\t     int b);\nint defined(int a,\n\t    int b)\n{\n\tif (a)\n\t\treturn called(b);\n\treturn 0;\n}\n#define macro(a) (a)\n' >drivers/a/a.c
cat >docs/map.md <<'END'
# A heading, with words
`drivers/a/a.c`, `a.c` and drivers/*/a.c, docs/NAME.8: `defined()`, `macro()`.
`drivers/a/b.c` and drivers/c. Then `b.c`, and `called()`, `declared()`.
[here](map.md), [there](#a-heading-with-words), [host](https://example.org/x)
[no file](nowhere.md) [no heading](map.md#another)
END

broken() { # NAME EXPECTED COMMAND...: which must print exactly the lines EXPECTED
	local name=$1 expected=$2
	shift 2
	"$@" >"$tmp/out" 2>&1
	[ "$(cat "$tmp/out")" = "$expected" ]
	ok "$name" $?
}

broken "missing files are reported" \
	"docs/map.md:3: drivers/a/b.c is not in the tree
docs/map.md:3: drivers/c is not in the tree
docs/map.md:3: b.c is not in the tree" missing_files docs/map.md
broken "functions that are only called or declared are reported" \
	"docs/map.md:3: called() is not defined in the tree
docs/map.md:3: declared() is not defined in the tree" missing_functions docs/map.md
broken "dead links are reported" \
	"docs/map.md:5: nowhere.md leads nowhere
docs/map.md:5: map.md#another names no heading of docs/map.md" dead_links
broken "a folder of tests without a README is reported" "tests/bare/README.md is missing" without_readme
exit $failed
