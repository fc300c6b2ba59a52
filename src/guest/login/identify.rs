//! What `ds-identify` makes of the same files: no YAML, but lines (`tools/ds-identify`).

use super::cloud_init::Source;
use crate::error::{Error, Result};
use crate::guest::Datasources;

/// Its own configuration (`PATH_DI_CONFIG`).
pub(super) const CONFIG: &str = "/etc/cloud/ds-identify.cfg";

/// What [`CONFIG`] sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) policy: Option<String>,
    pub(super) datasource: Option<String>,
}

/// `_read_config`: the last value of a key counts.
pub(super) fn own(text: &str) -> Own {
    let mut own = Own::default();
    for line in lines(text) {
        let line = line.split('#').next().unwrap_or_default();
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = unquoted(&trimmed(value)).to_owned();
        match trimmed(key).as_str() {
            "policy" => own.policy = Some(value).filter(|value| !value.is_empty()),
            "datasource" => own.datasource = Some(value).filter(|value| !value.is_empty()),
            _ => {}
        }
    }
    own
}

/// `check_config` and `parse_yaml_array`: the last line that starts with the key, however deep, in the order of the
/// shell's `*.cfg`; `None` where it has no value, and every data source is searched.
///
/// # Errors
/// That of a file which could not be read.
pub(super) fn datasources<'a>(sources: impl Iterator<Item = &'a Source>) -> Result<Option<Datasources>> {
    let mut found = None;
    for source in sources.filter(|source| !source.path.contains("/.")) {
        let text = source.text.as_ref().map_err(Error::clone)?;
        for (line, number) in text.split('\n').zip(1_u32..) {
            let line = line.trim_matches([' ', '\t']).split('#').next().unwrap_or_default();
            let value = line.strip_prefix("datasource_list:");
            if let Some(value) = value.filter(|value| value.is_empty() || value.starts_with(' ')) {
                found = Some((names(value.strip_prefix(' ').unwrap_or(value)), &source.path, number));
            }
        }
    }
    let list = found.filter(|(names, ..)| !names.is_empty());
    Ok(list.map(|(names, path, line)| Datasources { names, path: path.clone(), line }))
}

fn names(value: &str) -> Vec<String> {
    let value = value.strip_prefix('[').unwrap_or(value);
    let value = value.strip_suffix(']').unwrap_or(value);
    let joined: Vec<String> = value.split(',').map(|token| unquoted(&trimmed(token)).to_owned()).collect();
    joined.join(" ").split_whitespace().map(str::to_owned).collect()
}

/// Lines that `read` gives: one without an end is none.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'))
}

/// `trim`: blanks become one, those around it none.
fn trimmed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unquoted(text: &str) -> &str {
    let within = |quote| text.strip_prefix(quote).and_then(|rest: &str| rest.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { path: "/etc/cloud/cloud.cfg".to_owned(), text: Ok(text.to_owned()) }
    }

    #[test]
    fn lists_are_read_from_lines() {
        for (text, expected) in [
            ("datasource_list: [ OpenStack, ConfigDrive, None ]\n", Some("OpenStack ConfigDrive None")),
            ("datasource_list: ['Ec2', \"OpenStack\"]  # x\n", Some("Ec2 \"OpenStack\"]")),
            ("datasource_list: [Ec2]\nx:\n  datasource_list: [GCE]\n", Some("GCE")),
            ("datasource_list:\n - Ec2\n", None),
            ("datasource_list: [Ec2]\ndatasource_list:\n - GCE\n", None),
            ("#datasource_list: [Ec2]\n", None),
            ("datasource_list : [Ec2]\n", None),
            ("datasource_list: []\n", None),
            ("", None),
        ] {
            let sources = [source(text)];
            let found = datasources(sources.iter()).unwrap().map(|list| list.names.join(" "));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        let failed = Source { path: String::new(), text: Err(Error::not_found("x")) };
        assert!(datasources([failed].iter()).is_err());
    }

    #[test]
    fn its_own_configuration() {
        for (text, policy, datasource) in [
            ("policy: enabled\n", Some("enabled"), None),
            ("policy: search,found=all # x\ndatasource: 'Ec2'\n", Some("search,found=all"), Some("Ec2")),
            ("policy: enabled\npolicy: disabled\n", Some("disabled"), None),
            ("policy: disabled", None, None),
            ("datasource:\n", None, None),
        ] {
            let found = own(text);
            assert_eq!((found.policy.as_deref(), found.datasource.as_deref()), (policy, datasource), "{text}");
        }
    }
}
