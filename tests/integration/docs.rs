//! What is written down is what the program does. `BOOTWORTHY_UPDATE=1` brings the documents up to date.

use crate::common::{Run, bootworthy};
use bootworthy::boot::proof::{PROOFS, UNDECIDED};
use bootworthy::build::recipe;
use bootworthy::config::schema;
use bootworthy::manifest::lint::{RULES, Rule};
use bootworthy::report::page;
use bootworthy::verdict::Weight;
use bootworthy::verdict::check::{CHECKS, DEMAND, INSPECTED};
use bootworthy::verdict::feature::{self, FEATURES, Feature, Role};
use bootworthy::verdict::profile::{PROFILES, severity};
use bootworthy::verdict::property::{PROPERTIES, Property, Set};
use std::fs;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const CHECKS_PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/checks.md");
const FEATURES_PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/features.md");
const CONFIG_SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schemas/config.json");
const RECIPE_PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/recipe.md");
const RECIPE_SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schemas/recipe.json");
const RULES_PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md");
const PROOFS_PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/proofs.md");
const PROPERTIES_PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/properties.md");

/// Compares, or rewrites when asked to.
fn settle(path: &str, standing: &str, current: &str) {
    if std::env::var_os("BOOTWORTHY_UPDATE").is_some() {
        fs::write(path, current).unwrap();
    } else {
        let differs = standing.lines().zip(current.lines()).find(|(old, new)| old != new);
        assert!(standing == current, "{path} is stale; run BOOTWORTHY_UPDATE=1 tests/run docs\n{differs:#?}");
    }
}

/// The document with the text between `<!-- name -->` and `<!-- /name -->` replaced.
fn filled(document: &str, name: &str, text: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n"));
    let start = document.find(&open).unwrap() + open.len();
    let end = document.find(&close).unwrap();
    format!("{}{text}{}", &document[..start], &document[end..])
}

fn checks() -> String {
    let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
    let mut text = format!("| check | holds when | {} |\n|---|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for check in CHECKS {
        let level = |profile| severity(profile, check.id, Weight::Full, &|_| false).word();
        let levels: Vec<&str> = PROFILES.iter().map(level).collect();
        text += &format!("| `{}` | {} | {} |\n", check.id, check.summary, levels.join(" | "));
    }
    text
}

fn earned_by(property: &Property) -> String {
    let exists = |id: &&&str| CHECKS.iter().any(|check| check.id == **id);
    let needs: Vec<String> = property.needs.iter().filter(exists).map(|id| format!("`{id}`")).collect();
    let is_open = property.needs.iter().any(|id| !exists(&id));
    let note = if is_open { " (withheld until this version checks all of them)" } else { "" };
    let needs = if property.needs.is_empty() { "`image-format-safe`".to_owned() } else { needs.join(", ") };
    format!("{needs}{note}").trim().to_owned()
}

/// What the default set looks at.
fn properties() -> String {
    let mut text = "| property | value | what it does | earned by |\n|---|---|---|---|\n".to_owned();
    for property in PROPERTIES.iter().filter(|property| property.sets.contains(&Set::Recommended)) {
        let (key, value, summary) = (property.key, property.value.label(), property.summary);
        text += &format!("| `{key}` | {value} | {summary} | {} |\n", earned_by(property));
    }
    text
}

