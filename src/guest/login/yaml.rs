//! YAML as `PyYAML`'s `safe_load` reads it, of which cloud-init makes its configuration (`cloudinit/util.py`,
//! `load_yaml`).
//!
//! What `PyYAML` refuses is an error here as well, and what the two might read differently is one too: tags, dates,
//! several documents.

use crate::error::{Error, Result};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;

/// Collections within each other; real configurations have 6. Also bounds the recursion over a [`Yaml`].
const MAX_NESTING: usize = 64;
/// Nodes of one file, each alias counted as all that it stands for: Ubuntu's cloud.cfg has 200.
const MAX_NODES: usize = 10_000;
/// Bytes of text that anchors and aliases copy; those of cloud-init's `05_logging.cfg` copy 4 KiB.
const MAX_COPIED: usize = 1024 * 1024;

/// A node of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Yaml {
    /// `null`, `~` or nothing.
    Null,
    /// A boolean of YAML 1.1: `yes` and `off` are ones.
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// A string.
    Text(String),
    /// A sequence.
    List(Vec<Self>),
    /// A mapping, each key once, in the order in which they first stand.
    Map(Vec<Pair>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) key: Yaml,
    pub(super) value: Yaml,
    /// Line of the key, from 1.
    pub(super) line: u32,
}

impl Yaml {
    /// The pair with this key.
    pub(super) fn pair(&self, key: &str) -> Option<&Pair> {
        let Self::Map(pairs) = self else { return None };
        pairs.iter().find(|pair| matches!(&pair.key, Self::Text(text) if text == key))
    }

    /// The value of this key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.pair(key).map(|pair| &pair.value)
    }

    /// What Python's `bool()` says of it.
    pub(super) fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(text) => text.chars().any(|c| c.is_ascii_hexdigit() && c != '0'),
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(pairs) => !pairs.is_empty(),
        }
    }

    /// What Python's `str()` makes of a scalar.
    pub(super) fn to_text(&self) -> Option<String> {
        match self {
            Self::Null => Some("None".to_owned()),
            Self::Bool(value) => Some(if *value { "True" } else { "False" }.to_owned()),
            Self::Number(text) | Self::Text(text) => Some(text.clone()),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Nodes in it, and the bytes of their texts.
    fn size(&self) -> (usize, usize) {
        let sum = |sum: (usize, usize), node: &Self| {
            let size = node.size();
            (sum.0.saturating_add(size.0), sum.1.saturating_add(size.1))
        };
        match self {
            Self::List(items) => items.iter().fold((1, 0), sum),
            Self::Map(pairs) => pairs.iter().fold((1, 0), |size, pair| sum(sum(size, &pair.key), &pair.value)),
            Self::Number(text) | Self::Text(text) => (1, text.len()),
            Self::Null | Self::Bool(_) => (1, 0),
        }
    }
}

/// The document in `text`; a file without one is [`Yaml::Null`].
///
/// # Errors
/// `Corrupt` where `PyYAML` refuses it, `Unsupported` where it might read it differently, `TooLarge` over a bound.
pub(super) fn parse(text: &str) -> Result<Yaml> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // `reader.py`, `Reader.NON_PRINTABLE`.
    if let Some(odd) = text.chars().find(|c| !is_printable(*c)) {
        return Err(Error::corrupt("YAML", format!("the character U+{:04X} is not allowed", u32::from(odd))));
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Error::corrupt("YAML", error.to_string()))?;
        builder.take(event, span)?;
    }
    Ok(builder.document.unwrap_or(Yaml::Null))
}

fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..) && c != '\u{feff}'
}

/// A collection that is still open.
#[derive(Debug)]
enum Frame {
    List { anchor: usize, items: Vec<Yaml> },
    Map { anchor: usize, pairs: Vec<Pair>, merged: Vec<Pair>, key: Option<(Key, u32)> },
}

/// What waits for its value.
#[derive(Debug)]
enum Key {
    Plain(Yaml),
    /// `<<`, written plainly (<https://yaml.org/type/merge.html>).
    Merge,
}

