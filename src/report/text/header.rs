//! The head of a report: what the image is, and where each kernel finds its modules.

use super::ignored;
use super::paint::{Colour, Page};
use crate::guest::{Guest, Image};
use crate::report::{escape, human};
use crate::verdict::profile::Severity;
use crate::verdict::{BootTable, Report, Word};

pub(super) fn write(page: &mut Page, report: &Report) {
    let parts: Vec<String> = report.guest.iter().flat_map(parts).collect();
    page.line(&format!("{}  {}", escape(&report.path), parts.join(" · ")));
    write_table(page, &report.table);
    write_counts(page, report);
}

/// Operating system · image · disk, as far as each is known.
fn parts(guest: &Guest) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(os) = guest.os.known() {
        let name = os.pretty_name.as_deref().unwrap_or(&os.id);
        let architecture = os.architecture.known().map_or("", String::as_str);
        parts.push(escape(format!("{name} {architecture}").trim_end()));
    }
    parts.extend(guest.image.known().map(image_part));
    let scheme = guest.partition_table.known().and_then(Option::as_ref).map(|table| table.scheme.to_uppercase());
    let volumes = guest.volumes.known().map(|volumes| volumes.items.as_slice()).unwrap_or_default();
    let root = guest.root.known().and_then(|root| volumes.iter().find(|volume| Some(volume.number) == root.volume));
    let root = root.and_then(|volume| volume.filesystem.known()?.as_ref()).map(|root| format!("{} root", root.kind));
    let disk: Vec<String> = [scheme, root, firmware(guest)].into_iter().flatten().collect();
    if !disk.is_empty() {
        parts.push(escape(&disk.join(", ")));
    }
    parts
}

fn image_part(image: &Image) -> String {
    let features = image.features.known().map(|features| features.join(" ")).unwrap_or_default();
    let size = image.virtual_size.known().copied().flatten().map(|size| format!(", {} virtual", human(size)));
    escape(&format!("{}{}", format!("{} {features}", image.format).trim_end(), size.unwrap_or_default()))
}

/// `bios+uefi`: every firmware that reaches an entry.
fn firmware(guest: &Guest) -> Option<String> {
    let entries = guest.boot_entries.known()?;
    let mut names: Vec<&String> = entries.items.iter().filter_map(|entry| entry.firmware.known()).flatten().collect();
    names.sort();
    names.dedup();
    (!names.is_empty()).then(|| names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join("+"))
}

fn write_table(page: &mut Page, table: &BootTable) {
    if table.rows.is_empty() {
        return;
    }
    let star = |is_default| if is_default { " ★" } else { "" };
    let mut lines = vec![vec!["boot entry".to_owned()]];
    if let Some(head) = lines.first_mut() {
        head.extend(table.columns.iter().map(|column| (*column).to_owned()));
    }
    for row in &table.rows {
        let mut line = vec![format!("{}{}", escape(&row.name), star(row.is_default))];
        line.extend(row.cells.iter().map(|cell| escape(cell)));
        lines.push(line);
    }
    let length =
        |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..=table.columns.len()).map(|column| length(column).unwrap_or(0)).collect();
    page.line("");
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        page.line(&format!("  {}", cells.collect::<Vec<_>>().join("  ")));
    }
}

fn write_counts(page: &mut Page, report: &Report) {
    let count = |severity, word| report.checks.iter().filter(|f| f.severity == severity && f.verdict == word).count();
    let summary = report.summary();
    let notes = count(Severity::Note, Word::Fail);
    let plural = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let parts = [
        (count(Severity::Error, Word::Fail), Colour::Red, "✗", "error"),
        (summary.unknown, Colour::Magenta, "?", "unknown"),
        (summary.pass, Colour::Green, "✓", "check"),
        (count(Severity::Warning, Word::Fail), Colour::Yellow, "!", "warning"),
        (summary.not_applicable, Colour::Blue, "–", "not applicable"),
    ];
    let mut texts = Vec::new();
    for (count, colour, sign, word) in parts.into_iter().filter(|(count, ..)| *count > 0) {
        let text = match word {
            "check" => format!("{} passed", plural(count, word)),
            "error" | "warning" => plural(count, word),
            _ => format!("{count} {word}"),
        };
        texts.push(format!("{} {text}", page.painted(colour, sign)));
    }
    let told = (notes > 0).then(|| plural(notes, "note"));
    let told: Vec<String> = told.into_iter().chain(ignored::count(report)).collect();
    if !told.is_empty() {
        texts.push(format!("({}: -v)", told.join(", ")));
    }
    page.line("");
    page.line(&format!("  {}", texts.join("   ")));
}
