//! Builds that are killed: fifty times from a root archive, five times while mmdebstrap installs.

use crate::whole::killed::at_random_moments;
use crate::whole::{build_command, clear, nothing_is_left};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn fifty_kills_of_a_build_from_an_archive() {
    at_random_moments(2, 50, 5);
}

#[test]
fn five_kills_of_an_mmdebstrap_build() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/debian-13.toml");
    for seconds in [5, 11, 20, 34, 55] {
        let mut command = build_command(folder.path(), &recipe, &["--no-cache"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs(seconds));
        child.kill().unwrap();
        let ended = child.wait().unwrap();
        nothing_is_left(folder.path());
        eprintln!("killed after {seconds} s: {ended}");
        assert!(ended.success() || !folder.path().join("disk.qcow2").exists());
    }
    clear(&folder.path().join("work"));
}
