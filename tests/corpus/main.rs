//! Inputs that nobody here made: `BOOTWORTHY_CORPUS=FOLDER cargo test --test corpus`.
#![allow(missing_docs, reason = "test code")]

mod initrd;

/// The folder whose layout is `initrd/`, `disk/`, `pkgdb/` …
fn corpus(folder: &str) -> std::path::PathBuf {
    let path = std::env::var_os("BOOTWORTHY_CORPUS").expect("BOOTWORTHY_CORPUS names the folder of the corpus");
    std::path::PathBuf::from(path).join(folder)
}
