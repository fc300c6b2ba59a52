//! The property manifest of an image that was made, as `bootworthy properties` writes it.

use super::{Made, Options, Sums};
use crate::error::Result;
use crate::guest::Guest;
use crate::manifest::{Format, Manifest, Policy, Property, Written};
use std::fs;

/// What a manifest is made of.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) options: &'a Options,
    pub(super) made: &'a Made<'a>,
    pub(super) policy: &'a Policy,
    pub(super) sums: &'a Sums,
}

/// Writes it.
pub(super) fn write(format: &Format, source: &Source<'_>) -> Result<Written> {
    let report = source.made.report;
    let guest = report.guest.as_ref();
    let disk_format = guest.and_then(|guest| guest.image.known()).map(|image| image.format.as_str());
    let mut manifest = Manifest {
        file: Some(&report.path),
        size: fs::metadata(source.made.image).ok().map(|metadata| metadata.len()),
        sha512: Some(&source.sums.sha512).filter(|_| format.is_digest_read).map(String::as_str),
        name: &source.options.title,
        disk_format,
        min_disk: None,
        min_ram: None,
        properties: Vec::new(),
        withheld: &report.withheld,
    }
    .with(&report.earned);
    // Wherever SCS-0102's values are given the login user is one of them.
    let login = guest.and_then(login).filter(|_| !source.options.policy.is_empty());
    manifest.properties.extend(login.map(|value| Property { key: "image_original_user", value, evidence: Some(&[]) }));
    source.policy.fill(&mut manifest);
    format.write(&[manifest])
}

/// Who cloud-init's users module makes.
fn login(guest: &Guest) -> Option<&str> {
    let cloud_init = guest.cloud_init.known()?;
    let makes_users = cloud_init.modules.known()?.iter().any(|module| module == "users_groups");
    cloud_init.default_user.known()?.as_deref().filter(|_| makes_users)
}
