//! Strings and heredocs, where no template is in them.

use super::Parser;
use crate::error::{Error, Result};

impl Parser {
    /// A quoted string; nothing where a template is in it.
    pub(super) fn string(&mut self, depth: usize) -> Result<Option<String>> {
        let inner = self.nest(depth)?;
        self.next();
        let (mut text, mut is_literal) = (String::new(), true);
        loop {
            let rest = [self.peek(0), self.peek(1), self.peek(2)];
            match rest {
                [None | Some('\n'), ..] => return Err(self.wrong("the end of a string")),
                [Some('"'), ..] => {
                    self.next();
                    return Ok(Some(text).filter(|_| is_literal));
                }
                [Some('\\'), ..] => text.push(self.escape()?),
                [Some(mark @ ('$' | '%')), Some(again), Some('{')] if mark == again => {
                    text.extend([mark, '{']);
                    self.skip(3);
                }
                [Some('$' | '%'), Some('{'), _] => {
                    is_literal = false;
                    self.next();
                    self.brackets(inner)?;
                }
                [Some(c), ..] => {
                    text.push(c);
                    self.next();
                }
            }
        }
    }

    pub(super) fn escape(&mut self) -> Result<char> {
        self.next();
        let digits = match self.next() {
            Some('n') => return Ok('\n'),
            Some('r') => return Ok('\r'),
            Some('t') => return Ok('\t'),
            Some(c @ ('"' | '\\')) => return Ok(c),
            Some('u') => 4,
            Some('U') => 8,
            _ => return Err(self.wrong("n, r, t, \", \\, u or U behind a backslash")),
        };
        let hex: String = (0..digits).filter_map(|_| self.next()).collect();
        let code = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
        code.ok_or_else(|| Error::corrupt("HCL", format!("line {}: no character has the code {hex:?}", self.line)))
    }

    /// `<<EOF` or `<<-EOF`: the lines to one of `EOF` alone; nothing where a template is in them.
    pub(super) fn heredoc(&mut self) -> Result<Option<String>> {
        self.skip(2);
        let is_indented = self.takes("-");
        let mark = self.name().ok_or_else(|| self.wrong("the mark of a heredoc"))?;
        self.takes("\r");
        if !self.takes("\n") {
            return Err(self.wrong("a new line"));
        }
        let mut lines: Vec<String> = Vec::new();
        loop {
            let mut line = String::new();
            while let Some(c) = self.peek(0).filter(|c| *c != '\n') {
                line.push(c);
                self.next();
            }
            // The end of the mark's line ends the expression too.
            if line.trim() == mark {
                break;
            }
            self.next().ok_or_else(|| self.wrong(&mark))?;
            lines.push(line);
        }
        let indent = |line: &String| line.chars().take_while(|c| matches!(c, ' ' | '\t')).count();
        let cut = if is_indented { lines.iter().map(indent).min().unwrap_or(0) } else { 0 };
        let text: String = lines.iter().map(|line| line.chars().skip(cut).chain(['\n']).collect::<String>()).collect();
        let plain = text.replace("$${", "").replace("%%{", "");
        let is_literal = !plain.contains("${") && !plain.contains("%{");
        Ok(is_literal.then(|| text.replace("$${", "${").replace("%%{", "%{")))
    }
}
