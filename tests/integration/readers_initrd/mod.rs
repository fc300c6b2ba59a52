//! Initrds: what Linux makes of odd and hostile ones, and real ones against `cpio` and `modinfo`.

mod codecs;
mod craft;
mod embedded;
mod hostile;
mod linux;
mod real;
mod rules;
mod trees;
