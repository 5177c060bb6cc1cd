#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xm-ramdisk metrics, of disks that nbdkit serves: the values, and programs of others
# that read them: promtool, the OpenMetrics parser of Prometheus' Python client,
# Prometheus' own OpenMetrics parser, and node_exporter. They are unpacked, not installed.
. "$(dirname "$0")/lib.bash"

tree=$(tests/debian-packages bookworm prometheus prometheus-node-exporter python3-prometheus-client python3-decorator) || exit 1
promtool=$tree/usr/bin/promtool

head -c 3000000 /dev/urandom >"$seeds/plain.img"
truncate -s 8M "$seeds/q\"uo\\te.img"
truncate -s 8M "$seeds/$(printf 'new\nline \303\251 \351.img')"

# ---- what the numbers are ------------------------------------------------------

value() { # SAMPLE WITH ITS LABELS' BEGINNING
	awk -v s="$1" 'index($0, s) == 1 {print $NF; exit}' "$seeds/metrics"
}
is() { # NAME SAMPLE VALUE
	value "$2" >"$out"
	[ "$(cat "$out")" = "$3" ]
	ok "$1" $?
}

xm-ramdisk metrics >"$seeds/metrics" 2>"$out"
is "no disk" xen_ramdisk_disks 0
tail -n 1 "$seeds/metrics" >"$out"
grep -qx '# EOF' "$out"
ok "OpenMetrics text ends with EOF" $?

xm-ramdisk load --name=plain "$seeds/plain.img" >/dev/null 2>&1
xm-ramdisk load "$seeds/q\"uo\\te.img" >/dev/null
xm-ramdisk load "$seeds"/new* >/dev/null
serve "$seeds/socket" "$plugin" disk=plain label=client
# a client that stays attached after its requests
spawn qemu-io -f raw "$uri" -c 'read 0 4k' -c 'read 0 4k' -c 'write 0 1M' -c 'sleep 100000'
client=${spawned[-1]}
attached() { xm-ramdisk metrics >"$seeds/metrics" && [ "$(value 'xen_ramdisk_attachment_requests_total{id="n-plain",disk="plain",slot="0",label="client",domain="",vdev="",operation="write"}')" = 1 ]; }
wait_for 10 attached
a='{id="n-plain",disk="plain",slot="0",label="client",domain="",vdev=""'
is "three disks" xen_ramdisk_disks 3
is "the size of a disk" 'xen_ramdisk_disk_size_bytes{id="n-plain",disk="plain"}' 3000320
is "its attachments" 'xen_ramdisk_disk_attachments{id="n-plain",disk="plain"}' 1
is "reads" "xen_ramdisk_attachment_requests_total$a,operation=\"read\"}" 2
is "writes" "xen_ramdisk_attachment_requests_total$a,operation=\"write\"}" 1
is "bytes written" "xen_ramdisk_attachment_bytes_total$a,operation=\"write\"}" 1048576
is "errors" "xen_ramdisk_attachment_errors_total$a}" 0
is "restarts" "xen_ramdisk_attachment_restarts_total$a}" 0
is "each write is measured" "xen_ramdisk_attachment_latency_seconds_count$a,operation=\"write\"}" 1
is "the last bucket has all writes" "xen_ramdisk_attachment_latency_seconds_bucket$a,operation=\"write\",le=\"+Inf\"}" 1
awk -v s="xen_ramdisk_attachment_latency_seconds_sum$a,operation=\"write\"}" '
	index($0, s) == 1 {sum = $NF} END {exit !(sum > 0 && sum < 10)}' "$seeds/metrics"
ok "the sum of the latencies" $?
xm-ramdisk show --json plain >"$out"
jq -e '.attachments[0] | .restarts == 0 and .no_memory == 0 and .write_latency_sum_us > 0' "$out" >/dev/null
ok "show --json has them too" $?
# the sum is inside the bounds of the buckets that count the write
awk -v s="xen_ramdisk_attachment_latency_seconds" '
	index($0, s "_bucket") == 1 && /operation="write"/ && !top && $NF == 1 {
		match($0, /le="[^"]*/); top = substr($0, RSTART + 4, RLENGTH - 4) }
	index($0, s "_sum") == 1 && /operation="write"/ {sum = $NF}
	END {exit !(top != "" && (top == "+Inf" || (sum < top + 0 && sum >= (top <= 2e-06 ? 0 : top / 2))))}' "$seeds/metrics"
ok "the bucket of a write is that of its latency" $?

# ---- programs of others ----------------------------------------------------------

metrics_in() { xm-ramdisk metrics --format="$1" >"$seeds/$1"; }
metrics_in prometheus && metrics_in openmetrics
"$promtool" check metrics <"$seeds/prometheus" >"$out" 2>&1 && [ ! -s "$out" ]
ok "promtool check metrics has nothing to say" $?

cat >"$seeds/parse.py" <<'PYTHON'
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(open(sys.argv[1], newline="").read()))
disks = sorted(s.labels["disk"] for f in families for s in f.samples
               if s.name == "xen_ramdisk_disk_size_bytes")
print(len(families), [d.rsplit("/", 1)[-1] for d in disks])
assert len(families) > 20
assert sorted(d.rsplit("/", 1)[-1] for d in disks) == sorted(
    ["new\nline \u00e9 \\xe9.img", "plain", 'q"uo\\te.img'])
