//! Completions and manual pages: made from the command line's definition, and read by what they are made for.

use crate::common::{bootworthy, tool};
use std::fs;
use tempfile::TempDir;

fn commands() -> Vec<String> {
    let help = bootworthy(["--help"]).stdout;
    let rows = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = rows.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    names.filter_map(|line| line.split(' ').next()).map(str::to_owned).filter(|name| name != "help").collect()
}

#[test]
fn bash_completes_commands_formats_and_shells() {
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("bootworthy.bash");
    fs::write(&script, bootworthy(["completions", "bash"]).stdout).unwrap();
    for (words, expected) in [
        ("bootworthy ch", vec!["check", "checks"]),
        ("bootworthy check --format sa", vec!["sarif"]),
        ("bootworthy check --form", vec!["--format"]),
        ("bootworthy completions f", vec!["fish"]),
        ("bootworthy wor", vec![]),
    ] {
        let complete = r#". "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bootworthy bootworthy "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"; printf '%s\n' "${COMPREPLY[@]}""#;
        let words: Vec<&str> = words.split(' ').collect();
        let output = tool("bash", ["-c", complete, "bash", script.to_str().unwrap()].iter().chain(&words));
        let found = String::from_utf8(output).unwrap();
        assert_eq!(found.split_whitespace().collect::<Vec<_>>(), expected, "{words:?}");
    }
}

#[test]
fn every_shell_gets_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = bootworthy(["completions", shell]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        for command in commands() {
            assert!(run.stdout.contains(&command), "{shell}: {command}");
        }
    }
    let run = bootworthy(["completions", "csh"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
}

#[test]
fn a_page_for_every_command() {
    let folder = TempDir::new().unwrap();
    let run = bootworthy(["man", folder.path().to_str().unwrap()]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    let mut expected: Vec<String> = commands().iter().map(|name| format!("bootworthy-{name}.1")).collect();
    expected.push("bootworthy.1".to_owned());
    expected.sort();
    let mut names: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, expected);
    let own = fs::read_to_string(folder.path().join("bootworthy.1")).unwrap();
    assert_eq!(bootworthy(["man"]).stdout, own);
    for name in names {
        let page = fs::read_to_string(folder.path().join(&name)).unwrap();
        assert!(page.contains(".TH ") && page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{name}");
    }
    let check = fs::read_to_string(folder.path().join("bootworthy-check.1")).unwrap();
    for word in ["\\-\\-output", "\\-\\-jobs", "sarif", "Exit codes"] {
        assert!(check.contains(word), "{word} is not in\n{check}");
    }
    let run = bootworthy(["man", "no such folder"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
}
