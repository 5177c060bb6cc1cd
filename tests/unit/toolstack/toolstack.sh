#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The toolstacks of xm-ramdisk attach, on a host that has neither Xen nor xend:
# which one is chosen and what --dry-run prints; and the xm toolstack against
# tests/helpers/xm-stand-in, which refuses what each version of xm refused.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
tool=$B/xm-ramdisk
scratch=$(mktemp -d) || exit 1
out=$scratch/out
failed=0
export XEN_RAMDISK_DIR=/dev/shm/xen-ramdisk-toolstacks.$$
mkdir -m 700 "$XEN_RAMDISK_DIR" "$scratch/bin" || exit 1
export XM_STATE=$scratch/xm XM_VERSION='' XM_HOLD=$B/tests/helpers/hold
ln -s "$PWD/tests/helpers/xm-stand-in" "$scratch/bin/xm"

# shellcheck disable=SC2317 # the trap runs it
end() {
	local f
	for f in "$XM_STATE"/keep.* "$XM_STATE"/pid.*; do
		[ ! -e "$f" ] || kill "$(cat "$f")" 2>/dev/null
	done
	rm -rf "$scratch" "$XEN_RAMDISK_DIR"
}
trap end EXIT

check() { # NAME COMMAND...
	local name=$1
	shift
	if "$@" >"$out" 2>&1 </dev/null; then
		echo "ok $name"
	else
		echo "not ok $name: status $? from: $*"
		sed 's/^/    /' "$out"
		failed=1
	fi
}

# shellcheck disable=SC2317 # check runs it
refused() { # REGEX COMMAND...
	local regex=$1
	shift
	if "$@" >"$out.text" 2>&1; then
		echo "it did not fail"
		return 1
	fi
	cat "$out.text"
	grep -qE -e "$regex" "$out.text"
}

# shellcheck disable=SC2317
prints() { # REGEX COMMAND...
	local regex=$1 status
	shift
	"$@" >"$out.text" 2>&1
	status=$?
	cat "$out.text"
	[ "$status" = 0 ] && grep -qE -e "$regex" "$out.text"
}

attach() { "$tool" attach --toolstack=xm "$@"; }

# shellcheck disable=SC2317
count_is() { # N
	"$tool" list
	[ "$("$tool" list --json | grep -c '"label": "tapdisk/')" = "$1" ]
}

# shellcheck disable=SC2317
aliases_are() { # N
	ls -l "$XEN_RAMDISK_DIR/aliases"
	[ "$(find "$XEN_RAMDISK_DIR/aliases" -type f | wc -l)" = "$1" ]
}

# shellcheck disable=SC2317
never_said() { # WORD
	cat "$XM_STATE/said"
	! grep -q "$1" "$XM_STATE/said"
}

fresh_xm() { # VERSION
	XM_VERSION=$1
	rm -rf "$XM_STATE"
	mkdir -p "$XM_STATE/vbd"
	printf '%s\n' 'Domain-0 0' 'one 11' 'two 12' 'three 13' >"$XM_STATE/domains"
}

# ---- the choice --------------------------------------------------------------

seed=$scratch/seed.img
head -c 1M /dev/urandom >"$seed"
check "without Xen and without toolstacks: what is lacking, in one line" refused \
	'^xm-ramdisk: no way to attach a disk here: this host lacks /dev/xen/gntdev.*; or xl; or xm with blktap$' \
	env PATH=/usr/bin:/bin "$tool" attach --dry-run one "$seed" xvdb
PATH=$scratch/bin:$PATH
check "with xm alone: the xm toolstack, and the reason" prints '^toolstack: xm \(xm is here; direct lacks ' \
	"$tool" attach --dry-run one "$seed" xvdb
check "--dry-run prints what xm would be called with" prints "^would run: xm block-attach one tap:ram:$XEN_RAMDISK_DIR/aliases/DOMID.51728 xvdb r\$" \
	"$tool" attach --dry-run one "$seed" xvdb r
check "the alias it would write" prints "^would write the alias .* of $seed as second" \
	"$tool" attach --dry-run one "$seed,name=second" xvdb
check "--toolstack=xl" prints "^would run: xl block-attach one 'script=block-ramdisk,vdev=xvdb,access=rw,target=$seed,name=a,private'" \
	"$tool" attach --dry-run --toolstack=xl --private one "$seed,name=a" xvdb
check "--toolstack=direct" prints '^toolstack: direct \(chosen with --toolstack\)' \
	"$tool" attach --dry-run --toolstack=direct one "$seed" xvdb
check "direct: --sector-size is written" prints 'mode=w private=0 logical-block-size=4096, of the domain one' \
	"$tool" attach --dry-run --toolstack=direct --sector-size=4096 one "$seed" xvdb
check "xl: sector-size is in the disk line" prints "target=$seed,sector-size=4096'" \
	"$tool" attach --dry-run --toolstack=xl one "$seed,sector-size=4096" xvdb
check "a sector size that is not supported" refused "sector-size=1024: expected 512 or 4096" \
	"$tool" attach --sector-size=1024 one "$seed" xvdb
check "a sector size behind the seed that is no number" refused "'sector-size=x' behind the seed is none of" \
	"$tool" attach one "$seed,sector-size=x" xvdb
check "--dry-run loads no disk" prints '^no RAM disks$' "$tool" list
check "an unknown toolstack" refused "toolstack=xend: expected direct, xl or xm" \
	"$tool" attach --toolstack=xend one "$seed" xvdb
comma=$scratch/a,b.img
cp "$seed" "$comma"
check "a comma in a path stays doubled in the disk line" prints ',target=.*/a,,b\.img,thin' \
	"$tool" attach --dry-run --toolstack=xl one "${comma//,/,,},thin" xvdb
check "a comma that is not doubled is refused" refused "'b\.img' behind the seed is none of" \
	"$tool" attach --dry-run one "$comma" xvdb

# ---- the stand-in refuses what xm refused ------------------------------------

touch "$scratch/other.img"
cp "$seed" "$scratch/other.img"
ln -s "$seed" "$scratch/link.img"
# VERSION, whether the same path twice is refused, whether a missing file is
while read -r v twice missing; do
	fresh_xm "$v"
	check "xm $v: the seed itself attaches once" xm block-attach one "tap:ram:$seed" xvdb w
	case $twice in
	yes) check "xm $v: the same path twice is refused" refused 'already in use' \
		xm block-attach two "tap:ram:$seed" xvdb w ;;
	no) check "xm $v: the same path twice is not refused" xm block-attach two "tap:ram:$seed" xvdb w ;;
	esac
	case $missing in
	yes) check "xm $v: a missing file is refused by its script" refused 'does not exist|could not be connected. .*gone' \
		xm block-attach three "tap:ram:$scratch/gone" xvdb w ;;
	no) check "xm $v: a missing file is refused by tapdisk only" refused 'Backend device not found' \
		xm block-attach three "tap:ram:$scratch/gone" xvdb w ;;
	esac
	for d in one two; do xm destroy $d; done
