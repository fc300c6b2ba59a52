//! Properties of one image that do not go together, whatever the flavor; and what a flavor must say for them.

use super::{Image, Rule, Run};
use crate::verdict::Evidence;
use crate::verdict::profile::Severity;
use crate::verdict::property::vocabulary::{CONSTRAINTS, Conflict, FlavorSpecs};

/// Refusals that a flavor can mend; the others stand whatever the flavor says.
const MENDED_BY_FLAVOR: &[&str] = &[
    "CPUThreadPolicyConfigurationInvalid",
    "LockMemoryForbidden",
    "MemoryPageSizeForbidden",
    "RequestedVRamTooHigh",
    "RequiredMixedOrRealtimeCPUMask",
];
/// Refusals of a host that runs kvm; another hypervisor may take the value.
const KVM_ONLY: &[&str] = &["UnsupportedHardware"];

/// Whether a flavor can mend what this exception refuses.
pub(super) fn is_mended_by_flavor(exception: &str) -> bool {
    MENDED_BY_FLAVOR.contains(&exception)
}

/// What Nova says of the image with a flavor that asks for nothing.
fn refusals(image: &Image<'_>) -> Vec<Conflict> {
    let nothing = FlavorSpecs::default();
    let mut found: Vec<Conflict> = Vec::new();
    for conflict in CONSTRAINTS.iter().filter_map(|constraint| (constraint.run)(&nothing, &image.props).err()) {
        if !found.contains(&conflict) {
            found.push(conflict);
        }
    }
    found
}

fn told(image: &Image<'_>, conflict: &Conflict) -> Evidence {
    let text = format!("{} ({})", conflict.reason, conflict.exception);
    match conflict.property {
        Some(field) => image.at_field(field, text),
        None => image.at_image(text),
    }
}

/// An IOMMU without a machine type depends on the node's default.
fn rests_on_node(image: &Image<'_>, conflict: &Conflict) -> bool {
    conflict.exception == "InvalidVIOMMUMachineType" && image.props.text("hw_machine_type").is_none()
}

fn is_kvm(image: &Image<'_>) -> bool {
    matches!(image.props.text("img_hv_type"), None | Some("kvm" | "qemu"))
}

/// Whether the machine type names another board than q35.
fn is_not_q35<'a>(image: &'a Image<'_>) -> Option<&'a str> {
    image.props.text("hw_machine_type").filter(|machine| !machine.contains("q35"))
}

pub(super) const CONTRADICTION: Rule = Rule {
    id: "image-contradiction",
    severity: Severity::Error,
    summary: "properties of the image contradict each other",
    why: "No flavor mends it: every server made of the image is refused, or ends in an error on the compute node.",
    fix: "Change one of the two; bootworthy explain NAME tells what goes together.",
    source: "nova/virt/hardware.py; nova/virt/libvirt/driver.py",
    run: Run::Image(|image| {
        let all = refusals(image);
        let is_lasting = |conflict: &&Conflict| {
            let name = conflict.exception;
            !MENDED_BY_FLAVOR.contains(&name) && !KVM_ONLY.contains(&name) && !rests_on_node(image, conflict)
        };
        let mut found: Vec<Evidence> = all.iter().filter(is_lasting).map(|conflict| told(image, conflict)).collect();
        found.extend(boards(image));
        found
    }),
};

/// What libvirt refuses on a board, and secure boot, which needs the SMM of q35.
fn boards(image: &Image<'_>) -> Vec<Evidence> {
    let mut found = Vec::new();
    let machine = image.props.text("hw_machine_type").unwrap_or_default();
    let is_x86 = matches!(image.props.text("hw_architecture"), None | Some("x86_64" | "i686"));
    for key in ["hw_disk_bus", "hw_cdrom_bus"] {
        if image.props.text(key) == Some("ide") && machine.contains("q35") {
            found.push(
                image.at_field(key, format!("{key}=ide on {machine}: libvirt has no IDE controller on this board")),
            );
        }
    }
    let is_asked =
        image.props.text("os_secure_boot") == Some("required") && image.props.text("hw_firmware_type") == Some("uefi");
    if let Some(machine) = is_not_q35(image).filter(|_| is_asked && is_x86) {
        let text =
            format!("secure boot needs hw_machine_type=q35, the image says {machine:?} (SecureBootNotSupported)");
        found.push(image.at_field("os_secure_boot", text));
    }
    found
}

