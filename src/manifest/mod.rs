//! Properties ↔ text: one format per file.

mod ansible;
mod claim;
mod digest;
mod glance_json;
mod hcl;
mod heat;
mod image_manager;
pub mod json;
mod json_patch;
mod openstack_cli;
pub mod lint;
mod packer;
pub mod policy;
mod quote;
mod read;
mod shell;
mod terraform;
mod yaml;
mod zuul;

pub use claim::{Claim, ClaimValue, Claims, Document, Flavor, Typing};
pub use digest::sha512;
pub use image_manager::is_meta_key;
pub use policy::Policy;
pub use quote::{ascii_json, shell_word};
pub use read::{GLANCE_FIELDS, READERS, Reader, read, read_flavor};

use crate::error::{Error, Result};
use crate::verdict::property::{Earned, Withheld};
use quote::printable;
use std::collections::BTreeSet;

/// What a manifest of one image is written from.
#[derive(Clone, Debug)]
pub struct Manifest<'a> {
    /// The image file as the user named it; `None` for a directory or saved facts of one.
    pub file: Option<&'a str>,
    /// Bytes of the file.
    pub size: Option<u64>,
    /// SHA-512 of the file in hexadecimal, for the formats that say so in [`Format::is_digest_read`].
    pub sha512: Option<&'a str>,
    /// Name for people: the distribution's, or the file's.
    pub name: &'a str,
    /// As `qemu-img` and Glance name it; `None` for a directory.
    pub disk_format: Option<&'a str>,
    /// Smallest root disk in GiB.
    pub min_disk: Option<u64>,
    /// Smallest memory in MiB.
    pub min_ram: Option<u64>,
    /// The properties, in table order; then those of the policy.
    pub properties: Vec<Property<'a>>,
    /// What the image has not earned.
    pub withheld: &'a [Withheld],
}

/// One property as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property<'a> {
    /// Glance's key.
    pub key: &'a str,
    /// Its value.
    pub value: &'a str,
    /// The checks that prove it; none for what the user's policy says.
    pub evidence: Option<&'static [&'static str]>,
}

/// A manifest, and what is to be said of it on standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The manifest, in printable ASCII and line feeds.
    pub text: String,
    /// What the format has no place for, and what stands in it under another name.
    pub notes: Vec<String>,
}

/// A manifest format.
#[derive(Debug)]
pub struct Format {
    /// The value of `--format`.
    pub name: &'static str,
    /// One line for the help.
    pub summary: &'static str,
    /// It has a place for the digest of the file, which is only computed then.
    pub is_digest_read: bool,
    /// Keys of [`Policy`] without which it cannot be written.
    pub demands: &'static [&'static str],
    /// Writes images, at least one, which [`write`] has looked at.
    write: fn(&[Manifest<'_>]) -> Result<Written>,
}

/// Every format, the default first.
pub const FORMATS: &[Format] = &[
    openstack_cli::CREATE,
    openstack_cli::SET,
    glance_json::FORMAT,
    json_patch::FORMAT,
    terraform::RESOURCE,
    terraform::TFVARS,
    ansible::FORMAT,
    image_manager::FORMAT,
    packer::FORMAT,
    zuul::ZUUL,
    zuul::NODEPOOL,
    openstack_cli::CINDER,
    heat::FORMAT,
];

/// Characters of a property's name in Glance (`glance/api/v2/images.py`, schema).
const MAX_KEY: usize = 255;

impl Format {
    /// Writes the manifest of these images; nothing for none.
    ///
    /// # Errors
    /// For a key or value that Glance or the format cannot hold, and for what the format demands and is not there.
    pub fn write(&self, images: &[Manifest<'_>]) -> Result<Written> {
        if images.is_empty() {
            return Ok(Written::default());
        }
        images.iter().try_for_each(Manifest::look)?;
        (self.write)(images)
    }
}

impl<'a> Manifest<'a> {
    /// With what the image has earned: the minima go to their places, the others among the properties.
    #[must_use]
    pub fn with(mut self, earned: &'a [Earned]) -> Self {
        for row in earned {
            match row.key {
                "min_disk" => self.min_disk = row.value.parse().ok(),
                "min_ram" => self.min_ram = row.value.parse().ok(),
                key => self.properties.push(Property { key, value: &row.value, evidence: Some(row.evidence) }),
            }
        }
        self
    }

    /// The value of this property.
    pub fn value(&self, key: &str) -> Option<&'a str> {
        self.properties.iter().find(|property| property.key == key).map(|property| property.value)
    }

    fn look(&self) -> Result<()> {
        let has_nul = [Some(self.name), self.file].into_iter().flatten().any(|text| text.contains('\0'));
        if has_nul {
            return Err(refused("the name of the image", "it has a NUL character, which no argument can hold"));
        }
        self.properties.iter().try_for_each(|property| {
            let what = format!("the property {:?}", printable(property.key));
            let reason = match property.key {
                "" => "its name is empty",
                key if key.chars().count() > MAX_KEY => "its name has more than 255 characters",
                key if GLANCE_FIELDS.contains(&key) => "Glance keeps this name for a field of its own",
                key if format!("{key}{}", property.value).contains('\0') => {
                    "it has a NUL character, which Glance's database does not hold"
                }
                _ => return Ok(()),
            };
            Err(refused(&what, reason))
        })
    }

    /// The file and what is withheld, as lines for comments.
    fn remarks(&self) -> Vec<String> {
        let file = self.file.zip(self.size).map(|(file, size)| format!("{file}: {size} bytes"));
        let withheld = self.withheld.iter().map(|withheld| {
            let value = withheld.value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
            let check = withheld.check.map(|check| format!(" ({check})")).unwrap_or_default();
            format!("withheld: {}{value}: {}{check}", withheld.key, withheld.reason)
        });
        file.into_iter().chain(withheld).collect()
    }

    /// The name as an identifier of Terraform or Packer; not unique.
    fn label(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        let words: String = self.name.chars().map(plain).collect();
        let words: Vec<&str> = words.split('_').filter(|word| !word.is_empty()).collect();
        let label: String = words.join("_").chars().take(64).collect();
        if label.starts_with(|c: char| c.is_ascii_alphabetic()) { label } else { format!("image_{label}") }
    }
}

impl Property<'_> {
    /// Where it comes from, for a comment.
    fn origin(&self) -> String {
        match self.evidence {
            None => "policy".to_owned(),
            Some([]) => "earned".to_owned(),
            Some(checks) => format!("earned by {}", checks.join(", ")),
        }
    }
}

