//! The digest of an image file, as Glance computes it (`os_hash_algo` is sha512 by default).

use crate::error::{Error, Result};
use sha2::{Digest as _, Sha512};
use std::fmt::Write as _;
use std::io::{ErrorKind, Read};

/// Bytes read at once.
const PART: usize = 1024 * 1024;

/// SHA-512 of all that `file` holds, in hexadecimal; `progress` hears how many bytes each step has read.
///
/// # Errors
/// When the medium fails.
pub fn sha512(file: &mut dyn Read, progress: &dyn Fn(u64)) -> Result<String> {
    let mut digest = Sha512::new();
    let mut part = vec![0; PART];
    loop {
        let length = match file.read(&mut part) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::io("image", error)),
        };
        digest.update(part.get(..length).unwrap_or_default());
        progress(u64::try_from(length).unwrap_or(u64::MAX));
    }
    let mut text = String::new();
    for byte in digest.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// FIPS 180-4's example, and nothing.
    #[test]
    fn known_digests() {
        for (text, begin) in [("abc", "ddaf35a193617aba"), ("", "cf83e1357eefb8bd")] {
            let seen = Cell::new(0);
            let digest = sha512(&mut text.as_bytes(), &|bytes| seen.set(seen.get() + bytes)).unwrap();
            assert!(digest.starts_with(begin) && digest.len() == 128, "{digest}");
            assert_eq!(seen.get(), u64::try_from(text.len()).unwrap());
        }
    }
}
