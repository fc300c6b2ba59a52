//! modprobe.d and lists of modules in initrds.

use super::craft::*;
use bootworthy::fact::Fact;
use bootworthy::guest::Initrd;

fn with(entries: &[Vec<u8>]) -> Initrd {
    inspected(&archive(&[good_entries().concat(), entries.concat()]))
}

fn rules(initrd: &Initrd) -> Vec<String> {
    let rules = initrd.modprobe.known().unwrap();
    rules.items.iter().map(|rule| format!("{}:{} {} {}", rule.path, rule.line, rule.command, rule.module)).collect()
}

fn loads(initrd: &Initrd) -> Vec<String> {
    let loads = initrd.module_loads.known().unwrap();
    loads.items.iter().map(|load| format!("{} {} {} {}", load.path, load.by, load.module, load.is_forced)).collect()
}

fn parents() -> Vec<u8> {
    ["etc", "etc/modprobe.d", "usr/lib/modprobe.d", "conf", "etc/cmdline.d", "etc/modules-load.d"]
        .iter()
        .flat_map(|name| folder(name))
        .collect()
}

#[test]
fn modprobe_d_as_kmod_reads_it() {
    let initrd = with(&[
        parents(),
        file("etc/modprobe.d/b.conf", b"blacklist virtio-scsi\n"),
        file("usr/lib/modprobe.d/b.conf", b"blacklist shadowed\n"),
        file("usr/lib/modprobe.d/a.conf", b"#\ninstall ext4 /bin/false\n"),
        file("usr/lib/modprobe.d/masked.conf", b"blacklist masked\n"),
        link("etc/modprobe.d/masked.conf", "/dev/null"),
        file("usr/lib/modprobe.d/readme", b"blacklist readme\n"),
        file("etc/cmdline.d/1.conf", b"rd.driver.blacklist=sd-mod rd.driver.pre=virtio_blk\n"),
    ]);
    let expected = [
        "/usr/lib/modprobe.d/a.conf:2 install ext4",
        "/etc/modprobe.d/b.conf:1 blacklist virtio_scsi",
        "/etc/cmdline.d/1.conf:1 blacklist sd_mod",
    ];
    assert_eq!(rules(&initrd), expected);
    assert_eq!(loads(&initrd), ["/etc/cmdline.d/1.conf dracut virtio_blk true"]);
    let listings = (initrd.modprobe.known().unwrap(), initrd.module_loads.known().unwrap());
    assert!(listings.0.gaps.is_empty() && listings.1.gaps.is_empty(), "{listings:?}");
}

#[test]
fn the_last_archive_counts() {
    let first = archive(&[good_entries().concat(), parents(), file("etc/modprobe.d/a.conf", b"blacklist a\n")]);
    let second = archive(&[file("etc/modprobe.d/a.conf", b"blacklist b\n")]);
    assert_eq!(rules(&inspected(&[first.clone(), zstd(&second)].concat())), ["/etc/modprobe.d/a.conf:1 blacklist b"]);
    let emptied = archive(&[file("etc/modprobe.d/a.conf", b"")]);
    assert!(rules(&inspected(&[first.clone(), zstd(&emptied)].concat())).is_empty());
    let gone = archive(&[link("etc/modprobe.d/a.conf", "/dev/null")]);
    assert!(rules(&inspected(&[first, zstd(&gone)].concat())).is_empty());
}

#[test]
fn lists_of_modules() {
    let initrd = with(&[
        parents(),
        file("conf/modules", b"virtio_scsi\n"),
        file("etc/modules-load.d/x.conf", b"loop\n"),
        file("config", b"MODULES=\"virtio_blk\"\n"),
    ]);
    let expected = [
        "/etc/modules-load.d/x.conf systemd-modules-load loop false",
        "/conf/modules initramfs-tools virtio_scsi false",
        "/config mkinitcpio virtio_blk false",
    ];
    assert_eq!(loads(&initrd), expected);
}

#[test]
fn what_is_not_read_is_a_gap() {
    let hidden = with(&[file("squashfs-root.img", b"hsqs")]);
    for list in [&hidden.modprobe.known().unwrap().gaps, &hidden.module_loads.known().unwrap().gaps] {
        assert!(list[0].reason.contains("dracut image /squashfs-root.img"), "{list:?}");
    }
    let linked = with(&[parents(), file("etc/x", b"blacklist a\n"), link("etc/modprobe.d/a.conf", "../x")]);
    let gaps = &linked.modprobe.known().unwrap().gaps;
    assert!(gaps[0].reason.contains("/etc/modprobe.d/a.conf is not read"), "{gaps:?}");
    let large = with(&[parents(), file("etc/modprobe.d/a.conf", &vec![b'#'; 2 << 20])]);
    assert!(large.modprobe.known().unwrap().gaps[0].reason.contains("more than the limit"));
    let cut = inspected(&good()[..good().len() / 2]);
    assert!(matches!((&cut.modprobe, &cut.module_loads), (Fact::Unknown(_), Fact::Unknown(_))));
}
