//! `bootworthy explain`: why a check, property or feature matters and how to mend it; what a proof shows.

use super::{Usage, print};
use crate::boot::proof::{self, Needs, PROOFS, Proof, Turn, UNDECIDED};
use crate::report::{NotKnown, Page, Part, list_checks, list_features, list_properties, list_rules, nearest, page};
use crate::verdict::check;
use std::process::ExitCode;

/// Tell why a check, property or feature matters and how to mend it, and what a proof shows
#[derive(Debug, clap::Args)]
#[command(before_help = "Example: bootworthy explain initrd-virtio-scsi")]
pub struct Args {
    /// Id of a check, rule or proof, key of a property or name of a feature; none lists them all
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

/// Prints the page of each id, or the list of all; an unknown one is answered with the nearest known.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.ids.is_empty() {
        print(&[list_checks(), list_proofs(), list_properties(), list_features(), list_rules()].join("\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let texts: Result<Vec<String>, Usage> = args.ids.iter().map(|id| text(id)).collect();
    print(&texts?.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn text(id: &str) -> Result<String, Usage> {
    if let Some(proof) = proof::find(id) {
        return Ok(proof_page(proof).text());
    }
    let mut page = page(id).map_err(|error| unknown(id, error))?;
    page.parts.extend(check::find(id).map(|check| proved_by(check.id)));
    Ok(page.text())
}

fn unknown(id: &str, error: NotKnown) -> Usage {
    let near = error.nearest.or_else(|| nearest(id, PROOFS.iter().map(|proof| proof.id)));
    let near = near.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    Usage(format!("there is no check, proof, property or feature {id:?}{near} (`bootworthy explain` lists them)"))
}

/// Every proof, and what it shows.
fn list_proofs() -> String {
    let width = PROOFS.iter().map(|proof| proof.id.len()).max().unwrap_or(0);
    let row = |proof: &Proof| format!("{:width$}  {}\n", proof.id, proof.summary);
    PROOFS.iter().map(row).collect()
}

fn proof_page(proof: &'static Proof) -> Page {
    let asked = match proof.needs {
        Needs::Nothing => "always",
        Needs::Agent => "where the machine has the agent's channel (hw_qemu_guest_agent)",
        Needs::Queues => "where the network card has several queues (hw_vif_multiqueue_enabled)",
        Needs::Watchdog => "where the machine has a watchdog that does something (hw_watchdog_action)",
    };
    let made = match proof.turn {
        Turn::Up => "while the guest is up",
        Turn::Down => "by shutting the guest down",
        Turn::Again => "at the guest's second start",
        Turn::Last => "last of all: it ends the guest",
    };
    let decided = |id: &&'static str| check::find(id).map(|check| (check.id.to_owned(), check.summary.to_owned()));
    let part = |head: &str, text: &str| Part { head: head.to_owned(), text: text.to_owned(), rows: Vec::new() };
    let mut parts = vec![part("asked for", asked), part("made", made)];
    if !proof.decides.is_empty() {
        let text = "where it is proved none of these checks may fail, where it is disproved one of them must";
        parts.push(Part { rows: proof.decides.iter().filter_map(decided).collect(), ..part("decides", text) });
    }
    parts.push(part("try it", &format!("bootworthy boot IMAGE --proof {}", proof.id)));
    Page { name: proof.id, summary: proof.summary, parts }
}

/// How a boot shows whether the check was right.
fn proved_by(check: &str) -> Part {
    let head = "proved by".to_owned();
    if let Some((_, why)) = UNDECIDED.iter().find(|(id, _)| *id == check) {
        return Part { head, text: format!("no boot; {why}"), rows: Vec::new() };
    }
    let proofs = PROOFS.iter().filter(|proof| proof.decides.contains(&check));
    let rows = proofs.map(|proof| (proof.id.to_owned(), proof.summary.to_owned())).collect();
    Part { head, text: String::new(), rows }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::check::CHECKS;

    #[test]
    fn every_proof_has_a_page_and_every_check_says_what_proves_it() {
        for proof in PROOFS {
            let text = text(proof.id).unwrap();
            assert!(text.starts_with(&format!("{}: {}\n\nasked for: ", proof.id, proof.summary)), "{text}");
            assert!(text.contains(&format!("bootworthy boot IMAGE --proof {}\n", proof.id)), "{text}");
            assert!(proof.decides.iter().all(|id| text.contains(&format!("\n  {id}: "))), "{text}");
        }
        for check in CHECKS {
            let text = text(check.id).unwrap();
            let (_, proved) = text.split_once("\nproved by:").unwrap();
            assert!(proved.contains(": ") || proved.contains("no boot; "), "{text}");
        }
    }

    #[test]
    fn names_near_a_proof_are_answered_with_it() {
        let told = text("shutdown-cleanly").unwrap_err().to_string();
        assert!(told.contains("did you mean shutdown-clean?"), "{told}");
    }
}
