//! `bootworthy.features/1`: one object for one image, an array in order for several.

use super::Sheet;
use crate::report::json_parts::{JsonError, one_or_all};
use crate::report::{Format, Style};
use crate::verdict::Outcome;
use crate::verdict::Word;
use crate::verdict::feature::{ImageState, NovaOption, PropertyState, Standing, State};
use serde::Serialize;

pub(super) const FORMAT: Format<[Sheet]> =
    Format { name: "json", summary: "bootworthy.features/1, for programs", write, is_appended: false };

#[derive(Serialize)]
struct JsonSheet<'a> {
    schema: &'static str,
    image: JsonImage<'a>,
    profile: &'a str,
    result: Outcome,
    error: Option<JsonError<'a>>,
    features: Vec<JsonFeature<'a>>,
}

#[derive(Serialize)]
struct JsonImage<'a> {
    path: &'a str,
}

#[derive(Serialize)]
struct JsonFeature<'a> {
    name: &'a str,
    summary: &'a str,
    /// The image side: `ready`, `missing`, `unknown`, `not-checked` (no check looks at it) or `n/a` (every image will do).
    image: &'static str,
    /// What the image must have, for people.
    needs: &'a str,
    /// The checks that decide.
    checks: &'a [&'a str],
    /// What keeps the image from being ready.
    missing: Vec<JsonMissing<'a>>,
    properties: Vec<JsonProperty<'a>>,
    flavor: Vec<JsonSpec<'a>>,
    nova: Vec<JsonOption<'a>>,
    node: &'a [&'a str],
}

#[derive(Serialize)]
struct JsonMissing<'a> {
    id: &'a str,
    verdict: Word,
    title: &'a str,
    reason: &'a str,
    fix: &'a str,
}

#[derive(Serialize)]
struct JsonProperty<'a> {
    key: &'a str,
    value: Option<&'a str>,
    /// `set`, `earned` (set when `--with` asks for it), `withheld`, `unknown` or `optional` (the cloud's choice).
    state: &'static str,
    check: Option<&'a str>,
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonSpec<'a> {
    key: &'a str,
    value: &'a str,
    effect: &'a str,
}

#[derive(Serialize)]
struct JsonOption<'a> {
    section: &'a str,
    option: &'a str,
    value: &'a str,
    services: &'a [&'a str],
    since: Option<String>,
    effect: &'a str,
    formerly: Vec<JsonFormer<'a>>,
}

#[derive(Serialize)]
struct JsonFormer<'a> {
    option: &'a str,
    changed: String,
    gone: Option<String>,
    note: &'a str,
}

fn write(sheets: &[Sheet], _: Style) -> String {
    let shapes: Vec<JsonSheet<'_>> = sheets.iter().map(shape).collect();
    one_or_all(&shapes)
}

fn shape(sheet: &Sheet) -> JsonSheet<'_> {
    JsonSheet {
        schema: "bootworthy.features/1",
        image: JsonImage { path: &sheet.report.path },
        profile: sheet.report.profile,
        result: sheet.report.result,
        error: sheet.report.error.as_ref().map(JsonError::from),
        features: sheet.states.iter().map(feature).collect(),
    }
}

fn feature(state: &State) -> JsonFeature<'_> {
    let feature = state.feature;
    let missing = state.missing.iter().map(|missing| JsonMissing {
        id: missing.id,
        verdict: missing.word,
        title: &missing.title,
        reason: &missing.reason,
        fix: &missing.fix,
    });
    let flavor = feature.flavor.iter();
    JsonFeature {
        name: feature.name,
        summary: feature.summary,
        image: word(state.image),
        needs: feature.image,
        checks: feature.needs,
        missing: missing.collect(),
        properties: state.properties.iter().map(property).collect(),
        flavor: flavor.map(|spec| JsonSpec { key: spec.key, value: spec.value, effect: spec.effect }).collect(),
        nova: feature.nova.iter().map(option).collect(),
        node: feature.node,
    }
}

fn word(image: ImageState) -> &'static str {
    match image {
        ImageState::Ready => "ready",
        ImageState::Missing => "missing",
        ImageState::Unknown => "unknown",
        ImageState::Unjudged => "not-checked",
        ImageState::Free => "n/a",
    }
}

fn property(state: &PropertyState) -> JsonProperty<'_> {
    let word = match state.standing {
        Standing::Set => "set",
        Standing::Earned => "earned",
        Standing::Withheld => "withheld",
        Standing::Unknown => "unknown",
        Standing::Choice => "optional",
    };
    let reason = Some(state.reason.as_str()).filter(|reason| !reason.is_empty());
    JsonProperty { key: state.key, value: state.value.as_deref(), state: word, check: state.check, reason }
}

fn option(option: &'static NovaOption) -> JsonOption<'static> {
    let former = option.formerly.iter().map(|former| JsonFormer {
        option: former.option,
        changed: former.changed.to_string(),
        gone: former.gone.map(|release| release.to_string()),
        note: former.note,
    });
    JsonOption {
        section: option.section,
        option: option.name,
        value: option.value,
        services: option.services,
        since: option.since.map(|release| release.to_string()),
        effect: option.effect,
        formerly: former.collect(),
    }
}
