//! Not a check of facts: what pipelines call an image of which there are none.

use super::Check;

/// Under this id an image that could not be inspected stands in reports that know only findings.
pub const INSPECTED: Check = Check {
    id: "image-inspected",
    summary: "the image can be inspected",
    broken: "the image could not be inspected",
    why: "Nothing is known of the image, so nothing of it passes.",
    detects: "By the reader: the file cannot be opened, is no image that this version reads, is an overlay, or a limit was \
              reached. The message says which.",
    fix: "Name the image itself, whole and readable; `bootworthy check IMAGE` says what is in the way.",
    family_fixes: &[],
    source: "the exit codes of bootworthy: 3",
    reads: &[],
    run: |_, _| {},
};
