//! Tokens → statements (`grub-core/script/parser.y`).

use super::lexer::{Kind, Token, Word, tokens};
use crate::bytes::text;
use std::rc::Rc;

/// Blocks and conditions within each other; `grub-mkconfig` writes four.
const MAX_NESTING: usize = 24;

/// Bytes shown of a condition; `grub-mkconfig` writes 80.
const MAX_WHEN: usize = 256;

/// Statements, shared by everything that runs them.
pub(super) type Block = Rc<[Statement]>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    Command {
        line: u32,
        words: Vec<Word>,
        block: Option<Block>,
    },
    /// `if` and every `elif`, then `else`.
    If {
        branches: Vec<Branch>,
        otherwise: Block,
    },
    Function {
        name: String,
        body: Block,
    },
    For {
        name: String,
        words: Vec<Word>,
        body: Block,
    },
    /// `while` and `until`.
    While {
        line: u32,
        body: Block,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Branch {
    /// The condition as written, without `[` and `]`.
    pub(super) when: String,
    pub(super) condition: Block,
    pub(super) body: Block,
}

/// A script as far as it could be read.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) statements: Block,
    /// Line and cause of what could not be read.
    pub(super) error: Option<(u32, &'static str)>,
}

/// Reads a script up to its first syntax error.
pub(super) fn parse(source: &[u8]) -> Script {
    // `grub_file_getline` drops every carriage return.
    let source: Vec<u8> = source.iter().copied().filter(|&byte| byte != b'\r').collect();
    let tokens = tokens(&source);
    let mut parser = Parser { source: &source, tokens: &tokens, at: 0, depth: 0 };
    let mut statements = Vec::new();
    let error = loop {
        parser.skip_newlines();
        if parser.kind().is_none() {
            break None;
        }
        match parser.statement() {
            Ok(statement) => {
                statements.push(statement);
                parser.skip_semicolon();
            }
            Err(cause) => break Some((parser.line(), cause)),
        }
    };
    Script { statements: statements.into(), error }
}

type Result<T> = std::result::Result<T, &'static str>;

struct Parser<'a> {
    source: &'a [u8],
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn token(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn kind(&self) -> Option<&'a Kind> {
        self.token().map(|token| &token.kind)
    }

    fn line(&self) -> u32 {
        self.token().or(self.tokens.last()).map_or(1, |token| token.line)
    }

    fn next(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    /// The reserved word that stands here, if one does.
    fn bare(&self) -> Option<&'a str> {
        match self.kind() {
            Some(Kind::Word(word)) => word.bare(),
            _ => None,
        }
    }

    fn expect(&mut self, word: &str, cause: &'static str) -> Result<()> {
        if self.bare() == Some(word) {
            self.next();
            return Ok(());
        }
        Err(cause)
    }

    fn skip_newlines(&mut self) {
        while self.kind() == Some(&Kind::Newline) {
            self.next();
        }
    }

    /// One semicolon may end a command; another is a syntax error.
    fn skip_semicolon(&mut self) {
        if self.kind() == Some(&Kind::Semicolon) {
            self.next();
        }
    }

    /// Statements up to one of the reserved words, or to `}` when there are none.
    fn statements(&mut self, until: &[&str]) -> Result<Block> {
        let mut statements = Vec::new();
        loop {
            self.skip_newlines();
            match self.kind() {
                None => return Err("the end of the file comes before the end of a block"),
                Some(Kind::Close) if until.is_empty() => break,
                Some(Kind::Word(word)) if word.bare().is_some_and(|word| until.contains(&word)) => break,
                Some(_) => {
                    statements.push(self.statement()?);
                    self.skip_semicolon();
                }
            }
        }
        if statements.is_empty() { Err("a block holds no command") } else { Ok(statements.into()) }
    }

    fn statement(&mut self) -> Result<Statement> {
        if self.depth >= MAX_NESTING {
            return Err("blocks are nested too deeply");
        }
        self.depth = self.depth.saturating_add(1);
        let statement = match self.bare() {
            Some("if") => self.condition(),
            Some("function") => self.function(),
            Some("for") => self.for_loop(),
            Some("while" | "until") => self.while_loop(),
            Some("then" | "elif" | "else" | "fi" | "do" | "done" | "case" | "select") => {
                Err("a reserved word stands where a command is expected")
            }
            _ => self.command(),
        };
        self.depth = self.depth.saturating_sub(1);
        statement
    }

    fn command(&mut self) -> Result<Statement> {
        let line = self.line();
        let words = self.words();
        if words.is_empty() {
            return Err(match self.kind() {
                Some(Kind::Bad(cause)) => cause,
                _ => "a command is expected",
            });
        }
        let block = if self.kind() == Some(&Kind::Open) { Some(self.block()?) } else { None };
        match self.kind() {
            Some(Kind::Bad(cause)) => Err(cause),
            Some(Kind::Operator | Kind::Open | Kind::Word(_)) => Err("the end of a command is expected"),
            None | Some(Kind::Newline | Kind::Semicolon | Kind::Close) => Ok(Statement::Command { line, words, block }),
        }
    }

    fn words(&mut self) -> Vec<Word> {
        let mut words = Vec::new();
        while let Some(Kind::Word(word)) = self.kind() {
            words.push(word.clone());
            self.next();
        }
        words
    }

    fn block(&mut self) -> Result<Block> {
        if self.kind() != Some(&Kind::Open) {
            return Err("a block in braces is expected");
        }
        self.next();
        let block = self.statements(&[])?;
        self.next();
        Ok(block)
    }

    fn condition(&mut self) -> Result<Statement> {
        let mut branches = Vec::new();
        loop {
            self.next();
            let start = self.token().map_or(self.source.len(), |token| token.start);
            let condition = self.statements(&["then"])?;
            let end = self.tokens.get(self.at.saturating_sub(1)).map_or(start, |token| token.end);
            self.next();
            let body = self.statements(&["elif", "else", "fi"])?;
            branches.push(Branch { when: self.written(start, end), condition, body });
            if self.bare() != Some("elif") {
                break;
            }
        }
        let mut otherwise: Block = Rc::new([]);
        if self.bare() == Some("else") {
            self.next();
            otherwise = self.statements(&["fi"])?;
        }
        self.next();
        Ok(Statement::If { branches, otherwise })
    }

    fn written(&self, start: usize, end: usize) -> String {
        if end.saturating_sub(start) > MAX_WHEN {
            let shown = self.source.get(start..start.saturating_add(MAX_WHEN)).unwrap_or_default();
            return format!("{}…", text(shown));
        }
        let written = text(self.source.get(start..end).unwrap_or_default());
        let written = written.trim().trim_end_matches(';').trim_end();
        let inner = written.strip_prefix("[ ").and_then(|inner| inner.strip_suffix(']'));
        inner.unwrap_or(written).trim().to_owned()
    }

    fn name(&mut self) -> Result<String> {
        let name = self.bare().ok_or("a name is expected")?.to_owned();
        self.next();
        Ok(name)
    }

    fn function(&mut self) -> Result<Statement> {
        self.next();
        let name = self.name()?;
        self.skip_newlines();
        Ok(Statement::Function { name, body: self.block()? })
    }

    fn for_loop(&mut self) -> Result<Statement> {
        self.next();
        let name = self.name()?;
        self.expect("in", "in is expected after for and its name")?;
        let words = self.words();
        let body = self.loop_body()?;
        Ok(Statement::For { name, words, body })
    }

    fn while_loop(&mut self) -> Result<Statement> {
        let line = self.line();
        self.next();
        self.statements(&["do"])?;
        Ok(Statement::While { line, body: self.loop_body()? })
    }

    fn loop_body(&mut self) -> Result<Block> {
        self.skip_semicolon();
        self.skip_newlines();
        self.expect("do", "do is expected")?;
        let body = self.statements(&["done"])?;
        self.next();
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(statements: &[Statement]) -> String {
        let one = |statement: &Statement| match statement {
            Statement::Command { words, block, .. } => {
                let block = block.as_ref().map(|block| format!("{{{}}}", shape(block))).unwrap_or_default();
                format!("{}{block}", words.len())
            }
            Statement::If { branches, otherwise } => {
                let branch = |branch: &Branch| format!("({}){{{}}}", branch.when, shape(&branch.body));
                let branches: String = branches.iter().map(branch).collect();
                format!("if{branches}else{{{}}}", shape(otherwise))
            }
            Statement::Function { name, body } => format!("fn {name}{{{}}}", shape(body)),
            Statement::For { name, words, body } => format!("for {name} {}{{{}}}", words.len(), shape(body)),
            Statement::While { body, .. } => format!("while{{{}}}", shape(body)),
        };
        statements.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn statements_nest() {
        for (source, expected) in [
            ("a b\nc; d e f\n", "2 1 3"),
            (
                "if [ \"${x}\" = 1 ]; then\n a\nelif test -n y\nthen b; else c; fi",
                "if(\"${x}\" = 1){1}(test -n y){1}else{1}",
            ),
            ("if a; then if b; then c; fi; fi", "if(a){if(b){1}else{}}else{}"),
            ("menuentry 'x' --id y {\n linux a\n}\nsubmenu z {\n menuentry w { b } }", "4{2} 2{2{1}}"),
            ("function f {\n a\n}\nfunction g\n{ b; }", "fn f{1} fn g{1}"),
            ("for i in a b; do c; done\nwhile a; do b; done\nuntil a\ndo b\ndone", "for i 2{1} while{1} while{1}"),
            ("echo if then fi", "4"),
            (
                "if [ -n \"${h}\" ]; then if [ -n \"${p}\" ]; then a; fi; fi",
                "if(-n \"${h}\"){if(-n \"${p}\"){1}else{}}else{}",
            ),
        ] {
            let script = parse(source.as_bytes());
            assert_eq!((shape(&script.statements).as_str(), script.error), (expected, None), "{source}");
        }
    }

    #[test]
    fn what_precedes_an_error_is_kept() {
        let deep = "if a; then\n".repeat(99);
        for (source, kept, line) in [
            ("a\nb 'c\nd", 1, 2),
            ("a\nfi\nb", 1, 2),
            ("a\nmenuentry x {\n b\n", 1, 3),
            ("a\nb | c", 1, 2),
            ("a\nif b; then\n# nothing\nfi", 1, 4),
            ("a\nmenuentry x { }", 1, 2),
            ("a\nb \0 c", 1, 2),
            ("a\nb;; c", 2, 2),
            ("a\n}", 1, 2),
            ("a\nif b; then c", 1, 2),
            (deep.as_str(), 0, 24),
        ] {
            let script = parse(source.as_bytes());
            assert_eq!(script.statements.len(), kept, "{source}");
            assert_eq!(script.error.map(|(at, _)| at), Some(line), "{source}");
        }
    }
}
