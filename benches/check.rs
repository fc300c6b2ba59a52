//! How long a check takes, without the process around it: `cargo bench`.
#![allow(missing_docs, clippy::allow_attributes, clippy::unwrap_used, clippy::expect_used, reason = "bench code")]
#![allow(clippy::disallowed_methods, reason = "bench code")]

use bootworthy::bytes::Bytes;
use bootworthy::disk::image::Overlays;
use bootworthy::guest::{Guest, Input, Options, inspect};
use bootworthy::verdict::{assess, profile};
use divan::{Bencher, black_box};
use std::fs;
use std::sync::Arc;

fn main() {
    divan::main();
}

fn look(image: &Bytes) -> Guest {
    let input = Input::Image { name: "image".into(), file: Arc::clone(image), overlays: Overlays::default() };
    inspect(input, &Options::default(), &|_| {}).unwrap()
}

#[divan::bench(args = ["good.qcow2", "broken.qcow2"])]
fn inspect_image(bencher: Bencher<'_, '_>, name: &str) {
    let image: Bytes = Arc::new(fs::read(format!("fixtures/{name}")).unwrap());
    bencher.bench_local(|| look(black_box(&image)));
}

#[divan::bench]
fn judge_facts(bencher: Bencher<'_, '_>) {
    let image: Bytes = Arc::new(fs::read("fixtures/good.qcow2").unwrap());
    let (guest, profile) = (look(&image), profile::find("openstack").unwrap());
    let options = bootworthy::verdict::Options::default();
    bencher.with_inputs(|| guest.clone()).bench_local_values(|guest| assess("image", guest, profile, &options));
}

#[divan::bench]
fn facts_round_trip(bencher: Bencher<'_, '_>) {
    let image: Bytes = Arc::new(fs::read("fixtures/good.qcow2").unwrap());
    let facts = serde_json::to_string(&look(&image)).unwrap();
    bencher.bench_local(|| serde_json::from_str::<Guest>(black_box(&facts)).unwrap());
}
