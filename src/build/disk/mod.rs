//! The stages from the finished tree to the image, each one file: its options and what it does.

mod bios;
pub mod bootloader;
pub mod filesystem;
mod gpt;
mod guid;
pub mod image;
mod nbd;
pub mod table;
mod target;
