//! Where reports go: standard output, and any number of files, each in a format of its own.

use super::{Usage, failed, is_colourful, print, width};
use crate::error::Error;
use crate::report::{Format, Reported, Style, Verbosity, nearest};
use clap::builder::PossibleValuesParser;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Write as _};
use std::marker::PhantomData;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// In which formats a report is wanted, and where.
#[derive(Debug, clap::Args)]
pub(super) struct Outputs<T: Reported + ?Sized> {
    /// Format of the report on standard output: text unless said otherwise
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(T::FORMATS.iter().map(|format| format.name)))]
    format: Option<String>,
    /// A report in a file besides, as in json=out.json; `-` is standard output (repeatable)
    #[arg(short, long, value_name = "FORMAT=PATH")]
    output: Vec<String>,
    #[arg(skip)]
    reported: PhantomData<fn(&T)>,
}

/// What is written where, found to be possible as far as that can be told beforehand.
#[derive(Debug)]
pub(super) struct Targets<T: Reported + ?Sized> {
    stdout: Option<&'static Format<T>>,
    files: Vec<(&'static Format<T>, PathBuf)>,
}

impl<T: Reported + ?Sized> Outputs<T> {
    /// Looks at every path before an image is read.
    ///
    /// # Errors
    /// For formats that do not exist, two reports in one place, and places that cannot hold one.
    pub(super) fn targets(&self) -> Result<Targets<T>, Usage> {
        let mut stdout = self.format.as_deref().and_then(find);
        let mut files: Vec<(&'static Format<T>, PathBuf)> = Vec::new();
        for text in &self.output {
            let (format, path) = parse(text)?;
            if path != Path::new("-") {
                check(text, &path)?;
                if files.iter().any(|(_, taken)| *taken == path) {
                    return Err(Usage(format!("--output {text}: another report goes there already")));
                }
                files.push((format, path));
            } else if let Some(taken) = stdout.replace(format) {
                return Err(Usage(format!(
                    "--output {text}: standard output has the report as {} already",
                    taken.name
                )));
            }
        }
        Ok(Targets { stdout: stdout.or(T::FORMATS.first()), files })
    }
}

fn find<T: Reported + ?Sized>(name: &str) -> Option<&'static Format<T>> {
    T::FORMATS.iter().find(|format| format.name == name)
}

fn parse<T: Reported + ?Sized>(text: &str) -> Result<(&'static Format<T>, PathBuf), Usage> {
    let expected = || Usage(format!("--output {text}: FORMAT=PATH is expected"));
    let (name, path) = text.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or_else(expected)?;
    let unknown = || {
        let names = || T::FORMATS.iter().map(|format| format.name);
        let hint = nearest(name, names()).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        Usage(format!(
            "--output {text}: there is no format {name:?}{hint} ({})",
            names().collect::<Vec<_>>().join(", ")
        ))
    };
    Ok((find(name).ok_or_else(unknown)?, PathBuf::from(path)))
}

fn check(text: &str, path: &Path) -> Result<(), Usage> {
    if path.is_dir() {
        return Err(Usage(format!("--output {text}: it is a directory, a file is expected")));
    }
    let folder = folder(path);
    if folder.is_dir() {
        return Ok(());
    }
    Err(Usage(format!("--output {text}: there is no directory {}", super::images::shown(folder))))
}

impl<T: Reported + ?Sized> Targets<T> {
    /// Writes the files, then standard output. A file that cannot be written keeps nothing else from being written.
    ///
    /// # Errors
    /// The first that cannot be written; the others are told.
    pub(super) fn write(&self, reported: &T, verbosity: Verbosity) -> anyhow::Result<()> {
        let mut first = Ok(());
        for (format, path) in &self.files {
            let text = (format.write)(reported, Style { verbosity, ..Style::default() });
            let written =
                if format.is_appended { append(path, text.as_bytes()) } else { replace(path, text.as_bytes()) };
            match (written, &first) {
                (Err(error), Ok(())) => first = Err(error),
                (Err(error), Err(_)) => drop(failed(&error.into())),
                (Ok(()), _) => {}
            }
        }
        if let Some(format) = self.stdout {
            let style = Style { has_colour: is_colourful(), width: width(), verbosity };
            print(&(format.write)(reported, style))?;
        }
        Ok(first?)
    }
}

pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file beside its place and renames it, so that a reader finds the old one or the new one, whole.
///
/// # Errors
/// When it cannot be written; what was there stays.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let shown = || super::images::shown(path);
    let failed = |error: io::Error| Error::io("cannot write it", error).at(shown());
    // A link stays a link, and what it names is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let standing = std::fs::metadata(&path).ok();
    if standing.as_ref().is_some_and(|standing| !standing.is_file()) {
        // A device or a pipe holds nothing that could be kept, and a file in its place would not be it.
        return File::options().write(true).open(&path).and_then(|mut file| file.write_all(bytes)).map_err(failed);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let part = folder(&path).join(format!(".{name}.{}.part", std::process::id()));
    let write = || {
        let mut file = File::options().write(true).create_new(true).mode(0o666).open(&part)?;
        if let Some(standing) = &standing {
            file.set_permissions(std::fs::Permissions::from_mode(standing.permissions().mode()))?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, &path)
    };
    write().map_err(|error| {
        // Where it is in the way already, it is not ours.
        if error.kind() != io::ErrorKind::AlreadyExists {
            drop(std::fs::remove_file(&part));
        }
        failed(error)
    })
}

/// Adds to the end of a file, which is created where there is none.
///
/// # Errors
/// When it cannot be written; what was there stays, and nothing more.
fn append(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |error: io::Error| Error::io("cannot write it", error).at(super::images::shown(path));
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::from_raw_mode(0o666)).map_err(|error| failed(error.into()))?;
    let mut file = File::from(file);
    let before = file.metadata().map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.flush()).map_err(|error| {
        if before.is_file() {
            drop(file.set_len(before.len()));
        }
        failed(error)
    })
}
