//! `bootworthy.boot/1`: one object for the boot of one image.

use super::{Standing, Trial};
use crate::report::json_parts::{JsonError, pretty};
use crate::report::{Format, Style};
use crate::verdict::{Outcome, Word};
use serde::Serialize;

pub(super) const FORMAT: Format<Trial> =
    Format { name: "json", summary: "bootworthy.boot/1, for programs", write, is_appended: false };

#[derive(Serialize)]
struct JsonTrial<'a> {
    schema: &'static str,
    image: JsonImage<'a>,
    /// The machine in one line; null where none was started.
    machine: Option<&'a str>,
    remarks: &'a [String],
    /// unfit: something was disproved, or a check disagrees; unknown: something promised could not be decided.
    result: Outcome,
    phases: Vec<JsonPhase<'a>>,
    proofs: Vec<JsonProof<'a>>,
    disagreements: Vec<JsonDisagreement<'a>>,
    error: Option<JsonError<'a>>,
    summary: JsonSummary,
}

#[derive(Serialize)]
struct JsonImage<'a> {
    path: &'a str,
}

/// A step of the first start.
#[derive(Serialize)]
struct JsonPhase<'a> {
    name: &'a str,
    /// Since the machine was started.
    milliseconds: u64,
}

#[derive(Serialize)]
struct JsonProof<'a> {
    id: &'a str,
    summary: &'a str,
    /// The properties or the checks promise it.
    promised: bool,
    standing: Standing,
    /// How it was seen, or why not.
    evidence: &'a str,
    decides: Vec<JsonDecided<'a>>,
    milliseconds: u64,
}

/// A check that a proof decides.
#[derive(Serialize)]
struct JsonDecided<'a> {
    check: &'a str,
    verdict: Word,
}

/// A check that says the contrary of what was seen: a bug in it.
#[derive(Serialize)]
struct JsonDisagreement<'a> {
    check: &'a str,
    verdict: Word,
    proof: &'a str,
    standing: Standing,
    evidence: &'a str,
}

/// Proofs by what they came to.
#[derive(Serialize)]
struct JsonSummary {
    proved: usize,
    disproved: usize,
    inconclusive: usize,
    #[serde(rename = "n/a")]
    not_applicable: usize,
}

fn write(trial: &Trial, _: Style) -> String {
    let phase = |phase: &'_ super::Phase| JsonPhase { name: phase.name, milliseconds: phase.millis };
    let disagreements = trial.disagreements.iter().map(|found| JsonDisagreement {
        check: found.check,
        verdict: found.verdict,
        proof: found.proof,
        standing: found.standing,
        evidence: &found.evidence,
    });
    let shape = JsonTrial {
        schema: "bootworthy.boot/1",
        image: JsonImage { path: &trial.path },
        machine: trial.machine.as_deref(),
        remarks: &trial.remarks,
        result: trial.result,
        phases: trial.phases.iter().map(phase).collect(),
        proofs: trial.proofs.iter().map(proof).collect(),
        disagreements: disagreements.collect(),
        error: trial.error.as_ref().map(JsonError::from),
        summary: JsonSummary {
            proved: trial.count(Standing::Proved),
            disproved: trial.count(Standing::Disproved),
            inconclusive: trial.count(Standing::Inconclusive),
            not_applicable: trial.count(Standing::NotApplicable),
        },
    };
    // Strings and numbers: nothing in these structs can fail to serialise.
    pretty(&shape)
}

fn proof(proof: &super::Proof) -> JsonProof<'_> {
    let decided = |(check, verdict): &(&'static str, Word)| JsonDecided { check, verdict: *verdict };
    JsonProof {
        id: proof.id,
        summary: proof.summary,
        promised: proof.is_promised,
        standing: proof.standing,
        evidence: &proof.evidence,
        decides: proof.decides.iter().map(decided).collect(),
        milliseconds: proof.millis,
    }
}
