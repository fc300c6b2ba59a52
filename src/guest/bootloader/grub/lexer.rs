//! GRUB script → tokens (`grub-core/script/yylex.l`).

use crate::bytes::text;

/// One token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// From 1.
    pub(super) line: u32,
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word(Word),
    Newline,
    Semicolon,
    Open,
    Close,
    /// `|`, `&`, `<`, `>`: no statement may hold them.
    Operator,
    /// What no word can be: a quote that is never closed, a `$` without a name.
    Bad(&'static str),
}

/// A word before its variables are replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// As it stands, without quotes around it.
    Bare(String),
    /// What stood in quotes, or behind a backslash.
    Quoted(String),
    /// `$name` or `${name}`; one without quotes is split at blanks.
    Variable { name: String, is_quoted: bool },
}

impl Word {
    /// The text of a word without quotes and variables: only such a word can be a reserved one.
    pub(super) fn bare(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Bare(text)] => Some(text),
            _ => None,
        }
    }
}

/// Splits `source` into tokens; never fails, what cannot be read is a token that the parser refuses.
pub(super) fn tokens(source: &[u8]) -> Vec<Token> {
    let mut lexer = Lexer { source, at: 0, line: 1, left: MAX_TOKENS };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.token() {
        lexer.left = lexer.left.saturating_sub(1);
        tokens.push(token);
    }
    tokens
}

/// Signs, and parts and ends of words in one script: a plain word counts three and takes 300 bytes of memory; Ubuntu's with
/// twenty kernels has 10 000 words.
const MAX_TOKENS: usize = 200_000;
const TOO_MANY: &str = "more than 200000 signs and parts of words";
const UNCLOSED: &str = "a quote is never closed";

