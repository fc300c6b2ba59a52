//! Red Hat's `blscfg`: loader/entries/*.conf → rows of the menu (rhboot/grub2, `grub-core/commands/blscfg.c`).

mod version;
#[cfg(test)]
mod tests;

use super::commands::MAX_ITEMS;
use super::condition::Asked;
use super::environment::{Environment, cost, cost_of};
use super::evaluator::{Evaluator, Frame, LOOK, Outcome};
use super::menu::Item;
use super::parser::{Statement, parse};
use crate::bytes::text;
use crate::disk::filesystem::Root;
use crate::error::{ErrorKind, Result};
use crate::fact::Gap;
use crate::guest::bootloader::entry::{Config, Place};
use std::cmp::Ordering;
use std::rc::Rc;

/// Where the entries stand on `$root`, unless `$blsdir` says otherwise, and where they are looked for next.
const FOLDERS: [&str; 2] = ["/loader/entries/", "/boot/loader/entries/"];
/// A variable that no configuration sets: it stands for a value that nobody knows.
const UNKNOWN: &str = "bootworthy_unknown";

/// One file: its name without `.conf`, and its lines.
#[derive(Clone, Debug)]
struct Snippet {
    id: String,
    path: String,
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    number: u32,
    key: String,
    value: String,
}

impl Snippet {
    fn first(&self, key: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.key == key)
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.first(key).map(|line| line.value.as_str())
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(move |line| line.key == key).map(|line| line.value.as_str())
    }
}

