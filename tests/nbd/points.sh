#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Points of a disk over NBD: writers and readers are clients of other projects
# (libnbd, QEMU), and the disk goes on changing meanwhile.
. "$(dirname "$0")/lib.bash"

image=$seeds/image
head -c 2000384 /dev/urandom >"$image"
xm-ramdisk load "$image" >"$out" || exit 1
socket=$seeds/socket
spawn nbdkit -f -U "$socket" "$plugin" disk=image name=image
wait_for 10 test -S "$socket"
uri() { echo "nbd+unix:///$1?socket=$socket"; }

# A client that writes a byte to each block, as fast as it can.
cat >"$seeds/writer" <<'END'
n = 0
while True:
    n += 1
    for off in range(0, 1 << 20, 4096):
        h.pwrite(bytes([n % 256]) * 512, off)
END
spawn nbdsh -c "h.connect_uri('$(uri image)')" -c "exec(open('$seeds/writer').read())"
writer=${spawned[-1]}
sleep 0.3

does "a point under a client that writes" xm-ramdisk point image first
does "the point by its name" nbdcopy "$(uri image@first)" "$seeds/one"
does "and once more, while the disk changes" nbdcopy "$(uri image@first)" "$seeds/two"
does "the client went on meanwhile" kill -0 "$writer"
does "both copies are the same" cmp "$seeds/one" "$seeds/two"
does "they are what save writes" xm-ramdisk save --point=first image "$seeds/three"
does "all of it" cmp "$seeds/one" "$seeds/three"
does "beyond what was written they are the seed" cmp -i 1048576 "$seeds/one" "$image"
end "$writer"

says "a point cannot be written" 1 'read-only|not permitted|not supported' \
	nbdsh -c "h.connect_uri('$(uri image@first)')" -c "h.pwrite(b'x' * 512, 0)"
says "the description names the point" 0 'disk at point first of .*/image' nbdinfo "$(uri image@first)"
nbdinfo --json "$(uri image@first)" >"$out" 2>&1
jq -e '.exports[0]["is_read_only"] and .exports[0]["export-size"] == 2000384' "$out" >/dev/null
ok "it is read-only, of the disk's size" $?
says "a point that does not exist" 1 'refused|no export|not found|does not|No such' nbdinfo "$(uri image@none)"
says "a name with @ that is no export" 1 '' nbdinfo "$(uri none@first)"
instance=$(nbdinfo --json "$(uri image)" | jq -r '.exports[0].description' | grep -oE '[0-9a-f]{16}')
does "an instance is no point" nbdinfo --size "$(uri "image@$instance")"

# a drop is refused while a client has the point
spawn nbdsh -c "h.connect_uri('$(uri image@first)')" -c 'import time; time.sleep(1000)'
client=${spawned[-1]}
attached() { xm-ramdisk point --list --json image | jq -e '.[0].attachments == 1' >/dev/null; }
does "a client is listed" wait_for 10 attached
says "a drop while a client has the point" 1 'is attached 1 times; detach those first' xm-ramdisk point --drop image first
end "$client"
detached() { xm-ramdisk point --list --json image | jq -e '.[0].attachments == 0' >/dev/null; }
does "the client is gone" wait_for 10 detached

# private views of a point, beside the disk
spawn nbdkit -f -U "$seeds/private" "$plugin" disk=image private=true point=first
wait_for 10 test -S "$seeds/private"
view="nbd+unix://?socket=$seeds/private"
does "a private view of the point is written" nbdsh -c "h.connect_uri('$view')" \
	-c "h.pwrite(b'v' * 4096, 8192)" -c "assert h.pread(4096, 8192) == b'v' * 4096" \
	-c "assert h.pread(4096, 4096) == open('$seeds/one', 'rb').read()[4096:8192]"
does "the point is what it was" nbdcopy "$(uri image@first)" "$seeds/two"
does "after the view" cmp "$seeds/one" "$seeds/two"
end "${spawned[-1]}"

does "rollback" xm-ramdisk rollback --force image first
does "the disk is the point" nbdcopy "$(uri image)" "$seeds/two"
does "as it was" cmp "$seeds/one" "$seeds/two"
does "drop" xm-ramdisk point --drop image first
finish