struct Lexer<'a> {
    source: &'a [u8],
    at: usize,
    line: u32,
    /// What may still come of [`MAX_TOKENS`].
    left: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a [u8] {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let taken = self.rest().get(..length).unwrap_or(self.rest());
        self.at = self.at.saturating_add(taken.len());
        let newlines = taken.split(|&byte| byte == b'\n').skip(1).count();
        self.line = self.line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
        taken
    }

    fn token(&mut self) -> Option<Token> {
        loop {
            match self.rest() {
                [b' ' | b'\t', ..] => self.take(1),
                [b'\\', b'\n', ..] => self.take(2),
                [b'#', rest @ ..] => {
                    let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
                    self.take(end.saturating_add(1))
                }
                _ => break,
            };
        }
        let (line, start) = (self.line, self.at);
        if self.left == 0 && !self.rest().is_empty() {
            self.at = self.source.len();
            return Some(Token { kind: Kind::Bad(TOO_MANY), line, start, end: self.at });
        }
        let kind = match self.rest().first()? {
            b'\n' => Kind::Newline,
            b';' => Kind::Semicolon,
            b'{' => Kind::Open,
            b'}' => Kind::Close,
            b'|' | b'&' | b'<' | b'>' => Kind::Operator,
            _ => {
                let kind = self.word().map_or_else(Kind::Bad, Kind::Word);
                if let Kind::Bad(_) = kind {
                    self.at = self.source.len();
                }
                return Some(Token { kind, line, start, end: self.at });
            }
        };
        self.take(1);
        Some(Token { kind, line, start, end: self.at })
    }

    fn word(&mut self) -> Result<Word, &'static str> {
        let mut word = Word::default();
        loop {
            self.left = self.left.saturating_sub(1);
            if self.left == 0 {
                return Err(TOO_MANY);
            }
            match self.rest() {
                [] | [b' ' | b'\t' | b'\n' | b';' | b'{' | b'}' | b'|' | b'&' | b'<' | b'>', ..] => {
                    return Ok(word);
                }
                [0, ..] => return Err("a NUL byte"),
                [b'\\', b'\n', ..] => {
                    self.take(2);
                }
                [b'\\', _, ..] => {
                    let escaped = self.take(2);
                    word.parts.push(Part::Quoted(text(escaped.get(1..).unwrap_or_default())));
                }
                [b'\'', ..] => {
                    self.take(1);
                    let end = self.rest().iter().position(|&byte| byte == b'\'').ok_or(UNCLOSED)?;
                    word.parts.push(Part::Quoted(text(self.take(end))));
                    self.take(1);
                }
                [b'"', ..] => {
                    self.take(1);
                    self.double_quoted(&mut word)?;
                }
                [b'$', b'"', ..] => {
                    self.take(2);
                    self.double_quoted(&mut word)?;
                }
                [b'$', ..] => {
                    let part = self.variable(false)?;
                    word.parts.push(part);
                }
                rest => {
                    let special = |byte: &u8| b"\0 \t\n;{}|&<>\\'\"$".contains(byte);
                    let end = rest.iter().position(special).unwrap_or(rest.len()).max(1);
                    word.parts.push(Part::Bare(text(self.take(end))));
                }
            }
        }
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), &'static str> {
        let mut plain = Vec::new();
        loop {
            match self.rest() {
                [] => return Err(UNCLOSED),
                [b'"', ..] => {
                    self.take(1);
                    word.parts.push(Part::Quoted(text(&plain)));
                    return Ok(());
                }
                [b'\\', b'\n', ..] => {
                    self.take(2);
                }
                [b'\\', byte @ (b'$' | b'\\' | b'"'), ..] => {
                    plain.push(*byte);
                    self.take(2);
                }
                [b'$', ..] => {
                    word.parts.push(Part::Quoted(text(&std::mem::take(&mut plain))));
                    let part = self.variable(true)?;
                    self.left = self.left.saturating_sub(2);
                    if self.left == 0 {
                        return Err(TOO_MANY);
                    }
                    word.parts.push(part);
                }
                _ => plain.extend_from_slice(self.take(1)),
            }
        }
    }

    /// After `$`: a name, digits or one of `?#*@`, in braces or not.
    fn variable(&mut self, is_quoted: bool) -> Result<Part, &'static str> {
        self.take(1);
        let has_brace = self.rest().first() == Some(&b'{');
        let name = self.rest().get(usize::from(has_brace)..).unwrap_or_default();
        let length = match name {
            [b'?' | b'#' | b'*' | b'@', ..] => 1,
            [b'0'..=b'9', ..] => name.iter().take_while(|byte| byte.is_ascii_digit()).count(),
            [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..] => {
                name.iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || byte == b'_').count()
            }
            _ => 0,
        };
        let is_closed = !has_brace || name.get(length) == Some(&b'}');
        if length == 0 || !is_closed {
            return Err("a `$` that no name follows");
        }
        self.take(usize::from(has_brace));
        let name = text(self.take(length));
        self.take(usize::from(has_brace));
        Ok(Part::Variable { name, is_quoted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens in a short form: bare words as they are, quoted parts in `'…'`, variables as `<name>`.
    fn short(source: &str) -> String {
        let part = |part: &Part| match part {
            Part::Bare(text) => text.clone(),
            Part::Quoted(text) => format!("'{text}'"),
            Part::Variable { name, is_quoted } => format!("<{name}{}>", if *is_quoted { "!" } else { "" }),
        };
        let kind = |token: &Token| match &token.kind {
            Kind::Word(word) => word.parts.iter().map(part).collect(),
            other => format!("{other:?}"),
        };
        tokens(source.as_bytes()).iter().map(kind).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn quotes_escapes_and_variables() {
        for (source, expected) in [
            ("echo one 'two three' \"four $five\"", "echo one 'two three' 'four '<five!>''"),
            ("x$y${z}a", "x<y><z>a"),
            ("'a'\"b\"c\\ d", "'a''b'c' 'd"),
            ("\"\\$a \\\\ \\\" \\n\"", "'$a \\ \" \\n'"),
            ("a#b # comment\nc", "a#b Newline c".replace(" Newline", "").as_str()),
            ("a\\\nb \\\n c", "ab c"),
            ("if [ x$a = xy ]; then", "if [ x<a> = xy ] Semicolon then"),
            ("menuentry 'a' {b}", "menuentry 'a' Open b Close"),
            ("$ a", "Bad(\"a `$` that no name follows\")"),
            ("a \"${b\"", "a Bad(\"a `$` that no name follows\")"),
            ("$1 $@ ${10}x", "<1> <@> <10>x"),
            ("set prefix=($root)'/boot/grub'", "set prefix=(<root>)'/boot/grub'"),
            ("a | b", "a Operator b"),
            ("$\"translated\"", "'translated'"),
            ("say 'never closed", "say Bad(\"a quote is never closed\")"),
            ("", ""),
        ] {
            assert_eq!(short(source).replace("Newline ", ""), expected, "{source:?}");
        }
    }

    #[test]
    fn lines_are_counted_through_quotes_and_comments() {
        let lines: Vec<u32> = tokens(b"a 'x\ny' b\n# c\nd").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 1, 2, 2, 3, 4]);
    }
}
