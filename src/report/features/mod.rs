//! Features against images → text: a table of sides, then what is missing and what to do.

mod json;

use super::text::paint::{Colour, Page};
use super::{Format, Reported, Style, Verbosity, escape};
use crate::verdict::feature::{ImageState, Missing, NovaOption, PropertyState, Role, Standing, State};
use crate::verdict::{Report, Word};

/// What is said of one image.
#[derive(Debug)]
pub struct Sheet {
    /// The image, its result and why it could not be inspected.
    pub report: Report,
    /// Every feature; empty where the image could not be inspected.
    pub states: Vec<State>,
}

impl Reported for [Sheet] {
    const FORMATS: &'static [Format<Self>] =
        &[Format { name: "text", summary: "for people", write, is_appended: false }, json::FORMAT];
}

fn write(sheets: &[Sheet], style: Style) -> String {
    let mut page = Page::new(style);
    for sheet in sheets.iter().filter(|sheet| sheet.report.error.is_none()) {
        if style.verbosity != Verbosity::Quiet {
            write_head(&mut page, sheet);
            write_tables(&mut page, sheet, style);
            write_missing(&mut page, sheet, style.verbosity);
        }
        write_closing(&mut page, sheet);
    }
    page.finish()
}

fn write_head(page: &mut Page, sheet: &Sheet) {
    let os = sheet.report.guest.as_ref().and_then(|guest| guest.os.known());
    let title = os.and_then(|os| os.pretty_name.as_deref()).map(|name| format!("  {}", escape(name)));
    page.line(&format!("{}{}", escape(&sheet.report.path), title.unwrap_or_default()));
    page.line("");
}

/// A row of cells, each of one or more lines.
type Row = Vec<Vec<String>>;

/// One table, or two where the terminal is too narrow: the image's sides, and the cloud's.
fn write_tables(page: &mut Page, sheet: &Sheet, style: Style) {
    let head = ["feature", "image", "property", "flavor", "nova.conf"];
    let mut rows: Vec<Row> = vec![head.iter().map(|cell| vec![(*cell).to_owned()]).collect()];
    rows.extend(sheet.states.iter().map(|state| row(state, style.verbosity)));
    let needed = widths(&rows).iter().map(|width| width.saturating_add(GAP.len())).sum::<usize>();
    if style.width.is_none_or(|width| needed <= width.saturating_add(GAP.len())) {
        return write_table(page, &rows);
    }
    let apart = |columns: &[usize]| -> Vec<Row> {
        let pick = |row: &Row| columns.iter().filter_map(|column| row.get(*column).cloned()).collect();
        rows.iter().map(pick).collect()
    };
    write_table(page, &apart(&[0, 1, 2]));
    page.line("");
    let mut cloud = apart(&[0, 3, 4]);
    cloud.retain(|row| row.iter().skip(1).any(|cell| cell.iter().any(|line| line != NOTHING)));
    write_table(page, &cloud);
}

const GAP: &str = "  ";
const NOTHING: &str = "–";

fn widths(rows: &[Row]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).flatten();
        cells.map(|line| line.chars().count()).max().unwrap_or(0)
    };
    (0..columns).map(width).collect()
}

fn write_table(page: &mut Page, rows: &[Row]) {
    let widths = widths(rows);
    for row in rows {
        for line in 0..row.iter().map(Vec::len).max().unwrap_or(0) {
            let cell = |cell: &Vec<String>| cell.get(line).cloned().unwrap_or_default();
            let cells = row.iter().zip(&widths).map(|(lines, width)| format!("{:width$}", cell(lines)));
            page.line(&cells.collect::<Vec<_>>().join(GAP));
        }
    }
}

fn row(state: &State, verbosity: Verbosity) -> Row {
    let is_all = verbosity == Verbosity::Verbose;
    let mut choices = state.properties.iter().filter(|property| property.role == Role::Choice);
    let first_choice = choices.next().map(|property| property.key);
    let is_shown = |property: &&PropertyState| match property.role {
        Role::Earned | Role::Proof => true,
        Role::Helps | Role::Instead => is_all,
        Role::Choice => is_all || first_choice == Some(property.key),
    };
    let properties = state.properties.iter().filter(is_shown).map(property).collect();
    let specs = state.feature.flavor.iter().map(|spec| format!("{}={}", spec.key, spec.value)).collect();
    let options = state.feature.nova.iter();
    let spelled = |option: &NovaOption| {
        let value = if is_all { format!(" = {}", option.value) } else { String::new() };
        option.full_name() + &value
    };
    let options = options.map(spelled).collect();
    vec![
        vec![state.feature.name.to_owned()],
        vec![word(state.image).to_owned()],
        cell(properties, true),
        cell(specs, is_all),
        cell(options, is_all),
    ]
}

