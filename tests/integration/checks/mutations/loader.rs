//! What keeps GRUB from an entry.

use super::{GRUB, evidence};
use crate::checks::{judge, saved};
use bootworthy::verdict::Word::{Fail, Pass, Unknown};
use serde_json::json;

#[test]
fn a_grub_that_stops_is_a_fault_whatever_else_starts() {
    let module = "/boot/grub/i386-pc/normal.mod";
    let rows = [
        (json!([]), Pass, Some(GRUB), ""),
        (json!([{"firmware": "bios", "found": "it stops", "path": module}]), Fail, Some(module), "i386-pc DISK"),
        (json!([{"firmware": "uefi", "found": "it stops"}]), Fail, Some(GRUB), "x86_64-efi --removable"),
        (json!([{"firmware": "uefi", "found": {"unknown": {"reason": "it may stop"}}}]), Unknown, None, ""),
        (json!([{"firmware": "uefi"}]), Unknown, None, ""),
    ];
    for (stops, word, path, fix) in rows {
        for firmware in [json!(["bios"]), json!([])] {
            let mut value = saved("healthy");
            value["boot_entries"][0]["stops"] = stops.clone();
            value["boot_entries"][0]["firmware"] = if word == Fail { firmware } else { json!(["bios"]) };
            let judgement = judge(&value, "boot-entry-resolves");
            let told = evidence(&judgement);
            assert_eq!((judgement.verdict.word(), told.path.as_deref()), (word, path), "{stops}: {judgement:#?}");
            assert!(told.fix.as_deref().unwrap_or_default().contains(fix), "{stops}: {told:?}");
        }
    }
}
