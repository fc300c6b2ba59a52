//! A guest and its machine made of answers, for tests.

use super::probe::{Probe, Seed};
use super::{Host, Session, Standing, Terms, find};
use crate::boot::agent::{Agent, Ran};
use crate::error::Result;
use crate::guest::Guest;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

/// What the machine answers.
#[derive(Default)]
pub(super) struct Machine {
    pub(super) events: Vec<(&'static str, Value)>,
    pub(super) console: String,
    pub(super) allocated: VecDeque<u64>,
    pub(super) pci: Value,
    pub(super) banner: Option<&'static str>,
    /// What the shell answers where the agent has none.
    pub(super) ssh: Option<&'static str>,
}

impl Host for Machine {
    fn execute(&mut self, command: &str, _: Value) -> Result<Value> {
        Ok(if command == "query-pci" { self.pci.clone() } else { json!({}) })
    }

    fn event(&mut self, name: &str, is: &dyn Fn(&Value) -> bool, _: Duration) -> Result<Option<Value>> {
        Ok(self.events.iter().find(|(event, data)| *event == name && is(data)).map(|(_, data)| data.clone()))
    }

    fn console(&mut self) -> String {
        self.console.clone()
    }

    fn oops(&mut self) -> Option<String> {
        None
    }

    fn allocated(&mut self) -> Result<u64> {
        Ok(if self.allocated.len() > 1 { self.allocated.pop_front() } else { self.allocated.front().copied() }
            .unwrap_or(0))
    }

    fn ssh(&mut self, _: &str, _: Duration) -> Result<Ran, String> {
        let out = self.ssh.ok_or("no ssh here")?;
        Ok(Ran { code: Some(0), out: out.to_owned(), err: String::new() })
    }

    fn banner(&mut self, _: Duration) -> Result<String, String> {
        self.banner.map(str::to_owned).ok_or_else(|| "nobody answers".to_owned())
    }

    fn restart(&mut self) -> Result<Result<Agent, String>, String> {
        Err("it stays down".to_owned())
    }
}

/// An agent that knows these commands; `refuses` answers with an error.
pub(super) fn agent(answers: Vec<(&'static str, Value)>, refuses: &'static [&'static str]) -> Agent {
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        let mut writer = theirs.try_clone().unwrap();
        let mut line = Vec::new();
        let mut reader = BufReader::new(theirs);
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            line.retain(|byte| *byte != 0xff);
            let request: Value = serde_json::from_slice(&line).unwrap();
            line.clear();
            let command = request["execute"].as_str().unwrap().to_owned();
            let known = answers.iter().find(|(name, _)| *name == command).map(|(_, answer)| answer.clone());
            let answer = match command.as_str() {
                "guest-sync-delimited" => json!({ "return": request["arguments"]["id"] }),
                "guest-info" => {
                    let row = |name: &str, is_on: bool| json!({ "name": name, "enabled": is_on });
                    let on = answers.iter().map(|(name, _)| row(name, true));
                    let all: Vec<Value> = on.chain(refuses.iter().map(|name| row(name, false))).collect();
                    json!({ "return": { "version": "9.0", "supported_commands": all } })
                }
                _ => {
                    known.map_or(json!({ "error": { "class": "x", "desc": "no" } }), |value| json!({ "return": value }))
                }
            };
            let mark: &[u8] = if command == "guest-sync-delimited" { &[0xff] } else { &[] };
            if writer.write_all(&[mark, format!("{answer}\n").as_bytes()].concat()).is_err() {
                break;
            }
        }
    });
    Agent::greet(ours, Duration::from_secs(5)).unwrap()
}

pub(super) fn terms() -> Terms {
    Terms {
        root_driver: "virtio-scsi-pci",
        agent: true,
        watchdog: Some("reset".to_owned()),
        queues: Some(2),
        one_queue: None,
        admin: "root".to_owned(),
        sshd: true,
        is_slow: false,
    }
}

/// What one proof comes to.
pub(super) fn shown(
    id: &str,
    machine: &mut Machine,
    agent: Result<Agent, String>,
    terms: Terms,
    told: Option<&str>,
) -> Standing {
    let guest: Guest = serde_json::from_value(json!({ "schema": "bootworthy.facts/1" })).unwrap();
    let seed = Seed { nonce: "ff".to_owned(), public_key: "ssh-ed25519 AAAA".to_owned(), instance: "i-1".to_owned() };
    let mut session = Session::new(machine, agent, terms, &guest, &seed);
    session.probe = told.and_then(Probe::parse);
    find(id).unwrap().run(&mut session)
}
