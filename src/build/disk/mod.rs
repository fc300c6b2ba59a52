//! The stages from the finished tree to the image, each one file: its options and what it does.

pub mod bootloader;
pub mod filesystem;
pub mod image;
pub mod table;
