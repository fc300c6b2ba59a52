//! What a feature is about: every side of it, and what has aged in the common advice.

use super::explain::{Page, Part, part};
use crate::verdict::check;
use crate::verdict::feature::{FEATURES, Feature, Former, ImageProperty, NovaOption, Provision, Role};

/// Every feature with what it is.
pub fn list_features() -> String {
    let width = FEATURES.iter().map(|feature| feature.name.len()).max().unwrap_or(0);
    let row = |feature: &Feature| format!("{:width$}  {}\n", feature.name, feature.summary);
    FEATURES.iter().map(row).collect()
}

pub(super) fn page(feature: &'static Feature) -> Page {
    let checks = feature.needs.iter().filter_map(|id| check::find(id));
    let checks = checks.map(|check| (check.id.to_owned(), check.summary.to_owned())).collect();
    let mut parts = vec![part("why", feature.why), Part { rows: checks, ..part("image", feature.image) }];
    parts.push(properties(feature));
    parts.push(flavor(feature));
    parts.push(nova(feature));
    if !feature.node.is_empty() {
        parts.push(part("node", sentence(feature.node)));
    }
    let recipe: Vec<(String, String)> = feature.provision.iter().map(provision).collect();
    if !recipe.is_empty() {
        parts.push(Part { rows: recipe, ..part("recipe", "") });
    }
    let aged = feature.aged.iter().map(|(advice, truth)| (format!("\"{advice}\""), (*truth).to_owned())).collect();
    parts.push(Part { rows: aged, ..part("what has aged", "") });
    parts.push(part("source", feature.source));
    Page { name: feature.name, summary: feature.summary, parts }
}

/// One text of several, each of which may stand alone.
fn sentence(texts: &[&str]) -> String {
    texts.join("; ")
}

fn properties(feature: &Feature) -> Part {
    let row = |property: &ImageProperty| {
        let name = match property.value {
            "" => property.key.to_owned(),
            value => format!("{}={value}", property.key),
        };
        let role = match property.role {
            Role::Earned | Role::Proof => "",
            Role::Helps => " (not needed)",
            Role::Instead => " (another way)",
            Role::Choice => " (optional)",
        };
        (name, format!("{}{role}", property.effect))
    };
    let rows: Vec<(String, String)> = feature.properties.iter().map(row).collect();
    let choices = feature.properties.iter().filter(|property| property.role == Role::Choice);
    let choices: Vec<String> =
        choices.map(|property| format!("--property {}={}", property.key, property.value)).collect();
    let text = match (rows.is_empty(), choices.is_empty()) {
        (true, _) => "none has a part in it".to_owned(),
        (_, false) => format!("openstack image set {} IMAGE", choices.join(" ")),
        _ => "`bootworthy properties` prints those that the image has earned".to_owned(),
    };
    Part { rows, ..part("image properties", text) }
}

fn flavor(feature: &Feature) -> Part {
    let text = feature.flavor_command().unwrap_or_else(|| "no extra spec has a part in it".to_owned());
    let rows = feature.flavor.iter().map(|spec| (format!("{}={}", spec.key, spec.value), spec.effect.to_owned()));
    Part { rows: rows.collect(), ..part("flavor", text) }
}

fn nova(feature: &Feature) -> Part {
    let text = if feature.nova.is_empty() { "no option has a part in it" } else { "" };
    let mut rows = Vec::new();
    for option in feature.nova {
        rows.push((format!("{} = {}", option.full_name(), option.value), told(option)));
        rows.extend(option.formerly.iter().map(|former| (format!("instead of {}", former.option), was(former))));
    }
    Part { rows, ..part("nova.conf", text) }
}

fn told(option: &NovaOption) -> String {
    let since = option.since.map(|release| format!(" since {release}")).unwrap_or_default();
    format!("{} ({}{since})", option.effect, option.services.join(", "))
}

fn was(former: &Former) -> String {
    let gone = former.gone.map(|release| format!(", gone in {release}")).unwrap_or_default();
    format!("since {}{gone}: {}", former.changed, former.note)
}

fn provision((family, provision): &(&str, Provision)) -> (String, String) {
    let files: Vec<&str> = provision.files.iter().map(|file| file.path).collect();
    let parts = [
        ("packages", provision.packages),
        ("modules in the initrd", provision.initrd_modules),
        ("files", &files),
        ("units", provision.units),
        ("kernel options", provision.kernel),
    ];
    let told = parts.iter().filter(|(_, names)| !names.is_empty());
    let told: Vec<String> = told.map(|(head, names)| format!("{head} {}", names.join(", "))).collect();
    let family = if *family == "any" { "every family" } else { family };
    (family.to_owned(), if told.is_empty() { "nothing besides".to_owned() } else { told.join("; ") })
}

#[cfg(test)]
mod tests {
    use super::super::explain;
    use super::*;

    #[test]
    fn every_feature_is_told_whole() {
        for feature in FEATURES {
            let text = explain(feature.name).unwrap();
            assert!(text.starts_with(&format!("{}: {}\n", feature.name, feature.summary)), "{text}");
            for head in
                ["why: ", "image: ", "image properties: ", "flavor: ", "nova.conf:", "what has aged:", "source: "]
            {
                assert!(text.contains(&format!("\n{head}")), "{head:?} is not in\n{text}");
            }
            assert!(!text.contains(":  ") && !text.contains(": \n"), "{text}");
        }
        assert_eq!(list_features().lines().count(), FEATURES.len());
    }

    #[test]
    fn pinning_from_the_image_to_the_node() {
        let text = explain("cpu-pinning").unwrap();
        for line in [
            "openstack image set --property hw_cpu_policy=dedicated --property hw_cpu_thread_policy=prefer IMAGE",
            "openstack flavor set --property hw:cpu_policy=dedicated --property hw:cpu_thread_policy=prefer FLAVOR",
            "[compute] cpu_dedicated_set = 4-15: ",
            "(nova-compute since 20.0.0 (Train))",
            "instead of [DEFAULT] vcpu_pin_set: since 20.0.0 (Train): deprecated",
            "instead of [DEFAULT] scheduler_default_filters: since 15.0.0 (Ocata), gone in 24.0.0 (Xena): ",
            "NUMATopologyFilter",
            "\nnode: keep the host's own work off",
        ] {
            assert!(text.contains(line), "{line:?} is not in\n{text}");
        }
    }
}
