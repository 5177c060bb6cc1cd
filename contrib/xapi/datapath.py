#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The datapath plugin for URIs ramdisk:///PATH: a tapdisk for each domain, on the shared RAM disk of PATH.

The tapdisk's RAM driver is xen-ramdisk's (docs/tapdisk.md), so `ram:PATH` in several
tapdisks is one disk. A VDI with on-boot=persist keeps its contents between the runs of its
VMs, until the VDI is destroyed, the repository detached or the host restarted. One with
on-boot=reset has the seed's contents when the first of its VMs starts, and they go with the last.

What belongs to a domain's tapdisk is noted in $RAMDISK_STATE_DIR, which a restart of the
host empties.
"""

import contextlib
import hashlib
import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import common  # noqa: E402
from common import Failure, failed  # noqa: E402
from urllib.parse import quote, unquote, urlparse  # noqa: E402

STATE = os.environ.get("RAMDISK_STATE_DIR", "/var/run/nonpersistent/dp-ramdisk")
NBD_SOCKET = "/run/blktap-control/nbd%d.%d"  # of a tapdisk, by process and minor number


def query():
    return {
        "plugin": "ramdisk",
        "name": "Shared RAM disks by tapdisk",
        "description": "A tapdisk for each domain, with xen-ramdisk's driver",
        "vendor": "The xen-ramdisk authors",
        "copyright": "BSD-2-Clause",
        "version": common.VERSION,
        "required_api_version": "5.0",
        "features": ["NONPERSISTENT", "VDI_NONPERSISTENT", "VDI_ACTIVATE_READONLY"],
        "configuration": {},
        "required_cluster_stack": [],
        "supported_image_formats": [],
    }


def started(pid):
    """When a process that runs was started: another one of the same number is told from it. Or None."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


class Use:
    """What this host has noted about a URI."""

    def __init__(self, uri):
        parts = urlparse(uri)
        self.path = unquote(parts.path)
        self.readonly = parts.query == "readonly"
        if parts.scheme != "ramdisk" or parts.netloc or not os.path.isabs(self.path):
            raise failed("URI %s: expected ramdisk:///PATH" % uri)
        self.dir = os.path.join(STATE, hashlib.sha256(self.path.encode()).hexdigest()[:32])
        os.makedirs(self.dir, 0o700, exist_ok=True)
        self.temporary = os.path.join(self.dir, "nonpersistent")

    def lock(self):
        return common.locked(os.path.join(self.dir, "lock"))

    def note(self, domain):
        return os.path.join(self.dir, quote(domain, safe="") + ".tapdisk")

    def tapdisk(self, domain):
        """The domain's tapdisk, or None if it has none that runs."""
        try:
            tap = common.read_json(self.note(domain))
        except FileNotFoundError:
            return None
        return tap if started(tap["pid"]) == tap["started"] else None

    def others(self):
        return any(name.endswith(".tapdisk") for name in os.listdir(self.dir))


def tap_ctl(command, tap, *more):
    return common.run("tap-ctl", command, "-p", str(tap["pid"]), "-m", str(tap["minor"]), *more)


# ---- the calls -----------------------------------------------------------------------


def open_(uri, persistent):
    """Before a VM starts: load the disk, so that a host without the memory says so here."""
    use = Use(uri)
    with use.lock():
        if persistent:
            if os.path.exists(use.temporary):
                os.unlink(use.temporary)
            common.run("xm-ramdisk", "load", use.path)
            return
        if not use.others():
            common.drop_if_unused(use.path)
        with open(use.temporary, "w"):
            pass


def new_tapdisk():
    """A tapdisk without an image. A failure leaves neither a process nor a device."""
    device = common.run("tap-ctl", "allocate").strip()
    number = re.search(r"[0-9]+\Z", device)
    if not number:
        raise failed("tap-ctl allocate printed '%s'; expected a device with a number" % device)
    tap = {"minor": int(number.group()), "device": device, "open": False}
    try:
        tap["pid"] = int(common.run("tap-ctl", "spawn").split()[-1])
        tap["started"] = started(tap["pid"])
        tap_ctl("attach", tap)
    except Exception:
        end(tap)
        raise
    return tap


def end(tap):
    """End a tapdisk that does not do what tap-ctl asks it, and free its device."""
    if "pid" in tap and started(tap["pid"]) == tap["started"]:
        with contextlib.suppress(OSError):
            os.kill(tap["pid"], signal.SIGKILL)
    with contextlib.suppress(Failure):
        common.run("tap-ctl", "free", "-m", str(tap["minor"]))


def attach(uri, domain):
    use = Use(uri)
    with use.lock():
        tap = use.tapdisk(domain)
        if not tap:
            if os.path.exists(use.note(domain)):
                end(common.read_json(use.note(domain)))
            tap = new_tapdisk()
            common.write_json(use.note(domain), tap)
    return {"implementations": [
        ["XenDisk", {"params": tap["device"], "extra": {}, "backend_type": "vbd3"}],
        ["Nbd", {"uri": "nbd:unix:%s:exportname=ramdisk" % (NBD_SOCKET % (tap["pid"], tap["minor"]))}],
        ["BlockDevice", {"path": tap["device"]}],
    ]}


def activate(uri, domain, readonly=False):
    use = Use(uri)
    with use.lock():
        tap = use.tapdisk(domain)
        if not tap:
            raise failed("%s is not attached to domain %s; Datapath.attach comes first" % (uri, domain))
        if tap["open"]:
            return
        tap_ctl("open", tap, "-a", "ram:" + use.path, *(["-R"] if readonly or use.readonly else []))
        common.write_json(use.note(domain), dict(tap, open=True))


def deactivate(uri, domain):
    use = Use(uri)
    with use.lock():
        tap = use.tapdisk(domain)
        if tap and tap["open"]:
            tap_ctl("close", tap)
            common.write_json(use.note(domain), dict(tap, open=False))


def detach(uri, domain):
    """End the tapdisk. Its attachment to the disk ends with the process. Must not fail."""
    use = Use(uri)
    with use.lock():
        try:
            tap = common.read_json(use.note(domain))
        except FileNotFoundError:
            return
        try:
            if not use.tapdisk(domain):
                raise failed("the tapdisk has ended")
            tap_ctl("destroy", tap)
        except Failure:
            end(tap)
        os.unlink(use.note(domain))


def close(uri):
    """After a VM's end: what a VDI with on-boot=reset has goes with its last VM."""
    use = Use(uri)
    with use.lock():
        if os.path.exists(use.temporary) and not use.others():
            os.unlink(use.temporary)
            common.drop_if_unused(use.path)


CALLS = {
    "Plugin.Query": query,
    "Datapath.open": open_,
    "Datapath.attach": attach,
    "Datapath.activate": activate,
    "Datapath.activate_readonly": lambda uri, domain: activate(uri, domain, readonly=True),
    "Datapath.deactivate": deactivate,
    "Datapath.detach": detach,
    "Datapath.close": close,
}

if __name__ == "__main__":
    common.main(CALLS)
