//! Everything beside disks and network: console, agent, inputs, sound, graphics, watchdog, balloon, random numbers, TPM.

use super::asked::{Asked, impossible};
use super::device::{Device, Plug, Role, Turn};
use super::usb::BUS as USB;
use super::{Chipset, Note, Tpm, WatchdogAction};
use crate::error::Result;

/// Console, channel of the agent, TPM.
pub(super) fn channels(asked: &Asked<'_>) -> (Vec<Device>, bool, Option<Tpm>) {
    let console = Device::new(Role::SerialConsole, "isa-serial", "serial0", "Nova: a console with a log");
    let mut devices = vec![console.with("chardev", "charserial0").with("index", 0)];
    let has_agent = asked.flag("hw_qemu_guest_agent");
    if has_agent {
        let from = "hw_qemu_guest_agent";
        let controller = Device::new(Role::SerialController, "virtio-serial-pci", "virtio-serial0", from);
        devices.push(controller.plugged(Plug::Express(Turn::Serial)));
        let channel = Device::new(Role::AgentChannel, "virtserialport", "channel0", from)
            .on("virtio-serial0.0")
            .with("nr", 1)
            .with("chardev", "charchannel0")
            .with("name", "org.qemu.guest_agent.0");
        devices.push(channel);
    }
    let tpm = asked.either("hw_tpm_version", "hw:tpm_version").map(|(version, from)| {
        let model = asked.either("hw_tpm_model", "hw:tpm_model").map_or("tpm-tis", |(model, _)| model);
        let driver = if model == "tpm-crb" { "tpm-crb" } else { "tpm-tis" };
        devices.push(Device::new(Role::Tpm, driver, "tpm0", from).with("tpmdev", "tpm-tpm0"));
        Tpm { version: version.to_owned(), model: driver.to_owned() }
    });
    (devices, has_agent, tpm)
}

/// Tablet and keyboard; PS/2 is there by itself.
pub(super) fn inputs(asked: &Asked<'_>) -> Vec<Device> {
    const KEY: &str = "hw_input_bus";
    let input = |driver, number: u32, from| Device::new(Role::Input, driver, format!("input{number}"), from);
    match asked.text(KEY) {
        Some("virtio") => ["virtio-tablet-pci", "virtio-keyboard-pci"]
            .into_iter()
            .zip(0..)
            .map(|(driver, number)| input(driver, number, KEY).plugged(Plug::Express(Turn::Input)))
            .collect(),
        Some(_) => vec![input("usb-tablet", 0, KEY).on(USB), input("usb-kbd", 1, KEY).on(USB)],
        None => vec![input("usb-tablet", 0, "Nova's default pointer").on(USB)],
    }
}

/// The sound card with its codec.
pub(super) fn sound(asked: &Asked<'_>, chipset: Chipset, notes: &mut Vec<Note>) -> Vec<Device> {
    let Some((model, from)) = asked.either("hw_sound_model", "hw:sound_model") else { return Vec::new() };
    let card = |driver| Device::new(Role::Sound, driver, "sound0", from);
    let voiced = |driver| card(driver).with("audiodev", "audio1");
    let (conventional, express) = (Plug::Conventional(Turn::Sound), Plug::Express(Turn::Sound));
    let hda = match model {
        "ac97" => return vec![voiced("AC97").plugged(conventional)],
        "es1370" => return vec![voiced("ES1370").plugged(conventional)],
        "sb16" => return vec![voiced("sb16")],
        "usb" => return vec![voiced("usb-audio").on(USB)],
        "virtio" => return vec![voiced("virtio-sound-pci").with("streams", 2).plugged(express)],
        "ich6" => card("intel-hda").plugged(conventional),
        "ich9" if chipset == Chipset::Q35 => card("ich9-intel-hda").at("pcie.0", "0x1b"),
        "ich9" => card("ich9-intel-hda").plugged(conventional),
        _ => {
            notes.push(Note::new(from, "the speaker of the PC is there, without a host's sound behind it"));
            return Vec::new();
        }
    };
    let codec = Device::new(Role::Sound, "hda-duplex", "sound0-codec0", from).on("sound0.0");
    vec![hda, codec.with("cad", 0).with("audiodev", "audio1")]
}

/// The graphics card: not made, for nobody looks, but its place is kept.
pub(super) fn video(asked: &Asked<'_>, chipset: Chipset) -> Result<Option<Device>> {
    const KEY: &str = "hw_video_model";
    let driver = match asked.text(KEY) {
        None | Some("virtio") => "virtio-vga",
        Some("vga") => "VGA",
        Some("cirrus") => "cirrus-vga",
        Some("qxl") => "qxl-vga",
        Some("vmvga") => "vmware-svga",
        Some("bochs") => "bochs-display",
        Some("none") => return Ok(None),
        Some(other) => return Err(impossible(&format!("{KEY}={other}"), "QEMU has no such graphics card on x86")),
    };
    let from = if asked.text(KEY).is_some() { KEY } else { "Nova's default graphics card" };
    let (bus, address) = if chipset == Chipset::Q35 { ("pcie.0", "0x1") } else { ("pci.0", "0x2") };
    let video = Device::new(Role::Video, driver, "video0", from).at(bus, address);
    Ok(Some(video.left_out("no proof looks at a screen; the console is the serial one")))
}

