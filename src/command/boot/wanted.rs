//! Which machine is wanted, and which proofs.

use crate::boot::machine::{Accel, Flavor, MAX_RAM_MIB, MAX_VCPUS};
use crate::boot::proof::{PROOFS, Proof};
use crate::boot::qemu::Wish;
use crate::command::Usage;
use crate::command::lint::read_flavor;
use crate::command::manifests::read_text;
use crate::error::Error;
use crate::manifest::{self, Claims, READERS};
use crate::verdict::Report;
use clap::builder::PossibleValuesParser;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the machine is made of.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Machine")]
pub(super) struct Wanted {
    /// Prove this manifest (any format that `bootworthy lint` reads) instead of what the image has earned
    #[arg(long, value_name = "FILE")]
    properties: Option<PathBuf>,
    /// The format of the manifest, where it is not to be guessed
    #[arg(long, value_name = "FORMAT", hide_possible_values = true, requires = "properties", value_parser = PossibleValuesParser::new(READERS.iter().map(|reader| reader.name)))]
    from: Option<String>,
    /// A property besides, earned or not; without a value it is left out (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    property: Vec<String>,
    /// The root disk's bus: scsi (virtio-scsi) or virtio
    #[arg(long, value_name = "BUS", hide_possible_values = true, value_parser = PossibleValuesParser::new(["scsi", "virtio"]))]
    bus: Option<String>,
    /// The firmware: bios or uefi
    #[arg(long, value_name = "FIRMWARE", hide_possible_values = true, value_parser = PossibleValuesParser::new(["bios", "uefi"]))]
    firmware: Option<String>,
    /// The machine type: pc or q35
    #[arg(long, value_name = "TYPE", hide_possible_values = true, value_parser = PossibleValuesParser::new(["pc", "q35"]))]
    machine: Option<String>,
    /// Processors, 2 unless the flavor says otherwise
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_VCPUS)))]
    vcpus: Option<u32>,
    /// Memory in MiB, 1024 unless the flavor says otherwise
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(128..=MAX_RAM_MIB))]
    ram: Option<u64>,
    /// A flavor: `openstack flavor show -f json`, or an object of extra specs
    #[arg(long, value_name = "FILE")]
    flavor: Option<PathBuf>,
    /// Only this proof (repeatable)
    #[arg(long, value_name = "ID")]
    proof: Vec<String>,
    /// Leave this proof out (repeatable)
    #[arg(long, value_name = "ID")]
    without_proof: Vec<String>,
}

/// What runs the machine.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Host")]
pub(super) struct Host {
    /// What runs the guest's instructions: auto (the default), kvm or tcg
    #[arg(long, value_name = "ACCEL", hide_possible_values = true, value_parser = PossibleValuesParser::new(["auto", "kvm", "tcg"]))]
    accel: Option<String>,
    /// QEMU, where it is not the one in PATH
    #[arg(long, value_name = "FILE")]
    pub(super) qemu: Option<PathBuf>,
    /// How long a start may take; 300 on hardware, 900 under translation
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) timeout: Option<u64>,
    /// Keep the serial console, QEMU's monitor and the agent's words in this folder
    #[arg(long, value_name = "DIR")]
    pub(super) keep: Option<PathBuf>,
    /// Print QEMU's command line and start nothing
    #[arg(long)]
    pub(super) print_command: bool,
}

impl Host {
    pub(super) fn accel(&self) -> Wish {
        match self.accel.as_deref() {
            Some("kvm") => Wish::Only(Accel::Kvm),
            Some("tcg") => Wish::Only(Accel::Tcg),
            _ => Wish::Auto,
        }
    }
}

