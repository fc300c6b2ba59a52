//! The first tier of integration tests: one binary.
#![allow(missing_docs, reason = "test code")]

mod common;
mod layers;
mod readers_guest;
