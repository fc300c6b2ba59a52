//! Nobody can log in with a password that stands in the image.

use super::Check;
use crate::fact::Gap;
use crate::guest::Account;
use crate::verdict::{Evidence, FactName, Tally, View, Weight};
use std::collections::{HashMap, HashSet};

pub(super) const CHECK: Check = Check {
    id: "password-unset",
    summary: "no account has a password",
    broken: "an account has a password, the same in every instance",
    why: "A password in an image is the password of every instance made of it (CVE-2024-9486): whoever learns it once is in everywhere.",
    detects: "The second field of every row of /etc/passwd and /etc/shadow: what can be the result of crypt is a password, nothing is an empty one, and what begins with ! or is no such result locks. Only its kind is kept, and none is ever guessed.",
    fix: "passwd -l NAME for each account named, or delete the account; cloud-init gives the user its SSH key.",
    family_fixes: &[],
    source: "man 5 shadow, man 5 crypt; CVE-2024-9486",
    reads: &[FactName::Accounts],
    run,
};

fn run(view: &View<'_>, tally: &mut Tally) {
    let Some(accounts) = view.accounts() else { return };
    let (passwd, shadow) = (view.need(&accounts.passwd), view.need(&accounts.shadow));
    let (passwd, shadow) = (passwd.and_then(Option::as_ref), shadow.and_then(Option::as_ref));
    let passwd = passwd.map(|rows| view.all(rows)).unwrap_or_default();
    let shadow = shadow.map(|rows| view.all(rows)).unwrap_or_default();
    let mut shells: HashMap<&str, &str> = HashMap::new();
    for row in passwd {
        shells.entry(&row.name).or_insert(row.shell.as_deref().unwrap_or_default());
    }
    // A row of /etc/shadow counts where /etc/passwd refers to it (`man 5 passwd`), and where it has no such account:
    // another database may.
    let own: HashSet<&str> =
        passwd.iter().filter(|row| row.password != "shadow").map(|row| row.name.as_str()).collect();
    let rows = passwd.iter().chain(shadow.iter().filter(|row| !own.contains(row.name.as_str())));
    for row in rows {
        judge(view, row, shells.get(row.name.as_str()).copied(), tally);
    }
    if passwd.is_empty() && shadow.is_empty() {
        tally.not_applicable("there are no accounts in /etc/passwd and /etc/shadow");
    } else if !tally.has_faults() {
        let found = format!("{} accounts, none of which has a password", passwd.len().max(shadow.len()));
        tally.proof(Evidence::at(if shadow.is_empty() { "/etc/passwd" } else { "/etc/shadow" }, found));
    }
}

fn judge(view: &View<'_>, row: &Account, shell: Option<&str>, tally: &mut Tally) {
    let at = |found: String| Evidence::at(row.path.clone(), found).line(row.line).expected("! or *");
    match row.password.as_str() {
        "hash" => tally.fault(Weight::Full, at(format!("{} has a password", row.name))),
        "empty" if shell.is_some_and(is_closed) => {
            tally.note(at(format!("{} has an empty password, and a shell that lets nobody in", row.name)));
        }
        "empty" => tally.fault(Weight::Full, at(format!("{} has an empty password: anybody may log in", row.name))),
        "locked" | "none" | "shadow" => {}
        kind => view.miss(Gap::at(row.path.clone(), format!("what a password of the kind {kind} is, is not known"))),
    }
}

fn is_closed(shell: &str) -> bool {
    matches!(shell.rsplit('/').next(), Some("nologin" | "false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_that_let_nobody_in() {
        for (shell, expected) in
            [("/usr/sbin/nologin", true), ("/bin/false", true), ("/bin/bash", false), ("", false), ("/bin/sync", false)]
        {
            assert_eq!(is_closed(shell), expected, "{shell}");
        }
    }
}
