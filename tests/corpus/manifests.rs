//! The catalogue of openstack-image-manager is read as its own schema has it.

use crate::corpus;
use bootworthy::manifest::{ClaimValue, is_meta_key, read};
use std::fs;

#[test]
fn every_definition_is_read() {
    let mut names: Vec<_> =
        fs::read_dir(corpus("manifests/openstack-image-manager")).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    let (mut images, mut keys) = (0, 0);
    for path in names.iter().filter(|path| path.extension().is_some_and(|e| e == "yml")) {
        let text = fs::read_to_string(path).unwrap();
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
