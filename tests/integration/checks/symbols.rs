//! Twelve symbols at every place against a small independent reference: the same verdict everywhere.

use super::{at, judge, saved};
use bootworthy::verdict::Word;
use serde_json::{Value, json};

const PLACES: [&str; 4] = ["built in", "initrd", "root tree", "absent"];

/// Each symbol, the check that asks for it, and where the rules let it be besides built in.
const SYMBOLS: [(&str, &str, &[&str]); 12] = [
    ("virtio_pci", "initrd-virtio-pci", &["initrd"]),
    ("virtio_blk", "initrd-virtio-blk", &["initrd"]),
    ("virtio_scsi", "initrd-virtio-scsi", &["initrd"]),
    ("scsi_mod", "initrd-virtio-scsi", &["initrd"]),
    ("sd_mod", "initrd-virtio-scsi", &["initrd"]),
    ("ext4", "initrd-root-filesystem", &["initrd"]),
    ("virtio", "initrd-module-closure", &["initrd"]),
    ("virtio_ring", "initrd-module-closure", &["initrd"]),
    ("failover", "initrd-module-closure", &["initrd"]),
    ("virtio_net", "initrd-virtio-net", &["initrd"]),
    ("virtio_console", "agent-channel", &["initrd", "root tree"]),
    ("i6300esb", "watchdog-driver", &["initrd", "root tree"]),
];

/// The rules, written down a second time.
fn reference(allowed: &[&str], place: &str) -> Word {
    if place == "built in" || allowed.contains(&place) { Word::Pass } else { Word::Fail }
}

fn take(tree: &mut Value, module: &str) -> Option<Value> {
    let records = tree["modules"].as_array_mut().unwrap();
    let found = records.iter().position(|record| record["name"] == module).map(|index| records.remove(index))?;
    tree["files"].as_array_mut().unwrap().retain(|path| *path != found["path"]);
    Some(found)
}

fn placed(module: &str, place: &str) -> Value {
    let (initrd, root) = ("/initrds/0/modules/0", "/kernels/0/modules");
    let mut value = saved("healthy");
    let records = [initrd, root].map(|tree| take(at(&mut value, tree), module));
    let record = records.into_iter().flatten().next().unwrap();
    for (tree, name) in [(initrd, "initrd"), (root, "root tree")] {
        let tree = at(&mut value, tree);
        match place {
            "built in" => tree["builtin"].as_array_mut().unwrap().push(json!(module)),
            place if place == name => {
                tree["files"].as_array_mut().unwrap().push(record["path"].clone());
                tree["modules"].as_array_mut().unwrap().push(record.clone());
            }
            _ => {}
        }
    }
    // The configuration of the saved guest says `m` of most of them.
    *at(&mut value, "/kernels/0/config") = Value::Null;
    value
}

#[test]
fn every_symbol_at_every_place() {
    for (module, id, allowed) in SYMBOLS {
        for place in PLACES {
            let judgement = judge(&placed(module, place), id);
            assert_eq!(judgement.verdict.word(), reference(allowed, place), "{module} {place}: {judgement:#?}");
        }
    }
}