/// All lines, or the first with how many there are besides.
fn cell(mut lines: Vec<String>, is_all: bool) -> Vec<String> {
    let more = lines.len().saturating_sub(1);
    match lines.first_mut() {
        None => return vec![NOTHING.to_owned()],
        Some(first) if !is_all && more > 0 => {
            *first = format!("{first} +{more}");
            lines.truncate(1);
        }
        Some(_) => {}
    }
    lines
}

fn property(state: &PropertyState) -> String {
    format!("{} {}", named(state), standing(state.standing))
}

fn named(state: &PropertyState) -> String {
    state.value.as_ref().map_or(state.key.to_owned(), |value| format!("{}={}", state.key, escape(value)))
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Set => "set",
        Standing::Earned => "earned (--with)",
        Standing::Withheld => "withheld",
        Standing::Unknown => "unknown",
        Standing::Choice => "(optional)",
    }
}

fn word(image: ImageState) -> &'static str {
    match image {
        ImageState::Ready => "ready",
        ImageState::Missing => "no",
        ImageState::Unknown => "unknown",
        ImageState::Unjudged => "not checked",
        ImageState::Free => "any will do",
    }
}

/// What is missing, each check once, with the features that it costs.
fn write_missing(page: &mut Page, sheet: &Sheet, verbosity: Verbosity) {
    let mut told: Vec<(&Missing, Vec<&str>)> = Vec::new();
    for state in &sheet.states {
        for missing in &state.missing {
            match told.iter_mut().find(|(known, _)| known.id == missing.id) {
                Some((_, features)) => features.push(state.feature.name),
                None => told.push((missing, vec![state.feature.name])),
            }
        }
    }
    for (missing, features) in told {
        let (label, colour, next) = match missing.word {
            Word::Unknown => ("unknown", Colour::Magenta, "next"),
            _ => ("no", Colour::Red, "fix"),
        };
        let head = page.painted(colour, &format!("{label}[{}]", missing.id));
        page.line("");
        page.line(&format!("{head} {}: {}", features.join(", "), escape(&missing.title)));
        page.folded("   |  ", &escape(&missing.reason));
        for fix in missing.fix.split('\n').filter(|fix| !fix.is_empty()) {
            page.folded(&format!("   = {next}: "), &escape(fix));
        }
    }
    if verbosity == Verbosity::Verbose {
        write_reasons(page, sheet);
    }
    page.line("");
}

/// Why properties that a feature can do without are not there, and what every image must bring.
fn write_reasons(page: &mut Page, sheet: &Sheet) {
    for state in sheet.states.iter().filter(|state| state.image == ImageState::Unjudged) {
        page.line("");
        page.folded(&format!("{}: ", state.feature.name), state.feature.image);
    }
    let open = |property: &&PropertyState| matches!(property.standing, Standing::Withheld | Standing::Unknown);
    let mut told: Vec<&PropertyState> = Vec::new();
    for property in sheet.states.iter().flat_map(|state| &state.properties).filter(open) {
        if !told.contains(&property) {
            told.push(property);
            let check = property.check.map(|check| format!("{check}: ")).unwrap_or_default();
            let head = format!("{} {}: ", named(property), standing(property.standing));
            page.line("");
            page.folded(&head, &format!("{check}{}", escape(&property.reason)));
        }
    }
}

fn write_closing(page: &mut Page, sheet: &Sheet) {
    let names = |image: ImageState| -> Vec<&str> {
        sheet.states.iter().filter(|state| state.image == image).map(|state| state.feature.name).collect()
    };
    let (ready, missing, unknown) = (names(ImageState::Ready), names(ImageState::Missing), names(ImageState::Unknown));
    let judged = [&ready, &missing, &unknown].iter().map(|names| names.len()).sum::<usize>();
    let mut parts = vec![format!("{}: ready for {} of {judged} features", escape(&sheet.report.path), ready.len())];
    for (label, names) in [("no", missing), ("unknown", unknown)] {
        if !names.is_empty() {
            parts.push(format!("{label}: {}", names.join(", ")));
        }
    }
    page.line(&parts.join(" · "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_say_what_they_leave_out() {
        let lines = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
        for (all, given, expected) in [
            (false, &[][..], &["–"][..]),
            (false, &["a"], &["a"]),
            (false, &["a", "b", "c"], &["a +2"]),
            (true, &["a", "b"], &["a", "b"]),
        ] {
            assert_eq!(cell(lines(given), all), lines(expected), "{given:?}");
        }
    }

    #[test]
    fn cells_of_several_lines_keep_their_columns() {
        let rows = vec![
            vec![vec!["feature".to_owned()], vec!["x".to_owned()], vec!["y".to_owned()]],
            vec![vec!["a".to_owned()], vec!["1".to_owned(), "22".to_owned()], vec!["–".to_owned()]],
        ];
        let mut page = Page::new(Style::default());
        write_table(&mut page, &rows);
        assert_eq!(page.finish(), "feature  x   y\na        1   –\n         22\n");
    }
}
