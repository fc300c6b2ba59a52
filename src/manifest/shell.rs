//! Shell lines with `openstack image create`, `image set`, `volume set` and `glance image-create`: words as a POSIX
//! shell makes them (POSIX.1-2024, 2.2), options as the clients read them.

use super::read::{Reader, is_field, shape};
use super::{Claim, ClaimValue, Claims, Document, Typing};
use crate::error::{Error, Result};

pub(super) const READER: Reader = Reader {
    name: "openstack",
    summary: "shell lines of openstack and glance",
    fits: |_, text| text.lines().any(|line| commands(line).iter().any(|words| command(words).is_some())),
    read,
};

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Word {
    text: String,
    /// A variable or a command is in it: only a shell knows the value.
    is_computed: bool,
    line: u32,
}

fn read(text: &str) -> Result<Document> {
    let commands = split(text)?;
    let images: Vec<Claims> = commands.iter().filter_map(|words| command(words).map(|(_, rest)| image(rest))).collect();
    if images.is_empty() {
        return Err(shape("`openstack image create` or `openstack image set`"));
    }
    Ok(Document { typing: Typing::Strict, images, ..Document::default() })
}

/// For a look: a line that is not whole counts as far as it goes.
fn commands(line: &str) -> Vec<Vec<Word>> {
    split(line.trim_end().trim_end_matches('\\')).unwrap_or_else(|_| {
        line.split_ascii_whitespace()
            .map(|text| Word { text: text.to_owned(), ..Word::default() })
            .collect::<Vec<_>>()
            .into_iter()
            .fold(vec![Vec::new()], |mut all, word| {
                if let Some(last) = all.last_mut() {
                    last.push(word);
                }
                all
            })
    })
}

/// What is called, and the words behind it.
fn command(words: &[Word]) -> Option<(&'static str, &[Word])> {
    const CALLS: &[(&str, &[&str])] = &[
        ("openstack", &["image", "create"]),
        ("openstack", &["image", "set"]),
        ("openstack", &["volume", "set"]),
        ("glance", &["image-create"]),
        ("glance", &["image-update"]),
        ("glance", &["image-create-via-import"]),
    ];
    let is_before = |word: &Word| word.text == "sudo" || word.text == "exec" || is_assignment(&word.text);
    let at = words.iter().position(|word| !is_before(word))?;
    let (program, rest) = words.get(at..)?.split_first()?;
    let name = program.text.rsplit('/').next()?;
    // Options of the client itself stand before the call.
    CALLS.iter().filter(|(client, _)| *client == name).find_map(|(client, call)| {
        let is_call = |window: &[Word]| window.iter().map(|word| word.text.as_str()).eq(call.iter().copied());
        let at = rest.windows(call.len()).position(is_call)?;
        Some((*client, rest.get(at.checked_add(call.len())?..)?))
    })
}

