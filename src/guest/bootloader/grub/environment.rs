//! GRUB's variables, with values that nobody can know before the machine starts.

use super::lexer::{Part, Word};
use super::menu::ends;
use crate::bytes::text;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of one value; Linux's longest command line is 4096.
pub(super) const MAX_VALUE: usize = 16 * 1024;

/// A text, or `None` where it depends on what this reader does not evaluate.
pub(super) type Value = Option<String>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Variable {
    value: Value,
    is_exported: bool,
}

/// Variables by name, and the arguments of the function or entry that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Environment {
    variables: BTreeMap<String, Variable>,
    /// Modules that were loaded for certain.
    pub(super) modules: BTreeSet<String>,
    pub(super) arguments: Vec<Value>,
}

impl Environment {
    /// What copying it costs, in steps.
    pub(super) fn size(&self) -> u64 {
        let variables =
            self.variables.iter().map(|(name, variable)| cost(name).saturating_add(weight(&variable.value)));
        let modules = self.modules.iter().map(|name| cost(name));
        variables.chain(modules).chain(self.arguments.iter().map(weight)).fold(0, u64::saturating_add)
    }

    /// An unset variable is empty.
    pub(super) fn get(&self, name: &str) -> Value {
        self.variables.get(name).map_or_else(|| Some(String::new()), |variable| variable.value.clone())
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        let value = value.filter(|value| value.len() <= MAX_VALUE);
        self.variables.entry(name.to_owned()).or_default().value = value;
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    pub(super) fn export(&mut self, name: &str) {
        let empty = Variable { value: Some(String::new()), is_exported: true };
        self.variables.entry(name.to_owned()).or_insert(empty).is_exported = true;
    }

    /// What a submenu or `configfile` starts with: the exported variables.
    pub(super) fn nested(&self) -> Self {
        let exported = self.variables.iter().filter(|(_, variable)| variable.is_exported);
        Self {
            variables: exported.map(|(name, variable)| (name.clone(), variable.clone())).collect(),
            modules: self.modules.clone(),
            arguments: Vec::new(),
        }
    }

    /// Keeps what both have in common; the rest is not known.
    pub(super) fn join(&mut self, other: &Self) {
        self.modules.retain(|name| other.modules.contains(name));
        // Both ways end by themselves, whichever is taken.
        let is_timeout = [&*self, other].iter().all(|side| side.get("timeout").as_deref().is_some_and(ends));
        for name in other.variables.keys() {
            if other.get(name) != self.get(name) && !(is_timeout && name == "timeout") {
                self.set(name, None);
            }
        }
        let missing = |name: &&String| !other.variables.contains_key(*name);
        for name in self.variables.keys().filter(missing).cloned().collect::<Vec<_>>() {
            if self.get(&name) != other.get(&name) {
                self.set(&name, None);
            }
        }
    }

    /// Sets the variables of an environment block; `only` restricts it, unless it is empty.
    pub(super) fn load(&mut self, block: &[u8], only: &[String]) {
        for (name, value) in block_variables(block) {
            if only.is_empty() || only.contains(&name) {
                self.set(&name, Some(value));
            }
        }
    }

    /// Sets what an earlier start has written into the block.
    pub(super) fn overlay(&mut self, written: &BTreeMap<String, Value>, only: &[String]) {
        for (name, value) in written.iter().filter(|(name, _)| only.is_empty() || only.contains(name)) {
            self.set(name, value.clone());
        }
    }

    fn argument(&self, name: &str) -> Option<Value> {
        let index: usize = name.parse().ok()?;
        let empty = || Some(String::new());
        Some(index.checked_sub(1).map_or_else(empty, |index| self.arguments.get(index).cloned().unwrap_or_else(empty)))
    }

    fn value(&self, name: &str) -> Value {
        match name {
            "@" | "*" => self.arguments.iter().cloned().collect::<Option<Vec<String>>>().map(|all| all.join(" ")),
            "#" => Some(self.arguments.len().to_string()),
            "?" => None,
            _ => self.argument(name).unwrap_or_else(|| self.get(name)),
        }
    }

    /// The arguments that words stand for: variables replaced, those without quotes split at blanks. Also what that
    /// costs, in steps; it ends where this exceeds `budget`.
    pub(super) fn expand(&self, words: &[Word], budget: u64) -> (Vec<Value>, u64) {
        let (mut fields, mut spent) = (Vec::new(), 0);
        for word in words {
            self.expand_word(word, &mut fields, &mut spent, budget);
            if spent > budget {
                break;
            }
        }
        (fields, spent)
    }

    fn expand_word(&self, word: &Word, fields: &mut Vec<Value>, spent: &mut u64, budget: u64) {
        let mut field: Value = Some(String::new());
        let mut is_there = false;
        *spent = spent.saturating_add(1);
        for part in &word.parts {
            match part {
                Part::Bare(text) | Part::Quoted(text) => {
                    *spent = spent.saturating_add(cost(text));
                    append(&mut field, text);
                }
                Part::Variable { name, is_quoted } => {
                    let value = self.value(name);
                    *spent = spent.saturating_add(weight(&value));
                    let Some(value) = value else {
                        field = None;
                        is_there = true;
                        continue;
                    };
                    if *is_quoted {
                        append(&mut field, &value);
                        is_there = true;
                        continue;
                    }
                    for (index, piece) in value.split_whitespace().enumerate() {
                        if index > 0 {
                            fields.push(field.replace(String::new()));
                            *spent = spent.saturating_add(1);
                        }
                        append(&mut field, piece);
                        is_there = true;
                    }
                    continue;
                }
            }
            is_there = true;
            if *spent > budget {
                return;
            }
        }
        if is_there {
            fields.push(field.filter(|field| field.len() <= MAX_VALUE));
        }
    }
}

/// What a text costs that is copied or read, in steps: one for every 64 bytes.
pub(super) fn cost(text: &str) -> u64 {
    cost_of(text.len())
}

pub(super) fn cost_of(bytes: usize) -> u64 {
    u64::try_from(bytes / 64).unwrap_or(u64::MAX).saturating_add(1)
}

fn weight(value: &Value) -> u64 {
    value.as_deref().map_or(1, cost)
}

fn append(field: &mut Value, text: &str) {
    if let Some(field) = field.as_mut().filter(|field| field.len() <= MAX_VALUE) {
        field.push_str(text);
    }
}

/// `name=value` lines of a grubenv (`grub-core/lib/envblk.c`): a backslash takes the next byte as it is.
fn block_variables(block: &[u8]) -> Vec<(String, String)> {
    let Some(body) = block.strip_prefix(b"# GRUB Environment Block\n") else { return Vec::new() };
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    let mut bytes = body.iter();
    while let Some(&byte) = bytes.next() {
        let kept = match byte {
            b'\\' => bytes.next().copied(),
            b'\n' => {
                lines.push(Vec::new());
                continue;
            }
            byte => Some(byte),
        };
        if let Some(line) = lines.last_mut() {
            line.extend(kept);
        }
    }
    let pair = |line: &Vec<u8>| {
        let equals = line.iter().position(|&byte| byte == b'=').filter(|_| line.first() != Some(&b'#'))?;
        Some((text(line.get(..equals)?), text(line.get(equals.checked_add(1)?..)?)))
    };
    lines.iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::super::lexer::{Kind, tokens};
    use super::*;

    fn expand(environment: &Environment, source: &str) -> Vec<Value> {
        let words = tokens(source.as_bytes()).into_iter().filter_map(|token| match token.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        });
        environment.expand(&words.collect::<Vec<_>>(), 1000).0
    }

