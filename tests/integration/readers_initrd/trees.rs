//! The tree that entries come to: later ones over earlier ones, links, folders that are missing.

use super::craft::*;
use bootworthy::fact::Fact;
use bootworthy::guest::Initrd;
use bootworthy::guest::initrd::{Location, locate};

fn blk() -> String {
    module_path("virtio_blk.ko")
}

fn good_then(entries: &[Vec<u8>]) -> Initrd {
    inspected(&[good(), zstd(&archive(entries))].concat())
}

fn place(initrd: &Initrd, module: &str) -> Location {
    let found = locate(initrd, module);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].location.clone()
}

fn found(path: &str, needs: &[(&str, bool)]) -> Location {
    let needs = needs.iter().map(|(name, is_there)| ((*name).to_owned(), *is_there)).collect();
    Location::File { path: path.to_owned(), needs }
}

fn is_unknown(location: &Location, reason: &str) -> bool {
    matches!(location, Location::Unknown(gap) if gap.reason.contains(reason))
}

#[test]
fn facts_of_a_good_one() {
    let initrd = inspected(&good());
    let trees = initrd.modules.known().unwrap();
    let tree = &trees.items[0];
    assert_eq!((tree.path.as_str(), tree.version.as_str()), ("/usr/lib/modules/6.1.0-9-amd64", VERSION));
    assert_eq!(tree.files.known().unwrap().items, ["kernel/virtio-ring.ko", "kernel/virtio_blk.ko"]);
    assert_eq!(tree.builtin.known().unwrap().as_deref().unwrap(), ["virtio_pci"]);
    let segment = &initrd.segments.known().unwrap().items[0];
    assert_eq!((segment.offset, segment.entries, segment.modules, segment.microcode), (0, 11, 2, 0));
    assert_eq!((segment.size, segment.unpacked), (u64::try_from(good().len()).unwrap(), segment.size));
    assert_eq!(place(&initrd, "virtio-blk"), found("kernel/virtio_blk.ko", &[("virtio_ring", true)]));
    assert_eq!(place(&initrd, "virtio_pci"), Location::BuiltIn);
    assert_eq!(place(&initrd, "virtio_scsi"), Location::Missing);
    let json = serde_json::to_string(&initrd).unwrap();
    assert_eq!(serde_json::from_str::<Initrd>(&json).unwrap(), initrd);
}

#[test]
fn the_last_entry_counts() {
    let same = found("kernel/virtio_blk.ko", &[("virtio_ring", true)]);
    assert_eq!(
        place(&good_then(&[file(&blk(), &module(&["failover"]))]), "virtio_blk"),
        found("kernel/virtio_blk.ko", &[("failover", false)])
    );
    assert!(is_unknown(&place(&good_then(&[file(&blk(), b"")]), "virtio_blk"), "the file is empty"));
    assert!(is_unknown(&place(&good_then(&[file(&blk(), b"no module")]), "virtio_blk"), "not an ELF file"));
    assert_eq!(place(&good_then(&[link(&blk(), "nowhere")]), "virtio_blk"), Location::Missing);
    assert_eq!(place(&good_then(&[folder(&blk())]), "virtio_blk"), Location::Missing);
    assert_eq!(place(&good_then(&[entry(&blk(), 0o020_600, b"")]), "virtio_blk"), Location::Missing);
    // A mode without a type removes what was there (clean_path).
    assert_eq!(place(&good_then(&[entry(&blk(), 0o644, b"")]), "virtio_blk"), Location::Missing);
    // A folder with something in it stays.
    let kept = good_then(&[file("usr/lib", b"x")]);
    assert_eq!(place(&kept, "virtio_blk"), same);
    assert_eq!(kept.flaws.known().unwrap().items[0].id, "initrd-dropped-entry");
    // A damaged dependency is not counted as there.
    assert!(is_unknown(&place(&good_then(&[file(&module_path("virtio-ring.ko"), b"x")]), "virtio_blk"), "not an ELF"));
}

