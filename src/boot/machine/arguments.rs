//! The machine and its wiring → QEMU's command line, in the shape that libvirt gives it.

use super::blocks::{escaped, nodes};
use super::cpu::is_kvm_only;
use super::{Accel, Chipset, Device, Firmware, Machine, Network, Role, UUID, WatchdogAction, Wiring};
use serde_json::{Value, json};
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The monitor's socket in [`Wiring::folder`].
pub const MONITOR: &str = "monitor.sock";
/// The agent's socket in [`Wiring::folder`].
pub const AGENT: &str = "agent.sock";
/// What the serial console wrote, in [`Wiring::folder`].
pub const SERIAL: &str = "serial.log";

impl Machine {
    /// Everything behind `qemu-system-x86_64`. It starts stopped, to be told `cont`.
    pub fn arguments(&self, wiring: &Wiring) -> Vec<OsString> {
        let mut line = Line::default();
        line.words(&["-name", "guest=bootworthy,debug-threads=on", "-S"]);
        line.words(&["-machine", &self.machine(wiring)]);
        if self.is_secure() {
            line.words(&["-global", "driver=cfi.pflash01,property=secure,value=on"]);
        }
        line.words(&["-accel", accel(wiring.accel), "-cpu", &self.cpu(wiring)]);
        let bytes = self.ram_mib.saturating_mul(1 << 20);
        line.words(&["-m", &format!("size={}k", self.ram_mib.saturating_mul(1024))]);
        line.json("-object", &json!({"qom-type": "memory-backend-ram", "id": "pc.ram", "size": bytes}));
        line.words(&["-smp", &self.smp()]);
        line.json("-object", &json!({"qom-type": "iothread", "id": "iothread1"}));
        line.words(&["-uuid", UUID, "-smbios", &smbios(), "-no-user-config", "-nodefaults", "-display", "none"]);
        line.socket("charmonitor", &wiring.folder.join(MONITOR));
        line.words(&["-mon", "chardev=charmonitor,id=monitor,mode=control"]);
        let base = if self.is_local_time { "localtime" } else { "utc" };
        line.words(&["-rtc", &format!("base={base},driftfix=slew")]);
        if wiring.accel == Accel::Kvm {
            line.words(&["-global", "kvm-pit.lost_tick_policy=delay"]);
        }
        line.words(&["-boot", if self.has_boot_menu { "menu=on,strict=on" } else { "strict=on" }]);
        // SeaBIOS, and a GRUB without a serial terminal, then write to the serial console: nobody looks at a screen.
        line.words(&["-machine", "graphics=off"]);
        line.0.extend(nodes(self, wiring));
        for device in self.devices.iter().filter(|device| is_made(device, wiring)) {
            self.backend(device, wiring, &mut line);
            line.json("-device", &device.argument());
        }
        // The chipset's own watchdog: libvirt takes it for one that resets since 9.1.
        let chipset = (self.chipset == Chipset::Q35).then_some(WatchdogAction::Reset);
        if chipset.is_some() {
            line.words(&["-global", "ICH9-LPC.noreboot=off"]);
        }
        if let Some(action) = self.promises.watchdog.or(chipset) {
            line.words(&["-watchdog-action", word(action)]);
        }
        line.words(&["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]);
        line.0
    }

    fn is_secure(&self) -> bool {
        self.firmware == Firmware::Uefi { secure_boot: true }
    }

    fn machine(&self, wiring: &Wiring) -> String {
        let mut text = format!("{},usb=off,", self.machine_type);
        if self.is_secure() {
            text += "smm=on,";
        }
        text += "dump-guest-core=off,memory-backend=pc.ram";
        if wiring.firmware.is_some() {
            text += ",pflash0=pflash0-format,pflash1=pflash1-format";
        }
        text += if self.has_hpet { ",hpet=on" } else { ",hpet=off" };
        text
    }

    fn cpu(&self, wiring: &Wiring) -> String {
        let is_known = |feature: &&String| wiring.accel == Accel::Kvm || !is_kvm_only(feature);
        let features = self.cpu_features.iter().filter(is_known);
        features.fold(wiring.cpu.clone(), |model, feature| format!("{model},{feature}"))
    }

    fn smp(&self) -> String {
        let topology = self.topology;
        let count = topology.sockets.saturating_mul(topology.cores).saturating_mul(topology.threads);
        let (sockets, cores, threads) = (topology.sockets, topology.cores, topology.threads);
        format!("{count},sockets={sockets},dies=1,cores={cores},threads={threads}")
    }

    /// What of the host a device needs, before it.
    fn backend(&self, device: &Device, wiring: &Wiring, line: &mut Line) {
        match device.role {
            Role::Network => line.json("-netdev", &netdev(&wiring.network, self.promises.queues)),
            Role::SerialConsole => line.chardev("file,id=charserial0,append=on,path=", &wiring.folder.join(SERIAL)),
            Role::AgentChannel => line.socket("charchannel0", &wiring.folder.join(AGENT)),
            Role::Tpm => {
                if let Some(socket) = &wiring.tpm {
                    line.chardev("socket,id=chrtpm,path=", socket);
                    line.words(&["-tpmdev", "emulator,id=tpm-tpm0,chardev=chrtpm"]);
                }
            }
            Role::Rng => {
                line.json("-object", &json!({"qom-type": "rng-random", "id": "objrng0", "filename": "/dev/urandom"}));
            }
            Role::Sound if device.id == "sound0" => line.json("-audiodev", &json!({"id": "audio1", "driver": "none"})),
            _ => {}
        }
    }
}

/// Whether a device can be made with what there is.
fn is_made(device: &Device, wiring: &Wiring) -> bool {
    match device.role {
        Role::Tpm => wiring.tpm.is_some(),
        Role::ConfigDrive => wiring.config_drive.is_some(),
        _ => device.left_out.is_none(),
    }
}

fn accel(accel: Accel) -> &'static str {
    match accel {
        Accel::Kvm => "kvm",
        Accel::Tcg => "tcg,thread=multi",
    }
}

/// QEMU's and Nova's word for it.
pub fn word(action: WatchdogAction) -> &'static str {
    match action {
        WatchdogAction::None => "none",
        WatchdogAction::Pause => "pause",
        WatchdogAction::Poweroff => "poweroff",
        WatchdogAction::Reset => "reset",
    }
}

