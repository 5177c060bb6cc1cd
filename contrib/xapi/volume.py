#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The volume plugin: a storage repository that is a directory of seeds on this host.

A volume is a file of the directory, and its key is the file's name. Volume.create makes an
empty one; an image that is copied into the directory is a volume from the next SR.ls on
(`xe sr-scan`). KEY.json beside it has the name, the description and xapi's keys. The
datapath plugin loads the file as a seed into a shared RAM disk; so the file is never
written by a guest.
"""

import os
import re
import shutil
import sys
import uuid as uuids

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import common  # noqa: E402
from common import Failure, failed  # noqa: E402
from urllib.parse import quote  # noqa: E402

SECTOR = 512
SR_FILE = "sr.json"
IMAGES = (".img", ".raw")
KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\Z")

# ---- the plugin ----------------------------------------------------------------------


def query():
    return {
        "plugin": "ramdisk",
        "name": "Shared RAM disks",
        "description": "Seed images of a local directory, each loaded once and shared by its VMs; writes are lost",
        "vendor": "The xen-ramdisk authors",
        "copyright": "BSD-2-Clause",
        "version": common.VERSION,
        "required_api_version": "5.0",
        "features": [
            "SR_ATTACH", "SR_DETACH", "SR_CREATE", "SR_DELETE", "SR_PROBE", "SR_UPDATE",
            "VDI_CREATE", "VDI_DESTROY", "VDI_ATTACH", "VDI_DETACH", "VDI_ACTIVATE", "VDI_DEACTIVATE",
            "VDI_ACTIVATE_READONLY", "VDI_CLONE", "VDI_SNAPSHOT", "VDI_REVERT", "VDI_RESIZE", "VDI_UPDATE",
        ],
        "configuration": {"dir": "the directory with the seed images on this host, an absolute path"},
        "required_cluster_stack": [],
        "supported_image_formats": [],
    }


def diagnostics():
    return common.run("xm-ramdisk", "list")


# ---- files ---------------------------------------------------------------------------


def directory(configuration):
    path = configuration.get("dir", "")
    if not os.path.isabs(path):
        raise failed("device-config:dir is '%s'; expected the absolute path of a directory" % path)
    return os.path.normpath(path)


def attached(sr):
    """The directory of the storage repository `sr`, which is what SR.attach returned."""
    if not os.path.isfile(os.path.join(sr, SR_FILE)):
        raise Failure("Sr_not_attached", sr)
    return sr


def lock(sr):
    return common.locked(os.path.join(attached(sr), ".lock"))


def sr_info(sr):
    return common.read_json(os.path.join(sr, SR_FILE))


def is_volume(sr, key):
    return KEY.match(key) is not None and key.endswith(IMAGES) and os.path.isfile(os.path.join(sr, key))


def image(sr, key):
    if not is_volume(sr, key):
        raise Failure("Volume_does_not_exist", key)
    return os.path.join(sr, key)


def info(sr, key):
    """What KEY.json says; an image that has none yet gets one."""
    path = image(sr, key) + ".json"
    try:
        return common.read_json(path)
    except FileNotFoundError:
        value = {
            "uuid": str(uuids.uuid4()), "name": key, "description": "", "sharable": True,
            "read_write": True, "created": False, "keys": {},
        }
        common.write_json(path, value)
        return value


def volume(sr, key):
    value, path = info(sr, key), image(sr, key)
    st = os.stat(path)
    uri = "ramdisk://" + quote(os.path.realpath(path))
    return {
        "key": key,
        "uuid": value["uuid"],
        "name": value["name"],
        "description": value["description"],
        "read_write": value["read_write"],
        "sharable": value["sharable"],
        "virtual_size": -(-st.st_size // SECTOR) * SECTOR,
        "physical_utilisation": st.st_blocks * 512,
        "uri": [uri if value["read_write"] else uri + "?readonly"],
        "keys": value["keys"],
        "volume_type": "Data",
        "cbt_enabled": False,
    }


def change(sr, key, **members):
    with lock(sr):
        value = info(sr, key)
        value.update(members)
        common.write_json(image(sr, key) + ".json", value)


def new(sr, like, make, **members):
    """Make a volume: make(path) writes its file. A failure leaves nothing."""
    key = str(uuids.uuid4())
    value = dict(like, uuid=key, created=True, keys={}, **members)
    key += ".img"
    path = os.path.join(sr, key)
    try:
        make(path + ".part")
        common.write_json(path + ".json", value)
        os.rename(path + ".part", path)
    except BaseException:
        for leftover in (path + ".part", path + ".json", path + ".json.new"):
            if os.path.exists(leftover):
                os.unlink(leftover)
        raise
    return volume(sr, key)


def copy_now(path, to):
    """Copy what the volume has now: the RAM disk if one is loaded, else its seed."""
    d = common.loaded(path)
    if d:
        common.run("xm-ramdisk", "save", d["id"], to)
    else:
        common.run("cp", "--reflink=auto", "--sparse=always", path, to)


# ---- SR ------------------------------------------------------------------------------


def sr_probe(configuration):
    sr = directory(configuration)
    found = {"configuration": configuration, "complete": True, "extra_info": {}}
    if os.path.isfile(os.path.join(sr, SR_FILE)):
        found["sr"] = sr_stat(sr)
    return [found]


def sr_create(uuid, configuration, name, description):
    sr = directory(configuration)
    if os.path.exists(os.path.join(sr, SR_FILE)):
        raise failed("%s is a storage repository already; attach it (xe sr-introduce), or name another" % sr)
    os.makedirs(sr, 0o700, exist_ok=True)
    common.write_json(os.path.join(sr, SR_FILE), {"uuid": uuid, "name": name, "description": description})
    return configuration


def sr_attach(configuration):
    sr = directory(configuration)
    if not os.path.isfile(os.path.join(sr, SR_FILE)):
        raise Failure("SR_does_not_exist", sr)
    common.run("xm-ramdisk", "list")  # the tool works here, and its store
    return sr


def sr_detach(sr):
    """Discard the disks of the repository that nobody uses."""
    for key in keys_of(sr):
        common.drop_if_unused(os.path.join(sr, key))


def sr_destroy(sr):
    """Destroy the volumes that were made here; images that somebody put here stay."""
    with lock(sr):
        for key in keys_of(sr):
            remove(sr, key, only_created=True)
        os.unlink(os.path.join(sr, SR_FILE))
    os.unlink(os.path.join(sr, ".lock"))
    if not os.listdir(sr):
        os.rmdir(sr)


def sr_stat(sr):
    value, fs = sr_info(attached(sr)), os.statvfs(sr)
    return {
        "sr": sr,
        "uuid": value["uuid"],
        "name": value["name"],
        "description": value["description"],
        "free_space": fs.f_bavail * fs.f_frsize,
        "total_space": fs.f_blocks * fs.f_frsize,
        "datasources": [],
        "clustered": False,
        "health": ["Healthy", ""],
    }


def keys_of(sr):
    try:
        return sorted(key for key in os.listdir(sr) if is_volume(sr, key))
    except FileNotFoundError:
        return []


def sr_ls(sr):
    with lock(sr):
        return [volume(sr, key) for key in keys_of(sr)]


def sr_set_name(sr, new_name):
    with lock(sr):
        common.write_json(os.path.join(sr, SR_FILE), dict(sr_info(sr), name=new_name))


def sr_set_description(sr, new_description):
    with lock(sr):
        common.write_json(os.path.join(sr, SR_FILE), dict(sr_info(sr), description=new_description))


# ---- volumes -------------------------------------------------------------------------


def create(sr, name, description, size, sharable):
    size = -(-int(size) // SECTOR) * SECTOR
    if size <= 0:
        raise failed("a volume of %d bytes; expected at least one sector of 512" % size)

    def empty(path):
        with open(path, "wb") as f:
            f.truncate(size)

    like = {"name": name, "description": description, "sharable": sharable, "read_write": True}
    with lock(sr):
        return new(sr, like, empty)


def snapshot(sr, key):
    with lock(sr):
        path = image(sr, key)
        return new(sr, info(sr, key), lambda to: copy_now(path, to), read_write=False)


def clone(sr, key):
    with lock(sr):
        path = image(sr, key)
        return new(sr, info(sr, key), lambda to: copy_now(path, to), read_write=True)


def remove(sr, key, only_created):
    path, value = image(sr, key), info(sr, key)
    d = common.loaded(path)
    if d and d["attachments"]:
        raise failed("volume %s is attached %d times; shut its VMs down first" % (key, len(d["attachments"])))
    common.drop_if_unused(path)
    os.unlink(path + ".json")
    if value["created"] or not only_created:
        os.unlink(path)


def destroy(sr, key):
    with lock(sr):
        remove(sr, key, only_created=False)


def revert(sr, snapshot, key):
    """The volume's seed gets the snapshot's contents, and a loaded disk is reset to them."""
    with lock(sr):
        source, path = image(sr, snapshot), image(sr, key)
        if os.path.getsize(source) != os.path.getsize(path):
            raise failed("volume %s was resized after the snapshot; a disk cannot shrink or grow in place" % key)
        d = common.loaded(path)
        if d and any(a["mode"] == "w" for a in d["attachments"]):
            raise failed("volume %s is attached for writing; shut its VMs down first" % key)
        # Into the same file: to the disk another one would be another seed.
        shutil.copyfile(source, path)
        if d:
            common.run("xm-ramdisk", "reset", d["id"])


def resize(sr, key, new_size):
    size = -(-int(new_size) // SECTOR) * SECTOR
    with lock(sr):
        path = image(sr, key)
        if size < os.path.getsize(path):
            raise failed("volume %s has %d bytes; expected no less, not %d" % (key, os.path.getsize(path), size))
        d = common.loaded(path)
        if d and d["attachments"]:
            raise failed("volume %s is attached; shut its VMs down first" % key)
        common.drop_if_unused(path)
        os.truncate(path, size)


def stat(sr, key):
    with lock(sr):
        return volume(sr, key)


def set_(sr, key, k, v):
    change(sr, key, keys=dict(info(attached(sr), key)["keys"], **{k: v}))


def unset(sr, key, k):
    keys = dict(info(attached(sr), key)["keys"])
    keys.pop(k, None)
    change(sr, key, keys=keys)


CALLS = {
    "Plugin.Query": query,
    "Plugin.diagnostics": diagnostics,
    "SR.probe": sr_probe,
    "SR.create": sr_create,
    "SR.attach": sr_attach,
    "SR.detach": sr_detach,
    "SR.destroy": sr_destroy,
    "SR.stat": sr_stat,
    "SR.ls": sr_ls,
    "SR.set_name": sr_set_name,
    "SR.set_description": sr_set_description,
    "Volume.create": create,
    "Volume.snapshot": snapshot,
    "Volume.clone": clone,
    "Volume.destroy": destroy,
    "Volume.revert": revert,
    "Volume.resize": resize,
    "Volume.stat": stat,
    "Volume.set_name": lambda sr, key, new_name: change(sr, key, name=new_name),
    "Volume.set_description": lambda sr, key, new_description: change(sr, key, description=new_description),
    "Volume.set": set_,
    "Volume.unset": unset,
    "Volume.similar_content": lambda sr, key: [],
}

if __name__ == "__main__":
    common.main(CALLS)
