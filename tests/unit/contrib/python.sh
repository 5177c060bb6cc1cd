#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# contrib/python/ramdisk.py on the built libramdisk.so.0: its structures have the sizes and
# offsets of ramdisk.h, and attach, read, write, reset, detach and list do what they say.
set -u
cd "$(dirname "$0")/../../.." || exit 1
B=$(realpath "${B:-build}")
tmp=$(mktemp -d) || exit 1
XEN_RAMDISK_DIR=$(mktemp -d /dev/shm/xen-ramdisk-test-XXXXXX) || exit 1
trap 'rm -rf "$tmp" "$XEN_RAMDISK_DIR"' EXIT
export XEN_RAMDISK_DIR LIBRAMDISK=$B/libramdisk.so.0 PYTHONPATH=contrib/python PYTHONDONTWRITEBYTECODE=1
failed=0

ok() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok python: $1"
		return
	fi
	echo "not ok python: $1"
	sed 's/^/    /' "$tmp/out"
	failed=1
}

# ---- layouts: a program in C prints them as the module would --------------------

python3 - >"$tmp/python" 2>"$tmp/out" <<'END'
import ctypes, ramdisk
for c, s in (("rd_error", ramdisk._Error), ("rd_attach_request", ramdisk._Request), ("rd_counters", ramdisk._Counters),
             ("rd_attachment_info", ramdisk._Attachment), ("rd_disk_info", ramdisk._Disk)):
    print(c, "-", ctypes.sizeof(s))
    for name, kind in s._fields_:
        print(c, name, getattr(s, name).offset, getattr(s, name).size)
END
ok "the module is loaded" $?
{
	printf '#include <stdio.h>\n#include <stddef.h>\n#include "ramdisk.h"\nint main(void)\n{\n'
	while read -r struct member _; do
		if [ "$member" = - ]; then
			printf 'printf("%s - %%zu\\n", sizeof(struct %s));\n' "$struct" "$struct"
		else
			printf 'printf("%s %s %%zu %%zu\\n", offsetof(struct %s, %s), sizeof(((struct %s *)0)->%s));\n' \
				"$struct" "$member" "$struct" "$member" "$struct" "$member"
		fi
	done <"$tmp/python"
	echo 'return 0; }'
} >"$tmp/layout.c"
{ ${CC:-cc} -std=gnu11 -Iinclude -o "$tmp/layout" "$tmp/layout.c" && "$tmp/layout" >"$tmp/c"; } >"$tmp/out" 2>&1 &&
	[ "$(wc -l <"$tmp/c")" -gt 40 ] && diff "$tmp/c" "$tmp/python" >"$tmp/out"
ok "its structures are those of ramdisk.h" $?

# ---- what it does: each function is a test ---------------------------------------

head -c 1048576 /dev/urandom >"$tmp/seed.img"
python3 - "$tmp" >"$tmp/results" 2>"$tmp/out" <<'END'
import os, sys, traceback
import ramdisk

seed = sys.argv[1] + "/seed.img"
contents = open(seed, "rb").read()
store = ramdisk.Store()


def raises(errno, words, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except ramdisk.Error as e:
        assert e.errno == errno and words in str(e), e
        return
    assert False, "no error"


def attach_read_write_detach():
    with store.attach(seed) as a, store.attach(seed, writable=False) as b:
        assert a.size == len(contents) and a.seed == seed and a.writable and not b.writable
        assert a.read(len(contents), 0) == contents
        a.write(b"hello", 4090)
        assert b.read(5, 4090) == b"hello" and b.id == a.id
        a.zero(0, 4096), a.flush(), a.discard(8192, 4096)
        assert b.read(4090, 0) == bytes(4090) and b.read(4096, 8192) == bytes(4096)
        raises(30, "Read-only", b.write, b"x", 0)
        raises(22, "which has 1048576", b.read, 2, len(contents) - 1)
        raises(22, "Invalid", b.read, 1 << 40, 0)
        for offset in (-1, 1 << 64):
            try:
                a.write(b"x", offset)
            except ValueError:
                continue
            assert False, offset
    assert store.disks() == [] and open(seed, "rb").read() == contents


def listed():
    with store.attach(seed, name="one", label="me", thin=True) as a:
        a.write(b"12345", 0)
        (d,) = store.disks()
        assert (d.name, d.seed, d.size, d.thin, d.keep, d.seed_now) == ("one", seed, 1048576, True, False, "same"), d
        (x,) = d.attachments
        assert (x.label, x.pid, x.writable, x.private_view) == ("me", os.getpid(), True, False), x
        assert (x.counters.writes, x.counters.write_bytes, x.counters.reads) == (1, 5, 0), x
        assert d.id == a.id == store.find("one")


def reset_and_keep():
    with store.attach(seed, keep=True) as a:
        a.write(b"x" * 4096, 0)
        raises(16, "", store.reset, seed)
        store.reset(seed, force=True)
        assert a.read(4096, 0) == contents[:4096]
        a.write(b"y", 0)
    with store.attach(seed, writable=False, existing=True) as a:
        assert a.read(1, 0) == b"y"
        store.reset("seed.img")
        assert a.read(1, 0) == contents[:1]
    store.keep("seed.img", False)
    assert store.disks() == []


def private_views():
    with store.attach(seed, private=True) as a, store.attach(seed, private=True) as b:
        a.write(b"a", 0)
        assert b.read(1, 0) == contents[:1] and a.read(1, 0) == b"a"
        assert all(x.private_view for x in store.disks()[0].attachments)


def the_librarys_sentences():
    raises(2, "cannot open seed " + sys.argv[1] + "/none", store.attach, sys.argv[1] + "/none")
    raises(2, "no disk is loaded", store.reset, "nothing")
    raises(1, "not a directory", ramdisk.Store, "/etc/hostname")


def after_the_end():
    a = store.attach(seed)
    a.detach(), a.detach()
    for call in (lambda: a.size, lambda: a.read(1, 0), lambda: a.write(b"", 0)):
        try:
            call()
        except ValueError:
            continue
        assert False
    with ramdisk.Store(sys.argv[1] + "/no-store", existing=True) as s:
        assert s.disks() == []
    try:
        s.disks()
    except ValueError:
        return
    assert False


for test in (attach_read_write_detach, listed, reset_and_keep, private_views, the_librarys_sentences, after_the_end):
    try:
        test()
        print(0, test.__name__)
    except Exception:
        traceback.print_exc()
        print(1, test.__name__)
store.close()
END
while read -r status name; do
	ok "${name//_/ }" "$status"
done <"$tmp/results"
[ "$(wc -l <"$tmp/results")" = 6 ]
ok "all were run" $?
ls -A "$XEN_RAMDISK_DIR" >"$tmp/out"
[ ! -s "$tmp/out" ]
ok "nothing is left" $?
exit $failed
