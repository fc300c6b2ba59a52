//! What `systemctl --root enable`, `disable` and `mask` link (systemd 257, src/shared/install.c).

use super::root::Root;
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// Where unit files stand, the first wins (man 5 systemd.unit, "Unit File Load Path").
const FOLDERS: &[&str] =
    &["/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
/// Where links are made.
const LINKS: &str = "/etc/systemd/system";
/// What a masked unit is a link to.
const MASK: &str = "/dev/null";
/// Aliases followed, as `UNIT_FILE_FOLLOW_SYMLINK_MAX`.
const MAX_FOLLOWED: usize = 64;
/// Units that one brings along by `Also=`; real ones name two.
const MAX_ALSO: usize = 64;
/// Folders by which a unit pulls others, and the keys that fill them.
const PULLS: &[(&str, &str)] = &[("WantedBy", "wants"), ("RequiredBy", "requires"), ("UpheldBy", "upholds")];

/// A unit's file.
struct Unit {
    /// At the end of its aliases.
    name: String,
    path: String,
    install: Vec<(String, String)>,
}

/// Switches a unit on.
///
/// # Errors
/// When it is not there, is masked, or has nothing in `[Install]`.
pub(super) fn enable(root: &Root, unit: &str) -> Result<()> {
    let mut waiting = vec![unit.to_owned()];
    let mut done = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if !done.insert(name.clone()) {
            continue;
        }
        if done.len() > MAX_ALSO {
            return Err(wrong(unit, "its Also= names more units than there can be"));
        }
        let found = load(root, &name)?;
        let also = found.values("Also")?;
        let is_linked = link(root, &found)?;
        if !is_linked && also.is_empty() && name == unit {
            return Err(wrong(unit, "it has nothing in [Install], so that nothing can switch it on")
                .help("leave it out of [units] enable: something else starts it, a udev rule or another unit"));
        }
        waiting.extend(also);
    }
    Ok(())
}

/// Takes every link to a unit away that `enable` could have made.
pub(super) fn disable(root: &Root, unit: &str) -> Result<()> {
    for folder in root.names(LINKS)? {
        let path = format!("{LINKS}/{folder}");
        if PULLS.iter().any(|(_, suffix)| folder.ends_with(&format!(".{suffix}"))) {
            root.remove(&format!("{path}/{unit}"))?;
        } else if folder != unit && root.link(&path).is_some_and(|target| is_file_of(&target.to_string_lossy(), unit)) {
            root.remove(&path)?;
        }
    }
    Ok(())
}

/// Makes a unit that nothing can start.
///
/// # Errors
/// When the administrator's own file stands in its place.
pub(super) fn mask(root: &Root, unit: &str) -> Result<()> {
    let path = format!("{LINKS}/{unit}");
    if root.link(&path).is_none() && root.exists(&path) {
        return Err(wrong(unit, format!("{path} is a file; a mask would replace it")));
    }
    root.symlink(MASK, &path)
}

/// Whether there is a file of this unit, or of its template.
pub(super) fn is_there(root: &Root, unit: &str) -> bool {
    find(root, unit).is_some()
}

fn is_file_of(target: &str, unit: &str) -> bool {
    let file = target.rsplit('/').next().unwrap_or_default();
    file == unit || template(unit).is_some_and(|template| file == template)
}

/// Makes the links of `[Install]`; gives whether there were any.
fn link(root: &Root, unit: &Unit) -> Result<bool> {
    let instance = unit.instance()?;
    let mut is_linked = false;
    for alias in unit.values("Alias")? {
        if alias != unit.name {
            root.symlink(&unit.path, &format!("{LINKS}/{alias}"))?;
        }
        is_linked = true;
    }
    for (key, suffix) in PULLS {
        for target in unit.values(key)? {
            root.symlink(&unit.path, &format!("{LINKS}/{target}.{suffix}/{instance}"))?;
            is_linked = true;
        }
    }
    Ok(is_linked)
}

impl Unit {
    /// The name that is linked: a template needs an instance.
    fn instance(&self) -> Result<String> {
        if !self.name.contains("@.") {
            return Ok(self.name.clone());
        }
        let default = self.install.iter().rev().find(|(key, _)| key == "DefaultInstance").map(|(_, value)| value);
        match default.filter(|default| !default.is_empty()) {
            Some(default) => Ok(self.name.replacen("@.", &format!("@{default}."), 1)),
            None if PULLS.iter().all(|(pull, _)| self.install.iter().all(|(key, _)| key != pull)) => {
                Ok(self.name.clone())
            }
            None => Err(wrong(&self.name, "it is a template without DefaultInstance=")
                .help("name an instance, as in getty@tty1.service")),
        }
    }

