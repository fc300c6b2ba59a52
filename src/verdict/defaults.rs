//! What the default boot entries say: words of their command lines, versions of their kernels.

use super::{View, boot};
use crate::fact::Gap;
use crate::guest::{Attempt, BootEntry};

/// A word of one command line, or that it lacks it.
#[derive(Debug)]
pub(super) struct Word<'a> {
    /// The entry.
    pub(super) entry: &'a BootEntry,
    /// The line of the kernel command.
    pub(super) line: u32,
    /// What stands behind `=` where the word last stands.
    pub(super) value: Option<String>,
}

/// `key` on each command line that a default entry gives; `None` keeps the gaps. `-` and `_` are alike in keys
/// (`proc_cmdline_key_streq` of systemd).
pub(super) fn values<'a>(view: &View<'a>, key: &str) -> Option<Vec<Word<'a>>> {
    let word = |(entry, attempt): (&'a BootEntry, &'a Attempt)| {
        let words = boot::words(view.need(&attempt.cmdline)?);
        let pairs = words.iter().map(|word| word.split_once('=').unwrap_or((word, "")));
        let value =
            pairs.filter(|(name, _)| name.replace('-', "_") == key).map(|(_, value)| value.to_owned()).next_back();
        Some(Word { entry, line: attempt.line, value })
    };
    attempts(view)?.into_iter().map(word).collect()
}

/// Versions of the kernels that default entries start, as (major, minor); `None` keeps the gaps.
pub(super) fn kernels(view: &View<'_>) -> Option<Vec<(u64, u64)>> {
    let version = |(entry, attempt)| {
        let start = boot::Start { view, entry, attempt, is_beside_initrd: true };
        let text = view.need(&start.kernel()?.version)?;
        let mut numbers = text.split(['.', '-', '+']).map(str::parse::<u64>);
        let version = numbers.next().and_then(Result::ok).zip(numbers.next().and_then(Result::ok));
        if version.is_none() {
            view.miss(Gap::at(attempt.kernel.clone(), format!("{text} is no version of Linux")));
        }
        version
    };
    attempts(view)?.into_iter().map(version).collect()
}

/// Attempts that are looked at; two firmware paths with three attempts each are six.
const MAX_ATTEMPTS: usize = 32;

fn attempts<'a>(view: &View<'a>) -> Option<Vec<(&'a BootEntry, &'a Attempt)>> {
    let mut found = Vec::new();
    for entry in view.all(view.boot_entries()?) {
        if *view.need(&entry.is_default)? {
            found.extend(view.all(view.need(&entry.attempts)?).iter().map(|attempt| (entry, attempt)));
        }
        if found.len() > MAX_ATTEMPTS {
            view.miss(Gap::new(format!("the default boot entries have more than {MAX_ATTEMPTS} attempts")));
            return None;
        }
    }
    Some(found)
}