pub(super) const HOST: Rule = Rule {
    id: "host-refuses",
    severity: Severity::Warning,
    summary: "the usual compute node refuses a value",
    why: "Nova takes the value, and the driver of the compute node, kvm with libvirt, does not: the server ends in an error.",
    fix: "Choose what kvm has, or name the hypervisor with hypervisor_type.",
    source: "nova/virt/libvirt/blockinfo.py, vif.py, driver.py; libvirt's domain capabilities",
    run: Run::Image(|image| {
        if !is_kvm(image) {
            return Vec::new();
        }
        let all = refusals(image);
        let is_hosts = |conflict: &&Conflict| KVM_ONLY.contains(&conflict.exception) || rests_on_node(image, conflict);
        let mut found: Vec<Evidence> = all.iter().filter(is_hosts).map(|conflict| told(image, conflict)).collect();
        if let Some(model @ ("gop" | "vmvga" | "xen")) = image.props.text("hw_video_model") {
            found.push(image.at_field("hw_video_model", format!("libvirt has no graphics card {model:?} for QEMU")));
        }
        if image.props.integer("hw_serial_port_count").is_some_and(|count| count > 3) {
            found.push(image.at_field("hw_serial_port_count", "kvm has three serial ports at most"));
        }
        found
    }),
};

pub(super) const SCSI_MODEL: Rule = Rule {
    id: "scsi-without-model",
    severity: Severity::Warning,
    summary: "the disks are on SCSI, and no controller is named",
    why: "Without hw_scsi_model libvirt chooses the controller: an old LSI one, for which many kernels have no driver.",
    fix: "Add hw_scsi_model=virtio-scsi.",
    source: "nova/virt/libvirt/driver.py, _get_scsi_controller; libvirt, formatdomain, controllers",
    run: Run::Image(|image| {
        let is_scsi = image.props.text("hw_disk_bus") == Some("scsi") && image.props.get("hw_scsi_model").is_none();
        let told = || {
            image
                .at_field("hw_disk_bus", "hw_disk_bus=scsi without hw_scsi_model")
                .expected("hw_scsi_model=virtio-scsi")
        };
        (is_scsi && is_kvm(image) && !image.has("hw_scsi_model")).then(told).into_iter().collect()
    }),
};

pub(super) const QUIESCE: Rule = Rule {
    id: "quiesce-without-agent",
    severity: Severity::Error,
    summary: "snapshots need an agent that has no channel",
    why: "os_require_quiesce refuses a snapshot that cannot be frozen, and without the agent's channel none can.",
    fix: "Add hw_qemu_guest_agent=yes, or take os_require_quiesce out.",
    source: "nova/virt/libvirt/driver.py, _can_quiesce",
    run: Run::Image(|image| {
        let is_asked = image.props.flag("os_require_quiesce") == Some(true);
        let is_there = image.props.flag("hw_qemu_guest_agent") == Some(true);
        let told = || image.at_field("os_require_quiesce", "os_require_quiesce without hw_qemu_guest_agent=yes");
        (is_asked && !is_there).then(told).into_iter().collect()
    }),
};

pub(super) const EMULATION: Rule = Rule {
    id: "emulation-without-machine",
    severity: Severity::Warning,
    summary: "another architecture is emulated on the board of the host",
    why: "Nova does not choose the machine type by hw_emulation_architecture: an emulated aarch64 gets the board pc.",
    fix: "Add hw_machine_type: virt for aarch64, pseries for ppc64le, s390-ccw-virtio for s390x.",
    source: "nova/virt/libvirt/utils.py, get_machine_type",
    run: Run::Image(|image| {
        let is_bare = image.props.get("hw_emulation_architecture").is_some() && !image.has("hw_machine_type");
        let told = || image.at_field("hw_emulation_architecture", "hw_emulation_architecture without hw_machine_type");
        is_bare.then(told).into_iter().collect()
    }),
};

pub(super) const NEEDS_FLAVOR: Rule = Rule {
    id: "needs-flavor",
    severity: Severity::Note,
    summary: "the image can only be used with a flavor that goes with it",
    why: "Nova refuses the image with a flavor that does not say what the property needs.",
    fix: "Say it to who makes the flavors; bootworthy lint --flavor FILE judges image and flavor together.",
    source: "nova/virt/hardware.py; nova/virt/libvirt/driver.py",
    run: Run::Image(|image| {
        let all = refusals(image);
        let is_open = |conflict: &&Conflict| MENDED_BY_FLAVOR.contains(&conflict.exception) && image.flavor.is_none();
        all.iter().filter(is_open).map(|conflict| told(image, conflict)).collect()
    }),
};
