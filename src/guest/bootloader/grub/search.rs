//! GRUB's `search`: which device a UUID, a label or a file stands for (`info grub`, "search").

use super::environment::Value;
use super::evaluator::{Evaluator, Frame, LOOK, Outcome};
use crate::fact::Fact;
use crate::guest::bootloader::disk::{Found, Tag};

impl Evaluator<'_> {
    /// `search --no-floppy --fs-uuid --set=root UUID`, or the old `search.fs_uuid UUID root hint…`.
    pub(super) fn search(&mut self, name: &str, arguments: &[Value], frame: &mut Frame) -> Outcome {
        let search = Search::read(name, arguments);
        let looks = if let Some(By::File) = search.by { LOOK } else { 1 };
        if !self.spend(looks.saturating_mul(u64::try_from(self.disk.volumes.len()).unwrap_or(u64::MAX))) {
            return self.exhausted(frame);
        }
        let found = match (search.by, &search.name) {
            (_, None) | (None, _) => Found::Unclear,
            (Some(By::Tag(tag)), Some(name)) => self.disk.tagged(tag, name),
            (Some(By::File), Some(path)) => {
                let mut indices = 0..self.disk.volumes.len();
                let holds = |index: &usize| self.disk.root(*index).is_ok_and(|root| root.exists(path).unwrap_or(false));
                indices.find(holds).map_or(Found::Unclear, Found::At)
            }
        };
        let found = self.seen(found, frame);
        let Some(variable) = search.variable else { return Outcome::UNKNOWN };
        match found {
            Found::At(index) => {
                let device = self.disk.grub_name(index);
                frame.environment.set(&variable, Some(device));
                Outcome::of(Some(true))
            }
            Found::Nowhere => Outcome::of(Some(false)),
            Found::Unclear => {
                // In a directory every device is the tree itself.
                let device = self.disk.is_directory().then(|| self.disk.grub_name(0));
                frame.environment.set(&variable, device);
                Outcome::UNKNOWN
            }
        }
    }

    /// GRUB finds only what it has modules to read.
    fn seen(&mut self, found: Found, frame: &mut Frame) -> Found {
        let Found::At(index) = found else { return found };
        match self.readable(index, frame) {
            Fact::Known(None) => found,
            Fact::Known(Some(_)) => Found::Nowhere,
            Fact::Unknown(gap) => {
                self.keep(gap);
                Found::Unclear
            }
        }
    }
}

#[derive(Clone, Copy)]
enum By {
    Tag(Tag),
    File,
}

struct Search {
    by: Option<By>,
    name: Option<String>,
    variable: Option<String>,
}

impl Search {
    fn read(command: &str, arguments: &[Value]) -> Self {
        let fixed = match command {
            "search.fs_uuid" => Some(By::Tag(Tag::Uuid)),
            "search.fs_label" => Some(By::Tag(Tag::Label)),
            "search.part_uuid" => Some(By::Tag(Tag::PartUuid)),
            "search.file" => Some(By::File),
            _ => None,
        };
        if fixed.is_some() {
            let argument = |index: usize| arguments.get(index).cloned().flatten();
            return Self { by: fixed, name: argument(0), variable: argument(1) };
        }
        let mut search = Self { by: None, name: None, variable: None };
        let mut options = arguments.iter().peekable();
        while let Some(argument) = options.next() {
            let Some(argument) = argument else {
                search.name = None;
                continue;
            };
            match argument.as_str() {
                "-u" | "--fs-uuid" => search.by = Some(By::Tag(Tag::Uuid)),
                "-l" | "--label" | "--fs-label" => search.by = Some(By::Tag(Tag::Label)),
                "--part-uuid" => search.by = Some(By::Tag(Tag::PartUuid)),
                "-f" | "--file" => search.by = Some(By::File),
                "-s" | "--set" => search.variable = Some("root".to_owned()),
                "-h" | "--hint" => drop(options.next()),
                option if option.starts_with("--set=") => {
                    search.variable = option.strip_prefix("--set=").map(str::to_owned);
                }
                option if option.starts_with('-') => {}
                // `--set root UUID`: the variable may follow as a word of its own.
                name if search.variable.as_deref() == Some("root") && name == "root" && options.peek().is_some() => {}
                name => search.name = Some(name.to_owned()),
            }
        }
        search
    }
}
