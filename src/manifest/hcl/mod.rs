//! HCL (`hclsyntax/spec.md`) → attributes and blocks; an expression that is no literal is kept as its text.

mod text;

use super::ClaimValue;
use super::json::{Entry, Node};
use crate::error::{Error, Result};

/// Blocks, collections and templates within each other; real configurations have 6.
const MAX_NESTING: usize = 64;

/// What stands in a file or block.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Body {
    /// `key = value`, in their order.
    pub(super) attributes: Vec<Entry>,
    /// Blocks in their order.
    pub(super) blocks: Vec<Block>,
}

/// `resource "type" "name" { … }`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    /// Its type and labels.
    pub(super) words: Vec<String>,
    /// Its line, from 1.
    pub(super) line: u32,
    pub(super) body: Body,
}

impl Body {
    /// The blocks of this type with this first label.
    pub(super) fn of<'a>(&'a self, kind: &'a str, label: &'a str) -> impl Iterator<Item = &'a Block> {
        let words = [kind, label];
        self.blocks.iter().filter(move |block| block.words.iter().zip(words).filter(|(a, b)| a == b).count() == 2)
    }
}

/// Parses a file.
///
/// # Errors
/// `Corrupt` where it is no HCL, `TooLarge` where it nests too deeply.
pub(super) fn parse(text: &str) -> Result<Body> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Parser { chars: text.chars().collect(), at: 0, line: 1 }.body(0)
}

/// What ends an expression besides a comma and a closing bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newline {
    Ends,
    IsSpace,
}

#[derive(Debug)]
struct Parser {
    chars: Vec<char>,
    at: usize,
    line: u32,
}

