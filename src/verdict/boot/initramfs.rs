//! A kernel that starts without an initrd, and the initramfs inside it that may take its place.

use super::Start;
use crate::fact::{Fact, Gap};
use crate::guest::Initrd;
use crate::verdict::{Evidence, Tally, Weight};

impl<'a> Start<'_, 'a> {
    /// Whether this kernel mounts its root itself: it starts without any initrd, and none is known to be inside it.
    /// `None` keeps the gap.
    pub fn is_bare(&self) -> Option<bool> {
        self.view.need(&self.attempt.initrds).map(|paths| paths.is_empty() && self.built_in().is_none())
    }

    /// The initramfs inside the kernel, where no attempt of the entry has an initrd and Linux starts its /init: it is
    /// unpacked as an initrd is. What is not known of it is nobody's gap here, see [`Self::unseen`].
    pub fn built_in(&self) -> Option<&'a Initrd> {
        if self.is_beside_initrd || !self.attempt.initrds.known().is_some_and(Vec::is_empty) {
            return None;
        }
        self.initramfs()?.known()?.as_ref().filter(|found| found.has_init.known() == Some(&true))
    }

    fn initramfs(&self) -> Option<&'a Fact<Option<Initrd>>> {
        let (kernel, _) = self.view.apart(|view| Start { view, ..*self }.kernel());
        kernel.map(|kernel| &kernel.initramfs)
    }

    /// Why a kernel that starts without an initrd may still have an initramfs to start from.
    pub fn unseen(&self) -> Option<Gap> {
        if self.is_beside_initrd || self.is_bare() != Some(true) {
            return None;
        }
        let gap = |reason: &str| Gap::at(self.attempt.kernel.clone(), reason);
        match self.initramfs() {
            None => Some(gap("nothing was collected about this kernel")),
            Some(Fact::Unknown(unknown)) => Some(gap(&unknown.reason)),
            Some(Fact::Known(None)) => None,
            Some(Fact::Known(Some(initramfs))) => match (&initramfs.has_init, self.cmdline().map(|line| line.rdinit)) {
                (Fact::Unknown(unknown), _) => Some(gap(&unknown.reason)),
                (_, None) => Some(gap("whether rdinit= is on its command line is not known")),
                (_, Some(Some(init))) => Some(gap(&format!("rdinit={init} starts another program than /init"))),
                (_, Some(None)) => None,
            },
        }
    }

    /// Something is missing that an initramfs inside the kernel could hold: a gap where that is not known, a fault
    /// otherwise.
    pub fn missing(&self, tally: &mut Tally, weight: Weight, evidence: Evidence) {
        match self.unseen() {
            Some(Gap { reason, .. }) => {
                let reason = format!(
                    "{}; no initrd is named, and what the initramfs inside the kernel holds is not known: {reason}",
                    evidence.found
                );
                self.view.miss(Gap::at(self.attempt.kernel.clone(), reason));
            }
            None => tally.fault(weight, evidence),
        }
    }
}
