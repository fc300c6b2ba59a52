//! Who may log in, and how.

use super::accounts::Accounts;
use super::root::Root;
use crate::build::plan::Stage;
use crate::build::workshop::Workshop;
use crate::error::{Error, Result};
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

/// Carries it out.
///
/// # Errors
/// A group that the image does not have, a number that is another user's.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    super::apply("users", &Stage::Users(options.clone()), shop)
}

/// Before cloud-init's `50-cloud-init.conf`: sshd takes the first value that it reads (man 5 `sshd_config`).
const SSHD: &str = "/etc/ssh/sshd_config.d/10-bootworthy.conf";
/// sshd's configuration, the administrator's and the distribution's.
const SSHD_MAIN: &[&str] = &["/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config"];
/// What makes sshd read the folder.
const INCLUDE: &str = "Include /etc/ssh/sshd_config.d/*.conf\n";
/// The first that the image has is the shell of who names none.
const SHELLS: &[&str] = &["/bin/bash", "/bin/ash", "/bin/sh"];

pub(super) fn apply(options: &Options, root: &Root) -> Result<()> {
    let mut accounts = Accounts::read(root)?;
    options.users.iter().try_for_each(|user| account(user, &mut accounts, root))?;
    accounts.write(root)?;
    options.users.iter().try_for_each(|user| home(user, &accounts, root))?;
    ssh(&options.ssh, root)
}

fn account(user: &User, accounts: &mut Accounts, root: &Root) -> Result<()> {
    let name = user.name.as_str();
    let wrong = |cause: String| Error::corrupt(format!("user {name}"), cause);
    if !accounts.has_user(name) {
        if let Some(other) = user.uid.and_then(|uid| accounts.user(uid)) {
            return Err(wrong(format!("its uid {} is that of {other}", user.uid.unwrap_or_default())));
        }
        let usual = SHELLS.iter().copied().find(|shell| root.exists(shell)).unwrap_or("/bin/sh");
        accounts
            .add(name, user.uid, user.shell.as_deref().unwrap_or(usual))
            .ok_or_else(|| wrong("no uid is free".to_owned()))?;
    }
    if let Some(shell) = &user.shell {
        if !root.exists(shell) {
            return Err(wrong(format!("its shell {shell} is not in the image")).help("name the package that has it"));
        }
        accounts.set_shell(name, shell);
    }
    if let Some(hash) = &user.password_hash {
        accounts.set_password(name, hash);
    }
    for group in &user.groups {
        if !accounts.has_group(group) {
            return Err(wrong(format!("there is no group {group} in the image")).help("name the package that makes it"));
        }
        accounts.join(name, group);
    }
    Ok(())
}

/// Home, keys and the right to become root.
fn home(user: &User, accounts: &Accounts, root: &Root) -> Result<()> {
    let name = &user.name;
    let Some((home, owner)) = accounts.home(name) else { return Ok(()) };
    if !root.is_folder(&home) {
        root.make_folder(&home)?;
        for file in root.names("/etc/skel")? {
            if let Some(bytes) = root.read(&format!("/etc/skel/{file}")).ok().flatten() {
                root.write_as(&format!("{home}/{file}"), &bytes, 0o644, owner)?;
            }
        }
        root.own(&home, 0o700, owner)?;
    }
    if !user.ssh_keys.is_empty() {
        let folder = format!("{home}/.ssh");
        root.make_folder(&folder)?;
        root.own(&folder, 0o700, owner)?;
        let keys: String = user.ssh_keys.iter().flat_map(|key| [key.as_str(), "\n"]).collect();
        root.write_as(&format!("{folder}/authorized_keys"), keys.as_bytes(), 0o600, owner)?;
    }
    if user.sudo {
        if !root.exists("/usr/bin/sudo") {
            return Err(Error::not_found(format!("sudo for user {name}")).help("add sudo to [packages] install"));
        }
        let rule = format!("{name} ALL=(ALL:ALL) NOPASSWD: ALL\n");
        // sudo passes over a file whose name has a dot (man 5 sudoers, "Including other files").
        root.write_as(
            &format!("/etc/sudoers.d/90-bootworthy-{}", name.replace('.', "_")),
            rule.as_bytes(),
            0o440,
            (0, 0),
        )?;
    }
    Ok(())
}

fn ssh(options: &Ssh, root: &Root) -> Result<()> {
    let mut text = String::new();
    if let Some(allowed) = options.password_authentication {
        text += if allowed { "PasswordAuthentication yes\n" } else { "PasswordAuthentication no\n" };
    }
    if let Some(word) = &options.root_login {
        text.extend(["PermitRootLogin ", word.as_str(), "\n"]);
    }
    if text.is_empty() {
        return Ok(());
    }
    let Some(main) = SSHD_MAIN.iter().copied().find(|path| root.exists(path)) else {
        return Err(Error::not_found("sshd_config for the rules of [ssh]")
            .because("the image has no sshd")
            .help("add openssh-server to [packages] install, or leave [ssh] out"));
    };
    root.write_as(SSHD, text.as_bytes(), 0o600, (0, 0))?;
    let is_read = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        words.next().is_some_and(|word| word.eq_ignore_ascii_case("include")) && line.contains("sshd_config.d/")
    };
    root.edit(main, |old| (!old.lines().any(is_read)).then(|| INCLUDE.to_owned() + old))
}
