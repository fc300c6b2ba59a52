//! Per check: the healthy facts with one thing changed, the verdict, its weight and where the evidence points.

mod boot;
mod drivers;
mod feeders;
mod cloud_init;
mod files;
mod loader;
mod login;
mod services;
mod units;
mod words;

use super::{judge, saved};
use bootworthy::verdict::{Evidence, Judgement, Verdict, Weight, Word};
use serde_json::{Value, json};

const KERNEL: &str = "/boot/vmlinuz-6.1.0-56-cloud-amd64";
const INITRD: &str = "/boot/initrd.img-6.1.0-56-cloud-amd64";
const GRUB: &str = "/boot/grub/grub.cfg";
const FSTAB: &str = "/etc/fstab";
const UUID: &str = "4a1f7c1e-6d0e-4b5b-9f0c-0d1200000001";
const CMDLINE: &str = "/boot_entries/0/attempts/0/cmdline";

/// The first evidence of a verdict.
fn evidence(judgement: &Judgement) -> Evidence {
    match &judgement.verdict {
        Verdict::Pass(proofs) => proofs[0].clone(),
        Verdict::Fail(faults) => faults[0].evidence.clone(),
        Verdict::Unknown(gaps) => Evidence { path: gaps[0].path.clone(), ..Evidence::of(gaps[0].reason.clone()) },
        Verdict::NotApplicable(reason) => Evidence::of(reason.clone()),
    }
}

type Row = (&'static str, Value, Word, Weight, Option<&'static str>, Option<u32>, &'static str);

/// (pointer, new value, word, weight, path, line, part of what was found)
fn rows(id: &str, rows: &[Row]) {
    for (pointer, new, word, weight, path, line, found) in rows {
        let mut value = saved("healthy");
        *value.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}")) = new.clone();
        let judgement = judge(&value, id);
        let evidence = evidence(&judgement);
        let context = format!("{id}: {pointer} = {new}: {judgement:#?}");
        assert_eq!((judgement.verdict.word(), judgement.weight), (*word, *weight), "{context}");
        assert_eq!((evidence.path.as_deref(), evidence.line), (*path, *line), "{context}");
        assert!(evidence.found.contains(found), "{context}");
    }
}

fn fatal() -> Value {
    json!([{"id": "cpio-padding", "found": "broken padding", "fatal": true}])
}

fn harmless() -> Value {
    json!([{"id": "cpio-trailing", "found": "garbage after the trailer", "fatal": false}])
}
