//! swtpm, the program that libvirt starts beside QEMU for a TPM: in the private folder, anew for every start.

use super::folder::Folder;
use super::program::search;
use crate::error::{Error, Result};
use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The socket that QEMU speaks to, in the private folder.
pub const TPM: &str = "tpm.sock";
/// What the TPM keeps, in the private folder: a machine that is started again finds it.
const STATE: &str = "tpm";
/// Until swtpm has made its socket.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks for it.
const PACE: Duration = Duration::from_millis(20);

/// The program, where the host has it.
pub fn find_tpm() -> Option<PathBuf> {
    search("swtpm", env::var_os("PATH"), false)
}

/// Starts it for one start of a machine; it ends with QEMU's connection. `version` is libvirt's: `2.0` or `1.2`.
///
/// # Errors
/// Its own words when it does not start.
pub fn start_tpm(folder: &mut Folder, program: &Path, version: &str) -> Result<()> {
    let failed = |error: std::io::Error| Error::io("swtpm", error);
    let (socket, state) = (folder.path().join(TPM), folder.path().join(STATE));
    if !state.exists() {
        DirBuilder::new().mode(0o700).create(&state).map_err(failed)?;
    }
    if socket.exists() {
        fs::remove_file(&socket).map_err(failed)?;
    }
    let joined = |head: &str, path: &Path| {
        let mut word = OsString::from(head);
        word.push(path);
        word
    };
    let mut words: Vec<OsString> = ["socket", "--terminate", "--tpmstate"].map(OsString::from).into();
    words.push(joined("dir=", &state));
    words.extend(["--ctrl".into(), joined("type=unixio,path=", &socket)]);
    if version == "2.0" {
        words.push("--tpm2".into());
    }
    let id = folder.start(program, &words, None)?;
    let begun = Instant::now();
    while !socket.exists() {
        if let Some(end) = folder.ended(id) {
            return Err(Error::io("swtpm", end).at(program.display().to_string()));
        }
        if begun.elapsed() > PATIENCE {
            return Err(Error::io("swtpm", "it makes no socket").at(program.display().to_string()));
        }
        thread::sleep(PACE);
    }
    Ok(())
}
