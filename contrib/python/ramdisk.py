# SPDX-License-Identifier: BSD-2-Clause
"""The shared RAM disk for Python: libramdisk.so.0 by ctypes, in one file.

    import ramdisk

    with ramdisk.Store() as store:
        with store.attach("/images/seed.img") as disk:
            disk.write(b"hello", 4096)
            print(disk.read(5, 4096), disk.size)
        for d in store.disks():
            print(d.id, d.seed, d.size, [a.label for a in d.attachments])
        store.reset("seed.img")

libramdisk(3) describes the calls; this file adds nothing to them but exceptions: a
call that fails raises ramdisk.Error, an OSError whose text is the library's sentence.

A Store may be used by one thread at a time; a Disk by many, until it is detached.
Attach after a fork, never before: parent and child share the lock that is the
attachment. $LIBRAMDISK names another library than the system's.
"""

import ctypes
import os

__all__ = ["Error", "Store", "Disk", "SECTOR", "BLOCK"]

SECTOR = 512  # bytes; a disk's size is a multiple
BLOCK = 4096  # bytes; reads and writes are atomic by aligned blocks

# Flags of rd_attach().
PRIVATE = 1
THIN = 2
LAZY = 4
KEEP = 8
EXISTING = 16
FRESH = 128

SEED_NOW = ("same", "modified", "replaced", "gone", "remote")


class _Error(ctypes.Structure):
    _fields_ = [("text", ctypes.c_char * 768)]


_PROGRESS = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64
)


class _Request(ctypes.Structure):
    _fields_ = [
        ("seed", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("writable", ctypes.c_bool),
        ("flags", ctypes.c_uint),
        ("label", ctypes.c_char_p),
        ("progress", _PROGRESS),
        ("progress_arg", ctypes.c_void_p),
    ]


class _Counters(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            "reads", "writes", "flushes", "discards",
            "read_bytes", "write_bytes", "discard_bytes", "errors",
        )
    ] + [
        ("read_latency", ctypes.c_uint32 * 24),
        ("write_latency", ctypes.c_uint32 * 24),
    ] + [
        (name, ctypes.c_uint64)
        for name in ("read_us", "write_us", "no_memory")
    ]


class _Attachment(ctypes.Structure):
    _fields_ = [
        ("slot", ctypes.c_uint),
        ("pid", ctypes.c_int),
        ("alive", ctypes.c_bool),
        ("writable", ctypes.c_bool),
        ("private_view", ctypes.c_bool),
        ("durable", ctypes.c_bool),
        ("view_bytes", ctypes.c_uint64),
        ("since", ctypes.c_uint64),
        ("label", ctypes.c_char * 64),
        ("counters", _Counters),
        ("restarts", ctypes.c_uint),
    ]


class _Disk(ctypes.Structure):
    _fields_ = [
        ("id", ctypes.c_char * 80),
        ("name", ctypes.c_char * 64),
        ("seed", ctypes.c_char * 4096),
        ("seed_now", ctypes.c_int),
        ("size", ctypes.c_uint64),
        ("seed_size", ctypes.c_uint64),
        ("loaded", ctypes.c_uint64),
        ("memory", ctypes.c_uint64),
        ("loading", ctypes.c_bool),
        ("thin", ctypes.c_bool),
        ("lazy", ctypes.c_bool),
        ("keep", ctypes.c_bool),
        ("half_reset", ctypes.c_bool),
        ("torn", ctypes.c_uint64),
        ("points", ctypes.c_uint),
        ("attachments", ctypes.c_uint),
        ("attachment", ctypes.POINTER(_Attachment)),
    ]


class Error(OSError):
    """A call of libramdisk failed: errno, and the library's sentence."""


class Info:
    """What the library says of a disk, or of an attachment: its members."""

    def __init__(self, struct, **more):
        for name, kind in struct._fields_:
            value = getattr(struct, name)
            if isinstance(value, bytes):
                value = os.fsdecode(value)
            elif isinstance(value, _Counters):
                value = Info(value)
            elif isinstance(value, ctypes.Array):
                value = list(value)
            setattr(self, name, value)
        self.__dict__.update(more)

    def __repr__(self):
        return "Info(%s)" % ", ".join(
            "%s=%r" % item for item in sorted(self.__dict__.items())
        )


