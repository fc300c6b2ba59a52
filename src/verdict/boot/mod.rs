//! Boot entries → one judgement: each attempt is judged by a rule, the first decides, and an image is as good as its
//! worst default.

mod cmdline;
mod initramfs;
mod refusal;
mod root;
mod shelf;
mod stops;
mod table;

pub use cmdline::{Cmdline, Detour, is_network_root, words};
pub use refusal::unword;
pub use root::{root_driver, root_filesystem, root_volume};
pub use shelf::{File, Missing, Place, Shelf, module_name, place_of};
pub use table::{BootRow, BootTable, boot_table};

use super::{EntryVerdict, Evidence, Judgement, Lookup, Tally, Verdict, View, Weight};
use crate::fact::Gap;
use crate::guest::{Attempt, BootEntry, Initrd, Kernel};
use std::collections::HashMap;

/// Boot entries judged that start differently; a Debian that kept twenty kernels has twenty.
pub(super) const MAX_STARTS: usize = 32;

/// Judges one kernel start into the tally; gaps that the view meets count as well.
pub type Rule = fn(&Start<'_, '_>, &mut Tally);

/// One kernel start of one boot entry, and the facts around it.
#[derive(Clone, Copy, Debug)]
pub struct Start<'v, 'a> {
    /// The check's window.
    pub view: &'v View<'a>,
    /// The entry.
    pub entry: &'a BootEntry,
    /// The attempt.
    pub attempt: &'a Attempt,
    /// Some attempt of the entry has an initrd, so that one without means to do without.
    pub is_beside_initrd: bool,
}

impl<'v, 'a> Start<'v, 'a> {
    /// Evidence that belongs to this entry.
    pub fn at(&self, path: impl Into<String>, found: impl Into<String>) -> Evidence {
        Evidence::at(path, found).entry(self.entry.id.clone())
    }

    /// Evidence at the kernel line of the boot loader's configuration.
    pub fn at_line(&self, found: impl Into<String>) -> Evidence {
        self.at(self.entry.config.clone(), found).line(self.attempt.line)
    }

    /// The command line, behind the one that is built into the kernel; `None` keeps the gap.
    pub fn cmdline(&self) -> Option<Cmdline> {
        let text = self.view.need(&self.attempt.cmdline)?;
        Some(Cmdline::parse(&format!("{} {text}", self.built_in_words()?)))
    }

