//! The identifiers of a disk: those of the lock, else new ones that only this name on this day has.

use crate::build::lock::Lock;
use crate::build::recipe::{PartitionKind, Recipe};
use crate::build::source::hex;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Every identifier by what it identifies: `disk`, `root.partition`, `root.filesystem`.
pub(super) fn uuids(recipe: &Recipe, lock: Option<&Lock>, epoch: u64) -> BTreeMap<String, String> {
    let mut uuids = BTreeMap::from([("disk".to_owned(), uuid(&recipe.name, epoch, "disk"))]);
    for part in recipe.disk.partitions(&recipe.boot.firmware) {
        let role = format!("{}.partition", part.label);
        uuids.insert(role.clone(), uuid(&recipe.name, epoch, &role));
        let role = format!("{}.filesystem", part.label);
        match part.kind {
            PartitionKind::BiosBoot => {}
            PartitionKind::Esp => drop(uuids.insert(role.clone(), serial(&recipe.name, epoch, &role))),
            PartitionKind::Boot | PartitionKind::Root => {
                drop(uuids.insert(role.clone(), uuid(&recipe.name, epoch, &role)));
            }
        }
    }
    for (role, uuid) in &mut uuids {
        if let Some(locked) = lock.and_then(|lock| lock.uuids.get(role)) {
            uuid.clone_from(locked);
        }
    }
    uuids
}

/// A UUID of version 8 (RFC 9562, 5.8): all its bits are ours, but for version and variant.
fn uuid(name: &str, epoch: u64, role: &str) -> String {
    let hex = digest(name, epoch, role);
    let mut text = String::with_capacity(36);
    for (index, digit) in hex.chars().take(32).enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(match index {
            12 => '8',
            16 => ['8', '9', 'a', 'b']
                .into_iter()
                .nth(digit.to_digit(16).map_or(0, |d| usize::from(d >= 8)))
                .unwrap_or('8'),
            _ => digit,
        });
    }
    text
}

/// A FAT's serial number as blkid prints it.
fn serial(name: &str, epoch: u64, role: &str) -> String {
    let hex = digest(name, epoch, role).to_uppercase();
    let (high, low) = (hex.get(..4).unwrap_or("0000"), hex.get(4..8).unwrap_or("0000"));
    format!("{high}-{low}")
}

fn digest(name: &str, epoch: u64, role: &str) -> String {
    hex(&Sha256::digest(format!("bootworthy.recipe/1\0{name}\0{epoch}\0{role}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_their_form() {
        let (one, other) = (uuid("a", 1, "disk"), uuid("a", 2, "disk"));
        assert_eq!(one.len(), 36);
        assert_eq!(one.chars().nth(14), Some('8'));
        assert!(one.chars().nth(19).is_some_and(|digit| "89ab".contains(digit)));
        assert_ne!(one, other);
        assert_eq!(one, uuid("a", 1, "disk"));
        let serial = serial("a", 1, "esp.filesystem");
        assert!(serial.len() == 9 && serial.chars().nth(4) == Some('-'), "{serial}");
    }
}
