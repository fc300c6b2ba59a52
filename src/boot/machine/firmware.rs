//! UEFI on this host: OVMF's code and the variables that belong to it, found as libvirt finds them.

use super::{Chipset, Firmware};
use crate::bytes::read_capped;
use crate::error::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The environment's name for a folder with OVMF, or for the file of its code.
pub const VARIABLE: &str = "BOOTWORTHY_OVMF";

/// Where descriptions of firmware lie; the first of a name hides the others (`docs/interop/firmware.json` of QEMU).
const DESCRIPTIONS: [&str; 2] = ["/etc/qemu/firmware", "/usr/share/qemu/firmware"];
/// Where distributions put it, for those that describe nothing.
const FOLDERS: &[&str] = &[
    "/usr/share/OVMF",
    "/usr/share/edk2/ovmf",
    "/usr/share/edk2/x64",
    "/usr/share/edk2-ovmf/x64",
    "/usr/share/edk2/OvmfX64",
    "/usr/share/qemu",
];
/// Bytes of one description; Debian's have 800.
const MAX_DESCRIPTION: u64 = 64 * 1024;
/// Descriptions in one folder; Fedora has 20.
const MAX_DESCRIPTIONS: usize = 256;
/// Bytes of the variables; OVMF's have 528 KiB.
const MAX_VARIABLES: u64 = 16 << 20;

/// Names of code and variables without secure boot: Debian, Arch, Fedora, openSUSE, QEMU itself.
const PLAIN: &[(&str, &str)] = &[
    ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
    ("OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd"),
    ("OVMF_CODE.fd", "OVMF_VARS.fd"),
    ("OVMF_CODE_4M.qcow2", "OVMF_VARS_4M.qcow2"),
    ("ovmf-x86_64-4m-code.bin", "ovmf-x86_64-4m-vars.bin"),
    ("ovmf-x86_64-code.bin", "ovmf-x86_64-vars.bin"),
    ("edk2-x86_64-code.fd", "edk2-i386-vars.fd"),
];
/// The same with secure boot and the keys of Microsoft: without keys nothing would be refused.
const SECURE: &[(&str, &str)] = &[
    ("OVMF_CODE_4M.ms.fd", "OVMF_VARS_4M.ms.fd"),
    ("OVMF_CODE.ms.fd", "OVMF_VARS.ms.fd"),
    ("OVMF_CODE.secboot.fd", "OVMF_VARS.secboot.fd"),
    ("OVMF_CODE_4M.secboot.qcow2", "OVMF_VARS_4M.secboot.qcow2"),
    ("ovmf-x86_64-smm-ms-code.bin", "ovmf-x86_64-smm-ms-vars.bin"),
];

/// A build of OVMF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uefi {
    /// What runs.
    pub code: PathBuf,
    /// The variables that it starts with; a machine gets a copy.
    pub variables: PathBuf,
}

impl Uefi {
    /// Writes the variables to a new file, which only the user can read.
    ///
    /// # Errors
    /// When they cannot be read, or the file is there already.
    pub fn copy_variables(&self, to: &Path) -> Result<()> {
        const WHAT: &str = "variables of the firmware";
        let failed = |path: &Path, error| Error::io(WHAT, error).at(path.display().to_string());
        let mut template = File::open(&self.variables).map_err(|error| failed(&self.variables, error))?;
        let bytes = read_capped(&mut template, MAX_VARIABLES, WHAT)?;
        let copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
        copy.and_then(|mut copy| copy.write_all(&bytes)).map_err(|error| failed(to, error))
    }
}

/// OVMF for a machine: where `own` says, else where the environment says, else where the host keeps it; `None` for BIOS.
///
/// # Errors
/// `NotFound` when it is not there, with the package that has it.
pub fn find(firmware: Firmware, chipset: Chipset, own: Option<&Path>) -> Result<Option<Uefi>> {
    let Firmware::Uefi { secure_boot } = firmware else { return Ok(None) };
    let named = own.map(Path::to_owned).or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    let found = if let Some(path) = &named {
        named_by_user(path, secure_boot)
    } else {
        let described = described(&DESCRIPTIONS.map(Path::new), secure_boot, chipset);
        described.or_else(|| FOLDERS.iter().find_map(|folder| in_folder(Path::new(folder), secure_boot)))
    };
    found.map(Some).ok_or_else(|| missing(named.as_deref(), secure_boot))
}

