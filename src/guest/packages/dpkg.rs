//! `/var/lib/dpkg/status` → packages (`man 5 deb822`, `lib/dpkg/parse.c`), more tolerant than dpkg: a bad stanza is a gap.

use super::Database;
use crate::bytes::{slice, text};
use crate::disk::filesystem::{FileType, Root};
use crate::error::{Error, ErrorKind, Result};
use crate::fact::{Gap, Listing};
use crate::guest::Package;
use crate::limits::Limits;
use std::collections::HashMap;

/// The one of Debian, and the one of distroless images, where each package has a file of its own.
pub(super) const DATABASE: Database = Database { name: "dpkg", paths: &[STATUS, STATUS_FOLDER], read: Some(read) };

const STATUS: &str = "/var/lib/dpkg/status";
const STATUS_FOLDER: &str = "/var/lib/dpkg/status.d";

/// Changes that an interrupted dpkg has not merged yet (`lib/dpkg/dbmodify.c`).
const UPDATES: &str = "/var/lib/dpkg/updates";

fn read(root: &Root, limits: &Limits) -> Result<Listing<Package>> {
    let mut packages = Listing::default();
    if let Some(bytes) = root.read_if_exists(STATUS, limits.package_database)? {
        packages = parse(STATUS, &bytes, limits);
        pending(root, &mut packages.gaps);
    }
    if root.exists(STATUS_FOLDER)? {
        read_folder(root, limits, &mut packages)?;
    }
    if packages.items.is_empty() && packages.gaps.is_empty() {
        packages.gaps.push(Gap::at(STATUS, "it lists no package"));
    }
    Ok(packages)
}

/// Distroless images drop the `Status` field: what is listed is installed.
fn read_folder(root: &Root, limits: &Limits, packages: &mut Listing<Package>) -> Result<()> {
    let listing = root.list(STATUS_FOLDER)?;
    packages.gaps.extend(listing.gaps);
    let mut left = limits.package_database;
    for entry in listing.items {
        if entry.name.ends_with(b".md5sums") || entry.file_type == FileType::Directory {
            continue;
        }
        let path = [STATUS_FOLDER.as_bytes(), b"/", &entry.name].concat();
        match root.read(&path, left) {
            Ok(bytes) => {
                left = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                let found = parse_stanzas(&text(&path), &bytes, limits, Some(b"install ok installed"));
                packages.items.extend(found.items);
                packages.gaps.extend(found.gaps);
            }
            Err(error) => packages.gaps.push(error.into()),
        }
    }
    Ok(())
}

fn pending(root: &Root, gaps: &mut Vec<Gap>) {
    match root.list(UPDATES) {
        Ok(listing) => {
            let is_update = |name: &[u8]| !name.is_empty() && name.iter().all(u8::is_ascii_digit);
            if listing.items.iter().any(|entry| is_update(&entry.name)) {
                gaps.push(Gap::at(
                    UPDATES,
                    "an interrupted dpkg has left changes here that are not in the status file",
                ));
            }
        }
        Err(error) if error.kind == ErrorKind::NotFound => {}
        Err(error) => gaps.push(error.into()),
    }
}

/// Packages of a status file in its order, without those that are `not-installed`; a bad stanza is a gap with its line.
/// Of two stanzas of one package and architecture the last counts (`lib/dpkg/parse.c`).
pub fn parse(path: &str, bytes: &[u8], limits: &Limits) -> Listing<Package> {
    parse_stanzas(path, bytes, limits, None)
}