#[derive(Debug, Default)]
struct Builder {
    frames: Vec<Frame>,
    anchors: HashMap<usize, Yaml>,
    document: Option<Yaml>,
    nodes: usize,
    copied: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<()> {
        let line = u32::try_from(span.start.line()).unwrap_or(u32::MAX);
        match event {
            Event::DocumentStart(_) if self.document.is_some() => {
                Err(Error::corrupt("YAML", format!("a second document begins in line {line}, cloud-init reads one")))
            }
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                Err(Error::unsupported("YAML", format!("line {line} has a tag, which this version does not read")))
            }
            Event::Scalar(text, style, anchor, None) => {
                let is_plain = style == ScalarStyle::Plain;
                let is_key = matches!(self.frames.last(), Some(Frame::Map { key: None, .. }));
                if is_plain && text == "<<" && is_key {
                    return self.key(Key::Merge, line);
                }
                let value = if is_plain { plain(&text, line)? } else { Yaml::Text(text.into_owned()) };
                self.close(value, anchor, line)
            }
            Event::Alias(anchor) => {
                let Some(value) = self.anchors.get(&anchor).cloned() else {
                    return Err(Error::corrupt("YAML", format!("the alias in line {line} stands within its anchor")));
                };
                self.copy(&value)?;
                self.add(value, line)
            }
            Event::SequenceStart(anchor, None) => self.open(Frame::List { anchor, items: Vec::new() }),
            Event::MappingStart(anchor, None) => {
                self.open(Frame::Map { anchor, pairs: Vec::new(), merged: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.frames.pop() {
                Some(Frame::List { anchor, items }) => self.close(Yaml::List(items), anchor, line),
                Some(Frame::Map { anchor, pairs, merged, .. }) => {
                    self.close(Yaml::Map(unique(merged.into_iter().chain(pairs))), anchor, line)
                }
                None => Err(Error::corrupt("YAML", format!("line {line} ends what was not begun"))),
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn count(&mut self, nodes: usize) -> Result<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(Error::too_large("YAML", format!("more than {MAX_NODES} nodes, aliases counted in full")));
        }
        Ok(())
    }

    /// Counts what an anchor keeps or an alias repeats.
    fn copy(&mut self, value: &Yaml) -> Result<()> {
        let (nodes, bytes) = value.size();
        self.copied = self.copied.saturating_add(bytes);
        if self.copied > MAX_COPIED {
            return Err(Error::too_large("YAML", format!("anchors and aliases copy more than {MAX_COPIED} bytes")));
        }
        self.count(nodes)
    }

    fn open(&mut self, frame: Frame) -> Result<()> {
        if self.frames.len() >= MAX_NESTING {
            return Err(Error::too_large("YAML", format!("more than {MAX_NESTING} collections within each other")));
        }
        self.frames.push(frame);
        Ok(())
    }

    fn close(&mut self, value: Yaml, anchor: usize, line: u32) -> Result<()> {
        self.count(1)?;
        if anchor > 0 {
            self.copy(&value)?;
            self.anchors.insert(anchor, value.clone());
        }
        self.add(value, line)
    }

    fn add(&mut self, value: Yaml, line: u32) -> Result<()> {
        match self.frames.last_mut() {
            None => self.document = Some(value),
            Some(Frame::List { items, .. }) => items.push(value),
            Some(Frame::Map { key: None, .. }) => return self.key(Key::Plain(value), line),
            Some(Frame::Map { key, pairs, merged, .. }) => match key.take() {
                Some((Key::Plain(key), line)) => pairs.push(Pair { key, value, line }),
                _ => *merged = merge(std::mem::take(merged), value, line)?,
            },
        }
        Ok(())
    }

    fn key(&mut self, name: Key, at: u32) -> Result<()> {
        // `constructor.py`, `construct_mapping`: "found unhashable key".
        if matches!(name, Key::Plain(Yaml::List(_) | Yaml::Map(_))) {
            return Err(Error::corrupt("YAML", format!("the key in line {at} is no scalar")));
        }
        if let Some(Frame::Map { key, .. }) = self.frames.last_mut() {
            *key = Some((name, at));
        }
        Ok(())
    }
}

/// `constructor.py`, `flatten_mapping`: what is merged stands before the mapping's own pairs, of several mappings the
/// first one last.
fn merge(mut merged: Vec<Pair>, value: Yaml, line: u32) -> Result<Vec<Pair>> {
    let refuse = || Error::corrupt("YAML", format!("what is merged in line {line} is no mapping"));
    let maps = match value {
        Yaml::Map(pairs) => vec![pairs],
        Yaml::List(items) => {
            let pairs = |item| if let Yaml::Map(pairs) = item { Ok(pairs) } else { Err(refuse()) };
            items.into_iter().map(pairs).collect::<Result<_>>()?
        }
        _ => return Err(refuse()),
    };
    merged.extend(maps.into_iter().rev().flatten());
    Ok(merged)
}

/// Of equal keys the last value counts, at the place of the first.
fn unique(pairs: impl Iterator<Item = Pair>) -> Vec<Pair> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut unique: Vec<Pair> = Vec::new();
    for pair in pairs {
        let place = *places.entry(format!("{:?}", pair.key)).or_insert(unique.len());
        match unique.get_mut(place) {
            Some(known) => *known = pair,
            None => unique.push(pair),
        }
    }
    unique
}

/// What a scalar without quotes is (`resolver.py`).
fn plain(text: &str, line: u32) -> Result<Yaml> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Yaml::Null),
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Ok(Yaml::Bool(true)),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Ok(Yaml::Bool(false)),
        // Resolved to tags that the safe loader does not construct.
        "=" | "<<" => return Err(Error::corrupt("YAML", format!("a plain {text} in line {line} is no value"))),
        _ => {}
    }
    let digits = text.trim_start_matches(['-', '+', '.']);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '_' | 'x' | 'o' | '.' | ':' | '+' | '-' | ' '));
    if is_date(text) {
        return Err(Error::unsupported("YAML", format!("line {line} has a date, which this version does not read")));
    }
    Ok(if is_number { Yaml::Number(text.to_owned()) } else { Yaml::Text(text.to_owned()) })
}