/// By these words cloud-init knows that it is in OpenStack (`ds-identify`; `nova/version.py`).
fn smbios() -> String {
    let start = "type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,version=34.0.0";
    format!("{start},serial={UUID},uuid={UUID},family=Virtual Machine")
}

fn netdev(network: &Network, queues: u32) -> Value {
    match network {
        Network::User { forward } => {
            let mut user = json!({"type": "user", "id": "hostnet0", "restrict": true});
            if let (Some(forward), Some(fields)) = (forward, user.as_object_mut()) {
                fields.insert("hostfwd".to_owned(), json!([{"str": forward}]));
            }
            user
        }
        Network::Tap { name } => {
            let mut tap = json!({"type": "tap", "id": "hostnet0", "ifname": name, "script": "no", "downscript": "no",
                                 "vhost": false});
            if let Some(fields) = tap.as_object_mut().filter(|_| queues > 1) {
                fields.insert("queues".to_owned(), queues.into());
            }
            tap
        }
    }
}

/// A command line in the making.
#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn words(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn json(&mut self, option: &str, value: &Value) {
        self.words(&[option, &value.to_string()]);
    }

    fn chardev(&mut self, start: &str, path: &Path) {
        let mut argument = OsString::from(start);
        argument.push(escaped(path.as_os_str()));
        self.0.extend(["-chardev".into(), argument]);
    }

    fn socket(&mut self, id: &str, path: &Path) {
        self.chardev(&format!("socket,id={id},server=on,wait=off,path="), path);
    }
}

