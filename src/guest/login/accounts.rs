//! /etc/passwd, /etc/shadow, machine-id → who has a password, and whether the machine has an identity. Neither a hash
//! nor an id is kept.

use crate::bytes::text;
use crate::disk::filesystem::{FileType, Root};
use crate::error::{ErrorKind, Result};
use crate::fact::{Gap, Listing};
use crate::guest::{Account, Accounts, MachineId};
use crate::limits::Limits;

const PASSWD: &str = "/etc/passwd";
const SHADOW: &str = "/etc/shadow";
const MACHINE_ID: &str = "/etc/machine-id";
const DBUS_MACHINE_ID: &str = "/var/lib/dbus/machine-id";

/// The rows of /etc/passwd and /etc/shadow.
pub fn accounts(root: &Root, limits: &Limits) -> Accounts {
    Accounts { passwd: rows(root, PASSWD, limits).into(), shadow: rows(root, SHADOW, limits).into() }
}

fn rows(root: &Root, path: &str, limits: &Limits) -> Result<Option<Listing<Account>>> {
    let Some(bytes) = root.read_if_exists(path, limits.config_file)? else { return Ok(None) };
    let mut listing = Listing::default();
    for (line, number) in text(&bytes).lines().zip(1_u32..) {
        if listing.items.len() >= limits.list_rows {
            listing.gaps.push(Gap::at(path, format!("more than {} rows", limits.list_rows)));
            break;
        }
        let fields: Vec<&str> = line.split(':').collect();
        // `man 5 passwd`: blank lines are none; `+` and `-` rows ask NIS, which an image does not hold.
        let [name, password, ..] = fields.as_slice() else { continue };
        if name.is_empty() || name.starts_with(['+', '-', '#']) {
            continue;
        }
        let is_passwd = path == PASSWD;
        listing.items.push(Account {
            name: (*name).to_owned(),
            password: if is_passwd && *password == "x" { "shadow" } else { kind(password) }.to_owned(),
            path: path.to_owned(),
            line: number,
            // `man 5 passwd`: an empty shell is /bin/sh.
            shell: is_passwd.then(|| fields.get(6).copied().unwrap_or_default().to_owned()),
        });
    }
    Ok(Some(listing))
}

/// `man 5 shadow`, `man 5 crypt`: what can be the result of crypt lets somebody in, nothing lets everybody in.
fn kind(password: &str) -> &'static str {
    let is_des = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/');
    match password {
        "" => "empty",
        _ if password.starts_with('!') => "locked",
        _ if password.starts_with(['$', '_']) => "hash",
        _ if password.len() >= 13 && password.chars().all(is_des) => "hash",
        _ => "none",
    }
}

/// The files that give a machine its identity.
pub fn machine_ids(root: &Root, limits: &Limits) -> Vec<MachineId> {
    let read = |path: &str| MachineId { path: path.to_owned(), state: state(root, path, limits).into() };
    vec![read(MACHINE_ID), read(DBUS_MACHINE_ID)]
}

fn state(root: &Root, path: &str, limits: &Limits) -> Result<String> {
    let word = |word: &str| Ok(word.to_owned());
    let metadata = match root.symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind == ErrorKind::NotFound => return word("absent"),
        Err(error) => return Err(error),
    };
    if metadata.file_type == FileType::Symlink && path == DBUS_MACHINE_ID {
        // `src/core/machine-id-setup.c` (O_NOFOLLOW): a link is not copied from.
        return word("link");
    }
    match root.read_if_exists(path, limits.config_file)? {
        None => word("absent"),
        Some(bytes) => word(content(&bytes)),
    }
}

/// `src/libsystemd/sd-id128/id128-util.c`, `id128_read_fd`: 32 digits and at most one line end.
fn content(bytes: &[u8]) -> &'static str {
    match bytes.strip_suffix(b"\n").unwrap_or(bytes) {
        _ if bytes.is_empty() => "empty",
        b"uninitialized" => "uninitialized",
        id if id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit) && id.iter().any(|digit| *digit != b'0') => "id",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Fact;
    use crate::guest::memory::Memory;

    #[test]
    fn what_can_be_a_hash_is_one() {
        for (password, expected) in [
            ("", "empty"),
            ("!", "locked"),
            ("!!", "locked"),
            ("!*", "locked"),
            ("!$6$salt$hash", "locked"),
            ("*", "none"),
            ("*LK*", "none"),
            ("x", "none"),
            ("$6$salt$hash", "hash"),
            ("$y$j9T$salt$hash", "hash"),
            ("ab1234567890.", "hash"),
            ("_J9..rasmBYk8r9AiWNc", "hash"),
            ("impossible", "none"),
        ] {
            assert_eq!(kind(password), expected, "{password}");
        }
    }

    #[test]
    fn rows_of_both_files() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n\n+::::::\nold:ab1234567890.:1:1::/:\nbad\n";
        let tree =
            Memory::new("ext4", "", "").file(PASSWD, passwd).file(SHADOW, "root:$6$a$b:1:0:9:7:::\nx::1::::::\n");
        let found = accounts(&tree.root(), &Limits::default());
        let shown = |list: &Fact<Option<Listing<Account>>>| -> Vec<String> {
            let rows = &list.known().unwrap().as_ref().unwrap().items;
            rows.iter().map(|row| format!("{} {} {} {:?}", row.line, row.name, row.password, row.shell)).collect()
        };
        assert_eq!(shown(&found.passwd), ["1 root shadow Some(\"/bin/bash\")", "4 old hash Some(\"\")"]);
        assert_eq!(shown(&found.shadow), ["1 root hash None", "2 x empty None"]);
        assert!(!serde_json::to_string(&found).unwrap().contains('$'));
        let bare = accounts(&Memory::new("ext4", "", "").unreadable(SHADOW).root(), &Limits::default());
        assert_eq!(bare.passwd, Fact::Known(None));
        assert!(matches!(bare.shadow, Fact::Unknown(_)));
    }

    #[test]
    fn identities() {
        let id = "0123456789abcdef0123456789ABCDEF";
        for (body, expected) in [
            ("", "empty"),
            ("\n", "other"),
            ("uninitialized\n", "uninitialized"),
            ("uninitialized", "uninitialized"),
            (id, "id"),
            (&format!("{id}\n"), "id"),
            (&format!("{id}\n\n"), "other"),
            (&"0".repeat(32), "other"),
            ("0123", "other"),
        ] {
            assert_eq!(content(body.as_bytes()), expected, "{body:?}");
        }
        for (tree, expected) in [
            (Memory::new("ext4", "", ""), ["absent", "absent"]),
            (Memory::new("ext4", "", "").file(MACHINE_ID, "").link(DBUS_MACHINE_ID, MACHINE_ID), ["empty", "link"]),
            (
                Memory::new("ext4", "", "").link(MACHINE_ID, "/run/machine-id").file(DBUS_MACHINE_ID, id),
                ["absent", "id"],
            ),
        ] {
            let found: Vec<String> = machine_ids(&tree.root(), &Limits::default())
                .into_iter()
                .map(|id| id.state.known().unwrap().clone())
                .collect();
            assert_eq!(found, expected);
        }
    }
}
