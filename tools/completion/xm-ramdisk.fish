# SPDX-License-Identifier: BSD-2-Clause
#
# fish completion for xm-ramdisk. Written by build-aux/completions from the help texts: change
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

complete -c xm-ramdisk -f
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a attach -d 'attach a seed\'s RAM disk to a domain'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a detach -d 'detach it; the last detach discards what was written'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a list -d 'show the disks and their attachments'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a show -d 'show one disk in detail'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a top -d 'show the load of each attachment, again and again'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a watch -d 'print events of disks and attachments as they happen'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a metrics -d 'print the counters for Prometheus'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a load -d 'load a seed and keep it until it is dropped'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a drop -d 'stop keeping a disk'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a reset -d 'load a disk\'s seed again, in place'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a point -d 'take a point of a disk, one moment of it'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a rollback -d 'bring a point\'s contents back, in place'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a save -d 'write a consistent copy of a disk to a file'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a diff -d 'show where a disk differs from its seed'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a fault -d 'make a domain\'s requests slow, or hang, or fail'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a hotplug -d 'the work of block-ramdisk, the toolstacks\' script'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a serve -d 'serve disks over NBD, with or without Xen'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a fence -d 'cut another host off from the disks served here'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a interface -d 'show and compare Xen\'s interface versions'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -a help -d 'show the arguments and options of a subcommand'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1' -l version -d 'print the version'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l name -r -f -d 'a disk of that name, separate from others of the same seed'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l fresh -d 'the disk of the file that SEED is now, although a disk of an earlier file of that path is still loaded'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l thin -d 'take memory when it is written to, not all of it at once'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l lazy -d 'do not wait for the load'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l keep -d 'keep the disk after the last detach, until drop'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l private -d 'a copy-on-write view of DOMAIN\'s own, gone at its detach'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l point -r -f -d 'the disk as of this point'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l sector-size -r -f -a '512 4096' -d 'logical sector that DOMAIN sees'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l timeout -r -f -d 'for DOMAIN\'s frontend to connect'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l no-wait -d 'do not wait for the frontend'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l remote -d 'SEED is nbd://HOST/DISK or the like'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l backend -r -f -d 'xen-ramdiskd of this driver domain serves the disk'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l toolstack -r -f -a 'direct xl xm' -d 'instead of the first that this host has'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l dry-run -d 'print the toolstack, the reason for it, and what it would run or write'
complete -c xm-ramdisk -n '__xen_ramdisk_in attach' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 attach' -a '(__xen_ramdisk_domain)'
complete -c xm-ramdisk -n '__xen_ramdisk_word 2 attach' -F
complete -c xm-ramdisk -n '__xen_ramdisk_word 2 attach' -a '(__xen_ramdisk_disk)'
complete -c xm-ramdisk -n '__xen_ramdisk_word 3 attach' -a '(__xen_ramdisk_vdev)'
complete -c xm-ramdisk -n '__xen_ramdisk_word 4 attach' -a 'r w'
complete -c xm-ramdisk -n '__xen_ramdisk_in detach' -l force -d 'do not ask DOMAIN'
complete -c xm-ramdisk -n '__xen_ramdisk_in detach' -l timeout -r -f -d 'for DOMAIN\'s frontend to close the device'
complete -c xm-ramdisk -n '__xen_ramdisk_in detach' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 detach' -a '(__xen_ramdisk_domain)'
complete -c xm-ramdisk -n '__xen_ramdisk_word 2 detach' -a '(__xen_ramdisk_attached)'
complete -c xm-ramdisk -n '__xen_ramdisk_in list' -l json -d 'the same, for programs'
complete -c xm-ramdisk -n '__xen_ramdisk_in list' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_in show' -l json -d 'the same, for programs'
complete -c xm-ramdisk -n '__xen_ramdisk_in show' -l debug -d 'as --json, and the journal that each worker keeps of its requests'
complete -c xm-ramdisk -n '__xen_ramdisk_in show' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 show' -a '(__xen_ramdisk_disk)'
complete -c xm-ramdisk -n '__xen_ramdisk_in top' -l once -d 'one picture, after one second'
complete -c xm-ramdisk -n '__xen_ramdisk_in top' -l json -d 'for programs'
complete -c xm-ramdisk -n '__xen_ramdisk_in top' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_in watch' -l json -d 'for programs'
complete -c xm-ramdisk -n '__xen_ramdisk_in watch' -l until -r -f -d 'end after the first such event'
complete -c xm-ramdisk -n '__xen_ramdisk_in watch' -l count -r -f -d 'end after N events'
complete -c xm-ramdisk -n '__xen_ramdisk_in watch' -l timeout -r -f -d 'end then'
complete -c xm-ramdisk -n '__xen_ramdisk_in watch' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_in metrics' -l format -r -f -d 'openmetrics, the default'
complete -c xm-ramdisk -n '__xen_ramdisk_in metrics' -l output -r -F -d 'write FILE, readable for everyone, in the place of an earlier one, so that readers see the old or the new one'
complete -c xm-ramdisk -n '__xen_ramdisk_in metrics' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_in load' -l name -r -f -d 'a disk of that name, separate from others of the same seed'
complete -c xm-ramdisk -n '__xen_ramdisk_in load' -l fresh -d 'the disk of the file that SEED is now, although a disk of an earlier file of that path is still loaded'
complete -c xm-ramdisk -n '__xen_ramdisk_in load' -l thin -d 'take memory when it is written to, not all of it at once'
complete -c xm-ramdisk -n '__xen_ramdisk_in load' -l lazy -d 'do not wait for the load'
complete -c xm-ramdisk -n '__xen_ramdisk_in load' -l all -d 'load every disk of FILE that is not loaded, and keep it'
complete -c xm-ramdisk -n '__xen_ramdisk_in load' -l check -d 'load nothing'
complete -c xm-ramdisk -n '__xen_ramdisk_in load' -l served -d 'print the names of the disks of FILE that have the option serve'
complete -c xm-ramdisk -n '__xen_ramdisk_in load' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 load' -F
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 load' -a '(__xen_ramdisk_disk)'
complete -c xm-ramdisk -n '__xen_ramdisk_in drop' -l saved -d 'instead, end the attachments of domains that are not there'
complete -c xm-ramdisk -n '__xen_ramdisk_in drop' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 drop' -a '(__xen_ramdisk_disk)'
complete -c xm-ramdisk -n '__xen_ramdisk_in reset' -l force -d 'also while it is attached for writing'
complete -c xm-ramdisk -n '__xen_ramdisk_in reset' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 reset' -a '(__xen_ramdisk_disk)'
complete -c xm-ramdisk -n '__xen_ramdisk_in point' -l drop -d 'drop the point, and free what only it needs'
complete -c xm-ramdisk -n '__xen_ramdisk_in point' -l list -d 'show the points, the oldest first'
complete -c xm-ramdisk -n '__xen_ramdisk_in point' -l json -d 'the same, for programs'
complete -c xm-ramdisk -n '__xen_ramdisk_in point' -l every -r -f -d 'take points named every-DATE until a signal ends the command'
complete -c xm-ramdisk -n '__xen_ramdisk_in point' -l on-crash -d 'take a point named crash-DOMAIN-DATE when a domain that has the disk crashes, until a signal ends the command'
complete -c xm-ramdisk -n '__xen_ramdisk_in point' -l keep -r -f -d 'drop the oldest points of these names when there are more than N'
complete -c xm-ramdisk -n '__xen_ramdisk_in point' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 point' -a '(__xen_ramdisk_disk)'
complete -c xm-ramdisk -n '__xen_ramdisk_in rollback' -l force -d 'also while it is attached for writing'
complete -c xm-ramdisk -n '__xen_ramdisk_in rollback' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 rollback' -a '(__xen_ramdisk_disk)'
complete -c xm-ramdisk -n '__xen_ramdisk_in save' -l point -r -f -d 'the disk as of this point'
complete -c xm-ramdisk -n '__xen_ramdisk_in save' -l force -d 'replace FILE if it exists'
complete -c xm-ramdisk -n '__xen_ramdisk_in save' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 save' -a '(__xen_ramdisk_disk)'
complete -c xm-ramdisk -n '__xen_ramdisk_word 2 save' -F
complete -c xm-ramdisk -n '__xen_ramdisk_in diff' -l from -r -f -d 'compare with this point, not with the seed'
complete -c xm-ramdisk -n '__xen_ramdisk_in diff' -l to -r -f -d 'compare two points, not the disk as it is'
complete -c xm-ramdisk -n '__xen_ramdisk_in diff' -l json -d 'the same, for programs'
complete -c xm-ramdisk -n '__xen_ramdisk_in diff' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 diff' -a '(__xen_ramdisk_disk)'
complete -c xm-ramdisk -n '__xen_ramdisk_in fault' -l error -r -f -a 'read write all none' -d 'requests end with an I/O error'
complete -c xm-ramdisk -n '__xen_ramdisk_in fault' -l ratio -r -f -d 'only that share of them, from 0.0001'
complete -c xm-ramdisk -n '__xen_ramdisk_in fault' -l range -r -f -d 'only those that touch these bytes'
complete -c xm-ramdisk -n '__xen_ramdisk_in fault' -l delay -r -f -d 'wait before a request is carried out'
complete -c xm-ramdisk -n '__xen_ramdisk_in fault' -l jitter -r -f -d 'wait up to so much longer, at random'
complete -c xm-ramdisk -n '__xen_ramdisk_in fault' -l freeze -d 'let all requests wait'
complete -c xm-ramdisk -n '__xen_ramdisk_in fault' -l thaw -d 'carry them out'
complete -c xm-ramdisk -n '__xen_ramdisk_in fault' -l write-protect -d 'refuse writes and discards'
complete -c xm-ramdisk -n '__xen_ramdisk_in fault' -l writable -d 'accept them'
complete -c xm-ramdisk -n '__xen_ramdisk_in fault' -l iops -r -f -d 'requests a second at most'
complete -c xm-ramdisk -n '__xen_ramdisk_in fault' -l bandwidth -r -f -d 'bytes a second at most'
complete -c xm-ramdisk -n '__xen_ramdisk_in fault' -l clear -d 'remove all that was set before'
complete -c xm-ramdisk -n '__xen_ramdisk_in fault' -l json -d 'show what is set, for programs'
complete -c xm-ramdisk -n '__xen_ramdisk_in fault' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 fault' -a '(__xen_ramdisk_disk)'
complete -c xm-ramdisk -n '__xen_ramdisk_word 2 fault' -a '(__xen_ramdisk_domain)'
complete -c xm-ramdisk -n '__xen_ramdisk_in hotplug' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 hotplug' -a 'add remove clean watch'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l name -r -f -d 'a disk of that name, separate from others of the same seed'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l fresh -d 'the disk of the file that SEED is now, although a disk of an earlier file of that path is still loaded'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l thin -d 'take memory when it is written to, not all of it at once'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l lazy -d 'do not wait for the load'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l keep -d 'keep the disk when the server ends, until drop'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l private -d 'each client gets a copy-on-write view of its own'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l read-only -d 'clients cannot write'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l discard -d 'discard what was written whenever the last client disconnects'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l socket -r -F -d 'the Unix socket'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l tcp -d 'listen on TCP'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l tls-certificates -r -f -a '(__fish_complete_directories)' -d 'ca-cert.pem, server-cert.pem, server-key.pem'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l tls-psk -r -F -d 'pre-shared keys of users, made with psktool'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l insecure -d 'no TLS'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l make-tls -r -f -a '(__fish_complete_directories)' -d 'make these certificates, and clients\', and serve nothing'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l threads -r -f -d 'requests of one client that nbdkit runs at once'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l connections -r -f -d 'connections of one client, at most'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l background -d 'return when the server is ready'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l pid-file -r -F -d 'write the server\'s process id to FILE when it is ready'
complete -c xm-ramdisk -n '__xen_ramdisk_in serve' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1+ serve' -F
complete -c xm-ramdisk -n '__xen_ramdisk_word 1+ serve' -a '(__xen_ramdisk_disk)'
complete -c xm-ramdisk -n '__xen_ramdisk_in fence' -l lift -d 'let the host connect again'
complete -c xm-ramdisk -n '__xen_ramdisk_in fence' -l list -d 'show the addresses that are fenced'
complete -c xm-ramdisk -n '__xen_ramdisk_in fence' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 fence' -a '(__xen_ramdisk_fenced)'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 interface' -a list -d 'every release and its versions'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 interface' -a show -d 'one release'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 interface' -a of -d 'versions of a tree, tarball, header or program'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 interface' -a running -d 'versions of this host\'s hypervisor and libraries'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 interface' -a check -d 'does a program built for BUILT work on ON'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface list' -s c -l changes -d 'print the changes of the interface, with their commits, instead'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface list' -s j -l json -d 'print JSON'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface list' -s C -l csv -d 'print CSV'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface list' -s s -l svg -r -F -d 'draw the time line'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface list' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface show' -s j -l json -d 'print JSON'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface show' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 interface show' -a '(__xen_ramdisk_release)'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface of' -s j -l json -d 'print JSON'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface of' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 interface of' -F
complete -c xm-ramdisk -n '__xen_ramdisk_in interface running' -s j -l json -d 'print JSON'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface running' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface check' -s g -l guest -d 'the guest interface counts for the verdict'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface check' -s t -l tools -d 'domctl and sysctl, which tools call, count'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface check' -s s -l source -d 'compiling against ON\'s headers counts'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface check' -s j -l json -d 'print JSON'
complete -c xm-ramdisk -n '__xen_ramdisk_in interface check' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 interface check' -a '(__xen_ramdisk_release)'
complete -c xm-ramdisk -n '__xen_ramdisk_word 2 interface check' -a '(__xen_ramdisk_release)'
complete -c xm-ramdisk -n '__xen_ramdisk_in help' -l help -d 'print the arguments and options'
complete -c xm-ramdisk -n '__xen_ramdisk_word 1 help' -a 'attach detach list show top watch metrics load drop reset point rollback save diff fault hotplug serve fence interface'
