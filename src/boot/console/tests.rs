//! Real consoles, shortened: see fixtures/ORIGIN.

use super::*;

/// A console that was written at once, and one that grew by single bytes.
fn consoles(bytes: &[u8]) -> [Console; 2] {
    let mut consoles = [Console::new(Path::new("whole")), Console::new(Path::new("grown"))];
    let [whole, grown] = &mut consoles;
    whole.take(bytes, Duration::ZERO);
    for byte in bytes {
        grown.take(&[*byte], Duration::ZERO);
    }
    consoles
}

macro_rules! log {
    ($name:literal) => {
        include_bytes!(concat!("../../../fixtures/console/", $name, ".log"))
    };
}

/// The log, its marks after the firmware's, the phase at its end.
const LOGS: &[(&[u8], &[&str], Phase)] = &[
    (log!("no-disk"), &["firmware-unreadable", "firmware-no-device"], Phase::Firmware),
    (log!("grub-rescue"), &["loader-grub", "grub-error", "grub-rescue"], Phase::Loader),
    (
        log!("initramfs-tools"),
        &["loader-grub", "grub-error", "kernel", "initrd", "disk", "initramfs-leaves", "login"],
        Phase::Login,
    ),
    (
        log!("debian13"),
        &["loader-grub", "grub-error", "kernel", "initrd", "disk", "initramfs-leaves", "login"],
        Phase::Login,
    ),
    (log!("dracut"), &["loader-grub", "grub-error", "kernel", "initrd", "disk", "userspace", "login"], Phase::Login),
    (log!("empty-initrd"), &["loader-grub", "grub-error", "kernel", "root-unmountable"], Phase::Kernel),
    (
        log!("initramfs-no-virtio-scsi"),
        &[
            "loader-grub",
            "grub-error",
            "kernel",
            "initrd",
            "initramfs-waits",
            "root-given-up",
            "root-missing",
            "initramfs-shell",
        ],
        Phase::Initrd,
    ),
    (
        log!("dracut-no-virtio-scsi"),
        &["loader-grub", "grub-error", "kernel", "initrd", "dracut-waits", "dracut-gave-up"],
        Phase::Initrd,
    ),
    (
        log!("wrong-root"),
        &[
            "loader-grub",
            "grub-error",
            "kernel",
            "initrd",
            "disk",
            "initramfs-waits",
            "root-given-up",
            "root-missing",
            "initramfs-shell",
        ],
        Phase::Initrd,
    ),
    (
        log!("no-init"),
        &[
            "loader-grub",
            "grub-error",
            "kernel",
            "initrd",
            "disk",
            "initramfs-leaves",
            "no-init-found",
            "initramfs-shell",
        ],
        Phase::Userspace,
    ),
    (
        log!("fstab-dev-vda"),
        &[
            "loader-grub",
            "grub-error",
            "kernel",
            "initrd",
            "disk",
            "initramfs-leaves",
            "device-by-bus-name",
            "device-timeout",
            "emergency-mode",
            "maintenance-locked",
        ],
        Phase::Userspace,
    ),
    (log!("io-apic"), &["loader-grub", "grub-error", "kernel", "kernel-panic"], Phase::Kernel),
];

#[test]
fn real_consoles() {
    for (bytes, expected, phase) in LOGS {
        for console in consoles(bytes) {
            let found: Vec<&str> = console.hits().iter().map(|hit| hit.mark.id).collect();
            assert_eq!(found.split_first().map(|(_, rest)| rest), Some(*expected), "{console:?}");
            assert_eq!(console.phase(), Some(*phase));
            // What the translator does to a sound guest is no failure of the image.
            let is_foreign = expected.contains(&"kernel-panic");
            assert_eq!(console.failure().is_none(), *phase == Phase::Login || is_foreign);
            assert_eq!(console.foreign().is_some(), is_foreign);
        }
    }
}

#[test]
fn failures_are_quoted() {
    let rows: &[(&[u8], &str)] = &[
        (log!("no-disk"), "No bootable device."),
        (log!("grub-rescue"), "grub rescue>"),
        (log!("empty-initrd"), "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"),
        (
            log!("initramfs-no-virtio-scsi"),
            "ALERT!  UUID=4a1f7c1e-6d0e-4b5b-9f0c-0d1200000001 does not exist.  Dropping to a shell!",
        ),
        (log!("dracut-no-virtio-scsi"), "Warning: dracut-initqueue: starting timeout scripts"),
        (log!("no-init"), "No init found. Try passing init= bootarg."),
        (log!("fstab-dev-vda"), "You are in emergency mode. After logging in, type"),
    ];
    for (bytes, expected) in rows {
        for console in consoles(bytes) {
            assert!(console.failure().is_some_and(|hit| hit.line.contains(expected)), "{console:?}");
        }
    }
}

