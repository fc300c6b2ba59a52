//! Builds that fail of what only a real mirror can say.

use crate::whole::{build, clear, names, nothing_is_left};
use std::fs;
use std::path::Path;

#[test]
fn a_package_that_does_not_exist_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/debian-13.toml")).unwrap();
    let path = folder.path().join("debian-13.toml");
    fs::write(&path, text.replace("\"cloud-init\", ", "\"cloud-init\", \"no-such-package\", ")).unwrap();
    let said = build(folder.path(), &path, &[]);
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{}", said.stderr);
    for words in ["stage tree: Unable to locate package no-such-package\n", "look at [packages]", "left: "] {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
    nothing_is_left(folder.path());
    assert_eq!(names(folder.path()), ["debian-13.toml", "work"]);
    clear(&folder.path().join("work"));
}