/// The watchdog; the image wins, whatever it says.
pub(super) fn watchdog(asked: &Asked<'_>) -> Option<(Device, WatchdogAction)> {
    let (word, from) = asked.either("hw_watchdog_action", "hw:watchdog_action")?;
    let action = match word {
        "none" => WatchdogAction::None,
        "pause" => WatchdogAction::Pause,
        "poweroff" => WatchdogAction::Poweroff,
        "reset" => WatchdogAction::Reset,
        _ => return None,
    };
    let device = Device::new(Role::Watchdog, "i6300esb", "watchdog0", from);
    Some((device.plugged(Plug::Conventional(Turn::Watchdog)), action))
}

/// Balloon, random numbers, the place for memory dumps.
pub(super) fn rest(asked: &Asked<'_>) -> Vec<Device> {
    let balloon = Device::new(Role::Balloon, "virtio-balloon-pci", "balloon0", "Nova: statistics of memory");
    let balloon = balloon.with("deflate-on-oom", true).with("free-page-reporting", true);
    let mut devices = vec![balloon.plugged(Plug::Express(Turn::Balloon))];
    if asked.spec_flag("hw_rng:allowed").unwrap_or(true) {
        let mut rng = Device::new(Role::Rng, "virtio-rng-pci", "rng0", "Nova: always, unless hw_rng:allowed=False");
        let rates =
            ["hw_rng:rate_bytes", "hw_rng:rate_period"].map(|spec| asked.integer(spec).filter(|rate| *rate != 0));
        if let [Some(bytes), Some(period)] = rates {
            rng = rng.with("max-bytes", bytes).with("period", period);
        }
        devices.push(rng.with("rng", "objrng0").plugged(Plug::Express(Turn::Rng)));
    }
    // It needs memory that the host can read.
    if !asked.is_encrypted() {
        devices.push(Device::new(Role::Vmcoreinfo, "vmcoreinfo", "", "Nova: memory dumps of x86"));
    }
    devices
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;
    use super::super::{Role, WatchdogAction};

    #[test]
    fn the_watchdog_is_the_images() {
        let spec = ("hw:watchdog_action", "reset");
        let image = |action| [("hw_watchdog_action", action)];
        for (specs, properties, expected) in [
            (&[][..], &[][..], None),
            (&[spec], &[], Some((WatchdogAction::Reset, "hw:watchdog_action"))),
            (&[spec], &image("pause"), Some((WatchdogAction::Pause, "hw_watchdog_action"))),
            (&[spec], &image("disabled"), None),
            (&[], &image("none"), Some((WatchdogAction::None, "hw_watchdog_action"))),
            (&[("hw_watchdog_action", "reset")], &[], None),
        ] {
            let machine = of(specs, properties).unwrap();
            let from = machine.device(Role::Watchdog).map(|device| device.from.as_str());
            assert_eq!(machine.promises.watchdog.zip(from), expected, "{specs:?} {properties:?}");
        }
    }

    #[test]
    fn random_numbers_are_the_flavors() {
        for (specs, expected) in [
            (&[][..], Some(None)),
            (&[("hw_rng:allowed", "False")], None),
            (&[("hw_rng:allowed", "true"), ("hw_rng:rate_bytes", "2048")], Some(None)),
            (&[("hw_rng:rate_bytes", "2048"), ("hw_rng:rate_period", "1000")], Some(Some(2048))),
        ] {
            let machine = of(specs, &[("hw_rng_model", "virtio")]).unwrap();
            let rate =
                machine.device(Role::Rng).map(|rng| rng.options.get("max-bytes").and_then(serde_json::Value::as_u64));
            assert_eq!(rate, expected, "{specs:?}");
            assert_eq!(machine.promises.rng, expected.is_some());
        }
    }

    #[test]
    fn agent_tpm_and_administrator() {
        let machine = of(&[], &[("hw_tpm_model", "tpm-crb"), ("hw_qemu_guest_agent", "no")]).unwrap();
        assert_eq!((machine.promises.tpm, machine.promises.agent), (None, false));
        let machine = of(&[("hw:tpm_version", "1.2")], &[("hw_qemu_guest_agent", "yes")]).unwrap();
        let tpm = machine.promises.tpm.unwrap();
        assert_eq!((tpm.version.as_str(), tpm.model.as_str()), ("1.2", "tpm-tis"));
        assert!(machine.promises.agent);
        for (properties, expected) in [
            (&[][..], "root"),
            (&[("os_admin_user", "debian")], "debian"),
            (&[("os_admin_user", "")], "root"),
            (&[("os_type", "windows")], "Administrator"),
        ] {
            assert_eq!(of(&[], properties).unwrap().promises.admin_user, expected);
        }
    }
}
