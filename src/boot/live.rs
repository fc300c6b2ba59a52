//! The running machine as proofs see it: monitor, console, overlay, port 22; started again when it went down.

use super::agent::{Agent, Ran};
use super::console::Console;
use super::machine::{AGENT, Machine, SERIAL};
use super::order::Place;
use super::proof::Host;
use super::qemu::{self, Event, Folder, Namespace, OVERLAY, Running, start_tpm};
use super::ssh::{self, Key};
use super::start::{Start, Watch};
use crate::bytes::{read_capped, text};
use crate::error::{Error, Result};
use serde_json::Value;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

/// Bytes of the serial console that are looked at: its end. A whole boot with all messages writes 200 KB.
const MAX_CONSOLE: u64 = 4 * 1024 * 1024;

/// A machine, from its first start to its last.
pub(super) struct Live<'a> {
    pub(super) running: Option<Running>,
    pub(super) folder: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) place: &'a Place,
    pub(super) key: &'a Key,
    /// Who logs in: the user that cloud-init makes.
    pub(super) user: String,
    pub(super) has_forward: bool,
    /// How long a start may take.
    pub(super) patience: Duration,
    /// Bytes of the console that belong to earlier starts.
    pub(super) told: u64,
    /// What the console tells.
    pub(super) marks: Console,
    /// Who is told of the steps.
    pub(super) tell: &'a dyn Fn(&Start),
}

impl Live<'_> {
    /// Starts QEMU in the folder, lets it run and waits until the guest is up, or is not.
    ///
    /// # Errors
    /// When QEMU does not start or dies.
    pub(super) fn start(&mut self, mut folder: Folder) -> Result<Start> {
        let namespace = (!self.has_forward).then(Namespace::new);
        drop(std::fs::remove_file(self.folder.join(AGENT)));
        if let (Some(program), Some(tpm)) = (&self.place.tpm, &self.machine().promises.tpm) {
            start_tpm(&mut folder, program, &tpm.version)?;
        }
        let running = Running::start(&self.place.program, &self.arguments, folder, namespace.as_ref())?;
        let running = self.running.insert(running);
        running.resume()?;
        self.watch()
    }

    /// Waits until the guest is up, or is not.
    ///
    /// # Errors
    /// When QEMU dies.
    fn watch(&mut self) -> Result<Start> {
        let from = self.marks.hits().len();
        let mut watch = Watch::new(self.machine().promises.agent, self.patience, self.is_slow(), from);
        loop {
            let running = self.running.as_mut().ok_or_else(gone)?;
            if watch.look(running, &mut self.marks, &self.folder)? {
                return Ok(watch.end());
            }
            (self.tell)(watch.start());
        }
    }

    pub(super) fn machine(&self) -> &Machine {
        &self.place.machine
    }

    pub(super) fn is_slow(&self) -> bool {
        self.place.accel == super::machine::Accel::Tcg
    }

    fn running(&mut self) -> Result<&mut Running> {
        self.running.as_mut().ok_or_else(gone)
    }

    fn port(&mut self) -> Result<u16, String> {
        if !self.has_forward {
            return Err("the network of the proof is a tap device, which the host's ssh does not reach".to_owned());
        }
        self.running().and_then(Running::ssh_port).map_err(|error| error.to_string())
    }
}

fn gone() -> Error {
    Error::io("QEMU", "it was ended")
}

impl Host for Live<'_> {
    fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        self.running()?.execute(command, arguments)
    }

    fn event(&mut self, name: &str, is: &dyn Fn(&Value) -> bool, patience: Duration) -> Result<Option<Value>> {
        let deadline = super::agent::deadline(patience);
        let is_it = |event: &Event| event.name == name && is(&event.data);
        Ok(self.running()?.wait_for(is_it, deadline)?.map(|event| event.data))
    }

    fn console(&mut self) -> String {
        let read = || {
            let mut file = File::open(self.folder.join(SERIAL))?;
            let size = file.metadata()?.len();
            file.seek(SeekFrom::Start(self.told.max(size.saturating_sub(MAX_CONSOLE))))?;
            std::io::Result::Ok(file.take(MAX_CONSOLE))
        };
        let bytes = read().ok().and_then(|mut end| read_capped(&mut end, MAX_CONSOLE, "serial console").ok());
        text(&bytes.unwrap_or_default())
    }

    fn oops(&mut self) -> Option<String> {
        let now = self.running.as_ref().map(Running::elapsed).unwrap_or_default();
        drop(self.marks.poll(now));
        self.marks.foreign().map(|hit| hit.line.clone())
    }

    fn allocated(&mut self) -> Result<u64> {
        qemu::allocated(&self.folder.join(OVERLAY))
    }

    fn ssh(&mut self, script: &str, patience: Duration) -> Result<Ran, String> {
        let port = self.port()?;
        self.key.run(port, &self.user, script, patience)
    }

    fn banner(&mut self, patience: Duration) -> Result<String, String> {
        ssh::banner(self.port()?, patience)
    }

    fn restart(&mut self) -> Result<Result<Agent, String>, String> {
        let folder = match self.running.take().map(Running::stop) {
            Some(Ok(folder)) => folder,
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err(gone().to_string()),
        };
        self.told = self.folder.join(SERIAL).metadata().map_or(0, |found| found.len());
        let start = self.start(folder).map_err(|error| error.to_string())?;
        start.failure.map_or(Ok(start.agent), |failure| Err(failure.line))
    }
}
