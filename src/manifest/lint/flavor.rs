//! The flavor: its extra specs alone, and together with the image.

use super::conflicts::is_mended_by_flavor;
use super::{FlavorFile, Rule, Run};
use crate::manifest::Claim;
use crate::verdict::Evidence;
use crate::verdict::nearest;
use crate::verdict::profile::Severity;
use crate::verdict::property::vocabulary::{
    CONSTRAINTS, Conflict, FlavorSpecs, ImageProps, SpecJudged, extra_spec, extra_specs, judge_spec, property,
};

/// Each extra spec with its text.
fn sent<'a>(flavor: &FlavorFile<'a>) -> Vec<(&'a Claim, String)> {
    let all = flavor.flavor.extra_specs.iter();
    all.filter_map(|claim| Some((claim, claim.sent(crate::manifest::Typing::Lower)?))).collect()
}

pub(super) const SPEC_REFUSED: Rule = Rule {
    id: "spec-refused",
    severity: Severity::Error,
    summary: "Nova refuses an extra spec",
    why: "From microversion 2.86 the API answers 400; an older client stores it, and servers fail or run without it.",
    fix: "Write a name and a value that Nova takes; bootworthy explain NAME lists them.",
    source: "nova/api/validation/extra_specs",
    run: Run::Flavor(|flavor| {
        let mut found = Vec::new();
        for (claim, value) in sent(flavor) {
            if let SpecJudged::Rejected(reason) = judge_spec(&claim.key, &value) {
                let evidence = flavor.at(claim, format!("{}={value}: {reason}", claim.key));
                found.push(match near(&claim.key) {
                    Some(known) if extra_spec(&claim.key).is_none() => evidence.expected(known),
                    _ => evidence,
                });
            }
        }
        found
    }),
};

pub(super) const SPEC_MISSPELT: Rule = Rule {
    id: "spec-misspelt",
    severity: Severity::Error,
    summary: "an extra spec is misspelt",
    why: "Nova takes any name outside its own namespaces, and reads none of them.",
    fix: "Write the name as Nova reads it.",
    source: "nova/api/validation/extra_specs/validators.py",
    run: Run::Flavor(|flavor| {
        let is_unknown = |claim: &Claim, value: &str| judge_spec(&claim.key, value) == SpecJudged::Unknown;
        let all = sent(flavor).into_iter().filter(|(claim, value)| is_unknown(claim, value));
        let near = all.filter_map(|(claim, _)| Some((claim, near(&claim.key).filter(|_| !is_images(&claim.key))?)));
        near.map(|(claim, known)| {
            flavor.at_key(claim, format!("{:?} is not read; is {known} meant?", claim.key)).expected(known)
        })
        .collect()
    }),
};

pub(super) const SPEC_IDLE: Rule = Rule {
    id: "spec-idle",
    severity: Severity::Warning,
    summary: "an extra spec is spelt as a property of an image",
    why: "A flavor has a colon where an image has the first underscore; with the underscore Nova accepts it and reads nothing.",
    fix: "Write it with the colon where a flavor has it, else put the property on the image.",
    source: "nova/api/validation/extra_specs/validators.py",
    run: Run::Flavor(|flavor| {
        let all = flavor.flavor.extra_specs.iter().filter(|claim| is_images(&claim.key));
        all.map(|claim| match same_thing(&claim.key) {
            Some(spec) => flavor.at(claim, format!("{} does nothing in a flavor", claim.key)).expected(spec),
            None => flavor.at(claim, format!("{} is a property of images; a flavor cannot say it", claim.key)),
        })
        .collect()
    }),
};

/// Whether the name is one of an image property.
fn is_images(key: &str) -> bool {
    property(key).is_some() && extra_spec(key).is_none() && !key.contains(':')
}

/// The extra spec of the same thing as an image property.
fn same_thing(key: &str) -> Option<&'static str> {
    let name = property(key)?.name.as_str();
    extra_specs().specs.iter().find(|spec| spec.image.as_deref() == Some(name)).map(|spec| spec.name.as_str())
}

/// The known name that this one is a slip of.
fn near(key: &str) -> Option<&'static str> {
    let plain = key.trim().to_lowercase();
    let near = nearest::nearest(&plain, extra_specs().specs.iter().map(|spec| spec.name.as_str()))?;
    (near != key && nearest::distance(&plain, near) <= 2).then_some(near)
}

pub(super) const SPEC_SHAPE: Rule = Rule {
    id: "spec-shape",
    severity: Severity::Error,
    summary: "an extra spec has a name or a value that the API does not take",
    why: "The API answers 400: names are 1 to 255 letters, digits and - _ : . and blanks, values text or numbers up to 255.",
    fix: "Shorten it, or leave the sign out.",
    source: "nova/api/openstack/compute/schemas/flavors_extraspecs.py",
    run: Run::Flavor(|flavor| {
        let is_letter = |c: char| c.is_ascii_alphanumeric() || "-_:. ".contains(c);
        let is_bad_key = |key: &str| key.is_empty() || key.len() > 255 || !key.chars().all(is_letter);
        let is_bad = |claim: &&Claim| {
            use crate::manifest::ClaimValue::{Computed, Decimal, Integer, Text};
            let is_bad_value = match &claim.value {
                Text(text) => text.chars().count() > 255,
                Integer(_) | Decimal(_) | Computed(_) => false,
                _ => true,
            };
            is_bad_key(&claim.key) || is_bad_value
        };
        let all = flavor.flavor.extra_specs.iter().filter(is_bad);
        all.map(|claim| flavor.at(claim, format!("{:?} is not taken as it stands", claim.key))).collect()
    }),
};

