//! EFI system partitions as kernel-install and mkinitcpio leave them, and the rules of order and choice.

use super::*;
use crate::guest::bootloader::disk::OpenVolume;
use crate::guest::bootloader::disk::tests::volume;
use crate::guest::bootloader::entry::Place;
use crate::guest::bootloader::tests::kernel;
use crate::guest::bootloader::uefi::Kind;
use crate::guest::memory::Memory;
use crate::guest::pe::tests::program;

const STUB: &[u8] = b"#### LoaderInfo: systemd-stub 257.5-2 ####";

fn esp() -> Memory {
    Memory::new("vfat", "AAAA-BBBB", "ESP")
}

fn loader() -> Loader {
    let kind = Kind::SystemdBoot(Some(257));
    Loader { architecture: "x86_64", short: "x64", path: "/EFI/BOOT/BOOTX64.EFI".to_owned(), kind }
}

fn place(place: &Place) -> String {
    match place {
        Place::On(0, path) => path.clone(),
        Place::On(index, path) => format!("({index}){path}"),
        Place::Section(_, path, name) => format!("{path}#{name}"),
        other => format!("{other:?}"),
    }
}

fn listed(volumes: Vec<OpenVolume>) -> Vec<String> {
    let disk = Disk::new(volumes, &Limits::default());
    let listing = read(&disk, 0, &loader(), Some(257), &Limits::default());
    let row = |entry: &Entry| {
        let attempt = &entry.attempts[0];
        let initrds: Vec<String> = attempt.initrds.iter().map(place).collect();
        let star = if entry.is_default { "*" } else { "" };
        let cmdline = attempt.cmdline.as_deref().unwrap_or("?");
        format!("{star}{} {}: {} [{}] {cmdline}", entry.ids[0], entry.line, place(&attempt.kernel), initrds.join(" "))
    };
    let gaps = listing.gaps.iter().map(|gap| format!("gap: {}", gap.reason));
    listing.items.iter().map(row).chain(gaps).collect()
}

fn menu(files: Memory) -> Vec<String> {
    listed(vec![volume(1, files)])
}

/// The ids, defaults with a star, and whether there is any gap.
fn ids(files: Memory) -> (String, bool) {
    let rows = menu(files);
    let ids: Vec<&str> =
        rows.iter().filter(|row| !row.starts_with("gap:")).filter_map(|row| row.split(' ').next()).collect();
    (ids.join(" "), rows.iter().any(|row| row.starts_with("gap:")))
}

fn entry(files: Memory, name: &str, body: &str) -> Memory {
    files.file(&format!("/loader/entries/{name}"), format!("linux /v\n{body}")).file("/v", kernel())
}

fn image(id: &str, version: &str, cmdline: &str) -> Vec<u8> {
    let release = format!("ID={id}\nPRETTY_NAME=\"{id} Linux\"\nVERSION_ID={version}\n");
    let sections: [(&str, &[u8]); 5] = [
        (".sdmagic", STUB),
        (".osrel", release.as_bytes()),
        (".cmdline", cmdline.as_bytes()),
        (".linux", &kernel()),
        (".initrd", b"0707"),
    ];
    program(&sections)
}

#[test]
fn arch_starts_what_its_installer_wrote() {
    // archlinux/archinstall, archinstall/lib/installer.py, _add_systemd_bootloader.
    let conf = "# Created by: archinstall\ntitle   Arch Linux (linux)\nlinux   /vmlinuz-linux\ninitrd  /intel-ucode.img\ninitrd  /initramfs-linux.img\noptions root=PARTUUID=p rw rootfstype=ext4\n";
    let fallback = conf.replace("initramfs-linux", "initramfs-linux-fallback").replace("(linux)", "(linux-fallback)");
    let files = esp()
        .file("/loader/loader.conf", "default 2025-01-01_linux.conf\ntimeout 3\n")
        .file("/vmlinuz-linux", kernel());
    let files = files.file("/loader/entries/2025-01-01_linux.conf", conf);
    let files = files.file("/loader/entries/2025-01-01_linux-fallback.conf", fallback);
    let words = |name: &str| format!("initrd=\\intel-ucode.img initrd=\\{name} root=PARTUUID=p rw rootfstype=ext4");
    let row = |star: &str, id: &str, initrd: &str| {
        format!("{star}{id} 3: /vmlinuz-linux [/intel-ucode.img /{initrd}] {}", words(initrd))
    };
    assert_eq!(
        menu(files),
        [
            row("*", "2025-01-01_linux.conf", "initramfs-linux.img"),
            row("", "2025-01-01_linux-fallback.conf", "initramfs-linux-fallback.img"),
        ]
    );
}

