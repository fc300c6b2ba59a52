//! The second tier: what is too dear for every run. `.ci/full PART` runs the tests of one module.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::allow_attributes, reason = "test code")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, reason = "test code")]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::print_stderr, reason = "test code")]

mod boot;
mod boot_broken;
mod boot_console;
mod boot_machine;
mod boot_network;
mod boot_proofs;
mod boot_watchdog;
mod build;
mod build_disk;
mod build_failing;
mod build_image;
mod build_kills;
mod build_tree;
#[path = "../oracles/mod.rs"]
mod cases;
#[path = "../integration/common.rs"]
mod common;
#[path = "../integration/hostile_manifests.rs"]
mod hostile_manifests;
mod loaders;
mod manifests;
mod oracles;
#[path = "../integration/sheet.rs"]
mod sheet;
#[path = "../integration/table.rs"]
mod table;
#[path = "../integration/variants/mod.rs"]
mod variants;
#[path = "../integration/whole/mod.rs"]
mod whole;
