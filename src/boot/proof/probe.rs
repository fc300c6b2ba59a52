//! One script, told in many facts: run through the agent or ssh, or by cloud-init, whose output is read off the console.

use std::collections::BTreeMap;

/// Lines that a guest may tell; a real one tells forty.
const MAX_LINES: usize = 1000;
/// Bytes of one value; `result.json` has 300.
const MAX_VALUE: usize = 4096;

const SCRIPT: &str = include_str!("probe.sh");

/// What the config drive carries and the guest is asked for again; nothing of it comes from the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seed {
    /// Random, in hexadecimal: the value of the mark, and what tells our lines on the console from all others.
    pub nonce: String,
    /// The public key, `ssh-ed25519 AAAA…`.
    pub public_key: String,
    /// The instance's id.
    pub instance: String,
}

/// Where the user data leaves its mark.
pub(super) const MARK: &str = "/var/tmp/bootworthy-mark";

impl Seed {
    /// The script, whole.
    pub(super) fn script(&self) -> String {
        // Base64 has nothing that a shell would read.
        let key = self.public_key.split(' ').nth(1).unwrap_or("none");
        SCRIPT.replace("@MARK@", MARK).replace("@KEY@", key)
    }

    /// What the config drive has cloud-init do: leave a mark, and tell the facts on the console at every start.
    pub fn user_data(&self) -> String {
        let nonce = &self.nonce;
        let told = format!("while read -r line; do printf '%s\\n' \"{nonce} $line {nonce}\"; done");
        let script = format!(
            "#!/bin/sh\nfor tty in /dev/ttyS0 /dev/ttyAMA0; do [ -c $tty ] && break; done\n{{\n{}}} 2>/dev/null </dev/null | {told} >$tty\n",
            self.script()
        );
        // JSON is YAML: nothing has to be escaped twice.
        let config = serde_json::json!({ "write_files": [
            { "path": MARK, "content": nonce },
            { "path": "/var/lib/cloud/scripts/per-boot/bootworthy", "permissions": "0755", "content": script },
        ] });
        format!("#cloud-config\n{config}\n")
    }
}

/// The facts of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Probe(BTreeMap<String, Vec<String>>);

impl Probe {
    /// The facts in the script's output; `None` where it was not told to its end.
    pub(super) fn parse(output: &str) -> Option<Self> {
        Self::collect(output.lines())
    }

    /// The facts in the last telling on a console; lines that other output broke into are left out.
    pub(super) fn of_console(console: &str, nonce: &str) -> Option<Self> {
        let (open, close) = (format!("{nonce} "), format!(" {nonce}"));
        let told: Vec<&str> = console
            .lines()
            .filter_map(|line| line.trim_end_matches('\r').split_once(&open)?.1.strip_suffix(&close))
            .collect();
        let ends: Vec<usize> = told.iter().enumerate().filter(|(_, line)| **line == "end").map(|(at, _)| at).collect();
        let last = ends.last()?;
        let first = ends.iter().rev().nth(1).map_or(0, |end| end.saturating_add(1));
        Self::collect(told.get(first..=*last)?.iter().copied())
    }

    fn collect<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut facts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in lines.take(MAX_LINES) {
            if line == "end" {
                return Some(Self(facts));
            }
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            let value: String = value.chars().take(MAX_VALUE).collect();
            facts.entry(key.to_owned()).or_default().push(value.trim().to_owned());
        }
        None
    }

    /// Whether systemd says that all that it has to start is started, well or badly (`man 1 systemctl`, is-system-running).
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.first("system"), Some("running" | "degraded"))
    }

    /// Every value of a key, in order.
    pub(super) fn all(&self, key: &str) -> &[String] {
        self.0.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// The first value of a key that is not empty.
    pub(super) fn first(&self, key: &str) -> Option<&str> {
        self.all(key).iter().map(String::as_str).find(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_both_ways() {
        let output = "root.type ext4\nnet virtio_net 2 eth0\nnet virtio_net 1 eth1\nempty\nend\nroot.type xfs\n";
        let probe = Probe::parse(output).unwrap();
        assert_eq!(probe.first("root.type"), Some("ext4"));
        assert_eq!(probe.all("net"), ["virtio_net 2 eth0", "virtio_net 1 eth1"]);
        assert_eq!((probe.first("empty"), probe.first("none")), (None, None));
        assert_eq!(Probe::parse("root.type ext4\n"), None, "not told to its end");
        let console = "[ 1.0] boot\r\nN root.type ext4 N\r\n[  2.0] N kernel 6.1 N\r\nN net vir[ 3.0] x\r\nN end N\r\n\
                       login: N root.type xfs N\r\nN end N\r\nN root.type f2fs N\r\n";
        assert_eq!(Probe::of_console(console, "N").unwrap().first("root.type"), Some("xfs"), "the last whole one");
        let first = console.split("login").next().unwrap();
        let probe = Probe::of_console(first, "N").unwrap();
        assert_eq!((probe.first("kernel"), probe.first("net")), (Some("6.1"), None));
        assert_eq!(Probe::of_console("N root.type ext4 N\n", "N"), None);
    }

    #[test]
    fn user_data_is_a_cloud_config() {
        let seed = Seed {
            nonce: "00ff".to_owned(),
            public_key: "ssh-ed25519 AAAAC3Nz bootworthy".to_owned(),
            instance: "i".to_owned(),
        };
        let text = seed.user_data();
        let json: serde_json::Value = serde_json::from_str(text.strip_prefix("#cloud-config\n").unwrap()).unwrap();
        let script = json["write_files"][1]["content"].as_str().unwrap();
        assert!(
            script.contains("grep -qF 'AAAAC3Nz'") && script.contains("(line /var/tmp/bootworthy-mark)"),
            "{script}"
        );
        assert!(!script.contains("@KEY@"));
    }
}
