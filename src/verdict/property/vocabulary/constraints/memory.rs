//! Pages, locked memory, encrypted memory.

use super::{Conflict, FlavorSpecs, python};
use crate::verdict::property::vocabulary::{ImageProps, property};

/// `get_mem_encryption_constraint` as the API asks it: whether the model locks memory, or `None` without encryption.
pub(super) fn encryption(flavor: &FlavorSpecs, image: &ImageProps) -> Result<Option<bool>, Conflict> {
    let (theirs, ours) = (flavor.flag("hw:mem_encryption"), image.flag("hw_mem_encryption"));
    if theirs != Some(true) && ours != Some(true) {
        return Ok(None);
    }
    if let (Some(theirs), Some(ours)) = (theirs, ours)
        && theirs != ours
    {
        let reason = format!("the flavor says hw:mem_encryption={theirs}, the image hw_mem_encryption={ours}");
        return Err(Conflict::new("FlavorImageConflict", reason).by("hw_mem_encryption"));
    }
    let (theirs, ours) = (flavor.get("hw:mem_encryption_model"), image.text("hw_mem_encryption_model"));
    if let (Some(theirs), Some(ours)) = (theirs, ours)
        && theirs != ours
    {
        let reason = format!("the flavor asks for memory encryption by {theirs:?}, the image by {ours:?}");
        return Err(Conflict::new("FlavorImageConflict", reason).by("hw_mem_encryption_model"));
    }
    let model = ours.or(theirs.filter(|model| !model.is_empty())).unwrap_or("amd-sev");
    let models = property("hw_mem_encryption_model").map(|entry| entry.values.as_slice()).unwrap_or_default();
    if !models.iter().any(|known| known == model) {
        let reason = format!("hw:mem_encryption_model={model} is none of {}", models.join(", "));
        return Err(Conflict::new("Invalid", reason));
    }
    surroundings(image, model)?;
    Ok(Some(matches!(model, "amd-sev" | "amd-sev-es")))
}

/// `MemEncryptionConfig.check_constraints`.
fn surroundings(image: &ImageProps, model: &str) -> Result<(), Conflict> {
    if image.text("hw_firmware_type") != Some("uefi") {
        let reason = "memory encryption needs hw_firmware_type=uefi in the image";
        return Err(Conflict::new("FlavorImageConflict", reason).by("hw_mem_encryption"));
    }
    if let Some(machine) = image.text("hw_machine_type").filter(|machine| !machine.contains("q35")) {
        let reason = format!("memory encryption needs the machine type q35, the image says {machine:?}");
        return Err(Conflict::new("InvalidMachineType", reason).by("hw_machine_type"));
    }
    if matches!(model, "amd-sev-snp" | "intel-tdx") && image.flag("hw_firmware_stateless") != Some(true) {
        let reason = format!("{model} needs hw_firmware_stateless=true in the image");
        return Err(Conflict::new("StatelessFirmwareRequired", reason).by("hw_mem_encryption_model"));
    }
    if model == "intel-tdx" && image.text("hw_video_model") != Some("none") {
        let reason = "intel-tdx needs hw_video_model=none in the image";
        return Err(Conflict::new("InvalidVideoMode", reason).by("hw_mem_encryption_model"));
    }
    Ok(())
}

/// `get_locked_memory_constraint`.
pub(super) fn locked(flavor: &FlavorSpecs, image: &ImageProps) -> Result<(), Conflict> {
    let (theirs, ours) = (flavor.flag("hw:locked_memory"), image.flag("hw_locked_memory"));
    if let (Some(theirs), Some(ours)) = (theirs, ours)
        && theirs != ours
    {
        let reason = format!("the flavor says hw:locked_memory={theirs}, the image hw_locked_memory={ours}");
        return Err(Conflict::new("FlavorImageLockedMemoryConflict", reason).by("hw_locked_memory"));
    }
    let has_pages =
        flavor.set("hw:mem_page_size").is_some() || image.text("hw_mem_page_size").is_some_and(|size| !size.is_empty());
    match (theirs.or(ours), has_pages) {
        (Some(true), true) => Ok(()),
        (Some(true), false) => {
            let reason = "locked memory needs a page size: hw:mem_page_size in the flavor";
            Err(Conflict::new("LockMemoryForbidden", reason).by("hw_locked_memory"))
        }
        _ => encryption(flavor, image).map(drop),
    }
}

/// `_get_numa_pagesize_constraint`: whether pages of a size are asked for.
pub(super) fn has_page_size(flavor: &FlavorSpecs, image: &ImageProps) -> Result<bool, Conflict> {
    const KEY: &str = "hw_mem_page_size";
    let ours = image.text(KEY).filter(|size| !size.is_empty());
    let forbidden = |ours: &str, against: &str| {
        let reason = format!("the image asks for pages of {ours}, the flavor {against}; it must say large or any");
        Err(Conflict::new("MemoryPageSizeForbidden", reason).by(KEY))
    };
    match (flavor.set("hw:mem_page_size"), ours) {
        (None, Some(ours)) => forbidden(ours, "nothing"),
        (None, None) => Ok(false),
        (Some("any" | "large"), Some(ours)) => page_size(ours),
        (Some(theirs), ours) => match (page_size(theirs)?, ours) {
            (_, Some(ours)) => forbidden(ours, theirs),
            (is_asked, None) => Ok(is_asked),
        },
    }
}

/// Whether a size is more than nothing; a bare number is KiB, anything else needs `b`, `bit` or `B` at its end
/// (`strutils.string_to_bytes`), which the validator of flavors does not ask for.
fn page_size(text: &str) -> Result<bool, Conflict> {
    let is_some = text.chars().any(|c| python::digit(c).is_some_and(|digit| digit > 0));
    if ["any", "large", "small"].contains(&text) {
        return Ok(true);
    }
    if !text.is_empty() && text.chars().all(|c| python::digit(c).is_some()) || is_sized(text) {
        return Ok(is_some);
    }
    let reason = format!("{text:?} is no page size: small, large, any, a number of KiB, or one with a unit as in 2MB");
    Err(Conflict::new("MemoryPageSizeInvalid", reason).by("hw_mem_page_size"))
}

/// `(^[-+]?\d*\.?\d+)([KMGTPEZYRQ]i?)?(b|bit|B)$`.
fn is_sized(text: &str) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let Some(text) = ["bit", "b", "B"].iter().find_map(|unit| text.strip_suffix(unit)) else { return false };
    let bare = text.strip_suffix('i').unwrap_or(text);
    let number = match bare.strip_suffix(['K', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y', 'R', 'Q']) {
        Some(number) => number,
        None if bare.len() < text.len() => return false,
        None => bare,
    };
    let number = number.strip_prefix(['-', '+']).unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or(("", number));
    let is_digits = |text: &str| text.chars().all(|c| python::digit(c).is_some());
    !fraction.is_empty() && is_digits(whole) && is_digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes() {
        for (text, expected) in [
            ("large", Some(true)),
            ("2048", Some(true)),
            ("0", Some(false)),
            ("2MB", Some(true)),
            ("1Gib", Some(true)),
            ("1.5GiB", Some(true)),
            ("16Kbit", Some(true)),
            ("2M", None),
            ("2iB", None),
            ("1kB", None),
            ("1.B", None),
            ("", None),
            ("huge", None),
        ] {
            assert_eq!(page_size(text).ok(), expected, "{text:?}");
        }
    }
}
