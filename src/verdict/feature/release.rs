//! Nova's releases by number and name (<https://releases.openstack.org>).

use std::fmt;

/// A release of Nova by its major number: 20 is Train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(pub u8);

/// From 12.0.0 on; what is older is always there.
const NAMES: &[&str] = &[
    "Liberty", "Mitaka", "Newton", "Ocata", "Pike", "Queens", "Rocky", "Stein", "Train", "Ussuri", "Victoria",
    "Wallaby", "Xena", "Yoga", "Zed", "2023.1", "2023.2", "2024.1", "2024.2", "2025.1", "2025.2", "2026.1", "2026.2",
];
const FIRST: u8 = 12;

impl Release {
    /// `Train`, `2026.1`; `None` of a number that no release has yet.
    pub fn name(self) -> Option<&'static str> {
        NAMES.get(usize::from(self.0.checked_sub(FIRST)?)).copied()
    }
}

impl fmt::Display for Release {
    /// `20.0.0 (Train)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{}.0.0 ({name})", self.0),
            None => write!(f, "{}.0.0", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names() {
        for (number, text) in [
            (12, "12.0.0 (Liberty)"),
            (15, "15.0.0 (Ocata)"),
            (20, "20.0.0 (Train)"),
            (24, "24.0.0 (Xena)"),
            (27, "27.0.0 (2023.1)"),
            (34, "34.0.0 (2026.2)"),
            (11, "11.0.0"),
            (35, "35.0.0"),
        ] {
            assert_eq!(Release(number).to_string(), text);
        }
    }
}
