#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The helper for pytest and the Ansible role of contrib/. Disks, resets, events and NBD
# are the real ones. Domains are a stand-in's: of attach, detach and fault it has the real
# command read the arguments, which then misses Xen, and remembers what is attached.
. "$(dirname "$0")/lib.bash"

truncate -s 8M "$seeds/seed.img"
mkdir "$seeds/bin"
cat >"$seeds/bin/xm-ramdisk" <<'PYTHON'
#!/usr/bin/python3
import json, os, subprocess, sys
real, state, log = os.environ["REAL"], os.environ["STATE"], os.environ["LOG"]
words = sys.argv[1:]
with open(log, "a") as f:
    f.write(" ".join(words) + "\n")
attached = json.load(open(state)) if os.path.exists(state) else []
what, plain = words[0], [w for w in words[1:] if not w.startswith("-")]
if what in ("point", "rollback") and what not in subprocess.run([real], capture_output=True, text=True).stderr:
    sys.exit(0)
if what in ("attach", "detach", "fault"):
    done = subprocess.run([real] + words, capture_output=True, text=True)
    if done.returncode == 2:
        sys.exit(sys.stderr.write(done.stderr) and 2)
    if what == "attach":
        attached.append({"domain": plain[0], "disk": plain[1], "vdev": plain[2]})
    elif what == "detach":
        left = [a for a in attached if (a["domain"], a["vdev"]) != tuple(plain)]
        if left == attached:
            sys.exit("no vbd %s" % plain)
        attached = left
    elif "--json" in words:
        print('{"stand-in": true}')
    json.dump(attached, open(state, "w"))
    sys.exit(0)
if what == "list":
    done = subprocess.run([real] + words, capture_output=True, text=True)
    disks = json.loads(done.stdout)
    for disk in disks:
        disk["attachments"] += [a for a in attached if a["disk"] == disk["name"]]
    print(json.dumps(disks))
    sys.exit(done.returncode)
os.execv(real, ["xm-ramdisk"] + words)
PYTHON
chmod +x "$seeds/bin/xm-ramdisk"
export REAL=$B/xm-ramdisk STATE=$seeds/state LOG=$seeds/log
export SEED=$seeds/seed.img SOCKET=$seeds/socket
PATH=$seeds/bin:$PATH
empty_store() { [ -z "$(ls -A "$XEN_RAMDISK_DIR")" ]; }

# ---- pytest --------------------------------------------------------------------------

cat >"$seeds/test_helper.py" <<'PYTHON'
import os, subprocess, sys
import pytest
from xen_ramdisk import Ramdisk, RamdiskError
seed, log = os.environ["SEED"], os.environ["LOG"]

def lines():
    return open(log).read().splitlines()

def test_load(ramdisk):
    disk = ramdisk.load(seed, name="shared", thin=True)
    info = disk.info()
    assert info["thin"] and info["size"] == 8 << 20

def test_diff_and_reset(ramdisk, tmp_path):
    disk = ramdisk.load(seed, name="full")
    with open(os.path.join(os.environ["XEN_RAMDISK_DIR"], disk.info()["id"] + ".data"), "r+b") as f:
        f.seek(5000)
        f.write(b"x")
    assert disk.diff() == [{"offset": 4096, "length": 4096}]
    with ramdisk.watch() as events:
        disk.save(tmp_path / "copy")
        disk.reset()
        assert events.wait_for("reset", name="full")["id"] == "n-full"
        assert [e["event"] for e in events.seen].count("attached") == 1
    assert disk.diff() == []

def test_attach_fault_detach(ramdisk):
    disk = ramdisk.load(seed, name="shared")
    one = disk.attach("node1", "xvdb", private=True)
    disk.attach("node2", "xvdb", "r", timeout=5)
    assert disk.fault("node1", error="read", ratio=0.5, delay=20) == {"stand-in": True}
    ramdisk.run("fault", "--freeze", "xvdb", "node1")
    one.fault(clear=True)
    assert lines()[-7:] == [
        "attach --private node1 shared xvdb w", "attach --timeout=5 node2 shared xvdb r",
        "fault --error=read --ratio=0.5 --delay=20 shared node1", "fault --json shared node1",
        "fault --freeze xvdb node1", "fault --clear xvdb node1", "fault --json xvdb node1"]
    one.detach()

def test_what_was_made_is_taken_back():
    assert lines()[-3:] == ["detach node1 xvdb", "detach --force node2 xvdb", "drop shared"]
    assert Ramdisk().disks() == []

def test_points(ramdisk):
    disk = ramdisk.load(seed, name="points")
    disk.point("before")
    disk.rollback("before")
    assert lines()[-2:] == ["point points before", "rollback points before"]

def test_serve(ramdisk):
    disk = ramdisk.load(seed, name="served")
    with ramdisk.watch() as events, disk.serve(os.environ["SOCKET"]) as uri:
        subprocess.run(["qemu-io", "-f", "raw", uri, "-c", "write -P 7 8k 4k"], check=True, stdout=subprocess.DEVNULL)
        assert events.wait_for("attached", timeout=10, mode="w")["name"] == "served"
    assert disk.diff() == [{"offset": 8192, "length": 4096}]

