//! GRUB's `test` and `[` (`grub-core/commands/test.c`), decided where that is possible.

use super::environment::Value;
use std::cmp::Ordering;

/// Parentheses within each other.
const MAX_NESTING: usize = 16;

/// What a file test asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// `-e`
    Exists,
    /// `-f`
    IsFile,
    /// `-d`
    IsFolder,
    /// `-s`
    HasContent,
}

/// True, false, or not to be known.
type Truth = Option<bool>;

/// The outcome of an expression; `None` when it depends on something unknown.
pub(super) fn decide(arguments: &[Value], file: &mut dyn FnMut(&str, Asked) -> Truth) -> Truth {
    let arguments = match arguments {
        [inner @ .., Some(last)] if last == "]" => inner,
        all => all,
    };
    Expression { arguments, at: 0, file }.parse(0)
}

struct Expression<'a> {
    arguments: &'a [Value],
    at: usize,
    file: &'a mut dyn FnMut(&str, Asked) -> Truth,
}

impl Expression<'_> {
    fn argument(&self, ahead: usize) -> Option<&Value> {
        self.arguments.get(self.at.checked_add(ahead)?)
    }

    /// The argument `ahead`, when there is one and it is known.
    fn known(&self, ahead: usize) -> Option<&str> {
        self.argument(ahead)?.as_deref()
    }

    /// GRUB reads from left to right: `-o` starts anew, everything else is joined with *and*.
    fn parse(&mut self, depth: usize) -> Truth {
        let (mut or, mut and, mut is_inverted) = (Some(false), Some(true), false);
        while self.at < self.arguments.len() {
            let (value, used) = if let Some(value) = self.binary() {
                (value, 3)
            } else if let Some(value) = self.unary() {
                (value, 2)
            } else {
                let word = self.known(0).map(str::to_owned);
                match word.as_deref() {
                    Some("(") if depth < MAX_NESTING => {
                        self.at = self.at.saturating_add(1);
                        (self.parse(depth.saturating_add(1)), 0)
                    }
                    Some(")") => {
                        self.at = self.at.saturating_add(1);
                        break;
                    }
                    Some(operator @ ("!" | "-a" | "-o")) => {
                        if operator == "-o" {
                            or = either(or, and);
                            and = Some(true);
                        }
                        is_inverted ^= operator == "!";
                        self.at = self.at.saturating_add(1);
                        continue;
                    }
                    word => (word.map(|word| !word.is_empty()), 1),
                }
            };
            self.at = self.at.saturating_add(used);
            and = both(and, value.map(|value| value != is_inverted));
            is_inverted = false;
        }
        either(or, and)
    }

    /// `a = b` and its like; the outer option says whether one stands here.
    fn binary(&self) -> Option<Truth> {
        let operator = self.known(1).filter(|_| self.argument(2).is_some())?;
        let compare = |holds: fn(Ordering) -> bool| Some(holds(self.known(0)?.cmp(self.known(2)?)));
        let number = |holds: fn(Ordering) -> bool| Some(holds(integer(self.known(0)?).cmp(&integer(self.known(2)?))));
        Some(match operator {
            "=" | "==" => compare(Ordering::is_eq),
            "!=" => compare(Ordering::is_ne),
            "<" => compare(Ordering::is_lt),
            "<=" => compare(Ordering::is_le),
            ">" => compare(Ordering::is_gt),
            ">=" => compare(Ordering::is_ge),
            "-eq" => number(Ordering::is_eq),
            "-ne" => number(Ordering::is_ne),
            "-lt" => number(Ordering::is_lt),
            "-le" => number(Ordering::is_le),
            "-gt" => number(Ordering::is_gt),
            "-ge" => number(Ordering::is_ge),
            other if ["-pgt", "-plt", "-nt", "-ot"].iter().any(|known| other.starts_with(known)) => None,
            _ => return None,
        })
    }

    fn unary(&mut self) -> Option<Truth> {
        let operator = self.known(0).filter(|_| self.argument(1).is_some())?;
        let asked = match operator {
            "-n" => return Some(self.known(1).map(|text| !text.is_empty())),
            "-z" => return Some(self.known(1).map(str::is_empty)),
            "-e" => Asked::Exists,
            "-f" => Asked::IsFile,
            "-d" => Asked::IsFolder,
            "-s" => Asked::HasContent,
            _ => return None,
        };
        let path = self.known(1).map(str::to_owned);
        Some(path.and_then(|path| (self.file)(&path, asked)))
    }
}

fn both(a: Truth, b: Truth) -> Truth {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn either(a: Truth, b: Truth) -> Truth {
    both(a.map(|a| !a), b.map(|b| !b)).map(|neither| !neither)
}

/// As `grub_strtoul` with base 0 and a sign; what is no number is 0.
fn integer(text: &str) -> i64 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (radix, digits) = match digits.strip_prefix("0x") {
        Some(digits) => (16, digits),
        None if digits.len() > 1 && digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    let end = digits.find(|character: char| !character.is_digit(radix)).unwrap_or(digits.len());
    let number = i64::from_str_radix(digits.get(..end).unwrap_or_default(), radix).unwrap_or(0);
    number.saturating_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_decided_as_grub_decides_them() {
        for (expression, expected) in [
            ("a = a ]", Some(true)),
            ("a == b ]", Some(false)),
            ("xy != xn", Some(true)),
            ("-n x", Some(true)),
            ("-z x ]", Some(false)),
            ("word ]", Some(true)),
            ("]", Some(true)),
            ("= y ]", Some(true)),
            ("! a = b ]", Some(true)),
            ("a = b -o c = c ]", Some(true)),
            ("a = a -a c = d ]", Some(false)),
            ("a = b -a c = c -o d = d", Some(true)),
            ("( a = b -o c = c ) -a d = d", Some(true)),
            ("10 -gt 9", Some(true)),
            ("010 -eq 8 -a 0x10 -eq 16 -a x -eq 0 -a -3 -lt 2", Some(true)),
            ("-e /there -a ! -f /missing", Some(true)),
            ("-s /there", Some(true)),
            ("-d /unseen", None),
            ("? = a", None),
            ("-z ?", None),
            ("? = a -a b = c", Some(false)),
            ("? = a -o b = b", Some(true)),
            ("a -nt b", None),
        ] {
            let arguments: Vec<Value> =
                expression.split(' ').map(|word| (word != "?").then(|| word.to_owned())).collect();
            let mut file = |path: &str, _: Asked| (path != "/unseen").then_some(path == "/there");
            assert_eq!(decide(&arguments, &mut file), expected, "{expression}");
        }
    }

    #[test]
    fn parentheses_do_not_exhaust_the_stack() {
        let arguments = vec![Some("(".to_owned()); 100_000];
        assert!(decide(&arguments, &mut |_, _| None).is_some());
    }
}
