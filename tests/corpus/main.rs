//! The readers on data that nobody here made: `BOOTWORTHY_CORPUS=DIR cargo test --test corpus`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]
#![allow(clippy::indexing_slicing, clippy::disallowed_methods, clippy::print_stderr, reason = "test code")]

mod identities;
mod initrd;
mod manifests;

/// The folder whose layout is `blkid/`, `initrd/`, `disk/`, `pkgdb/` …
fn corpus(folder: &str) -> std::path::PathBuf {
    let root = std::env::var_os("BOOTWORTHY_CORPUS").expect("BOOTWORTHY_CORPUS names the folder of the corpus");
    std::path::PathBuf::from(root).join(folder)
}
