//! A dying medium and a cut file: a clear error or an unknown, never an abort, never a better verdict.

use crate::common::{fixture, tool};
use bootworthy::bytes::{Bytes, Faulty, ReadAt};
use bootworthy::disk::image::Overlays;
use bootworthy::error::{Error, Result};
use bootworthy::guest::{Guest, Input, Options, inspect};
use bootworthy::verdict::profile::{PROFILES, Severity};
use bootworthy::verdict::{Finding, Outcome, Report, Word, assess};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Fails read number `from` and all after it, as a pulled disk does.
struct Pulled {
    inner: Bytes,
    from: u64,
    reads: AtomicU64,
}

impl ReadAt for Pulled {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if self.reads.fetch_add(1, Ordering::Relaxed) >= self.from {
            return Err(Error::io("image", "Input/output error (os error 5)").offset(offset));
        }
        self.inner.read_at(offset, buf)
    }
}

fn look(file: Bytes) -> Result<Guest> {
    let input = Input::Image { name: "image".into(), file, overlays: Overlays::default() };
    inspect(input, &Options::default(), &|_| {})
}

fn judge(guest: Result<Guest>) -> Report {
    let profile = &PROFILES[0];
    match guest {
        Ok(guest) => assess("image", guest, profile, &bootworthy::verdict::Options::default()),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            Report::unreadable("image", error, profile)
        }
    }
}

/// No check says more good than on the whole image, and nothing more is earned.
fn assert_not_better(report: &Report, whole: &Report, what: &str) {
    for (finding, before) in report.checks.iter().zip(&whole.checks) {
        let is_good = |word| matches!(word, Word::Pass | Word::NotApplicable);
        assert!(is_good(before.verdict) || !is_good(finding.verdict), "{what}: {} got better", finding.id);
    }
    for earned in &report.earned {
        assert!(whole.earned.contains(earned), "{what}: {} was earned by a fault", earned.key);
    }
    if report.result == Outcome::Fit {
        // What the fault hid is something that no check needed, or only lighter ones; it is said, and earns nothing.
        let is_error = |finding: &&Finding| finding.severity == Severity::Error;
        let words = |report: &Report| {
            report.checks.iter().filter(is_error).map(|finding| finding.verdict).collect::<Vec<Word>>()
        };
        assert_eq!(words(report), words(whole), "{what}");
    }
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(fixture(name)).unwrap()
}

#[test]
fn a_read_that_fails_never_helps() {
    for name in ["good.qcow2", "broken.qcow2"] {
        let image: Bytes = Arc::new(bytes(name));
        let counting = Arc::new(Faulty::new(Arc::clone(&image), u64::MAX));
        let whole = judge(look(Arc::clone(&counting) as Bytes));
        assert!(counting.reads() > 50, "{}", counting.reads());
        let mut hit = 0;
        for index in 0..counting.reads() {
            let once = judge(look(Arc::new(Faulty::new(Arc::clone(&image), index))));
            assert_not_better(&once, &whole, &format!("{name}: read {index} failed"));
            let pulled = Pulled { inner: Arc::clone(&image), from: index, reads: AtomicU64::new(0) };
            let gone = judge(look(Arc::new(pulled)));
            assert_not_better(&gone, &whole, &format!("{name}: pulled at read {index}"));
            assert!(gone.result != Outcome::Fit, "{name}: fit although pulled at read {index}");
            hit += usize::from(once.result != whole.result || once.error.is_some());
        }
        assert!(name != "good.qcow2" || hit > 10, "only {hit} faults were seen at all");
    }
}

#[test]
fn a_cut_qcow2_never_passes() {
    for name in ["good.qcow2", "broken.qcow2"] {
        let image = bytes(name);
        let whole = judge(look(Arc::new(image.clone())));
        let boundaries = (0..=112).step_by(4).chain((0..image.len()).step_by(32 * 1024));
        let around = boundaries.flat_map(|at| [at.saturating_sub(1), at, at + 1]).filter(|at| *at < image.len());
        for length in around {
            let cut = judge(look(Arc::new(image[..length].to_vec())));
            assert_not_better(&cut, &whole, &format!("{name}: cut at {length}"));
            assert!(cut.result != Outcome::Fit, "{name}: fit although cut at {length}");
        }
    }
}

#[test]
fn a_cut_raw_disk_never_passes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.raw");
    let raw = path.to_str().unwrap();
    tool("qemu-img", ["convert", "-O", "raw", fixture("good.qcow2").to_str().unwrap(), raw]);
    let image = fs::read(&path).unwrap();
    let whole = judge(look(Arc::new(image.clone())));
    assert_eq!(whole.result, Outcome::Fit);
    let table = whole.guest.as_ref().unwrap().volumes.known().unwrap().clone();
    // Protective MBR, GPT header, its entries; of each volume its start, superblock, first group and end; the backup.
    let mut boundaries: Vec<usize> = vec![512, 1024, 34 * 512, image.len() - 33 * 512, image.len() - 512];
    for volume in &table.items {
        let (start, size) = (usize::try_from(volume.start).unwrap(), usize::try_from(volume.size).unwrap());
        boundaries.extend([0, 1024, 2048, 4096, 8192, 64 * 1024, size / 2, size].map(|at| start + at));
    }
    for at in boundaries.into_iter().flat_map(|at| [at - 1, at, at + 1]).filter(|at| *at < image.len()) {
        let cut = judge(look(Arc::new(image[..at].to_vec())));
        assert_not_better(&cut, &whole, &format!("cut at {at}"));
        assert!(cut.result != Outcome::Fit, "fit although cut at {at}");
    }
}
