//! Properties that do nothing: by themselves, or for want of another.

use super::{Image, Rule, Run};
use crate::manifest::Claim;
use crate::verdict::Evidence;
use crate::verdict::profile::Severity;
use crate::verdict::property::vocabulary::{Effect, Entry, MAX_NODES, property};

pub(super) const IDLE: Rule = Rule {
    id: "property-idle",
    severity: Severity::Warning,
    summary: "a property does nothing for want of another",
    why: "Nova reads it only together with the other one, and says nothing when that is missing.",
    fix: "Add what it needs, or take it out; bootworthy explain NAME tells what goes together.",
    source: "nova/virt/hardware.py; nova/virt/libvirt/driver.py; nova/compute/api.py",
    run: Run::Image(|image| {
        let mut found: Vec<Evidence> = IDLE_WITHOUT
            .iter()
            .filter(|(key, _, is_met)| asks(image, key) && !is_met(image))
            .map(|(key, want, _)| image.at_field(key, format!("{key} does nothing without {want}")))
            .collect();
        found.extend(behind_a_hole(image));
        found.extend(half_signed(image));
        found
    }),
};

/// Whether the property does nothing for want of another.
pub(super) fn is_idle(image: &Image<'_>, field: &str) -> bool {
    IDLE_WITHOUT.iter().any(|(key, _, is_met)| *key == field && !is_met(image))
}

