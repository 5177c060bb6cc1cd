# SPDX-License-Identifier: BSD-2-Clause
#
# Generates C from the data: the public header, or the tables of the tool. Data
# that cannot be right is refused, so that a typing error in a new line stops
# the build.
#
#   awk -v what=header -f generate.awk changes.tsv versions.tsv compat.h.in
#   awk -v what=tables -f generate.awk changes.tsv versions.tsv
#
# POSIX awk only. Hexadecimal constants are compared as strings: each is 0x and
# eight lower-case digits, and so their order is that of the numbers.

BEGIN { FS = "\t"; status = 0 }

function fail(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text >"/dev/stderr"
	status = 1
	exit 1
}

function hex(text) { return text ~ /^0x[0-9a-f]+$/ && length(text) == 10 }

# A release's name as part of a C name; releases are 3.0.3_0, 3.0.2-2, 3.4.0-rc3.
function cname(text) { gsub(/[^0-9A-Za-z]/, "_", text); return text }

FNR == 1 { file++ }

# ---- changes.tsv -----------------------------------------------------------

file == 1 && FNR == 1 { columns = NF; next }
file == 1 {
	if (NF != columns || NF != 9)
		fail("expected 9 columns, found " NF)
	if (!hex($4) || ($3 != "-" && !hex($3)))
		fail("old and new must be 0x and eight lower-case digits")
	c_date[++changes] = $1; c_git[changes] = $2; c_old[changes] = $3
	c_new[changes] = $4; c_branch[changes] = $5; c_first[changes] = $6
	c_hg[changes] = $7; c_why[changes] = $8; c_back[changes] = $9
	by_git[$2] = changes
	note_value($4)
	next
}

# ---- versions.tsv ----------------------------------------------------------

file == 2 && FNR == 1 { next }
file == 2 {
	if (NF != 8)
		fail("expected 8 columns, found " NF)
	if ($1 in seen)
		fail("release " $1 " has two lines")
	if ($1 !~ /^[0-9]+\.[0-9]+\.[0-9]+/)
		fail("a release is MAJOR.MINOR.POINT, not " $1)
	if (!hex($3) || ($4 != "-" && !hex($4)) || ($5 != "-" && !hex($5)))
		fail("xen_interface, domctl and sysctl must be 0x and eight lower-case digits, or -")
	if (!($3 in known))
		fail("no line of changes.tsv has the new value " $3)
	if ($2 != "-" && $2 !~ /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]$/)
		fail("a date is YYYY-MM-DD or -, not " $2)
	seen[$1] = 1
	name[++n] = $1; date[n] = $2; iface[n] = $3; domctl[n] = $4
	sysctl[n] = $5; blktap[n] = $6; toolstack[n] = $7; evidence[n] = $8
	split($1, part, /[^0-9]+/)
	major[n] = part[1]; minor[n] = part[2]; point[n] = part[3]
	next
}

# ---- compat.h.in: its lines are kept until END -------------------------------

file == 3 { body[++lines] = $0 }

# Insert v into value[], which is in ascending order, once.
function note_value(v,    i, j) {
	if (v in known)
		return
	known[v] = 1
	for (i = 1; i <= values && value[i] < v; i++)
		;
	for (j = values; j >= i; j--)
		value[j + 1] = value[j]
	value[i] = v
	values++
}

# The releases with value v: "4.14.0 to 4.18.6", or "" if there are none. Sets
# first and last to the names of the first and the last of them.
function releases(v,    i, text, start) {
	first = last = text = ""
	for (i = 1; i <= n + 1; i++) {
		if (i <= n && iface[i] == v) {
			if (!start)
				start = i
			if (first == "")
				first = name[i]
			last = name[i]
		} else if (start) {
			text = text (text == "" ? "" : ", ") name[start]
			if (i - 1 > start)
				text = text " to " name[i - 1]
			start = 0
		}
	}
	return text
}

function c_string(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	return "\"" text "\""
}

function number(text) { return text == "-" ? "0" : text }

END {
	if (status)
		exit status
	if (what == "header")
		header()
	else if (what == "tables")
		tables()
	else
		fail("give -v what=header or -v what=tables")
}

# ---- the tool's tables -----------------------------------------------------

function tables(    i) {
	print "/* Generated from versions.tsv and changes.tsv by generate.awk. */"
	print "static const struct iface_release releases[] = {"
	for (i = 1; i <= n; i++) {
		printf "\t{ %s, %s, %d, %d, %d,\n\t  { %s, %s, %s },\n", c_string(name[i]), \
			c_string(date[i]), major[i], minor[i], point[i], iface[i], \
			number(domctl[i]), number(sysctl[i])
		printf "\t  %s, %s, %s },\n", c_string(blktap[i]), \
			c_string(toolstack[i]), c_string(evidence[i])
	}
	print "};\n\nstatic const struct iface_change changes[] = {"
	for (i = 1; i <= changes; i++) {
		printf "\t{ %s, %s, %s, %s, %s, %s,\n\t  %s, %s,\n\t  %s },\n", \
			c_string(c_date[i]), c_string(c_git[i]), number(c_old[i]), \
			c_new[i], c_string(c_branch[i]), c_string(c_first[i]), \
			c_string(c_hg[i]), c_string(c_why[i]), master_value(i)
	}
	print "};"
}