fn parse_stanzas(path: &str, bytes: &[u8], limits: &Limits, status: Option<&[u8]>) -> Listing<Package> {
    let mut found: Listing<Option<Package>> = Listing::default();
    let mut seen: HashMap<_, usize> = HashMap::new();
    let mut stanza = Stanza::default();
    // One line more than there is, empty, ends the last stanza.
    let lines = bytes.split(|&byte| byte == b'\n').chain([b"".as_slice()]);
    for (line, number) in lines.zip(1_u32..) {
        if !line.trim_ascii().is_empty() {
            stanza.line(line, number);
            continue;
        }
        let stanza = std::mem::take(&mut stanza);
        if stanza.start == 0 {
            continue;
        }
        if found.items.len() >= limits.list_rows {
            let reason = format!("line {}: the limit of {} packages is reached", stanza.start, limits.list_rows);
            found.gaps.push(Gap::at(path, reason));
            break;
        }
        let package = match stanza.finish(status) {
            Ok(package) => package,
            Err(cause) => {
                found.gaps.push(stanza.error(cause).at(path).into());
                // What a record that cannot be read says of a package is not what an earlier one says.
                None
            }
        };
        let key = (stanza.package, stanza.architecture);
        if let Some(earlier) = seen.get(&key).and_then(|index| found.items.get_mut(*index)) {
            if earlier.is_some() && package.is_some() {
                found.gaps.push(stanza.error("it is listed twice, which dpkg refuses to read").at(path).into());
            }
            *earlier = package;
        } else {
            seen.insert(key, found.items.len());
            found.items.push(package);
        }
    }
    Listing { items: found.items.into_iter().flatten().collect(), gaps: found.gaps }
}

/// The fields of one stanza that count, borrowed from the file.
#[derive(Default)]
struct Stanza<'a> {
    /// Line of its first field, from 1; 0 before there is one.
    start: u32,
    package: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    architecture: Option<&'a [u8]>,
    status: Option<&'a [u8]>,
    fault: Option<&'static str>,
}

impl<'a> Stanza<'a> {
    fn line(&mut self, line: &'a [u8], number: u32) {
        let is_first = self.start == 0;
        if is_first {
            self.start = number;
        }
        if let [b' ' | b'\t', ..] = line {
            if is_first {
                self.fault = Some("it begins with a continuation line");
            }
            return;
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let Some((name, value)) = colon.and_then(|at| Some((line.get(..at)?, line.get(at.checked_add(1)?..)?))) else {
            self.fault = Some("one of its lines is no field");
            return;
        };
        let name = name.trim_ascii_end();
        let field = match name.len() {
            6 if name.eq_ignore_ascii_case(b"Status") => &mut self.status,
            7 if name.eq_ignore_ascii_case(b"Package") => &mut self.package,
            7 if name.eq_ignore_ascii_case(b"Version") => &mut self.version,
            12 if name.eq_ignore_ascii_case(b"Architecture") => &mut self.architecture,
            _ => return,
        };
        if field.replace(value.trim_ascii()).is_some() {
            self.fault = Some("a field stands twice in it");
        }
    }

    /// The package; `None` for one that is not installed. dpkg takes a stanza without `Status` for such.
    fn finish(&self, default: Option<&'a [u8]>) -> Result<Option<Package>, &'static str> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let name = self.package.filter(|name| !name.is_empty()).ok_or("it has no Package field")?;
        let Some(status) = self.status.or(default) else { return Ok(None) };
        let state = match state(status)? {
            State::NotInstalled => return Ok(None),
            State::Installed => None,
            State::Other(word) => Some(word.to_owned()),
        };
        let Version { epoch, upstream, revision } = split_version(self.version.unwrap_or_default())?;
        if upstream.is_empty() && state.is_none() {
            return Err("it is installed and has no version");
        }
        Ok(Some(Package {
            name: text(name),
            epoch,
            version: text(upstream),
            release: revision.map(text),
            arch: self.architecture.filter(|arch| !arch.is_empty()).map(text),
            state,
        }))
    }

    fn error(&self, cause: &str) -> Error {
        let name = self.package.map(|name| format!(", package {}", text(name))).unwrap_or_default();
        Error::corrupt(format!("stanza at line {}{name}", self.start), cause)
    }
}

/// dpkg's states (`lib/dpkg/parsehelp.c`).
const STATES: &[&str] = &[
    "installed",
    "config-files",
    "half-installed",
    "unpacked",
    "half-configured",
    "triggers-awaited",
    "triggers-pending",
];

enum State {
    NotInstalled,
    /// And all is well.
    Installed,
    /// dpkg's word for what is not.
    Other(&'static str),
}

/// The state in `want flag status`; what is wanted does not count.
fn state(status: &[u8]) -> Result<State, &'static str> {
    let words: Vec<&[u8]> = status.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    let [_, flag, status] = words.as_slice() else { return Err("its status is not three words") };
    let has_error = match *flag {
        b"ok" => false,
        b"reinstreq" => true,
        _ => return Err("the second word of its status is neither ok nor reinstreq"),
    };
    match STATES.iter().find(|state| state.as_bytes() == *status) {
        Some(&"installed") if has_error => Ok(State::Other("reinstreq")),
        Some(&"installed") => Ok(State::Installed),
        Some(state) => Ok(State::Other(state)),
        None if *status == b"not-installed" => Ok(State::NotInstalled),
        None => Err("the third word of its status is none that dpkg writes"),
    }
}

struct Version<'a> {
    epoch: Option<u64>,
    upstream: &'a [u8],
    revision: Option<&'a [u8]>,
}

