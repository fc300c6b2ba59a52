//! Version predicates: `>=1.5,<2`, `oslo_utils.versionutils.VersionPredicate` over versions of PEP 440.

use super::python;

/// Whether every part is a comparison with a version.
pub(super) fn is_predicate(text: &str) -> bool {
    text.split(',').all(|part| {
        let part = python::strip(part);
        let comparison = ["<=", ">=", "!=", "==", "<", ">"].iter().find_map(|sign| part.strip_prefix(sign));
        comparison.is_some_and(|version| is_version(python::strip(version)))
    })
}

/// PEP 440, appendix B, the regular expression.
fn is_version(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let rest = lower.strip_prefix('v').unwrap_or(&lower);
    let rest = epoch(rest).unwrap_or(rest);
    release(rest).map(pre).map(post).map(dev).is_some_and(is_local)
}

/// What follows the digits at the start; `None` where there are none.
fn digits(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < text.len()).then_some(rest)
}

fn epoch(text: &str) -> Option<&str> {
    digits(text)?.strip_prefix('!')
}

fn release(text: &str) -> Option<&str> {
    let mut rest = digits(text)?;
    while let Some(next) = rest.strip_prefix('.').and_then(digits) {
        rest = next;
    }
    Some(rest)
}

fn separator(text: &str) -> &str {
    text.strip_prefix(['.', '_', '-']).unwrap_or(text)
}

/// A word with an optional number, each after an optional separator.
fn worded<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    let rest = words.iter().find_map(|word| separator(text).strip_prefix(word))?;
    let rest = separator(rest);
    Some(digits(rest).unwrap_or(rest))
}

fn pre(text: &str) -> &str {
    worded(text, &["alpha", "a", "beta", "b", "preview", "pre", "c", "rc"]).unwrap_or(text)
}

fn post(text: &str) -> &str {
    let bare = text.strip_prefix('-').and_then(digits);
    bare.or_else(|| worded(text, &["post", "rev", "r"])).unwrap_or(text)
}

fn dev(text: &str) -> &str {
    worded(text, &["dev"]).unwrap_or(text)
}

/// `+ubuntu.1`, or nothing.
fn is_local(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.is_empty() || text.strip_prefix('+').is_some_and(|local| local.split(['.', '_', '-']).all(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicates() {
        for text in
            [">=1.5", "<2,>=1", " == 1.0 ", "!=v1.0rc1", ">1!2.3.post4.dev5+local.7", "<1-2", ">= 2.0a", "<1.0_beta-2"]
        {
            assert!(is_predicate(text), "{text}");
        }
        for text in ["", "1.5", ">=", ">= 1.5,", "=1.5", ">=1.5 2", "~=1.5", ">1..2", ">1.x", ">1+", "<==1", ">v"] {
            assert!(!is_predicate(text), "{text}");
        }
    }
}
