//! Names of properties: misspelt, reserved, repeated, too long, too many.

use super::{Image, Rule, Run};
use crate::verdict::Evidence;
use crate::verdict::nearest;
use crate::verdict::profile::Severity;
use crate::verdict::property::vocabulary::{
    self, Effect, MAX_NAME, MAX_PROPERTIES, READ_ONLY, RESERVED, RESERVED_PREFIX, extra_specs, properties, property,
};

pub(super) const MISSPELT: Rule = Rule {
    id: "name-misspelt",
    severity: Severity::Error,
    summary: "a property is misspelt",
    why: "Glance keeps any name, and Nova reads only those that it knows: the property does nothing, and nobody says so.",
    fix: "Write the name as Nova reads it; bootworthy explain NAME tells what it does.",
    source: "nova/objects/image_meta.py, ImageMetaProps.fields",
    run: Run::Image(|image| {
        let found = image.claims.properties.iter().filter_map(|claim| Some((claim, misspelt(&claim.key)?)));
        found.map(|(claim, known)| told(image, claim, &known)).collect()
    }),
};

pub(super) const UNREAD: Rule = Rule {
    id: "name-unread",
    severity: Severity::Warning,
    summary: "no service reads this property",
    why: "Names that begin with hw_ and img_ are Nova's; one that it does not know does nothing.",
    fix: "Take the property out, or give it a name of your own that does not begin with hw_ or img_.",
    source: "nova/objects/image_meta.py, ImageMetaProps.fields",
    run: Run::Image(|image| {
        let is_unread = |claim: &&super::Claim| {
            let is_ours = claim.key.starts_with("hw_") || claim.key.starts_with("img_");
            is_ours && property(&claim.key).is_none() && misspelt(&claim.key).is_none()
        };
        let found = image.claims.properties.iter().filter(is_unread);
        found.map(|claim| image.at_key(claim, format!("Nova has no property {}", claim.key))).collect()
    }),
};

pub(super) const RESERVED_NAME: Rule = Rule {
    id: "name-reserved",
    severity: Severity::Error,
    summary: "a name is Glance's own",
    why: "Glance answers 403 to a request that sets a field which only Glance itself writes.",
    fix: "Take it out; Glance fills it in.",
    source: "glance/api/v2/images.py, _reserved_properties, _readonly_properties, _reserved_namespaces",
    run: Run::Image(|image| {
        let is_reserved = |claim: &&super::Claim| {
            let key = claim.key.as_str();
            let is_own = key.starts_with(RESERVED_PREFIX) || RESERVED.contains(&key) || READ_ONLY.contains(&key);
            is_own && !image.document.is_state
        };
        let all = image.claims.properties.iter().chain(&image.claims.fields);
        all.filter(is_reserved).map(|claim| image.at_key(claim, format!("only Glance sets {}", claim.key))).collect()
    }),
};

pub(super) const TOO_LONG: Rule = Rule {
    id: "name-too-long",
    severity: Severity::Error,
    summary: "a name is longer than 255 characters",
    why: "Glance answers 400: its database keeps 255 characters of a name, of a property and of the image alike.",
    fix: "Shorten the name to 255 characters.",
    source: "glance/db/sqlalchemy/models.py, Image.name, ImageProperty.name",
    run: Run::Image(|image| {
        let long = |text: &str| text.chars().count() > MAX_NAME;
        let keys = image.claims.properties.iter().filter(|claim| long(&claim.key));
        let name =
            image.claims.name.iter().filter(|name| name.sent(image.document.typing).is_some_and(|name| long(&name)));
        let told = |claim, what: &str| image.at(claim, format!("{what} is longer than {MAX_NAME} characters"));
        let keys = keys.map(|claim| told(claim, "the name of the property"));
        keys.chain(name.map(|claim| told(claim, "the name of the image"))).collect()
    }),
};

pub(super) const REPEATED: Rule = Rule {
    id: "name-repeated",
    severity: Severity::Warning,
    summary: "a property stands twice",
    why: "One of the two values is lost, and which one depends on the tool that reads the file.",
    fix: "Keep the one that is meant.",
    source: "RFC 8259, section 4; YAML 1.2.2, section 3.2.1.3",
    run: Run::Image(|image| {
        let list = &image.claims.properties;
        let is_later = |index: usize, key: &str| list.iter().take(index).any(|before| before.key == key);
        let again = list.iter().enumerate().filter(|(index, claim)| is_later(*index, &claim.key));
        again.map(|(_, claim)| image.at_key(claim, format!("{} stands here a second time", claim.key))).collect()
    }),
};

pub(super) const TOO_MANY: Rule = Rule {
    id: "too-many-properties",
    severity: Severity::Error,
    summary: "an image has more than 128 properties",
    why: "Glance answers 413 beyond image_property_quota, which is 128 unless the operator has changed it.",
    fix: "Take out what nothing reads.",
    source: "glance/common/config.py, image_property_quota",
    run: Run::Image(|image| {
        let count = image.claims.properties.len();
        let told = || image.at_image(format!("{count} properties, Glance takes {MAX_PROPERTIES}"));
        (count > MAX_PROPERTIES).then(told).into_iter().collect()
    }),
};

