//! Bytes → files: image formats, partition tables, file systems. Everything in here is read as hostile.

pub mod filesystem;
pub mod image;
pub mod source;
pub mod volume;