#[test]
fn the_default_is_a_pattern_or_the_first() {
    let files = |config: &str| {
        let files = esp().file("/loader/loader.conf", config);
        entry(entry(entry(files, "a-6.9.conf", ""), "a-6.12.conf", ""), "b.conf", "sort-key z\n")
    };
    for (config, expected, has_gap) in [
        ("", "*b.conf a-6.12.conf a-6.9.conf", false),
        ("default @saved\n", "*b.conf a-6.12.conf a-6.9.conf", false),
        ("default a-*\n", "b.conf *a-6.12.conf a-6.9.conf", false),
        ("default A-6.9.conf\n", "b.conf a-6.12.conf *a-6.9.conf", false),
        ("default a-6.9\n", "*b.conf a-6.12.conf a-6.9.conf", false),
        ("default a-6.9.conf\ndefault b*\n", "*b.conf a-6.12.conf a-6.9.conf", false),
        ("#default a-6.9.conf\n", "*b.conf a-6.12.conf a-6.9.conf", false),
        ("default auto-windows\n", "*b.conf a-6.12.conf a-6.9.conf", true),
        ("timeout 5\nconsole-mode max\neditor no\n", "*b.conf a-6.12.conf a-6.9.conf", false),
        ("timeout menu-force\n", "*b.conf a-6.12.conf a-6.9.conf", true),
        ("timeout menu-force\ntimeout 0\n", "*b.conf a-6.12.conf a-6.9.conf", false),
        ("timeout 4294967295\n", "*b.conf a-6.12.conf a-6.9.conf", true),
        ("timeout menu-hidden\n", "*b.conf a-6.12.conf a-6.9.conf", false),
    ] {
        assert_eq!(ids(files(config)), (expected.to_owned(), has_gap), "{config}");
    }
}

#[test]
fn counters_are_no_part_of_the_id() {
    let files = |config: &str| {
        let files = esp().file("/loader/loader.conf", config);
        entry(entry(files, "f-2+0-3.conf", ""), "f-1+3.conf", "")
    };
    assert_eq!(ids(files("")).0, "*f-1.conf f-2.conf", "what has no tries left is last");
    assert_eq!(ids(files("default f-2.conf")).0, "*f-1.conf *f-2.conf", "older versions know no f-2.conf");
    assert_eq!(ids(files("default f-2*")).0, "f-1.conf *f-2.conf");
    for (name, expected) in [
        ("x+3.conf", Some(("x.conf", (3, 0)))),
        ("x+2-1.conf", Some(("x.conf", (2, 1)))),
        ("x+1+2.conf", Some(("x+1.conf", (2, 0)))),
        ("x+.conf", None),
        ("x+3-.conf", None),
        ("x+3a.conf", None),
        ("x+99999999999.conf", None),
        ("x.conf", None),
        ("+", None),
    ] {
        let found = tries(name, ".conf");
        assert_eq!(found.as_ref().map(|(id, tries)| (id.as_str(), *tries)), expected, "{name}");
    }
}

#[test]
fn only_what_can_be_started_is_listed() {
    for (name, body, expected) in [
        ("a.conf", "linux /v\n", "*a.conf"),
        ("A.CONF", "linux v\n", "*a.conf"),
        ("a.conf", "linux /v\narchitecture X64\n", "*a.conf"),
        ("a.conf", "linux /v\narchitecture aa64\n", ""),
        ("a.conf", "linux /gone\n", ""),
        ("a.conf", "title x\n", ""),
        ("a.conf", "linux /v\nefi /v\n", ""),
        ("a.conf", "efi /v\n", "*a.conf"),
        ("a.conf", "efi \\EFI\\BOOT\\bootx64.efi\n", ""),
        (".a.conf", "linux /v\n", ""),
        ("auto-a.conf", "linux /v\n", ""),
        ("a.confx", "linux /v\n", ""),
        ("a.conf", "uki /u.efi\n", ""),
        ("a.conf", "uki-url http://x/u.efi\n", ""),
        ("a.conf", "efi /u.efi\n", "*a.conf"),
        ("a.conf", "efi /other.efi\n", ""),
    ] {
        let files = esp().file("/v", stubbed()).file("/EFI/BOOT/BOOTX64.EFI", "").file("/u.efi", image("u", "1", "ro"));
        let files = files.file("/other.efi", program(&[(".text", b"x")]));
        let (found, has_gap) = ids(files.file(&format!("/loader/entries/{name}"), body));
        assert_eq!((found.as_str(), has_gap), (expected, expected.is_empty()), "{name} {body}");
    }
}