done <<'END'
3.0.3 no no
3.0.4 no yes
3.1 no yes
3.2 yes yes
3.3 yes yes
3.4.0-rc3 no yes
4.0 yes yes
4.1 yes yes
4.2 yes yes
4.3 yes yes
4.4 yes yes
END

# ---- the tool attaches with each version of xm ------------------------------

for v in 3.0.3 3.0.4 3.1 3.2 3.3 3.4.0-rc3 4.0 4.1 4.2 4.3 4.4; do
	fresh_xm "$v"
	check "xm $v: attach to one" attach one "$seed" xvdb
	check "xm $v: to two" attach two "tap:ram:$seed" xvdb w
	check "xm $v: and to three, by its number, reading" attach 13 "$seed" xvdc r
	check "xm $v: three attachments of one disk" count_is 3
	check "xm $v: xm was told r" grep -qx "xm block-attach 13 tap:ram:$XEN_RAMDISK_DIR/aliases/13.51744 xvdc r" "$XM_STATE/said"
	check "xm $v: three aliases" aliases_are 3
	check "xm $v: detach" "$tool" detach two xvdb
	check "xm $v: by number what was attached by name" "$tool" detach 11 xvdb
	check "xm $v: their aliases are gone" aliases_are 1
	xm destroy three
	check "xm $v: the next command finds the domain gone" prints 'no RAM disks' "$tool" list
	check "xm $v: and removes its alias" aliases_are 0
done

# ---- what goes wrong ---------------------------------------------------------

fresh_xm 3.3
check "no such domain" refused "^xm-ramdisk: xm has no domain 'four'" attach four "$seed" xvdb
check "no such seed" refused 'nowhere' attach one "$scratch/nowhere" xvdb
check "xm block-attach was not run" never_said block-attach
check "xm: a private view" refused "blktap's disks have no private views" attach --private one "$seed" xvdb
check "xm: 4 KiB sectors" refused "blktap's disks have sectors of 512" attach --sector-size=4096 one "$seed" xvdb
check "attach" attach one "$seed" xvdb
check "the same vdev again" refused 'attached already' attach one "$seed" xvdb
xm block-attach two "tap:ram:$scratch/other.img" xvdb w
check "xm refuses the vdev" refused 'xm block-attach failed; its reason is above' attach two "$seed" xvdb
check "no alias is left of it" aliases_are 1
check "detach" "$tool" detach one xvdb
xm destroy two

# ---- a seed that is replaced ---------------------------------------------------

fresh_xm 3.3
check "attach before the seed is replaced" attach one "$seed" xvdb
old=$("$tool" list --json | jq -r '.[].id')
head -c 2M /dev/urandom >"$scratch/new" && mv "$scratch/new" "$seed"
check "a replaced seed is refused, before xm is asked" refused "is another file now .* disk $old was loaded from" attach two "$seed" xvdb
check "--fresh attaches the new file's disk" attach --fresh two "$seed" xvdb
check "as xm's tapdisk does, by the alias" prints '2 MiB, attached 1 time' "$tool" list
check "the alias has the id" grep -qx "id=$("$tool" list --json | jq -r '.[] | select(.size == 2097152).id')" "$XEN_RAMDISK_DIR/aliases/12.51728"
check "the id attaches the old file's disk" attach three "$old" xvdb
check "its alias, too" prints '1 MiB, .*attached 2 times' "$tool" list
for d in one two three; do xm destroy $d; done
check "nothing is left" prints '^no RAM disks$' "$tool" list

exit $failed