/// `epoch:upstream-revision`: the first colon and the last hyphen divide (`lib/dpkg/parsehelp.c`, `parseversion`).
fn split_version(version: &[u8]) -> Result<Version<'_>, &'static str> {
    let at = |place: usize| Some((version.get(..place)?, version.get(place.checked_add(1)?..)?));
    let (epoch, rest) = match version.iter().position(|&byte| byte == b':').and_then(at) {
        Some((digits, rest)) => {
            let epoch = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
            (Some(epoch.ok_or("the epoch of its version is not a number")?), rest)
        }
        None => (None, version),
    };
    let Some(hyphen) = rest.iter().rposition(|&byte| byte == b'-') else {
        return Ok(Version { epoch, upstream: rest, revision: None });
    };
    let revision = rest.get(hyphen.saturating_add(1)..).unwrap_or_default();
    if revision.is_empty() {
        return Err("the revision of its version is empty");
    }
    Ok(Version { epoch, upstream: slice(rest, 0, hyphen).unwrap_or_default(), revision: Some(revision) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Memory;

    fn line(package: &Package) -> String {
        let Package { name, epoch, version, release, arch, state } = package;
        format!("{name} {epoch:?} {version} {release:?} {arch:?} {state:?}")
            .replace("None", "-")
            .replace("Some(", "")
            .replace([')', '"'], "")
    }

    fn rows(status: &[u8]) -> (Vec<String>, Vec<String>) {
        let listing = parse("status", status, &Limits::default());
        (listing.items.iter().map(line).collect(), listing.gaps.into_iter().map(|gap| gap.reason).collect())
    }

    #[test]
    fn states_and_versions_are_split() {
        for (status, version, expected) in [
            ("install ok installed", "1:2.5.1-4", "a 1 2.5.1 4 all -"),
            ("hold ok installed", "6.12.107-1+b1", "a - 6.12.107 1+b1 all -"),
            ("deinstall ok installed", "1", "a - 1 - all -"),
            ("install reinstreq installed", "1", "a - 1 - all reinstreq"),
            ("install ok triggers-pending", "0:1-2-3", "a 0 1-2 3 all triggers-pending"),
            ("install ok half-configured", "1.0~rc1", "a - 1.0~rc1 - all half-configured"),
            ("deinstall  ok\tconfig-files", "1", "a - 1 - all config-files"),
            ("purge ok not-installed", "", ""),
        ] {
            let stanza = format!("Package: a\nStatus: {status}\nArchitecture: all\nversion:  {version} \n");
            let (items, gaps) = rows(stanza.as_bytes());
            assert_eq!((items.join(";").as_str(), gaps.len()), (expected, 0), "{status} {version}: {gaps:?}");
        }
    }

    #[test]
    fn a_bad_stanza_loses_no_other() {
        let good =
            |name: &str| format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n");
        for (bad, cause) in [
            ("Status: install ok installed\nVersion: 1", "has no Package field"),
            ("Package: x\nStatus: installed\nVersion: 1", "not three words"),
            ("Package: x\nStatus: install ok happy\nVersion: 1", "none that dpkg writes"),
            ("Package: x\nStatus: install sad installed\nVersion: 1", "neither ok nor reinstreq"),
            ("Package: x\nStatus: install ok installed\nVersion: x:1", "not a number"),
            ("Package: x\nStatus: install ok installed\nVersion: 1-", "revision"),
            ("Package: x\nStatus: install ok installed", "no version"),
            ("Package: x\nStatus: install ok installed\nVersion: 1\nnonsense", "no field"),
            ("Package: x\nStatus: install ok installed\nVersion: 1\nPackage: y", "twice in it"),
            (" begins: so\nPackage: x", "continuation"),
            ("\u{1}\u{2}\u{3}", "no field"),
        ] {
            let (items, gaps) = rows(format!("{}\n{bad}\n\n{}", good("a"), good("b")).as_bytes());
            assert_eq!(items, ["a - 1 - amd64 -", "b - 1 - amd64 -"], "{bad}");
            assert!(gaps.len() == 1 && gaps[0].contains(cause) && gaps[0].contains("line 6"), "{bad}: {gaps:?}");
        }
    }

    #[test]
    fn the_last_stanza_of_a_package_counts() {
        let stanza = |status: &str, arch: &str, version: u8| {
            format!("Package: a\nStatus: {status}\nArchitecture: {arch}\nVersion: {version}\n\n")
        };
        let (good, removed) = ("install ok installed", "deinstall ok config-files");
        for (stanzas, expected, gaps) in [
            ([stanza(good, "amd64", 1), stanza(removed, "amd64", 2)], "a - 2 - amd64 config-files", 1),
            ([stanza(removed, "amd64", 2), stanza(good, "amd64", 1)], "a - 1 - amd64 -", 1),
            ([stanza(good, "amd64", 1), stanza("purge ok not-installed", "amd64", 1)], "", 0),
            ([stanza(good, "amd64", 1), stanza("nonsense", "amd64", 1)], "", 1),
            ([stanza(good, "amd64", 1), stanza(removed, "i386", 2)], "a - 1 - amd64 -;a - 2 - i386 config-files", 0),
        ] {
            let (items, found) = rows(stanzas.concat().as_bytes());
            assert_eq!((items.join(";").as_str(), found.len()), (expected, gaps), "{stanzas:?}");
        }
    }

    #[test]
    fn descriptions_folders_and_line_ends_do_not_disturb() {
        let status = b"\n\nPackage: a\nStatus: install ok installed\nDescription: caf\xe9\n Package: no\n .\n\tStatus: no\nVersion: 1\n \t \nPackage: b\r\nStatus: install ok installed\r\nVersion: 2\r\n\r\nPackage: c\nVersion: 3\n\n\n";
        assert_eq!(rows(status), (vec!["a - 1 - - -".to_owned(), "b - 2 - - -".to_owned()], vec![]));
        let coinstalled = "Package: m\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\nPackage: m\nStatus: install ok installed\nArchitecture: i386\nVersion: 1";
        assert_eq!(rows(coinstalled.as_bytes()).0, ["m - 1 - amd64 -", "m - 1 - i386 -"]);
        let limits = Limits { list_rows: 1, ..Limits::default() };
        let listing = parse("status", coinstalled.as_bytes(), &limits);
        assert_eq!((listing.items.len(), listing.gaps.len()), (1, 1));
    }

    #[test]
    fn reads_both_layouts_and_says_what_is_pending() {
        let read_tree = |tree: Memory| {
            let listing = read(&tree.root(), &Limits::default()).unwrap();
            (listing.items.iter().map(line).collect::<Vec<_>>(), listing.gaps.len())
        };
        let tree = || Memory::new("ext4", "", "");
        let distroless = tree().file("/var/lib/dpkg/status.d/base", "Package: base\nVersion: 1-2\n");
        let distroless = distroless.file("/var/lib/dpkg/status.d/base.md5sums", "0123  etc/x\n");
        assert_eq!(read_tree(distroless), (vec!["base - 1 2 - -".to_owned()], 0));
        assert_eq!(read_tree(tree().file(STATUS, "")).1, 1, "no package at all");
        let stanza = "Package: a\nStatus: install ok installed\nVersion: 1\n";
        let quiet = tree().file(STATUS, stanza).file("/var/lib/dpkg/updates/tmp.i", "");
        assert_eq!(read_tree(quiet).1, 0);
        assert_eq!(read_tree(tree().file(STATUS, stanza).file("/var/lib/dpkg/updates/0001", "")).1, 1);
    }
}