/// `[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}` and what follows: one that is no day of the calendar is refused.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let is_year = parts.next().is_some_and(|year| year.len() == 4 && year.chars().all(|c| c.is_ascii_digit()));
    let is_month = parts.next().is_some_and(|month| !month.is_empty() && month.chars().all(|c| c.is_ascii_digit()));
    is_year && is_month && parts.next().is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn shown(value: &Yaml) -> String {
        match value {
            Yaml::Null => "null".to_owned(),
            Yaml::Bool(value) => value.to_string(),
            Yaml::Number(text) => format!("#{text}"),
            Yaml::Text(text) => text.clone(),
            Yaml::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(",")),
            Yaml::Map(pairs) => {
                let pair = |pair: &Pair| format!("{}:{}", shown(&pair.key), shown(&pair.value));
                format!("{{{}}}", pairs.iter().map(pair).collect::<Vec<_>>().join(","))
            }
        }
    }

    #[test]
    fn reads_what_safe_load_reads() {
        for (text, expected) in [
            ("", "null"),
            ("# only words\n", "null"),
            ("a: 1\nb: [x, 'y', \"z\"]\n", "{a:#1,b:[x,y,z]}"),
            ("a:\n - b\n - c: d\n", "{a:[b,{c:d}]}"),
            ("a: on\nb: 'on'\nc: NO\nd: ~\ne:\nf: y\n", "{a:true,b:on,c:false,d:null,e:null,f:y}"),
            ("a: 1\na: 2\n", "{a:#2}"),
            ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n", "{a:{p:#1,q:#2},b:{p:#1,q:#3}}"),
            ("a: &x {p: 1}\nb: &y {p: 2}\nc: {<<: [*x, *y]}\n", "{a:{p:#1},b:{p:#2},c:{p:#1}}"),
            ("a: {q: 3, '<<': {p: 1}}\n", "{a:{q:#3,<<:{p:#1}}}"),
            ("a: |\n  x\n  y\n", "{a:x\ny\n}"),
            ("a: 10.0.0.1\nb: -5\nc: 12:30\nd: 3des\ne: deadbeef\n", "{a:#10.0.0.1,b:#-5,c:#12:30,d:3des,e:deadbeef}"),
            ("---\na: b\n...\n", "{a:b}"),
            ("1: a\ntrue: b\n'true': c\n", "{#1:a,true:b,true:c}"),
            ("\u{feff}a: b\n", "{a:b}"),
        ] {
            assert_eq!(shown(&parse(text).unwrap()), expected, "{text:?}");
        }
    }

    #[test]
    fn refuses_what_safe_load_refuses() {
        use ErrorKind::{Corrupt, TooLarge, Unsupported};
        let bomb = |start: String, (before, name): (char, char)| {
            format!("{start}{name}: &{name} [{}]\n", vec![format!("*{before}"); 10].join(","))
        };
        let bomb = ('a'..='h').zip('b'..='i').fold("a: &a [x]\n".to_owned(), bomb);
        for (text, kind) in [
            ("a: [b\n", Corrupt),
            ("a: b\n\tc: d\n", Corrupt),
            ("a: b\n---\nc: d\n", Corrupt),
            ("a: *nowhere\n", Corrupt),
            ("a: &x [*x]\n", Corrupt),
            ("? [a]\n: b\n", Corrupt),
            ("a: {<<: b}\n", Corrupt),
            ("a: =\n", Corrupt),
            ("a: \u{7}\n", Corrupt),
            ("a: !python/object b\n", Unsupported),
            ("a: 2001-13-45\n", Unsupported),
            (&bomb, TooLarge),
            (&format!("a: &a {}\nb: [{}]\n", "x".repeat(10_000), "*a,".repeat(200)), TooLarge),
            (&"[".repeat(100), TooLarge),
            (&"[".repeat(100_000), Corrupt),
            (&"- x\n".repeat(11_000), TooLarge),
        ] {
            assert_eq!(parse(text).map(|_| ()).unwrap_err().kind, kind, "{:?}", text.get(..40));
        }
    }

    #[test]
    fn lines_count_from_one() {
        let document = parse("# x\na:\n  b: c\n").unwrap();
        assert_eq!(document.pair("a").map(|pair| pair.line), Some(2));
    }
}
