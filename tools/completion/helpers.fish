# SPDX-License-Identifier: BSD-2-Clause
#
# What the fish completions of xm-ramdisk and xen-ramdiskd share; build-aux/completions
# copies it into both.

function __xen_ramdisk_words -d 'The words before the cursor that are no options'
    set -l tokens (commandline -opc)
    string match -v -- '-*' $tokens[2..-1]
end
function __xen_ramdisk_in -d 'SUBCOMMAND...: whether these were typed'
    set -l words (__xen_ramdisk_words)
    for n in (seq (count $argv))
        test "$words[$n]" = "$argv[$n]"; or return
    end
end
function __xen_ramdisk_word -d 'N[+] SUBCOMMAND...: whether word N of SUBCOMMAND is typed now'
    set -l words (__xen_ramdisk_words)
    set -l wanted (math (count $argv) - 1 + (string trim -c + -- $argv[1]) - 1)
    __xen_ramdisk_in $argv[2..-1]; or return
    if string match -q '*+' -- $argv[1]
        test (count $words) -ge $wanted
    else
        test (count $words) = $wanted
    end
end
function __xen_ramdisk_domain
    xl list 2>/dev/null | awk 'NR > 1 { print $1 }'
end
function __xen_ramdisk_attached
    xm-ramdisk list --json 2>/dev/null | awk '$1 == "\"vdev\":" { gsub(/[",]/, "", $2); print $2 }' | sort -u
end
function __xen_ramdisk_disk
    xm-ramdisk list --json 2>/dev/null | awk '
        function value(line) {
            sub(/^[^:]*: "/, "", line)
            sub(/",?$/, "", line)
            return line
        }
        $1 == "\"id\":" { id[++n] = value($0) }
        $1 == "\"name\":" { name[n] = value($0) }
        $1 == "\"seed\":" {
            if (name[n] == "") name[n] = value($0)
            count[name[n]]++
        }
        END { for (i = 1; i <= n; i++) print (count[name[i]] > 1 ? id[i] : name[i]) }'
end
function __xen_ramdisk_fenced
    xm-ramdisk fence --list 2>/dev/null | grep -v nothing
end
function __xen_ramdisk_release
    xm-ramdisk interface list --csv 2>/dev/null | sed '1d; s/,.*//'
end
function __xen_ramdisk_vdev
    printf '%s\n' xvdb xvdc xvdd xvde xvdf
end
