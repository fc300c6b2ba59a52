//! A kernel command line → what checks judge of it (`Documentation/admin-guide/kernel-parameters.rst`, `man 7 dracut.cmdline`).

/// What checks ask of a command line. Two attempts with the same kernel, initrds and `Cmdline` are judged once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cmdline {
    /// The last `root=`, without quotes: the kernel, initramfs-tools and dracut all let the last one win.
    pub root: Option<String>,
    /// `panic=` makes a kernel that cannot go on boot again; 0 makes it wait for ever.
    pub reboots: bool,
    /// The word by which the initrd itself needs the network.
    pub network: Option<String>,
    /// `rdinit=`, where it is not `/init`.
    pub rdinit: Option<String>,
    /// `noinitrd`.
    pub is_without_initrd: bool,
    /// The last `rootfstype=`.
    pub rootfstype: Option<String>,
    /// The last `rootflags=`.
    pub rootflags: Option<String>,
    /// Words that keep the system from starting unattended, or start something else than its init.
    pub detours: Vec<Detour>,
    /// Words that may stop a driver, in order.
    drivers: Vec<String>,
}

/// A word that leads elsewhere than to the running system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Detour {
    /// Nobody is there to leave the shell that it ends in.
    Stops(String),
    /// Where it ends is not known.
    Leads(String),
}

/// How a word stops a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Linux refuses the module.
    Certain(String),
    /// modprobe does not load it by alias, or what the word does to it is not known.
    Possible(String),
}

impl Cmdline {
    /// Parses a command line; what follows `--` is init's, but initrds read it all the same.
    pub fn parse(text: &str) -> Self {
        let mut cmdline = Self::default();
        let words = words(text);
        let behind = words.iter().skip_while(|word| *word != "--");
        let roots = behind.filter(|word| word.starts_with("root=") || word.starts_with("boot="));
        cmdline.detours.extend(roots.map(|word| Detour::Leads(format!("-- {word}"))));
        if text.len() > MAX_CMDLINE {
            cmdline.detours.push(Detour::Leads(format!("{} bytes, of which Linux keeps {MAX_CMDLINE}", text.len())));
        }
        for word in words.iter().take_while(|word| *word != "--") {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "root" => cmdline.root = Some(value.to_owned()),
                "panic" => cmdline.reboots = value.parse::<i64>().is_ok_and(|seconds| seconds != 0),
                "rdinit" => cmdline.rdinit = Some(value.to_owned()).filter(|init| init != "/init"),
                "noinitrd" => cmdline.is_without_initrd = true,
                "rootfstype" => cmdline.rootfstype = Some(value.to_owned()).filter(|kind| !kind.is_empty()),
                "rootflags" => cmdline.rootflags = Some(value.to_owned()),
                _ if DRIVER_WORDS.contains(&key) => cmdline.drivers.push(word.clone()),
                _ => cmdline.detours.extend(detour(word, key, value)),
            }
            if cmdline.network.is_none() && needs_network(key, value) {
                cmdline.network = Some(word.clone());
            }
        }
        cmdline.root = cmdline.root.filter(|root| !root.is_empty());
        cmdline
    }

    /// The words that stop `module`; those of modprobe and `module_blacklist=` do not reach what is built in.
    pub fn stops(&self, module: &str, is_file: bool) -> Vec<Stop> {
        let last = self.drivers.iter().rfind(|word| word.starts_with("module_blacklist="));
        self.drivers.iter().filter_map(|word| stop(word, module, is_file, last)).collect()
    }

    /// Whether any word may stop a driver.
    pub fn has_driver_words(&self) -> bool {
        !self.drivers.is_empty()
    }
}

/// Bytes of a command line that Linux keeps: x86's and arm64's `COMMAND_LINE_SIZE` without the NUL.
const MAX_CMDLINE: usize = 2047;

/// Keys of words that may stop a driver.
const DRIVER_WORDS: &[&str] = &[
    "module_blacklist",
    "modprobe.blacklist",
    "rd.driver.blacklist",
    "rdblacklist",
    "blacklist",
    "initcall_blacklist",
    "pci",
    "scsi_mod.scan",
];

