//! What the guest writes to its serial console → how far it came, and the line at which it failed.

mod marks;
mod text;

pub use marks::{MARKS, Mark, Meaning, Phase};

use crate::error::{Error, Result};
use marks::NO_DISK;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use text::Lines;

/// Bytes that a guest may write: a boot to the login prompt has 80 KB, with systemd's debug log 3 MB.
const MAX_CONSOLE: u64 = 64 * 1024 * 1024;
/// Hits that are kept; a guest in a reset loop makes ten a round.
const MAX_HITS: usize = 1000;
/// Lines kept for the report of a boot that stopped without a mark.
const TAIL: usize = 20;
/// From the kernel's start of the initrd to its first disk: 15 s was the longest seen, under the translator.
const DISK_PATIENCE: Duration = Duration::from_secs(45);

/// A line that one of [`MARKS`] is on.
#[derive(Clone, Debug)]
pub struct Hit {
    /// What it is on.
    pub mark: &'static Mark,
    /// The line, plain text of the guest: for a terminal it takes `report::escape`.
    pub line: String,
    /// When it was read, since the machine was started.
    pub at: Duration,
}

/// A console that is being written.
#[derive(Debug)]
pub struct Console {
    path: PathBuf,
    file: Option<File>,
    read: u64,
    lines: Lines,
    phase: Option<Phase>,
    /// Lines of this boot that each mark was on.
    counts: [u32; MARKS.len()],
    hits: Vec<Hit>,
    tail: VecDeque<String>,
    /// Since when a disk is awaited, and the line that said so.
    awaiting: Option<(Duration, String)>,
}

impl Console {
    /// The console that QEMU writes, or will write, to this file.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            read: 0,
            lines: Lines::default(),
            phase: None,
            counts: [0; MARKS.len()],
            hits: Vec::new(),
            tail: VecDeque::new(),
            awaiting: None,
        }
    }

    /// Reads what is new; `now` is the time since the machine was started. Gives the new hits.
    ///
    /// # Errors
    /// When the file cannot be read, or the guest writes without end.
    pub fn poll(&mut self, now: Duration) -> Result<&[Hit]> {
        let before = self.hits.len();
        let mut part = vec![0; 64 * 1024];
        loop {
            let count = self.read(&mut part)?;
            let Some(bytes) = part.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            self.take(bytes, now);
        }
        self.look_for_disk(now);
        Ok(self.hits.get(before..).unwrap_or_default())
    }

    fn read(&mut self, part: &mut [u8]) -> Result<usize> {
        let failed =
            |path: &Path, error: std::io::Error| Error::io("serial console", error).at(path.display().to_string());
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(failed(&self.path, error)),
            };
        }
        let Some(file) = &mut self.file else { return Ok(0) };
        let count = file.read(part).map_err(|error| failed(&self.path, error))?;
        self.read = self.read.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        if self.read > MAX_CONSOLE {
            let found = format!("the guest wrote more than {} MiB", MAX_CONSOLE >> 20);
            return Err(Error::too_large("serial console", found));
        }
        Ok(count)
    }

    /// Looks at what the guest wrote at `now`.
    fn take(&mut self, bytes: &[u8], now: Duration) {
        for line in self.lines.take(bytes) {
            self.mark(&line, now, true);
            if self.tail.len() >= TAIL {
                self.tail.pop_front();
            }
            self.tail.push_back(line);
        }
        if let Some(rest) = self.lines.rest() {
            self.mark(&rest, now, false);
        }
    }

    /// Puts down the first mark that is on the line, each once in a boot. Half a line may become anything: only a prompt
    /// is looked for in it.
    fn mark(&mut self, line: &str, now: Duration, is_whole: bool) {
        let mut marks = MARKS.iter().zip(&mut self.counts).filter(|(mark, _)| is_whole || mark.is_prompt);
        let Some((mark, count)) = marks.find(|(mark, _)| mark.is_on(line, self.phase)) else { return };
        *count = count.saturating_add(1);
        let is_due = *count == mark.times;
        if let Meaning::Phase(phase) = mark.meaning {
            if self.phase == Some(phase) {
                return;
            }
            if self.phase > Some(phase) {
                self.counts.fill(0);
            }
            self.phase = Some(phase);
            self.awaiting = (phase == Phase::Initrd).then(|| (now, line.to_owned()));
        }
        if mark.meaning == Meaning::Disk {
            self.awaiting = None;
        }
        // A phase is told as often as it is come to.
        if is_due || matches!(mark.meaning, Meaning::Phase(_)) {
            self.hit(mark, line.to_owned(), now);
        }
    }

    fn hit(&mut self, mark: &'static Mark, line: String, at: Duration) {
        if self.hits.len() < MAX_HITS {
            self.hits.push(Hit { mark, line, at });
        }
    }

    fn look_for_disk(&mut self, now: Duration) {
        let is_overdue = |since: &Duration| now.saturating_sub(*since) > DISK_PATIENCE;
        if let Some((_, line)) = self.awaiting.take_if(|(since, _)| is_overdue(since)) {
            self.hit(&NO_DISK, line, now);
        }
    }

    /// The first line that says that this boot failed.
    pub fn failure(&self) -> Option<&Hit> {
        self.first(Meaning::Failure)
    }

    /// The first line that says that something failed that is not the image's own: a guest's oops under the translator.
    pub fn foreign(&self) -> Option<&Hit> {
        self.first(Meaning::Foreign)
    }

    /// Signs that it will fail, oldest first: what the failure's line is explained by.
    pub fn signs(&self) -> impl Iterator<Item = &Hit> {
        self.hits.iter().filter(|hit| hit.mark.meaning == Meaning::Sign)
    }

    fn first(&self, meaning: Meaning) -> Option<&Hit> {
        self.hits.iter().find(|hit| hit.mark.meaning == meaning)
    }

    /// Every hit so far.
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// How far the guest has come; a reset starts from the front.
    pub fn phase(&self) -> Option<Phase> {
        self.phase
    }

    /// The last lines, plain text of the guest.
    pub fn tail(&self) -> impl Iterator<Item = &str> {
        self.tail.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests;
