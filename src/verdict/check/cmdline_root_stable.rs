//! `root=` names the root file system by what it is, not by the bus it hangs on.

use super::{BOOT_FACTS, Check, boots_by};
use crate::fact::Gap;
use crate::verdict::boot::{Start, each_entry, root_volume};
use crate::verdict::spec::{Spec, stable_name};
use crate::verdict::{Tally, Weight};

pub(super) const CHECK: Check = Check {
    id: "cmdline-root-stable",
    summary: "root= names the root file system independently of the disk bus",
    broken: "root= follows the disk bus",
    why: "/dev/vda1 on virtio-blk is /dev/sda1 on virtio-scsi: the same image does not find its root on the other bus.",
    detects: "The last root= of each boot entry's command line, with the loader's variables and the kernel's built-in command line, must be UUID=, LABEL=, PARTUUID=, PARTLABEL=, their links in /dev/disk, a device-mapper name or a network root.",
    fix: "Write root=UUID=… as blkid prints it into the boot loader's configuration.",
    family_fixes: &[
        (
            "debian",
            "remove root= from /etc/default/grub if it stands there, and GRUB_DISABLE_LINUX_UUID; then: update-grub",
        ),
        ("fedora", "grubby --update-kernel=ALL --args=root=UUID=…"),
        ("suse", "remove GRUB_DISABLE_LINUX_UUID from /etc/default/grub, then: grub2-mkconfig -o /boot/grub2/grub.cfg"),
    ],
    source: "Linux admin-guide/kernel-parameters.txt (root=); Nova user guide, block device mapping: device names are not guaranteed",
    reads: BOOT_FACTS,
    run: |view, tally| each_entry(view, tally, &boots_by(judge)),
};

pub(super) fn judge(start: &Start<'_, '_>, tally: &mut Tally) {
    let Some(cmdline) = start.cmdline() else { return };
    let Some(root) = cmdline.root else { return start.view.miss(no_root(start)) };
    match Spec::of_root(&root) {
        Spec::Tag(..) | Spec::Offset(..) | Spec::Mapped | Spec::Network => {
            tally.proof(start.at_line(format!("root={root}")));
        }
        Spec::Device(_) | Spec::Removable => {
            fault(start, tally, format!("root={root} follows the disk bus or the order of discovery"));
        }
        Spec::Bare(_) => fault(start, tally, format!("root={root} lacks the tag UUID=")),
        Spec::Pseudo | Spec::Other => {
            start.view.miss(Gap::at(
                start.entry.config.clone(),
                format!("what root={root} names is not known to this version"),
            ));
        }
    }
}

fn fault(start: &Start<'_, '_>, tally: &mut Tally, found: String) {
    let mut evidence = start.at_line(found);
    let (name, _) = start.view.apart(|view| stable_name(view, root_volume(view)?));
    if let Some(name) = name {
        evidence = evidence.expected(format!("root={name}")).mend(format!("root={name}"));
    }
    tally.fault(Weight::Full, evidence);
}

/// No `root=`: dracut and systemd may find it by themselves, initramfs-tools stops; which it is cannot be said.
pub(super) fn no_root(start: &Start<'_, '_>) -> Gap {
    let reason = format!("line {} names no root=: how the initrd finds its root is not known", start.attempt.line);
    Gap::at(start.entry.config.clone(), reason)
}