/// What one word does to `module`; of several `module_blacklist=` the `last` counts (`core_param` of
/// `kernel/module/main.c`, where names are compared as they are).
fn stop(word: &str, module: &str, is_file: bool, last: Option<&String>) -> Option<Stop> {
    /// Initcalls that users switch off and that no disk, network card or root file system needs.
    const HARMLESS: &[&str] =
        &["acpi_cpufreq_init", "amd_pstate_init", "sysfb_init", "algif_hash_init", "algif_aead_init"];
    let (key, value) = word.split_once('=').unwrap_or((word, ""));
    let has = |wanted: &str| value.split(',').any(|name| name == wanted);
    let has_like = || value.split(',').any(|name| name.replace('-', "_") == module);
    let is_possible = match key {
        "module_blacklist" if is_file && last.is_some_and(|last| last == word) => {
            if has(module) {
                return Some(Stop::Certain(word.to_owned()));
            }
            has_like()
        }
        "modprobe.blacklist" | "rd.driver.blacklist" | "rdblacklist" | "blacklist" => is_file && has_like(),
        "initcall_blacklist" => value.split(',').any(|name| !HARMLESS.contains(&name)),
        "pci" => module == "virtio_pci" && has("off"),
        "scsi_mod.scan" => module == "scsi_mod" && value != "sync" && value != "async",
        _ => false,
    };
    is_possible.then(|| Stop::Possible(word.to_owned()))
}

/// `man 1 init`, `man 1 systemd` (kernel command line), `man 7 initramfs-tools`, `man 7 dracut.cmdline`.
fn detour(word: &str, key: &str, value: &str) -> Option<Detour> {
    const INITS: &[&str] = &[
        "/sbin/init",
        "/usr/sbin/init",
        "/bin/init",
        "/etc/init",
        "/bin/systemd",
        "/usr/bin/systemd",
        "/lib/systemd/systemd",
        "/usr/lib/systemd/systemd",
    ];
    const UNITS: &[&str] = &["default.target", "multi-user.target", "graphical.target"];
    let stops = || Some(Detour::Stops(word.to_owned()));
    let leads = || Some(Detour::Leads(word.to_owned()));
    match key {
        "break" | "rd.break" => stops(),
        "single" | "s" | "S" | "1" | "-s" | "rescue" | "emergency" | "-b" if key == word => stops(),
        "systemd.unit" if ["emergency", "rescue"].iter().any(|unit| value.split('.').next() == Some(unit)) => stops(),
        "systemd.unit" if !UNITS.contains(&value) => leads(),
        "rd.systemd.unit" if value != "initrd.target" => leads(),
        "init" if !INITS.contains(&value) => leads(),
        // initramfs-tools(7): scripts other than `local` mount another root; dracut's `boot=UUID=…` names a volume.
        "boot" if value != "local" && value.chars().all(|c| c.is_ascii_alphabetic()) => leads(),
        _ => None,
    }
}

/// `man 7 dracut.cmdline` and initramfs-tools(7): `ip=`, `rd.neednet=1`, `netroot=`, a network root, clevis and tang.
fn needs_network(key: &str, value: &str) -> bool {
    match key {
        "ip" => !matches!(value, "off" | "none"),
        "rd.neednet" => !matches!(value, "0" | "no" | "off"),
        "netroot" | "nfsroot" | "iscsi_initiator" | "rd.iscsi.initiator" | "iscsi_target_name" => true,
        "boot" => value == "nfs",
        "root" => is_network_root(value),
        _ => key.contains("clevis") || value.contains("clevis") || key.contains("tang."),
    }
}

/// `root=` forms that name a server.
pub fn is_network_root(root: &str) -> bool {
    const SCHEMES: &[&str] = &[
        "nfs:",
        "nfs4:",
        "nbd:",
        "iscsi:",
        "fcoe:",
        "cifs:",
        "cifs://",
        "dhcp",
        "http:",
        "https:",
        "ftp:",
        "live:http",
    ];
    root == "/dev/nfs" || root == "nfs" || SCHEMES.iter().any(|scheme| root.starts_with(scheme))
}

