//! What is refused before anything is fetched: exit 2, one line with its place, nothing written.

use super::build;
use std::fs;

const RECIPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/debian-13.toml");

#[test]
fn mistakes_are_named_and_leave_nothing() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let text = fs::read_to_string(RECIPE).unwrap();
    fs::write(at("typo.toml"), text.replace("firmware", "fimware")).unwrap();
    fs::write(at("impossible.toml"), text.replace("id = \"debian\"", "id = \"arch\"")).unwrap();
    fs::write(at("bytes.toml"), b"name = \"\xff\"").unwrap();
    let tree = "[engine]\nname = \"tar\"\npath = \"nowhere.tar\"\n[boot]";
    let packages = &text[text.find("[packages]").unwrap()..text.find("[boot]").unwrap()];
    fs::write(at("tar.toml"), text.replace(packages, "").replace("[boot]", tree)).unwrap();
    fs::write(at("debian-13.lock"), "schema = \"bootworthy.lock/9\"\n").unwrap();
    fs::create_dir(home.path().join("d")).unwrap();
    let image = at("disk.qcow2");
    let before = fs::read_dir(home.path()).unwrap().count();
    for (args, says) in [
        (vec![RECIPE], "required"),
        (vec![&at("nowhere.toml"), "--plan"], "cannot open the recipe"),
        (vec![&at("typo.toml"), "--plan"], "typo.toml:19: there is no key \"fimware\" in boot; did you mean firmware?"),
        (vec![&at("impossible.toml"), "--plan"], "impossible.toml:10: distribution.id: no engine installs arch"),
        (vec![&at("bytes.toml"), "--plan"], "it is no UTF-8 text"),
        (vec![&at("tar.toml"), "-o", &image], "engine.path"),
        (vec![RECIPE, "-o", &at("nowhere/disk.qcow2")], "there is no directory"),
        (vec![RECIPE, "-o", &at("d")], "it is a directory, a file is expected"),
        (vec![RECIPE, "-o", &image, "--manifest", "jsn=x"], "manifest format \"jsn\""),
        (vec![RECIPE, "-o", &image, "--manifest", "json"], "FORMAT=PATH is expected"),
        (vec![RECIPE, "-o", &image, "--manifest", "image-manager=x.yml"], "which the recipe's [policy] does not say"),
        (vec![RECIPE, "-o", &image, "--locked"], "schema is"),
        (vec![RECIPE, "-o", &image, "--locked", "--lock", &at("x.lock")], "a build without --locked writes it"),
        (vec![RECIPE, "-o", &image, "--engine-mode", "chroot"], "invalid value 'chroot'"),
        (vec![RECIPE, "-o", &image, "-v", "-q"], "cannot be used with"),
    ] {
        let run = build(home.path(), &args);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{args:?}: {}", run.stderr);
        assert!(run.stderr.starts_with("error: ") && run.stderr.contains(says), "{args:?}: {}", run.stderr);
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), before);
}

#[test]
fn a_lock_of_another_recipe_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let lock = home.path().join("debian-13.lock");
    let image = home.path().join("disk.qcow2");
    let text =
        "schema = \"bootworthy.lock/1\"\nname = \"debian-13\"\nrecipe = \"00\"\nsource_date_epoch = 1\n[uuids]\n";
    fs::write(&lock, text).unwrap();
    let run = build(home.path(), &[RECIPE, "-o", image.to_str().unwrap(), "--locked"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("it was written for another recipe, or this one has changed since"), "{}", run.stderr);
}
