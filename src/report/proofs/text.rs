//! A table for people: what was seen, and what the checks had said.

use super::{DISAGREES, REPORT, Standing, Trial, word};
use crate::report::text::paint::{Colour, Page};
use crate::report::{Format, Style, Verbosity, escape};

pub(super) const FORMAT: Format<Trial> = Format { name: "text", summary: "for people", write, is_appended: false };

/// The columns before the evidence.
const HEAD: [&str; 4] = ["proof", "decides", "verdict", ""];

fn write(trial: &Trial, style: Style) -> String {
    let mut page = Page::new(style);
    if style.verbosity != Verbosity::Quiet {
        page.line(&escape(&trial.path));
        if let Some(machine) = &trial.machine {
            page.line(&escape(machine));
        }
        let phases: Vec<String> =
            trial.phases.iter().map(|phase| format!("{} {}", phase.name, seconds(phase.millis))).collect();
        if !phases.is_empty() {
            page.line(&phases.join(" · "));
        }
        for remark in &trial.remarks {
            page.folded("note: ", &escape(remark));
        }
        page.line("");
        if !trial.proofs.is_empty() {
            write_table(&mut page, trial, style.verbosity);
        }
        write_disagreements(&mut page, trial);
    }
    page.line(&trial.closing());
    page.finish()
}

/// Milliseconds for people: tenths up to ten seconds.
pub fn seconds(millis: u64) -> String {
    if millis < 10_000 {
        format!("{}.{} s", millis / 1000, millis % 1000 / 100)
    } else {
        format!("{} s", millis / 1000)
    }
}

fn write_table(page: &mut Page, trial: &Trial, verbosity: Verbosity) {
    let is_all = verbosity == Verbosity::Verbose;
    let mut rows: Vec<([String; 4], Option<Standing>, String)> = vec![(HEAD.map(str::to_owned), None, String::new())];
    for proof in &trial.proofs {
        let mut decides = proof.decides.iter();
        // The verdict that is most worth seeing; the first of equals.
        let first = proof.decides.iter().rev().max_by_key(|(_, verdict)| *verdict);
        let more = proof.decides.len().saturating_sub(1);
        let name = match (first, more) {
            (None, _) => "–".to_owned(),
            (Some(_), _) if is_all => decides.next().map(|(check, _)| (*check).to_owned()).unwrap_or_default(),
            (Some((check, _)), 0) => (*check).to_owned(),
            (Some((check, _)), more) => format!("{check} +{more}"),
        };
        let verdict = if is_all { proof.decides.first() } else { first }.map_or("–", |(_, verdict)| word(*verdict));
        let cells = [proof.id.to_owned(), name, verdict.to_owned(), proof.standing.word().to_owned()];
        rows.push((cells, Some(proof.standing), escape(&proof.evidence)));
        for (check, verdict) in decides.filter(|_| is_all) {
            let cells = [String::new(), (*check).to_owned(), word(*verdict).to_owned(), String::new()];
            rows.push((cells, None, String::new()));
        }
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|(cells, ..)| cells.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2), width(3)];
    for ([id, decides, verdict, standing], colour, evidence) in &rows {
        let [w0, w1, w2, w3] = widths;
        let standing = format!("{standing:w3$}");
        let standing = colour.map_or_else(|| standing.clone(), |colour| page.painted(painted(colour), &standing));
        // The folding is counted by what is seen: colours have no width.
        let head = format!("  {id:w0$}  {decides:w1$}  {verdict:w2$}  {standing}  ");
        if evidence.is_empty() { page.line(&head) } else { page.line(&format!("{head}{evidence}")) }
    }
    page.line("");
}

fn painted(standing: Standing) -> Colour {
    match standing {
        Standing::Proved => Colour::Green,
        Standing::Disproved => Colour::Red,
        Standing::Inconclusive => Colour::Yellow,
        Standing::NotApplicable => Colour::Blue,
    }
}

fn write_disagreements(page: &mut Page, trial: &Trial) {
    for disagreement in &trial.disagreements {
        let head = page.painted(Colour::Red, &format!("error[{DISAGREES}]"));
        page.line(&format!("{head}: {}", disagreement.title()));
        page.folded("   |  ", &escape(&disagreement.evidence));
        page.folded("   = fix: ", REPORT);
        page.line("");
    }
}