fn missing(named: Option<&Path>, secure_boot: bool) -> Error {
    let what = if secure_boot { "OVMF with secure boot and enrolled keys" } else { "OVMF" };
    let error = Error::not_found(what).why("hw_firmware_type=uefi starts no other firmware");
    match named {
        Some(path) => {
            let cause = "it is neither the code with its variables beside it nor a folder with both";
            error
                .at(path.display().to_string())
                .because(cause)
                .help(format!("{VARIABLE} names the folder with OVMF_CODE_4M.fd, or that file"))
        }
        None => error.because("it is in none of the usual places").help(format!(
            "install ovmf (Debian, Ubuntu), edk2-ovmf (Fedora, RHEL, Arch) or qemu-ovmf-x86_64 (openSUSE), or name its \
             folder in {VARIABLE}"
        )),
    }
}

/// A folder with known names, or a file of code with `VARS` for `CODE` beside it.
fn named_by_user(path: &Path, secure_boot: bool) -> Option<Uefi> {
    if path.is_dir() {
        return in_folder(path, secure_boot);
    }
    let name = path.file_name()?.to_str()?;
    let pairs = if secure_boot { SECURE } else { PLAIN };
    let listed = pairs.iter().find(|(code, _)| *code == name).map(|(_, variables)| (*variables).to_owned());
    let variables = listed.unwrap_or_else(|| name.replace("CODE", "VARS").replace("code", "vars"));
    let found = Uefi { code: path.to_owned(), variables: path.with_file_name(variables) };
    Some(found).filter(|found| found.code != found.variables && is_there(found))
}

fn is_there(found: &Uefi) -> bool {
    found.code.is_file() && found.variables.is_file()
}

fn in_folder(folder: &Path, secure_boot: bool) -> Option<Uefi> {
    let pairs = if secure_boot { SECURE } else { PLAIN };
    let full =
        pairs.iter().map(|(code, variables)| Uefi { code: folder.join(code), variables: folder.join(variables) });
    full.into_iter().find(is_there)
}

/// A description of firmware, as far as it matters here.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Description {
    #[serde(default)]
    interface_types: Vec<String>,
    mapping: Mapping,
    #[serde(default)]
    targets: Vec<Target>,
    #[serde(default)]
    features: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mapping {
    device: String,
    mode: Option<String>,
    executable: Option<Flash>,
    nvram_template: Option<Flash>,
}

#[derive(Deserialize)]
struct Flash {
    filename: PathBuf,
    format: String,
}

#[derive(Deserialize)]
struct Target {
    architecture: String,
    #[serde(default)]
    machines: Vec<String>,
}

impl Description {
    /// Its files, when libvirt would take them for such a machine (`qemuFirmwareMatchDomain`).
    fn matching(self, secure_boot: bool, chipset: Chipset) -> Option<Uefi> {
        let machine = if chipset == Chipset::Q35 { "pc-q35-" } else { "pc-i440fx-" };
        let is_target = |target: &Target| {
            let is_machine = |glob: &String| machine.starts_with(glob.trim_end_matches('*'));
            target.architecture == "x86_64" && target.machines.iter().any(is_machine)
        };
        let has = |feature: &str| self.features.iter().any(|known| known == feature);
        let is_fit = if secure_boot { has("secure-boot") && has("enrolled-keys") } else { !has("secure-boot") };
        let is_uefi = self.interface_types.iter().any(|kind| kind == "uefi");
        let is_split = self.mapping.device == "flash" && self.mapping.mode.as_deref().unwrap_or("split") == "split";
        if !(is_fit && is_uefi && is_split && self.targets.iter().any(is_target)) {
            return None;
        }
        let (code, variables) = (self.mapping.executable?, self.mapping.nvram_template?);
        // The arguments name one format for both, by the name of the code.
        let is_named = |flash: &Flash| {
            let is_qcow2 = flash.filename.extension().is_some_and(|extension| extension == "qcow2");
            flash.format == if is_qcow2 { "qcow2" } else { "raw" }
        };
        let is_known = is_named(&code) && is_named(&variables) && code.format == variables.format;
        Some(Uefi { code: code.filename, variables: variables.filename }).filter(|found| is_known && is_there(found))
    }
}

