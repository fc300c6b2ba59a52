//! The root disk: what it hangs on, and whether what is freed on it goes back.

use super::probe::Probe;
use super::session::clipped;
use super::{Needs, Proof, Seen, Session, Standing, Turn};
use crate::limits::MIB;
use serde_json::{Value, json};
use std::thread;
use std::time::{Duration, Instant};

pub(super) const ROOT_ON_BUS: Proof = Proof {
    id: "root-on-bus",
    summary: "the root file system is on the disk that hangs on the promised controller",
    decides: &[
        "initrd-virtio-scsi",
        "initrd-virtio-blk",
        "initrd-virtio-pci",
        "initrd-module-closure",
        "initrd-kernel-match",
        "initrd-root-filesystem",
        "module-not-blacklisted",
        "cmdline-root-stable",
        "cmdline-root-resolves",
    ],
    needs: Needs::Nothing,
    turn: Turn::Up,
    run: root_on_bus,
};

pub(super) const TRIM: Proof = Proof {
    id: "trim-frees-blocks",
    summary: "blocks of deleted files go back to the storage, by the mount option or by fstrim alone",
    decides: &["trim-enabled"],
    needs: Needs::Nothing,
    turn: Turn::Up,
    run: trim,
};

/// PCI ids of QEMU's device, transitional and modern (virtio 1.2, 4.1.2.1 and 5), and the driver of Linux.
fn identity(driver: &str) -> Option<([u64; 2], &'static str)> {
    match driver {
        "virtio-scsi-pci" => Some(([0x1004, 0x1048], "virtio_scsi")),
        "virtio-blk-pci" => Some(([0x1001, 0x1042], "virtio_blk")),
        _ => None,
    }
}

/// Red Hat's PCI vendor id, under which all virtio devices are.
const VIRTIO: u64 = 0x1af4;

/// Names such as sda are not asked for: they change from boot to boot.
fn root_on_bus(session: &mut Session<'_>) -> Seen {
    let Some((devices, driver)) = identity(session.terms.root_driver) else {
        return Ok(Standing::NotApplicable("the root disk's bus is none of virtio's".to_owned()));
    };
    let (ids, told) = match session.probe() {
        Ok(probe) => sysfs(probe).ok_or_else(|| format!("no PCI device above {:?}", probe.first("root.path")))?,
        Err(refusal) => fsinfo(session).map_err(|reason| format!("{refusal}; {reason}"))?,
    };
    let is_it = ids.iter().any(|(vendor, device)| *vendor == VIRTIO && devices.contains(device));
    let names: Vec<String> = ids.iter().map(|(vendor, device)| format!("{vendor:04x}:{device:04x}")).collect();
    let evidence = format!("root on {}, {told}", names.join(" below "));
    let expected = devices.map(|device| format!("{VIRTIO:04x}:{device:04x}")).join(" or ");
    Ok(if is_it {
        Standing::Proved(evidence)
    } else {
        Standing::Disproved(format!("{evidence}; expected {expected} ({driver})"))
    })
}

/// Vendor and device of the PCI functions above the root file system, nearest first.
type Above = (Vec<(u64, u64)>, String);

fn sysfs(probe: &Probe) -> Option<Above> {
    let hexadecimal = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let id = |line: &String| {
        let mut words = line.split(' ');
        Some((hexadecimal(words.next()?)?, hexadecimal(words.next()?)?))
    };
    // Above the controller itself are only ports and bridges.
    let ids: Vec<(u64, u64)> = probe.all("root.pci").iter().filter_map(id).take(1).collect();
    let drivers = probe.all("root.driver").join(" on ");
    let serial = probe.first("root.serial").map(|serial| format!(", serial {serial}")).unwrap_or_default();
    let address = probe.first("root.path").and_then(scsi_address).unwrap_or_default();
    (!ids.is_empty()).then(|| (ids, clipped(&format!("{address}driver {drivers}{serial}"))))
}

/// `scsi 0:0:0:0, ` of a path with `/2:0:0:0/` in it: channel, target and unit are the machine's, the host number is not.
fn scsi_address(path: &str) -> Option<String> {
    let is_address = |part: &&str| part.split(':').count() == 4 && part.split(':').all(|n| n.parse::<u32>().is_ok());
    path.split('/').find(is_address).map(|address| format!("scsi {address}, "))
}

