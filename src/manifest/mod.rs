//! Properties ↔ text: one format per file.

mod glance_json;
mod openstack_cli;

use crate::verdict::property::{Earned, Withheld};

/// What a manifest is written from.
#[derive(Clone, Copy, Debug)]
pub struct Manifest<'a> {
    /// The image file as the user named it; `None` for a directory or saved facts of one.
    pub file: Option<&'a str>,
    /// Name for people: the distribution's, or the file's.
    pub name: &'a str,
    /// As `qemu-img` and Glance name it; `None` for a directory.
    pub disk_format: Option<&'a str>,
    /// What the image has earned, in table order.
    pub earned: &'a [Earned],
    /// What it has not.
    pub withheld: &'a [Withheld],
}

/// A manifest format.
#[derive(Debug)]
pub struct Format {
    /// The value of `--format`.
    pub name: &'static str,
    /// One line for the help.
    pub summary: &'static str,
    /// Renders one image.
    pub render: fn(&Manifest<'_>) -> String,
}

/// Every format, the default first.
pub const FORMATS: &[Format] = &[openstack_cli::FORMAT, glance_json::FORMAT];
