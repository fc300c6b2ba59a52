//! What several checks of the first boot ask: the default command lines, files, and whether cloud-init runs.

use super::boot::{MAX_STARTS, Start, words};
use super::unit::{self, starts};
use super::{Evidence, FactName, Lookup, View};
use crate::fact::Gap;
use crate::guest::PresentFile;

/// What [`cloud_init`] reads.
pub(super) const FACTS: &[FactName] =
    &[FactName::Files, FactName::CloudInit, FactName::Units, FactName::BootEntries, FactName::Kernels];

/// One kernel start of a default boot entry.
#[derive(Debug)]
pub(super) struct DefaultStart<'v, 'a> {
    pub(super) start: Start<'v, 'a>,
    /// Its command line, up to `--`.
    pub(super) words: Vec<String>,
}

impl DefaultStart<'_, '_> {
    /// The last value of any of `keys`.
    pub(super) fn last(&self, keys: &[&str]) -> Option<&str> {
        let mut pairs = self.words.iter().filter_map(|word| word.split_once('='));
        pairs.rfind(|(key, _)| keys.contains(key)).map(|(_, value)| value)
    }

    /// Keeps the gap of configuration on the command line (`cloudinit/util.py`, `read_cc_from_cmdline`).
    pub(super) fn doubt_configuration(&self) {
        let is_one = |word: &&String| {
            word.starts_with("cc:") || ["cloud-config-url=", "url="].iter().any(|key| word.starts_with(key))
        };
        if let Some(word) = self.words.iter().find(is_one) {
            let reason = format!("{word} on the command line configures cloud-init, and is not read by this version");
            self.start.view.miss(Gap::at(self.start.entry.config.clone(), reason));
        }
    }
}

/// Every start of every default entry; `None` keeps the gaps.
pub(super) fn default_starts<'v, 'a>(view: &'v View<'a>) -> Option<Vec<DefaultStart<'v, 'a>>> {
    let mut found = Vec::new();
    for entry in view.all(view.boot_entries()?) {
        if !*view.need(&entry.is_default)? {
            continue;
        }
        for attempt in view.all(view.need(&entry.attempts)?) {
            if found.len() >= MAX_STARTS {
                view.miss(Gap::new(format!("more than {MAX_STARTS} kernel starts of default boot entries")));
                return None;
            }
            let start = Start { view, entry, attempt, is_beside_initrd: false };
            let text = format!("{} {}", start.built_in_words()?, view.need(&attempt.cmdline)?);
            let words = words(&text).into_iter().take_while(|word| word != "--").collect();
            found.push(DefaultStart { start, words });
        }
    }
    if found.is_empty() {
        view.miss(Gap::new("no boot entry is the default"));
        return None;
    }
    Some(found)
}

/// The first watched file that `is` it; `None` keeps the gaps.
pub(super) fn file<'a>(view: &View<'a>, is: impl Fn(&PresentFile) -> bool) -> Option<Lookup<'a, PresentFile>> {
    view.find(view.files()?, is)
}

/// A file that can be executed at one of `paths`; `None` keeps the gaps.
pub(super) fn program<'a>(view: &View<'a>, paths: &[&str]) -> Option<Lookup<'a, PresentFile>> {
    let listing = view.files()?;
    let mut is_known = true;
    for file in listing.items.iter().filter(|file| paths.contains(&file.path.as_str())) {
        match view.need(&file.is_executable) {
            Some(true) => return Some(Lookup::There(file)),
            Some(false) => {}
            None => is_known = false,
        }
    }
    let nothing = view.find(listing, |_| false)?;
    is_known.then_some(nothing)
}

/// Whether cloud-init is there and runs at the first boot.
#[derive(Debug)]
pub(super) enum CloudInitState {
    /// It runs; says what starts it.
    Runs(Vec<Evidence>),
    /// It is there and does not run; says why.
    Stopped(Vec<Evidence>),
    /// It is not installed.
    Absent,
}

/// Where its program is installed.
const PROGRAM: &[&str] = &["/usr/bin/cloud-init", "/usr/local/bin/cloud-init"];

/// Whether cloud-init is installed; `None` keeps the gaps.
pub(super) fn has_cloud_init(view: &View<'_>) -> Option<bool> {
    Some(program(view, PROGRAM)? != Lookup::Absent)
}

/// Whether cloud-init runs at the first boot; `None` keeps the gaps.
pub(super) fn cloud_init(view: &View<'_>) -> Option<CloudInitState> {
    if !has_cloud_init(view)? {
        return Some(CloudInitState::Absent);
    }
    let mut stops = stops(view)?;
    let mut proofs = Vec::new();
    if let Lookup::There(link) = file(view, |file| is_runlevel(&file.path, "cloud-init"))? {
        proofs.push(Evidence::at(link.path.clone(), "OpenRC starts cloud-init"));
    } else {
        for stage in stages(view)? {
            match stage_starts(view, stage)? {
                unit::Start::Yes(evidence) => proofs.push(evidence),
                unit::Start::No(evidence) => stops.push(evidence),
            }
        }
    }
    Some(if stops.is_empty() { CloudInitState::Runs(proofs) } else { CloudInitState::Stopped(stops) })
}

