//! Properties → text that the `openstack` client and Glance take.

mod glance_json;
mod openstack_cli;

use crate::verdict::Report;

/// A manifest format.
#[derive(Debug)]
pub struct Format {
    /// Value of `--format`.
    pub name: &'static str,
    /// What takes it.
    pub summary: &'static str,
    /// Renders what an image has earned.
    pub write: fn(&Report) -> String,
}

/// Every format, the default first.
pub const FORMATS: &[Format] = &[openstack_cli::FORMAT, glance_json::FORMAT];

/// The format with this name.
pub fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// Glance's `disk_format` of an image file; `None` for a directory, which cannot be uploaded.
fn disk_format(report: &Report) -> Option<&str> {
    let image = report.guest.as_ref()?.image.known()?;
    (image.format != "directory").then_some(image.format.as_str())
}
