//! What is to be proved of which image, in which machine.

use super::machine::firmware::{self, Uefi};
use super::machine::{Accel, Firmware, Flavor, Machine, Network, Wiring, models, print};
use super::outcome::Statics;
use super::proof::{Needs, Proof};
use super::qemu::{OVERLAY, Program, Wish, network};
use crate::error::{Error, Result};
use crate::guest::Guest;
use crate::verdict::Options;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A boot that is asked for.
#[derive(Debug)]
pub struct Order<'a> {
    /// The image as the user named it.
    pub name: String,
    /// The file.
    pub image: PathBuf,
    /// What was found in it.
    pub guest: &'a Guest,
    /// By what the checks judge it.
    pub options: &'a Options,
    /// What the machine is made of, in Glance's spelling.
    pub properties: BTreeMap<String, String>,
    /// What the flavor gives.
    pub flavor: Flavor,
    /// What is to run the guest's instructions.
    pub accel: Wish,
    /// QEMU, where the user names one.
    pub qemu: Option<PathBuf>,
    /// What is to be proved, in the order of the table.
    pub proofs: Vec<&'static Proof>,
    /// How long a start may take; by what runs the guest otherwise.
    pub timeout: Option<Duration>,
    /// Where logs are kept.
    pub keep: Option<PathBuf>,
}

/// The host's part of a machine: found before anything is started.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) program: Program,
    pub(super) accel: Accel,
    /// The first to take, then the one for a second try.
    pub(super) cpus: Vec<String>,
    pub(super) machine: Machine,
    /// What the checks say of the image, as this machine starts it.
    pub(super) statics: Statics,
    pub(super) base: PathBuf,
    pub(super) format: &'static str,
    pub(super) virtual_size: u64,
    pub(super) network: Network,
    /// OVMF, where the machine starts by UEFI.
    pub(super) firmware: Option<Uefi>,
    /// Why the card has but one queue.
    pub(super) one_queue: Option<String>,
    pub(super) remarks: Vec<String>,
}

/// The formats that are passed on to QEMU: those that our own reader reads whole.
const FORMATS: &[&str] = &["qcow2", "raw"];

impl Order<'_> {
    /// The machine, and all that the host has to give for it.
    ///
    /// # Errors
    /// When Nova or libvirt refuse the properties, when there is no QEMU, and for images that are not booted.
    pub(super) fn place(&self) -> Result<Place> {
        let (format, virtual_size) = self.disk()?;
        let machine = Machine::of(&self.properties, &self.flavor)?;
        let program = Program::find("x86_64", self.qemu.as_deref())?;
        let (accel, why_not_kvm) = program.accel(self.accel)?;
        let base = self.image.canonicalize().map_err(|error| Error::io("cannot find it", error))?;
        let mut remarks: Vec<String> = why_not_kvm.map(|why| format!("QEMU translates: {why}")).into_iter().collect();
        let is_asked = self.proofs.iter().any(|proof| proof.needs == Needs::Queues);
        let has_many = machine.promises.queues > 1;
        let tap = if has_many && is_asked { network::probe_tap() } else { Err("it was not asked for".to_owned()) };
        let network = match &tap {
            Ok(()) => Network::Tap { name: network::TAP.to_owned() },
            Err(_) => Network::User { forward: Some("tcp:127.0.0.1:0-:22".to_owned()) },
        };
        let models = models(accel, program.version.0);
        let cpus = [Some(models.first), models.second].into_iter().flatten().map(str::to_owned).collect();
        remarks.extend(models.note.map(str::to_owned));
        remarks.extend(machine.notes.iter().map(|note| format!("{}: {}", note.about, note.says)));
        let one_queue = tap.err().filter(|_| has_many);
        let firmware = firmware::find(machine.promises.firmware, machine.chipset, None)?;
        let started_by = if machine.promises.firmware == Firmware::Bios { "bios" } else { "uefi" };
        let statics = Statics::of(self.guest, self.options, started_by);
        let mut place = Place {
            program,
            accel,
            cpus,
            machine,
            statics,
            base,
            format,
            virtual_size,
            network,
            firmware,
            one_queue,
            remarks,
        };
        let shortfalls = place.machine.shortfalls(&place.wiring(Path::new("/"), 0));
        place.remarks.extend(shortfalls.iter().map(|note| format!("{}: {}", note.about, note.says)));
        Ok(place)
    }

    fn disk(&self) -> Result<(&'static str, u64)> {
        let image =
            self.guest.image.known().ok_or_else(|| Error::unsupported("image", "nothing is known of the file"))?;
        let format = FORMATS.iter().find(|format| **format == image.format);
        let format = format.ok_or_else(|| {
            let cause = format!("{} is not booted; {} are", image.format, FORMATS.join(" and "));
            Error::unsupported("image", cause).help("`qemu-img convert -O qcow2` makes one of it")
        })?;
        // QEMU would open the file that the header names.
        let elsewhere = |feature: &&String| ["backing", "data-file"].contains(&feature.as_str());
        if image.features.known().is_none_or(|features| features.iter().any(|feature| elsewhere(&feature))) {
            let cause = "parts of it are in files that it names itself";
            return Err(Error::unsupported("image", cause).help("`qemu-img convert -O qcow2` makes one file of it"));
        }
        let size = image.virtual_size.known().copied().flatten();
        let size = size.ok_or_else(|| Error::unsupported("image", "the size of its disk is not known"))?;
        Ok((format, size))
    }

    /// The command that would be run, as a shell reads it; what is made for it is only named.
    ///
    /// # Errors
    /// When the machine cannot be made.
    pub fn command(&self) -> Result<String> {
        let place = self.place()?;
        let folder = Path::new("/tmp/bootworthy");
        let wiring = place.wiring(folder, 0);
        Ok(print(place.program.path.as_os_str(), &place.machine.arguments(&wiring)))
    }
}

/// The config drive in the private folder.
pub(super) const CONFIG_DRIVE: &str = "config.iso";
/// The copied variables of the firmware in the private folder.
pub(super) const VARIABLES: &str = "variables.fd";

impl Place {
    /// What the machine hangs on in this folder, with the processor of this try.
    pub(super) fn wiring(&self, folder: &Path, attempt: usize) -> Wiring {
        let firmware = self.firmware.as_ref().map(|found| (found.code.clone(), folder.join(VARIABLES)));
        Wiring {
            folder: folder.to_owned(),
            base: self.base.clone(),
            base_format: self.format,
            overlay: folder.join(OVERLAY),
            config_drive: self.machine.promises.config_drive.map(|_| folder.join(CONFIG_DRIVE)),
            network: self.network.clone(),
            accel: self.accel,
            cpu: self.cpus.get(attempt).or(self.cpus.first()).cloned().unwrap_or_else(|| "max".to_owned()),
            firmware,
            tpm: None,
        }
    }
}
