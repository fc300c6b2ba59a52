//! cloud-init's own configuration, in files of `/etc/cloud/cloud.cfg.d`.

use serde::{Deserialize, Serialize};

/// What is said there; nothing is written where all is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// `datasource_list`, in order; empty: the distribution's.
    pub datasources: Vec<String>,
    /// `system_info.default_user.name`.
    pub default_user: Option<String>,
    /// `disable_root`.
    pub disable_root: Option<bool>,
}
