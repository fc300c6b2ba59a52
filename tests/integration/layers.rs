//! The direction of dependencies: a module imports only from those to its left.

use std::fs;
use std::path::Path;
use walkdir::WalkDir;

/// The rooms in the order in which data passes through them.
const ORDER: &[&str] = &[
    "error", "fact", "limits", "bytes", "disk", "guest", "worker", "verdict", "manifest", "report", "build", "boot",
    "cloud", "config", "command", "cli", "main",
];
/// The rooms within a room, where they too have an order.
const INNER: &[(&str, &[&str])] =
    &[("disk", &["source", "image", "volume", "filesystem"]), ("verdict", &["check", "property", "feature"])];

fn room(path: &Path) -> String {
    let first = path.strip_prefix("src").unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// Every `crate::a::b` and, for grouped imports, every name behind `crate::`.
fn imports(source: &str) -> Vec<Vec<String>> {
    let path = |rest: &str| -> Vec<String> {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
        rest[..end].split("::").map(str::to_owned).collect()
    };
    source.match_indices("crate::").map(|(at, word)| path(&source[at + word.len()..])).collect()
}

fn sources() -> Vec<(std::path::PathBuf, String)> {
    let files = WalkDir::new("src").sort_by_file_name().into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"));
    files.map(|entry| (entry.path().to_owned(), fs::read_to_string(entry.path()).unwrap())).collect()
}

#[test]
fn modules_import_only_from_their_left() {
    let rank = |name: &str| ORDER.iter().position(|room| *room == name);
    for (path, source) in sources() {
        let here = room(&path);
        if here == "lib" {
            continue;
        }
        let own = rank(&here).unwrap_or_else(|| panic!("{} is in no room of ORDER", path.display()));
        for import in imports(&source) {
            let other = rank(&import[0]).unwrap_or_else(|| panic!("{}: crate::{}", path.display(), import[0]));
            assert!(other <= own, "{} imports crate::{}, which stands to its right", path.display(), import.join("::"));
        }
    }
}

#[test]
fn rooms_within_a_room_keep_their_order() {
    for (outer, order) in INNER {
        let rank = |name: &str| order.iter().position(|room| *room == name);
        for (path, source) in sources() {
            let inside = path.strip_prefix(format!("src/{outer}")).ok();
            let name = inside.and_then(|rest| rest.iter().next()).and_then(|name| name.to_str());
            let Some(own) = name.and_then(|name| rank(name.trim_end_matches(".rs"))) else { continue };
            for import in imports(&source).iter().filter(|import| import[0] == *outer && import.len() > 1) {
                let other = rank(&import[1]);
                assert!(other.is_none_or(|other| other <= own), "{} imports {}", path.display(), import.join("::"));
            }
        }
    }
}

#[test]
fn anyhow_and_clap_stay_at_the_command_line() {
    for (path, source) in sources() {
        let is_outer = ["main", "cli", "command"].contains(&room(&path).as_str());
        for name in ["anyhow::", "clap::"] {
            assert!(is_outer || !source.contains(name), "{} uses {name}", path.display());
        }
    }
}

#[test]
fn files_stay_readable() {
    for (path, source) in sources() {
        let lines = source.lines().count();
        assert!(lines <= 500, "{} has {lines} lines; split it where a second idea begins", path.display());
    }
    assert!(fs::read_to_string("src/main.rs").unwrap().lines().count() <= 40);
}
