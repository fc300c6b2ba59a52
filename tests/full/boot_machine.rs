//! A machine as the program makes it, on a disk of a test.

use crate::common::{bootworthy, image, program, qemu, tool};
use bootworthy::boot::console::Console;
use bootworthy::boot::machine::{Accel, Flavor, Machine, Network, SERIAL, Wiring, models};
use bootworthy::boot::qemu::{Folder, OVERLAY, Program, Running, create_overlay};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A running guest and what it says.
pub struct Started {
    pub running: Running,
    pub console: Console,
}

impl Started {
    /// Boots a raw disk under the translator; what it writes is thrown away.
    pub fn boot(disk: &Path, properties: &[(&str, &str)], config_drive: Option<PathBuf>) -> Self {
        let folder = Folder::create_by(Path::new(program())).unwrap();
        let overlay = folder.path().join(OVERLAY);
        create_overlay(&overlay, disk.metadata().unwrap().len()).unwrap();
        let program = Program::find("x86_64", Some(&qemu())).unwrap();
        let wiring = Wiring {
            folder: folder.path().to_owned(),
            base: disk.to_owned(),
            base_format: "raw",
            overlay,
            config_drive,
            network: Network::User { forward: None },
            accel: Accel::Tcg,
            cpu: models(Accel::Tcg, program.version.0).first.to_owned(),
            firmware: None,
            tpm: None,
        };
        let properties = properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let flavor = Flavor { vcpus: 2, ram_mib: 1024, extra_specs: std::collections::BTreeMap::new() };
        let machine = Machine::of(&properties, &flavor).unwrap();
        let console = Console::new(&folder.path().join(SERIAL));
        let mut running = Running::start(&program, &machine.arguments(&wiring), folder, None).unwrap();
        running.resume().unwrap();
        Self { running, console }
    }

    /// Reads the console until it is `enough`; how long it took.
    pub fn watch(&mut self, patience: Duration, enough: impl Fn(&Console) -> bool) -> Duration {
        loop {
            let now = self.running.elapsed();
            self.console.poll(now).unwrap();
            if enough(&self.console) || now > patience {
                return now;
            }
            assert_eq!(self.running.ended(), None, "{:?}", self.console.tail().collect::<Vec<_>>());
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// A test image as a raw disk in `folder`, with its facts.
pub fn raw(name: &str, folder: &Path) -> (PathBuf, Value) {
    let whole = folder.join("whole.raw");
    let from = image(&name.replace('-', "_"));
    tool("qemu-img", ["convert", "-O", "raw", from.to_str().unwrap(), whole.to_str().unwrap()]);
    let facts = serde_json::from_str(&bootworthy(["inspect", whole.to_str().unwrap()]).stdout).unwrap();
    (whole, facts)
}