# If change i is a backport: the value that the same change has on the master
# branch. Otherwise 0.
function master_value(i) {
	if (c_back[i] == "-")
		return "0"
	if (!(c_back[i] in by_git))
		fail("backport_of names an unknown change: " c_back[i])
	return c_new[by_git[c_back[i]]]
}

# ---- the header ------------------------------------------------------------

function header(    i) {
	for (i = 1; i <= lines; i++) {
		if (body[i] == "@RELEASES@")
			header_releases()
		else if (body[i] == "@VALUES@")
			header_values()
		else if (body[i] == "@NEWEST@")
			header_newest()
		else if (body[i] == "@RELEASE_TABLE@")
			header_table()
		else if (body[i] == "@VALUE_TABLE@")
			header_value_table()
		else if (body[i] == "@TOO_OLD@")
			header_too_old()
		else if (body[i] == "@NOT_ORDERED@")
			header_not_ordered()
		else
			print body[i]
	}
}

function header_releases(    i) {
	for (i = 1; i <= n; i++) {
		printf "#define XEN_INTERFACE_%s %s\n", cname(name[i]), iface[i]
		if (domctl[i] != "-")
			printf "#define XEN_DOMCTL_%s %s\n", cname(name[i]), domctl[i]
		if (sysctl[i] != "-")
			printf "#define XEN_SYSCTL_%s %s\n", cname(name[i]), sysctl[i]
	}
}

function header_values(    i, text) {
	for (i = 1; i <= values; i++) {
		text = releases(value[i])
		printf "#define XEN_INTERFACE_V_%s %s\n", substr(value[i], 3), value[i]
		printf "#define XEN_INTERFACE_RELEASES_%s \\\n\t%s\n", value[i], \
			c_string(text == "" ? "in no release" : text)
	}
}

function header_newest(    i, best) {
	best = 1
	for (i = 2; i <= n; i++)
		if (major[i] + 0 > major[best] + 0 || (major[i] == major[best] &&
		    minor[i] + 0 >= minor[best] + 0))
			best = i
	for (i = 1; i <= n; i++)
		if (iface[i] > iface[best])
			fail("the last line of versions.tsv must be the newest release")
	printf "#define XEN_INTERFACE_NEWEST %s\n", iface[best]
	printf "#define XEN_INTERFACE_NEWEST_RELEASE %s\n", c_string(name[best])
}

function header_table(    i) {
	for (i = 1; i <= n; i++)
		printf "\t\t{ %s, %s, %s, %s },\n", c_string(name[i]), iface[i], \
			number(domctl[i]), number(sysctl[i])
}

function header_value_table(    i) {
	for (i = 1; i <= values; i++)
		printf "\tcase %s:\n\t\treturn XEN_INTERFACE_RELEASES_%s;\n", value[i], value[i]
}

# A sentence for each value, since #error cannot print a number.
function header_too_old(    i, word) {
	word = "if"
	for (i = 1; i <= values; i++) {
		if (releases(value[i]) == "")
			continue
		printf "#  %s XEN_INTERFACE_NEEDED <= %s\n", word, value[i]
		printf "#   error \"this code needs Xen interface %s, which the headers of Xen %s and later have; the headers found here are older: build with later ones, or lower XEN_INTERFACE_NEEDED\"\n", value[i], first
		word = "elif"
	}
	print "#  else"
	print "#   error \"XEN_INTERFACE_NEEDED is newer than every release of Xen in this header, and than the Xen headers found here: correct it\""
	print "#  endif"
}

# A stable branch that took a change from master has a value of its own, which
# is smaller than those of later releases without that change. An #error for
# each pair: code that needs the former, headers with the latter.
function header_not_ordered(    i, j, k, m, excused) {
	for (i = 1; i <= changes; i++) {
		m = master_value(i)
		if (m == "0")
			continue
		for (j = 1; j <= values; j++) {
			if (value[j] <= c_new[i] || value[j] >= m || releases(value[j]) == "")
				continue
			excused = 0
			for (k = 1; k <= changes; k++)
				if (c_new[k] == value[j] && c_back[k] == c_back[i])
					excused = 1
			if (excused)
				continue
			printf "# if XEN_INTERFACE_NEEDED == %s && __XEN_LATEST_INTERFACE_VERSION__ == %s\n", c_new[i], value[j]
			printf "#  error \"this code needs Xen interface %s, which only %s has; the headers found here have %s, a greater number without the change: build with another point release\"\n", c_new[i], c_branch[i], value[j]
			print "# endif"
		}
	}
}