/// A command as a shell reads it back, byte for byte.
pub fn print(program: &OsStr, arguments: &[OsString]) -> String {
    let words = std::iter::once(program).chain(arguments.iter().map(OsString::as_os_str));
    words.map(crate::manifest::shell_word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;
    use super::*;

    fn wiring(folder: &str) -> Wiring {
        let folder = Path::new(folder);
        Wiring {
            folder: folder.to_owned(),
            base: folder.join("base"),
            base_format: "qcow2",
            overlay: folder.join("overlay"),
            config_drive: Some(folder.join("config")),
            network: Network::User { forward: Some("tcp:127.0.0.1:0-:22".to_owned()) },
            accel: Accel::Tcg,
            cpu: "max".to_owned(),
            firmware: None,
            tpm: None,
        }
    }

    fn line(properties: &[(&str, &str)], wiring: &Wiring) -> String {
        let words = of(&[], properties).unwrap().arguments(wiring);
        words.into_iter().map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_line_says_what_libvirt_says() {
        let all = [("hw_firmware_type", "uefi"), ("hw_machine_type", "q35"), ("os_secure_boot", "required")];
        let all =
            [&all[..], &[("hw_boot_menu", "on"), ("hw_tpm_version", "2.0"), ("hw_watchdog_action", "pause")]].concat();
        let mut wiring = wiring("/run/b");
        wiring.firmware = Some(("/code".into(), "/run/b/variables".into()));
        wiring.tpm = Some("/run/b/tpm.sock".into());
        let found = line(&all, &wiring);
        for part in [
            "-machine q35,usb=off,smm=on,dump-guest-core=off,memory-backend=pc.ram,pflash0=pflash0-format,\
             pflash1=pflash1-format,hpet=off -global driver=cfi.pflash01,property=secure,value=on -accel tcg,thread=multi \
             -cpu max -m size=1048576k",
            "-smp 2,sockets=2,dies=1,cores=1,threads=1",
            "-smbios type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,version=34.0.0,serial=",
            "-no-user-config -nodefaults -display none -chardev socket,id=charmonitor,server=on,wait=off,\
             path=/run/b/monitor.sock -mon chardev=charmonitor,id=monitor,mode=control -rtc base=utc,driftfix=slew -boot \
             menu=on,strict=on",
            "-chardev socket,id=chrtpm,path=/run/b/tpm.sock -tpmdev emulator,id=tpm-tpm0,chardev=chrtpm -device",
            "-watchdog-action pause -sandbox on,",
        ] {
            assert!(found.contains(part), "{part}\n{found}");
        }
    }

    #[test]
    fn only_what_is_there_is_made() {
        let properties = [("hw_tpm_version", "2.0"), ("os_type", "windows")];
        let mut wiring = wiring("/run/b");
        wiring.config_drive = None;
        let found = line(&properties, &wiring);
        for absent in ["tpm", "ide-cd", "config-", "virtio-vga", "hv-", "kvm", "pflash", "agent.sock"] {
            assert!(!found.contains(absent), "{absent}\n{found}");
        }
        wiring.accel = Accel::Kvm;
        let found = line(&properties, &wiring);
        assert!(found.contains("-cpu max,hv-time=on,") && found.contains("-accel kvm"), "{found}");
    }

    #[test]
    fn the_network_never_reaches_out() {
        assert!(line(&[], &wiring("/run/b")).contains("\"restrict\":true"));
        let mut wiring = wiring("/run/b");
        wiring.network = Network::Tap { name: "tap0".to_owned() };
        let found = line(&[("hw_vif_multiqueue_enabled", "true")], &wiring);
        assert!(found.contains("\"queues\":2,\"script\":\"no\",\"type\":\"tap\""), "{found}");
    }

    #[test]
    fn no_node_opens_what_an_image_names() {
        let mut wiring = wiring("/run/b");
        let found = line(&[], &wiring);
        assert!(found.contains("{\"backing\":null,\"driver\":\"qcow2\",\"file\":\"base-storage\""), "{found}");
        assert!(found.contains("{\"backing\":\"base-format\",\"discard\":\"unmap\",\"driver\":\"qcow2\""), "{found}");
        wiring.base_format = "raw";
        let found = line(&[], &wiring);
        assert!(found.contains("{\"driver\":\"raw\",\"file\":\"base-storage\""), "{found}");
    }
}
