//! Where a driver is that the running system needs: part of the kernel, in the root tree, or loaded by the initrd.

use crate::verdict::boot::{Place, Shelf, Start, place_of};
use crate::verdict::{Evidence, Tally, Weight};

/// A driver for which the image may be searched.
pub(in crate::verdict) struct Driver<'v, 'a> {
    /// Its module.
    pub(in crate::verdict) module: &'static str,
    /// Where it is.
    pub(in crate::verdict) place: Place<'a>,
    /// The shelf that it was found on, the root tree's first.
    pub(in crate::verdict) shelf: Shelf<'v, 'a>,
    /// Why the root tree's cannot be used, where it is there.
    pub(in crate::verdict) hidden: Option<String>,
}

/// Looks for `module`; `None` keeps the gaps, or the fault of a kernel that is not there.
pub(in crate::verdict) fn find<'v, 'a>(
    start: &Start<'v, 'a>,
    tally: &mut Tally,
    module: &'static str,
) -> Option<Driver<'v, 'a>> {
    let late = start.late(tally)?;
    let place = late.place(module)?;
    let hidden = late.hidden(module);
    if place != Place::Absent || start.is_bare() != Some(false) {
        return Some(Driver { module, place, shelf: late, hidden });
    }
    // An initrd that Linux refuses is told by the checks of the boot path.
    let early = start.early(&mut Tally::default())?;
    match early.place(module)? {
        place @ Place::File(_) => Some(Driver { module, place, shelf: early, hidden: None }),
        place => Some(Driver { module, place, shelf: late, hidden }),
    }
}

/// The proof that the initrd loads `module`, whatever the root tree says of it later; gaps are nobody's.
pub(super) fn loaded_by_initrd(start: &Start<'_, '_>, module: &str) -> Option<Evidence> {
    let (proof, gaps) = start.view.apart(|view| {
        let start = Start { view, ..*start };
        let mut tally = Tally::default();
        let shelf = start.early(&mut tally)?;
        let Place::File(file) = shelf.place(module)? else { return None };
        shelf.record(&file)?;
        // Its own modprobe does not look for the rest in the root tree.
        if !shelf.unmet(module).0.is_empty() {
            return None;
        }
        let is_free = start.is_free(&mut tally, &shelf, module, &Place::File(file));
        is_free.then(|| start.at(place_of(&file), format!("{module}: {}, which the initrd loads", file.path)))
    });
    proof.filter(|_| gaps.is_empty())
}

impl<'a> Driver<'_, 'a> {
    /// Whether nothing stops it, and modprobe finds it.
    pub(in crate::verdict) fn is_free(&self, start: &Start<'_, 'a>, tally: &mut Tally) -> bool {
        let is_read = match &self.place {
            Place::File(file) => self.shelf.record(file).is_some(),
            Place::BuiltIn(_) => true,
            Place::Absent => false,
        };
        is_read && start.is_free(tally, &self.shelf, self.module, &self.place)
    }

    /// Where it is, for a proof; `None` when it is nowhere.
    pub(in crate::verdict) fn proof(&self, start: &Start<'_, 'a>) -> Option<Evidence> {
        match &self.place {
            Place::BuiltIn(proof) => Some(proof.clone().entry(start.entry.id.clone())),
            Place::File(file) => Some(start.at(place_of(file), format!("{}: {}", self.module, file.path))),
            Place::Absent => None,
        }
    }

    /// Told when it is nowhere: the line of the kernel's configuration that leaves it out, where there is one.
    pub(in crate::verdict) fn absent(&self, start: &Start<'_, 'a>, option: &str) -> Evidence {
        if let Some(hidden) = &self.hidden {
            return start
                .at(start.attempt.kernel.clone(), hidden.clone())
                .expected("modules.dep.bin as depmod writes it");
        }
        let expected = format!("{}.ko, or {option}=y", self.module);
        if let Some((_, evidence)) = start.option(option).filter(|(value, _)| *value == "n") {
            return evidence.expected(expected);
        }
        let found = format!("{} is neither built in, nor in the root tree, nor in the initrd", self.module);
        start.at(start.attempt.kernel.clone(), found).expected(expected)
    }

    /// Whether the file is this kernel's and finds all that it depends on; what is not is a fault.
    pub(in crate::verdict) fn is_whole(&self, start: &Start<'_, 'a>, tally: &mut Tally) -> bool {
        let Place::File(file) = &self.place else { return true };
        let Some(record) = self.shelf.record(file) else { return false };
        let mut is_whole = true;
        let built_for = record.vermagic.split_ascii_whitespace().next().unwrap_or_default();
        if built_for != file.tree.version {
            let found = format!("{} is built for {built_for:?}", record.path);
            tally.fault(Weight::Full, start.at(place_of(file), found).expected(file.tree.version.clone()));
            is_whole = false;
        }
        let machine = start.view.need(&record.machine);
        let architecture = start.kernel().and_then(|kernel| start.view.need(&kernel.architecture));
        if let (Some(machine), Some(architecture)) = (machine, architecture.filter(|name| Some(*name) != machine)) {
            let found = format!("{} is compiled for {machine}", record.path);
            tally.fault(
                Weight::Full,
                start.at(place_of(file), found).expected(format!("{architecture}, as the kernel")),
            );
            is_whole = false;
        }
        for missing in self.shelf.unmet(self.module).0 {
            let found = format!("{} needs {}, which is neither built in nor there", missing.module, missing.needs);
            tally.fault(Weight::Full, start.at(missing.at, found).expected(format!("{}.ko", missing.needs)));
            is_whole = false;
        }
        is_whole
    }
}
