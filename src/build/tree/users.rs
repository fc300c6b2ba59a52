//! Who may log in, and how.

use serde::{Deserialize, Serialize};

/// Accounts and sshd's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Made, or completed where they are there already.
    pub users: Vec<User>,
    /// Written to a file of `/etc/ssh/sshd_config.d`; nothing is written where both are absent.
    pub ssh: Ssh,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Its number; the next free one otherwise.
    #[serde(default)]
    pub uid: Option<u32>,
    /// Groups besides its own, which must be there.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Login shell; the distribution's default otherwise.
    #[serde(default)]
    pub shell: Option<String>,
    /// May become root without a password (`/etc/sudoers.d`).
    #[serde(default)]
    pub sudo: bool,
    /// A hash of crypt(5); without one the password is locked.
    #[serde(default)]
    pub password_hash: Option<String>,
    /// Lines of `~/.ssh/authorized_keys`.
    #[serde(default)]
    pub ssh_keys: Vec<String>,
}

/// sshd's rules; what is absent stays as the distribution has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ssh {
    /// `PasswordAuthentication`.
    pub password_authentication: Option<bool>,
    /// `PermitRootLogin`: `yes`, `no`, `prohibit-password`.
    pub root_login: Option<String>,
}