/// The first description that fits, by its file's name; what cannot be read fits nothing.
fn described(folders: &[&Path], secure_boot: bool, chipset: Chipset) -> Option<Uefi> {
    let mut files = BTreeMap::new();
    for folder in folders {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_DESCRIPTIONS);
        for entry in entries {
            files.entry(entry.file_name()).or_insert_with(|| entry.path());
        }
    }
    let is_json = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "json");
    files.values().filter(is_json).find_map(|path| {
        let bytes = read_capped(&mut File::open(path).ok()?, MAX_DESCRIPTION, "description of firmware").ok()?;
        serde_json::from_slice::<Description>(&bytes).ok()?.matching(secure_boot, chipset)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PLAIN_UEFI: Firmware = Firmware::Uefi { secure_boot: false };

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(folder.path().join(file), file.as_bytes()).unwrap();
        }
        folder
    }

    #[test]
    fn what_the_user_names_is_taken_or_refused() {
        let files = ["OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", "OVMF_CODE_4M.ms.fd", "OVMF_VARS_4M.ms.fd", "my-code.fd"];
        let folder = folder(&files);
        let at = |name: &str| folder.path().join(name);
        let plain = Uefi { code: at("OVMF_CODE_4M.fd"), variables: at("OVMF_VARS_4M.fd") };
        let secure = Uefi { code: at("OVMF_CODE_4M.ms.fd"), variables: at("OVMF_VARS_4M.ms.fd") };
        for (path, secure_boot, expected) in [
            (at(""), false, Some(&plain)),
            (at(""), true, Some(&secure)),
            (at("OVMF_CODE_4M.fd"), false, Some(&plain)),
            (at("OVMF_CODE_4M.ms.fd"), true, Some(&secure)),
            (at("my-code.fd"), false, None),
            (at("OVMF_VARS_4M.fd"), false, None),
            (at("nowhere"), false, None),
        ] {
            let found = find(Firmware::Uefi { secure_boot }, Chipset::Q35, Some(&path));
            assert_eq!(found.as_ref().ok().and_then(Option::as_ref), expected, "{}: {found:?}", path.display());
        }
        let error = find(PLAIN_UEFI, Chipset::Q35, Some(&at("nowhere"))).unwrap_err();
        assert!(error.help.unwrap().contains(VARIABLE));
        assert_eq!(find(Firmware::Bios, Chipset::Q35, Some(&at("nowhere"))).unwrap(), None);
    }

    #[test]
    fn variables_are_copied_once() {
        let folder = folder(&["OVMF_CODE.fd", "OVMF_VARS.fd"]);
        let found = find(PLAIN_UEFI, Chipset::I440fx, Some(folder.path())).unwrap().unwrap();
        let copy = folder.path().join("copy");
        found.copy_variables(&copy).unwrap();
        let bytes = read_capped(&mut File::open(&copy).unwrap(), 64, "variables").unwrap();
        assert_eq!(bytes, b"OVMF_VARS.fd");
        assert!(found.copy_variables(&copy).is_err(), "a file that is there is not written over");
    }

    #[test]
    fn descriptions_as_libvirt_takes_them() {
        let folder = folder(&["a.fd", "b.fd", "c.qcow2"]);
        let (etc, usr) = (folder.path().join("etc"), folder.path().join("usr"));
        std::fs::create_dir(&etc).unwrap();
        std::fs::create_dir(&usr).unwrap();
        let write = |place: &Path, name: &str, code: &str, machines: &[&str], features: &[&str]| {
            let file = |name: &str| {
                let format = if name.ends_with("qcow2") { "qcow2" } else { "raw" };
                json!({"filename": folder.path().join(name), "format": format})
            };
            let text = json!({
                "description": "x", "interface-types": ["uefi"], "features": features, "tags": [],
                "mapping": {"device": "flash", "executable": file(code), "nvram-template": file(code)},
                "targets": [{"architecture": "x86_64", "machines": machines}],
            });
            std::fs::write(place.join(name), text.to_string()).unwrap();
        };
        write(&usr, "10-secure.json", "a.fd", &["pc-q35-*"], &["secure-boot", "enrolled-keys", "requires-smm"]);
        write(&usr, "20-keyless.json", "b.fd", &["pc-q35-*"], &["secure-boot", "requires-smm"]);
        write(&usr, "30-gone.json", "gone.fd", &["pc-q35-*", "pc-i440fx-*"], &[]);
        write(&usr, "40-plain.json", "b.fd", &["pc-q35-*", "pc-i440fx-*"], &["acpi-s3"]);
        std::fs::write(usr.join("05-broken.json"), "{").unwrap();
        let find = |secure_boot, chipset| {
            let found = described(&[&etc, &usr], secure_boot, chipset);
            found.map(|found| found.code.file_name().unwrap().to_str().unwrap().to_owned())
        };
        assert_eq!(find(true, Chipset::Q35).as_deref(), Some("a.fd"));
        assert_eq!(find(true, Chipset::I440fx), None);
        assert_eq!(find(false, Chipset::Q35).as_deref(), Some("b.fd"));
        assert_eq!(find(false, Chipset::I440fx).as_deref(), Some("b.fd"));
        // An empty file of the administrator hides the distribution's; one of the same name stands for it.
        std::fs::write(etc.join("10-secure.json"), "").unwrap();
        write(&etc, "40-plain.json", "c.qcow2", &["pc-q35-*"], &[]);
        assert_eq!(find(true, Chipset::Q35), None);
        assert_eq!(find(false, Chipset::Q35).as_deref(), Some("c.qcow2"));
    }
}
