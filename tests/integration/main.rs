//! The first tier of integration tests: one binary.
#![allow(missing_docs, reason = "test code")]

mod common;
mod layers;
mod checks;
mod readers_guest;