impl Parser {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at.saturating_add(ahead)).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek(0)?;
        self.at = self.at.saturating_add(1);
        if next == '\n' {
            self.line = self.line.saturating_add(1);
        }
        Some(next)
    }

    fn skip(&mut self, characters: usize) {
        for _ in 0..characters {
            self.next();
        }
    }

    fn takes(&mut self, wanted: &str) -> bool {
        let is_there = wanted.chars().enumerate().all(|(ahead, c)| self.peek(ahead) == Some(c));
        if is_there {
            self.skip(wanted.chars().count());
        }
        is_there
    }

    fn wrong(&self, expected: &str) -> Error {
        let found = self.peek(0).map_or("the end".to_owned(), |c| format!("{c:?}"));
        Error::corrupt("HCL", format!("line {}: {found} where {expected} is expected", self.line))
    }

    fn nest(&self, depth: usize) -> Result<usize> {
        if depth >= MAX_NESTING {
            let text = format!("line {}: more than {MAX_NESTING} blocks or brackets within each other", self.line);
            return Err(Error::too_large("HCL", text));
        }
        Ok(depth.saturating_add(1))
    }

    /// Passes over spaces and comments; a comment of one line leaves its end.
    fn space(&mut self, newline: Newline) -> Result<()> {
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(' ' | '\t' | '\r'), _) => drop(self.next()),
                (Some('\n'), _) if newline == Newline::IsSpace => drop(self.next()),
                (Some('#'), _) | (Some('/'), Some('/')) => {
                    while self.peek(0).is_some_and(|c| c != '\n') {
                        self.next();
                    }
                }
                (Some('/'), Some('*')) => {
                    while !self.takes("*/") {
                        self.next().ok_or_else(|| self.wrong("*/"))?;
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn name(&mut self) -> Option<String> {
        let is_first = |c: char| c.is_alphabetic() || c == '_';
        let mut name = String::new();
        while let Some(c) =
            self.peek(0).filter(|c| is_first(*c) || !name.is_empty() && (c.is_alphanumeric() || *c == '-'))
        {
            name.push(c);
            self.next();
        }
        Some(name).filter(|name| !name.is_empty())
    }

    /// A file, or a block behind its brace.
    fn body(&mut self, depth: usize) -> Result<Body> {
        let inner = self.nest(depth)?;
        let mut body = Body::default();
        loop {
            self.space(Newline::IsSpace)?;
            match self.peek(0) {
                None if depth == 0 => return Ok(body),
                Some('}') if depth > 0 => {
                    self.next();
                    return Ok(body);
                }
                _ => {}
            }
            let line = self.line;
            let key = self.name().ok_or_else(|| self.wrong("a name"))?;
            self.space(Newline::Ends)?;
            if self.takes("=") {
                let value = self.expression(inner, Newline::Ends)?;
                self.space(Newline::Ends)?;
                if !matches!(self.peek(0), None | Some('\n' | '}')) {
                    return Err(self.wrong("the end of the line"));
                }
                body.attributes.push(Entry { key, line, value });
                continue;
            }
            let mut words = vec![key];
            while !self.takes("{") {
                let word = if self.peek(0) == Some('"') { self.string(inner)? } else { self.name() };
                words.push(word.ok_or_else(|| self.wrong("= or {"))?);
                self.space(Newline::Ends)?;
            }
            body.blocks.push(Block { words, line, body: self.body(inner)? });
        }
    }

    fn expression(&mut self, depth: usize, newline: Newline) -> Result<Node> {
        self.space(newline)?;
        let (start, line) = (self.at, self.line);
        let literal = self.literal(depth)?;
        if let Some(node) = literal {
            self.space(newline)?;
            if matches!(self.peek(0), None | Some('\n' | ',' | '}' | ']' | ')')) {
                return Ok(node);
            }
        }
        (self.at, self.line) = (start, line);
        self.pass(depth, newline)?;
        let text: String = self.chars.get(start..self.at).unwrap_or_default().iter().collect();
        if text.trim().is_empty() {
            return Err(self.wrong("a value"));
        }
        Ok(Node::Leaf(ClaimValue::Computed(text.trim().to_owned())))
    }

    /// A literal, if one begins here; where it ends is for the caller to look at.
    fn literal(&mut self, depth: usize) -> Result<Option<Node>> {
        let inner = self.nest(depth)?;
        let leaf = |value| Ok(Some(Node::Leaf(value)));
        match (self.peek(0), self.peek(1)) {
            (Some('"'), _) => Ok(self.string(inner)?.map(|text| Node::Leaf(ClaimValue::Text(text)))),
            (Some('<'), Some('<')) => Ok(self.heredoc()?.map(|text| Node::Leaf(ClaimValue::Text(text)))),
            (Some('{'), _) => self.object(inner),
            (Some('['), _) => self.list(inner),
            (Some(c), _) if c.is_ascii_digit() || c == '-' => {
                let mut text = String::new();
                while let Some(c) = self.peek(0).filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.')) {
                    text.push(c);
                    self.next();
                }
                let is_number = text.parse::<f64>().is_ok();
                let integer = text.parse().map(ClaimValue::Integer);
                if is_number { leaf(integer.unwrap_or(ClaimValue::Decimal(text))) } else { Ok(None) }
            }
            _ => match self.name().as_deref() {
                Some("true") => leaf(ClaimValue::Bool(true)),
                Some("false") => leaf(ClaimValue::Bool(false)),
                Some("null") => leaf(ClaimValue::Null),
                _ => Ok(None),
            },
        }
    }

    /// `{ key = value, … }`; nothing where a key is computed, or for `{ for … }`.
    fn object(&mut self, depth: usize) -> Result<Option<Node>> {
        self.next();
        let mut entries = Vec::new();
        loop {
            self.space(Newline::IsSpace)?;
            if self.takes("}") {
                return Ok(Some(Node::Map(entries)));
            }
            let line = self.line;
            let key = match self.peek(0) {
                Some('"') => self.string(depth)?,
                Some(c) if c.is_ascii_digit() => Some(self.digits()),
                _ => self.name(),
            };
            self.space(Newline::Ends)?;
            let (Some(key), true) = (key, self.peek(0) != Some('=') || self.peek(1) != Some('=')) else {
                return Ok(None);
            };
            if !self.takes("=") && !self.takes(":") {
                return Ok(None);
            }
            let value = self.expression(depth, Newline::Ends)?;
            entries.push(Entry { key, line, value });
            self.space(Newline::Ends)?;
            if !self.takes(",") && !matches!(self.peek(0), Some('\n' | '}')) {
                return Err(self.wrong("a comma, a new line or }"));
            }
        }
    }

    fn digits(&mut self) -> String {
        let mut digits = String::new();
        while let Some(c) = self.peek(0).filter(char::is_ascii_digit) {
            digits.push(c);
            self.next();
        }
        digits
    }

    /// `[value, …]`; nothing for `[for …]`.
    fn list(&mut self, depth: usize) -> Result<Option<Node>> {
        self.next();
        self.space(Newline::IsSpace)?;
        let start = self.at;
        if self.name().as_deref() == Some("for") {
            return Ok(None);
        }
        self.at = start;
        let mut items = Vec::new();
        loop {
            self.space(Newline::IsSpace)?;
            if self.takes("]") {
                return Ok(Some(Node::List(items)));
            }
            items.push(self.expression(depth, Newline::IsSpace)?);
            self.space(Newline::IsSpace)?;
            if !self.takes(",") && self.peek(0) != Some(']') {
                return Err(self.wrong("a comma or ]"));
            }
        }
    }

    /// Passes over an expression.
    fn pass(&mut self, depth: usize, newline: Newline) -> Result<()> {
        loop {
            match self.peek(0) {
                None | Some(',' | '}' | ']' | ')') => return Ok(()),
                Some('\n') if newline == Newline::Ends => return Ok(()),
                Some('"') => drop(self.string(depth)?),
                Some('{' | '[' | '(') => self.brackets(depth)?,
                Some('#' | '/') if self.is_comment() => self.space(newline)?,
                Some('<') if self.is_heredoc() => drop(self.heredoc()?),
                Some(_) => drop(self.next()),
            }
        }
    }

    /// Passes over a bracket and all in it.
    fn brackets(&mut self, depth: usize) -> Result<()> {
        let inner = self.nest(depth)?;
        let mut open = 0_usize;
        loop {
            match self.peek(0) {
                None => return Err(self.wrong("a closing bracket")),
                Some('"') => drop(self.string(inner)?),
                Some('#' | '/') if self.is_comment() => self.space(Newline::IsSpace)?,
                Some('<') if self.is_heredoc() => drop(self.heredoc()?),
                Some(c) => {
                    self.next();
                    match c {
                        '{' | '[' | '(' => open = open.saturating_add(1),
                        '}' | ']' | ')' => open = open.saturating_sub(1),
                        _ => {}
                    }
                    if open == 0 {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn is_comment(&self) -> bool {
        matches!((self.peek(0), self.peek(1)), (Some('#'), _) | (Some('/'), Some('/' | '*')))
    }

    fn is_heredoc(&self) -> bool {
        let begins = |c: char| c.is_alphabetic() || matches!(c, '_' | '-');
        self.peek(1) == Some('<') && self.peek(2).is_some_and(begins)
    }
}

#[cfg(test)]
mod tests;
