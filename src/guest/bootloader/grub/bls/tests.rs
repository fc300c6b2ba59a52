//! Whole trees, as Red Hat's installers leave them, and the corners of single entries.

use super::super::tests::{GRUBENV, menu};
use super::*;
use crate::guest::memory::Memory;

/// What util/grub.d of rhboot/grub2, branch rhel-9-main at 7878971fb0a4, writes for a cloud image with /boot on its own.
const RHEL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/grub/rhel-9.cfg"));

const MACHINE: &str = "9bc3d0e4a7f04f6c8f1d2b3c4d5e6f70";
const NEW: &str = "5.14.0-427.13.1.el9_4.x86_64";
const OLD: &str = "5.14.0-70.el9.x86_64";
const OPTIONS: &str = "root=UUID=4a1f7c1e-6d0e-4b5b-9f0c-0e1900000004 ro console=ttyS0,115200n8";

/// An entry as 20-grub.install of the grub2 packages of RHEL 9 writes it.
fn entry(version: &str) -> String {
    format!(
        "title Rocky Linux ({version}) 9.4 (Blue Onyx)\nversion {version}\nlinux /vmlinuz-{version}\ninitrd /initramfs-{version}.img $tuned_initrd\noptions {OPTIONS} $tuned_params\ngrub_users $grub_users\ngrub_arg --unrestricted\ngrub_class rocky\n"
    )
}

/// /boot of Rocky 9 with two kernels and the rescue one.
fn boot(block: &str) -> Memory {
    let files = Memory::new("xfs", "b0070000-0000-4000-8000-000000000003", "BOOT").file("/grub2/grub.cfg", RHEL);
    let files = files.file("/grub2/grubenv", format!("{GRUBENV}{block}")).file("/grub2/i386-pc/blscfg.mod", "");
    let file =
        |files: Memory, id: &str, body: String| files.file(&format!("/loader/entries/{MACHINE}-{id}.conf"), body);
    let files = file(files, OLD, entry(OLD));
    let files = file(files, NEW, entry(NEW));
    file(files, "0-rescue", entry("0-rescue-9bc3d0e4a7f04f6c8f1d2b3c4d5e6f70"))
}

fn rocky(block: &str) -> Vec<String> {
    menu(boot(block), "/grub2/grub.cfg", Some("efi"))
}

fn row(mark: char, id: &str) -> String {
    format!("{mark}{MACHINE}-{id} line 3")
}

fn start(version: &str) -> String {
    format!("  3: /vmlinuz-{version} [/initramfs-{version}.img] {OPTIONS} ()")
}

#[test]
fn rocky_starts_what_was_saved_or_the_newest() {
    let rescue = "0-rescue-9bc3d0e4a7f04f6c8f1d2b3c4d5e6f70";
    for (block, marks) in [
        ("", "*--"),
        (&format!("saved_entry={MACHINE}-{NEW}\nboot_success=0\n"), "*--"),
        (&format!("saved_entry={MACHINE}-{OLD}\n"), "-*-"),
        (&format!("saved_entry={MACHINE}-gone\n"), "*--"),
        ("saved_entry=1\n", "-*-"),
        (&format!("saved_entry={MACHINE}-{OLD}\nnext_entry={MACHINE}-{NEW}\n"), "**-"),
        ("boot_success=1\nmenu_auto_hide=1\n", "*--"),
        ("boot_success=0\nboot_counter=0\n", "-*-"),
        (&format!("saved_entry=Rocky Linux ({OLD}) 9.4 (Blue Onyx)\n"), "-*-"),
    ] {
        let mark = |index: usize| if marks.as_bytes()[index] == b'*' { '*' } else { ' ' };
        let expected =
            [row(mark(0), NEW), start(NEW), row(mark(1), OLD), start(OLD), row(mark(2), "0-rescue"), start(rescue)];
        assert_eq!(rocky(block), expected, "{block}");
    }
    let tuned = menu(boot("tuned_params=isolcpus=1\ntuned_initrd=/tuned.img\n"), "/grub2/grub.cfg", Some("pc"));
    assert_eq!(tuned[1], start(NEW), "00_tuned of grub.cfg stands behind the environment block");
}

/// One entry file beside a menu of nothing else.
fn one(body: &str, before: &str) -> Vec<String> {
    let files =
        Memory::new("ext4", "uuid-3", "").file("/boot/grub2/grub.cfg", format!("set timeout=1\n{before}\nblscfg\n"));
    menu(
        files.file("/boot/loader/entries/m-6.1-1.conf", body).file("/boot/grub2/i386-pc/blscfg.mod", ""),
        "/boot/grub2/grub.cfg",
        Some("pc"),
    )
}