    /// The kernel among the facts; `None` keeps the gap.
    pub fn kernel(&self) -> Option<&'a Kernel> {
        let path = &self.attempt.kernel;
        match self.view.find(self.view.kernels()?, |kernel| kernel.path == *path)? {
            Lookup::There(kernel) => Some(kernel),
            Lookup::Absent => {
                self.view.miss(Gap::at(path.clone(), "nothing was collected about this kernel"));
                None
            }
        }
    }

    /// The initrds among the facts, in order; `None` keeps the gaps.
    pub fn initrds(&self) -> Option<Vec<&'a Initrd>> {
        let paths = self.view.need(&self.attempt.initrds)?;
        if paths.is_empty() {
            return Some(Vec::new());
        }
        let listing = self.view.initrds()?;
        let find = |path: &String| match self.view.find(listing, |initrd| initrd.path == *path)? {
            Lookup::There(initrd) => Some(initrd),
            Lookup::Absent => {
                self.view.miss(Gap::at(path.clone(), "nothing was collected about this initrd"));
                None
            }
        };
        let found: Vec<Option<&Initrd>> = paths.iter().map(find).collect();
        found.into_iter().collect()
    }

    /// The initrds, if Linux unpacks all of them; faults otherwise. `None` keeps the gaps.
    pub fn archives(&self, tally: &mut Tally) -> Option<Vec<&'a Initrd>> {
        let initrds = match self.built_in() {
            Some(initramfs) => vec![initramfs],
            None => self.initrds()?,
        };
        if self.built_in().is_none() {
            self.doubt_initrds(&initrds);
        }
        let mut faults: Vec<Evidence> = initrds.iter().flat_map(|initrd| self.refusals(initrd)).collect();
        faults.extend(self.not_configured(&initrds));
        if faults.is_empty() {
            return Some(initrds);
        }
        for fault in faults {
            tally.fault(Weight::Full, fault);
        }
        None
    }

    /// Why the loader or Linux refuses an initrd; its gaps are kept.
    fn refusals(&self, initrd: &Initrd) -> Vec<Evidence> {
        let at = |found: String| self.at(initrd.path.clone(), found);
        if self.view.need(&initrd.exists) == Some(&false) {
            return vec![at("this initrd is named by the boot entry and is not in the image".to_owned())];
        }
        let mut faults = Vec::new();
        if let Some(flaws) = self.view.need(&initrd.flaws) {
            let fatal = self.view.all(flaws).iter().filter(|flaw| flaw.fatal);
            faults.extend(fatal.map(|flaw| at(format!("Linux refuses this initrd: {}", flaw.found))));
        }
        if let Some(segments) = self.view.need(&initrd.segments)
            && self.view.all(segments).is_empty()
            && segments.gaps.is_empty()
        {
            faults.push(at("this initrd holds no archive".to_owned()));
        }
        faults
    }

    /// The modules that this kernel finds before the root file system is mounted: those in its initrds.
    /// `None` keeps the gaps, or the faults of initrds that Linux does not unpack.
    pub fn early(&self, tally: &mut Tally) -> Option<Shelf<'v, 'a>> {
        let archives = self.archives(tally);
        let mut shelf = self.shelf(tally)?;
        for initrd in archives? {
            shelf.add_initrd(initrd)?;
        }
        Some(shelf)
    }

    /// The modules that this kernel finds once the root file system is mounted.
    pub fn late(&self, tally: &mut Tally) -> Option<Shelf<'v, 'a>> {
        let mut shelf = self.shelf(tally)?;
        shelf.add_root();
        Some(shelf)
    }

    fn shelf(&self, tally: &mut Tally) -> Option<Shelf<'v, 'a>> {
        let kernel = self.kernel()?;
        if self.view.need(&kernel.exists) == Some(&false) {
            let found = "this kernel is named by the boot entry and is not in the image";
            tally.fault(Weight::Full, self.at(kernel.path.clone(), found));
            return None;
        }
        let version = self.view.need(&kernel.version)?;
        Some(Shelf::new(self.view, kernel, version))
    }

    /// Whether the loader gets as far as starting this kernel, and the kernel boots again when it fails.
    fn fails_over(&self) -> bool {
        let reboots = self.cmdline().is_some_and(|cmdline| cmdline.reboots);
        let is_there = self.kernel().is_some_and(|kernel| kernel.exists.known() == Some(&true));
        let initrds = self.initrds().unwrap_or_default();
        let are_there = initrds.iter().all(|initrd| initrd.exists.known() == Some(&true));
        reboots
            && is_there
            && are_there
            && self.attempt.initrds.known().is_some_and(|paths| paths.len() == initrds.len())
    }

    /// Whether the root tree has `module`, for advice: its gaps are nobody's.
    pub fn root_tree_has(&self, module: &str) -> Option<bool> {
        let (has, _) = self.view.apart(|view| {
            let start = Start { view, ..*self };
            let place = start.late(&mut Tally::default())?.place(module)?;
            Some(matches!(place, Place::File(_)))
        });
        has
    }

    /// Where an initrd that lacks something is named: its own path, or the kernel's where there is none.
    pub fn archive_path(&self) -> &'a str {
        if let Some(initramfs) = self.built_in() {
            return &initramfs.path;
        }
        let last = self.attempt.initrds.known().and_then(|paths| paths.last());
        last.unwrap_or(&self.attempt.kernel)
    }
}

/// How entries are judged.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// What is judged.
    pub rule: Rule,
    /// What an attempt must pass to boot at all: a later one that fails it is no way out for the first.
    pub path: &'static [Rule],
    /// A kernel that fails the rule does not boot, so that a later attempt may take its place.
    pub is_fatal: bool,
}

/// Judges every boot entry.
pub fn each_entry(view: &View<'_>, tally: &mut Tally, course: &Course) {
    let entries = view.boot_entries().map(|listing| view.all(listing)).unwrap_or_default();
    let mut groups = groups(view, entries);
    groups.sort_by_key(|group| !group.is_default);
    if groups.len() > MAX_STARTS {
        view.miss(Gap::new(format!("more than {MAX_STARTS} different boot entries: the rest was not judged")));
    }
    for group in groups.iter().take(MAX_STARTS) {
        let judgement = judge_entry(view, group.first, course);
        let word = judgement.verdict.word();
        let most = if group.is_default { Weight::Full } else { Weight::Minor };
        judgement.notes.into_iter().for_each(|note| tally.note(note));
        tally.add(judgement.verdict, most.min(judgement.weight));
        for entry in &group.ids {
            tally.entry(EntryVerdict { entry: entry.clone(), verdict: word });
        }
    }
    if !groups.iter().any(|group| group.is_default) {
        view.miss(Gap::new(if groups.is_empty() { "no boot entry was found" } else { "no boot entry is the default" }));
    }
}

/// Entries that start the same: judged once, as the default if one of them is.
#[derive(Debug)]
struct Group<'a> {
    first: &'a BootEntry,
    ids: Vec<String>,
    is_default: bool,
}