#[test]
fn what_stands_in_a_line_counts_in_its_time() {
    let start = "] Linux version 6.1\n] Run /init as init process\n";
    let rows: &[(&str, Option<&str>, Option<&str>)] = &[
        // A session prints what it likes.
        ("Welcome to Debian!\nweb login: \ngrub rescue>\n(initramfs)\nYou are in emergency mode\n", None, None),
        ("Kernel panic - not syncing: IO-APIC + timer doesn't work!\n", None, Some("kernel-panic")),
        ("Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\n", Some("init-exited"), None),
        ("Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\n", None, Some("kernel-panic")),
        ("[    1.5] BUG: unable to handle page fault\n", None, Some("kernel-bug")),
        ("[    1.5] traps: double fault: 0000 [#1]\n", None, Some("kernel-double-fault")),
        ("Kernel panic - not syncing: sysrq triggered crash\n", None, None),
        ("dracut:/# ", Some("dracut-shell"), None),
        ("Warning: /dev/disk/by-uuid/0 does not exist\n", Some("dracut-missing"), None),
        ("Welcome to Debian!\nPress Enter for maintenance\n", Some("maintenance"), None),
    ];
    for (text, failure, foreign) in rows {
        for console in consoles(format!("{start}{text}").as_bytes()) {
            assert_eq!(console.failure().map(|hit| hit.mark.id), *failure, "{text}");
            assert_eq!(console.foreign().map(|hit| hit.mark.id), *foreign, "{text}");
        }
    }
}

#[test]
fn a_quiet_guest_fails_as_loud() {
    let loud = "ALERT!  UUID=0 does not exist.  Dropping to a shell!\n";
    for start in ["", "SeaBIOS (version 1)\n", "SeaBIOS (version 1)\nGRUB loading.\nWelcome to GRUB!\n"] {
        let [console, _] = consoles(format!("{start}{loud}").as_bytes());
        assert_eq!(console.failure().map(|hit| hit.mark.id), Some("root-missing"), "{start}");
        let [console, _] = consoles(format!("{start}web login: ").as_bytes());
        assert_eq!(console.phase(), Some(Phase::Login), "{start}");
    }
}

#[test]
fn a_disk_is_awaited_from_the_initrd_on() {
    let found = |text: &str| {
        let mut console = Console::new(Path::new("/nowhere"));
        console.take(b"] Linux version 6.1\n[    4.8] Run /init as init process\n", Duration::from_secs(30));
        console.take(text.as_bytes(), Duration::from_secs(40));
        assert!(
            console
                .poll(Duration::from_secs(31).saturating_add(DISK_PATIENCE.saturating_sub(Duration::from_secs(2))))
                .unwrap()
                .is_empty()
        );
        let hits = console.poll(Duration::from_secs(31).saturating_add(DISK_PATIENCE)).unwrap();
        hits.iter().map(|hit| format!("{}: {}", hit.mark.id, hit.line)).collect::<Vec<_>>()
    };
    assert_eq!(found("Begin: Mounting root file system ...\n"), ["no-disk: [    4.8] Run /init as init process"]);
    assert_eq!(found("[   13.0] sd 2:0:0:0: [sda] 4194304 512-byte logical blocks: (2.15 GB/2.00 GiB)\n"), [""; 0]);
    assert_eq!(found("virtio_blk virtio2: [vda] 4194304 512-byte logical blocks: (2.15 GB/2.00 GiB)\n"), [""; 0]);
    assert_eq!(found("Begin: Running /scripts/init-bottom ... done.\n"), [""; 0]);
}

#[test]
fn a_reset_starts_from_the_front() {
    let [mut console, _] = consoles(log!("initramfs-tools"));
    let first = console.hits().len();
    console.take(log!("initramfs-tools"), Duration::from_secs(100));
    assert_eq!(console.hits().len(), 2 * first);
    console.take(log!("empty-initrd"), Duration::from_secs(200));
    assert!(console.failure().is_some());
}

#[test]
fn a_console_grows_and_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("serial.log");
    let mut console = Console::new(&path);
    assert!(console.poll(Duration::ZERO).unwrap().is_empty());
    std::fs::write(&path, "SeaBIOS (version 1)\r\ngrub resc").unwrap();
    assert_eq!(console.poll(Duration::ZERO).unwrap().len(), 1);
    std::fs::write(&path, "SeaBIOS (version 1)\r\ngrub rescue> ").unwrap();
    assert_eq!(console.poll(Duration::from_secs(1)).unwrap()[0].mark.id, "grub-rescue");
    assert_eq!(console.tail().collect::<Vec<_>>(), ["SeaBIOS (version 1)"]);
    File::create(&path).unwrap().set_len(MAX_CONSOLE + 1).unwrap();
    let error = console.poll(Duration::ZERO).unwrap_err();
    assert!(error.to_string().ends_with("the guest wrote more than 64 MiB"), "{error}");
}

#[test]
fn marks_have_names_and_reasons() {
    for mark in MARKS {
        assert!(!mark.words.is_empty() && !mark.says.is_empty() && mark.times > 0, "{}", mark.id);
    }
}