pub(super) const TWO_NAMES: Rule = Rule {
    id: "two-names",
    severity: Severity::Warning,
    summary: "a property stands under its old and its new name",
    why: "The new name wins in Nova, while filters and people may read the old one.",
    fix: "Keep one of the two, or give both the same value.",
    source: "nova/objects/image_meta.py, ImageMetaProps.from_dict",
    run: Run::Image(|image| {
        let mut found = Vec::new();
        for (claim, value) in image.sent() {
            let entry = property(&claim.key).filter(|entry| entry.aliases.contains(&claim.key));
            let other = entry.and_then(|entry| image.claims.property(&entry.name)?.sent(image.document.typing));
            if let (Some(entry), Some(other)) = (entry, other.filter(|other| *other != value)) {
                let text = format!("{}={other} wins over {}={value}", entry.name, claim.key);
                found.push(image.at(claim, text));
            }
        }
        found
    }),
};

pub(super) const TRAIT: Rule = Rule {
    id: "trait-not-read",
    severity: Severity::Warning,
    summary: "a trait is not read as it stands",
    why: "Nova reads trait:NAME=required of an image and nothing else; a name that Placement does not know fails the server.",
    fix: "Write trait:NAME=required with a name of os-traits, or one that begins with CUSTOM_.",
    source: "nova/objects/image_meta.py, _set_attr_from_trait_names; os-traits",
    run: Run::Image(|image| {
        let mut found = Vec::new();
        for (claim, value) in image.sent() {
            let Some(name) = claim.key.strip_prefix("trait:") else { continue };
            let is_known = name.starts_with("CUSTOM_") || extra_specs().traits.iter().any(|known| known == name);
            if !is_known {
                found.push(image.at_key(claim, format!("there is no trait {name}")));
            } else if value != "required" {
                found.push(image.at(claim, format!("{value:?} is not read, only required is")).expected("required"));
            }
        }
        found
    }),
};

fn told(image: &Image<'_>, claim: &super::Claim, known: &str) -> Evidence {
    image.at_key(claim, format!("{:?} is not read; is {known} meant?", claim.key)).expected(known)
}

/// The known name that this one is a slip of: letters of another case, another sign for the underscore, blanks around
/// it, or one or two wrong letters; `None` for known names and for names of one's own.
pub(super) fn misspelt(key: &str) -> Option<String> {
    if property(key).is_some() || key.starts_with("trait:") || vocabulary_of_glance(key) {
        return None;
    }
    let plain = key.trim().to_lowercase().replace(['-', ':', ' '], "_");
    let names = || properties().iter().filter(|entry| entry.effect != Effect::None || entry.instead.is_some());
    if let Some(entry) = property(&plain) {
        return Some(entry.name.clone()).filter(|name| name == &plain).or(Some(plain));
    }
    if let Some(name) = key.strip_prefix("traits:") {
        return Some(format!("trait:{name}"));
    }
    if let Some(spec) = vocabulary::extra_spec(key) {
        return spec.image.clone();
    }
    let shared =
        |name: &str| ["hw_", "img_", "os_"].iter().any(|stem| name.starts_with(stem) && plain.starts_with(stem));
    let all = names().flat_map(|entry| entry.aliases.iter().chain([&entry.name])).map(String::as_str);
    let alike = all.filter(|name| name.len().abs_diff(plain.len()) <= 2);
    let near = nearest::nearest(&plain, alike)?;
    let most = if shared(near) && near.len() >= 8 { 2 } else { 1 };
    (plain.len() >= 6 && nearest::distance(&plain, near) <= most).then(|| near.to_owned())
}

/// Glance's own fields stand among the properties of some formats.
fn vocabulary_of_glance(key: &str) -> bool {
    crate::manifest::GLANCE_FIELDS.contains(&key)
        || key.starts_with(RESERVED_PREFIX)
        || key.starts_with("owner_specified.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_names_of_ones_own() {
        for (key, expected) in [
            ("hw_disk_buss", Some("hw_disk_bus")),
            ("hw_dsik_bus", Some("hw_disk_bus")),
            ("HW_Disk_Bus", Some("hw_disk_bus")),
            ("hw-disk-bus", Some("hw_disk_bus")),
            ("hw:disk_bus", Some("hw_disk_bus")),
            ("hw:watchdog_action", Some("hw_watchdog_action")),
            ("os:secure_boot", Some("os_secure_boot")),
            ("hw_qemu_guest_agent ", Some("hw_qemu_guest_agent")),
            ("traits:CUSTOM_X", Some("trait:CUSTOM_X")),
            ("architeture", Some("architecture")),
            ("os_distr", Some("os_distro")),
            ("hw_disk_bus", None),
            ("architecture", None),
            ("trait:CUSTOM_X", None),
            ("os_hidden", None),
            ("owner_specified.openstack.md5", None),
            ("build_commit", None),
            ("os_family", None),
            ("image_family", None),
            ("version", None),
            ("mapping_of_mine", None),
        ] {
            assert_eq!(misspelt(key).as_deref(), expected, "{key}");
        }
    }
}