_void = ctypes.c_void_p
_text = ctypes.c_char_p
_bytes = ctypes.c_uint64
_err = ctypes.POINTER(_Error)

# The result and the arguments of each function that is used here.
_FUNCTIONS = {
    "rd_store_open": (ctypes.c_int, ctypes.POINTER(_void), _text, _err),
    "rd_store_open_existing": (ctypes.c_int, ctypes.POINTER(_void), _text, _err),
    "rd_store_close": (None, _void),
    "rd_store_path": (_text, _void),
    "rd_attach": (ctypes.c_int, _void, ctypes.POINTER(_Request), ctypes.POINTER(_void), _err),
    "rd_detach": (None, _void),
    "rd_find": (ctypes.c_int, _void, _text, ctypes.c_char_p, _err),
    "rd_keep": (ctypes.c_int, _void, _text, ctypes.c_bool, _err),
    "rd_reset": (ctypes.c_int, _void, _text, ctypes.c_bool, _PROGRESS, _void, _err),
    "rd_list": (
        ctypes.c_int, _void, ctypes.POINTER(ctypes.POINTER(_Disk)), ctypes.POINTER(ctypes.c_size_t), _err,
    ),
    "rd_list_free": (None, ctypes.POINTER(_Disk), ctypes.c_size_t),
    "rd_size": (_bytes, _void),
    "rd_writable": (ctypes.c_bool, _void),
    "rd_id": (_text, _void),
    "rd_seed": (_text, _void),
    "rd_name": (_text, _void),
    "rd_read": (ctypes.c_int, _void, _void, _bytes, ctypes.c_size_t),
    "rd_write": (ctypes.c_int, _void, _void, _bytes, ctypes.c_size_t),
    "rd_flush": (ctypes.c_int, _void),
    "rd_zero": (ctypes.c_int, _void, _bytes, _bytes, ctypes.c_bool),
    "rd_discard": (ctypes.c_int, _void, _bytes, _bytes),
    "rd_explain_no_memory": (None, _void, _err),
}