fn is_assignment(text: &str) -> bool {
    let name = text.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Options without a value (`openstackclient/image/v2/image.py`).
const FLAGS: &[&str] = &[
    "--protected",
    "--unprotected",
    "--public",
    "--private",
    "--community",
    "--shared",
    "--force",
    "--progress",
    "--import",
    "--hidden",
    "--unhidden",
    "--activate",
    "--deactivate",
    "--accept",
    "--reject",
    "--pending",
    "--os-hidden",
    "--bootable",
    "--non-bootable",
    "--no-property",
    "--attached",
    "--detached",
    "--read-only",
    "--read-write",
];
/// Options that set a property (`openstackclient/image/v2/image.py`, `SetImage`).
const OWN: &[(&str, &str)] = &[
    ("--architecture", "architecture"),
    ("--instance-id", "instance_id"),
    ("--instance-uuid", "instance_id"),
    ("--kernel-id", "kernel_id"),
    ("--os-distro", "os_distro"),
    ("--os-version", "os_version"),
    ("--ramdisk-id", "ramdisk_id"),
];

fn image(words: &[Word]) -> Claims {
    let mut claims = Claims { line: words.first().map(|word| word.line), ..Claims::default() };
    let mut words = words.iter();
    let mut named = None;
    while let Some(word) = words.next() {
        let Some(option) = word.text.strip_prefix("--").map(|_| word.text.as_str()) else {
            // The last word without an option is the image's name.
            named = Some(value_of(word, &word.text)).filter(|_| !word.text.starts_with('-')).or(named);
            continue;
        };
        let (option, inside) = option.split_once('=').map_or((option, None), |(option, value)| (option, Some(value)));
        if FLAGS.contains(&option) {
            continue;
        }
        let (at, text) = match inside {
            Some(value) => (word, value),
            None => match words.next() {
                Some(value) => (value, value.text.as_str()),
                None => break,
            },
        };
        take(&mut claims, option, at, text);
    }
    let line = claims.line;
    claims.name = claims.name.or_else(|| named.map(|value| Claim::new("name", value, line)));
    claims
}

fn take(claims: &mut Claims, option: &str, word: &Word, text: &str) {
    let claim = |key: &str| Some(Claim::new(key, value_of(word, text), Some(word.line)));
    match option {
        "--name" => claims.name = claim("name"),
        "--min-disk" => claims.min_disk = number(claim("min_disk")),
        "--min-ram" => claims.min_ram = number(claim("min_ram")),
        "--disk-format" => claims.disk_format = claim("disk_format"),
        "--container-format" => claims.container_format = claim("container_format"),
        // argparse takes the beginning of an option for it.
        "--property" | "--propert" | "--proper" | "--prope" | "--image-property" => {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            let claim = Claim::new(key, value_of(word, value), Some(word.line));
            let list = if is_field(key) { &mut claims.fields } else { &mut claims.properties };
            list.push(claim);
        }
        _ => {
            let own = OWN.iter().find(|(name, _)| *name == option);
            claims.properties.extend(own.and_then(|(_, key)| claim(key)));
        }
    }
}

/// The client reads whole numbers.
fn number(claim: Option<Claim>) -> Option<Claim> {
    claim.map(|claim| match &claim.value {
        ClaimValue::Text(text) => match text.parse() {
            Ok(number) => Claim { value: ClaimValue::Integer(number), ..claim },
            Err(_) => claim,
        },
        _ => claim,
    })
}

fn value_of(word: &Word, text: &str) -> ClaimValue {
    if word.is_computed { ClaimValue::Computed(text.to_owned()) } else { ClaimValue::Text(text.to_owned()) }
}

/// The commands of a script, in their order, each as its words.
fn split(text: &str) -> Result<Vec<Vec<Word>>> {
    let mut splitter =
        Splitter { chars: text.chars().collect(), at: 0, line: 1, commands: vec![Vec::new()], word: None };
    while let Some(c) = splitter.next() {
        splitter.take(c)?;
    }
    splitter.end_word();
    splitter.commands.retain(|words| !words.is_empty());
    Ok(splitter.commands)
}

#[derive(Debug)]
struct Splitter {
    chars: Vec<char>,
    at: usize,
    line: u32,
    commands: Vec<Vec<Word>>,
    word: Option<Word>,
}

impl Splitter {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at = self.at.saturating_add(1);
        if next == '\n' {
            self.line = self.line.saturating_add(1);
        }
        Some(next)
    }

    fn word(&mut self) -> &mut Word {
        let line = self.line;
        self.word.get_or_insert_with(|| Word { line, ..Word::default() })
    }

    fn end_word(&mut self) {
        let word = self.word.take();
        if let Some(command) = self.commands.last_mut() {
            command.extend(word);
        }
    }

    fn take(&mut self, c: char) -> Result<()> {
        match c {
            ' ' | '\t' | '\r' => self.end_word(),
            '\n' | ';' | '|' | '&' | '(' | ')' => {
                self.end_word();
                self.commands.push(Vec::new());
            }
            '#' if self.word.is_none() => {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.next();
                }
            }
            '\\' => match self.next() {
                Some('\n') | None => {}
                Some(c) => self.word().text.push(c),
            },
            '\'' => self.single()?,
            '"' => self.double()?,
            '$' if self.peek() == Some('\'') => {
                self.next();
                self.dollar_single()?;
            }
            '$' => self.dollar(),
            '`' | '*' | '?' | '[' | '{' => {
                // What a pattern becomes depends on the files around it.
                let word = self.word();
                word.text.push(c);
                word.is_computed |= c == '`';
            }
            '<' | '>' => {
                self.end_word();
                // A redirection is no argument: an option that nobody knows swallows its target.
                self.word().text.push_str("--<");
                self.end_word();
            }
            _ => self.word().text.push(c),
        }
        Ok(())
    }

    fn dollar(&mut self) {
        let begins = |c: char| c.is_ascii_alphanumeric() || "_{(@*#?$!-".contains(c);
        let is_computed = self.peek().is_some_and(begins);
        let is_substitution = self.peek() == Some('(');
        let word = self.word();
        word.text.push('$');
        word.is_computed |= is_computed;
        if is_substitution {
            let mut open = 0_usize;
            while let Some(c) = self.next() {
                self.word().text.push(c);
                match c {
                    '(' => open = open.saturating_add(1),
                    ')' => open = open.saturating_sub(1),
                    _ => {}
                }
                if open == 0 {
                    break;
                }
            }
        }
    }

    fn open(&self, line: u32) -> Error {
        Error::corrupt("shell", format!("line {line}: a quote is not closed by line {}", self.line))
    }

    fn single(&mut self) -> Result<()> {
        let line = self.word().line;
        loop {
            match self.next().ok_or_else(|| self.open(line))? {
                '\'' => return Ok(()),
                c => self.word().text.push(c),
            }
        }
    }

    fn double(&mut self) -> Result<()> {
        let line = self.word().line;
        loop {
            match self.next().ok_or_else(|| self.open(line))? {
                '"' => return Ok(()),
                '\\' => match self.next() {
                    Some('\n') => {}
                    Some(c @ ('"' | '\\' | '$' | '`')) => self.word().text.push(c),
                    Some(c) => self.word().text.extend(['\\', c]),
                    None => return Err(self.open(line)),
                },
                '$' => self.dollar(),
                c => {
                    let word = self.word();
                    word.text.push(c);
                    word.is_computed |= c == '`';
                }
            }
        }
    }

    /// `$'…'`: escapes of C, in bytes.
    fn dollar_single(&mut self) -> Result<()> {
        let line = self.word().line;
        let mut bytes = Vec::new();
        let mut buffer = [0; 4];
        loop {
            match self.next().ok_or_else(|| self.open(line))? {
                '\'' => break,
                '\\' => self.escape(&mut bytes, line)?,
                c => bytes.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes()),
            }
        }
        self.word().text.push_str(&crate::bytes::text(&bytes));
        Ok(())
    }

    fn escape(&mut self, bytes: &mut Vec<u8>, line: u32) -> Result<()> {
        let c = self.next().ok_or_else(|| self.open(line))?;
        let code = match c {
            'a' => 7,
            'b' => 8,
            'e' | 'E' => 27,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'v' => 11,
            '0'..='7' => {
                self.at = self.at.saturating_sub(1);
                self.digits(3, 8)
            }
            'x' => self.digits(2, 16),
            'u' | 'U' => {
                let code = self.digits(if c == 'u' { 4 } else { 8 }, 16);
                let mut buffer = [0; 4];
                let text = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut buffer);
                bytes.extend_from_slice(text.as_bytes());
                return Ok(());
            }
            c => {
                let mut buffer = [0; 4];
                bytes.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
                return Ok(());
            }
        };
        bytes.push(u8::try_from(code & 0xff).unwrap_or_default());
        Ok(())
    }

    fn digits(&mut self, most: usize, radix: u32) -> u32 {
        let mut code = 0_u32;
        for _ in 0..most {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(radix)) else { break };
            code = code.saturating_mul(radix).saturating_add(digit);
            self.next();
        }
        code
    }
}

#[cfg(test)]
#[path = "shell_tests.rs"]
mod tests;
