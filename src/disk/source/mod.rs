//! Where the bytes of an image come from. The caller opens; nothing here opens by name.

mod file;

pub use file::FileBytes;
