//! qemu-ga's command line over its configuration file → what it will do (`qga/main.c`: `config_parse`, `config_load`).

use crate::guest::Setting;
use crate::guest::getopt::{Opt, Takes, opt, parse};

/// Every option; `--blacklist` went with QEMU 9.1, `-a` came with 8.1, `-c` with 9.2.
const OPTIONS: &[Opt] = &[
    opt('h', &["help"], Takes::Nothing),
    opt('V', &["version"], Takes::Nothing),
    opt('D', &["dump-conf"], Takes::Nothing),
    opt('c', &["config"], Takes::Value),
    opt('l', &["logfile"], Takes::Value),
    opt('f', &["pidfile"], Takes::Value),
    opt('F', &["fsfreeze-hook"], Takes::Maybe),
    opt('v', &["verbose"], Takes::Nothing),
    opt('m', &["method"], Takes::Value),
    opt('p', &["path"], Takes::Value),
    opt('d', &["daemonize"], Takes::Nothing),
    opt('b', &["block-rpcs", "blacklist"], Takes::Value),
    opt('a', &["allow-rpcs"], Takes::Value),
    Opt { code: 's', is_short: true, long: &[], takes: Takes::Value },
    opt('t', &["statedir"], Takes::Value),
    opt('r', &["retry-path"], Takes::Nothing),
];

/// The script of `-F` without a value.
const HOOK: &str = "/etc/qemu/fsfreeze-hook";

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// `-c FILE`, which must be there.
    pub config: Option<String>,
    /// `-m`.
    pub method: Option<String>,
    /// `-p`.
    pub path: Option<String>,
    /// `-F`.
    pub hook: Option<String>,
    /// RPCs of every `-b`.
    pub blocked: Vec<String>,
    /// RPCs of every `-a`.
    pub allowed: Vec<String>,
    /// `-d`.
    pub is_daemon: bool,
}

/// A remote procedure in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rpc {
    /// Its name.
    pub name: String,
    /// The line of the configuration file; `None` for the command line.
    pub line: Option<u32>,
}

/// What qemu-ga does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// `virtio-serial` where nothing is said.
    pub method: String,
    /// The device or socket.
    pub path: String,
    /// The script that is run at freeze and thaw.
    pub hook: Option<String>,
    /// RPCs that it refuses.
    pub blocked: Vec<Rpc>,
    /// If not empty, it refuses all others.
    pub allowed: Vec<Rpc>,
    /// It goes to the background.
    pub is_daemon: bool,
}

impl CommandLine {
    /// Takes the words behind the program's name apart.
    ///
    /// # Errors
    /// Why qemu-ga ends instead of serving.
    pub fn parse(words: &[String]) -> Result<Self, String> {
        let mut line = Self::default();
        for (code, value) in parse(words, OPTIONS)?.options {
            let list = || value.iter().flat_map(|value| rpcs(value));
            match code {
                'b' | 'a' if matches!(value.as_deref(), Some("help" | "?")) => {
                    return Err(format!("-{code} help only lists the RPCs"));
                }
                'h' | 'V' | 'D' => return Err(format!("-{code} only prints")),
                'c' => line.config = value,
                'd' => line.is_daemon = true,
                'm' => line.method = value,
                'p' => line.path = value,
                'F' => line.hook = Some(value.unwrap_or_else(|| HOOK.to_owned())),
                'b' => line.blocked.extend(list()),
                'a' => line.allowed.extend(list()),
                _ => {}
            }
        }
        Ok(line)
    }
}

/// `g_strsplit`: nothing of an empty text, else everything between commas as it stands.
fn rpcs(list: &str) -> impl Iterator<Item = String> + '_ {
    list.split(',').filter(move |_| !list.is_empty()).map(str::to_owned)
}

