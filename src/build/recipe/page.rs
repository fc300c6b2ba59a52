//! The keys of a recipe as a page, `docs/recipe.md`; made from [`KEYS`].

use super::key::KEYS;
use super::shape::{Key, Shape};
use std::fmt::Write as _;

/// The tables of all keys, in Markdown.
pub fn page() -> String {
    let mut text = String::new();
    let mut tables: Vec<(String, String, &[Key])> = vec![(String::new(), String::new(), KEYS)];
    while !tables.is_empty() {
        let (name, summary, keys) = tables.remove(0);
        let title = if name.is_empty() { "The top level".to_owned() } else { format!("`{name}`") };
        let _ = writeln!(text, "\n## {title}\n");
        if !summary.is_empty() {
            let _ = writeln!(text, "{}\n", marked(&summary));
        }
        text += "| key | takes | what it does |\n|---|---|---|\n";
        for key in keys {
            let path = inner(&name, key.name);
            let takes = takes(&key.shape, &path);
            let must = if key.is_required { " (required)" } else { "" };
            let _ = writeln!(text, "| `{}` | {takes} | {}{must} |", key.name, marked(key.summary));
            match key.shape {
                Shape::Table(keys) => tables.push((format!("[{path}]"), key.summary.to_owned(), keys)),
                Shape::List(Shape::Table(keys)) => tables.push((format!("[[{path}]]"), key.summary.to_owned(), keys)),
                _ => {}
            }
        }
    }
    text
}

fn inner(table: &str, key: &str) -> String {
    let table = table.trim_matches(['[', ']']);
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

fn takes(shape: &Shape, path: &str) -> String {
    match shape {
        Shape::Text(rule) => marked(rule.expected),
        Shape::Word(words) => words().into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Shape::Truth => "true or false".to_owned(),
        Shape::Number(from, to) => format!("a whole number from {from} to {to}"),
        Shape::List(Shape::Table(_)) => format!("tables, `[[{path}]]`"),
        Shape::List(member) => format!("a list: {}", takes(member, path)),
        Shape::OneOrMany(member) => format!("one or a list: {}", takes(member, path)),
        Shape::Table(_) => format!("a table, `[{path}]`"),
        Shape::Values(names) => {
            let names = names().into_iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            format!("a table of {names}")
        }
        Shape::Map(rule, member) => format!("a table; each key {}, each value {}", rule.expected, takes(member, path)),
    }
}

fn marked(text: &str) -> String {
    text.replace('|', "\\|").replace('*', "\\*").replace('<', "\\<")
}