/// Each image with an identifier that no other has.
fn labelled<'a, 'b>(images: &'a [Manifest<'b>]) -> impl Iterator<Item = (&'a Manifest<'b>, String)> {
    let plain: Vec<String> = images.iter().map(Manifest::label).collect();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut unique = move |label: &String| {
        let is_free = |name: &String| !taken.contains(name) && (name == label || !plain.contains(name));
        let numbered = (2_usize..).map(|number| format!("{label}_{number}"));
        let name = std::iter::once(label.clone()).chain(numbered).find(is_free).unwrap_or_default();
        taken.insert(name.clone());
        name
    };
    images.iter().map(move |image| (image, unique(&image.label())))
}

/// What cannot be written, and why.
fn refused(what: &str, reason: &str) -> Error {
    Error::unsupported(what, reason)
}

/// The one image that a format can hold.
fn only<'a, 'b>(images: &'a [Manifest<'b>], format: &str) -> Result<&'a Manifest<'b>> {
    match images {
        [image] => Ok(image),
        _ => Err(refused(&format!("--format {format}"), "it holds one image").help("name one image at a time")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An image with these properties, and a withheld one.
    pub(crate) fn image<'a>(name: &'a str, properties: &[(&'a str, &'a str)]) -> Manifest<'a> {
        let property = |(key, value): &(&'a str, &'a str)| Property { key, value, evidence: Some(&["check-a"]) };
        Manifest {
            file: Some("d.qcow2"),
            size: Some(65_536),
            sha512: None,
            name,
            disk_format: Some("qcow2"),
            min_disk: Some(3),
            min_ram: Some(512),
            properties: properties.iter().map(property).collect(),
            withheld: &[],
        }
    }

    #[test]
    fn what_glance_cannot_hold_is_refused() {
        let long = "x".repeat(256);
        for (key, value) in [("", "x"), (long.as_str(), "x"), ("name", "x"), ("min_disk", "3"), ("a", "b\0c")] {
            for format in FORMATS {
                assert!(format.write(&[image("n", &[(key, value)])]).is_err(), "{} {key}", format.name);
            }
        }
        for format in FORMATS {
            assert_eq!(format.write(&[]), Ok(Written::default()), "{}", format.name);
        }
    }

    #[test]
    fn labels_are_identifiers() {
        for (name, label) in [
            ("Debian GNU/Linux 13 (trixie)", "debian_gnu_linux_13_trixie"),
            ("9front", "image_9front"),
            ("\u{65e5}\u{672c}", "image_"),
            ("a\"}\nb", "a_b"),
        ] {
            assert_eq!(image(name, &[]).label(), label);
        }
        let images = ["Debian", "debian 2", "debian", "Debian!", "x"].map(|name| image(name, &[]));
        let labels: Vec<String> = labelled(&images).map(|(_, label)| label).collect();
        assert_eq!(labels, ["debian", "debian_2", "debian_3", "debian_4", "x"]);
    }
}
