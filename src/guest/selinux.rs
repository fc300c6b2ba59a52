//! /etc/selinux/config → the mode that `SELinux` starts in (`libselinux/src/selinux_config.c`).

use super::Selinux;
use crate::bytes::text;
use crate::disk::filesystem::Root;
use crate::error::Result;
use crate::fact::Fact;
use crate::limits::Limits;

/// Where it stands in the guest.
pub const PATH: &str = "/etc/selinux/config";

/// What the file asks for; `None` when there is none.
///
/// # Errors
/// When the file is there and could not be read.
pub fn read(root: &Root, limits: &Limits) -> Result<Option<Selinux>> {
    let Some(bytes) = root.read_if_exists(PATH, limits.config_file)? else { return Ok(None) };
    let (mode, line, kind) = parse(&bytes);
    let found = root.glob(format!("/etc/selinux/{kind}/policy/policy.*"));
    let has_policy = match found.gaps.into_iter().next() {
        Some(gap) if found.items.is_empty() => Fact::Unknown(gap),
        _ => Fact::Known(!found.items.is_empty()),
    };
    Ok(Some(Selinux { mode, line, has_policy }))
}

/// Mode, its line and the policy's type. The first `SELINUX=` that names a mode counts (`selinux_getenforcemode`), and
/// the last type.
fn parse(bytes: &[u8]) -> (String, u32, String) {
    const MODES: &[&str] = &["enforcing", "permissive", "disabled"];
    let (mut mode, mut kind) = (None, "targeted".to_owned());
    for (text, number) in bytes.split(|byte| *byte == b'\n').map(text).zip(1_u32..) {
        if let Some(value) = text.strip_prefix("SELINUX=") {
            let value = value.trim_start().to_ascii_lowercase();
            let known = MODES.iter().find(|mode| value.starts_with(**mode));
            mode = mode.or_else(|| known.map(|mode| ((*mode).to_owned(), number)));
        } else if let Some(value) = text.trim_start().strip_prefix("SELINUXTYPE=") {
            value.trim().clone_into(&mut kind);
        }
    }
    if kind.is_empty() || kind.contains(['/', '*']) || kind.starts_with('.') {
        "targeted".clone_into(&mut kind);
    }
    let (mode, line) = mode.unwrap_or_default();
    (mode, line, kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Memory;

    #[test]
    fn modes() {
        for (file, mode, line, kind) in [
            ("# SELINUX=disabled\nSELINUX=enforcing\nSELINUXTYPE=targeted\n", "enforcing", 2, "targeted"),
            ("SELINUX=Permissive \nSELINUX=enforcing\n", "permissive", 1, "targeted"),
            ("SELINUX=x\n SELINUX=disabled\nSELINUX= enforcing\n", "enforcing", 3, "targeted"),
            ("SELINUXTYPE=mls\n", "", 0, "mls"),
            ("SELINUXTYPE=../x\nSELINUX=disabled", "disabled", 2, "targeted"),
        ] {
            assert_eq!(parse(file.as_bytes()), (mode.to_owned(), line, kind.to_owned()), "{file}");
        }
    }

    #[test]
    fn a_policy_is_a_file() {
        let tree = || Memory::new("xfs", "", "").file(PATH, "SELINUX=enforcing\n");
        let has = |tree: Memory| read(&tree.root(), &Limits::default()).unwrap().unwrap().has_policy;
        assert_eq!(has(tree()), Fact::Known(false));
        assert_eq!(has(tree().file("/etc/selinux/targeted/policy/policy.33", "")), Fact::Known(true));
        assert_eq!(read(&Memory::new("xfs", "", "").root(), &Limits::default()), Ok(None));
    }
}