PYTHON
PYTHONPATH=$tree/usr/lib/python3/dist-packages python3 "$seeds/parse.py" "$seeds/openmetrics" >"$out" 2>&1
ok "the OpenMetrics parser of Prometheus' client reads it, and each label" $?

# its own parser wants a time with each sample
sed '/^#/!s/$/ 1700000000/' "$seeds/openmetrics" >"$seeds/timed"
"$promtool" tsdb create-blocks-from openmetrics "$seeds/timed" "$seeds/blocks" >"$out" 2>&1
ok "Prometheus' OpenMetrics parser reads it" $?

# ---- the file for node_exporter ----------------------------------------------------

mkdir "$seeds/textfile"
does "--output" xm-ramdisk metrics --format=prometheus --output="$seeds/textfile/xen-ramdisk.prom"
does "the file is whole, and no other is there" test "$(ls "$seeds/textfile")" = xen-ramdisk.prom
does "everyone may read it" test "$(stat -c %a "$seeds/textfile/xen-ramdisk.prom")" = 644
# In a name space of its own: any port is free there.
cat >"$seeds/scrape" <<'SHELL'
ip link set lo up
"$1" --collector.disable-defaults --collector.textfile --collector.textfile.directory="$2" \
	--web.listen-address=127.0.0.1:9100 >"$3" 2>&1 &
exporter=$!
for n in $(seq 100); do
	python3 -c 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:9100/metrics").read().decode())' 2>/dev/null && break
	sleep 0.1
done
kill $exporter
SHELL
unshare -n sh "$seeds/scrape" "$tree/usr/bin/prometheus-node-exporter" "$seeds/textfile" "$seeds/log" >"$out" 2>&1
grep -qx 'node_textfile_scrape_error 0' "$out" && grep -q '^xen_ramdisk_disks 3$' "$out" &&
	grep -q '^xen_ramdisk_attachment_latency_seconds_bucket{.*} ' "$out"
ok "node_exporter serves what the file has" $?

# Readers see a whole file at each moment.
rm -f "$seeds/stop"
(while [ ! -e "$seeds/stop" ]; do
	tail -n 1 "$seeds/textfile/xen-ramdisk.prom"
done | sort | uniq -c >"$seeds/ends") &
reader=$!
for _ in $(seq 30); do xm-ramdisk metrics --output="$seeds/textfile/xen-ramdisk.prom"; done
touch "$seeds/stop"
wait $reader
cp "$seeds/ends" "$out"
grep -q '# EOF$' "$out" && ! grep -qE '^ *[0-9]+ *$' "$out" && [ "$(wc -l <"$out")" -le 2 ]
ok "readers see a whole file" $?

says "a folder that is missing" 1 'cannot write beside .*/none/x: No such file' xm-ramdisk metrics --output="$seeds/none/x"
says "another format" 2 'expected openmetrics or prometheus' xm-ramdisk metrics --format=xml
mkdir "$seeds/is-a-folder"
says "a folder in the place of the file" 1 'cannot write the metrics to' xm-ramdisk metrics --output="$seeds/is-a-folder"
does "nothing is left beside it" test -z "$(find "$seeds" -maxdepth 1 -name 'is-a-folder.*')"

{ kill -9 "$client" && wait "$client"; } 2>/dev/null # it sleeps through other signals

# ---- the dashboard -------------------------------------------------------------------

jq -r '.. | .expr? // empty, (.query? | strings), (.query?.query? // empty)' docs/grafana-dashboard.json |
	grep -o 'xen_ramdisk_[a-z_]*' | sort -u >"$seeds/used"
sed -n 's/^\(xen_ramdisk_[a-z_]*\)[ {].*/\1/p; s/^# TYPE \([a-z_]*\).*/\1/p' "$seeds/prometheus" | sort -u >"$seeds/exported"
comm -23 "$seeds/used" "$seeds/exported" >"$out"
[ ! -s "$out" ] && [ "$(wc -l <"$seeds/used")" -gt 15 ]
ok "each metric of the dashboard exists" $?
# families that nobody looks at would be forgotten in it
sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' "$seeds/prometheus" |
	grep -vxE 'xen_ramdisk_(store_size_bytes|attachment_writable|attachment_start_time_seconds)' |
	while read -r family; do grep -q "^$family" "$seeds/used" || echo "$family"; done >"$out"
[ ! -s "$out" ]
ok "the dashboard has each metric that changes" $?
# as Grafana needs it to import a dashboard
jq -e '.title and .schemaVersion and (.panels | length > 5) and ([.panels[].id] | unique | length) == (.panels | length)' \
	docs/grafana-dashboard.json >"$out" 2>&1
ok "the dashboard is one" $?
jq -r '.. | .expr? // empty' docs/grafana-dashboard.json |
	sed 's/\$__rate_interval/5m/g; s/\$[a-z]*/x/g' |
	awk 'BEGIN {print "groups:\n- name: d\n  rules:"} {gsub(/'"'"'/, "&&"); printf "  - record: r%d\n    expr: '"'"'%s'"'"'\n", NR, $0}' >"$seeds/rules.yml"
"$promtool" check rules "$seeds/rules.yml" >"$out" 2>&1
ok "promtool reads each expression of the dashboard" $?

finish
