//! extlinux.conf and what it includes → labels and settings (syslinux, `com32/elflink/ldlinux/readconfig.c`).

use crate::bytes::text;
use crate::disk::filesystem::Root;
use crate::error::ErrorKind;
use crate::fact::Gap;
use crate::guest::bootloader::entry::MAX_ENTRIES;
use crate::limits::Limits;

/// Bytes of one line: `MAX_LINE` without its newline and NUL.
const MAX_LINE: usize = 4094;
/// Files within each other.
const MAX_DEPTH: usize = 8;
/// Files read for one configuration.
const MAX_FILES: usize = 64;

/// Types of a kernel, which are keywords as well.
const TYPES: &[&str] =
    &["none", "localboot", "kernel", "linux", "boot", "bss", "pxe", "fdimage", "comboot", "com32", "config"];

/// The number of the menu that hidden labels stand in.
const HIDDEN: usize = 1;

/// One label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) name: String,
    pub(super) title: String,
    /// Of the kernel, or of the label where it names none.
    pub(super) line: u32,
    /// A keyword of [`TYPES`], or `menu` for what only leads through menus.
    pub(super) kind: String,
    /// Kernel and words, as they are started.
    pub(super) command: String,
    pub(super) is_hidden: bool,
}

/// The label that is being read.
#[derive(Clone, Debug, Default)]
struct Open {
    label: Label,
    append: Option<String>,
    initrd: Option<String>,
    is_default: bool,
    is_disabled: bool,
}

/// A line's text and number.
pub(super) type Setting = Option<(u32, String)>;

/// A configuration as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) labels: Vec<Label>,
    /// Rows of the first menu: its labels by index, `None` for what is none.
    pub(super) rows: Vec<Option<usize>>,
    /// The row of the first menu that is highlighted.
    pub(super) highlighted: usize,
    pub(super) default: Setting,
    pub(super) ui: Setting,
    pub(super) on_timeout: Setting,
    pub(super) waits_for: u64,
    pub(super) has_prompt: bool,
    pub(super) is_explicit: bool,
    /// Lines by which another label may be started than the rest says.
    pub(super) doubts: Vec<(u32, &'static str)>,
    pub(super) gaps: Vec<Gap>,
}

/// Reads the configuration at `path`.
pub(super) fn parse(root: &Root, path: &str, limits: &Limits) -> Script {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parser = Parser {
        root,
        folder,
        limits,
        script: Script::default(),
        open: None,
        append: None,
        menus: vec![0],
        menu_count: 2,
        files: 0,
    };
    parser.file(path, 0);
    parser.record();
    parser.script
}

/// A path of the configuration as a path of its volume.
pub(super) fn place(folder: &str, name: &str) -> String {
    if name.starts_with('/') { name.to_owned() } else { format!("{folder}/{name}") }
}

struct Parser<'a> {
    root: &'a Root,
    folder: &'a str,
    limits: &'a Limits,
    script: Script,
    open: Option<Open>,
    /// `APPEND` outside of labels.
    append: Option<String>,
    /// Numbers of the menus within each other; 0 is the first.
    menus: Vec<usize>,
    menu_count: usize,
    files: usize,
}

