//! The CPU: what image and flavor add to its model, and which model to run under what.

use super::Accel;
use super::asked::{Asked, impossible};
use crate::error::Result;

/// What Nova's `_get_guest_cpu_config_maxphysaddr` and `_set_features` come to in QEMU.
pub(super) fn features(asked: &Asked<'_>) -> Result<Vec<String>> {
    let mut features = Vec::new();
    if asked.is_windows() {
        let all = "time relaxed vapic spinlocks vpindex runtime synic reset frequencies tlbflush ipi";
        features.extend(all.split(' ').map(|name| match name {
            "spinlocks" => "hv-spinlocks=0x1fff".to_owned(),
            _ => format!("hv-{name}=on"),
        }));
    }
    let specs = ["hide_hypervisor_id", "hw:hide_hypervisor_id"];
    let is_hidden = specs.iter().any(|spec| asked.spec_flag(spec) == Some(true));
    if is_hidden || asked.flag("img_hide_hypervisor_id") {
        if asked.is_windows() {
            features.push("hv-vendor-id=1234567890ab".to_owned());
        }
        features.push("kvm=off".to_owned());
    }
    if let Some((is_on, _)) = asked.either_flag("hw_pmu", "hw:pmu") {
        features.push(format!("pmu={}", if is_on { "on" } else { "off" }));
    }
    let (mode, bits) = ("hw_maxphysaddr_mode", "hw_maxphysaddr_bits");
    let count = asked.integer("hw:maxphysaddr_bits").filter(|bits| *bits != 0);
    let count = count.or(asked.image.integer(bits).filter(|bits| *bits != 0));
    match (asked.either(mode, "hw:maxphysaddr_mode").map(|(word, _)| word), count) {
        (Some("passthrough"), None) => features.push("host-phys-bits=on".to_owned()),
        (Some("passthrough"), Some(_)) => return Err(impossible(bits, "a number of bits needs the mode emulate")),
        (Some(_), Some(count)) => features.push(format!("phys-bits={count}")),
        (Some(_), None) => return Err(impossible(mode, "the mode emulate needs hw_maxphysaddr_bits")),
        (None, _) => {}
    }
    Ok(features)
}

/// Whether a feature is one of KVM, which QEMU's translator does not know.
pub(super) fn is_kvm_only(feature: &str) -> bool {
    feature.starts_with("hv-") || feature == "host-phys-bits=on"
}

/// The CPU models to try, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Models {
    /// The first.
    pub first: &'static str,
    /// What a boot is tried again with, when the guest died in a way that is not the image's own.
    pub second: Option<&'static str>,
    /// What is different from a cloud's processor by it.
    pub note: Option<&'static str>,
}

/// The first QEMU whose translator runs `cmpxchg16b` right: 7.2 damages the flags, 10.0 does not.
const SOUND_CX16: u32 = 8;

/// Which models a QEMU of this major version runs guests with.
pub fn models(accel: Accel, qemu: u32) -> Models {
    match accel {
        Accel::Kvm => Models { first: "host", second: None, note: None },
        Accel::Tcg if qemu < SOUND_CX16 => Models {
            first: "max,cx16=off",
            second: Some("qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,cx16=off"),
            note: Some(
                "the processor has no cmpxchg16b, which QEMU's translator gets wrong before version 8: programs built \
                 for x86-64-v2 (RHEL 9 and later) do not start",
            ),
        },
        // x86-64-v2, without any of what the translator learnt later.
        Accel::Tcg => Models { first: "max", second: Some("qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt"), note: None },
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;
    use super::*;

    #[test]
    fn features_of_image_and_flavor() {
        for (specs, properties, expected) in [
            (&[][..], &[][..], ""),
            (&[], &[("img_hide_hypervisor_id", "true"), ("hw_pmu", "off")], "kvm=off,pmu=off"),
            (&[("hide_hypervisor_id", "true")], &[], "kvm=off"),
            (&[("hw:hide_hypervisor_id", "false"), ("hw:pmu", "yes")], &[], "pmu=on"),
            (&[], &[("hw_maxphysaddr_mode", "passthrough")], "host-phys-bits=on"),
            (&[], &[("hw_maxphysaddr_mode", "emulate"), ("hw_maxphysaddr_bits", "42")], "phys-bits=42"),
        ] {
            assert_eq!(of(specs, properties).unwrap().cpu_features.join(","), expected, "{specs:?} {properties:?}");
        }
        let windows = of(&[], &[("os_type", "windows")]).unwrap();
        assert!(windows.is_local_time && windows.cpu_features.iter().all(|feature| is_kvm_only(feature)));
    }

    #[test]
    fn old_translators_do_without_cmpxchg16b() {
        assert_eq!(models(Accel::Kvm, 7).first, "host");
        assert_eq!(models(Accel::Tcg, 10).first, "max");
        let old = models(Accel::Tcg, 7);
        assert!(old.first == "max,cx16=off" && old.note.is_some() && old.second.unwrap().ends_with("cx16=off"));
    }
}
