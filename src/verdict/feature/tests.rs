use super::*;
use crate::verdict::check::CHECKS;
use crate::verdict::property::{Choice, PROPERTIES, Values};
use std::collections::BTreeSet;

/// What Nova has beside those of [`PROPERTIES`] (`nova/objects/image_meta.py`, 34.0.0).
const OTHER_PROPERTIES: &[&str] =
    &["hw_cpu_max_sockets", "hw_cpu_max_threads", "hw_cpu_sockets", "hw_cpu_policy", "hw_cpu_thread_policy"];
/// What Nova's API takes (`nova/api/validation/extra_specs`, 34.0.0).
const EXTRA_SPECS: &[&str] = &[
    "hw:cpu_max_sockets",
    "hw:cpu_max_threads",
    "hw:cpu_policy",
    "hw:cpu_thread_policy",
    "hw:vif_multiqueue_enabled",
    "hw:watchdog_action",
    "os:secure_boot",
    "resources:VGPU",
];
/// What a boot is to prove.
const PROOFS: &[&str] = &[
    "root-on-bus",
    "agent-answers",
    "agent-freeze-thaw",
    "trim-frees-blocks",
    "queues",
    "watchdog-identity",
    "watchdog-fires",
    "cloud-init-done",
];
const FAMILIES: &[&str] = &["any", "debian", "ubuntu", "fedora", "rhel", "suse", "arch", "alpine"];
const SERVICES: &[&str] = &["nova-api", "nova-compute", "nova-scheduler"];

fn is_kebab(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[test]
fn every_name_resolves() {
    let mut names = BTreeSet::new();
    for feature in FEATURES {
        let name = feature.name;
        assert!(is_kebab(name) && names.insert(name), "{name}");
        assert!(find(name).is_some_and(|found| found.name == name));
        for id in feature.needs {
            assert!(CHECKS.iter().any(|check| check.id == *id), "{name} needs {id}");
        }
        for property in feature.properties {
            let own: Vec<Values> =
                PROPERTIES.iter().filter(|known| known.key == property.key).map(|known| known.values).collect();
            let is_other = OTHER_PROPERTIES.contains(&property.key);
            assert!(own.is_empty() == is_other && is_other == (property.role == Role::Choice), "{name}: {property:?}");
            if !is_other {
                let text = state::wish(property);
                assert_eq!(Choice::default().add(&text), Ok(()), "{name}: {text}");
            }
        }
        for spec in feature.flavor {
            assert!(EXTRA_SPECS.contains(&spec.key) && !spec.value.is_empty(), "{name}: {spec:?}");
        }
        assert!(feature.proofs.iter().all(|proof| PROOFS.contains(proof)), "{name}");
    }
}

#[test]
fn a_side_that_is_judged_has_checks_and_the_others_have_none() {
    for feature in FEATURES {
        assert_eq!(feature.side == Side::Judged, !feature.needs.is_empty(), "{}", feature.name);
        let is_earned = |property: &&ImageProperty| property.role != Role::Choice;
        assert!(
            feature.side == Side::Judged || feature.properties.iter().find(is_earned).is_none(),
            "{}",
            feature.name
        );
    }
    // What is asked for together does not contradict itself: one value per key.
    let mut values: Vec<(&str, &str)> = Vec::new();
    for property in FEATURES.iter().flat_map(|feature| feature.properties) {
        assert!(!values.iter().any(|(key, value)| *key == property.key && *value != property.value), "{property:?}");
        values.push((property.key, property.value));
    }
}

#[test]
fn options_name_their_releases_in_order() {
    for feature in FEATURES {
        for option in feature.nova {
            let name = option.full_name();
            assert!(option.since.is_none_or(|release| release.name().is_some()), "{name}");
            assert!(!option.services.is_empty() && option.services.iter().all(|s| SERVICES.contains(s)), "{name}");
            assert!(!option.value.is_empty() && !option.effect.ends_with('.'), "{name}");
            for former in option.formerly {
                assert!(former.changed.name().is_some() && former.option.starts_with('['), "{former:?}");
                assert!(former.gone.is_none_or(|gone| gone > former.changed && gone.name().is_some()), "{former:?}");
            }
        }
    }
    for (feature, old, new, changed, gone) in [
        ("cpu-pinning", "[DEFAULT] vcpu_pin_set", "[compute] cpu_dedicated_set", 20, None),
        ("cpu-pinning", "[DEFAULT] scheduler_default_filters", "[filter_scheduler] enabled_filters", 15, Some(24)),
        ("vgpu", "[devices] enabled_vgpu_types", "[devices] enabled_mdev_types", 24, None),
    ] {
        let option = find(feature).unwrap().nova.iter().find(|option| option.full_name() == new).unwrap();
        let former = option.formerly.iter().find(|former| former.option == old).unwrap();
        assert_eq!((former.changed, former.gone), (Release(changed), gone.map(Release)), "{old}");
    }
    let reclaim = &find("soft-delete").unwrap().nova[0];
    assert_eq!((reclaim.name, reclaim.services), ("reclaim_instance_interval", &["nova-api", "nova-compute"][..]));
}

#[test]
fn provisions_are_well_formed() {
    for feature in FEATURES {
        let families: Vec<&str> = feature.provision.iter().map(|(family, _)| *family).collect();
        assert!(families.iter().all(|family| FAMILIES.contains(family)), "{}", feature.name);
        assert!(families.iter().collect::<BTreeSet<_>>().len() == families.len(), "{}", feature.name);
        assert!(families.iter().skip(1).all(|family| *family != "any"), "{}: any comes first", feature.name);
        for (_, provision) in feature.provision {
            assert!(provision.kernel.iter().all(|option| option.starts_with("CONFIG_")), "{provision:?}");
            assert!(provision.files.iter().all(|f| f.path.starts_with('/') && f.text.ends_with('\n')), "{provision:?}");
            let words = [provision.packages, provision.initrd_modules, provision.units].concat();
            assert!(words.iter().all(|word| !word.is_empty() && !word.contains(char::is_whitespace)), "{provision:?}");
        }
    }
}

#[test]
fn texts_keep_to_the_house() {
    for feature in FEATURES {
        let name = feature.name;
        assert!(
            feature.summary.starts_with(|c: char| c.is_lowercase()) || feature.summary.starts_with("the QEMU"),
            "{name}"
        );
        assert!(!feature.summary.ends_with('.') && !feature.source.is_empty(), "{name}");
        assert!(
            feature.why.ends_with('.') && (feature.image.ends_with('.') || feature.image.ends_with("tells.")),
            "{name}"
        );
        assert!(!feature.aged.is_empty(), "{name}: what has aged");
        for (advice, truth) in feature.aged {
            assert!(!advice.ends_with('.') && !truth.ends_with('.') && !truth.is_empty(), "{name}: {advice}");
        }
    }
}

#[test]
fn a_feature_costs_one_file_and_two_lines() {
    let table = include_str!("mod.rs");
    for feature in FEATURES {
        let module = feature.name.replace('-', "_");
        let lines = table.lines().filter(|line| line.trim_start().trim_start_matches("mod ").starts_with(&module));
        let lines: Vec<&str> = lines.map(str::trim).collect();
        assert_eq!(lines, [format!("mod {module};"), format!("{module}::FEATURE,")], "{}", feature.name);
    }
}