/// A kernel that is an EFI program as well.
fn stubbed() -> Vec<u8> {
    let mut bytes = program(&[(".text", b"x")]);
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes
}

#[test]
fn a_kernel_started_as_a_program_finds_its_own_initrds() {
    let files = esp()
        .file("/v", stubbed())
        .file("/loader/entries/a.conf", "efi /v\noptions initrd=\\i.img root=x\noptions ro\n");
    assert_eq!(menu(files), ["*a.conf 1: /v [/i.img] initrd=\\i.img root=x ro"]);
}

#[test]
fn unified_images_are_entries() {
    let files = esp().file("/EFI/Linux/f-6.12.efi", image("fedora", "42", "root=UUID=r ro\n\0"));
    let files = files.file("/EFI/Linux/f-6.9+3.EFI", image("fedora", "41", "root=UUID=r"));
    let files = files.file("/EFI/Linux/nameless.efi", program(&[(".linux", &kernel())]));
    assert_eq!(
        menu(entry(files, "plain.conf", "")),
        [
            "*f-6.12.efi 1: /EFI/Linux/f-6.12.efi#.linux [/EFI/Linux/f-6.12.efi#.initrd] root=UUID=r ro",
            "f-6.9.efi 1: /EFI/Linux/f-6.9+3.EFI#.linux [/EFI/Linux/f-6.9+3.EFI#.initrd] root=UUID=r",
            "plain.conf 1: /v [] ",
        ]
    );
    let named =
        esp().file("/u.efi", image("u", "1", "own")).file("/loader/entries/a.conf", "efi /u.efi\noptions given\n");
    assert_eq!(
        menu(named),
        ["*a.conf 1: /u.efi#.linux [/u.efi#.initrd] given"],
        "without Secure Boot the stub takes them"
    );
}

#[test]
fn profiles_are_entries_of_their_own() {
    let sections: [(&str, &[u8]); 9] = [
        (".sdmagic", STUB),
        (".osrel", b"ID=x\n"),
        (".linux", &kernel()),
        (".cmdline", b"main"),
        (".profile", b"ID=main\nTITLE=Main\n"),
        (".profile", b"ID=rescue\n"),
        (".cmdline", b"rescue"),
        (".profile", b""),
        (".initrd", b"i"),
    ];
    let files = esp().file("/EFI/Linux/x.efi", program(&sections));
    let rows = menu(files);
    assert_eq!(
        rows,
        [
            "*x.efi 1: /EFI/Linux/x.efi#.linux [] main",
            "x.efi@rescue 1: /EFI/Linux/x.efi#.linux [] rescue",
            "x.efi@2 1: /EFI/Linux/x.efi#.linux [/EFI/Linux/x.efi#.initrd] main",
        ],
        "the third is no default: that it has its own initrd is nobody's gap"
    );
}