/// Whether a path is a service of a runlevel of `OpenRC`.
pub(super) fn is_runlevel(path: &str, service: &str) -> bool {
    path.starts_with("/etc/runlevels/") && path.rsplit('/').next() == Some(service)
}

/// What keeps an installed cloud-init from running (`systemd/cloud-init-generator.tmpl`, `tools/ds-identify`).
fn stops(view: &View<'_>) -> Option<Vec<Evidence>> {
    let mut stops = Vec::new();
    if let Lookup::There(file) = file(view, |file| file.path == "/etc/cloud/cloud-init.disabled")? {
        stops.push(Evidence::at(file.path.clone(), "this file keeps cloud-init from running").expected("no such file"));
    }
    let mut has_policy = false;
    for default in default_starts(view)? {
        default.doubt_configuration();
        if let Some(word) = default.words.iter().find(|word| *word == "cloud-init=disabled") {
            stops.push(default.start.at_line(format!("{word} on the command line keeps cloud-init from running")));
        }
        if let Some(policy) = default.last(&["ci.di.policy"]) {
            has_policy = true;
            if mode(policy) == Some("disabled") {
                stops.push(default.start.at_line(format!("ci.di.policy={policy} keeps cloud-init from running")));
            }
        }
    }
    let policy = view.need(&view.cloud_init()?.policy)?.as_deref();
    if let Some(policy) = policy.filter(|policy| !has_policy && mode(policy) == Some("disabled")) {
        let found = format!("policy: {policy} keeps cloud-init from running");
        stops.push(Evidence::at("/etc/cloud/ds-identify.cfg", found).expected("policy: search or enabled"));
    }
    Some(stops)
}

/// `parse_policy`: the last word of these four counts.
fn mode(policy: &str) -> Option<&str> {
    policy.split(',').rfind(|word| matches!(*word, "enabled" | "disabled" | "search" | "report"))
}

/// The units of the stages without which there is no SSH key: before the network, and with it. Since version 24.3 one
/// process does the work and the network's unit has another name.
fn stages(view: &View<'_>) -> Option<&'static [&'static str]> {
    let has_main = unit::find(view, "cloud-init-main.service")? != Lookup::Absent;
    Some(if has_main {
        &["cloud-init-main.service", "cloud-init-local.service", "cloud-init-network.service"]
    } else {
        &["cloud-init-local.service", "cloud-init.service"]
    })
}

/// Whether a unit is enabled for cloud-init.target, which cloud-init's generator starts, or starts by other means.
fn stage_starts(view: &View<'_>, name: &str) -> Option<unit::Start> {
    let is_enabled = match unit::find(view, name)? {
        Lookup::There(unit) => view.need(&unit.state)? == "enabled",
        Lookup::Absent => false,
    };
    if !is_enabled || !is_target_free(view)? {
        return starts(view, &[name]);
    }
    let refusal = match generator(view)? {
        Ok(path) => {
            let found = format!("{name} is enabled for cloud-init.target, which this generator starts");
            return Some(unit::Start::Yes(Evidence::at(path, found)));
        }
        Err(refusal) => refusal,
    };
    Some(match starts(view, &[name])? {
        unit::Start::No(_) => unit::Start::No(refusal),
        start @ unit::Start::Yes(_) => start,
    })
}

/// Whether cloud-init.target is there and not masked.
fn is_target_free(view: &View<'_>) -> Option<bool> {
    match unit::find(view, "cloud-init.target")? {
        Lookup::There(unit) => Some(!view.need(&unit.state)?.starts_with("masked")),
        Lookup::Absent => Some(false),
    }
}

/// The generator that systemd runs: of several folders the first that has one, unless that masks it
/// (`man 7 systemd.generator`).
fn generator(view: &View<'_>) -> Option<Result<String, Evidence>> {
    const FOLDERS: &[&str] = &["/etc", "/usr/local/lib", "/usr/lib", "/lib"];
    let mut masks = None;
    for folder in FOLDERS {
        let path = format!("{folder}/systemd/system-generators/cloud-init-generator");
        if let Lookup::There(file) = file(view, |file| file.path == path)? {
            if *view.need(&file.is_executable)? {
                return Some(Ok(path));
            }
            masks = Some(Evidence::at(path, "this keeps cloud-init's generator from running"));
            break;
        }
    }
    let none = || Evidence::of("cloud-init's generator, which starts cloud-init.target, is not there");
    Some(Err(masks.unwrap_or_else(none)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mode_of_a_policy_counts() {
        for (policy, expected) in [
            ("disabled", Some("disabled")),
            ("search,found=all,maybe=none,notfound=disabled", Some("search")),
            ("enabled,disabled", Some("disabled")),
            ("off", None),
        ] {
            assert_eq!(mode(policy), expected, "{policy}");
        }
    }

    #[test]
    fn services_of_a_runlevel() {
        for (path, is) in [
            ("/etc/runlevels/boot/cloud-init", true),
            ("/etc/runlevels/boot/cloud-init-local", false),
            ("/etc/init.d/cloud-init", false),
        ] {
            assert_eq!(is_runlevel(path, "cloud-init"), is, "{path}");
        }
    }
}
