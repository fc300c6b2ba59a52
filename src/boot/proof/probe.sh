# Tells what the guest is made of, a fact per line: a key, a space, the value. Reads only; knows no program but what a
# small system has. What stands between @ is filled in: the key of the config drive, the file of its user data.
LC_ALL=C; export LC_ALL
PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH
say() { printf '%s\n' "$*"; }
line() { [ -r "$1" ] && tr -d '\n' <"$1"; }
name() { readlink "$1" | sed 's,.*/,,'; }

# From a device up to its PCI function.
ups() {
  p=$1
  while [ -n "$p" ] && [ "$p" != /sys/devices ]; do
    if [ -f "$p/vendor" ] && [ -f "$p/device" ] && [ -f "$p/class" ]; then
      say "root.pci $(line "$p/vendor") $(line "$p/device") ${p##*/}"
    fi
    if [ -e "$p/driver" ]; then say "root.driver $(name "$p/driver")"; fi
    if [ -r "$p/serial" ]; then say "root.serial $(line "$p/serial")"; fi
    p=${p%/*}
  done
}
while read -r _ _ number _ at rest; do
  if [ "$at" = / ]; then root_number=$number; root_rest=$rest; fi
done </proc/self/mountinfo
root=${root_rest#* - }
type=${root%% *}; root=${root#* }
source=${root%% *}; options=${root#* }
say "root.type $type"
say "root.source $source"
say "root.options ${root_rest%% *},$options"
path=$(readlink -f "/sys/dev/block/$root_number")
if [ ! -e "$path" ]; then
  source=$(readlink -f "$source")
  path=$(readlink -f "/sys/class/block/${source##*/}")
fi
depth=0
while [ -d "$path/slaves" ] && [ $depth -lt 8 ]; do
  set -- "$path"/slaves/*
  [ -e "$1" ] || break
  path=$(readlink -f "$1"); depth=$((depth + 1))
done
say "root.path $path"
ups "$path"

say "cpus $(grep -c '^processor' /proc/cpuinfo)"
for n in /sys/class/net/*; do
  [ -e "$n/device/driver" ] || continue
  count=0
  for q in "$n"/queues/rx-*; do [ -e "$q" ] && count=$((count + 1)); done
  say "net $(name "$n/device/driver") $count ${n##*/}"
done
for w in /sys/class/watchdog/*; do
  [ -e "$w" ] || continue
  state=$(line "$w/state"); timeout=$(line "$w/timeout")
  say "watchdog ${w##*/} ${state:-?} ${timeout:-?} $(line "$w/identity")"
done
# Who has one open: a line with the process, then one for each of its files.
ls -l /proc/[0-9]*/fd 2>/dev/null |
  sed -n 's,^/proc/\([0-9]*\)/fd:$,\1,p; s,^.* -> \(/dev/watchdog[0-9]*\)$,\1,p' |
  while read -r found; do
    case $found in
      /*) say "watchdog.open ${found#/dev/} $(line "/proc/$pid/comm")" ;;
      *) pid=$found ;;
    esac
  done

say "kernel $(uname -r)"
say "os $(. /etc/os-release 2>/dev/null; printf '%s %s' "$ID" "$VERSION_ID")"
say "boot-id $(line /proc/sys/kernel/random/boot_id)"
say "machine-id $(line /etc/machine-id)"
begun=$(sed -n 's/^btime //p' /proc/stat)
for k in /etc/ssh/ssh_host_*_key.pub; do
  [ -r "$k" ] || continue
  say "hostkey ${k##*/} $(cut -d' ' -f2 <"$k")"
  made=$(stat -c %Y "$k" 2>/dev/null) || continue
  if [ "$made" -lt "$begun" ]; then say "hostkey.old ${k##*/}"; else say "hostkey.new ${k##*/}"; fi
done
for t in /proc/net/tcp /proc/net/tcp6; do
  [ -r "$t" ] && grep -q '^ *[0-9]*: [0-9A-F]*:0016 [0-9A-F]*:0000 0A' "$t" && say "listens 22"
done
say "fstrim.timer $(systemctl is-enabled fstrim.timer 2>/dev/null) $(systemctl is-active fstrim.timer 2>/dev/null)"

say "system $(systemctl is-system-running 2>/dev/null)"
say "cloud-init.result $(line /run/cloud-init/result.json)"
say "cloud-init.instance $(line /var/lib/cloud/data/instance-id)"
say "cloud-init.mark $(line @MARK@)"
while IFS=: read -r user _ _ _ _ home _; do
  [ -r "$home/.ssh/authorized_keys" ] && grep -qF '@KEY@' "$home/.ssh/authorized_keys" && say "authorized $user"
done </etc/passwd
say "end"
