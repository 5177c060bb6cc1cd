#compdef xm-ramdisk
# SPDX-License-Identifier: BSD-2-Clause
#
# zsh completion for xm-ramdisk. Written by build-aux/completions from the help texts: change
# those, or build-aux/completions and tools/completion/helpers.zsh, and run `make completions`.

_xen_ramdisk_lines() { # DESCRIPTION: a line of standard input each
	local -a lines=("${(@f)$(cat)}")
	[[ -n $lines ]] && compadd -X "$1" -a lines
}
_xen_ramdisk_domain() {
	xl list 2>/dev/null | awk 'NR > 1 { print $1 }' | _xen_ramdisk_lines domain
}
_xen_ramdisk_attached() {
	xm-ramdisk list --json 2>/dev/null | awk '$1 == "\"vdev\":" { gsub(/[",]/, "", $2); print $2 }' |
		sort -u | _xen_ramdisk_lines vdev
}
# Names of disks; ids instead of those that two disks have.
_xen_ramdisk_disk() {
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
		END { for (i = 1; i <= n; i++) print (count[name[i]] > 1 ? id[i] : name[i]) }' | _xen_ramdisk_lines disk
}
_xen_ramdisk_fenced() {
	xm-ramdisk fence --list 2>/dev/null | grep -v nothing | _xen_ramdisk_lines address
}
_xen_ramdisk_release() {
	xm-ramdisk interface list --csv 2>/dev/null | sed '1d; s/,.*//' | _xen_ramdisk_lines release
	_files
}
_xen_ramdisk_vdev() { compadd xvdb xvdc xvdd xvde xvdf }
_xen_ramdisk_file() { _files }
_xen_ramdisk_directory() { _files -/ }
_xen_ramdisk_seed() {
	_xen_ramdisk_disk
	_files
}

