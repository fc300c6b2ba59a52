//! What a unit's command comes to: the daemon and its arguments.

use crate::guest::{Assignment, Setting, Unit, command};
use crate::verdict::{Evidence, View, unit};

/// Why a unit's command does not come to run the daemon.
pub(super) enum Refusal {
    /// Its script does not come to it, and ends well.
    Idle(Box<Evidence>),
    /// What it does is not known; why.
    Unknown(String),
}

/// The `ExecStart=` that runs the daemon, and its arguments.
pub(super) fn invoked<'a>(view: &View<'a>, unit: &'a Unit) -> Result<Option<(&'a Setting, Vec<String>)>, Refusal> {
    let Some(starts) = unit::settings(view, unit, "Service", "ExecStart") else { return Ok(None) };
    let Some(variables) = view.need(&unit.environment).and_then(Option::as_ref) else { return Ok(None) };
    let variables = view.all(variables);
    let variable = |name: &str| unit::variable(variables, name).map(|found| found.value.clone());
    for start in starts {
        for command in command::parse(&start.value, &variable).map_err(Refusal::Unknown)? {
            match (command.program.rsplit('/').next().unwrap_or_default(), command.words.as_slice()) {
                ("watchdog" | "wd_keepalive", _) => return Ok(Some((start, command.words))),
                ("sh" | "dash" | "bash", [flag, script, ..]) if flag == "-c" => {
                    return Ok(Some((start, guarded(script, variables)?)));
                }
                _ => {}
            }
        }
    }
    Err(Refusal::Unknown("what it starts is not the watchdog daemon".to_owned()))
}

/// Whether Debian's `ExecStopPost=`, `[ $run_wd_keepalive != 1 ] || false`, makes the unit of a daemon that was not run fail.
pub(super) fn fails_after(view: &View<'_>, unit: &Unit) -> Option<bool> {
    let settings = unit::settings(view, unit, "Service", "ExecStopPost")?;
    let variables = view.all(view.need(&unit.environment)?.as_ref()?);
    Some(settings.iter().any(|setting| {
        let words: Vec<&str> = setting.value.split_whitespace().collect();
        let ["/bin/sh", "-c", "'[", name, "!=", wanted, "]", "||", "false'"] = words.as_slice() else { return false };
        let value = name.strip_prefix('$').and_then(|name| unit::variable(variables, name));
        value.is_some_and(|value| value.value == *wanted)
    }))
}

/// Debian's `[ $run_watchdog != 1 ] || exec /usr/sbin/watchdog $watchdog_options`.
fn guarded(script: &str, variables: &[Assignment]) -> Result<Vec<String>, Refusal> {
    let unknown = || Refusal::Unknown(format!("the script {script} is not evaluated"));
    let (guard, run) = script.split_once("||").ok_or_else(unknown)?;
    let guard: Vec<&str> = guard.split_whitespace().collect();
    let ["[", name, "!=", wanted, "]"] = guard.as_slice() else { return Err(unknown()) };
    let guard = unit::variable(variables, name.strip_prefix('$').ok_or_else(unknown)?);
    // Without a value `[` is wrong, which `||` takes like false.
    if let Some(guard) = guard.filter(|guard| !guard.value.is_empty() && guard.value != *wanted) {
        if guard.value.contains(char::is_whitespace) {
            return Err(unknown());
        }
        let found = format!("{}={}: the daemon is not run", guard.name, guard.value);
        let expected = format!("{}={wanted}", guard.name);
        let evidence = Evidence::at(guard.path.clone(), found).line(guard.line);
        return Err(Refusal::Idle(Box::new(evidence.expected(expected.clone()).mend(expected))));
    }
    let mut words = run.split_whitespace().skip_while(|word| *word == "exec");
    if !words.next().is_some_and(|program| matches!(program.rsplit('/').next(), Some("watchdog" | "wd_keepalive"))) {
        return Err(unknown());
    }
    let mut arguments = Vec::new();
    for word in words {
        match word.strip_prefix('$') {
            Some(name) => {
                let value = unit::variable(variables, name).map(|found| found.value.as_str()).unwrap_or_default();
                arguments.extend(value.split_whitespace().map(str::to_owned));
            }
            None => arguments.push(word.to_owned()),
        }
    }
    let is_plain = |word: &String| !word.contains(['$', '`', '"', '\'', '\\', ';', '&', '|', '<', '>', '*', '?', '(']);
    if arguments.iter().all(is_plain) { Ok(arguments) } else { Err(unknown()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_guard_the_daemon() {
        let variables = |run: &str, options: &str| -> Vec<Assignment> {
            let row = |name: &str, value: &str| Assignment {
                name: name.to_owned(),
                value: value.to_owned(),
                path: "/etc/default/watchdog".to_owned(),
                line: 1,
            };
            vec![row("run_watchdog", "0"), row("run_watchdog", run), row("watchdog_options", options)]
        };
        let script = "[ $run_watchdog != 1 ] || exec /usr/sbin/watchdog $watchdog_options";
        for (script, run, options, expected) in [
            (script, "1", "", Ok(vec![])),
            (script, "1", "-v -c /etc/w.conf", Ok(vec!["-v", "-c", "/etc/w.conf"])),
            (script, "", "", Ok(vec![])),
            (script, "0", "", Err("run_watchdog=0: the daemon is not run")),
            (script, "1", "`id`", Err("")),
            ("exec /usr/sbin/watchdog", "1", "", Err("")),
            ("[ $run_watchdog = 0 ] || exec /usr/sbin/watchdog", "1", "", Err("")),
            ("[ $run_watchdog != 1 ] || exec /usr/bin/other", "1", "", Err("")),
        ] {
            let found = guarded(script, &variables(run, options)).map_err(|refusal| match refusal {
                Refusal::Idle(evidence) => evidence.found,
                Refusal::Unknown(_) => String::new(),
            });
            let expected = expected.map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(found, expected.map_err(str::to_owned), "{script} {run} {options}");
        }
    }
}