/// Splits at white space outside double quotes and drops the quotes (`lib/cmdline.c`, `next_arg`).
pub fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for character in text.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            _ if character.is_ascii_whitespace() && !is_quoted => words.push(String::new()),
            _ => {
                if let Some(word) = words.last_mut() {
                    word.push(character);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_root_wins_and_quotes_vanish() {
        for (text, root) in [
            ("BOOT_IMAGE=/vmlinuz root=UUID=1 ro", Some("UUID=1")),
            ("root=/dev/vda1 root=UUID=2 quiet", Some("UUID=2")),
            ("root=\"UUID=3\" ro", Some("UUID=3")),
            ("root=UUID=\"4\" ro", Some("UUID=4")),
            ("\"root=LABEL=my root\" ro", Some("LABEL=my root")),
            ("ro -- root=UUID=5", None),
            ("root= ro", None),
            ("xroot=UUID=6 rootflags=subvol=@", None),
            ("", None),
        ] {
            assert_eq!(Cmdline::parse(text).root.as_deref(), root, "{text}");
        }
    }

    #[test]
    fn panic_reboots_unless_it_is_zero() {
        for (text, reboots) in [
            ("panic=-1", true),
            ("panic=10", true),
            ("panic=0", false),
            ("panic", false),
            ("panic=x", false),
            ("", false),
        ] {
            assert_eq!(Cmdline::parse(text).reboots, reboots, "{text}");
        }
    }

    #[test]
    fn words_that_need_the_network() {
        for (text, network) in [
            ("ip=dhcp", true),
            ("ip=off", false),
            ("rd.neednet=1", true),
            ("rd.neednet", true),
            ("rd.neednet=0", false),
            ("netroot=iscsi:@10.0.0.1::::x", true),
            ("root=/dev/nfs nfsroot=1.2.3.4:/x", true),
            ("root=nfs4:server:/x", true),
            ("root=UUID=1 ipv6.disable=1 zip=1", false),
            ("rd.clevis=1", true),
        ] {
            assert_eq!(Cmdline::parse(text).network.is_some(), network, "{text}");
        }
    }

    #[test]
    fn words_that_stop_drivers() {
        let certain = |word: &str| vec![Stop::Certain(word.to_owned())];
        let possible = |word: &str| vec![Stop::Possible(word.to_owned())];
        for (text, module, file, builtin) in [
            ("module_blacklist=virtio_scsi,a", "virtio_scsi", certain("module_blacklist=virtio_scsi,a"), vec![]),
            ("module_blacklist=virtio_scsi,a", "virtio_blk", vec![], vec![]),
            ("module_blacklist=virtio_scsi module_blacklist=a", "virtio_scsi", vec![], vec![]),
            ("module_blacklist=virtio-scsi", "virtio_scsi", possible("module_blacklist=virtio-scsi"), vec![]),
            ("modprobe.blacklist=a,virtio-blk", "virtio_blk", possible("modprobe.blacklist=a,virtio-blk"), vec![]),
            ("rd.driver.blacklist=sd_mod", "sd_mod", possible("rd.driver.blacklist=sd_mod"), vec![]),
            ("blacklist=sd_mod", "sd_mod", possible("blacklist=sd_mod"), vec![]),
            (
                "initcall_blacklist=init_sd",
                "sd_mod",
                possible("initcall_blacklist=init_sd"),
                possible("initcall_blacklist=init_sd"),
            ),
            ("initcall_blacklist=sysfb_init", "sd_mod", vec![], vec![]),
            ("pci=nocrs,off", "virtio_pci", possible("pci=nocrs,off"), possible("pci=nocrs,off")),
            ("pci=nomsi", "virtio_pci", vec![], vec![]),
            ("scsi_mod.scan=none", "scsi_mod", possible("scsi_mod.scan=none"), possible("scsi_mod.scan=none")),
            ("scsi_mod.scan=sync", "scsi_mod", vec![], vec![]),
            ("-- module_blacklist=virtio_scsi", "virtio_scsi", vec![], vec![]),
        ] {
            let cmdline = Cmdline::parse(text);
            assert_eq!((cmdline.stops(module, true), cmdline.stops(module, false)), (file, builtin), "{text}");
        }
    }

    #[test]
    fn words_that_lead_elsewhere() {
        for (text, stops, leads) in [
            ("root=UUID=x -- root=/dev/vda1", 0, 1),
            ("root=UUID=x -- 3", 0, 0),
            ("root=UUID=x boot=live", 0, 1),
            ("root=UUID=x boot=local", 0, 0),
            ("root=UUID=x boot=UUID=0D13-0000 fips=1", 0, 0),
            (&format!("root=UUID=x {}", "y".repeat(2035)), 0, 0),
            (&format!("root=UUID=x {}", "y".repeat(2036)), 0, 1),
            ("ro quiet splash 3 net.ifnames=0 rd.shell=0", 0, 0),
            ("init=/sbin/init systemd.unit=multi-user.target", 0, 0),
            ("init=/nope", 0, 1),
            ("init=/bin/sh systemd.unit=my.target rd.systemd.unit=x.target", 0, 3),
            ("break=premount", 1, 0),
            ("break rd.break rd.break=pre-mount", 3, 0),
            ("single S 1 emergency", 4, 0),
            ("systemd.unit=emergency.target systemd.unit=rescue", 2, 0),
            ("single=1 emergency=no", 0, 0),
        ] {
            let detours = Cmdline::parse(text).detours;
            let count = |is: fn(&Detour) -> bool| detours.iter().filter(|detour| is(detour)).count();
            let found = (count(|d| matches!(d, Detour::Stops(_))), count(|d| matches!(d, Detour::Leads(_))));
            assert_eq!(found, (stops, leads), "{text}");
        }
    }

    #[test]
    fn another_init_of_the_initrd_is_kept() {
        assert_eq!(Cmdline::parse("rdinit=/bin/sh").rdinit.as_deref(), Some("/bin/sh"));
        assert_eq!(Cmdline::parse("rdinit=/init").rdinit, None);
    }
}
