//! YAML as `PyYAML` reads it (YAML 1.1, `resolver.py`) → the tree that JSON becomes too, with lines and repetitions.

use super::ClaimValue;
use super::json::{Entry, Node};
use crate::error::{Error, Result};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use std::borrow::Cow;
use std::collections::HashMap;

/// Collections within each other; real manifests have 8. Also bounds the recursion over a [`Node`].
const MAX_NESTING: usize = 64;
/// Nodes of one file, each alias counted as all that it stands for; the largest real catalogue has 3 000.
const MAX_NODES: usize = 200_000;
/// Bytes of text that aliases copy.
const MAX_COPIED: usize = 4 * 1024 * 1024;

/// The documents in `text`; with `is_templated`, text in which a Jinja template begins is [`ClaimValue::Computed`]
/// unless it is marked `!unsafe`.
///
/// # Errors
/// `Corrupt` where it is no YAML, `TooLarge` over a bound.
pub(super) fn parse(text: &str, is_templated: bool) -> Result<Vec<Node>> {
    let mut builder = Builder { is_templated, ..Builder::default() };
    for event in Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        let (event, span) = event.map_err(|error| Error::corrupt("YAML", error.to_string()))?;
        builder.take(event, span)?;
    }
    Ok(builder.documents)
}

/// The text of a key: of a scalar alone.
fn key_text(node: &Node) -> Option<String> {
    let Node::Leaf(value) = node else { return None };
    Some(match value {
        ClaimValue::Text(text) | ClaimValue::Computed(text) | ClaimValue::Decimal(text) => text.clone(),
        ClaimValue::Bool(value) => if *value { "True" } else { "False" }.to_owned(),
        ClaimValue::Integer(value) => value.to_string(),
        ClaimValue::Null | ClaimValue::Compound => "None".to_owned(),
    })
}

#[derive(Debug)]
enum Frame {
    List { anchor: usize, items: Vec<Node> },
    Map { anchor: usize, entries: Vec<Entry>, merged: Vec<Entry>, key: Option<Key> },
}

/// What waits for its value.
#[derive(Debug)]
enum Key {
    Plain(String, u32),
    /// `<<`, written plainly (<https://yaml.org/type/merge.html>).
    Merge,
}