    #[test]
    fn words_are_split_and_joined_as_grub_does() {
        let mut environment = Environment { arguments: vec![Some("one".to_owned())], ..Environment::default() };
        environment.set("two", Some("a b".to_owned()));
        environment.set("nobody", None);
        let known = |fields: &[&str]| fields.iter().map(|field| Some((*field).to_owned())).collect::<Vec<_>>();
        for (source, expected) in [
            ("x$two", known(&["xa", "b"])),
            ("\"x$two\"", known(&["xa b"])),
            ("$unset", vec![]),
            ("\"$unset\"", known(&[""])),
            ("x$unset''", known(&["x"])),
            ("$1 $2 $# \"$@\"", known(&["one", "1", "one"])),
            ("a$nobody b", vec![None, Some("b".to_owned())]),
            ("\"${nobody}\"", vec![None]),
        ] {
            assert_eq!(expand(&environment, source), expected, "{source}");
        }
    }

    #[test]
    fn doubling_does_not_grow_for_ever() {
        let mut environment = Environment::default();
        environment.set("a", Some("x".repeat(100)));
        for _ in 0..99 {
            let doubled = expand(&environment, "\"$a$a\"").remove(0);
            environment.set("a", doubled);
        }
        assert_eq!(environment.get("a"), None);
    }

    #[test]
    fn nested_and_joined_environments() {
        let mut one = Environment::default();
        one.set("same", Some("1".to_owned()));
        one.set("only", Some("1".to_owned()));
        let mut two = one.clone();
        two.unset("only");
        two.set("new", Some("2".to_owned()));
        one.join(&two);
        assert_eq!(["same", "only", "new"].map(|name| one.get(name).is_some()), [true, false, false]);
        one.export("same");
        assert_eq!(one.nested().variables.len(), 1);
    }

    #[test]
    fn environment_blocks() {
        let block =
            b"# GRUB Environment Block\n# WARNING\nsaved_entry=a>b\nkernelopts=root=UUID=1 ro\nodd=a\\\nb\\\\c\n####";
        let mut environment = Environment::default();
        environment.load(block, &[]);
        assert_eq!(environment.get("saved_entry").as_deref(), Some("a>b"));
        assert_eq!(environment.get("kernelopts").as_deref(), Some("root=UUID=1 ro"));
        assert_eq!(environment.get("odd").as_deref(), Some("a\nb\\c"));
        let mut some = Environment::default();
        some.load(block, &["odd".to_owned()]);
        assert_eq!(some.variables.len(), 1);
        some.load(b"saved_entry=x\n", &[]);
        assert_eq!(some.variables.len(), 1, "no environment block");
    }
}
