//! systemd's folders → units as they will be at the first boot (`man 5 systemd.unit`).

use crate::disk::filesystem::Root;
use crate::error::{Error, Result};
use crate::fact::Listing;
use crate::guest::Unit;
use crate::limits::Limits;

/// Every unit.
///
/// # Errors
/// `NotFound` when the guest has no systemd.
pub fn read(_root: &Root, _limits: &Limits) -> Result<Listing<Unit>> {
    Err(Error::unsupported("systemd units", "they are not read by this version"))
}
