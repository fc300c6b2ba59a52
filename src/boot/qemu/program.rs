//! QEMU on this host: which program, which version, what runs the guest's instructions, and as which processor.

use crate::boot::machine::Accel;
use crate::bytes::{read_capped, text};
use crate::error::{Error, Result};
use std::env;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// What runs a guest of one architecture.
struct Row {
    /// As Linux and Glance spell it.
    architecture: &'static str,
    program: &'static str,
    /// What brings the program, by family.
    packages: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        architecture: "x86_64",
        program: "qemu-system-x86_64",
        packages: "qemu-system-x86 (Debian, Ubuntu, Arch), qemu-kvm (Fedora, RHEL), qemu-x86 (openSUSE) or qemu-system-x86_64 (Alpine)",
    },
    Row {
        architecture: "aarch64",
        program: "qemu-system-aarch64",
        packages: "qemu-system-arm (Debian, Ubuntu, openSUSE: qemu-arm), qemu-kvm (Fedora, RHEL) or qemu-system-aarch64 (Arch, Alpine)",
    },
];

/// Where RHEL and its rebuilds keep their only QEMU, outside of PATH.
const RHEL: &str = "/usr/libexec/qemu-kvm";
/// Names the program for the project's own tests.
const VARIABLE: &str = "BOOTWORTHY_QEMU";
/// How long KVM's first processor runs before it is trusted.
const KVM_TRIAL: Duration = Duration::from_millis(500);
/// Bytes of `--version` that are read; real ones have 150.
const MAX_VERSION: u64 = 4096;
/// What the user wants the guest's instructions to be run by (`--accel`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Wish {
    /// KVM where it works, else the translator.
    #[default]
    Auto,
    /// The one named.
    Only(Accel),
}

/// A QEMU that was found and answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The file.
    pub path: PathBuf,
    /// Major, minor, micro.
    pub version: (u32, u32, u32),
    /// Of the guest, as Linux spells it.
    pub architecture: &'static str,
}

impl Program {
    /// The QEMU for guests of `architecture`: the one that the user named, else the tests' own, else the first in PATH.
    ///
    /// # Errors
    /// When there is none, with the package to install; or when it does not say its version.
    pub fn find(architecture: &str, option: Option<&Path>) -> Result<Self> {
        let row = row(architecture)?;
        let named = option.map(Path::to_owned).or_else(|| env::var_os(VARIABLE).map(PathBuf::from));
        let path = match named {
            Some(path) => path,
            None => {
                search(row.program, env::var_os("PATH"), env::consts::ARCH == row.architecture).ok_or_else(|| {
                    Error::not_found("QEMU")
                        .because(format!("{} is not in PATH", row.program))
                        .help(format!("install {}, or name the program with --qemu", row.packages))
                })?
            }
        };
        let version = ask_version(&path).map_err(|error| error.at(path.display().to_string()))?;
        Ok(Self { path, version, architecture: row.architecture })
    }

    /// What the guest's instructions will be run by, and for `auto` without KVM the reason.
    ///
    /// # Errors
    /// When KVM was asked for and does not work here.
    pub fn accel(&self, wish: Wish) -> Result<(Accel, Option<String>)> {
        match wish {
            Wish::Only(Accel::Tcg) => Ok((Accel::Tcg, None)),
            Wish::Only(Accel::Kvm) => match self.probe_kvm() {
                Ok(()) => Ok((Accel::Kvm, None)),
                Err(why) => Err(Error::unsupported("KVM", why).help("use --accel tcg: slower, and it proves the same")),
            },
            Wish::Auto => match self.probe_kvm() {
                Ok(()) => Ok((Accel::Kvm, None)),
                Err(why) => Ok((Accel::Tcg, Some(why))),
            },
        }
    }

    /// The version as QEMU writes it.
    pub fn version_text(&self) -> String {
        let (major, minor, micro) = self.version;
        format!("{major}.{minor}.{micro}")
    }

