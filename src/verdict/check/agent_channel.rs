//! The kernel has the driver of the channel that the guest agent talks through.

use super::{BOOT_PATH, Check, late_driver};
use crate::fact::Gap;
use crate::verdict::boot::{Course, Start, each_entry};
use crate::verdict::{Evidence, FactName, Tally, View, Weight, agent};

pub(super) const CHECK: Check = Check {
    id: "agent-channel",
    summary: "the kernel drives the channel of the guest agent",
    broken: "the kernel does not drive the channel of the guest agent",
    why: "hw_qemu_guest_agent=yes adds a virtio serial port. Without virtio_console the port does not appear in the guest, the agent has nothing to open, and Nova waits for answers in vain.",
    detects: "virtio_console and virtio_pci must each be built into the boot entry's kernel, or be a file of its module folder in the root tree or of its initrds, of its version, with all that it depends on, and stopped neither by modprobe.d nor by the command line. What the agent's units and its configuration open must be that port: Nova connects no other transport.",
    fix: "Install a kernel with CONFIG_VIRTIO_CONSOLE=m or =y, and remove virtio_console from `blacklist` and `install` lines of modprobe.d.",
    family_fixes: &[],
    source: "Nova virt/libvirt/driver.py (_add_qga_device: org.qemu.guest_agent.0 on virtio-serial); Linux drivers/char/virtio_console.c",
    reads: READS,
    run: |view, tally| {
        judge_transport(view, tally);
        each_entry(view, tally, &Course { rule: judge, path: BOOT_PATH, is_fatal: false });
    },
};

/// Those of boot entries, and of the agent's units.
const READS: &[FactName] = &[
    FactName::BootEntries,
    FactName::Kernels,
    FactName::Initrds,
    FactName::Volumes,
    FactName::Root,
    FactName::Modprobe,
    FactName::ModuleLoads,
    FactName::Units,
    FactName::Agent,
];

/// The link that udev makes to Nova's channel (`nova/virt/libvirt/config.py`, `LibvirtConfigGuestChannel`).
const PORT: &str = "/dev/virtio-ports/org.qemu.guest_agent.0";

/// Modules of virtio serial ports, the agent's default transport (`man 8 qemu-ga`, `--method`), and their options.
const VIRTIO_SERIAL: &[(&str, &str)] =
    &[("virtio_console", "CONFIG_VIRTIO_CONSOLE"), ("virtio_pci", "CONFIG_VIRTIO_PCI")];

/// What the agent opens is Nova's channel. That it does not run at all is for agent-started to say.
fn judge_transport(view: &View<'_>, tally: &mut Tally) {
    for run in agent::running(view).unwrap_or_default() {
        let Ok(configuration) = &run.configuration else { continue };
        let (method, path) = (configuration.method.as_str(), configuration.path.as_str());
        let at = |found: String| Evidence::at(run.start.path.clone(), found).line(run.start.line);
        if method != "virtio-serial" {
            let found = format!("qemu-ga talks over {method} at {path}, where Nova does not listen");
            tally.fault(Weight::Full, at(found).expected(format!("virtio-serial at {PORT}")));
        } else if path.starts_with("/dev/virtio-ports/") && path != PORT {
            tally.fault(Weight::Full, at(format!("qemu-ga opens {path}")).expected(PORT));
        } else if path != PORT {
            view.miss(Gap::at(run.start.path.clone(), format!("whether {path} is Nova's channel is not known")));
        }
    }
}

fn judge(start: &Start<'_, '_>, tally: &mut Tally) {
    for (module, option) in VIRTIO_SERIAL {
        // The bus of the root disk comes up in the initrd.
        if let Some(proof) = late_driver::loaded_by_initrd(start, module).filter(|_| *module == "virtio_pci") {
            tally.proof(proof);
            continue;
        }
        let Some(driver) = late_driver::find(start, tally, module) else { return };
        match driver.proof(start) {
            None => tally.fault(Weight::Full, driver.absent(start, option)),
            Some(proof) if driver.is_free(start, tally) && driver.is_whole(start, tally) => tally.proof(proof),
            Some(_) => {}
        }
    }
}
