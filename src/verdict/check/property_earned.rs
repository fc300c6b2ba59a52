//! What the user asks for by name is earned. It is judged once all checks are, and only when something is asked for.

use super::Check;

/// Reported beside [`super::CHECKS`] when `--with` names a property, or a required feature rests on one; no profile or option makes it lighter.
pub const DEMAND: Check = Check {
    id: "property-earned",
    summary: "every property that --with or a required feature asks for is earned",
    broken: "a property that --with or a required feature asks for is not earned",
    why: "A property that the image does not keep up with fails where nobody looks: at the first boot, the first snapshot, the first crash.",
    detects: "Each property that --with names, or that a required feature rests on (uefi, secure-boot, config-drive), must be earned with the value that is asked for, which takes every check in its row.",
    fix: "Mend what the named check finds, or ask for what the image has, or leave the option out.",
    family_fixes: &[],
    source: "bootworthy itself: what is earned is never changed by asking for it",
    reads: &[],
    // Its evidence are the verdicts of other checks: see `assess`.
    run: |_, _| {},
};
