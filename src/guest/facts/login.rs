//! Facts of logging in: who configures the first boot, what identifies the machine, who may log in.

use crate::fact::{Fact, Listing};
use serde::{Deserialize, Serialize};

/// A file that checks ask for by its path: one of [`crate::guest::login::WATCHED`] that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresentFile {
    /// Path in the guest's tree, as it was looked for.
    pub path: String,
    /// `file`, `folder`, `link` (one that leads nowhere) or `other`; a link that leads somewhere is what it leads to.
    pub kind: String,
    /// A file that somebody may execute.
    #[serde(default)]
    pub is_executable: Fact<bool>,
}

/// cloud-init's own configuration, merged as it does itself (`cloudinit/util.py`, `read_conf_with_confd`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudInit {
    /// Files that were merged, in the order in which a later one wins; empty where there is none.
    pub files: Vec<String>,
    /// `datasource_list`; `null` where no file sets it, and the built-in one counts.
    #[serde(default)]
    pub datasources: Fact<Option<Datasources>>,
    /// What `ds-identify` reads of the same files, line by line; `null` where it finds none and searches them all.
    #[serde(default)]
    pub identified: Fact<Option<Datasources>>,
    /// `policy` of /etc/cloud/ds-identify.cfg; `null` where there is none.
    #[serde(default)]
    pub policy: Fact<Option<String>>,
    /// `datasource` of /etc/cloud/ds-identify.cfg, used without a search; `null` where there is none.
    #[serde(default)]
    pub datasource: Fact<Option<String>>,
    /// Modules of all stages, `-` as `_`, without `cc_`.
    #[serde(default)]
    pub modules: Fact<Vec<String>>,
    /// `system_info.default_user.name`.
    #[serde(default)]
    pub default_user: Fact<Option<String>>,
    /// `disable_root`: root may not log in by key; `true` where it is not set.
    #[serde(default)]
    pub disable_root: Fact<bool>,
    /// `ssh_deletekeys`: host keys are deleted at the first boot; `true` where it is not set.
    #[serde(default)]
    pub deletes_host_keys: Fact<bool>,
    /// `growpart.mode`: `auto` where it is not set, `off` for anything false.
    #[serde(default)]
    pub growpart: Fact<String>,
    /// `growpart.devices`; `/` where it is not set.
    #[serde(default)]
    pub growpart_devices: Fact<Vec<String>>,
    /// `resize_rootfs`: the file system grows with its partition; `true` where it is not set.
    #[serde(default)]
    pub resizes_root: Fact<bool>,
}

/// A list of data sources and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datasources {
    /// Their names, as written: `OpenStack`, `ConfigDrive`, `None` …
    pub names: Vec<String>,
    /// File in the guest's tree.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
}

/// A file that holds a machine id (`man 5 machine-id`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineId {
    /// `/etc/machine-id` or `/var/lib/dbus/machine-id`.
    pub path: String,
    /// `absent`, `empty`, `uninitialized`, `id`, `other`, or `link` where it is a link to the other one.
    #[serde(default)]
    pub state: Fact<String>,
}

/// A row of /etc/passwd or /etc/shadow: what password it has, never the password or its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// `hash`, `empty`, `locked` (`!…`), `none` (what no password can match), or `shadow` (`x`: it stands in /etc/shadow).
    pub password: String,
    /// `/etc/shadow` or `/etc/passwd`.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
    /// Login shell; `null` in /etc/shadow, which has none.
    pub shell: Option<String>,
}

/// Where accounts are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// Rows of /etc/passwd; `null` where there is no such file.
    #[serde(default)]
    pub passwd: Fact<Option<Listing<Account>>>,
    /// Rows of /etc/shadow; `null` where there is no such file.
    #[serde(default)]
    pub shadow: Fact<Option<Listing<Account>>>,
}
