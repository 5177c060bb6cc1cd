# SPDX-License-Identifier: BSD-2-Clause
#
# fish completion for xen-ramdiskd. Written by build-aux/completions from the help texts: change
# those, or build-aux/completions and tools/completion/helpers.fish, and run `make completions`.

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

complete -c xen-ramdiskd -f
complete -c xen-ramdiskd -s f -l foreground -d 'stay in the foreground, log to stderr'
complete -c xen-ramdiskd -s s -l store -r -f -a '(__fish_complete_directories)' -d 'the store to serve'
complete -c xen-ramdiskd -s l -l log-level -r -f -a 'error warning info debug' -d 'error, warning, info'
complete -c xen-ramdiskd -s p -l poll -r -f -d 'poll a busy ring for up to US microseconds before its queue sleeps'
complete -c xen-ramdiskd -s m -l memory-margin -r -f -d 'memory that no disk takes from this system'
complete -c xen-ramdiskd -l saved-limit -r -f -d 'how long a domain that is saved stays attached to its disks'
complete -c xen-ramdiskd -l no-sandbox -d 'run workers as root, without a system call filter'
complete -c xen-ramdiskd -l stop -d 'close all devices, end the daemon of the store'
complete -c xen-ramdiskd -l live-update -d 'replace the running daemon of the store and its workers by this program, under running guests'
complete -c xen-ramdiskd -l make-store -d 'make the store\'s directory and mount its tmpfs, where they are missing, and exit'
complete -c xen-ramdiskd -s h -l help -d 'print this text'
complete -c xen-ramdiskd -s V -l version -d 'print the version'
