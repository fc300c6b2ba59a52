//! A script → commands of words (POSIX.1-2024, 2.2 and 2.3).

use crate::error::{Error, Result};

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// A variable or a command is in it: only a shell knows the value.
    pub(super) is_computed: bool,
    pub(super) line: u32,
}

/// The commands of a script, in their order, each as its words.
pub(super) fn split(text: &str) -> Result<Vec<Vec<Word>>> {
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
