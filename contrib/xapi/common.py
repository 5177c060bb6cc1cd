# SPDX-License-Identifier: BSD-2-Clause
"""What the scripts of both plugins share: a call, its errors, and the programs that they run.

xapi-storage-script runs a script that is named after a call, as SR.create, with the
argument --json. The call's arguments, an object of names, are on its standard input; the
result is printed as JSON. A call that fails prints {"code", "params", "backtrace"} and
exits with 1. See volume.py and datapath.py for the calls.

Python 3.6 and later, nothing but the standard library.
"""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import traceback

VERSION = "0.1"
# xapi's environment has a short PATH.
PATH = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"


class Failure(Exception):
    """A call fails: a code of the interface, or RAMDISK_FAILED, and its parameters."""

    def __init__(self, code, *params):
        Exception.__init__(self, code, *params)
        self.code = code
        self.params = [str(p) for p in params]


def failed(sentence):
    return Failure("RAMDISK_FAILED", sentence)


def run(*command):
    """Run a program; its output, or a Failure with its last line of errors."""
    environment = dict(os.environ, LC_ALL="C")
    environment["PATH"] = environment.get("PATH", "") + ":" + PATH
    try:
        p = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, universal_newlines=True,
        )
    except OSError as e:
        raise failed("cannot run %s: %s; install it on this host" % (command[0], e.strerror))
    out, err = p.communicate()
    if p.returncode:
        lines = (err.strip() or out.strip()).splitlines()
        raise failed("%s: %s" % (" ".join(command[:2]), lines[-1] if lines else "exit status %d" % p.returncode))
    return out


def disks():
    """The loaded disks, as `xm-ramdisk list --json` has them."""
    return json.loads(run("xm-ramdisk", "list", "--json"))


def loaded(path):
    """The disk that was loaded from the file at `path`, or None."""
    path = os.path.realpath(path)
    for d in disks():
        if d["seed"] == path and not d["name"]:
            return d
    return None


def drop_if_unused(path):
    """Discard the disk of `path` unless somebody is attached; else it goes with the last detach."""
    d = loaded(path)
    if d and d["keep"]:
        run("xm-ramdisk", "drop", d["id"])


@contextlib.contextmanager
def locked(path):
    """One call at a time: xapi runs the calls of different disks at once."""
    with open(path, "a") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def write_json(path, value):
    """Replace the file at `path` as a whole."""
    with open(path + ".new", "w") as f:
        json.dump(value, f, indent=1, sort_keys=True)
        f.flush()
        os.fsync(f.fileno())
    os.rename(path + ".new", path)


def read_json(path):
    with open(path) as f:
        return json.load(f)


def main(calls):
    """Carry out the call that the script is named after."""
    name = os.path.basename(sys.argv[0])
    try:
        call = calls.get(name)
        if call is None:
            raise Failure("Unimplemented", name)
        if sys.argv[1:] != ["--json"]:
            raise failed("usage: %s --json, with the arguments as JSON on the standard input" % name)
        try:
            arguments = json.load(sys.stdin)
        except ValueError as e:
            raise failed("%s: the standard input is not JSON: %s" % (name, e))
        arguments.pop("dbg", None)
        result = call(**arguments)
    except Exception as e:
        code, params = ("RAMDISK_FAILED", ["%s: %s" % (name, e)])
        if isinstance(e, Failure):
            code, params = e.code, e.params
        frames = traceback.extract_tb(sys.exc_info()[2])
        print(json.dumps({
            "code": code,
            "params": params,
            "backtrace": {"error": str(e), "files": [f[0] for f in frames], "lines": [f[1] for f in frames]},
        }))
        sys.exit(1)
    print(json.dumps(result))