impl Evaluator<'_> {
    /// Reads the entries once, and adds a row for each.
    pub(super) fn blscfg(&mut self, line: u32, has_arguments: bool, frame: &mut Frame) -> Outcome {
        if has_arguments || self.has_bls {
            frame.doubt();
            let what = if has_arguments { "with an argument" } else { "a second time" };
            self.gap(frame, line, format!("blscfg {what}: the entries that it adds are not read by this version"));
            return Outcome::UNKNOWN;
        }
        self.has_bls = true;
        if !self.has_module(frame) {
            frame.doubt();
            self.gap(frame, line, "blscfg: this GRUB has no module of that name beside its configuration");
        }
        let Some((volume, snippets)) = self.snippets(line, frame) else {
            frame.doubt();
            return Outcome::UNKNOWN;
        };
        for snippet in self.sorted(line, snippets, frame) {
            if frame.items.len() >= self.limits.list_rows.min(MAX_ITEMS) {
                frame.doubt();
                self.gap(frame, line, "too many menu entries; the rest is not read");
                break;
            }
            self.row(volume, snippet, frame);
        }
        Outcome::DONE
    }

    /// Whether GRUB for BIOS finds the command: Red Hat's builds for UEFI carry it, others know none.
    fn has_module(&mut self, frame: &Frame) -> bool {
        if frame.environment.get("grub_platform").as_deref() != Some("pc") || !self.spend(LOOK) {
            return true;
        }
        let module = frame.environment.get("prefix").map(|prefix| format!("{prefix}/i386-pc/blscfg.mod"));
        module.is_some_and(|path| self.file_test(&path, Asked::Exists, &frame.environment) == Some(true))
    }

    /// The files of the first folder that is there; `None` keeps the gap.
    fn snippets(&mut self, line: u32, frame: &mut Frame) -> Option<(usize, Vec<Snippet>)> {
        let own = frame.environment.is_set("blsdir").then(|| frame.environment.get("blsdir"));
        let own = own.unwrap_or_else(|| Some(FOLDERS[0].to_owned())).filter(|folder| folder.starts_with('/'));
        let Place::On(volume, first) = self.locate(&own, &frame.environment) else {
            self.gap(frame, line, "blscfg: where its entries stand is not known before the start");
            return None;
        };
        let disk = self.disk;
        let root = match disk.root(volume) {
            Ok(root) => root,
            Err(error) => {
                self.keep(error.into());
                return None;
            }
        };
        for folder in [first.as_str(), FOLDERS[1]] {
            match root.list(folder) {
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) => {
                    self.keep(error.at(folder).into());
                    return None;
                }
                Ok(listing) => {
                    for gap in listing.gaps {
                        frame.doubt();
                        self.keep(gap);
                    }
                    let names = listing.items.iter().map(|entry| text(&entry.name)).filter(|name| is_snippet(name));
                    let found = self.read_all(root, folder, names.collect(), frame);
                    // Red Hat's 2.02 looks on where a folder holds none, later ones where there is no folder.
                    if found.is_empty() && folder != FOLDERS[1] && root.exists(FOLDERS[1]).unwrap_or(true) {
                        self.gap(
                            frame,
                            line,
                            format!("blscfg: {folder} holds no entries, and {} may be read", FOLDERS[1]),
                        );
                        return None;
                    }
                    return Some((volume, found));
                }
            }
        }
        Some((volume, Vec::new()))
    }

    fn read_all(&mut self, root: &Root, folder: &str, names: Vec<String>, frame: &mut Frame) -> Vec<Snippet> {
        let mut found = Vec::new();
        for name in names {
            if !self.spend(LOOK) || found.len() >= MAX_ITEMS {
                frame.doubt();
                self.keep(Gap::at(folder, "too many entries; the rest is not read"));
                break;
            }
            let path = format!("{}/{name}", folder.trim_end_matches('/'));
            match self.read_one(root, &path, frame) {
                Ok(Some(lines)) => {
                    found.push(Snippet { id: name.strip_suffix(".conf").unwrap_or(&name).to_owned(), path, lines });
                }
                Ok(None) => {}
                Err(error) => {
                    frame.doubt();
                    self.keep(error.at(path).into());
                }
            }
        }
        found
    }

    fn read_one(&mut self, root: &Root, path: &str, frame: &mut Frame) -> Result<Option<Vec<Line>>> {
        let Some(bytes) = root.read_if_exists(path, self.limits.config_file)? else { return Ok(None) };
        if !self.spend(cost_of(bytes.len()).saturating_mul(4)) {
            frame.doubt();
            return Ok(None);
        }
        let lines = lines(&bytes);
        // GRUB 2.14 of its own splits at tabs as well.
        if lines.iter().any(|line| line.key.contains('\t')) {
            frame.doubt();
            self.keep(Gap::at(path, "a tab before the first blank of a line, which not every GRUB splits there"));
        }
        Ok(Some(lines))
    }

    /// From the newest on, as GRUB inserts them.
    fn sorted(&mut self, line: u32, snippets: Vec<Snippet>, frame: &mut Frame) -> Vec<Snippet> {
        let length = u64::try_from(snippets.len()).unwrap_or(u64::MAX);
        if !self.spend(length.saturating_mul(length)) {
            frame.doubt();
            return Vec::new();
        }
        let has_plus = snippets.iter().any(|snippet| snippet.id.contains('+'));
        let order = |of: &[Snippet]| of.iter().map(|snippet| snippet.id.clone()).collect::<Vec<_>>();
        let old = if has_plus { order(&insert_all(snippets.clone(), false).0) } else { Vec::new() };
        let (sorted, is_total) = insert_all(snippets, true);
        if has_plus && old != order(&sorted) {
            frame.doubt();
            self.gap(
                frame,
                line,
                "blscfg: GRUB's versions differ about the order of entries with a `+` in their names",
            );
        }
        if !is_total {
            frame.doubt();
            self.gap(frame, line, "blscfg: of two entries with equal versions GRUB keeps the one that it reads first");
        }
        sorted
    }

    fn row(&mut self, volume: usize, snippet: Snippet, frame: &mut Frame) {
        let config = Rc::new(Config { volume, path: snippet.path.clone() });
        let Some(linux) = snippet.first("linux").cloned() else {
            if snippet.first("efi").is_some() {
                frame.doubt();
                self.keep(Gap::at(snippet.path, "whether this GRUB starts an entry with `efi` is not known"));
            }
            return;
        };
        if snippet.id.contains(".conf") {
            frame.doubt();
            self.keep(Gap::at(
                snippet.path.clone(),
                "`.conf` within its name: GRUB cuts the name there, or does not come back",
            ));
        }
        frame.environment.set(UNKNOWN, None);
        let users = snippet.value("grub_users").map(|users| expand(users, &frame.environment));
        let source = source(&snippet, &linux.value, &frame.environment);
        if !self.spend(cost(&source).saturating_mul(4)) {
            frame.doubt();
            return;
        }
        let script = parse(source.as_bytes());
        let title = snippet.value("title").unwrap_or(&linux.value).to_owned();
        frame.items.push(Item {
            id: snippet.id.clone(),
            title: title.clone(),
            line: linux.number,
            config,
            body: script.statements.iter().map(|statement| moved(statement, linux.number)).collect(),
            arguments: std::iter::once(title.as_str())
                .chain(snippet.all("grub_arg"))
                .map(|it| Some(it.to_owned()))
                .collect(),
            is_submenu: false,
            is_unrestricted: users.flatten().is_none(),
            when: frame.when.clone(),
        });
        if let Some((_, cause)) = script.error {
            frame.doubt();
            self.keep(Gap::at(snippet.path, format!("{cause}; what follows is not read")));
        }
    }
}

/// Hidden files and those without a name are none.
fn is_snippet(name: &str) -> bool {
    !name.starts_with('.') && name.strip_suffix(".conf").is_some_and(|id| !id.is_empty())
}

