//! Files of the host that a recipe names: where they are, and what they hold.

use crate::error::{Error, Result};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Bytes read at a time.
const PIECE: usize = 1 << 16;

/// The path as the recipe means it: from its folder, unless it is absolute.
pub(super) fn resolved(folder: &Path, path: &str) -> String {
    folder.join(path).to_string_lossy().into_owned()
}

/// SHA-256 of a regular file in hexadecimal.
///
/// # Errors
/// `Io` where it is none or cannot be read.
pub fn digest(path: &str) -> Result<String> {
    let failed = |error: std::io::Error| Error::io("cannot read it", error).at(path);
    let mut file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(Error::io("cannot read it", "it is no regular file").at(path));
    }
    let mut sum = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece).map_err(failed)? {
            0 => break,
            count => sum.update(piece.get(..count).unwrap_or_default()),
        }
    }
    Ok(hex(&sum.finalize()))
}

/// Bytes in hexadecimal, lower case.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
