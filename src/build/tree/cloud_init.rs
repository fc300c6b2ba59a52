//! cloud-init's own configuration, in files of `/etc/cloud/cloud.cfg.d`.

use super::Root;
use crate::build::plan::Stage;
use crate::build::workshop::Workshop;
use crate::error::Result;
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

/// Carries it out.
///
/// # Errors
/// When it cannot be written.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    super::apply("cloud-init", &Stage::CloudInit(options.clone()), shop)
}

/// After `90_dpkg.cfg`, Debian's own answer, and after `99-datasource.cfg` of the features; the last file wins.
const PATH: &str = "/etc/cloud/cloud.cfg.d/99_bootworthy.cfg";

pub(super) fn apply(options: &Options, root: &Root) -> Result<()> {
    match text(options) {
        Some(text) => root.write(PATH, text.as_bytes()),
        None => Ok(()),
    }
}

/// YAML that is JSON where a recipe's words stand: nothing in them is syntax.
fn text(options: &Options) -> Option<String> {
    let quoted = |word: &String| serde_json::Value::from(word.clone()).to_string();
    let mut lines = Vec::new();
    if !options.datasources.is_empty() {
        let names: Vec<String> = options.datasources.iter().map(quoted).collect();
        lines.push(format!("datasource_list: [{}]", names.join(", ")));
    }
    if let Some(name) = &options.default_user {
        lines.push(format!("system_info:\n  default_user:\n    name: {}", quoted(name)));
    }
    if let Some(disable) = options.disable_root {
        lines.push(format!("disable_root: {disable}"));
    }
    (!lines.is_empty()).then(|| format!("# Written by bootworthy build.\n{}\n", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_not_said() {
        assert_eq!(text(&Options::default()), None);
        let options = Options {
            datasources: vec!["ConfigDrive".into(), "OpenStack".into()],
            default_user: Some("cloud".into()),
            disable_root: Some(true),
        };
        assert_eq!(
            text(&options).unwrap(),
            "# Written by bootworthy build.\ndatasource_list: [\"ConfigDrive\", \"OpenStack\"]\n\
            system_info:\n  default_user:\n    name: \"cloud\"\ndisable_root: true\n"
        );
    }
}
