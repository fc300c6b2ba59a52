//! bootworthy: will this Linux disk image boot and behave in OpenStack, and which Glance properties has it earned?
//!
//! Bytes flow one way: source → image → volume → filesystem → initrd → guest → check → property → report → manifest.
//! A module imports only from those listed before it.

pub mod error;
pub mod fact;
pub mod limits;
pub mod bytes;
pub mod disk;
pub mod guest;
pub mod worker;
pub mod verdict;
pub mod manifest;
pub mod report;
pub mod build;
pub mod boot;
pub mod config;
pub mod command;
pub mod cli;