def _load(path):
    library = ctypes.CDLL(path)
    for name, (result, *arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


_lib = _load(os.environ.get("LIBRAMDISK", "libramdisk.so.0"))


def _encoded(text):
    return None if text is None else os.fsencode(text)


def _check(rc, err, what):
    if rc < 0:
        raise Error(-rc, os.fsdecode(err.text) or "%s: %s" % (what, os.strerror(-rc)))


class Store:
    """A directory with disks: the user's default one, or `path`.

    With existing=True nothing is made: a store that is not there has no disks.
    """

    def __init__(self, path=None, existing=False):
        self._store = _void()
        err = _Error()
        opening = _lib.rd_store_open_existing if existing else _lib.rd_store_open
        _check(opening(ctypes.byref(self._store), _encoded(path), ctypes.byref(err)), err, path)

    def close(self):
        """Close the store. Its attached disks stay attached."""
        if self._store:
            _lib.rd_store_close(self._store)
            self._store = _void()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _open(self):
        if not self._store:
            raise ValueError("the store is closed")
        return self._store

    @property
    def path(self):
        return os.fsdecode(_lib.rd_store_path(self._open()))

    def attach(self, seed=None, name=None, writable=True, private=False, thin=False, lazy=False,
               keep=False, existing=False, fresh=False, label="python"):
        """Attach the disk of `seed`, a path or an NBD URI; or the loaded disk `name`."""
        flags = 0
        for wanted, flag in (
            (private, PRIVATE), (thin, THIN), (lazy, LAZY), (keep, KEEP), (existing, EXISTING), (fresh, FRESH),
        ):
            flags |= flag if wanted else 0
        request = _Request(
            seed=_encoded(seed), name=_encoded(name), writable=writable, flags=flags, label=_encoded(label)
        )
        disk, err = _void(), _Error()
        _check(
            _lib.rd_attach(self._open(), ctypes.byref(request), ctypes.byref(disk), ctypes.byref(err)),
            err, seed or name,
        )
        return Disk(disk)

    def find(self, text):
        """The id of the loaded disk that `text` names: an id, a name, a seed's path or its end."""
        found, err = ctypes.create_string_buffer(80), _Error()
        _check(_lib.rd_find(self._open(), _encoded(text), found, ctypes.byref(err)), err, text)
        return os.fsdecode(found.value)

    def reset(self, text, force=False):
        """Load the seed's contents again, in place; `force` also under writers."""
        err = _Error()
        id = _encoded(self.find(text))
        _check(_lib.rd_reset(self._open(), id, force, _PROGRESS(), None, ctypes.byref(err)), err, text)

    def keep(self, text, keep=True):
        """Keep the disk without attachments; or not any more, which discards an unused one."""
        err = _Error()
        _check(_lib.rd_keep(self._open(), _encoded(self.find(text)), keep, ctypes.byref(err)), err, text)

    def disks(self):
        """A list of Info, one for each disk: the members of struct rd_disk_info.

        `attachments` is a list of Info as well, the members of struct rd_attachment_info.
        """
        disks, count, err = ctypes.POINTER(_Disk)(), ctypes.c_size_t(), _Error()
        _check(
            _lib.rd_list(self._open(), ctypes.byref(disks), ctypes.byref(count), ctypes.byref(err)),
            err, "list",
        )
        try:
            return [_disk_info(disks[i]) for i in range(count.value)]
        finally:
            _lib.rd_list_free(disks, count)


def _disk_info(struct):
    info = Info(
        struct,
        seed_now=SEED_NOW[struct.seed_now],
        attachments=[Info(struct.attachment[i]) for i in range(struct.attachments)],
    )
    del info.attachment
    return info


class Disk:
    """One attachment to one disk. Store.attach() makes it; detach() ends it."""

    def __init__(self, disk):
        self._disk = disk

    def detach(self):
        """Detach. The last detach discards the disk's contents, unless it is kept."""
        if self._disk:
            _lib.rd_detach(self._disk)
            self._disk = _void()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.detach()

    def __del__(self):
        self.detach()

    def _attached(self):
        if not self._disk:
            raise ValueError("the disk is detached")
        return self._disk

    @property
    def size(self):
        """Bytes."""
        return _lib.rd_size(self._attached())

    @property
    def writable(self):
        return _lib.rd_writable(self._attached())

    @property
    def id(self):
        return os.fsdecode(_lib.rd_id(self._attached()))

    @property
    def seed(self):
        return os.fsdecode(_lib.rd_seed(self._attached()))

    @property
    def name(self):
        return os.fsdecode(_lib.rd_name(self._attached()))

    def _checked(self, rc, what, offset, length):
        if rc == 0:
            return
        err = _Error()
        text = "%s of %d bytes at %d of %s, which has %d: %s" % (
            what, length, offset, self.seed, self.size, os.strerror(-rc),
        )
        if rc == -28:  # ENOSPC
            _lib.rd_explain_no_memory(self._attached(), ctypes.byref(err))
            text += "; " + os.fsdecode(err.text)
        raise Error(-rc, text)

    @staticmethod
    def _range(offset, length):
        # ctypes would take them modulo 2^64.
        if offset < 0 or length < 0 or offset >= 1 << 63 or length >= 1 << 63:
            raise ValueError("offset %d, length %d: expected 0 or more" % (offset, length))

    def read(self, length, offset):
        """`length` bytes at `offset`."""
        self._range(offset, length)
        if length > self.size:
            self._checked(-22, "read", offset, length)  # before the buffer is allocated
        data = ctypes.create_string_buffer(length)
        self._checked(_lib.rd_read(self._attached(), data, offset, length), "read", offset, length)
        return data.raw[:length]

    def write(self, data, offset):
        """Write `data`, bytes or what can be made bytes, at `offset`."""
        data = bytes(data)
        self._range(offset, len(data))
        self._checked(_lib.rd_write(self._attached(), data, offset, len(data)), "write", offset, len(data))

    def flush(self):
        self._checked(_lib.rd_flush(self._attached()), "flush", 0, 0)

    def zero(self, offset, length, keep=False):
        """Make a range zeros; with `keep` its memory stays."""
        self._range(offset, length)
        self._checked(_lib.rd_zero(self._attached(), offset, length, keep), "zeros", offset, length)

    def discard(self, offset, length):
        """Discard the whole blocks of a range."""
        self._range(offset, length)
        self._checked(_lib.rd_discard(self._attached(), offset, length), "discard", offset, length)
