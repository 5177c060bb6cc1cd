#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The xl configuration that libvirt's Xen driver writes for a disk of ours: the
# packaged driver converts a domain's XML, as `virsh domxml-to-native` does on a
# Xen host. Without Xen libvirt has no public function for that, so the driver's
# internal ones are called by name. docs/libvirt.md has the result.
set -u
cd "$(dirname "$0")/../../.." || exit 1
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
failed=0

tree=$(tests/debian-packages bookworm libvirt-daemon-driver-xen) || exit 1

convert() { # THE DISK'S ELEMENTS
	/usr/bin/python3 - "$tree" "$1" <<'END'
import ctypes as C, sys

libvirt = C.CDLL("libvirt.so.0", mode=C.RTLD_GLOBAL)
driver = C.CDLL(sys.argv[1] + "/usr/lib/x86_64-linux-gnu/libvirt/"
                "connection-driver/libvirt_driver_libxl.so")
for f in libvirt.virDomainXMLOptionNew, libvirt.virDomainDefParseString, driver.xenFormatXL:
    f.restype = C.c_void_p
libvirt.virInitialize()
option = libvirt.virDomainXMLOptionNew(*[None] * 7)
xml = """<domain type='xen'><name>g</name><memory>131072</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='xenpv'>linux</type><kernel>/k</kernel></os>
<devices><disk type='file' device='disk'>%s</disk></devices></domain>""" % sys.argv[2]
INACTIVE = 1
domain = libvirt.virDomainDefParseString(C.c_char_p(xml.encode()), C.c_void_p(option), None, C.c_uint(INACTIVE))
config = domain and driver.xenFormatXL(C.c_void_p(domain), None)
if not config:
    sys.exit("libvirt refuses it")
text, size = C.create_string_buffer(65536), C.c_int(65535)
libvirt.virConfWriteMem(text, C.byref(size), C.c_void_p(config))
print(text.value.decode())
END
}

# The disk of the XML becomes exactly LINE.
becomes() { # NAME LINE ELEMENTS
	convert "$3" >"$out" 2>&1
	if grep -qxF "disk = [ \"$2\" ]" "$out"; then
		echo "ok $1"
	else
		echo "not ok $1: expected $2"
		sed 's/^/    /' "$out"
		failed=1
	fi
}

source='<source file="/images/seed.img,private"/><target dev="xvdb" bus="xen"/>'
becomes "driver tap, with a script and shareable: the script is dropped" \
	'format=raw,vdev=xvdb,access=!,backendtype=tap,target=/images/seed.img,private' \
	"<driver name='tap' type='raw'/>$source<script path='block-ramdisk'/><shareable/>"
becomes "read-only" \
	'format=raw,vdev=xvdb,access=ro,backendtype=tap,target=/images/seed.img,private' \
	"<driver name='tap' type='raw'/>$source<readonly/>"
becomes "driver phy" \
	'format=raw,vdev=xvdb,access=rw,backendtype=phy,target=/images/seed.img,private' \
	"<driver name='phy'/>$source<script path='block-ramdisk'/>"
exit $failed
