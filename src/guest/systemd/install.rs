//! What `systemctl is-enabled` says of a unit (systemd 257, src/shared/install.c, `unit_file_lookup_state`).
//!
//! Versions before 254 do not know `.upholds` and `UpheldBy=`.

use super::name::{self, Kind};
use super::tree::{End, Node, Tree, file_name};
use super::{conf_files, ini};
use crate::disk::filesystem::GuestPath;
use crate::error::{Error, ErrorKind};
use crate::guest::Setting;

/// Links that systemd follows (`UNIT_FILE_FOLLOW_SYMLINK_MAX`).
const MAX_FOLLOWED: usize = 64;

/// Why a unit has no state.
#[derive(Debug)]
pub(super) enum Halt {
    /// `not-found`: there is no such file.
    NotFound,
    /// `bad`: systemd refuses the file or link.
    Bad,
    /// It could not be read.
    Unknown(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        if error.kind == ErrorKind::NotFound { Self::NotFound } else { Self::Unknown(error) }
    }
}

/// A unit file as `systemctl` sees it.
#[derive(Debug)]
pub(super) struct Info {
    /// The name at the end of its aliases.
    pub(super) name: String,
    /// The file.
    pub(super) path: GuestPath,
    /// What installs it, specifiers not expanded.
    pub(super) aliases: Vec<String>,
    pub(super) wanted_by: Vec<String>,
    pub(super) required_by: Vec<String>,
    pub(super) upheld_by: Vec<String>,
    /// `Also=`, expanded.
    pub(super) also: Vec<String>,
    pub(super) default_instance: Option<String>,
    mode: Mode,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mode {
    Regular,
    Masked,
    Alias(GuestPath),
    Linked(GuestPath),
}

impl Info {
    pub(super) fn is_masked(&self) -> bool {
        self.mode == Mode::Masked
    }

    pub(super) fn has_rules(&self) -> bool {
        ![&self.aliases, &self.wanted_by, &self.required_by, &self.upheld_by].iter().all(|list| list.is_empty())
    }