    /// Runs an empty machine for a moment. Opening /dev/kvm is not enough: a nested KVM can refuse what QEMU sets in a
    /// processor ("failed to set MSR" and an abort, seen in a virtual machine without nested virtualisation).
    fn probe_kvm(&self) -> Result<(), String> {
        if env::consts::ARCH != self.architecture {
            return Err(format!("the guest is {}, this host is {}", self.architecture, env::consts::ARCH));
        }
        let device = OpenOptions::new().read(true).write(true).open("/dev/kvm");
        device.map_err(|error| format!("/dev/kvm: {error}"))?;
        let machine = if self.architecture == "aarch64" { "virt" } else { "pc" };
        let options =
            ["-S", "-accel", "kvm", "-cpu", "host", "-m", "64", "-nodefaults", "-no-user-config", "-display", "none"];
        #[expect(clippy::disallowed_methods, reason = "starts QEMU")]
        let mut command = Command::new(&self.path);
        command.args(["-machine", machine]).args(options).args(["-qmp", "stdio"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        // One that has died takes none of it: its exit code says so.
        if let Some(mut stdin) = child.stdin.take() {
            drop(stdin.write_all(b"{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"cont\"}\n"));
            thread::sleep(KVM_TRIAL);
            drop(stdin.write_all(b"{\"execute\":\"quit\"}\n"));
        }
        let words = child.stderr.take().and_then(|mut stderr| read_capped(&mut stderr, MAX_VERSION, "QEMU").ok());
        let status = child.wait().map_err(|error| error.to_string())?;
        let words = text(&words.unwrap_or_default()).lines().last().unwrap_or_default().to_owned();
        if status.success() {
            Ok(())
        } else {
            Err(format!("/dev/kvm does not carry a machine: QEMU {status}: {words}"))
        }
    }
}

fn row(architecture: &str) -> Result<&'static Row> {
    ROWS.iter().find(|row| row.architecture == architecture).ok_or_else(|| {
        let known: Vec<&str> = ROWS.iter().map(|row| row.architecture).collect();
        Error::unsupported("architecture", format!("{architecture} guests are not booted; {} are", known.join(" and ")))
    })
}

/// The first executable of that name in PATH; RHEL's own only runs guests of the host's architecture.
pub(super) fn search(name: &str, path: Option<OsString>, is_native: bool) -> Option<PathBuf> {
    let folders = path.map(|path| env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let rhel = is_native.then(|| PathBuf::from(RHEL));
    // An empty or relative entry of PATH would take a program from the current directory, where images lie.
    let absolute = folders.into_iter().filter(|folder| folder.is_absolute()).map(|folder| folder.join(name));
    absolute.chain(rhel).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn ask_version(path: &Path) -> Result<(u32, u32, u32)> {
    let failed = |error: std::io::Error| Error::io("QEMU", error).help("name another program with --qemu");
    #[expect(clippy::disallowed_methods, reason = "starts QEMU")]
    let mut command = Command::new(path);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(failed)?;
    let words = match child.stdout.take() {
        Some(mut stdout) => read_capped(&mut stdout, MAX_VERSION, "QEMU --version"),
        None => Err(Error::io("QEMU", "no standard output")),
    };
    if words.is_err() {
        drop(child.kill());
    }
    child.wait().map_err(failed)?;
    let words = text(&words?);
    version(&words).ok_or_else(|| {
        let first = words.lines().next().unwrap_or_default();
        Error::corrupt("QEMU --version", format!("\"{first}\" is no \"QEMU emulator version 1.2.3\""))
            .help("name another program with --qemu")
    })
}

/// `QEMU emulator version 10.0.2 (Debian …)`; release candidates say `10.0.91`.
fn version(words: &str) -> Option<(u32, u32, u32)> {
    let number = words.lines().next()?.strip_prefix("QEMU emulator version ")?.split([' ', '(']).next()?;
    let mut parts = number.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let rows = [
            ("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright", Some((10, 0, 2))),
            ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", Some((7, 2, 22))),
            ("QEMU emulator version 9.1.50(qemu-kvm-9.1.0-15.el9)", Some((9, 1, 50))),
            ("QEMU emulator version 10.0", None),
            ("qemu-img version 10.0.2", None),
            ("", None),
        ];
        for (words, expected) in rows {
            assert_eq!(version(words), expected, "{words}");
        }
    }

    #[test]
    fn absence_names_the_packages() {
        assert_eq!(search("qemu-system-none", Some("/usr/bin::.".into()), false), None);
        assert_eq!(search("sh", Some(":/nowhere:/bin".into()), false), Some(PathBuf::from("/bin/sh")));
        let error = Program::find("s390x", None).unwrap_err();
        assert_eq!(error.to_string(), "architecture: s390x guests are not booted; x86_64 and aarch64 are");
        let error = Program::find("x86_64", Some(Path::new("/nowhere/qemu"))).unwrap_err();
        assert_eq!(error.path.as_deref(), Some("/nowhere/qemu"));
    }
}