type AttemptKey<'a> = (&'a str, &'a [String], Cmdline);

fn groups<'a>(view: &View<'_>, entries: &'a [BootEntry]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known: HashMap<Vec<AttemptKey<'_>>, usize> = HashMap::new();
    for entry in entries {
        let is_default = view.need(&entry.is_default).is_some_and(|is_default| *is_default);
        let index = key_of(entry).map_or(groups.len(), |key| *known.entry(key).or_insert(groups.len()));
        match groups.get_mut(index) {
            Some(group) => {
                group.ids.push(entry.id.clone());
                if is_default && !group.is_default {
                    (group.first, group.is_default) = (entry, true);
                }
            }
            None => groups.push(Group { first: entry, ids: vec![entry.id.clone()], is_default }),
        }
    }
    groups
}

/// What decides how an entry starts; `None` when not all of it is known.
fn key_of(entry: &BootEntry) -> Option<Vec<AttemptKey<'_>>> {
    let attempts = entry.attempts.known().filter(|attempts| attempts.gaps.is_empty())?;
    let key = |attempt: &'_ Attempt| Some(Cmdline::parse(attempt.cmdline.known()?));
    attempts.items.iter().map(|a| Some((a.kernel.as_str(), a.initrds.known()?.as_slice(), key(a)?))).collect()
}

fn has_initrd(attempt: &Attempt) -> bool {
    attempt.initrds.known().is_some_and(|paths| !paths.is_empty())
}

/// The first attempt decides. Where it does not boot, reboots by `panic=` and a later one gets through, the fault is
/// minor; where it does not boot for another reason, the one that boots in its place must hold as well.
fn judge_entry(view: &View<'_>, entry: &BootEntry, course: &Course) -> Judgement {
    let Course { rule, path, is_fatal } = *course;
    let (attempts, gaps) = view.apart(|view| {
        let attempts = view.need(&entry.attempts).map(|listing| view.all(listing)).unwrap_or_default();
        if attempts.is_empty() {
            view.miss(Gap::at(entry.config.clone(), format!("the entry {} starts no kernel", entry.id)));
        }
        attempts
    });
    if !gaps.is_empty() {
        return Verdict::Unknown(gaps).into();
    }
    let is_beside_initrd = attempts.iter().any(has_initrd);
    let judge = |attempt: &Attempt, rule: Rule| judge_attempt(view, entry, attempt, is_beside_initrd, rule);
    let boots = |attempt: &Attempt| path.iter().all(|rule| passes(&judge(attempt, *rule)));
    let fails_over =
        |attempt: &&Attempt| view.apart(|view| Start { view, entry, attempt, is_beside_initrd }.fails_over()).0;
    let Some((first, later)) = attempts.split_first() else { return Verdict::Unknown(gaps).into() };
    let mut judgement = judge(first, rule);
    if later.is_empty() {
        return judgement;
    }
    let tried = later.iter().zip(attempts).take_while(|(_, before)| fails_over(before)).map(|(later, _)| later);
    let takes_over: Vec<Judgement> = tried.filter(|later| boots(later)).map(|later| judge(later, rule)).collect();
    let is_replaced = path.iter().any(|rule| is_fault(&judge(first, *rule)));
    if passes(&judgement) {
        let worst = takes_over.into_iter().find(|later| !passes(later));
        return if is_replaced { worst.unwrap_or(judgement) } else { judgement };
    }
    if let Verdict::Fail(faults) = &mut judgement.verdict
        && (is_fatal || is_replaced)
        && takes_over.iter().any(passes)
    {
        for fault in faults {
            fault.weight = Weight::Minor;
        }
        judgement.weight = Weight::Minor;
    }
    judgement
}

fn judge_attempt(
    view: &View<'_>,
    entry: &BootEntry,
    attempt: &Attempt,
    is_beside_initrd: bool,
    rule: Rule,
) -> Judgement {
    let mut tally = Tally::default();
    let ((), gaps) = view.apart(|view| rule(&Start { view, entry, attempt, is_beside_initrd }, &mut tally));
    for gap in gaps {
        tally.gap(Weight::Full, gap);
    }
    tally.judgement()
}

fn is_fault(judgement: &Judgement) -> bool {
    judgement.verdict.word() == super::Word::Fail && judgement.weight.withholds()
}

/// Holds, as far as the promise goes.
pub fn passes(judgement: &Judgement) -> bool {
    match &judgement.verdict {
        Verdict::Pass(_) | Verdict::NotApplicable(_) => true,
        Verdict::Fail(_) => !judgement.weight.withholds(),
        Verdict::Unknown(_) => false,
    }
}
