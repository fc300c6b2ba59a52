//! The first tier of integration tests: one binary.
#![allow(missing_docs, reason = "test code")]

mod checks;
mod common;
mod confined;
mod docs;
mod layers;
mod readers_disk;
mod readers_guest;
mod readers_initrd;
