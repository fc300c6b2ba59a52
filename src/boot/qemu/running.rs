//! A machine that runs: started in its folder, spoken to by its monitor, ended with it.

use super::folder::{Folder, Namespace};
use super::monitor::{Event, Monitor};
use super::network::forwarded_port;
use super::{Program, TRANSCRIPT};
use crate::boot::machine::MONITOR;
use crate::error::{Error, Result};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Until QEMU has made its sockets: it reads no more than the overlay's header before.
const START: Duration = Duration::from_mins(1);
/// Until QEMU has gone when it was told to.
const END: Duration = Duration::from_secs(20);
/// Between two looks for the socket.
const PACE: Duration = Duration::from_millis(20);

/// QEMU, running in its folder.
#[derive(Debug)]
pub struct Running {
    folder: Folder,
    monitor: Monitor,
    id: u32,
    started: Instant,
    started_at: SystemTime,
}

impl Running {
    /// Starts QEMU with `arguments`, which leave the machine stopped (`-S`) and its monitor at [`MONITOR`] in the folder;
    /// in a namespace of its own where the network is a tap device.
    ///
    /// # Errors
    /// QEMU's own words when it refuses.
    pub fn start(
        program: &Program,
        arguments: &[OsString],
        mut folder: Folder,
        namespace: Option<&Namespace>,
    ) -> Result<Self> {
        let socket = folder.path().join(MONITOR);
        let id = folder.start(&program.path, arguments, namespace)?;
        let (started, started_at) = (Instant::now(), SystemTime::now());
        let stream = loop {
            if let Some(end) = folder.ended(id) {
                return Err(refused(&end).at(program.path.display().to_string()));
            }
            match UnixStream::connect(&socket) {
                Ok(stream) => break stream,
                Err(error) if started.elapsed() > START => {
                    return Err(Error::io("QEMU's monitor", error).at(socket.display().to_string()));
                }
                Err(_) => thread::sleep(PACE),
            }
        };
        let transcript = folder.path().join(TRANSCRIPT);
        let monitor = match Monitor::greet(stream, Some(&transcript)) {
            Ok(monitor) => monitor,
            Err(error) => return Err(folder.wait(id, Duration::from_secs(1)).map_or(error, |end| refused(&end))),
        };
        Ok(Self { folder, monitor, id, started, started_at })
    }

    /// The folder it runs in.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Since QEMU was started.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// When an event came, since QEMU was started.
    pub fn time_of(&self, event: &Event) -> Duration {
        event.at.duration_since(self.started_at).unwrap_or_default()
    }

    /// Executes a command of the monitor; `arguments` is an object, or null for none.
    ///
    /// # Errors
    /// QEMU's own words when it refuses or has died.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let answer = self.monitor.execute(command, arguments);
        answer.map_err(|error| self.explain(error))
    }

    /// Lets the processors run.
    ///
    /// # Errors
    /// As [`Running::execute`].
    pub fn resume(&mut self) -> Result<()> {
        self.execute("cont", Value::Null).map(drop)
    }

    /// Presses the reset button.
    ///
    /// # Errors
    /// As [`Running::execute`].
    pub fn reset(&mut self) -> Result<()> {
        self.execute("system_reset", Value::Null).map(drop)
    }

    /// Presses the ACPI power button.
    ///
    /// # Errors
    /// As [`Running::execute`].
    pub fn powerdown(&mut self) -> Result<()> {
        self.execute("system_powerdown", Value::Null).map(drop)
    }

    /// The state of the machine as QMP's `RunState` spells it: `running`, `paused`, `watchdog`, `guest-panicked`.
    ///
    /// # Errors
    /// As [`Running::execute`].
    pub fn status(&mut self) -> Result<String> {
        let found = self.execute("query-status", Value::Null)?;
        Ok(found.get("status").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// A counter of `query-blockstats` of the block device with this qdev id or node name: `unmap_operations`.
    ///
    /// # Errors
    /// As [`Running::execute`]; when there is no such device or counter.
    pub fn blockstat(&mut self, device: &str, counter: &str) -> Result<u64> {
        let found = self.execute("query-blockstats", Value::Null)?;
        let is_it = |row: &&Value| {
            let names = ["qdev", "node-name", "device"].into_iter().filter_map(|key| row.get(key)?.as_str());
            names.flat_map(|name| name.split('/')).any(|part| part == device)
        };
        let row = found.as_array().into_iter().flatten().find(is_it);
        let count = row.and_then(|row| row.pointer(&format!("/stats/{counter}"))).and_then(Value::as_u64);
        count.ok_or_else(|| Error::not_found("block statistics").because(format!("no {counter} of {device}")))
    }

    /// The port of the host's loopback device that leads to the guest's port 22, on a restricted user network.
    ///
    /// # Errors
    /// As [`Running::execute`]; when nothing is forwarded.
    pub fn ssh_port(&mut self) -> Result<u16> {
        let found = self.execute("human-monitor-command", json!({"command-line": "info usernet"}))?;
        let table = found.as_str().unwrap_or_default();
        forwarded_port(table).ok_or_else(|| Error::not_found("forwarded port").because(table.trim()))
    }

    /// The first event that `is` the wanted one, already come or to come until `deadline`.
    ///
    /// # Errors
    /// QEMU's own words when it died before.
    pub fn wait_for(&mut self, is: impl Fn(&Event) -> bool, deadline: Instant) -> Result<Option<Event>> {
        let found = self.monitor.wait_for(is, deadline);
        found.map_err(|error| self.explain(error))
    }

    /// Events that came and were not waited for, oldest first.
    ///
    /// # Errors
    /// QEMU's own words when it died and no event is left.
    pub fn events(&mut self) -> Result<Vec<Event>> {
        match self.monitor.events().map(|events| events.iter().cloned().collect()) {
            Ok(events) => Ok(events),
            Err(error) => Err(self.explain(error)),
        }
    }

    /// How QEMU ended, if it did, with its last words.
    pub fn ended(&mut self) -> Option<String> {
        self.folder.ended(self.id)
    }

    /// Ends QEMU and gives the folder, in which another may be started on the same overlay.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(mut self) -> Result<Folder> {
        // It flushes the overlay; one that does not listen is killed.
        drop(self.monitor.execute("quit", Value::Null));
        if self.folder.wait(self.id, END).is_none() {
            self.folder.kill(self.id)?;
        }
        // A killed QEMU leaves its socket, at which the next one would not be found.
        drop(std::fs::remove_file(self.folder.path().join(MONITOR)));
        Ok(self.folder)
    }

    /// A monitor that fails because QEMU has ended: the reason is QEMU's.
    fn explain(&mut self, error: Error) -> Error {
        if error.kind != crate::error::ErrorKind::Io {
            return error;
        }
        match self.folder.wait(self.id, Duration::from_secs(1)) {
            Some(end) => Error::io("QEMU", format!("it ended ({end})")),
            None => error,
        }
    }
}

fn refused(end: &str) -> Error {
    Error::io("QEMU", format!("it does not start ({end})"))
}
