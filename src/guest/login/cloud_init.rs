//! /etc/cloud → cloud-init's configuration (`cloudinit/util.py`, `read_conf_with_confd`).

use super::identify;
use super::merge::add;
use super::yaml::{Yaml, parse};
use crate::bytes::text;
use crate::disk::filesystem::{FileType, GuestPath, Root};
use crate::error::{Error, ErrorKind, Result};
use crate::fact::Fact;
use crate::guest::{CloudInit, Datasources};
use crate::limits::Limits;

/// The configuration (`cloudinit/settings.py`, `CLOUD_CONFIG`).
const CONFIG: &str = "/etc/cloud/cloud.cfg";
/// Further ones, where [`CONFIG`] names no other folder.
const CONFIG_FOLDER: &str = "/etc/cloud/cloud.cfg.d";
/// Files of one folder; Ubuntu has 5.
const MAX_FILES: usize = 64;

/// A configuration file as it stands.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: Result<String>,
}

/// cloud-init's configuration; where nothing is configured its built-in one.
///
/// # Errors
/// When the folder cannot be listed. A file that cannot be read, or that cloud-init ignores with a warning, is a gap in
/// everything that it may set.
pub fn read(root: &Root, limits: &Limits) -> Result<CloudInit> {
    let is_there = |main: &Source| !matches!(&main.text, Err(error) if error.kind == ErrorKind::NotFound);
    let main = Some(source(root, CONFIG.to_owned(), limits)).filter(is_there);
    let folder = folder(root, CONFIG_FOLDER, limits)?;
    let identified = identify::datasources(main.iter().chain(&folder)).into();
    let own = root.read_if_exists(identify::CONFIG, limits.config_file);
    let own = own.map(|own| identify::own(&text(&own.unwrap_or_default())));
    let configuration = configure(root, main.as_ref(), folder, limits);
    Ok(CloudInit {
        files: configuration.as_ref().map(Configuration::files).unwrap_or_default(),
        datasources: leaf(&configuration, Configuration::datasources),
        identified,
        policy: own.clone().map(|own| own.policy).into(),
        datasource: own.map(|own| own.datasource).into(),
        modules: leaf(&configuration, |c| Ok(c.modules())),
        default_user: leaf(&configuration, |c| Ok(c.default_user())),
        disable_root: leaf(&configuration, |c| Ok(c.is_set("disable_root", is_on))),
        deletes_host_keys: leaf(&configuration, |c| Ok(c.is_set("ssh_deletekeys", Yaml::is_truthy))),
        growpart: leaf(&configuration, |c| Ok(c.growpart())),
        growpart_devices: leaf(&configuration, |c| Ok(c.growpart_devices())),
        resizes_root: leaf(&configuration, |c| Ok(c.is_set("resize_rootfs", resizes))),
    })
}

fn leaf<T>(configuration: &Result<Configuration>, part: impl FnOnce(&Configuration) -> Result<T>) -> Fact<T> {
    configuration.as_ref().map_err(Error::clone).and_then(part).into()
}

fn source(root: &Root, path: String, limits: &Limits) -> Source {
    let utf8 = |bytes| String::from_utf8(bytes).map_err(|_| Error::corrupt("cloud-init configuration", "not UTF-8"));
    let text = root.read(&path, limits.config_file).and_then(utf8).map_err(|error| error.at(path.clone()));
    Source { path, text }
}

