//! A machine as the program makes it, on a disk of a test.

use crate::common::{bootworthy, command, image, program, qemu, tool};
use bootworthy::boot::console::Console;
use bootworthy::boot::machine::{Accel, Flavor, Machine, Network, SERIAL, Wiring, models};
use bootworthy::boot::qemu::{Folder, OVERLAY, Program, Running, create_overlay};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// A machine takes all the processors that there are.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Boots a disk by the command, with all that the tests' own QEMU gives; its report.
pub fn boot(disk: &Path, args: &[&str]) -> Value {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = written(disk);
    let mut command = command();
    for variable in ["PATH", "BOOTWORTHY_QEMU", "HOME"] {
        command.envs(std::env::var_os(variable).map(|value| (variable, value)));
    }
    command.args(["boot", "--accel", "tcg", "--format", "json", "--timeout", "1800"]).args(args).arg(disk);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    eprintln!("{args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_str(&text).unwrap();
    let code = match report["result"].as_str().unwrap() {
        "fit" => 0,
        "unfit" => 1,
        _ => 3,
    };
    assert_eq!(output.status.code(), Some(code));
    assert_eq!(written(disk), before, "the image is never written to");
    report
}

fn written(path: &Path) -> (SystemTime, u64) {
    let found = path.metadata().unwrap();
    (found.modified().unwrap(), found.len())
}

/// The row of a proof in a report.
pub fn proof<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["proofs"].as_array().unwrap().iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no {id}"))
}

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
