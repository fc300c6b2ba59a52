//! Which file systems give freed blocks back at once.

use super::Check;
use crate::verdict::fstab::{Row, rows};
use crate::verdict::{FactName, Tally, View};

pub(super) const CHECK: Check = Check {
    id: "fstab-discard",
    summary: "file systems are mounted with discard",
    broken: "a file system is mounted without discard",
    why: "Without discard, blocks of deleted files stay allocated in the cloud's storage until fstrim runs.",
    detects: "The options of every row of /etc/fstab that mounts ext4, xfs, btrfs or f2fs, except /boot; the last of discard and nodiscard counts.",
    fix: "Add discard to the options of the row in /etc/fstab, or enable fstrim.timer instead.",
    family_fixes: &[],
    source: "man 8 mount, man 5 ext4, man 5 xfs, man 5 btrfs (discard)",
    reads: &[FactName::Fstab],
    run,
};

fn run(view: &View<'_>, tally: &mut Tally) {
    let Some(rows) = rows(view, tally) else { return };
    for row in rows.iter().filter(|row| is_asked(row)) {
        let options = &row.mount.options;
        let is_set = |option: &String| option == "discard" || option.starts_with("discard=");
        // `man 8 mount`: the last of contradicting options wins.
        let last = options.iter().rev().find(|option| is_set(option) || *option == "nodiscard");
        if last.is_some_and(is_set) {
            tally.proof(row.at_field(3, format!("{} is mounted with discard", row.mount.target)));
            continue;
        }
        let mut evidence =
            row.at_field(3, format!("{} is mounted without discard", row.mount.target)).expected("discard");
        let mut mended: Vec<&str> =
            options.iter().map(String::as_str).filter(|option| *option != "nodiscard").collect();
        mended.push("discard");
        evidence.fix = row.with_field(3, &mended.join(","));
        tally.fault(row.weight, evidence);
    }
    tally.not_applicable("no row of /etc/fstab mounts a file system that is asked for discard");
}

/// Swap, the ESP and /boot are not asked: little is ever freed there.
fn is_asked(row: &Row<'_>) -> bool {
    let is_kind = matches!(row.mount.fstype.as_str(), "ext4" | "xfs" | "btrfs" | "f2fs");
    is_kind && row.mount.target != "/boot" && !row.mount.target.starts_with("/boot/")
}