_xm_ramdisk() {
	local curcontext=$curcontext context state state_descr line
	typeset -A opt_args
	case $1 in
	'')
		_arguments -s -C \
			'--help[print the arguments and options]' \
			'--version[print the version]' \
			'(-): :->subcommand' \
			'(-)*:: :->arguments'
		case $state in
		subcommand) local -a rows=('attach:attach a seed'\''s RAM disk to a domain' 'detach:detach it; the last detach discards what was written' 'list:show the disks and their attachments' 'show:show one disk in detail' 'top:show the load of each attachment, again and again' 'watch:print events of disks and attachments as they happen' 'metrics:print the counters for Prometheus' 'load:load a seed and keep it until it is dropped' 'drop:stop keeping a disk' 'reset:load a disk'\''s seed again, in place' 'point:take a point of a disk, one moment of it' 'rollback:bring a point'\''s contents back, in place' 'save:write a consistent copy of a disk to a file' 'diff:show where a disk differs from its seed' 'fault:make a domain'\''s requests slow, or hang, or fail' 'hotplug:the work of block-ramdisk, the toolstacks'\'' script' 'serve:serve disks over NBD, with or without Xen' 'fence:cut another host off from the disks served here' 'interface:show and compare Xen'\''s interface versions' 'help:show the arguments and options of a subcommand')
			_describe subcommand rows ;;
		arguments) _xm_ramdisk "${1:+$1 }$words[1]" ;;
		esac
		;;
	'attach')
		_arguments -s -C \
			'--name=[a disk of that name, separate from others of the same seed]:NAME:' \
			'--fresh[the disk of the file that SEED is now, although a disk of an earlier file of that path is still loaded]' \
			'--thin[take memory when it is written to, not all of it at once]' \
			'--lazy[do not wait for the load]' \
			'--keep[keep the disk after the last detach, until drop]' \
			'--private[a copy-on-write view of DOMAIN'\''s own, gone at its detach]' \
			'--point=[the disk as of this point]:POINT:' \
			'--sector-size=[logical sector that DOMAIN sees]:512|4096:(512 4096)' \
			'--timeout=[for DOMAIN'\''s frontend to connect]:SECONDS:' \
			'--no-wait[do not wait for the frontend]' \
			'--remote=-[SEED is nbd\://HOST/DISK or the like]::SECONDS:' \
			'--backend=[xen-ramdiskd of this driver domain serves the disk]:DOMAIN:' \
			'--toolstack=[instead of the first that this host has]:direct|xl|xm:(direct xl xm)' \
			'--dry-run[print the toolstack, the reason for it, and what it would run or write]' \
			'--help[print the arguments and options]' \
			'1:domain:_xen_ramdisk_domain' \
			'2:seed:_xen_ramdisk_seed' \
			'3:vdev:_xen_ramdisk_vdev' \
			'4:r|w:(r w)'
		;;
	'detach')
		_arguments -s -C \
			'--force[do not ask DOMAIN]' \
			'--timeout=[for DOMAIN'\''s frontend to close the device]:SECONDS:' \
			'--help[print the arguments and options]' \
			'1:domain:_xen_ramdisk_domain' \
			'2:attached:_xen_ramdisk_attached'
		;;
	'list')
		_arguments -s -C \
			'--json[the same, for programs]' \
			'--help[print the arguments and options]'
		;;
	'show')
		_arguments -s -C \
			'--json[the same, for programs]' \
			'--debug[as --json, and the journal that each worker keeps of its requests]' \
			'--help[print the arguments and options]' \
			'1:disk:_xen_ramdisk_disk'
		;;
	'top')
		_arguments -s -C \
			'--once[one picture, after one second]' \
			'--json[for programs]' \
			'--help[print the arguments and options]'
		;;
	'watch')
		_arguments -s -C \
			'--json[for programs]' \
			'--until=[end after the first such event]:EVENT:' \
			'--count=[end after N events]:N:' \
			'--timeout=[end then]:SECONDS:' \
			'--help[print the arguments and options]'
		;;
	'metrics')
		_arguments -s -C \
			'--format=[openmetrics, the default]:FORMAT:' \
			'--output=[write FILE, readable for everyone, in the place of an earlier one, so that readers see the old or the new one]:FILE:_xen_ramdisk_file' \
			'--help[print the arguments and options]'
		;;
	'load')
		_arguments -s -C \
			'--name=[a disk of that name, separate from others of the same seed]:NAME:' \
			'--fresh[the disk of the file that SEED is now, although a disk of an earlier file of that path is still loaded]' \
			'--thin[take memory when it is written to, not all of it at once]' \
			'--lazy[do not wait for the load]' \
			'--all[load every disk of FILE that is not loaded, and keep it]' \
			'--check[load nothing]' \
			'--served[print the names of the disks of FILE that have the option serve]' \
			'--help[print the arguments and options]' \
			'1:seed:_xen_ramdisk_seed'
		;;
	'drop')
		_arguments -s -C \
			'--saved[instead, end the attachments of domains that are not there]' \
			'--help[print the arguments and options]' \
			'1:disk:_xen_ramdisk_disk'
		;;
	'reset')
		_arguments -s -C \
			'--force[also while it is attached for writing]' \
			'--help[print the arguments and options]' \
			'1:disk:_xen_ramdisk_disk'
		;;
	'point')
		_arguments -s -C \
			'--drop[drop the point, and free what only it needs]' \
			'--list[show the points, the oldest first]' \
			'--json[the same, for programs]' \
			'--every=[take points named every-DATE until a signal ends the command]:SECONDS:' \
			'--on-crash[take a point named crash-DOMAIN-DATE when a domain that has the disk crashes, until a signal ends the command]' \
			'--keep=[drop the oldest points of these names when there are more than N]:N:' \
			'--help[print the arguments and options]' \
			'1:disk:_xen_ramdisk_disk' \
			'2:none:'
		;;
	'rollback')
		_arguments -s -C \
			'--force[also while it is attached for writing]' \
			'--help[print the arguments and options]' \
			'1:disk:_xen_ramdisk_disk' \
			'2:none:'
		;;
	'save')
		_arguments -s -C \
			'--point=[the disk as of this point]:POINT:' \
			'--force[replace FILE if it exists]' \
			'--help[print the arguments and options]' \
			'1:disk:_xen_ramdisk_disk' \
			'2:file:_xen_ramdisk_file'
		;;
	'diff')
		_arguments -s -C \
			'--from=[compare with this point, not with the seed]:POINT:' \
			'--to=[compare two points, not the disk as it is]:POINT:' \
			'--json[the same, for programs]' \
			'--help[print the arguments and options]' \
			'1:disk:_xen_ramdisk_disk'
		;;
	'fault')
		_arguments -s -C \
			'--error=[requests end with an I/O error]:read|write|all|none:(read write all none)' \
			'--ratio=[only that share of them, from 0.0001]:PERCENT:' \
			'--range=[only those that touch these bytes]:OFF+LEN:' \
			'--delay=[wait before a request is carried out]:MS:' \
			'--jitter=[wait up to so much longer, at random]:MS:' \
			'--freeze[let all requests wait]' \
			'--thaw[carry them out]' \
			'--write-protect[refuse writes and discards]' \
			'--writable[accept them]' \
			'--iops=[requests a second at most]:N:' \
			'--bandwidth=[bytes a second at most]:BYTES:' \
			'--clear[remove all that was set before]' \
			'--json[show what is set, for programs]' \
			'--help[print the arguments and options]' \
			'1:disk:_xen_ramdisk_disk' \
			'2:domain:_xen_ramdisk_domain'
		;;
	'hotplug')
		_arguments -s -C \
			'--help[print the arguments and options]' \
			'1:add|remove|clean|watch:(add remove clean watch)' \
			'2:none:'
		;;
	'serve')
		_arguments -s -C \
			'--name=[a disk of that name, separate from others of the same seed]:NAME:' \
			'--fresh[the disk of the file that SEED is now, although a disk of an earlier file of that path is still loaded]' \
			'--thin[take memory when it is written to, not all of it at once]' \
			'--lazy[do not wait for the load]' \
			'--keep[keep the disk when the server ends, until drop]' \
			'--private[each client gets a copy-on-write view of its own]' \
			'--read-only[clients cannot write]' \
			'--discard[discard what was written whenever the last client disconnects]' \
			'--socket=[the Unix socket]:PATH:_xen_ramdisk_file' \
			'--tcp=-[listen on TCP]::ADDRESS:' \
			'--tls-certificates=[ca-cert.pem, server-cert.pem, server-key.pem]:DIRECTORY:_xen_ramdisk_directory' \
			'--tls-psk=[pre-shared keys of users, made with psktool]:FILE:_xen_ramdisk_file' \
			'--insecure[no TLS]' \
			'--make-tls=[make these certificates, and clients'\'', and serve nothing]:DIRECTORY:_xen_ramdisk_directory' \
			'--threads=[requests of one client that nbdkit runs at once]:N:' \
			'--connections=[connections of one client, at most]:N:' \
			'--background[return when the server is ready]' \
			'--pid-file=[write the server'\''s process id to FILE when it is ready]:FILE:_xen_ramdisk_file' \
			'--help[print the arguments and options]' \
			'*:seed:_xen_ramdisk_seed'
		;;
	'fence')
		_arguments -s -C \
			'--lift[let the host connect again]' \
			'--list[show the addresses that are fenced]' \
			'--help[print the arguments and options]' \
			'1:fenced:_xen_ramdisk_fenced'
		;;
	'interface')
		_arguments -s -C \
			'--help[print the arguments and options]' \
			'(-): :->subcommand' \
			'(-)*:: :->arguments'
		case $state in
		subcommand) local -a rows=('list:every release and its versions' 'show:one release' 'of:versions of a tree, tarball, header or program' 'running:versions of this host'\''s hypervisor and libraries' 'check:does a program built for BUILT work on ON')
			_describe subcommand rows ;;
		arguments) _xm_ramdisk "${1:+$1 }$words[1]" ;;
		esac
		;;
	'interface list')
		_arguments -s -C \
			'--changes[print the changes of the interface, with their commits, instead]' \
			'-c[print the changes of the interface, with their commits, instead]' \
			'--json[print JSON]' \
			'-j[print JSON]' \
			'--csv[print CSV]' \
			'-C[print CSV]' \
			'--svg[draw the time line]:FILE:_xen_ramdisk_file' \
			'-s[draw the time line]:FILE:_xen_ramdisk_file' \
			'--help[print the arguments and options]'
		;;
	'interface show')
		_arguments -s -C \
			'--json[print JSON]' \
			'-j[print JSON]' \
			'--help[print the arguments and options]' \
			'1:release:_xen_ramdisk_release'
		;;
	'interface of')
		_arguments -s -C \
			'--json[print JSON]' \
			'-j[print JSON]' \
			'--help[print the arguments and options]' \
			'1:file:_xen_ramdisk_file'
		;;
	'interface running')
		_arguments -s -C \
			'--json[print JSON]' \
			'-j[print JSON]' \
			'--help[print the arguments and options]'
		;;
	'interface check')
		_arguments -s -C \
			'--guest[the guest interface counts for the verdict]' \
			'-g[the guest interface counts for the verdict]' \
			'--tools[domctl and sysctl, which tools call, count]' \
			'-t[domctl and sysctl, which tools call, count]' \
			'--source[compiling against ON'\''s headers counts]' \
			'-s[compiling against ON'\''s headers counts]' \
			'--json[print JSON]' \
			'-j[print JSON]' \
			'--help[print the arguments and options]' \
			'1:release:_xen_ramdisk_release' \
			'2:release:_xen_ramdisk_release'
		;;
	'help')
		_arguments -s -C \
			'--help[print the arguments and options]' \
			'1:attach|detach|list|show|top|watch|metrics|load|drop|reset|point|rollback|save|diff|fault|hotplug|serve|fence|interface:(attach detach list show top watch metrics load drop reset point rollback save diff fault hotplug serve fence interface)'
		;;
	esac
}
_xm_ramdisk ''