#[test]
fn init_must_be_a_program() {
    for (entries, is_init) in [
        (vec![file("init", b"x")], true),
        (vec![file("init", b"")], false),
        (vec![entry("init", 0o100_644, b"x")], false),
        (vec![link("init", "usr/x"), folder("usr"), file("usr/x", b"x")], true),
        (vec![link("init", "/../usr/./x"), folder("usr"), file("usr/x", b"x")], true),
        (vec![link("init", "usr/x")], false),
        (vec![link("init", "init")], false),
        (vec![folder("init")], false),
        (vec![], false),
    ] {
        let initrd = inspected(&archive(&entries));
        assert_eq!(initrd.has_init, Fact::Known(is_init), "{initrd:#?}");
    }
}

#[test]
fn a_file_whose_folder_is_missing_is_not_unpacked() {
    let initrd = inspected(&archive(&[file("init", b"x"), file(&blk(), &module(&[]))]));
    assert_eq!(place(&initrd, "virtio_blk"), Location::Missing);
    let flaws = &initrd.flaws.known().unwrap().items;
    assert_eq!((flaws.len(), flaws[0].id.as_str(), flaws[0].fatal), (1, "initrd-dropped-entry", false));
    // Through a link to a folder it is.
    let below = |name: &str| file(&format!("lib/modules/{VERSION}/kernel/{name}"), &module(&[]));
    let initrd = inspected(&archive(&[folders(), below("virtio_scsi.ko"), dep(&["kernel/virtio_scsi.ko:"])]));
    assert_eq!(place(&initrd, "virtio_scsi"), found("kernel/virtio_scsi.ko", &[]));
    assert_eq!(initrd.modules.known().unwrap().items[0].path, format!("/usr/lib/modules/{VERSION}"));
}

#[test]
fn a_link_to_lib_cannot_replace_a_folder() {
    // The first archive has a real /lib, so the second one's link is dropped and kmod looks into the first.
    let first = ["lib", "lib/modules", &format!("lib/modules/{VERSION}")].map(folder).concat();
    let initrd = inspected(&[archive(&[first]), good()].concat());
    let trees = initrd.modules.known().unwrap();
    assert_eq!(
        trees.items.iter().map(|tree| tree.path.as_str()).collect::<Vec<_>>(),
        [format!("/lib/modules/{VERSION}")]
    );
    assert_eq!(place(&initrd, "virtio_blk"), Location::Missing);
    let ids: Vec<&str> = initrd.flaws.known().unwrap().items.iter().map(|flaw| flaw.id.as_str()).collect();
    assert_eq!(ids, ["initrd-dropped-entry", "initrd-two-module-folders"]);
}

#[test]
fn hard_links_share_the_last_body() {
    let (scsi, net) = (module_path("virtio_scsi.ko"), module_path("virtio_net.ko"));
    let folders = || [folders(), dep(&["kernel/virtio_scsi.ko:", "kernel/virtio_net.ko:"])].concat();
    let linked = |first: &[u8], second: &[u8]| {
        inspected(&archive(&[folders(), hard_link(&scsi, first), hard_link(&net, second)]))
    };
    let body = module(&[]);
    for (initrd, is_there) in [(linked(b"", &body), true), (linked(&body, b""), true), (linked(b"", b""), false)] {
        for name in ["virtio_scsi", "virtio_net"] {
            assert_eq!(matches!(place(&initrd, name), Location::File { .. }), is_there, "{name}");
        }
    }
    // The trailer ends what inode numbers mean.
    let apart = [archive(&[folders(), hard_link(&scsi, b"")]), archive(&[hard_link(&net, &body)])].concat();
    assert!(is_unknown(&place(&inspected(&apart), "virtio_scsi"), "the file is empty"));
    // The body comes with a name that nobody asked for.
    let other = archive(&[folders(), hard_link(&scsi, b""), hard_link(&module_path("other.ko"), &body)]);
    assert_eq!(place(&inspected(&other), "virtio_scsi"), found("kernel/virtio_scsi.ko", &[]));
}

