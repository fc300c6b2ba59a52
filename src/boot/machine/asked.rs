//! Properties and flavor → what they ask for together, after Nova has refused what it refuses.

use super::Flavor;
use crate::error::{Error, Result};
use crate::verdict::property::vocabulary::{CONSTRAINTS, FlavorSpecs, ImageProps};
use std::collections::BTreeMap;

/// What image and flavor ask for.
pub(super) struct Asked<'a> {
    /// The properties as Nova holds them.
    pub(super) image: ImageProps,
    /// Processors.
    pub(super) vcpus: u32,
    /// The properties as they were given: some are read raw.
    pub(super) raw: &'a BTreeMap<String, String>,
    flavor: FlavorSpecs,
}

/// What Nova answers to a property set that it refuses.
pub(super) fn refused(what: &str, exception: &str, reason: &str) -> Error {
    Error::unsupported(what, format!("Nova refuses it with {exception}: {reason}"))
}

/// What libvirt answers; Nova finds nothing wrong with it, and the machine ends in an error.
pub(super) fn impossible(what: &str, reason: &str) -> Error {
    Error::unsupported(what, format!("libvirt refuses it: {reason}"))
        .why("Nova accepts it, and the machine ends in the state ERROR")
}

impl<'a> Asked<'a> {
    /// The names of the extra specs.
    pub(super) fn specs(&self) -> impl Iterator<Item = &str> {
        self.flavor.specs.keys().map(String::as_str)
    }

    /// Reads both.
    ///
    /// # Errors
    /// What Nova refuses, with the name of its exception.
    pub(super) fn of(properties: &'a BTreeMap<String, String>, flavor: &Flavor) -> Result<Self> {
        let pairs = properties.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let (image, rejected) = ImageProps::from_pairs(pairs);
        if let Some(rejected) = rejected.into_iter().next() {
            return Err(refused(&rejected.key, "ValueError", &rejected.reason));
        }
        let flavor_specs = FlavorSpecs {
            vcpus: Some(u64::from(flavor.vcpus)),
            memory: Some(flavor.ram_mib),
            specs: flavor.extra_specs.clone(),
        };
        for constraint in CONSTRAINTS {
            if let Err(conflict) = (constraint.run)(&flavor_specs, &image) {
                let what = conflict.property.unwrap_or("properties and flavor");
                return Err(refused(what, conflict.exception, &conflict.reason));
            }
        }
        Ok(Self { image, vcpus: flavor.vcpus, raw: properties, flavor: flavor_specs })
    }

    /// Text of the image.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.image.text(key)
    }

    /// A truth value of the image.
    pub(super) fn flag(&self, key: &str) -> bool {
        self.image.flag(key) == Some(true)
    }

    /// An extra spec that is not empty.
    pub(super) fn spec(&self, name: &str) -> Option<&str> {
        self.flavor.set(name)
    }

    /// An extra spec as a truth value.
    pub(super) fn spec_flag(&self, name: &str) -> Option<bool> {
        self.flavor.flag(name)
    }

    /// An extra spec as a number.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.flavor.integer(name)
    }

    /// The word that counts where image and flavor must agree, and who says it.
    pub(super) fn either(&self, key: &'static str, spec: &'static str) -> Option<(&str, &'static str)> {
        let ours = self.text(key).map(|word| (word, key));
        ours.or_else(|| self.spec(spec).map(|word| (word, spec)))
    }

    /// The truth value that counts where image and flavor must agree, and who says it.
    pub(super) fn either_flag(&self, key: &'static str, spec: &'static str) -> Option<(bool, &'static str)> {
        let ours = self.image.flag(key).map(|value| (value, key));
        ours.or_else(|| self.spec_flag(spec).map(|value| (value, spec)))
    }

    /// Whether memory is to be encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.either_flag("hw_mem_encryption", "hw:mem_encryption").is_some_and(|(is_on, _)| is_on)
    }

    /// Whether Nova takes the guest for Windows: the property as it stands, without folding.
    pub(super) fn is_windows(&self) -> bool {
        self.raw.get("os_type").is_some_and(|os| os == "windows")
    }
}
