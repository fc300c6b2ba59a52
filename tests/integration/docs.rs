//! What is written down is what the program does. `BOOTWORTHY_UPDATE=1` brings the documents up to date.

use crate::common::{Run, bootworthy};
use bootworthy::verdict::Weight;
use bootworthy::verdict::check::CHECKS;
use bootworthy::verdict::profile::{PROFILES, severity};
use bootworthy::verdict::property::PROPERTIES;
use std::fs;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// Compares, or rewrites when asked to.
fn settle(path: &str, standing: &str, current: &str) {
    if std::env::var_os("BOOTWORTHY_UPDATE").is_some() {
        fs::write(path, current).unwrap();
    } else {
        assert!(standing == current, "{path} is stale; run BOOTWORTHY_UPDATE=1 tests/run docs\n{current}");
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

fn properties() -> String {
    let mut text = "| property | what it does | earned by |\n|---|---|---|\n".to_owned();
    for property in PROPERTIES {
        let exists = |id: &&&str| CHECKS.iter().any(|check| check.id == **id);
        let needs: Vec<String> = property.needs.iter().filter(exists).map(|id| format!("`{id}`")).collect();
        let coming = property.needs.iter().any(|id| !exists(&id));
        let note = if coming { " (withheld until this version checks all of them)" } else { "" };
        text += &format!("| `{}` | {} | {}{note} |\n", property.key, property.summary, needs.join(", "));
    }
    text
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
fn texts_name_only_commands_that_exist() {
    let help = bootworthy(["--help"]).stdout;
    let known = |word: &str| help.lines().any(|line| line.trim_start().split(' ').next() == Some(word));
    let mut texts = vec![fs::read_to_string(README).unwrap()];
    for check in CHECKS {
        texts.push([check.summary, check.broken, check.why, check.fix].join("\n"));
        texts.extend(check.family_fixes.iter().map(|(_, fix)| (*fix).to_owned()));
    }
    texts.extend(PROPERTIES.iter().map(|property| property.summary.to_owned()));
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
