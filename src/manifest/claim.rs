//! What a manifest claims: the neutral shape between the readers of formats and the rules of the linter.

/// One manifest file as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The file as the user named it.
    pub path: String,
    /// The reader that understood it: a name of [`super::READERS`].
    pub format: &'static str,
    /// What becomes of a value that is no text on its way to Glance.
    pub typing: Typing,
    /// It shows what Glance holds, so that Glance's own fields stand in it rightly; else it says what is to be sent.
    pub is_state: bool,
    /// The images in it, in their order.
    pub images: Vec<Claims>,
    /// The text of the file, for the report to quote lines from.
    pub text: String,
}

/// What a tool makes of a property whose value is no text; Glance itself takes nothing but strings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Typing {
    /// It is sent as it stands and Glance answers 400 (`POST /v2/images`, JSON-Patch).
    #[default]
    Strict,
    /// It becomes text in lower case: `true` (a `map(string)` of Terraform, Packer).
    Lower,
    /// It becomes Python's text: `True`, `None` (openstack-image-manager, Ansible, openstacksdk).
    Python,
    /// The types are those of a display, not of what is stored (`openstack image show -f json`).
    Shown,
}

/// What is claimed of one image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Its name, where one is given.
    pub name: Option<Claim>,
    /// Where it begins, from 1; `None` where the format has no lines.
    pub line: Option<u32>,
    /// It changes an image that is there already: what it does not say may stand there.
    pub is_partial: bool,
    /// Its properties in their order, repetitions included; those that the format gives a place of their own as well
    /// (`architecture` of Heat).
    pub properties: Vec<Claim>,
    /// The smallest root disk in GiB, by whatever name the format has for it.
    pub min_disk: Option<Claim>,
    /// The smallest memory in MiB.
    pub min_ram: Option<Claim>,
    /// Format of the file: `qcow2`, `raw`.
    pub disk_format: Option<Claim>,
    /// Format around it: `bare`.
    pub container_format: Option<Claim>,
    /// Glance's own fields that stand in it (`checksum`, `status`, `visibility`), and keys that the format does not have.
    pub fields: Vec<Claim>,
}

/// One key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The key as it stands in the file.
    pub key: String,
    /// The value as it stands in the file.
    pub value: ClaimValue,
    /// Line, from 1; `None` where the format has no lines.
    pub line: Option<u32>,
}

/// A value by the type that the format gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimValue {
    /// Text, without its quotes.
    Text(String),
    /// `true`, `false`, and what YAML 1.1 takes for them.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number, as it stands.
    Decimal(String),
    /// `null`, or nothing at all.
    Null,
    /// A list or a map, which no property can be.
    Compound,
    /// Not known before it is applied: a variable, a template, a function.
    Computed(String),
}

/// A flavor as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flavor {
    /// The file as the user named it.
    pub path: String,
    /// Its name, where one is given.
    pub name: Option<String>,
    /// Virtual processors, where they are given.
    pub vcpus: Option<u64>,
    /// Memory in MiB, where it is given.
    pub ram: Option<u64>,
    /// Root disk in GiB, where it is given; 0 is as large as the image.
    pub disk: Option<u64>,
    /// Its extra specs.
    pub extra_specs: Vec<Claim>,
    /// The text of the file.
    pub text: String,
}

impl Claim {
    /// A key with its value.
    pub fn new(key: impl Into<String>, value: ClaimValue, line: Option<u32>) -> Self {
        Self { key: key.into(), value, line }
    }

    /// The text that Glance would be sent; `None` for what is not known or cannot be sent at all.
    pub fn sent(&self, typing: Typing) -> Option<String> {
        match (&self.value, typing) {
            (ClaimValue::Text(text), _) => Some(text.clone()),
            (ClaimValue::Bool(true), Typing::Python) => Some("True".to_owned()),
            (ClaimValue::Bool(false), Typing::Python) => Some("False".to_owned()),
            (ClaimValue::Bool(value), _) => Some(value.to_string()),
            (ClaimValue::Integer(value), _) => Some(value.to_string()),
            (ClaimValue::Decimal(value), _) => Some(value.clone()),
            (ClaimValue::Null, Typing::Python) => Some("None".to_owned()),
            (ClaimValue::Null | ClaimValue::Compound | ClaimValue::Computed(_), _) => None,
        }
    }
}

impl Claims {
    /// The property of this name: the last one, as in every format that takes repetitions.
    pub fn property(&self, key: &str) -> Option<&Claim> {
        self.properties.iter().rev().find(|claim| claim.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_the_text_that_is_sent() {
        use ClaimValue::{Bool, Compound, Decimal, Integer, Null, Text};
        for (value, lower, python) in [
            (Text("True ".into()), Some("True "), Some("True ")),
            (Bool(true), Some("true"), Some("True")),
            (Bool(false), Some("false"), Some("False")),
            (Integer(-3), Some("-3"), Some("-3")),
            (Decimal("22.10".into()), Some("22.10"), Some("22.10")),
            (Null, None, Some("None")),
            (Compound, None, None),
            (ClaimValue::Computed("var.bus".into()), None, None),
        ] {
            let claim = Claim::new("k", value, None);
            assert_eq!(claim.sent(Typing::Lower).as_deref(), lower, "{claim:?}");
            assert_eq!(claim.sent(Typing::Python).as_deref(), python, "{claim:?}");
        }
    }
}
