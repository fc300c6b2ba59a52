//! No partition table: the whole disk is one volume, numbered 0.

use super::{Partition, Scan, Table, mbr};
use crate::bytes::Bytes;
use crate::error::Result;
use crate::limits::Limits;

pub(super) const TABLE: Table = Table { name: "whole", probe: |_| Ok(true), read };

fn read(disk: &Bytes, _limits: &Limits) -> Result<Scan> {
    let size = disk.size();
    let volume = Partition { number: 0, start: 0, size, kind: String::new(), uuid: None, label: None };
    let flaws = mbr::unreadable(disk)?.into_iter().collect::<Vec<_>>().into();
    Ok(Scan { sector_size: 512, used_end: size, partitions: vec![volume], flaws, ..Scan::default() })
}