#[derive(Debug, Default)]
struct Builder {
    frames: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    documents: Vec<Node>,
    is_templated: bool,
    nodes: usize,
    copied: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<()> {
        let line = u32::try_from(span.start.line()).unwrap_or(u32::MAX);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                let is_key = matches!(self.frames.last(), Some(Frame::Map { key: None, .. }));
                if is_plain && text == "<<" && is_key {
                    self.wait(Key::Merge);
                    return Ok(());
                }
                let value = if is_plain { resolved(&text) } else { ClaimValue::Text(text.into_owned()) };
                let value = self.tagged(value, tag.as_ref(), is_key);
                self.close(Node::Leaf(value), anchor, line)
            }
            Event::Alias(anchor) => {
                let Some(value) = self.anchors.get(&anchor).cloned() else {
                    return Err(Error::corrupt("YAML", format!("the alias in line {line} stands within its anchor")));
                };
                self.copy(&value)?;
                self.add(value, line)
            }
            Event::SequenceStart(anchor, _) => self.open(Frame::List { anchor, items: Vec::new() }),
            Event::MappingStart(anchor, _) => {
                self.open(Frame::Map { anchor, entries: Vec::new(), merged: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.frames.pop() {
                Some(Frame::List { anchor, items }) => self.close(Node::List(items), anchor, line),
                // What is merged stands before the mapping's own pairs (`constructor.py`, `flatten_mapping`).
                Some(Frame::Map { anchor, entries, mut merged, .. }) => {
                    merged.extend(entries);
                    self.close(Node::Map(merged), anchor, line)
                }
                None => Err(Error::corrupt("YAML", format!("line {line} ends what was not begun"))),
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    /// `!unsafe` says that a text is no template, `!!str` that it is text; any other tag makes something else of it.
    fn tagged(&self, value: ClaimValue, tag: Option<&Cow<'_, Tag>>, is_key: bool) -> ClaimValue {
        let suffix = tag.map(|tag| tag.suffix.as_str());
        match (suffix, value) {
            (Some("unsafe" | "str"), value) => value,
            (Some(_), ClaimValue::Text(text)) => ClaimValue::Computed(text),
            (None, ClaimValue::Text(text)) if self.is_templated && !is_key && is_template(&text) => {
                ClaimValue::Computed(text)
            }
            (_, value) => value,
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
    fn copy(&mut self, value: &Node) -> Result<()> {
        let (nodes, bytes) = size(value);
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

    fn close(&mut self, value: Node, anchor: usize, line: u32) -> Result<()> {
        self.count(1)?;
        if anchor > 0 {
            self.copy(&value)?;
            self.anchors.insert(anchor, value.clone());
        }
        self.add(value, line)
    }

    fn add(&mut self, value: Node, line: u32) -> Result<()> {
        match self.frames.last_mut() {
            None => self.documents.push(value),
            Some(Frame::List { items, .. }) => items.push(value),
            Some(Frame::Map { key: None, .. }) => {
                let refuse = || Error::corrupt("YAML", format!("the key in line {line} is no scalar"));
                self.wait(Key::Plain(key_text(&value).ok_or_else(refuse)?, line));
            }
            Some(Frame::Map { key, entries, merged, .. }) => match key.take() {
                Some(Key::Plain(key, line)) => entries.push(Entry { key, line, value }),
                _ => merge(merged, value, line)?,
            },
        }
        Ok(())
    }

    fn wait(&mut self, name: Key) {
        if let Some(Frame::Map { key, .. }) = self.frames.last_mut() {
            *key = Some(name);
        }
    }
}

/// Of several merged mappings the first one counts most: it stands last.
fn merge(merged: &mut Vec<Entry>, value: Node, line: u32) -> Result<()> {
    let refuse = || Error::corrupt("YAML", format!("what is merged in line {line} is no mapping"));
    match value {
        Node::Map(entries) => merged.extend(entries),
        Node::List(items) => {
            for item in items.into_iter().rev() {
                let Node::Map(entries) = item else { return Err(refuse()) };
                merged.extend(entries);
            }
        }
        Node::Leaf(_) => return Err(refuse()),
    }
    Ok(())
}

/// Nodes in it, and the bytes of their texts.
fn size(node: &Node) -> (usize, usize) {
    let add = |sum: (usize, usize), one: (usize, usize)| (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1));
    match node {
        Node::Leaf(ClaimValue::Text(text) | ClaimValue::Decimal(text) | ClaimValue::Computed(text)) => (1, text.len()),
        Node::Leaf(_) => (1, 0),
        Node::List(items) => items.iter().map(size).fold((1, 0), add),
        Node::Map(entries) => {
            entries.iter().map(|entry| add((0, entry.key.len()), size(&entry.value))).fold((1, 0), add)
        }
    }
}

/// Whether Jinja would begin something in it.
pub(super) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|begin| text.contains(begin))
}

/// What a scalar without quotes is (`resolver.py`); dates stay text.
fn resolved(text: &str) -> ClaimValue {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => ClaimValue::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => ClaimValue::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => ClaimValue::Bool(false),
        _ => number(text).unwrap_or_else(|| ClaimValue::Text(text.to_owned())),
    }
}

fn number(text: &str) -> Option<ClaimValue> {
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (if text.starts_with('-') { "-" } else { "" }, digits),
        None => ("", text),
    };
    let is = |digits: &str, radix: u32| {
        !digits.is_empty() && digits.chars().all(|c| c == '_' || c.is_digit(radix)) && digits.chars().any(|c| c != '_')
    };
    let integer = |digits: &str, radix: u32| {
        let text = format!("{sign}{}", digits.replace('_', ""));
        let value = i64::from_str_radix(&text, radix);
        value.map_or_else(|_| ClaimValue::Decimal(text), ClaimValue::Integer)
    };
    let radixes = [("0b", 2), ("0x", 16)];
    if let Some((rest, radix)) = radixes.iter().find_map(|(p, radix)| digits.strip_prefix(p).map(|rest| (rest, *radix)))
    {
        return is(rest, radix).then(|| integer(rest, radix));
    }
    match digits.strip_prefix('0') {
        Some("") => return Some(ClaimValue::Integer(0)),
        Some(rest) if is(rest, 8) => return Some(integer(rest, 8)),
        Some(rest) if !rest.starts_with('.') => return float(text, digits),
        _ => {}
    }
    if digits.starts_with(|c: char| c.is_ascii_digit()) && is(digits, 10) {
        return Some(integer(digits, 10));
    }
    float(text, digits).or_else(|| sexagesimal(text, digits))
}

/// `[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?`, `\.[0-9][0-9_]*…`, `.inf`, `.nan`.
fn float(text: &str, digits: &str) -> Option<ClaimValue> {
    let lower = digits.to_ascii_lowercase();
    if lower == ".inf" || text.eq_ignore_ascii_case(".nan") {
        return Some(ClaimValue::Decimal(text.to_owned()));
    }
    let (before, after) = digits.split_once('.')?;
    let (fraction, exponent) = after.split_once(['e', 'E']).map_or((after, None), |(f, e)| (f, Some(e)));
    let is = |part: &str| part.chars().all(|c| c == '_' || c.is_ascii_digit());
    let is_exponent = exponent.is_none_or(|exponent| {
        exponent.strip_prefix(['-', '+']).is_some_and(|e| !e.is_empty() && e.chars().all(|c| c.is_ascii_digit()))
    });
    let begins = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    let is_float =
        is(before) && is(fraction) && is_exponent && (begins(before) || before.is_empty() && begins(fraction));
    is_float.then(|| ClaimValue::Decimal(text.to_owned()))
}

/// `12:30` is 750.
fn sexagesimal(text: &str, digits: &str) -> Option<ClaimValue> {
    let is_digit = |c: char| c.is_ascii_digit();
    let parts: Vec<&str> = digits.split(':').collect();
    let (first, rest) = parts.split_first().filter(|(_, rest)| !rest.is_empty())?;
    let is_first =
        first.starts_with(|c: char| matches!(c, '1'..='9')) && first.chars().all(|c| is_digit(c) || c == '_');
    let is_part = |part: &&str| {
        matches!(part.len(), 1 | 2) && part.chars().all(is_digit) && part.parse::<u8>().is_ok_and(|part| part < 60)
    };
    (is_first && rest.iter().all(is_part)).then(|| {
        let value = parts
            .iter()
            .try_fold(0_i64, |value, part| value.checked_mul(60)?.checked_add(part.replace('_', "").parse().ok()?));
        let signed = value.map(|value| if text.starts_with('-') { value.saturating_neg() } else { value });
        signed.map_or_else(|| ClaimValue::Decimal(text.to_owned()), ClaimValue::Integer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn shown(node: &Node) -> String {
        match node {
            Node::Leaf(ClaimValue::Text(text)) => text.clone(),
            Node::Leaf(ClaimValue::Integer(value)) => format!("#{value}"),
            Node::Leaf(ClaimValue::Decimal(value)) => format!("~{value}"),
            Node::Leaf(ClaimValue::Computed(value)) => format!("?{value}"),
            Node::Leaf(ClaimValue::Bool(value)) => value.to_string(),
            Node::Leaf(_) => "null".to_owned(),
            Node::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(",")),
            Node::Map(entries) => {
                let entry = |entry: &Entry| format!("{}:{}", entry.key, shown(&entry.value));
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
            }
        }
    }

    #[test]
    fn reads_what_pyyaml_reads() {
        for (text, expected) in [
            ("# only words\n", ""),
            ("a: 1\nb: [x, 'y', \"z\"]\n", "{a:#1,b:[x,y,z]}"),
            ("a: on\nb: 'on'\nc: NO\nd: ~\ne:\nf: y\n", "{a:true,b:on,c:false,d:null,e:null,f:y}"),
            ("a: 1\na: 2\n", "{a:#1,a:#2}"),
            ("a: &x {p: 1}\nb: {<<: *x, q: 3}\n", "{a:{p:#1},b:{p:#1,q:#3}}"),
            ("[010, 0x1f, 0b11, 1_000, -5, +5, 12:30, 0, 08, 9e3]", "[#8,#31,#3,#1000,#-5,#5,#750,#0,08,9e3]"),
            (
                "[22.10, .5, 1.5e+3, 1., 10.0.0.1, 1.5e3, 2024-07-03]",
                "[~22.10,~.5,~1.5e+3,~1.,10.0.0.1,1.5e3,2024-07-03]",
            ),
            ("[!unsafe '{{ x }}', '{{ x }}', !vault abc, !!str 12]", "[{{ x }},?{{ x }},?abc,12]"),
            ("---\na: b\n---\nc: d\n", "{a:b} {c:d}"),
        ] {
            let nodes = parse(text, true).unwrap();
            // A file of comments alone has no document, or an empty one.
            let found = nodes.iter().map(shown).collect::<Vec<_>>().join(" ");
            assert_eq!(found.trim_start_matches("null"), expected, "{text:?}");
        }
    }

    #[test]
    fn bounds() {
        use ErrorKind::{Corrupt, TooLarge};
        let bomb = |start: String, (before, name): (char, char)| {
            format!("{start}{name}: &{name} [{}]\n", vec![format!("*{before}"); 10].join(","))
        };
        let bomb = ('a'..='h').zip('b'..='i').fold("a: &a [x]\n".to_owned(), bomb);
        for (text, kind) in [
            ("a: [b\n", Corrupt),
            ("a: *nowhere\n", Corrupt),
            ("a: &x [*x]\n", Corrupt),
            ("? [a]\n: b\n", Corrupt),
            ("a: {<<: b}\n", Corrupt),
            (&bomb, TooLarge),
            (&format!("a: &a {}\nb: [{}]\n", "x".repeat(10_000), "*a,".repeat(500)), TooLarge),
            (&"[".repeat(100), TooLarge),
        ] {
            assert_eq!(parse(text, false).map(|_| ()).unwrap_err().kind, kind, "{:?}", text.get(..40));
        }
    }

    #[test]
    fn lines_count_from_one() {
        assert_eq!(parse("# x\na:\n  b: c\n", false).unwrap()[0].entries()[0].line, 2);
    }
}