#[test]
fn modules_are_read_in_every_compression_and_as_deep_as_they_depend() {
    let packed = |suffix: &str| {
        let body = module(&["a1"]);
        match suffix {
            "gz" => gzip(&body),
            "xz" => xz(&body, liblzma::stream::Check::Crc64),
            _ => zstd(&body),
        }
    };
    for suffix in ["gz", "xz", "zst"] {
        let name = module_path(&format!("virtio_scsi.ko.{suffix}"));
        let chain = (1..=4).flat_map(|n| file(&module_path(&format!("a{n}.ko")), &module(&[&format!("a{}", n + 1)])));
        let entries = [folders(), chain.collect(), file(&name, &packed(suffix))];
        let lines = (1..=4).map(|n| {
            format!("kernel/a{n}.ko:{}", if n < 4 { format!(" kernel/a{}.ko", n + 1) } else { String::new() })
        });
        let lines: Vec<String> = lines.chain([format!("kernel/virtio_scsi.ko.{suffix}: kernel/a1.ko")]).collect();
        let index = dep(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let entries = [entries.concat(), index];
        let needs = [("a1", true), ("a2", true), ("a3", true), ("a4", true), ("a5", false)];
        assert_eq!(
            place(&inspected(&archive(&entries)), "virtio_scsi"),
            found(&format!("kernel/virtio_scsi.ko.{suffix}"), &needs)
        );
        let cut = &packed(suffix)[..60];
        assert!(is_unknown(
            &place(&inspected(&archive(&[folders(), file(&name, cut)])), "virtio_scsi"),
            "kernel module"
        ));
    }
    // A chain longer than the walks that are made ends as unknown, never as complete.
    let chain = (1..=9).flat_map(|n| file(&module_path(&format!("a{n}.ko")), &module(&[&format!("a{}", n + 1)])));
    let lines: Vec<String> = (1..=9).map(|n| format!("kernel/a{n}.ko: kernel/a{}.ko", n + 1)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).chain(["kernel/virtio_scsi.ko: kernel/a1.ko"]).collect();
    let entries = [folders(), chain.collect(), file(&module_path("virtio_scsi.ko"), &module(&["a1"])), dep(&lines)];
    assert!(is_unknown(&place(&inspected(&archive(&entries)), "virtio_scsi"), "no further walk"));
}

#[test]
fn squash_images_hide_modules() {
    let initrd = inspected(&archive(&[good_entries().concat(), file("squashfs-root.img", b"hsqs")]));
    assert!(matches!(place(&initrd, "virtio_blk"), Location::File { .. }));
    assert!(is_unknown(&place(&initrd, "virtio_scsi"), "dracut image /squashfs-root.img"));
}

#[test]
fn modprobe_finds_what_its_index_names() {
    let bare = || [folders(), file(&module_path("virtio_scsi.ko"), &module(&[]))].concat();
    let at = |name: &str| format!("usr/lib/modules/{VERSION}/{name}");
    let text = || file(&at("modules.dep"), b"kernel/virtio_scsi.ko:\n");
    let no_link = || [bare(), dep(&["kernel/virtio_scsi.ko:"]), file("lib", b"")].concat();
    for (entries, expected) in [
        (vec![bare(), dep(&["kernel/virtio_scsi.ko:"])], "File"),
        (vec![bare(), dep(&["kernel/virtio_scsi.ko:"]), text()], "File"),
        (vec![bare()], "Unindexed"),
        (vec![bare(), file(&at("modules.dep"), b"")], "Unindexed"),
        (vec![bare(), dep(&["kernel/virtio_scsi.ko.xz:"])], "Unindexed"),
        (vec![bare(), dep(&["kernel/virtio_blk.ko:"])], "Unindexed"),
        (vec![bare(), dep(&[])], "Unindexed"),
        (vec![bare(), text()], "read no other index"),
        (vec![bare(), text(), file(&at("modules.dep.bin"), b"")], "the file is empty"),
        (vec![bare(), file(&at("modules.dep.bin"), b"kernel/virtio_scsi.ko:")], "magic number"),
        (vec![no_link()], "does not lead to this folder"),
        (vec![bare(), dep(&["kernel/virtio_scsi.ko:"]), link("lib/modules", "/x")], "File"),
    ] {
        let location = format!("{:?}", place(&inspected(&archive(&entries)), "virtio_scsi"));
        assert!(location.contains(expected), "{expected}: {location}");
    }
}
