# SPDX-License-Identifier: BSD-2-Clause
"""RAM disks of xen-ramdisk in tests: attach, fault, point, rollback, reset, and wait for events.

Runs the command xm-ramdisk; needs Python 3.7 or later and nothing beyond its standard library. As a
plugin of pytest (pytest -p xen_ramdisk) it has the fixture `ramdisk`, which takes back at the end of
each test what the test has made:

    def test_node_is_fenced(ramdisk):
        disk = ramdisk.load("/images/heartbeat.img", name="heartbeat")
        disk.attach("node1", "xvdb")
        disk.attach("node2", "xvdb")
        with ramdisk.watch() as events:
            disk.fault("node1", freeze=True)
            ...
            events.wait_for("detached", domain="node1", timeout=60)

Without pytest use Ramdisk() as a context manager.
"""
import contextlib
import json
import queue
import subprocess
import threading
import time


class RamdiskError(Exception):
    """xm-ramdisk has failed; str() is what it said."""


def _options(options):
    """read_only=True is --read-only, size=5 is --size=5; None and False are left out."""
    words = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        word = "--" + name.replace("_", "-")
        words.append(word if value is True else "%s=%s" % (word, value))
    return words


class Events:
    """The events since the start of the watch, as dictionaries; see EVENTS in xm-ramdisk(8)."""

    def __init__(self, command, env=None):
        self._queue = queue.Queue()
        self.seen = []  # all events that wait_for() or poll() has taken
        self._process = subprocess.Popen(
            command + ["watch", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=env, universal_newlines=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        first = self._take(30)
        if not first or first["event"] != "watching":
            self.close()
            raise RamdiskError("xm-ramdisk watch did not start: %s" % self._said)

    def _read(self):
        for line in self._process.stdout:
            self._queue.put(json.loads(line))
        self._queue.put(None)

    def _take(self, timeout):
        try:
            return self._queue.get(timeout=max(timeout, 0))
        except queue.Empty:
            return None

    def poll(self):
        """The events that have come since the last call, without waiting."""
        new = []
        while True:
            event = self._take(0)
            if event is None:
                self.seen += new
                return new
            new.append(event)

    def wait_for(self, event, timeout=30, **members):
        """The next event of this word whose members are these; AssertionError if none comes in time."""
        end = time.monotonic() + timeout
        while True:
            found = self._take(end - time.monotonic())
            if found is None:
                raise AssertionError("no event %s %s within %s seconds; seen: %s" % (
                    event, members, timeout, [e["event"] for e in self.seen]))
            self.seen.append(found)
            if found["event"] == event and all(found.get(k) == v for k, v in members.items()):
                return found

    def close(self):
        if self._process.poll() is None:
            self._process.terminate()
        self._thread.join(10)
        self._said = self._process.stderr.read()
        self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class Attachment:
    """A disk in a domain. Ends with detach(), or with the test."""

    def __init__(self, disk, domain, vdev):
        self.disk, self.domain, self.vdev = disk, domain, vdev

    def detach(self, force=False):
        self.disk.ramdisk.run("detach", *_options({"force": force}), self.domain, self.vdev)
        self.disk.ramdisk._forget(self)

    def fault(self, **kinds):
        """As Disk.fault(), for this device alone."""
        return self.disk.ramdisk._fault(self.vdev, self.domain, kinds)

    def _undo(self):
        self.disk.ramdisk.run("detach", "--force", self.domain, self.vdev)


class Disk:
    """A loaded disk. `name` is a name, an id or a seed's path."""

    def __init__(self, ramdisk, name):
        self.ramdisk, self.name = ramdisk, name

    def info(self):
        """What xm-ramdisk show --json prints."""
        return json.loads(self.ramdisk.run("show", "--json", self.name))

    def attach(self, domain, vdev, mode="w", **options):
        """Attach to a domain; private=True, timeout=SECONDS and the like as options."""
        self.ramdisk.run("attach", *_options(options), domain, self.name, vdev, mode)
        return self.ramdisk._made(Attachment(self, domain, vdev))

    def fault(self, domain, **kinds):
        """freeze=True, thaw=True, error="read", ratio=0.5, delay=20, clear=True, ...: FAULTS in xm-ramdisk(8)."""
        return self.ramdisk._fault(self.name, domain, kinds)

    def reset(self, force=False):
        """The seed's contents again."""
        self.ramdisk.run("reset", *_options({"force": force}), self.name)

    def point(self, name):
        """A point in time of the whole disk, to which rollback() returns."""
        self.ramdisk.run("point", self.name, name)

    def rollback(self, name, force=False):
        self.ramdisk.run("rollback", *_options({"force": force}), self.name, name)

    def diff(self):
        """Where the disk differs from its seed: [{"offset": ..., "length": ...}]."""
        return json.loads(self.ramdisk.run("diff", "--json", self.name))

    def save(self, path, force=False):
        self.ramdisk.run("save", *_options({"force": force}), self.name, path)

    def drop(self):
        self.ramdisk.run("drop", self.name)
        self.ramdisk._forget(self)

    @contextlib.contextmanager
    def serve(self, socket, **options):
        """Serve the disk over NBD on a Unix socket, without Xen; the URI. Needs nbdkit."""
        process = subprocess.Popen(
            self.ramdisk.command + ["serve", "--socket=%s" % socket] + _options(options) + [self.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self.ramdisk.env, universal_newlines=True)
        try:
            uri = None
            while uri is None:  # printed when the server is ready
                line = process.stdout.readline()
                if not line:
                    raise RamdiskError(process.stderr.read().strip())
                uri = next((word for word in line.split() if word.startswith("nbd+unix:")), None)
            yield uri
        finally:
            process.terminate()
            process.communicate()

    def _undo(self):
        self.ramdisk.run("drop", self.name)


class Ramdisk:
    """The command. What is made through it is taken back by close(), the last first."""

    def __init__(self, command="xm-ramdisk", env=None):
        self.command = [command] if isinstance(command, str) else list(command)
        self.env = env
        self._undos = []

    def run(self, *words):
        """Run xm-ramdisk with these words; what it printed."""
        done = subprocess.run(
            self.command + [str(word) for word in words], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env, universal_newlines=True)
        if done.returncode:
            raise RamdiskError(done.stderr.strip() or "status %d" % done.returncode)
        return done.stdout

    def load(self, seed, name=None, **options):
        """Load a seed and keep it until the end of the test; thin=True and the like as options."""
        self.run("load", *_options(dict(options, name=name)), seed)
        return self._made(Disk(self, name or str(seed)))

    def disk(self, name):
        """A disk that is loaded already, which stays."""
        return Disk(self, name)

    def disks(self):
        """What xm-ramdisk list --json prints."""
        return json.loads(self.run("list", "--json"))

    def watch(self):
        """Events from now on, until the end of the with statement."""
        return Events(self.command, self.env)

    def close(self):
        failures = []
        while self._undos:
            try:
                self._undos.pop()._undo()
            except RamdiskError as failure:
                failures.append(str(failure))
        if failures:
            raise RamdiskError("; ".join(failures))

    def _made(self, thing):
        self._undos.append(thing)
        return thing

    def _forget(self, thing):
        if thing in self._undos:
            self._undos.remove(thing)

    def _fault(self, name, domain, kinds):
        self.run("fault", *_options(kinds), name, domain)
        return json.loads(self.run("fault", "--json", name, domain))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


try:
    import pytest
except ImportError:
    pass
else:
    @pytest.fixture
    def ramdisk():
        with Ramdisk() as made:
            yield made
