//! What the JSON reports have in common.

use crate::error::{Error, ErrorKind};
use crate::manifest::ascii_json;
use serde::Serialize;

/// Why there is no result.
#[derive(Serialize)]
pub(super) struct JsonError<'a> {
    kind: ErrorKind,
    what: &'a str,
    path: Option<&'a str>,
    cause: Option<&'a str>,
    help: Option<&'a str>,
}

impl<'a> From<&'a Error> for JsonError<'a> {
    fn from(error: &'a Error) -> Self {
        Self {
            kind: error.kind,
            what: &error.what,
            path: error.path.as_deref(),
            cause: error.cause.as_deref(),
            help: error.help.as_deref(),
        }
    }
}

/// One object for one of them, an array in order for several.
pub(super) fn one_or_all<T: Serialize>(shapes: &[T]) -> String {
    match shapes {
        [one] => pretty(one),
        all => pretty(all),
    }
}

/// A document in ASCII, with a line feed at its end.
pub(super) fn pretty<T: Serialize + ?Sized>(shape: &T) -> String {
    // Strings, numbers and maps with string keys: nothing in these shapes can fail to serialise.
    quiet(&serde_json::to_string_pretty(shape).unwrap_or_default()) + "\n"
}

/// ASCII, and no `##[command]` in the log of a job ([`super::escape`]): two of them stand next to each other only within
/// strings.
pub(super) fn quiet(json: &str) -> String {
    ascii_json(json).replace("##", "#\\u0023")
}