/// Inserts each before the first that is older, and whether no two are equal.
fn insert_all(snippets: Vec<Snippet>, has_plus: bool) -> (Vec<Snippet>, bool) {
    let mut sorted: Vec<Snippet> = Vec::with_capacity(snippets.len());
    let mut is_total = true;
    for snippet in snippets {
        let order = |known: &Snippet| version::compare(&snippet.id, &known.id, has_plus);
        is_total &= sorted.iter().all(|known| order(known).is_ne());
        let at = sorted.iter().position(|known| order(known) == Ordering::Greater).unwrap_or(sorted.len());
        sorted.insert(at, snippet);
    }
    (sorted, is_total)
}

/// Keys and values: the first line without a value ends the file, an empty one as well.
fn lines(bytes: &[u8]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1_u32..) {
        let line = text(&line.iter().copied().filter(|&byte| byte != b'\r').collect::<Vec<u8>>());
        let line = line.trim_start_matches([' ', '\t']);
        if line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once(' ').or_else(|| line.split_once('\t')) else { break };
        if value.is_empty() {
            break;
        }
        let value = value.trim_start_matches([' ', '\t']).to_owned();
        lines.push(Line { number, key: key.to_owned(), value });
    }
    lines
}

/// The script that GRUB makes of an entry.
fn source(snippet: &Snippet, linux: &str, environment: &Environment) -> String {
    let defaults = || environment.get("default_kernelopts").unwrap_or_else(|| format!("${UNKNOWN}"));
    let fallback = || environment.is_set("default_kernelopts").then(|| expand(&defaults(), environment)).flatten();
    let options = snippet.value("options").and_then(|options| expand(options, environment)).or_else(fallback);
    let saves = match environment.get("save_default").as_deref() {
        Some("true") => "savedefault\n",
        _ => "",
    };
    let options = options.map(|options| format!(" {options}")).unwrap_or_default();
    let mut source = format!("{saves}load_video\nset gfxpayload=keep\ninsmod gzio\nlinux ($root){linux}{options}\n");
    let initrds: Vec<&str> = snippet.all("initrd").collect();
    let early = environment.is_set("early_initrd").then(|| environment.get("early_initrd"));
    if initrds.is_empty() && early.is_none() {
        return source;
    }
    source.push_str("initrd");
    if let Some(early) = early {
        let first = initrds.first().copied().unwrap_or(linux);
        let folder = first.rsplit_once('/').map_or("", |(folder, _)| folder);
        for name in early.unwrap_or_else(|| format!("${UNKNOWN}")).split(' ') {
            source.extend([" ($root)", folder, "/", name]);
        }
    }
    for initrd in initrds {
        source.extend([" ($root)", initrd]);
    }
    source.push('\n');
    source
}

/// `expand_val`: variables replaced, each with a blank behind it; one that is not set before any other text ends it all.
fn expand(value: &str, environment: &Environment) -> Option<String> {
    let bytes = value.as_bytes();
    let mut buffer = None;
    let (mut start, mut end, mut is_variable) = (0_usize, 0_usize, false);
    for (at, &byte) in bytes.iter().enumerate() {
        if byte == b'$' && bytes.get(end) != Some(&b'\\') {
            if start != end {
                buffer = Some(append(is_variable, buffer, bytes, (start, end), environment)?);
            }
            is_variable = true;
            start = at.saturating_add(1);
        } else if is_variable && !byte.is_ascii_alphanumeric() && byte != b'_' {
            buffer = append(is_variable, buffer, bytes, (start, end), environment);
            is_variable = false;
            start = if byte == b' ' { at.saturating_add(1) } else { at };
        }
        end = at;
    }
    if start != end {
        buffer = Some(append(is_variable, buffer, bytes, (start, end), environment)?);
    }
    buffer
}

fn append(
    is_variable: bool,
    buffer: Option<String>,
    bytes: &[u8],
    (start, end): (usize, usize),
    environment: &Environment,
) -> Option<String> {
    let field = text(bytes.get(start..end.saturating_add(1)).unwrap_or_default());
    if !is_variable {
        return Some(buffer.unwrap_or_default() + &field);
    }
    if !environment.is_set(&field) {
        return buffer;
    }
    let value = environment.get(&field).unwrap_or_else(|| format!("${UNKNOWN}"));
    Some(format!("{}{value} ", buffer.unwrap_or_default()))
}

/// A command at the line of the entry's file that it comes from.
fn moved(statement: &Statement, to: u32) -> Statement {
    match statement.clone() {
        Statement::Command { words, block, .. } => Statement::Command { line: to, words, block },
        other => other,
    }
}
