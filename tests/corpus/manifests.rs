//! The catalogue of openstack-image-manager is read as its own schema has it, and judged by what is true of it.

use crate::corpus;
use bootworthy::manifest::{ClaimValue, is_meta_key, lint, read};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// The files of definitions, in order.
fn definitions() -> Vec<PathBuf> {
    let folder = fs::read_dir(corpus("manifests/openstack-image-manager")).unwrap();
    let mut names: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "yml"));
    names.sort();
    names
}

#[test]
fn every_definition_is_read() {
    let (mut images, mut keys) = (0, 0);
    for path in definitions() {
        let text = fs::read_to_string(&path).unwrap();
        let document = read(path.to_str().unwrap(), &text, None).unwrap();
        assert_eq!(document.format, "image-manager", "{}", path.display());
        for image in &document.images {
            images += 1;
            let value = |key: &str| image.property(key).map(|claim| claim.value.clone());
            assert_eq!(value("hw_rng_model"), Some(ClaimValue::Text("virtio".into())), "{}", path.display());
            assert!(matches!(image.min_disk.as_ref().map(|claim| &claim.value), Some(ClaimValue::Integer(_))));
            for claim in &image.properties {
                keys += 1;
                assert!(is_meta_key(&claim.key), "{}: {}", path.display(), claim.key);
                let line = text.lines().nth(usize::try_from(claim.line.unwrap()).unwrap() - 1).unwrap();
                assert!(line.contains(&claim.key), "{}: {line}", path.display());
            }
        }
    }
    eprintln!("{images} definitions with {keys} properties");
    assert_eq!(images, 29);
}

/// Each finding and why it is true: `hw_rng_model` is in every definition, and since Ussuri no line of Nova reads it
/// (`_add_rng_device` asks the flavor alone); `AlmaLinux` is no `CentOS` and Flatcar no Fedora, for which the schema has no
/// words; without a disk on scsi Nova adds no controller for `hw_scsi_model`.
#[test]
fn only_what_is_true_is_said_of_the_definitions() {
    let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
    for path in definitions() {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        for finding in lint::lint(&read(&name, &text, None).unwrap(), None) {
            for place in &finding.evidence {
                let line = text.lines().nth(usize::try_from(place.line.unwrap()).unwrap() - 1).unwrap();
                let row = format!("{} {}", finding.id, line.trim());
                *found.entry((name.clone(), row)).or_default() += 1;
            }
        }
    }
    let inert: usize =
        found.iter().filter(|((_, row), _)| row == "property-inert hw_rng_model: virtio").map(|(_, n)| n).sum();
    assert_eq!(inert, 29);
    found.retain(|(_, row), _| row != "property-inert hw_rng_model: virtio");
    let others: Vec<(&str, &str, usize)> =
        found.iter().map(|((name, row), count)| (name.as_str(), row.as_str(), *count)).collect();
    assert_eq!(
        others,
        [
            ("almalinux.yml", "os-distro-differs os_distro: centos", 2),
            ("flatcar.yml", "os-distro-differs os_distro: fedora", 1),
            ("gardenlinux.yml", "property-idle hw_scsi_model: virtio-scsi", 1),
        ]
    );
}