#[test]
fn entries_are_read_as_grub_reads_them() {
    for (body, before, expected) in [
        ("linux /boot/v\noptions a b\n", "", vec!["*m-6.1-1 line 1", "  1: /boot/v [] a b ()"]),
        ("# x\n  linux \t/v\ninitrd /i\ninitrd /j\n", "", vec!["*m-6.1-1 line 2", "  2: /v [/i /j]  ()"]),
        ("linux /v\n\noptions lost\n", "", vec!["*m-6.1-1 line 1", "  1: /v []  ()"]),
        ("linux /v\noptions\noptions lost\n", "", vec!["*m-6.1-1 line 1", "  1: /v []  ()"]),
        ("linux /v\noptions $kernelopts $x\n", "kernelopts='ro a=b'", vec!["*m-6.1-1 line 1", "  1: /v [] ro a=b ()"]),
        ("linux /v\noptions $kernelopts ro\n", "default_kernelopts=d", vec!["*m-6.1-1 line 1", "  1: /v [] ro ()"]),
        ("linux /v\noptions $kernelopts\n", "default_kernelopts='d e'", vec!["*m-6.1-1 line 1", "  1: /v [] d e ()"]),
        ("linux /v\noptions ro $x\n", "default_kernelopts=d", vec!["*m-6.1-1 line 1", "  1: /v [] ro ()"]),
        ("linux /v\noptions $kopts\n", "probe --set=kopts x", vec!["*m-6.1-1 line 1", "  1: /v [] ? ()"]),
        (
            "linux /v\r\noptions a;reboot\r\n",
            "",
            vec!["gap: line 1: `/v` is started when nobody chooses, and it starts no Linux kernel of this guest"],
        ),
        ("linux /d/v\ninitrd /d/i\n", "early_initrd='u w'", vec!["*m-6.1-1 line 1", "  1: /d/v [/d/u /d/w /d/i]  ()"]),
        ("linux /d/v\n", "early_initrd=u", vec!["*m-6.1-1 line 1", "  1: /d/v [/d/u]  ()"]),
        ("title x\noptions y\n", "", vec![]),
    ] {
        assert_eq!(one(body, before), expected, "{body} {before}");
    }
    let locked = one("linux /v\ngrub_users $grub_users\n", "set superusers=root\nset grub_users=root");
    assert!(locked[2].contains("only with a password"), "{locked:#?}");
    assert_eq!(one("linux /v\ngrub_users $grub_users\n", "set superusers=root").len(), 2, "no users: open to all");
}

#[test]
fn what_grubs_disagree_about_is_a_gap() {
    let module = "/grub2/i386-pc/blscfg.mod";
    let gap = |files: Memory, part: &str| {
        let files = files.file("/grub2/grub.cfg", "set timeout=1\nblscfg\n").file(module, "");
        let found = menu(files, "/grub2/grub.cfg", Some("pc"));
        assert!(found.iter().any(|line| line.starts_with("gap:") && line.contains(part)), "{part}: {found:#?}");
        found
    };
    let files = || Memory::new("ext4", "uuid-3", "");
    let entry = |files: Memory, id: &str| files.file(&format!("/loader/entries/{id}.conf"), "linux /v\n");
    gap(entry(entry(files(), "m-6.1+5-1"), "m-6.1.2-1"), "a `+` in their names");
    gap(entry(entry(files(), "m-01-1"), "m-1-1"), "equal versions");
    gap(entry(files(), "a.conf.b"), "`.conf` within its name");
    gap(files().file("/loader/entries/a.conf", "linux\t/v x\n"), "a tab before");
    gap(files().file("/loader/entries/a.conf", "efi /EFI/Linux/x.efi\n"), "`efi`");
    gap(files().file("/loader/entries/a.conf", "linux /v\noptions 'x\n"), "never closed");
    gap(files().unreadable("/loader/entries/a.conf"), "Input/output error");
    gap(files().unreadable("/loader/entries"), "Input/output error");
    gap(files().folder("/loader/entries").file("/boot/loader/entries/a.conf", "linux /v\n"), "holds no entries");
    let both = gap(entry(entry(files(), "m-6.1+5-1"), "m-6.1.2-1"), "");
    assert_eq!(both.iter().filter(|line| line.starts_with('*')).count(), 2, "either may be the default: {both:#?}");
    let bare = entry(files(), "m-1-1").file("/grub2/grub.cfg", "set timeout=1\nblscfg\n");
    assert_eq!(menu(bare.clone(), "/grub2/grub.cfg", Some("efi")).len(), 2, "the one for UEFI carries it");
    assert!(menu(bare, "/grub2/grub.cfg", Some("pc"))[2].contains("no module of that name"));
    let many = (0..1100).fold(files(), |files, number| entry(files, &format!("m-{number}-1")));
    gap(many, "too many");
}

#[test]
fn variables_are_replaced_as_expand_val_does() {
    let mut environment = Environment::default();
    environment.set("opts", Some("ro quiet".to_owned()));
    environment.set("empty", Some(String::new()));
    for (value, expected) in [
        ("root=x ro", Some("root=x ro")),
        ("$opts", Some("ro quiet ")),
        ("$opts $none", Some("ro quiet ")),
        ("$none $opts", Some("ro quiet ")),
        ("$none ro", Some("ro")),
        ("$none$opts", None),
        ("$none", None),
        ("a $opts b c", Some("a ro quiet b c")),
        ("ab ${opts}", Some("ab {opts}")),
        ("$empty$opts", Some(" ro quiet ")),
        // Of one letter nothing is kept.
        ("$opts x", Some("ro quiet ")),
        ("$o", None),
        ("x", None),
        ("ab\\$opts", Some("ab\\$opts")),
        ("", None),
    ] {
        assert_eq!(expand(value, &environment).as_deref(), expected, "{value}");
    }
}