/// The same from the agent alone: the address of the controller, and QEMU's own word for what is there.
fn fsinfo(session: &mut Session<'_>) -> Result<Above, String> {
    let found = session.ask("guest-get-fsinfo", Value::Null).map_err(|failure| failure.to_string())?;
    let root = found.as_array().into_iter().flatten().find(|row| row.get("mountpoint") == Some(&json!("/")));
    let disk = root.and_then(|root| root.pointer("/disk/0")).ok_or("guest-get-fsinfo names no disk of /")?;
    let number = |name: &str| disk.pointer(&format!("/pci-controller/{name}")).and_then(Value::as_i64);
    let (Some(bus), Some(slot), Some(function)) = (number("bus"), number("slot"), number("function")) else {
        return Err("guest-get-fsinfo names no PCI address of the disk of /".to_owned());
    };
    let buses = session.host.execute("query-pci", Value::Null).map_err(|error| error.to_string())?;
    let id = find_pci(&buses, bus, slot, function)
        .ok_or_else(|| format!("QEMU has no PCI device at bus {bus}, slot {slot}, function {function}"))?;
    let text = |name: &str| disk.get(name).and_then(Value::as_str).unwrap_or("none");
    Ok((vec![id], clipped(&format!("bus {}, serial {}, by guest-get-fsinfo", text("bus-type"), text("serial")))))
}

/// The ids of the function at this address, in the tree of `query-pci`.
fn find_pci(tree: &Value, bus: i64, slot: i64, function: i64) -> Option<(u64, u64)> {
    tree.as_array()?.iter().find_map(|branch| {
        let own = branch.get("bus").or_else(|| branch.pointer("/bus/number")).and_then(Value::as_i64);
        branch.get("devices")?.as_array()?.iter().find_map(|device| {
            let number = |name: &str| device.get(name).and_then(Value::as_i64);
            let is_here = own == Some(bus) && number("slot") == Some(slot) && number("function") == Some(function);
            let id = |name: &str| device.pointer(&format!("/id/{name}")).and_then(Value::as_u64);
            if is_here {
                return id("vendor").zip(id("device"));
            }
            let bridge = device.get("pci_bridge")?;
            let below = json!([{ "bus": bridge.pointer("/bus/number"), "devices": bridge.get("devices") }]);
            find_pci(&below, bus, slot, function)
        })
    })
}

/// What is written and deleted: far more than a quiet guest writes meanwhile.
const SIZE: u64 = 64 * MIB;
/// Where: on the root file system, whatever else is mounted.
const FILE: &str = "/bootworthy-trim";

/// Two rounds: as the image mounts it, and without the mount option, by fstrim alone.
fn trim(session: &mut Session<'_>) -> Seen {
    let (options, timer) = {
        let probe = session.probe()?;
        let options = probe.first("root.options").unwrap_or_default().to_owned();
        (options, probe.first("fstrim.timer").unwrap_or_default().to_owned())
    };
    let is_online = options.split(',').any(|option| option == "discard" || option.starts_with("discard="));
    let is_timed = timer.split(' ').any(|word| word == "active");
    let at_once = if is_online {
        let written = round(session, "", true)?;
        Some(freed(session, written, 30)?)
    } else {
        None
    };
    // Where the first file's blocks stayed, the second takes them again.
    let must_grow = at_once.is_none_or(|bytes| bytes >= SIZE / 2);
    // Remounted so for the second round only; what it was comes back.
    let unset = if is_online { "mount -o remount,nodiscard / &&" } else { "" };
    let written = round(session, unset, must_grow)?;
    let kept = session.host.allocated().map_err(|error| error.to_string())?;
    let was_kept = written.saturating_sub(kept) < SIZE / 2;
    let trimmed = session.command("fstrim /", session.patience(60));
    let after = freed(session, written, 5)?;
    if is_online {
        drop(session.command("mount -o remount,discard /", session.patience(10)));
    }
    let by_fstrim = trimmed.is_ok() && after >= SIZE / 2;
    let unmaps = unmaps(session)
        .filter(|count| *count > 0)
        .map(|count| format!("; {count} unmap operations"))
        .unwrap_or_default();
    let mib = |bytes: u64| bytes / MIB;
    let told = |how: &str, bytes: u64| format!("{how} freed {} of {} MiB in the overlay", mib(bytes), mib(SIZE));
    let alone = if was_kept { "fstrim alone" } else { "fstrim, or the kernel by itself," };
    let second = match &trimmed {
        Ok(_) => told(alone, after),
        Err(reason) => format!("fstrim fails: {reason}"),
    };
    Ok(match at_once {
        Some(bytes) if bytes >= SIZE / 2 => {
            Standing::Proved(format!("{}; {second}{unmaps}", told("the mount option discard", bytes)))
        }
        _ if by_fstrim && is_timed => Standing::Proved(format!("{second}, and fstrim.timer is active{unmaps}")),
        Some(bytes) => Standing::Disproved(format!("{}; {second}{unmaps}", told("the mount option discard", bytes))),
        None if by_fstrim => Standing::Disproved(format!(
            "/ is mounted without discard and fstrim.timer is not active ({}), so nothing frees; by hand {second}",
            if timer.is_empty() { "not there" } else { timer.as_str() }
        )),
        None => Standing::Disproved(format!("{second}{unmaps}")),
    })
}