/// Text for Markdown: what stands between backticks is as it is.
fn marked(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(index, part)| match index % 2 {
        0 => part.replace('\\', "\\\\").replace('*', "\\*").replace('_', "\\_").replace('<', "\\<"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("`")
}

/// The page that `bootworthy explain` prints, as a section.
fn section(name: &str) -> String {
    let page = page(name).unwrap();
    let mut text = format!("\n## {}\n\n{}\n", page.name, marked(page.summary));
    for part in &page.parts {
        text += &format!("\n**{}:** {}", part.head, marked(&part.text));
        text = text.trim_end().to_owned() + "\n";
        if !part.rows.is_empty() {
            text.push('\n');
        }
        for (name, row) in &part.rows {
            // A command of a family is shown as it is typed.
            let is_command = part.head.starts_with("fix") && (name.contains(" on ") || !name.contains('-'));
            let row = if is_command && !row.contains('`') { format!("`{row}`") } else { marked(row) };
            text += &format!("- {name}: {row}\n");
        }
    }
    text
}

fn checks_page() -> String {
    let mut text =
        "# Checks\n\nGenerated from the program: what `bootworthy explain ID` prints of every check.\n\n".to_owned();
    text += &checks();
    let profiles = PROFILES.iter().map(|profile| format!("- {}: {}\n", profile.name, profile.summary));
    text += &format!("\nProfiles (`--profile`):\n\n{}", profiles.collect::<String>());
    let features = feature::requirable().map(|feature| format!("- {}: {}\n", feature.name, feature.summary));
    text += &format!("\nFeatures (`--require`):\n\n{}", features.collect::<String>());
    for check in CHECKS.iter().chain([&DEMAND, &INSPECTED]) {
        text += &section(check.id);
    }
    text
}

fn properties_page() -> String {
    let mut text =
        "# Properties\n\nGenerated from the program: what `bootworthy explain KEY` prints of every property.\n\n"
            .to_owned();
    let names: Vec<&str> = Set::ALL.iter().map(|set| set.name()).collect();
    text += &format!("| property | value | {} |\n|---|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    let mut keys: Vec<&str> = Vec::new();
    let mut told: Vec<(&str, &str)> = Vec::new();
    for property in PROPERTIES {
        if told.contains(&(property.key, property.value.label())) {
            continue;
        }
        told.push((property.key, property.value.label()));
        let cell = |set: &Set| if property.sets.contains(set) { "✓" } else { "" };
        let cells: Vec<&str> = Set::ALL.iter().map(cell).collect();
        text += &format!("| `{}` | {} | {} |\n", property.key, property.value.label(), cells.join(" | "));
        if !keys.contains(&property.key) {
            keys.push(property.key);
        }
    }
    let sets = Set::ALL.iter().map(|set| format!("- {}: {}\n", set.name(), set.summary()));
    text +=
        &format!("\nSets (`--set`); a value in none is set with `--with KEY=VALUE`:\n\n{}", sets.collect::<String>());
    for key in keys {
        text += &section(key);
    }
    text
}

fn rules_page() -> String {
    let mut text = "# Rules\n\nGenerated from the program: what `bootworthy lint` finds in a manifest, and `bootworthy check --manifest` \
        in a manifest and its image. `[severity]` and `[[ignore]]` of bootworthy.toml take these ids as they take those of \
        checks.\n\n| rule | severity | finds |\n|---|---|---|\n"
        .to_owned();
    let row =
        |rule: &Rule| format!("| [`{0}`](#{0}) | {1} | {2} |\n", rule.id, rule.severity.word(), marked(rule.summary));
    text += &RULES.iter().map(row).collect::<String>();
    text += &RULES.iter().map(|rule| section(rule.id)).collect::<String>();
    text
}

fn proofs_page() -> String {
    let mut text = "# Proofs\n\nGenerated from the program: what `bootworthy boot IMAGE` looks for in the running guest, in this order, and \
        the checks that each decides: where it is proved none of them may fail, where it is disproved one of them must.\n\n\
        | proof | shows that | decides |\n|---|---|---|\n"
        .to_owned();
    for proof in PROOFS {
        let checks: Vec<String> = proof.decides.iter().map(|id| format!("`{id}`")).collect();
        let checks = if checks.is_empty() { "–".to_owned() } else { checks.join(", ") };
        text += &format!("| `{}` | {} | {checks} |\n", proof.id, marked(proof.summary));
    }
    text += "\nWhat no boot decides:\n\n";
    for (id, why) in UNDECIDED {
        text += &format!("- `{id}`: {why}\n");
    }
    text
}

/// One row: the four sides of a feature by name.
fn sides(feature: &Feature) -> String {
    let listed = |names: Vec<String>| if names.is_empty() { "–".to_owned() } else { names.join(", ") };
    let mine =
        feature.properties.iter().filter(|property| [Role::Earned, Role::Proof, Role::Choice].contains(&property.role));
    let properties = mine.map(|property| format!("`{}={}`", property.key, property.value)).collect();
    let specs = feature.flavor.iter().map(|spec| format!("`{}={}`", spec.key, spec.value)).collect();
    let options = feature.nova.iter().map(|option| format!("`{}`", option.full_name())).collect();
    let checks = match feature.needs.len() {
        0..=5 => listed(feature.needs.iter().map(|id| format!("`{id}`")).collect()),
        more => format!("`{}` and {} more", feature.needs[0], more - 1),
    };
    let name = feature.name;
    format!("| [{name}](#{name}) | {checks} | {} | {} | {} |\n", listed(properties), listed(specs), listed(options))
}

fn features_page() -> String {
    let mut text =
        "# Features\n\nGenerated from the program: what `bootworthy explain FEATURE` prints of every feature. \
        `bootworthy features IMAGE` says which of them an image is ready for.\n\n\
        | feature | checks of the image | image properties | flavor | nova.conf |\n|---|---|---|---|---|\n"
            .to_owned();
    text += &FEATURES.iter().map(sides).collect::<String>();
    text += &FEATURES.iter().map(|feature| section(feature.name)).collect::<String>();
    text
}

fn recipe_page() -> String {
    let mut text = "# Recipes\n\nGenerated from the program: every key of a recipe (TOML), which `bootworthy build` makes an image \
        from. A key that is not here is an error. `docs/schemas/recipe.json` says the same to editors.\n"
        .to_owned();
    text += &recipe::page();
    text += "\n## Features\n\nWhat each brings along is on [its page](features.md), under recipe.\n\n";
    let rows: Vec<String> =
        FEATURES.iter().map(|feature| format!("- `{}`: {}\n", feature.name, feature.summary)).collect();
    text + &rows.concat()
}

/// Runs the commands of a console block and writes down what they print.
fn console(block: &str) -> String {
    let mut text = String::new();
    let mut last: Option<Run> = None;
    for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
        text += &format!("$ {command}\n");
        if command == "echo $?" {
            text += &format!("{}\n", last.as_ref().expect("a command before it").code);
            continue;
        }
        let words = command.strip_prefix("bootworthy ").expect("a console block runs bootworthy");
        let run = bootworthy(words.split(' '));
        text += &run.stderr;
        text += &run.stdout;
        last = Some(run);
    }
    text
}

#[test]
fn readme_is_true() {
    let standing = fs::read_to_string(README).unwrap();
    let mut current = filled(&standing, "checks", &checks());
    current = filled(&current, "properties", &properties());
    let mut parts: Vec<String> = current.split("```console\n").map(str::to_owned).collect();
    for part in parts.iter_mut().skip(1) {
        let end = part.find("```\n").unwrap();
        *part = console(&part[..end]) + &part[end..];
    }
    assert!(parts.len() > 1, "no console block");
    settle(README, &standing, &parts.join("```console\n"));
}

#[test]
fn pages_are_current() {
    let pages = [
        (CHECKS_PAGE, checks_page()),
        (PROPERTIES_PAGE, properties_page()),
        (FEATURES_PAGE, features_page()),
        (RULES_PAGE, rules_page()),
        (PROOFS_PAGE, proofs_page()),
        (CONFIG_SCHEMA, schema()),
        (RECIPE_PAGE, recipe_page()),
        (RECIPE_SCHEMA, recipe::schema()),
    ];
    for (path, current) in pages {
        settle(path, &fs::read_to_string(path).unwrap_or_default(), &current);
    }
}

#[test]
fn texts_name_only_commands_that_exist() {
    let help = bootworthy(["--help"]).stdout;
    let known = |word: &str| help.lines().any(|line| line.trim_start().split(' ').next() == Some(word));
    let mut texts = vec![fs::read_to_string(README).unwrap()];
    for check in CHECKS {
        texts.push([check.summary, check.broken, check.why, check.detects, check.fix].join("\n"));
        texts.extend(check.family_fixes.iter().map(|(_, fix)| (*fix).to_owned()));
    }
    texts.extend(PROPERTIES.iter().map(|property| property.summary.to_owned()));
    texts.extend(FEATURES.iter().map(|feature| section(feature.name)));
    for text in texts {
        for rest in text.split("bootworthy ").skip(1) {
            let before = text.find(rest).map(|at| &text[..at - "bootworthy ".len()]).unwrap_or_default();
            if !(before.ends_with('`') || before.ends_with("$ ") || before.ends_with('\n')) {
                continue;
            }
            let word: String = rest.chars().take_while(char::is_ascii_lowercase).collect();
            if !word.is_empty() && !["opens", "tells"].contains(&word.as_str()) {
                assert!(known(&word), "`bootworthy {word}` does not exist");
            }
        }
    }
}