    /// Applies one file's `[Install]`; an invalid `Also=` makes systemd refuse it.
    fn apply(&mut self, settings: &[Setting]) -> Result<(), Halt> {
        for setting in settings.iter().filter(|setting| setting.section == "Install") {
            match setting.key.as_str() {
                "Alias" if !name::may_alias(&self.name) => {}
                "Alias" => extend(&mut self.aliases, &setting.value),
                "WantedBy" => extend(&mut self.wanted_by, &setting.value),
                "RequiredBy" => extend(&mut self.required_by, &setting.value),
                "UpheldBy" => extend(&mut self.upheld_by, &setting.value),
                "Also" => {
                    for word in setting.value.split_whitespace() {
                        let name = name::expand(word, &self.name, self.default_instance.as_deref());
                        name::kind(&name).ok_or(Halt::Bad)?;
                        self.also.push(name);
                    }
                }
                "DefaultInstance" if name::kind(&self.name) == Some(Kind::Template) => {
                    let default = name::expand(&setting.value, &self.name, None);
                    let is_valid = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
                    if default.chars().all(is_valid) {
                        self.default_instance = Some(default).filter(|default| !default.is_empty());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// `config_parse_strv`: an empty value resets, a quote that is never closed drops the assignment.
fn extend(list: &mut Vec<String>, value: &str) {
    if value.is_empty() {
        list.clear();
    }
    list.extend(ini::words(value).unwrap_or_default());
}

/// The file that counts for `name` and its state.
pub(super) fn state(tree: &Tree<'_>, name: &str) -> Result<(Info, &'static str), Halt> {
    let info = discover(tree, name)?;
    let state = match info.mode {
        Mode::Masked if is_runtime(&info.path) => "masked-runtime",
        Mode::Masked => "masked",
        _ if file_name(&info.path) != name && name::kind(&info.name) != Some(Kind::Instance) => "alias",
        _ if is_in(&info.path, &["generator", "generator.early", "generator.late"]) => "generated",
        _ if is_in(&info.path, &["transient"]) => "transient",
        _ => match links(tree, &info, true) {
            Some(state) => state,
            None if links(tree, &info, false).is_some() => "indirect",
            None if info.has_rules() => "disabled",
            None if !info.also.is_empty() => "indirect",
            None => "static",
        },
    };
    Ok((info, state))
}

fn is_runtime(path: &GuestPath) -> bool {
    path.as_bytes().starts_with(b"/run/")
}

fn is_in(path: &GuestPath, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.parent() == GuestPath::new(format!("/run/systemd/{folder}")))
}

/// `install_info_discover`: searches, and follows links and aliases to the file.
pub(super) fn discover(tree: &Tree<'_>, name: &str) -> Result<Info, Halt> {
    let mut info = search(tree, name)?;
    for _ in 0..MAX_FOLLOWED {
        let (target, is_alias) = match &info.mode {
            Mode::Regular | Mode::Masked => return Ok(info),
            Mode::Alias(target) => (target.clone(), true),
            Mode::Linked(target) => (target.clone(), false),
        };
        let target_name = file_name(&target);
        let mut next = target_name.clone();
        if let Some(instance) = name::instance(&info.name).filter(|_| name::kind(&next) == Some(Kind::Template)) {
            next = name::with_instance(&next, instance);
        }
        if !is_alias || target_name == info.name || next == info.name {
            info.path = target;
            let node = look(tree, &info.path)?;
            load(tree, &mut info, &node)?;
        } else {
            info = search(tree, &next).map_err(|halt| match halt {
                Halt::NotFound => Halt::Bad,
                other => other,
            })?;
        }
    }
    Err(Halt::Bad)
}

fn look(tree: &Tree<'_>, path: &GuestPath) -> Result<Node, Halt> {
    use crate::disk::filesystem::FileType;
    Ok(match tree.root.symlink_metadata(path)?.file_type {
        FileType::Regular => Node::File,
        FileType::Symlink => Node::Link(tree.root.read_link(path)?),
        FileType::Directory | FileType::Other => Node::Other,
    })
}

/// `unit_file_search`: the first file of the name, else of its template, with the drop-ins of both.
fn search(tree: &Tree<'_>, name: &str) -> Result<Info, Halt> {
    let kind = name::kind(name).ok_or(Halt::Bad)?;
    let template = name::template(name).filter(|_| kind == Kind::Instance);
    let names: Vec<&str> = std::iter::once(name).chain(template.as_deref()).collect();
    let found = names.iter().find_map(|name| {
        tree.folders.iter().find_map(|folder| Some((folder.path.join(name.as_bytes()), folder.units.get(*name)?)))
    });
    let (path, node) = found.ok_or(Halt::NotFound)?;
    let mut info = Info {
        name: name.to_owned(),
        path,
        aliases: Vec::new(),
        wanted_by: Vec::new(),
        required_by: Vec::new(),
        upheld_by: Vec::new(),
        also: Vec::new(),
        default_instance: None,
        mode: Mode::Regular,
    };
    load(tree, &mut info, node)?;
    if info.is_masked() {
        return Ok(info);
    }
    let below = names.iter().flat_map(|name| {
        let name = format!("{name}.d");
        tree.folders
            .iter()
            .filter_map(move |folder| Some((folder.path.join(name.as_bytes()), &folder.below.get(&name)?.entries)))
    });
    for path in conf_files(below, ".conf") {
        let contents = tree.read(&path)?;
        info.apply(contents.settings.as_ref().map_err(|_| Halt::Bad)?)?;
    }
    Ok(info)
}

/// `unit_file_load_or_readlink`.
fn load(tree: &Tree<'_>, info: &mut Info, node: &Node) -> Result<(), Halt> {
    if name::kind(&info.name) != Some(Kind::Plain) && !name::may_template(&info.name) {
        return Err(Halt::Bad);
    }
    match node {
        Node::Other => return Err(Halt::Bad),
        Node::File => {
            let contents = tree.read(&info.path)?;
            info.apply(contents.settings.as_ref().map_err(|_| Halt::Bad)?)?;
            info.mode = if contents.is_empty { Mode::Masked } else { Mode::Regular };
        }
        Node::Link(target) => {
            let name = file_name(&info.path);
            let (target, is_alias) = resolve(tree, &info.path.parent(), &name, target)?;
            info.mode = match tree.end(&target)?.1 {
                End::Null => Mode::Masked,
                End::Loop => return Err(Halt::Bad),
                _ if is_alias => Mode::Alias(target),
                _ => Mode::Linked(target),
            };
        }
    }
    Ok(())
}

/// `unit_file_resolve_symlink`: where a link of a unit's name points, and whether that is another unit's name.
pub(super) fn resolve(
    tree: &Tree<'_>,
    folder: &GuestPath,
    name: &str,
    target: &[u8],
) -> Result<(GuestPath, bool), Halt> {
    let target = tree.chase(folder, target).map_err(|error| match error.kind {
        ErrorKind::NotFound | ErrorKind::Corrupt => Halt::Bad,
        _ => Halt::Unknown(error),
    })?;
    let is_alias = tree.is_in_search_path(&target);
    if is_alias && !is_valid_alias(name, &file_name(&target)) {
        return Err(Halt::Bad);
    }
    Ok((target, is_alias))
}

/// `unit_validate_alias_symlink_or_warn`, src/shared/unit-file.c.
fn is_valid_alias(name: &str, target: &str) -> bool {
    let (Some(own), Some(other)) = (name::kind(name), name::kind(target)) else { return false };
    let is_kind = own == other || (own == Kind::Instance && other == Kind::Template);
    let is_instance = other != Kind::Instance || name::instance(name) == name::instance(target);
    let is_type = name::may_alias(name) && (own == Kind::Plain || name::may_template(name));
    name != target && is_type && is_kind && is_instance && name::suffix(name) == name::suffix(target)
}

/// `find_symlinks_in_scope`: the state that links to the unit give it; with `is_named` only those count that its
/// `[Install]` would make.
fn links(tree: &Tree<'_>, info: &Info, is_named: bool) -> Option<&'static str> {
    let config = GuestPath::new("/etc/systemd/system");
    let (mut in_run, mut anywhere, mut linked, mut linked_in_run) = (false, false, false, false);
    let mut is_below_file = false;
    for folder in &tree.folders {
        let mut same_name = false;
        if has_links(folder, info, is_named, is_below_file, &mut same_name) {
            if folder.path == config {
                return Some("enabled");
            }
            in_run |= folder.is_runtime;
            anywhere |= !folder.is_runtime;
        } else if same_name {
            linked |= folder.path == config;
            linked_in_run |= folder.is_runtime;
        }
        is_below_file |= info.path.below(&folder.path).is_some();
    }
    match () {
        () if in_run => Some("enabled-runtime"),
        () if anywhere && name::kind(&info.name) == Some(Kind::Instance) => Some("static"),
        () if linked => Some("linked"),
        () if linked_in_run => Some("linked-runtime"),
        () => None,
    }
}

/// `find_symlinks` in one folder.
fn has_links(
    folder: &super::tree::Folder,
    info: &Info,
    is_named: bool,
    is_below_file: bool,
    same_name: &mut bool,
) -> bool {
    let counts = |name: &str| !is_named || is_known(info, name);
    let is_pulling = |name: &str| [".wants", ".requires", ".upholds"].iter().any(|suffix| name.ends_with(suffix));
    let below = folder.below.iter().filter(|(name, below)| is_pulling(name) && !below.is_link);
    let mut pulled = below.flat_map(|(_, below)| &below.entries).filter(|(_, node)| matches!(node, Node::Link(_)));
    if pulled
        .any(|(name, _)| (*name == info.name || name::template(name).is_some_and(|t| t == info.name)) && counts(name))
    {
        return true;
    }
    let mut found = false;
    for (name, node) in &folder.units {
        let Node::Link(target) = node else { continue };
        let is_target = file_name(&GuestPath::new(target)) == info.name;
        let is_name = !is_below_file && *name == info.name;
        if is_target && is_name {
            *same_name = true;
        } else if is_target || is_name {
            found |= counts(name);
        }
    }
    found
}

/// `is_symlink_with_known_name`.
fn is_known(info: &Info, name: &str) -> bool {
    let default = info.default_instance.as_ref().filter(|_| name::kind(&info.name) == Some(Kind::Template));
    name == info.name
        || info.aliases.iter().any(|alias| alias == name)
        || default.is_some_and(|default| name::with_instance(&info.name, default) == name)
}
