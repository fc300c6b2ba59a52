//! A program in the guest, run through the agent (`guest-exec`, `guest-exec-status`).

use super::{Agent, Failure, base64, deadline};
use crate::bytes::text;
use serde_json::{Value, json};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is asked whether the program has ended.
const POLL: Duration = Duration::from_millis(250);
/// How long the agent itself may take to answer; under TCG on a loaded host a few seconds.
const ANSWER: Duration = Duration::from_secs(30);

/// A program that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i64>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Agent {
    /// Runs `/bin/sh` with this script on its standard input, and waits for its end.
    ///
    /// # Errors
    /// When the agent refuses or is silent, or the script does not end within `patience`.
    pub fn run(&mut self, script: &str, patience: Duration) -> Result<Ran, Failure> {
        let until = deadline(patience);
        let pid = self.start(script)?;
        loop {
            let status = self.call("guest-exec-status", json!({ "pid": pid }), ANSWER)?;
            if status.get("exited").and_then(Value::as_bool) == Some(true) {
                return ran(&status);
            }
            if Instant::now() >= until {
                return Err(Failure::Silent(patience));
            }
            thread::sleep(POLL);
        }
    }

    /// Starts the script and does not wait: what it does may take the guest with it.
    ///
    /// # Errors
    /// When the agent refuses or is silent.
    pub fn start(&mut self, script: &str) -> Result<u64, Failure> {
        let input = base64::encode(script.as_bytes());
        let arguments = json!({ "path": "/bin/sh", "arg": ["-s"], "input-data": input, "capture-output": true });
        let started = self.call("guest-exec", arguments, ANSWER)?;
        let pid = started.get("pid").and_then(Value::as_u64);
        pid.ok_or_else(|| Failure::Lost("guest-exec names no process".to_owned()))
    }
}

fn ran(status: &Value) -> Result<Ran, Failure> {
    let stream = |key: &str| match status.get(key).and_then(Value::as_str) {
        None => Ok(String::new()),
        Some(encoded) => {
            let bytes = base64::decode(encoded).ok_or_else(|| Failure::Lost(format!("{key} is no base64")))?;
            Ok(text(&bytes))
        }
    };
    let is_cut = |key: &str| status.get(key).and_then(Value::as_bool) == Some(true);
    if is_cut("out-truncated") || is_cut("err-truncated") {
        return Err(Failure::Lost("the agent cut the program's output short".to_owned()));
    }
    Ok(Ran { code: status.get("exitcode").and_then(Value::as_i64), out: stream("out-data")?, err: stream("err-data")? })
}