/// Files of a folder that end in `.cfg`, sorted (`read_conf_d`); none where there is no folder.
fn folder(root: &Root, path: &str, limits: &Limits) -> Result<Vec<Source>> {
    let listing = match root.list(path) {
        Ok(listing) => listing,
        Err(error) if error.kind == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    if let Some(gap) = listing.gaps.first() {
        return Err(Error::new(ErrorKind::Io, "folder").because(gap.reason.clone()).at(path));
    }
    let mut sources = Vec::new();
    for entry in listing.items.iter().filter(|entry| entry.name.ends_with(b".cfg")) {
        let file = GuestPath::new(path).join(&entry.name);
        match root.metadata(&file) {
            Ok(metadata) if metadata.file_type == FileType::Regular => {}
            Ok(_) => continue,
            Err(error) if error.kind == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        }
        if sources.len() >= MAX_FILES {
            return Err(Error::too_large("folder", format!("more than {MAX_FILES} configuration files")).at(path));
        }
        sources.push(source(root, file.to_text(), limits));
    }
    Ok(sources)
}

/// What the files set together, and what each sets.
#[derive(Debug)]
struct Configuration {
    /// Path and document of each, the one that wins last.
    parts: Vec<(String, Yaml)>,
    merged: Yaml,
}

/// Merges `main` with `folder`, or with the folder that it names (`conf_d`).
fn configure(root: &Root, main: Option<&Source>, own: Vec<Source>, limits: &Limits) -> Result<Configuration> {
    let mut parts: Vec<(String, Yaml)> = main.map(load).transpose()?.into_iter().collect();
    let others = match parts.first().and_then(|(_, document)| document.get("conf_d")) {
        None => own,
        Some(value) if !value.is_truthy() => Vec::new(),
        Some(Yaml::Text(path)) => folder(root, path.trim(), limits)?,
        Some(_) => return Err(Error::corrupt("cloud-init configuration", "conf_d is no path").at(CONFIG)),
    };
    for other in &others {
        parts.push(load(other)?);
    }
    let mut merged = Yaml::Map(Vec::new());
    for (_, document) in parts.iter().rev() {
        add(&mut merged, document.clone());
    }
    Ok(Configuration { parts, merged })
}

/// The document of one file, a mapping.
fn load(source: &Source) -> Result<(String, Yaml)> {
    let what = "cloud-init configuration";
    let text = source.text.as_ref().map_err(Error::clone)?;
    // `handlers/jinja_template.py`, `templater.py`: with an instance's data such a file is rendered first.
    let header = text.lines().next().unwrap_or_default().to_ascii_lowercase();
    if header.strip_prefix("##").is_some_and(|rest| rest.trim_start().starts_with("template:")) {
        let cause = "it is a template, what it sets depends on the instance";
        return Err(Error::unsupported(what, cause).at(&source.path));
    }
    let document = match parse(text).map_err(|error| error.at(&source.path))? {
        Yaml::Null => Yaml::Map(Vec::new()),
        document @ Yaml::Map(_) => document,
        _ => return Err(Error::corrupt(what, "it is no mapping, cloud-init ignores the file").at(&source.path)),
    };
    for key in ["merge_how", "merge_type"] {
        if document.get(key).is_some() {
            let cause = format!("it sets {key}, which this version does not follow");
            return Err(Error::unsupported(what, cause).at(&source.path));
        }
    }
    Ok((source.path.clone(), document))
}

impl Configuration {
    fn files(&self) -> Vec<String> {
        self.parts.iter().map(|(path, _)| path.clone()).collect()
    }

    /// Whether `is` holds of the value of `key`, or there is none.
    fn is_set(&self, key: &str, is: fn(&Yaml) -> bool) -> bool {
        self.merged.get(key).is_none_or(is)
    }

    fn datasources(&self) -> Result<Option<Datasources>> {
        const KEY: &str = "datasource_list";
        let Some(value) = self.merged.get(KEY) else { return Ok(None) };
        let setter = self.parts.iter().rev().find_map(|(path, part)| Some((path, part.pair(KEY)?.line)));
        let (path, line) = setter.map_or((CONFIG, 1), |(path, line)| (path.as_str(), line));
        let refuse = || Error::corrupt(KEY, format!("it is no list of names in line {line}")).at(path);
        let names = match value {
            Yaml::List(items) => items.iter().map(|item| item.to_text().ok_or_else(refuse)).collect::<Result<_>>()?,
            value if !value.is_truthy() => Vec::new(),
            _ => return Err(refuse()),
        };
        Ok(Some(Datasources { names, path: path.to_owned(), line }))
    }

    /// `config/modules.py`, `_read_modules` and `form_module_name`.
    fn modules(&self) -> Vec<String> {
        let stages = ["cloud_init_modules", "cloud_config_modules", "cloud_final_modules"];
        let items = stages.iter().filter_map(|stage| match self.merged.get(stage) {
            Some(Yaml::List(items)) => Some(items),
            _ => None,
        });
        let name = |item: &Yaml| match item {
            Yaml::Text(name) => Some(name.clone()),
            Yaml::List(parts) => parts.first().and_then(Yaml::to_text),
            Yaml::Map(_) => item.get("name").and_then(Yaml::to_text),
            _ => None,
        };
        let canonical = |name: String| {
            let name = name.trim().replace('-', "_");
            let name = name.strip_suffix(".py").unwrap_or(&name);
            name.strip_prefix("cc_").unwrap_or(name).to_owned()
        };
        items.flatten().filter_map(name).map(canonical).collect()
    }

    fn default_user(&self) -> Option<String> {
        match self.merged.get("system_info")?.get("default_user")?.get("name")? {
            Yaml::Text(name) => Some(name.clone()),
            _ => None,
        }
    }

    /// `config/cc_growpart.py`: anything but a mapping switches it off.
    fn growpart(&self) -> String {
        let mode = match self.merged.get("growpart") {
            None => None,
            Some(map @ Yaml::Map(_)) => map.get("mode"),
            Some(_) => return "off".to_owned(),
        };
        match mode {
            None => "auto".to_owned(),
            Some(mode) if *mode == Yaml::Bool(false) || is_word(mode, &["off", "0", "no", "false"]) => "off".to_owned(),
            Some(mode) => mode.to_text().unwrap_or_else(|| "no word".to_owned()),
        }
    }

    /// `util.py`, `get_cfg_option_list`.
    fn growpart_devices(&self) -> Vec<String> {
        match self.merged.get("growpart").and_then(|growpart| growpart.get("devices")) {
            None => vec!["/".to_owned()],
            Some(Yaml::Null) => Vec::new(),
            Some(Yaml::List(items)) => items.iter().filter_map(Yaml::to_text).collect(),
            Some(value) => value.to_text().into_iter().collect(),
        }
    }
}

/// `util.py`, `translate_bool`.
fn is_on(value: &Yaml) -> bool {
    *value == Yaml::Bool(true) || is_word(value, &["true", "1", "on", "yes"])
}

/// `config/cc_resizefs.py`: it also runs in the background.
fn resizes(value: &Yaml) -> bool {
    is_on(value) || is_word(value, &["noblock"])
}

fn is_word(value: &Yaml, words: &[&str]) -> bool {
    let text = value.to_text().unwrap_or_default();
    words.contains(&text.trim().to_lowercase().as_str())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