impl Wanted {
    /// The proofs, in the order of the table.
    ///
    /// # Errors
    /// For ids that do not exist, and when none is left.
    pub(super) fn proofs(&self) -> Result<Vec<&'static Proof>, Usage> {
        for id in self.proof.iter().chain(&self.without_proof) {
            if !PROOFS.iter().any(|proof| proof.id == id) {
                let ids = || PROOFS.iter().map(|proof| proof.id);
                let hint = crate::report::nearest(id, ids()).map(|near| format!("; did you mean {near}?"));
                let all = ids().collect::<Vec<_>>().join(", ");
                return Err(Usage(format!("there is no proof {id:?}{} ({all})", hint.unwrap_or_default())));
            }
        }
        let is_wanted = |proof: &&Proof| {
            (self.proof.is_empty() || self.proof.iter().any(|id| id == proof.id))
                && !self.without_proof.iter().any(|id| id == proof.id)
        };
        let proofs: Vec<&'static Proof> = PROOFS.iter().filter(is_wanted).collect();
        if proofs.is_empty() { Err(Usage("no proof is left to be made".to_owned())) } else { Ok(proofs) }
    }

    /// The properties of the manifest, where one is given.
    ///
    /// # Errors
    /// When it cannot be read, describes several images, or holds what no property can be.
    pub(super) fn claimed(&self) -> anyhow::Result<Option<BTreeMap<String, String>>> {
        for text in &self.property {
            if text.starts_with('=') || text.is_empty() {
                return Err(Usage(format!("--property {text}: KEY=VALUE is expected")).into());
            }
        }
        let Some(path) = &self.properties else { return Ok(None) };
        let name = crate::command::images::shown(path);
        let document = manifest::read(&name, &read_text(path, "manifest")?, self.from.as_deref())?;
        let [claims] = document.images.as_slice() else {
            let cause = format!("it describes {} images, and one boots", document.images.len());
            return Err(Error::unsupported("manifest", cause).at(name).into());
        };
        Ok(Some(sent(claims, document.typing).map_err(|error| error.at(name))?))
    }

    /// What the machine is made of: the manifest or what the image has earned, and what the command line says besides.
    pub(super) fn properties(
        &self,
        claimed: Option<BTreeMap<String, String>>,
        report: &Report,
    ) -> BTreeMap<String, String> {
        let is_property = |key: &str| !["min_disk", "min_ram"].contains(&key);
        let earned = || {
            let rows = report.earned.iter().filter(|row| is_property(row.key));
            rows.map(|row| (row.key.to_owned(), row.value.clone())).collect()
        };
        let mut properties: BTreeMap<String, String> = claimed.unwrap_or_else(earned);
        let mut set = |key: &str, value: Option<&str>| match value {
            Some(value) => drop(properties.insert(key.to_owned(), value.to_owned())),
            None => drop(properties.remove(key)),
        };
        match self.bus.as_deref() {
            Some("scsi") => {
                set("hw_disk_bus", Some("scsi"));
                set("hw_scsi_model", Some("virtio-scsi"));
            }
            Some(bus) => {
                set("hw_disk_bus", Some(bus));
                set("hw_scsi_model", None);
            }
            None => {}
        }
        match self.firmware.as_deref() {
            Some("uefi") => set("hw_firmware_type", Some("uefi")),
            Some(_) => set("hw_firmware_type", None),
            None => {}
        }
        if let Some(machine) = &self.machine {
            set("hw_machine_type", Some(machine));
        }
        for text in &self.property {
            let (key, value) = text.split_once('=').map_or((text.as_str(), None), |(key, value)| (key, Some(value)));
            set(key, value);
        }
        properties
    }

    /// What the flavor gives.
    ///
    /// # Errors
    /// When it cannot be read, or is larger than any machine.
    pub(super) fn flavor(&self) -> anyhow::Result<Flavor> {
        let read = self.flavor.as_deref().map(read_flavor).transpose()?.unwrap_or_default();
        let vcpus = self.vcpus.or(read.vcpus.and_then(|vcpus| u32::try_from(vcpus).ok())).unwrap_or(2);
        let ram_mib = self.ram.or(read.ram).unwrap_or(1024);
        if vcpus == 0 || vcpus > MAX_VCPUS {
            let cause = format!("it has {vcpus} processors, 1 to {MAX_VCPUS} can be made");
            return Err(Error::too_large("flavor", cause).at(read.path).into());
        }
        let sent = |claim: &manifest::Claim| Some((claim.key.clone(), claim.sent(manifest::Typing::Strict)?));
        Ok(Flavor { vcpus, ram_mib, extra_specs: read.extra_specs.iter().filter_map(sent).collect() })
    }
}

fn sent(claims: &Claims, typing: manifest::Typing) -> Result<BTreeMap<String, String>, Error> {
    let mut properties = BTreeMap::new();
    for claim in &claims.properties {
        let value = claim.sent(typing).ok_or_else(|| {
            let cause =
                format!("{} has a value that is not known before it is applied, or none that Glance takes", claim.key);
            Error::unsupported("manifest", cause).help("write the value out, or give it with --property")
        })?;
        properties.insert(claim.key.clone(), value);
    }
    Ok(properties)
}
