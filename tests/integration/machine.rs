//! A real QEMU takes what we say of a machine: it makes every device, and opens exactly the files that were meant.

use bootworthy::boot::machine::{AGENT, Accel, Flavor, MONITOR, Machine, Network, SERIAL, Wiring, firmware, print};
use serde_json::{Value, json};
use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Long enough for a QEMU that starts beside a whole test run.
const PATIENCE: Duration = Duration::from_mins(1);

fn program() -> PathBuf {
    std::env::var_os("BOOTWORTHY_QEMU").expect("BOOTWORTHY_QEMU is not set; run the tests with tests/run").into()
}

/// A QEMU that waits for `cont`, and its monitor.
struct Qemu {
    child: Child,
    monitor: BufReader<UnixStream>,
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Qemu {
    fn start(arguments: &[OsString], monitor: &Path) -> Self {
        let mut child = Command::new(program()).args(arguments).stderr(Stdio::piped()).spawn().unwrap();
        let begin = Instant::now();
        let stream = loop {
            if let Ok(stream) = UnixStream::connect(monitor) {
                break stream;
            }
            if child.try_wait().unwrap().is_some() || begin.elapsed() > PATIENCE {
                let _ = child.kill();
                let output = child.wait_with_output().unwrap();
                panic!("{}\n{}", print(OsStr::new("qemu"), arguments), String::from_utf8_lossy(&output.stderr));
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut qemu = Self { child, monitor: BufReader::new(stream) };
        qemu.ask("qmp_capabilities");
        qemu
    }

    /// The answer; the greeting and events are passed over.
    fn ask(&mut self, command: &str) -> Value {
        let text = json!({"execute": command}).to_string();
        self.monitor.get_mut().write_all(text.as_bytes()).unwrap();
        loop {
            let mut line = String::new();
            assert_ne!(self.monitor.read_line(&mut line).unwrap(), 0, "{command}: QEMU is gone");
            let mut answer: Value = serde_json::from_str(&line).unwrap();
            assert!(answer.get("error").is_none(), "{command}: {answer}");
            if answer.get("return").is_some() {
                return answer["return"].take();
            }
        }
    }
}

fn image(path: &Path, size: &str) {
    let status = Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(path).arg(size).status();
    assert!(status.expect("qemu-img is missing").success());
}

fn machine(specs: &[(&str, &str)], properties: &[(&str, &str)]) -> Machine {
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Machine::of(&map(properties), &Flavor { vcpus: 2, ram_mib: 256, extra_specs: map(specs) }).unwrap()
}

/// All files in `folder`, and the wiring that names them.
fn wired(machine: &Machine, folder: &Path) -> Wiring {
    let (base, overlay, config) = (folder.join("base"), folder.join("overlay"), folder.join("config"));
    image(&base, "16M");
    image(&overlay, "16M");
    std::fs::write(&config, vec![0; 1 << 20]).unwrap();
    let uefi = firmware::find(machine.firmware, machine.chipset, None).unwrap();
    let firmware = uefi.map(|uefi| {
        let variables = folder.join("variables.fd");
        uefi.copy_variables(&variables).unwrap();
        (uefi.code, variables)
    });
    Wiring {
        folder: folder.to_owned(),
        base,
        base_format: "qcow2",
        overlay,
        config_drive: Some(config),
        network: Network::User { forward: Some("tcp:127.0.0.1:0-:22".to_owned()) },
        accel: Accel::Tcg,
        cpu: "max".to_owned(),
        firmware,
        tpm: None,
    }
}

#[test]
fn qemu_makes_every_machine() {
    const Q35: (&str, &str) = ("hw_machine_type", "q35");
    const UEFI: (&str, &str) = ("hw_firmware_type", "uefi");
    let scsi = [("hw_disk_bus", "scsi"), ("hw_scsi_model", "virtio-scsi")];
    let full = [
        &scsi[..],
        &[("hw_qemu_guest_agent", "yes"), ("hw_watchdog_action", "reset"), ("hw_vif_multiqueue_enabled", "true")],
        &[("hw_time_hpet", "true"), ("hw_boot_menu", "true"), ("img_hide_hypervisor_id", "true"), ("hw_pmu", "false")],
        &[("hw_virtio_packed_ring", "true"), ("hw_maxphysaddr_mode", "emulate"), ("hw_maxphysaddr_bits", "40")],
    ]
    .concat();
    let rates = [("hw_rng:rate_bytes", "2048"), ("hw_rng:rate_period", "1000"), ("hw:cpu_max_sockets", "1")];
    for (specs, properties) in [
        (&rates[..], full.clone()),
        (&[], [&full[..], &[Q35, UEFI]].concat()),
        (&[], vec![Q35, UEFI, ("os_secure_boot", "required"), ("hw_input_bus", "virtio")]),
        (&[], vec![UEFI, ("hw_cdrom_bus", "scsi"), scsi[0], scsi[1]]),
        (&[], vec![("hw_disk_bus", "ide"), ("hw_vif_model", "rtl8139"), ("hw_sound_model", "ac97")]),
        (&[], vec![("hw_disk_bus", "sata"), ("hw_vif_model", "e1000"), ("hw_sound_model", "sb16")]),
        (&[], vec![("hw_disk_bus", "sata"), Q35, ("hw_vif_model", "e1000e"), ("hw_sound_model", "ich9")]),
        (
            &[],
            vec![("hw_disk_bus", "usb"), ("hw_cdrom_bus", "usb"), ("hw_input_bus", "usb"), ("hw_vif_model", "pcnet")],
        ),
        (&[], vec![("hw_disk_bus", "usb"), Q35, ("hw_vif_model", "igb"), ("hw_sound_model", "usb")]),
        (&[], vec![scsi[0], ("hw_vif_model", "ne2k_pci"), ("hw_sound_model", "es1370")]),
        (&[], vec![scsi[0], ("hw_scsi_model", "lsisas1068"), Q35, ("hw_vif_model", "vmxnet3")]),
        (&[], vec![scsi[0], ("hw_scsi_model", "lsisas1078"), ("hw_sound_model", "ich6")]),
        (&[], vec![scsi[0], ("hw_scsi_model", "vmpvscsi"), Q35, ("hw_sound_model", "virtio")]),
        (&[], vec![("hw_input_bus", "virtio"), ("hw_usb_model", "qemu-xhci"), ("hw_video_model", "none")]),
        (&[], vec![("hw_input_bus", "virtio"), ("hw_usb_model", "nec-xhci"), Q35, ("hw_cdrom_bus", "scsi")]),
        (
            &[("hw_rng:allowed", "False")],
            vec![("hw_watchdog_action", "poweroff"), ("hw_machine_type", "pc-i440fx-7.2")],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let machine = machine(specs, &properties);
        let wiring = wired(&machine, folder.path());
        let mut qemu = Qemu::start(&machine.arguments(&wiring), &folder.path().join(MONITOR));
        let nodes = qemu.ask("query-named-block-nodes");
        let opened = |name: &str| {
            let node = nodes.as_array().unwrap().iter().find(|node| node["node-name"] == name);
            node.map(|node| (PathBuf::from(node["file"].as_str().unwrap()), node["ro"].as_bool().unwrap()))
        };
        assert_eq!(opened("base-storage"), Some((wiring.base.clone(), true)), "{properties:?}");
        assert_eq!(opened("root-storage"), Some((wiring.overlay.clone(), false)), "{properties:?}");
        let config = machine.promises.config_drive.and(wiring.config_drive).map(|path| (path, true));
        assert_eq!(opened("config-storage"), config, "{properties:?}");
        assert_eq!(qemu.ask("query-status")["status"], "prelaunch");
    }
}

#[test]
fn hostile_paths_are_paths() {
    for name in [
        &b"a,b=c"[..],
        b",,",
        b"{\"driver\":1}",
        b"'$(id)' \"x\" \\ %s",
        b"new\nline\ttab",
        b"\xff\xfe not UTF-8",
        "caf\u{e9} \u{202e}".as_bytes(),
    ] {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(OsString::from_vec(name.to_vec()));
        std::fs::create_dir(&folder).unwrap();
        let machine = machine(&[], &[("hw_qemu_guest_agent", "yes"), ("hw_firmware_type", "uefi")]);
        let wiring = wired(&machine, &folder);
        let arguments = machine.arguments(&wiring);
        let mut qemu = Qemu::start(&arguments, &folder.join(MONITOR));
        qemu.ask("query-status");
        drop(qemu);
        assert!(folder.join(AGENT).exists() && folder.join(SERIAL).exists(), "{name:?}");
        let beside: Vec<_> = std::fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(beside, [OsStr::from_bytes(name)], "QEMU wrote elsewhere");
        // The printed command is read back by a shell as the same words.
        let printed = print(OsStr::new("printf"), &[&[OsString::from("%s\\0")], &arguments[..]].concat());
        let output = Command::new("bash").args(["-c", &printed]).output().unwrap();
        let words: Vec<&[u8]> = output.stdout.strip_suffix(b"\0").unwrap().split(|byte| *byte == 0).collect();
        let expected: Vec<&[u8]> = arguments.iter().map(|word| word.as_bytes()).collect();
        assert_eq!(words, expected);
    }
}