impl Parser<'_> {
    fn file(&mut self, path: &str, depth: usize) {
        self.files = self.files.saturating_add(1);
        if depth >= MAX_DEPTH || self.files > MAX_FILES {
            return self.script.gaps.push(Gap::at(path, "too many files include each other; the rest is not read"));
        }
        let bytes = match self.root.read(path, self.limits.boot_config) {
            Ok(bytes) => bytes,
            Err(error) if error.kind == ErrorKind::NotFound && depth > 0 => return,
            Err(error) => return self.script.gaps.push(error.at(path).into()),
        };
        let mut is_text = false;
        for (bytes, number) in bytes.split(|&byte| byte == b'\n').zip(1_u32..) {
            if bytes.len() > MAX_LINE {
                let cause = format!("line {number} has more than {MAX_LINE} bytes; the rest is not read");
                return self.script.gaps.push(Gap::at(path, cause));
            }
            let end = bytes.iter().position(|byte| matches!(byte, 0 | b'\r')).unwrap_or(bytes.len());
            let line = text(bytes.get(..end).unwrap_or_default());
            let (key, value) = word(&line);
            let key = key.to_ascii_lowercase();
            if is_text {
                is_text = key != "endtext";
            } else if key == "text" {
                is_text = true;
            } else {
                self.line(number, &key, value, depth);
            }
        }
    }

    fn line(&mut self, number: u32, key: &str, value: &str, depth: usize) {
        let setting = || Some((number, value.to_owned()));
        match key {
            "menu" => self.menu(number, value, depth),
            "include" => self.file(&place(self.folder, word(value).0), depth.saturating_add(1)),
            "append" => match &mut self.open {
                Some(open) => open.append = Some(value.to_owned()),
                None => self.append = Some(value.to_owned()),
            },
            "initrd" => {
                if let Some(open) = &mut self.open {
                    open.initrd = Some(value.to_owned());
                }
            }
            "label" => {
                self.record();
                let name = word(value).0.to_owned();
                let label = Label {
                    title: name.clone(),
                    line: number,
                    kind: "kernel".to_owned(),
                    command: name.clone(),
                    name,
                    is_hidden: false,
                };
                self.open = Some(Open { label, ..Open::default() });
            }
            "timeout" | "totaltimeout" => self.script.waits_for = self.script.waits_for.max(leading_number(value)),
            "ontimeout" => self.script.on_timeout = setting(),
            "default" => self.script.default = setting(),
            "ui" => self.script.ui = setting(),
            "prompt" => self.script.has_prompt = leading_number(value) != 0,
            "implicit" => self.script.is_explicit = leading_number(value) == 0,
            _ if TYPES.contains(&key) => {
                if let Some(open) = &mut self.open {
                    value.clone_into(&mut open.label.command);
                    key.clone_into(&mut open.label.kind);
                    open.label.line = number;
                }
            }
            _ => {}
        }
    }

    fn menu(&mut self, number: u32, line: &str, depth: usize) {
        let (key, value) = word(line);
        match (key.to_ascii_lowercase().as_str(), &mut self.open) {
            ("label", Some(open)) => open.label.title = value.replace('^', ""),
            ("default", Some(open)) => open.is_default = true,
            ("default", None) => self.script.doubts.push((number, "the default is in another menu")),
            ("hide", Some(open)) => open.label.is_hidden = true,
            ("disable" | "disabled", Some(open)) => open.is_disabled = true,
            ("goto" | "exit" | "quit", Some(open)) => "menu".clone_into(&mut open.label.kind),
            ("save", _) => self.script.doubts.push((number, "what was started last is started again")),
            ("start", _) => self.script.doubts.push((number, "another menu comes first")),
            ("separator", _) => {
                self.record();
                self.row(None);
            }
            ("begin", _) => {
                self.record();
                self.begin();
            }
            ("end", _) => {
                self.record();
                if self.menus.len() > 1 {
                    self.menus.pop();
                }
            }
            ("include", _) => {
                let (file, tag) = word(value);
                let path = place(self.folder, file);
                if !tag.is_empty() {
                    self.record();
                    self.begin();
                }
                self.file(&path, depth.saturating_add(1));
                if !tag.is_empty() {
                    self.record();
                    self.menus.pop();
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self) {
        self.row(None);
        self.menu_count = self.menu_count.saturating_add(1);
        self.menus.push(self.menu_count);
    }

    fn row(&mut self, label: Option<usize>) {
        if self.menus.last() == Some(&0) && self.script.rows.len() < MAX_ENTRIES {
            self.script.rows.push(label);
        }
    }

    /// Ends the label that is being read: what it starts is the kernel, its words or else those of all, its initrd.
    fn record(&mut self) {
        let Some(Open { mut label, append, initrd, is_default, is_disabled }) = self.open.take() else { return };
        if self.script.labels.len() >= MAX_ENTRIES {
            if self.script.labels.len() == MAX_ENTRIES && !self.script.gaps.iter().any(|gap| gap.reason == TOO_MANY) {
                self.script.gaps.push(Gap::new(TOO_MANY));
            }
            return;
        }
        let append = append.or_else(|| self.append.clone()).filter(|append| append != "-").unwrap_or_default();
        for part in [append, initrd.map(|initrd| format!("initrd={initrd}")).unwrap_or_default()] {
            if !part.is_empty() {
                label.command.push(' ');
                label.command.push_str(&part);
            }
        }
        let index = self.script.labels.len();
        let is_command = label.kind != "menu" && !is_disabled;
        let menu = if label.is_hidden { HIDDEN } else { self.menus.last().copied().unwrap_or(0) };
        if is_disabled {
            return self.row(None);
        }
        if menu == 0 {
            if is_default && is_command {
                self.script.highlighted = self.script.rows.len();
            }
            self.row(is_command.then_some(index));
        }
        self.script.labels.push(label);
    }
}

const TOO_MANY: &str = "extlinux.conf: more than 1000 labels; the rest is not read";

/// The first word of a line, and what follows it.
pub(super) fn word(line: &str) -> (&str, &str) {
    let is_blank = |it: char| it <= ' ';
    let line = line.trim_start_matches(is_blank);
    line.split_once(is_blank).map_or((line, ""), |(word, rest)| (word, rest.trim_start_matches(is_blank)))
}

/// `atoi`, which takes a negative number for a long time here.
fn leading_number(value: &str) -> u64 {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let end = digits.find(|it: char| !it.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end).unwrap_or_default().parse().unwrap_or(0)
}