impl Configuration {
    /// The command line over the settings of the configuration file; the lists of both count.
    ///
    /// # Errors
    /// Why qemu-ga ends instead of serving.
    pub fn new(settings: &[Setting], line: &CommandLine) -> Result<Self, String> {
        let last = |key: &str| settings.iter().rfind(|setting| setting.section == "general" && setting.key == key);
        for key in ["daemon", "verbose", "retry-path"] {
            if let Some(setting) = last(key)
                && !matches!(setting.value.trim_end(), "true" | "false" | "1" | "0")
            {
                return Err(format!("{key}={} is neither true nor false", setting.value));
            }
        }
        let text = |key: &str| last(key).map(|setting| setting.value.clone());
        let list = |keys: &[&str], more: &[String]| {
            let rpc = |name, line| Rpc { name, line };
            let settings = keys.iter().filter_map(|key| last(key));
            let file = settings.flat_map(|setting| rpcs(&setting.value).map(move |name| rpc(name, Some(setting.line))));
            file.chain(more.iter().map(|name| rpc(name.clone(), None))).collect::<Vec<_>>()
        };
        let method = line.method.clone().or_else(|| text("method")).unwrap_or_else(|| "virtio-serial".to_owned());
        let path = match (line.path.clone().or_else(|| text("path")), method.as_str()) {
            (Some(path), _) => path,
            (None, "virtio-serial") => "/dev/virtio-ports/org.qemu.guest_agent.0".to_owned(),
            (None, "isa-serial") => "/dev/ttyS0".to_owned(),
            (None, _) => return Err(format!("the method {method} needs a path")),
        };
        Ok(Self {
            method,
            path,
            hook: line.hook.clone().or_else(|| text("fsfreeze-hook")),
            // QEMU before 9.1 reads `blacklist`, since 5.1 in place of `block-rpcs`: what either names may be refused.
            blocked: list(&["blacklist", "block-rpcs"], &line.blocked),
            allowed: list(&["allow-rpcs"], &line.allowed),
            is_daemon: line.is_daemon || text("daemon").is_some_and(|value| matches!(value.trim_end(), "true" | "1")),
        })
    }

    /// The entry of the list that blocks `name`; of a list of allowed RPCs that lacks it the first entry.
    pub fn refuses(&self, name: &str) -> Option<&Rpc> {
        let lists = |list: &'_ [Rpc]| list.iter().position(|rpc| rpc.name == name);
        let blocks = lists(&self.blocked).and_then(|index| self.blocked.get(index));
        blocks.or_else(|| self.allowed.first().filter(|_| lists(&self.allowed).is_none()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::agent::{CONFIG, parse as parse_config};
    use crate::limits::Limits;

    fn configuration(file: &str, line: &str) -> Result<Configuration, String> {
        let settings = parse_config(CONFIG, file.as_bytes(), &Limits::default());
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        CommandLine::parse(&words).and_then(|line| Configuration::new(&settings.items, &line))
    }

    #[test]
    fn what_refuses_an_rpc() {
        for (file, line, name, refuses) in [
            ("", "", "guest-exec", None),
            ("", "-b guest-exec", "guest-exec", Some(None)),
            ("", "-b guest-exec", "guest-ping", None),
            ("[general]\nblock-rpcs=guest-ping,guest-exec\n", "", "guest-exec", Some(Some(2))),
            ("[general]\nblock-rpcs=guest-exec \n", "", "guest-exec", None),
            ("[general]\nblacklist=guest-exec\n", "-b x", "guest-exec", Some(Some(2))),
            ("[general]\nblock-rpcs=guest-exec\nblock-rpcs=x\n", "", "guest-exec", None),
            ("[other]\nblock-rpcs=guest-exec\n", "", "guest-exec", None),
            ("", "--allow-rpcs=guest-ping", "guest-exec", Some(None)),
            ("", "--allow-rpcs=guest-ping,guest-exec", "guest-exec", None),
            ("", "--allow-rpcs=guest-exec -b guest-exec", "guest-exec", Some(None)),
            ("", "--allow-rpcs=", "guest-exec", None),
            ("[general]\nallow-rpcs=guest-ping\n", "-a guest-exec", "guest-exec", None),
        ] {
            let configuration = configuration(file, line).unwrap();
            assert_eq!(configuration.refuses(name).map(|rpc| rpc.line), refuses, "{file:?} {line}");
        }
    }

    #[test]
    fn what_ends_it() {
        for (file, line) in [
            ("", "-b help"),
            ("", "-a ?"),
            ("", "-V"),
            ("", "--nope"),
            ("[general]\ndaemon=yes\n", ""),
            ("", "-m unix-listen"),
        ] {
            assert!(configuration(file, line).is_err(), "{file:?} {line}");
        }
    }

    #[test]
    fn the_command_line_wins() {
        let found = configuration("[general]\nmethod=isa-serial\nfsfreeze-hook=/a\n", "-m unix-listen -p /s").unwrap();
        assert_eq!((found.method.as_str(), found.path.as_str()), ("unix-listen", "/s"));
        assert_eq!(found.hook.as_deref(), Some("/a"));
        let found = configuration("[general]\nmethod=isa-serial\n", "-F").unwrap();
        assert_eq!((found.path.as_str(), found.hook.as_deref()), ("/dev/ttyS0", Some(HOOK)));
    }
}