type IsMet = fn(&Image<'_>) -> bool;

/// A property, what it needs, and whether that is there.
const IDLE_WITHOUT: &[(&str, &str, IsMet)] = &[
    ("hw_scsi_model", "hw_disk_bus=scsi, or another device on scsi", |image| {
        let buses = ["hw_disk_bus", "hw_cdrom_bus", "hw_rescue_bus", "hw_floppy_bus"];
        buses.iter().any(|key| image.props.text(key) == Some("scsi"))
    }),
    ("hw_tpm_model", "hw_tpm_version", |image| {
        image.has("hw_tpm_version")
            || image.flavor.is_some_and(|flavor| flavor.specs.specs.contains_key("hw:tpm_version"))
    }),
    ("hw_firmware_stateless", "hw_firmware_type=uefi", is_uefi),
    ("os_secure_boot", "hw_firmware_type=uefi", is_uefi),
    ("hw_mem_encryption_model", "hw_mem_encryption=true", |image| {
        image.props.flag("hw_mem_encryption") == Some(true)
            || image.flavor.is_some_and(|flavor| flavor.specs.specs.contains_key("hw:mem_encryption"))
    }),
    ("hw_vif_multiqueue_enabled", "the network card virtio", |image| {
        matches!(image.props.text("hw_vif_model"), None | Some("virtio"))
    }),
    ("hw_virtio_packed_ring", "the network card virtio", |image| {
        matches!(image.props.text("hw_vif_model"), None | Some("virtio"))
    }),
    ("hw_maxphysaddr_bits", "hw_maxphysaddr_mode=emulate", |image| {
        image.props.text("hw_maxphysaddr_mode") == Some("emulate")
    }),
    ("os_admin_user", "hw_qemu_guest_agent=yes", |image| image.props.flag("hw_qemu_guest_agent") == Some(true)),
    ("os_command_line", "kernel_id", |image| image.has("kernel_id")),
    ("ramdisk_id", "kernel_id", |image| image.has("kernel_id")),
    ("hw_ephemeral_encryption_format", "hw_ephemeral_encryption=true", |image| {
        image.props.flag("hw_ephemeral_encryption") == Some(true) || image.flavor.is_some()
    }),
    ("hw_numa_cpus", "hw_numa_nodes", has_nodes),
    ("hw_numa_mem", "hw_numa_nodes", has_nodes),
    ("hw_pointer_model", "its place: hw_input_bus wins", |image| image.props.get("hw_input_bus").is_none()),
];

fn is_uefi(image: &Image<'_>) -> bool {
    let is_arm = image.props.text("hw_architecture") == Some("aarch64") && !image.has("hw_firmware_type");
    is_arm || image.props.text("hw_firmware_type") == Some("uefi")
}

fn has_nodes(image: &Image<'_>) -> bool {
    image.has("hw_numa_nodes")
        || image.flavor.is_some_and(|flavor| {
            ["hw:numa_nodes", "hw:mem_page_size", "hw:cpu_policy"]
                .iter()
                .any(|spec| flavor.specs.specs.contains_key(*spec))
        })
}

/// Whether the property asks for anything: a truth value that is false, or secure boot that is disabled, does not.
pub(super) fn asks(image: &Image<'_>, key: &str) -> bool {
    let is_off = image.props.flag(key) == Some(false) || image.props.text(key) == Some("disabled");
    image.claim_of(key).is_some() && !is_off && !image.rejected.iter().any(|rejected| rejected.key == key)
}

/// NUMA nodes are read from 0 up to the first that is missing.
fn behind_a_hole(image: &Image<'_>) -> Vec<Evidence> {
    let mut found = Vec::new();
    for stem in ["hw_numa_cpus", "hw_numa_mem"] {
        let number = |claim: &Claim| claim.key.strip_prefix(stem)?.strip_prefix('.')?.parse::<usize>().ok();
        let read = (0..MAX_NODES).take_while(|node| image.has(&format!("{stem}.{node}"))).count();
        let lost = image.claims.properties.iter().filter(|claim| number(claim).is_some_and(|node| node >= read));
        found.extend(
            lost.map(|claim| image.at_key(claim, format!("{} is not read: {stem}.{read} is missing", claim.key))),
        );
    }
    found
}

/// Nova verifies a signature by four properties.
fn half_signed(image: &Image<'_>) -> Vec<Evidence> {
    let parts =
        ["img_signature", "img_signature_certificate_uuid", "img_signature_hash_method", "img_signature_key_type"];
    let missing: Vec<&str> = parts.iter().copied().filter(|key| !image.has(key)).collect();
    let first = parts.iter().find(|key| image.has(key)).filter(|_| !missing.is_empty());
    first
        .map(|key| image.at_field(key, format!("{key} does nothing without {}", missing.join(", "))))
        .into_iter()
        .collect()
}

pub(super) const ELSEWHERE: Rule = Rule {
    id: "property-elsewhere",
    severity: Severity::Warning,
    summary: "what the property promises is said elsewhere",
    why: "The name looks right, stands in catalogues or in common advice, and nothing reads it.",
    fix: "Take it out, and say it where it is read.",
    source: "nova/objects/image_meta.py; glance's etc/metadefs",
    run: Run::Image(|image| {
        let elsewhere = |entry: &&Entry| entry.effect == Effect::None && entry.instead.is_some();
        inert(image, elsewhere, |claim, entry| {
            let instead = entry.instead.as_deref().unwrap_or_default();
            image.at_key(claim, format!("nothing reads {}", claim.key)).expected(instead).mend(format!("use {instead}"))
        })
    }),
};

pub(super) const INERT: Rule = Rule {
    id: "property-inert",
    severity: Severity::Note,
    summary: "a property does nothing",
    why: "It is accepted and has no effect on a server under libvirt.",
    fix: "It can be taken out of the manifest.",
    source: "nova/objects/image_meta.py and every place that reads it, in nova 34.0.0",
    run: Run::Image(|image| {
        let is_vmware = image.props.text("img_hv_type") == Some("vmware");
        let is_inert = move |entry: &&Entry| match entry.effect {
            Effect::None => entry.instead.is_none(),
            Effect::Vmware => !is_vmware,
            _ => false,
        };
        let mut found =
            inert(image, is_inert, |claim, entry| image.at(claim, format!("{}: {}", claim.key, entry.does)));
        let is_new = |claim: &&Claim| {
            property(&claim.key).is_some_and(|entry| entry.effect == Effect::OldName && entry.name == claim.key)
        };
        for claim in image.claims.properties.iter().filter(is_new) {
            let old = property(&claim.key).and_then(|entry| entry.aliases.first()).map_or("", String::as_str);
            found.push(image.at(claim, format!("Nova reads {old}, not {}", claim.key)).expected(old));
        }
        found
    }),
};

fn inert(
    image: &Image<'_>,
    is_meant: impl Fn(&&Entry) -> bool,
    told: impl Fn(&Claim, &Entry) -> Evidence,
) -> Vec<Evidence> {
    let entry = |claim: &Claim| property(&claim.key).filter(|entry| is_meant(entry));
    let found = image.claims.properties.iter().filter_map(|claim| Some((claim, entry(claim)?)));
    found.map(|(claim, entry)| told(claim, entry)).collect()
}
