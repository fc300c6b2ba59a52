//! A program's arguments → its options, as glibc's `getopt_long` takes them apart (`man 3 getopt`).

/// Whether an option takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// It takes none.
    Nothing,
    /// The rest of the word, or the next word.
    Value,
    /// Only what is attached to it.
    Maybe,
}

/// One option under its short and long names.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// What it is reported as, and its short name if [`Opt::is_short`].
    pub code: char,
    /// Whether `-code` exists.
    pub is_short: bool,
    /// Its long names, without `--`.
    pub long: &'static [&'static str],
    /// Whether it takes a value.
    pub takes: Takes,
}

/// An option with both names.
pub const fn opt(code: char, long: &'static [&'static str], takes: Takes) -> Opt {
    Opt { code, is_short: true, long, takes }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Options in order, with their values.
    pub options: Vec<(char, Option<String>)>,
    /// What is no option.
    pub operands: Vec<String>,
}

/// Takes the words behind the program's name apart; options and operands may be mixed.
///
/// # Errors
/// The word that the program refuses, and why.
pub fn parse(words: &[String], known: &[Opt]) -> Result<Parsed, String> {
    let mut parsed = Parsed::default();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            parsed.operands.extend(rest.cloned());
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let option = find(name, known).ok_or_else(|| format!("{word}: there is no such option"))?;
            let value = match (option.takes, value) {
                (Takes::Nothing, Some(_)) => return Err(format!("{word}: the option takes no value")),
                (Takes::Value, None) => {
                    Some(rest.next().ok_or_else(|| format!("{word}: its value is missing"))?.clone())
                }
                (_, value) => value,
            };
            parsed.options.push((option.code, value));
        } else if let Some(cluster) = word.strip_prefix('-').filter(|cluster| !cluster.is_empty()) {
            let mut letters = cluster.chars();
            while let Some(letter) = letters.next() {
                let option = known.iter().find(|option| option.is_short && option.code == letter);
                let option = option.ok_or_else(|| format!("-{letter}: there is no such option"))?;
                let attached = Some(letters.as_str()).filter(|rest| !rest.is_empty() && option.takes != Takes::Nothing);
                let value = match (option.takes, attached) {
                    (Takes::Value, None) => {
                        Some(rest.next().ok_or_else(|| format!("-{letter}: its value is missing"))?.clone())
                    }
                    (_, attached) => attached.map(str::to_owned),
                };
                parsed.options.push((letter, value));
                if attached.is_some() {
                    break;
                }
            }
        } else {
            parsed.operands.push(word.clone());
        }
    }
    Ok(parsed)
}

/// The option with this name, or the only one that begins with it.
fn find<'k>(name: &str, known: &'k [Opt]) -> Option<&'k Opt> {
    let exact = known.iter().find(|option| option.long.contains(&name));
    let mut like = known.iter().filter(|option| option.long.iter().any(|long| long.starts_with(name)));
    exact.or_else(|| {
        let first = like.next()?;
        like.all(|other| other.code == first.code && other.takes == first.takes).then_some(first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Opt] = &[
        opt('a', &["all"], Takes::Nothing),
        opt('b', &["block-rpcs", "blacklist"], Takes::Value),
        opt('F', &["fsfreeze-hook"], Takes::Maybe),
        Opt { code: 'q', is_short: false, long: &["quiet-unsupported"], takes: Takes::Nothing },
    ];

    #[test]
    fn words() {
        for (line, expected) in [
            ("", Ok("")),
            ("-a x -b y z", Ok("a b=y | x z")),
            ("-ab y -F -Fz", Ok("a b=y F F=z |")),
            ("-by -abz -F z", Ok("b=y a b=z F | z")),
            ("--bl=x --block=y --b z", Ok("b=x b=y b=z |")),
            ("--fsfreeze-hook x --fsfreeze-hook=y", Ok("F F=y | x")),
            ("-- -a", Ok("| -a")),
            ("- -a", Ok("a | -")),
            ("--quiet -a", Ok("q a |")),
            ("--all=x", Err("--all=x: the option takes no value")),
            ("-b", Err("-b: its value is missing")),
            ("--block-rpcs", Err("--block-rpcs: its value is missing")),
            ("-q", Err("-q: there is no such option")),
            ("--nope", Err("--nope: there is no such option")),
        ] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let found = parse(&words, KNOWN).map(|parsed| {
                let option = |(code, value): &(char, Option<String>)| match value {
                    Some(value) => format!("{code}={value}"),
                    None => code.to_string(),
                };
                let mut words: Vec<String> = parsed.options.iter().map(option).collect();
                words.push("|".to_owned());
                words.extend(parsed.operands);
                if words.len() == 1 { String::new() } else { words.join(" ") }
            });
            assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{line}");
        }
    }
}
