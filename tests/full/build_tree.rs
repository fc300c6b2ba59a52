//! Trees by mmdebstrap, as whoever runs the tests: the first tier has no network.

use bootworthy::build::engine::{self, Engine};
use bootworthy::build::plan::{Architecture, Family};
use bootworthy::build::workshop::{Mode, Options, Workshop};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The suite of this machine: fakechroot takes no tree with another C library.
fn suite() -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap();
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).unwrap();
    name.to_owned()
}

fn options(packages: &[&str]) -> engine::Options {
    engine::Options {
        engine: Engine::Mmdebstrap,
        family: Family::Debian,
        distribution: "debian".into(),
        suite: suite(),
        architecture: Architecture::X86_64,
        mirrors: vec![],
        components: vec![],
        variant: Some("apt".into()),
        packages: packages.iter().map(|name| (*name).to_owned()).collect(),
        input: None,
        most: None,
        input_sha256: None,
        locked: vec![],
        source_date_epoch: 1_700_000_000,
    }
}

#[test]
fn a_tree_in_every_mode_that_can_be_had() {
    for mode in [Mode::detect().unwrap().0, Mode::Fakechroot] {
        let folder = tempfile::tempdir().unwrap();
        let shop = Workshop::open(Options {
            folder: folder.path().join("work"),
            mode,
            epoch: 1_700_000_000,
            listener: Box::new(|_, line| eprintln!("{line}")),
            cancelled: Arc::new(AtomicBool::new(false)),
            ourselves: env!("CARGO_BIN_EXE_bootworthy").into(),
        })
        .unwrap();
        engine::run(&options(&["passwd", "kmod"]), &shop).unwrap();
        let packages = std::fs::read_to_string(shop.folder().join("packages.json")).unwrap();
        let packages: serde_json::Value = serde_json::from_str(&packages).unwrap();
        let packages = packages.as_array().unwrap();
        assert!(packages.iter().any(|package| package["name"] == "kmod"));
        for package in packages {
            assert_eq!(package["sha256"].as_str().map(str::len), Some(64), "{package}");
        }
        let shadow = shop.output("try", shop.inside("stat").args(["-c", "%u:%g %a", "tree/etc/shadow"]), 100).unwrap();
        assert_eq!(shadow, b"0:42 640\n", "{mode:?}");
        shop.run("try", shop.within("ldconfig").arg("-p")).unwrap();
        shop.remove("try", &shop.tree()).unwrap();
    }
}