    /// The words of a key; an empty value forgets those before it.
    fn values(&self, key: &str) -> Result<Vec<String>> {
        let mut words: Vec<String> = Vec::new();
        for (_, value) in self.install.iter().filter(|(known, _)| known == key) {
            if value.is_empty() {
                words.clear();
            }
            for word in value.split_ascii_whitespace() {
                words.push(expanded(word, &self.name)?);
            }
        }
        match words.iter().find(|word| word.contains('/') || word.starts_with('.')) {
            Some(word) => Err(wrong(&self.name, format!("{key}={word} is no name of a unit"))),
            None => Ok(words),
        }
    }
}

/// The specifiers that `[Install]` may have and an image can know (man 5 systemd.unit).
fn expanded(word: &str, unit: &str) -> Result<String> {
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let mut text = String::new();
    let mut letters = word.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('%') => text.push('%'),
            Some('n') => text.push_str(unit),
            Some('N') => text.push_str(stem),
            Some('p') => text.push_str(prefix),
            Some('i') => text.push_str(instance),
            Some('j') => text.push_str(prefix.rsplit('-').next().unwrap_or(prefix)),
            other => {
                return Err(wrong(
                    unit,
                    format!("[Install] has %{}, which an image cannot know", other.unwrap_or(' ')),
                ));
            }
        }
    }
    Ok(text)
}

/// `getty@tty1.service` → `getty@.service`.
fn template(unit: &str) -> Option<String> {
    let (prefix, rest) = unit.split_once('@')?;
    let (_, suffix) = rest.rsplit_once('.')?;
    Some(format!("{prefix}@.{suffix}"))
}

fn find(root: &Root, unit: &str) -> Option<String> {
    let names = [Some(unit.to_owned()), template(unit)];
    let mut paths =
        names.iter().flatten().flat_map(|name| FOLDERS.iter().map(move |folder| format!("{folder}/{name}")));
    paths.find(|path| root.link(path).is_some() || root.exists(path))
}

/// Finds the file, aliases followed by their names.
fn load(root: &Root, unit: &str) -> Result<Unit> {
    let mut name = unit.to_owned();
    for _ in 0..MAX_FOLLOWED {
        let Some(path) = find(root, &name) else {
            return Err(Error::not_found(format!("unit {unit}"))
                .because("the image has no file of it")
                .help("add the package that has it to [packages] install, or leave it out of [units] enable"));
        };
        let target = root.link(&path).map(|target| target.to_string_lossy().into_owned());
        match target {
            Some(target) if target == MASK => {
                return Err(wrong(unit, "it is masked").help("leave it out of [units] enable or mask"));
            }
            Some(target) if !is_file_of(&target, &name) => {
                let file = target.rsplit('/').next().unwrap_or_default();
                // An alias of a template's instance keeps the instance.
                name = match (file.split_once("@."), name.split_once('@').and_then(|(_, rest)| rest.rsplit_once('.'))) {
                    (Some((prefix, suffix)), Some((instance, _))) => format!("{prefix}@{instance}.{suffix}"),
                    _ => file.to_owned(),
                };
            }
            _ => {
                let install = install(root, &path, &name)?;
                return Ok(Unit { name, path, install });
            }
        }
    }
    Err(wrong(unit, "its aliases go round in a circle"))
}

/// The settings of `[Install]`, of the file and of its drop-ins.
fn install(root: &Root, path: &str, name: &str) -> Result<Vec<(String, String)>> {
    let mut settings = parse(&root.text(path)?);
    let mut dropins: Vec<(String, String)> = Vec::new();
    for unit in [Some(name.to_owned()), template(name)].into_iter().flatten() {
        for folder in FOLDERS {
            let folder = format!("{folder}/{unit}.d");
            for file in root
                .names(&folder)?
                .into_iter()
                .filter(|file| Path::new(file).extension().is_some_and(|end| end == "conf"))
            {
                if !dropins.iter().any(|(known, _)| *known == file) {
                    dropins.push((file.clone(), format!("{folder}/{file}")));
                }
            }
        }
    }
    dropins.sort();
    for (_, path) in dropins {
        settings.extend(parse(&root.text(&path)?));
    }
    Ok(settings)
}

fn parse(text: &str) -> Vec<(String, String)> {
    let text = text.replace("\\\n", " ");
    let mut is_install = false;
    let mut settings = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if line.starts_with('[') {
            is_install = line == "[Install]";
        } else if let Some((key, value)) = line.split_once('=').filter(|_| is_install) {
            settings.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    settings
}

fn wrong(unit: &str, cause: impl Into<String>) -> Error {
    Error::corrupt(format!("unit {unit}"), cause)
}