#[test]
fn what_a_stub_may_do_otherwise_is_a_gap() {
    let old: &[u8] = b"#### LoaderInfo: systemd-stub 252.39-1~deb12u2 ####";
    let release: &[u8] = b"ID=x\n";
    let kernel = kernel();
    let with = |stub: &'static [u8], more: &[(&'static str, &'static [u8])]| {
        let mut sections: Vec<(&str, &[u8])> = vec![(".sdmagic", stub), (".osrel", release), (".linux", &kernel)];
        sections.extend(more);
        esp().file("/EFI/Linux/x.efi", program(&sections))
    };
    let addon = "/EFI/Linux/x.efi.extra.d/a.addon.efi";
    for (what, files, expected) in [
        ("plain", with(STUB, &[]), None),
        ("microcode", with(STUB, &[(".ucode", b"u"), (".initrd", b"i")]), None),
        ("no stub of systemd's", with(b"?", &[]), Some("none of systemd's")),
        ("two command lines", with(STUB, &[(".cmdline", b"a"), (".cmdline", b"b")]), Some("two sections of one name")),
        ("profiles and an old stub", with(old, &[(".profile", b"ID=a")]), Some("knows of none")),
        ("an addon", with(STUB, &[]).file(addon, ""), Some("what this adds")),
        ("an addon and an old stub", with(old, &[]).file(addon, ""), None),
        ("a shared addon", with(STUB, &[]).file("/loader/addons/b.ADDON.efi", ""), Some("what this adds")),
        ("a credential", with(STUB, &[]).file("/loader/credentials/c.cred", ""), None),
    ] {
        let rows = menu(files);
        let gap = rows.iter().find(|row| row.starts_with("gap:"));
        let is_as_expected = gap.is_some() == expected.is_some()
            && expected.is_none_or(|part| gap.is_some_and(|gap| gap.contains(part)));
        assert!(is_as_expected, "{what}: {rows:?}");
    }
    let both = menu(with(STUB, &[(".ucode", b"u"), (".initrd", b"i")]));
    assert!(both[0].contains("[/EFI/Linux/x.efi#.ucode /EFI/Linux/x.efi#.initrd]"), "{both:?}");
    let skipped = menu(with(old, &[(".ucode", b"u"), (".initrd", b"i")]));
    assert!(skipped[0].contains("[/EFI/Linux/x.efi#.initrd]"), "{skipped:?}");
}

#[test]
fn sections_that_the_firmware_loads_over_each_other() {
    let sections: [(&str, &[u8]); 4] =
        [(".sdmagic", STUB), (".osrel", b"ID=x\n"), (".linux", &kernel()), (".initrd", &[7; 9000])];
    let changed = |row: usize, at: usize, number: u32| {
        let mut bytes = program(&sections);
        let start = 0x148 + 40 * row + at;
        bytes[start..start + 4].copy_from_slice(&number.to_le_bytes());
        menu(esp().file("/EFI/Linux/x.efi", bytes)).into_iter().find(|row| row.starts_with("gap:")).unwrap_or_default()
    };
    assert!(changed(3, 12, 0x1_2000).contains("overlap in memory"), "the initrd begins within the kernel");
    assert!(changed(2, 8, 0x2000).contains("overlap in memory"), "the kernel has grown");
    assert!(changed(3, 12, 0x10_0000).contains("firmware refuses it"), "past the image");
    assert_eq!(changed(3, 12, 0x1_3000), "");
}

#[test]
fn entries_may_stand_on_a_partition_of_their_own() {
    let extended = |kind: &str| {
        let mut boot = volume(2, entry(Memory::new(kind, "B", ""), "x.conf", ""));
        boot.kind = "bc13c2ff-59e6-4262-a352-b275fd6f7172".to_owned();
        boot
    };
    let own = || entry(esp(), "e.conf", "");
    let rows = listed(vec![volume(1, own()), extended("vfat")]);
    assert_eq!(rows, ["*x.conf 1: (1)/v [] ", "e.conf 1: /v [] "]);
    assert_eq!(listed(vec![volume(1, own()), extended("ext4")]), ["*e.conf 1: /v [] "], "firmware reads FAT only");
    let driver = own().file("/EFI/systemd/drivers/ext4x64.efi", "");
    let rows = listed(vec![volume(1, driver), extended("ext4")]);
    assert!(rows[1].contains("may read partition 2"), "{rows:?}");
}

#[test]
fn what_cannot_be_read_is_a_gap() {
    for path in ["/loader/loader.conf", "/loader/entries", "/loader/entries/b.conf", "/EFI/Linux", "/EFI/Linux/b.efi"] {
        let rows = menu(entry(esp(), "a.conf", "").unreadable(path));
        assert!(rows.iter().any(|row| row.contains("Input/output error")), "{path}: {rows:?}");
    }
    assert!(menu(esp())[0].contains("no entry is there that starts Linux"));
    let many = (0..1100).fold(esp(), |files, number| entry(files, &format!("{number}.conf"), ""));
    assert!(menu(many).iter().any(|row| row.contains("more than 1000 boot entries")));
}
