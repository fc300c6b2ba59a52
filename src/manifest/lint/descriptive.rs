//! Properties that tell people what the image is: a true word may be another than the one that is earned.

use super::Image;
use crate::guest::Guest;
use crate::manifest::{Typing, image_manager};
use crate::verdict::{Evidence, Weight, Word};

/// Whether nothing in the server changes with it.
pub(super) fn is_descriptive(key: &str) -> bool {
    matches!(key, "os_distro" | "os_version" | "os_type" | "architecture" | "min_disk")
}

/// Whether a manifest of this format can say it.
pub(super) fn has_place(format: &str, key: &str) -> bool {
    match (format, key) {
        ("zuul" | "nodepool", "min_disk") => false,
        ("image-manager", key) => key == "min_disk" || image_manager::is_meta_key(key),
        _ => true,
    }
}

/// Formats that a raw disk is none of.
const FILES: &[&str] = &["qcow2", "vdi", "vhd", "vhdx", "vmdk"];

/// Whether a claimed word is true of an image that has earned `own`; `None` where the evidence must speak.
pub(super) fn agrees(image: &Image<'_>, key: &str, value: &str, own: Option<&str>) -> Option<Word> {
    let own = own?;
    let word = match key {
        "os_distro" => distro(image.document.format, value, own),
        "os_version" => version(value, own),
        _ => return None,
    };
    (word != Word::Fail).then_some(word)
}

/// The distribution itself in any case, an id of libosinfo (`debian12`, `nova/virt/osinfo.py`), or the word that
/// openstack-image-manager's schema has for it.
fn distro(format: &str, value: &str, own: &str) -> Word {
    let value = value.trim().to_lowercase();
    let is_id = value.strip_prefix(own).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    let is_translated = format == "image-manager" && image_manager::translated("os_distro", own) == Some(&value);
    if is_id || is_translated { Word::Pass } else { Word::Fail }
}

/// The same numbers, or fewer of them; with more the image does not say whether they are right.
fn version(value: &str, own: &str) -> Word {
    let (value, own) = (value.trim(), own.trim());
    let begins = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('.'));
    if value == own || begins(own, value) {
        Word::Pass
    } else if begins(value, own) {
        Word::Unknown
    } else {
        Word::Fail
    }
}

/// Glance refuses a file that is not what `disk_format` says (its release notes of 2025.1,
/// `[image_format]/require_image_format_match`). A raw disk may be called by what is in it, `gpt` or `iso`.
pub(super) fn disk_format(
    proofs: &mut Vec<Evidence>,
    faults: &mut Vec<(Weight, Evidence)>,
    image: &Image<'_>,
    guest: &Guest,
) {
    let Some((claim, said)) = image.claims.disk_format.as_ref().and_then(|c| Some((c, c.sent(Typing::Lower)?))) else {
        return;
    };
    let known = guest.image.known().map(|known| known.format.as_str());
    match known.filter(|known| *known != "directory") {
        Some(own) if own == said.trim().to_lowercase() => {
            proofs.push(image.at(claim, format!("{}={said} is what the file is", claim.key)));
        }
        Some("raw") if !FILES.contains(&said.trim().to_lowercase().as_str()) => {}
        Some(own) => {
            let evidence = image.at(claim, format!("{}={said}: the file is {own}", claim.key));
            faults.push((Weight::Full, evidence.expected(own).mend(format!("{}={own}", claim.key))));
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_true() {
        for (format, value, own, word) in [
            ("json", "debian", "debian", Word::Pass),
            ("json", "Debian", "debian", Word::Pass),
            ("json", "debian12", "debian", Word::Pass),
            ("json", "ubuntu24.04", "ubuntu", Word::Pass),
            ("json", "debianish", "debian", Word::Fail),
            ("json", "centos", "almalinux", Word::Fail),
            ("image-manager", "centos", "almalinux", Word::Pass),
            ("image-manager", "centos", "debian", Word::Fail),
        ] {
            assert_eq!(distro(format, value, own), word, "{format} {value} {own}");
        }
        for (value, own, word) in [
            ("13", "13", Word::Pass),
            ("9", "9.4", Word::Pass),
            ("9.", "9.4", Word::Fail),
            ("1", "13", Word::Fail),
            ("13.1", "13", Word::Unknown),
            ("12", "13", Word::Fail),
            ("24.04", "24.10", Word::Fail),
        ] {
            assert_eq!(version(value, own), word, "{value} {own}");
        }
    }
}