/// What Nova refuses of a flavor and an image.
fn refusals(flavor: &FlavorSpecs, image: &ImageProps) -> Vec<Conflict> {
    let mut found: Vec<Conflict> = Vec::new();
    for conflict in CONSTRAINTS.iter().filter_map(|constraint| (constraint.run)(flavor, image).err()) {
        if !found.contains(&conflict) {
            found.push(conflict);
        }
    }
    found
}

/// What encrypted memory and an IOMMU ask of the image: its firmware and its board.
fn is_mended_by_image(conflict: &Conflict) -> bool {
    conflict.property.is_some_and(|key| key.starts_with("hw_mem_encryption") || key == "hw_viommu_model")
}

pub(super) const FLAVOR_CONTRADICTION: Rule = Rule {
    id: "flavor-contradiction",
    severity: Severity::Error,
    summary: "extra specs of the flavor contradict each other",
    why: "Nova refuses every server of the flavor, whatever its image.",
    fix: "Change one of them; bootworthy explain NAME tells what goes together.",
    source: "nova/virt/hardware.py, numa_get_constraints and the functions beside it",
    run: Run::Flavor(|flavor| {
        let alone = refusals(&flavor.specs, &ImageProps::default());
        let path = &flavor.flavor.path;
        let lasting = alone.iter().filter(|conflict| !is_mended_by_image(conflict));
        lasting.map(|conflict| Evidence::at(path, format!("{} ({})", conflict.reason, conflict.exception))).collect()
    }),
};

pub(super) const CONFLICT: Rule = Rule {
    id: "flavor-conflict",
    severity: Severity::Error,
    summary: "image and flavor contradict each other",
    why: "Nova refuses a server of this image with this flavor.",
    fix: "Say it in one of the two, or the same in both; bootworthy explain NAME tells who wins.",
    source: "nova/virt/hardware.py; nova/virt/libvirt/driver.py",
    run: Run::Image(|image| {
        let Some(flavor) = image.flavor else { return Vec::new() };
        let of_flavor = refusals(&flavor.specs, &ImageProps::default());
        let of_image = refusals(&FlavorSpecs::default(), &image.props);
        let is_new = |conflict: &&Conflict| {
            let is_images = of_image.contains(conflict) && !is_mended_by_flavor(conflict.exception);
            let is_flavors = of_flavor.contains(conflict) && !is_mended_by_image(conflict);
            !is_images && !is_flavors
        };
        let both = refusals(&flavor.specs, &image.props);
        let told = |conflict: &Conflict| {
            let text = format!("{} ({})", conflict.reason, conflict.exception);
            match conflict.property {
                Some(field) => image.at_field(field, text),
                None => image.at_image(text),
            }
        };
        both.iter().filter(is_new).map(told).collect()
    }),
};

pub(super) const TOO_SMALL: Rule = Rule {
    id: "flavor-too-small",
    severity: Severity::Error,
    summary: "the flavor is smaller than what the image asks for",
    why: "Nova answers 400: FlavorDiskSmallerThanMinDisk, FlavorMemoryTooSmall.",
    fix: "Take a larger flavor, or lower min_disk and min_ram where the image allows it.",
    source: "nova/compute/api.py, _validate_flavor_image_nostatus",
    run: Run::Image(|image| {
        let Some(flavor) = image.flavor.map(|file| file.flavor) else { return Vec::new() };
        let asked = |claim: &Claim| claim.sent(image.document.typing).and_then(|text| text.parse::<u64>().ok());
        let disk = flavor.disk.filter(|disk| *disk > 0);
        let rows =
            [(&image.claims.min_disk, disk, "GiB of root disk"), (&image.claims.min_ram, flavor.ram, "MiB of memory")];
        let mut found = Vec::new();
        for (claim, has, what) in rows {
            if let (Some(claim), Some(has)) = (claim, has)
                && let Some(asked) = asked(claim).filter(|asked| *asked > has)
            {
                found.push(image.at(claim, format!("the image asks for {asked} {what}, the flavor has {has}")));
            }
        }
        found
    }),
};

pub(super) const OVERRIDDEN: Rule = Rule {
    id: "flavor-overridden",
    severity: Severity::Note,
    summary: "image and flavor say different things, and one of them wins",
    why: "Nova refuses nothing here: the other one is silently left out.",
    fix: "Say it in one of the two.",
    source: "nova/virt/libvirt/driver.py; nova/virt/hardware.py, get_cpu_policy_constraint",
    run: Run::Image(|image| {
        let Some(flavor) = image.flavor else { return Vec::new() };
        let mut found = Vec::new();
        for (spec, key, winner) in [
            ("hw:watchdog_action", "hw_watchdog_action", "image"),
            ("hw:cpu_realtime_mask", "hw_cpu_realtime_mask", "image"),
            ("hw:viommu_model", "hw_viommu_model", "flavor"),
            ("hw:cpu_policy", "hw_cpu_policy", "flavor"),
        ] {
            let (theirs, ours) = (flavor.specs.specs.get(spec), image.props.text(key));
            if let (Some(theirs), Some(ours)) = (theirs, ours)
                && theirs != ours
                && !(spec == "hw:cpu_policy" && theirs != "dedicated")
            {
                let text = format!("the flavor says {spec}={theirs}, the image {key}={ours}: the {winner} wins");
                found.push(image.at_field(key, text));
            }
        }
        let is_single = flavor.specs.vcpus.is_some_and(|vcpus| vcpus < 2);
        if is_single && image.props.flag("hw_vif_multiqueue_enabled") == Some(true) {
            let text = "the flavor has one processor, so there is one queue";
            found.push(image.at_field("hw_vif_multiqueue_enabled", text));
        }
        found
    }),
};
