//! systemd's command lines → argument lists (`man 5 systemd.service`, "COMMAND LINES"; `config_parse_exec`,
//! `extract_first_word`, `replace_env_argv`).

/// One command of an `Exec…=` setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What is executed.
    pub program: String,
    /// The words behind the program's name, variables expanded, specifiers (`%i`) not.
    pub words: Vec<String>,
}

/// Words of one command line; a unit's have a few dozen.
const MAX_WORDS: usize = 4096;

/// The commands of one value; `variable` gives the environment's.
///
/// # Errors
/// Why systemd refuses the value, or what in it is not evaluated.
pub fn parse(value: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Command>, String> {
    let mut commands = Vec::new();
    let mut words = Vec::new();
    let mut rest = value;
    while let Some((raw, word, behind)) = word(rest)? {
        rest = behind;
        // Only the bare `;` separates, only the bare `\;` is one.
        match raw {
            ";" => commands.extend(command(&std::mem::take(&mut words), variable)?),
            "\\;" => words.push(";".to_owned()),
            _ => words.push(word),
        }
        if words.len() > MAX_WORDS {
            return Err(format!("more than {MAX_WORDS} words"));
        }
    }
    commands.extend(command(&words, variable)?);
    Ok(commands)
}

fn command(words: &[String], variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Command>, String> {
    let Some((first, rest)) = words.split_first() else { return Ok(None) };
    let program = first.trim_start_matches(['-', '@', ':', '+', '!', '|']);
    let prefix = first.strip_suffix(program).unwrap_or_default();
    let program = specifiers(program);
    // `@` takes the next word as the program's name.
    let rest = if prefix.contains('@') { rest.get(1..).unwrap_or_default() } else { rest };
    let mut words = Vec::new();
    for word in rest {
        let word = specifiers(word);
        if prefix.contains(':') {
            words.push(word);
        } else {
            expand(&word, variable, &mut words)?;
        }
    }
    Ok(Some(Command { program, words }))
}

/// `%%` is a percent sign; the others are left as they stand, for only the running system knows them (`man 5 systemd.unit`).
fn specifiers(word: &str) -> String {
    word.replace("%%", "%")
}

/// `$NAME` as a word of its own becomes its words, `${NAME}` anywhere its value, `$$` a dollar sign.
fn expand(word: &str, variable: &dyn Fn(&str) -> Option<String>, into: &mut Vec<String>) -> Result<(), String> {
    if let Some(name) = word.strip_prefix('$')
        && !name.starts_with(['{', '$'])
    {
        if is_name(name) {
            let value = variable(name).unwrap_or_default();
            let mut rest = value.as_str();
            while let Some((_, word, behind)) = relaxed_word(rest) {
                into.push(word);
                rest = behind;
            }
        }
        return Ok(());
    }
    let mut plain = String::new();
    let mut rest = word;
    while let Some((before, behind)) = rest.split_once('$') {
        plain.push_str(before);
        rest = behind;
        if let Some(behind) = rest.strip_prefix('$') {
            plain.push('$');
            rest = behind;
        } else if let Some((name, behind)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            if !is_name(name) {
                return Err(format!("${{{name}}} is not evaluated"));
            }
            plain.push_str(&variable(name).unwrap_or_default());
            rest = behind;
        } else {
            plain.push('$');
        }
    }
    plain.push_str(rest);
    into.push(plain);
    Ok(())
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];

/// The next word as written and unquoted, and what stands behind it.
type Word<'t> = (&'t str, String, &'t str);

fn word(text: &str) -> Result<Option<Word<'_>>, String> {
    let text = text.trim_start_matches(BLANK);
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(behind) = text.strip_prefix("\\;").filter(|behind| behind.is_empty() || behind.starts_with(BLANK)) {
        return Ok(Some(("\\;", ";".to_owned(), behind)));
    }
    let (mut plain, mut quote, mut characters) = (String::new(), None, text.chars());
    loop {
        let Some(character) = characters.next() else {
            if quote.is_some() {
                return Err("a quote is not closed".to_owned());
            }
            return Ok(Some((text, plain, "")));
        };
        match character {
            '\\' => plain.push(escape(&mut characters)?),
            _ if quote == Some(character) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(character),
            _ if quote.is_none() && BLANK.contains(&character) => {
                let behind = characters.as_str();
                let raw = text.strip_suffix(behind).unwrap_or(text).trim_end_matches(BLANK);
                return Ok(Some((raw, plain, behind)));
            }
            _ => plain.push(character),
        }
    }
}

/// `cunescape_one`, without its octal and hexadecimal forms above ASCII.
fn escape(characters: &mut std::str::Chars<'_>) -> Result<char, String> {
    let unknown = || "it has an escape that is not evaluated".to_owned();
    Ok(match characters.next().ok_or_else(unknown)? {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' => '\\',
        '"' => '"',
        '\'' => '\'',
        's' => ' ',
        'x' => {
            let digit = |digit: Option<char>| digit.and_then(|digit| digit.to_digit(16));
            let (high, low) = (digit(characters.next()), digit(characters.next()));
            let code = high.zip(low).and_then(|(high, low)| high.checked_mul(16)?.checked_add(low));
            code.filter(|code| (1..128).contains(code)).and_then(char::from_u32).ok_or_else(unknown)?
        }
        _ => return Err(unknown()),
    })
}

/// A word of a variable's value (`EXTRACT_RELAX | EXTRACT_UNQUOTE`): a backslash keeps the next character, and a quote
/// that is not closed ends with the value.
fn relaxed_word(text: &str) -> Option<Word<'_>> {
    let text = text.trim_start_matches(BLANK);
    let (mut plain, mut quote, mut characters) = (String::new(), None, text.chars());
    if text.is_empty() {
        return None;
    }
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            _ if quote == Some(character) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(character),
            _ if quote.is_none() && BLANK.contains(&character) => break,
            _ => plain.push(character),
        }
    }
    Some((text, plain, characters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines() {
        let variable = |name: &str| match name {
            "ONE" => Some("one".to_owned()),
            "TWO" => Some("two two".to_owned()),
            "EMPTY" => Some(String::new()),
            "ARGS" => Some("--allow-rpcs=a,b 'c d' e\\ f \"g".to_owned()),
            _ => None,
        };
        for (value, expected) in [
            ("/usr/sbin/qemu-ga", Ok(vec!["/usr/sbin/qemu-ga"])),
            ("-/usr/sbin/qemu-ga -v", Ok(vec!["/usr/sbin/qemu-ga", "-v"])),
            // The examples of man 5 systemd.service.
            ("echo $ONE $TWO ${TWO}", Ok(vec!["echo", "one", "two", "two", "two two"])),
            ("/bin/echo $ONE ${ONE} ${TWO}", Ok(vec!["/bin/echo", "one", "one", "two two"])),
            ("echo one ; echo \"two two\"", Ok(vec!["echo", "one", ";", "echo", "two two"])),
            ("echo / >/dev/null & \\; ls", Ok(vec!["echo", "/", ">/dev/null", "&", ";", "ls"])),
            ("a --block-rpcs=${ONE} -F${NOPE}", Ok(vec!["a", "--block-rpcs=one", "-F"])),
            ("a $EMPTY ${EMPTY} $NOPE x", Ok(vec!["a", "", "x"])),
            ("a x$ONE $$ONE ${ONE}$$ $", Ok(vec!["a", "x$ONE", "$ONE", "one$"])),
            ("a $ARGS", Ok(vec!["a", "--allow-rpcs=a,b", "c d", "e f", "g"])),
            (":a $ONE ${ONE}", Ok(vec!["a", "$ONE", "${ONE}"])),
            ("@/bin/sh name -c x", Ok(vec!["/bin/sh", "-c", "x"])),
            ("+-!!/bin/a 'b c'd \"e\\tf\" \\x41", Ok(vec!["/bin/a", "b cd", "e\tf", "A"])),
            ("a '[ $run != 1 ] || exec b $opts'", Ok(vec!["a", "[ $run != 1 ] || exec b $opts"])),
            ("a 100%%", Ok(vec!["a", "100%"])),
            ("a -p /dev/%i", Ok(vec!["a", "-p", "/dev/%i"])),
            ("a 'b", Err("a quote is not closed")),
            ("a \\q", Err("it has an escape that is not evaluated")),
            ("a ${ONE:-x}", Err("${ONE:-x} is not evaluated")),
            ("", Ok(vec![])),
        ] {
            let found = parse(value, &variable).map(|commands| {
                let words = |command: Command| {
                    let mut words = vec![command.program];
                    words.extend(command.words);
                    words
                };
                commands.into_iter().map(words).collect::<Vec<_>>().join(&";".to_owned())
            });
            let expected = expected.map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(found, expected.map_err(str::to_owned), "{value}");
        }
        assert!(parse(&"a ".repeat(5000), &variable).is_err());
    }
}