/// Writes, measures, deletes; gives what the overlay took while the file was there.
fn round(session: &mut Session<'_>, before: &str, must_grow: bool) -> Result<u64, String> {
    let patience = session.patience(60);
    let size = SIZE;
    let room = session.command("df -Pk / | tail -n 1 | tr -s ' ' | cut -d' ' -f4", patience)?;
    let room = room.trim().parse::<u64>().unwrap_or(0).saturating_mul(1024);
    if room < size.saturating_mul(2) {
        return Err(format!("not provable: / has room for {} MiB only", room / MIB));
    }
    let start = session.host.allocated().map_err(|error| error.to_string())?;
    session.command(&format!("{before} head -c {size} /dev/zero | tr '\\0' x >{FILE} && sync"), patience)?;
    let written = session.host.allocated().map_err(|error| error.to_string())?;
    session.command(&format!("rm {FILE} && sync"), patience)?;
    if must_grow && written.saturating_sub(start) < size / 2 {
        return Err(format!(
            "the overlay grew by {} MiB only when {} were written",
            written.saturating_sub(start) / MIB,
            size / MIB
        ));
    }
    Ok(written)
}

/// Waits until the overlay has become smaller by most of the file, a few seconds at most: xfs and btrfs free later.
fn freed(session: &mut Session<'_>, written: u64, seconds: u64) -> Result<u64, String> {
    let deadline = crate::boot::agent::deadline(Duration::from_secs(seconds));
    loop {
        let now = session.host.allocated().map_err(|error| error.to_string())?;
        let freed = written.saturating_sub(now);
        if freed >= SIZE / 2 || Instant::now() >= deadline {
            return Ok(freed);
        }
        thread::sleep(Duration::from_millis(500));
    }
}

/// How often the guest told the disks to forget something.
fn unmaps(session: &mut Session<'_>) -> Option<u64> {
    let found = session.host.execute("query-blockstats", Value::Null).ok()?;
    let count = |row: &Value| row.pointer("/stats/unmap_operations").and_then(Value::as_u64);
    Some(found.as_array()?.iter().filter_map(count).fold(0, u64::saturating_add))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_root_hangs_on() {
        let output = "root.path /sys/devices/pci0000:00/0000:00:04.0/virtio1/host2/target2:0:0/2:0:0:0/block/sda/sda1\n\
                      root.driver sd\nroot.driver virtio_scsi\nroot.pci 0x1af4 0x1004 0000:00:04.0\nroot.driver virtio-pci\n\
                      root.pci 0x1b36 0x000c 0000:00:02.0\nend\n";
        let (ids, told) = sysfs(&Probe::parse(output).unwrap()).unwrap();
        assert_eq!(ids, [(0x1af4, 0x1004)]);
        assert_eq!(told, "scsi 2:0:0:0, driver sd on virtio_scsi on virtio-pci");
        assert_eq!(sysfs(&Probe::parse("root.path /sys/devices/virtual\nend\n").unwrap()), None);
    }

    #[test]
    fn pci_functions_are_found_behind_bridges() {
        let id = json!({ "vendor": 0x1af4, "device": 0x1048 });
        let tree = json!([{ "bus": 0, "devices": [
            { "bus": 0, "slot": 1, "function": 0, "id": { "vendor": 1, "device": 2 } },
            { "bus": 0, "slot": 2, "function": 0, "id": { "vendor": 0x1b36, "device": 12 }, "pci_bridge": {
                "bus": { "number": 3 }, "devices": [{ "bus": 3, "slot": 0, "function": 0, "id": id }] } },
        ] }]);
        assert_eq!(find_pci(&tree, 3, 0, 0), Some((0x1af4, 0x1048)));
        assert_eq!(find_pci(&tree, 0, 1, 0), Some((1, 2)));
        assert_eq!(find_pci(&tree, 1, 0, 0), None);
    }
}
