//! The kernel's `virtio_net` drives several queues.

use super::{BOOT_FACTS, BOOT_PATH, Check};
use crate::fact::Gap;
use crate::verdict::boot::{Course, Start, each_entry};
use crate::verdict::{Tally, Weight};

pub(super) const CHECK: Check = Check {
    id: "multiqueue-kernel",
    summary: "the kernel's network driver uses several queues",
    broken: "the kernel's network driver knows one queue only",
    why: "hw_vif_multiqueue_enabled gives the network card one queue per CPU; a driver that knows one leaves the others idle, and all packets of the instance on one CPU.",
    detects: "The version in the header of each boot entry's kernel: virtio_net has several queues since Linux 3.8, and uses them without being told since 4.10; between the two `ethtool -L` sets them.",
    fix: "Install a kernel of version 3.8 or later.",
    family_fixes: &[],
    source: "Linux commit 986a4f4d452d (virtio_net: multiqueue support, December 2012, in 3.8); drivers/net/virtio_net.c (virtnet_probe, \"Enable multiqueue by default\", in 4.10); Nova admin guide, networking (multiqueue)",
    reads: BOOT_FACTS,
    run: |view, tally| each_entry(view, tally, &Course { rule: judge, path: BOOT_PATH, is_fatal: false }),
};

/// The first version with several queues, and the first that uses them by itself.
const FIRST: (u32, u32) = (3, 8);
const AUTOMATIC: (u32, u32) = (4, 10);

fn judge(start: &Start<'_, '_>, tally: &mut Tally) {
    let Some(kernel) = start.kernel() else { return };
    if start.view.need(&kernel.exists) == Some(&false) {
        let found = "this kernel is named by the boot entry and is not in the image";
        return tally.fault(Weight::Full, start.at(kernel.path.clone(), found));
    }
    let Some(text) = start.view.need(&kernel.version) else { return };
    let at = |found: String| start.at(kernel.path.clone(), found);
    match version_of(text) {
        None => start.view.miss(Gap::at(kernel.path.clone(), format!("{text:?} is no version that can be compared"))),
        Some(version) if version < FIRST => {
            tally.fault(Weight::Full, at(format!("the kernel is {text}")).expected("3.8 or later"));
        }
        Some(version) => {
            tally.proof(at(format!("the kernel is {text}")));
            if version < AUTOMATIC {
                tally.note(at(format!(
                    "{text} uses one queue until `ethtool -L eth0 combined N` sets more, at each boot"
                )));
            }
        }
    }
}

/// `6.1.0-56-cloud-amd64` → (6, 1).
pub(super) fn version_of(text: &str) -> Option<(u32, u32)> {
    let (major, rest) = text.split_once('.')?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit());
    let minor = rest.get(..end)?;
    if !is_number(major) || !is_number(minor) {
        return None;
    }
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_kernels() {
        for (text, version) in [
            ("6.1.0-56-cloud-amd64", Some((6, 1))),
            ("6.12.107+deb13-cloud-amd64", Some((6, 12))),
            ("3.10.0-1160.el7.x86_64", Some((3, 10))),
            ("3.0.101-108-default", Some((3, 0))),
            ("4.9", Some((4, 9))),
            ("4.10-rc1", Some((4, 10))),
            ("4", None),
            ("x.1", None),
            ("6.", None),
            ("+6.1", None),
            ("99999999999.1", None),
        ] {
            assert_eq!(version_of(text), version, "{text}");
        }
        assert!(version_of("3.7") < Some(FIRST) && version_of("4.9") < Some(AUTOMATIC));
        assert!(version_of("4.10") >= Some(AUTOMATIC));
    }
}
