//! The first tier of integration tests: one binary.
#![allow(missing_docs, unreachable_pub, clippy::allow_attributes, reason = "test code")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, reason = "test code")]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions, reason = "test code")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::print_stderr,
    clippy::format_push_string,
    clippy::doc_markdown,
    reason = "test code"
)]

mod build_disk;
#[path = "../oracles/mod.rs"]
mod cases;
mod boot_command;
mod boot_process;
mod build;
mod checks;
mod claims;
mod cli;
mod common;
mod config;
mod confined;
mod devices;
mod docs;
mod faults;
mod families;
mod features;
mod grub_core;
mod hostile_manifests;
mod images;
mod layers;
mod layouts;
mod lint;
mod loaders;
mod machine;
mod manifests;
mod oracles;
mod readers_disk;
mod readers_guest;
mod readers_initrd;
mod readers_modprobe;
mod readers_systemd;
mod reports;
mod services;
mod stock;
mod sheet;
mod readers_login;
mod table;
mod unsafe_images;
mod variants;
mod whole;
mod workshop;
