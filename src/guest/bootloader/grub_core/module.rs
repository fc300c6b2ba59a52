//! A module of GRUB → its name and what it depends on (`grub-core/kern/dl.c`).

use crate::bytes::{le_u16, le_u32, le_u64, slice, text};
use crate::error::{Error, Result};

/// Bytes of a module; the largest of GRUB 2.12 has 250 KiB.
pub(crate) const MAX_MODULE: u64 = 4 * crate::limits::MIB;
/// Modules that one depends on; those of GRUB 2.12 name 12 at most.
const MAX_DEPENDS: usize = 256;
/// `EI_CLASS` of a 64-bit object, and `ET_REL`.
const CLASS_64: u8 = 2;
const RELOCATABLE: u16 = 1;

/// What the loader asks of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    pub(crate) name: String,
    /// `e_machine`.
    pub(crate) machine: u16,
    pub(crate) depends: Vec<String>,
}

/// Reads a relocatable ELF object of either width, little-endian.
pub(crate) fn parse(elf: &[u8]) -> Result<Module> {
    let corrupt = |cause: &str| Error::corrupt("module of GRUB", cause);
    if !elf.starts_with(b"\x7fELF") || elf.get(5) != Some(&1) || le_u16(elf, 16) != Some(RELOCATABLE) {
        return Err(corrupt("no little-endian ELF object"));
    }
    let sections = Sections::of(elf).ok_or_else(|| corrupt("its section table ends past the end"))?;
    let name = sections.find(".modname").ok_or_else(|| corrupt("no name in it"))?;
    let name = text(name.split(|&byte| byte == 0).next().unwrap_or_default());
    let depends = sections.find(".moddeps").unwrap_or_default();
    let depends: Vec<String> =
        depends.split(|&byte| byte == 0).take_while(|name| !name.is_empty()).take(MAX_DEPENDS).map(text).collect();
    if depends.len() >= MAX_DEPENDS {
        return Err(Error::too_large("module of GRUB", format!("more than {MAX_DEPENDS} dependencies")));
    }
    Ok(Module { name, machine: le_u16(elf, 18).unwrap_or_default(), depends })
}

struct Sections<'a> {
    elf: &'a [u8],
    is_64: bool,
    /// Headers, one behind the other.
    table: &'a [u8],
    /// Bytes of each.
    size: usize,
    names: &'a [u8],
}

impl<'a> Sections<'a> {
    fn of(elf: &'a [u8]) -> Option<Self> {
        let is_64 = elf.get(4) == Some(&CLASS_64);
        let start = if is_64 { le_u64(elf, 0x28)? } else { le_u32(elf, 0x20)?.into() };
        let numbers = if is_64 { 0x3a } else { 0x2e };
        let number = |index: usize| le_u16(elf, index.checked_mul(2)?.checked_add(numbers)?).map(usize::from);
        let (size, count, names) = (number(0)?, number(1)?, number(2)?);
        let table = slice(elf, usize::try_from(start).ok()?, size.checked_mul(count)?)?;
        let mut sections = Self { elf, is_64, table, size, names: &[] };
        let row = sections.table.chunks_exact(size.max(1)).nth(names)?;
        sections.names = sections.body(row)?;
        Some(sections)
    }

    fn find(&self, name: &str) -> Option<&'a [u8]> {
        let is_called = |row: &&[u8]| {
            let names = le_u32(row, 0).and_then(|at| self.names.get(usize::try_from(at).ok()?..));
            names.and_then(|names| names.split(|&byte| byte == 0).next()) == Some(name.as_bytes())
        };
        self.body(self.table.chunks_exact(self.size.max(1)).find(is_called)?)
    }

    fn body(&self, row: &[u8]) -> Option<&'a [u8]> {
        let (offset, size) = if self.is_64 {
            (le_u64(row, 0x18)?, le_u64(row, 0x20)?)
        } else {
            (le_u32(row, 0x10)?.into(), le_u32(row, 0x14)?.into())
        };
        slice(self.elf, usize::try_from(offset).ok()?, usize::try_from(size).ok()?)
    }
}