def test_failures(ramdisk):
    with pytest.raises(RamdiskError, match="No such file"):
        ramdisk.load("/none/such.img")
    with pytest.raises(RamdiskError, match="expected"):
        ramdisk.disk("x").fault("node1", error="sometimes")
    with ramdisk.watch() as events:
        with pytest.raises(AssertionError, match="no event reset"):
            events.wait_for("reset", timeout=0.5)
        ramdisk.load(seed, name="late")
        events.wait_for("loaded", name="late")
        assert events.poll() is not None

def test_an_open_watch_leaves_no_process(ramdisk):
    with ramdisk.watch() as events:
        process = events._process
    assert process.returncode == 0
PYTHON
PYTHONPATH=$PWD/contrib/pytest PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -p xen_ramdisk -p no:cacheprovider \
	-v --tb=short "$seeds/test_helper.py" >"$seeds/pytest" 2>&1
cp "$seeds/pytest" "$out"
for name in load diff_and_reset attach_fault_detach what_was_made_is_taken_back points serve failures an_open_watch_leaves_no_process; do
	grep -qE "::test_$name PASSED" "$seeds/pytest"
	ok "pytest: $name" $?
done
does "pytest: nothing is left in the store" empty_store
# only the standard library, and pytest where that is the caller
PYTHONPATH=$PWD/contrib/pytest PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -I -S -B -c '
import sys; sys.path.insert(0, "contrib/pytest"); import xen_ramdisk
print(xen_ramdisk.Ramdisk().disks())' >"$out" 2>&1
[ "$(cat "$out")" = '[]' ]
ok "the helper needs the standard library alone" $?

does "no byte code is left in the tree" test ! -e contrib/pytest/__pycache__

# ---- Ansible --------------------------------------------------------------------------

export ANSIBLE_HOME=$seeds/ansible ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_NOCOLOR=1 ANSIBLE_ROLES_PATH=$PWD/contrib/ansible/roles
playbook() { # ARGUMENT...
	/usr/bin/ansible-playbook -i localhost, -c local --extra-vars "seed=$seeds/seed.img ansible_python_interpreter=/usr/bin/python3" "$@"
}
does "ansible: the example's syntax" playbook --syntax-check contrib/ansible/lab.yml
: >"$LOG"
does "ansible: the example" playbook contrib/ansible/lab.yml
grep -vE '^list' "$LOG" >"$out"
cat >"$seeds/expected" <<END2
load --name=shared $seeds/seed.img
attach node1 shared xvdb w
attach node2 shared xvdb w
fault --freeze shared node1
fault --clear shared node1
reset --force shared
END2
cmp -s "$seeds/expected" "$out"
ok "ansible: what the example runs" $?
xm-ramdisk show shared >"$out" 2>&1
grep -q 'until it is dropped' "$out"
ok "ansible: the disk is loaded" $?

cat >"$seeds/again.yml" <<'YAML'
- hosts: all
  gather_facts: false
  vars:
    xen_ramdisk_disks:
      - {seed: "{{ seed }}", name: shared, options: [--thin], attach: [{domain: node1, vdev: xvdb}, {domain: node2, vdev: xvdb}]}
      - {seed: "{{ seed }}", name: other}
  tasks:
    - {ansible.builtin.include_role: {name: xen_ramdisk}}
YAML
: >"$LOG"
does "ansible: one disk more" playbook "$seeds/again.yml"
grep -vE '^list' "$LOG" >"$out"
[ "$(cat "$out")" = "load --name=other $seeds/seed.img" ]
ok "ansible: only what is missing is made" $?
: >"$LOG"
playbook "$seeds/again.yml" >"$out" 2>&1
grep -qE 'changed=0 .*failed=0' "$out" && ! grep -qvE '^list' "$LOG"
ok "ansible: a second run changes nothing" $?

cat >"$seeds/rest.yml" <<'YAML'
- hosts: all
  gather_facts: false
  vars:
    xen_ramdisk_names: [shared, other]
    xen_ramdisk_point: before
  tasks:
    - {ansible.builtin.include_role: {name: xen_ramdisk, tasks_from: point}}
    - {ansible.builtin.include_role: {name: xen_ramdisk, tasks_from: rollback}, vars: {xen_ramdisk_force: true}}
    - {ansible.builtin.include_role: {name: xen_ramdisk, tasks_from: absent}}
YAML
: >"$LOG"
does "ansible: points and the end" playbook "$seeds/rest.yml"
grep -vE '^list' "$LOG" >"$out"
cat >"$seeds/expected" <<'END2'
point shared before
point other before
rollback --force shared before
rollback --force other before
detach node1 xvdb
detach node2 xvdb
drop other
drop shared
END2
cmp -s <(sort "$seeds/expected") <(sort "$out")
ok "ansible: what that runs" $?
does "ansible: nothing is left in the store" empty_store
says "ansible: a point without a name" 2 'expected the name of a point' playbook --extra-vars 'xen_ramdisk_point=""' "$seeds/rest.yml"
says "ansible: a failure is the command's sentence" 2 'No such file' playbook --extra-vars "seed=$seeds/none.img" "$seeds/again.yml"

finish
