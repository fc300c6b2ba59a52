//! GRUB's core, as `grub-mkimage` makes it → what it carries: modules, prefix, configuration (`include/grub/kernel.h`).

pub(crate) mod module;
mod pc;
#[cfg(test)]
pub(crate) mod tests;

use crate::bytes::{le_u32, le_u64, slice, text};
use crate::error::{Error, Result};
use std::collections::BTreeSet;

/// Bytes of a core that are read; one with every module of GRUB 2.12 has 3 MiB, `grub-mkstandalone` makes 10 of it.
pub const MAX_CORE: u64 = 32 * crate::limits::MIB;
/// Objects in a core; GRUB 2.12 has 290 modules.
const MAX_OBJECTS: usize = 4096;

/// Bytes of its configuration or prefix; grub-install writes three lines.
const MAX_STRING: usize = 64 << 10;

/// `GRUB_MODULE_MAGIC`, "mimg".
const MAGIC: u32 = 0x676d_696d;
/// `OBJ_TYPE_…`: those that decide where GRUB goes on. What it does not know it skips.
const ELF: u32 = 0;
const MEMDISK: u32 = 1;
const CONFIG: u32 = 2;
const PREFIX: u32 = 3;
/// Bytes of `struct grub_module_header`.
const HEADER: usize = 8;

/// What a core carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// What it runs on.
    pub platform: Platform,
    /// Names of the modules.
    pub modules: BTreeSet<String>,
    /// Where the others stand, as written; a device may be missing or begin with its comma.
    pub prefix: Option<String>,
    /// Commands that are run before all others.
    pub config: Option<String>,
    /// Whether there is a memory disk, `(memdisk)`, which is not read.
    pub has_memdisk: bool,
}

/// What GRUB is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Folder of its modules below the prefix: `i386-pc`, `x86_64-efi`.
    pub folder: &'static str,
    /// `Machine` of a PE header; none of a program for BIOS.
    pe: u16,
    /// `e_machine` of its modules.
    pub(crate) elf: u16,
    width: Width,
}

/// Bytes of `struct grub_module_info` and of an address, on machines of this many bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Bits32,
    Bits64,
}

impl Width {
    fn info(self) -> usize {
        if self == Self::Bits32 { 12 } else { 24 }
    }

    fn address(self) -> usize {
        if self == Self::Bits32 { 4 } else { 8 }
    }
}

impl Core {
    /// Reads core.img of i386-pc from its second sector on: a decompressor and LZMA data.
    ///
    /// # Errors
    /// `Unsupported` for a decompressor that is not known, `Corrupt` for data that cannot be unpacked.
    pub fn parse_pc(image: &[u8]) -> Result<Self> {
        let kernel = pc::unpack(image)?;
        Self::parse(pc::modules(&kernel)?, PC)
    }

    /// Reads the section `mods` of a program for UEFI, whose machine the PE header gives.
    ///
    /// # Errors
    /// `Unsupported` for a machine that is not known, `Corrupt` for what are no modules.
    pub fn parse_efi(section: &[u8], machine: u16) -> Result<Self> {
        let Some(platform) = PLATFORMS.iter().find(|platform| platform.pe == machine) else {
            return Err(Error::unsupported("GRUB's core", format!("a program for machine {machine:#06x}")));
        };
        Self::parse(section, *platform)
    }

    /// Whether this module is in it.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.modules.contains(name)
    }

    fn parse(space: &[u8], platform: Platform) -> Result<Self> {
        let width = platform.width;
        let (mut at, end) = header(space, width).ok_or_else(|| corrupt("no list of modules"))?;
        let mut core = Self { platform, modules: BTreeSet::new(), prefix: None, config: None, has_memdisk: false };
        let mut objects = 0_usize;
        while at < end {
            let next = object(space, at, width).ok_or_else(|| corrupt("an object that ends past the end"))?;
            core.take(&next).map_err(|error| error.offset(u64::try_from(at).unwrap_or(u64::MAX)))?;
            at = next.end;
            objects = objects.saturating_add(1);
            if objects > MAX_OBJECTS {
                return Err(Error::too_large("GRUB's core", format!("more than {MAX_OBJECTS} objects")));
            }
        }
        Ok(core)
    }

    fn take(&mut self, object: &Object<'_>) -> Result<()> {
        match object.kind {
            ELF => {
                let module = module::parse(object.body)?;
                if module.machine != self.platform.elf {
                    return Err(corrupt(&format!("its module {} is for another machine", module.name)));
                }
                // GRUB stops for good at one that it cannot load.
                if let Some(missing) = module.depends.iter().find(|name| !self.has(name)) {
                    let cause = format!("its module {} needs {missing}, which is not before it", module.name);
                    return Err(corrupt(&cause));
                }
                self.modules.insert(module.name);
            }
            MEMDISK => self.has_memdisk = true,
            // The first is run, and the last prefix is kept (`grub-core/kern/main.c`).
            CONFIG if self.config.is_none() => self.config = Some(string(object.body)?),
            PREFIX => self.prefix = Some(string(object.body)?),
            _ => {}
        }
        Ok(())
    }
}

const PC: Platform = Platform { folder: "i386-pc", pe: 0, elf: 3, width: Width::Bits32 };

const PLATFORMS: &[Platform] = &[
    Platform { folder: "x86_64-efi", pe: 0x8664, elf: 62, width: Width::Bits64 },
    Platform { folder: "arm64-efi", pe: 0xaa64, elf: 183, width: Width::Bits64 },
    Platform { folder: "i386-efi", pe: 0x014c, elf: 3, width: Width::Bits32 },
    Platform { folder: "arm-efi", pe: 0x01c2, elf: 40, width: Width::Bits32 },
    Platform { folder: "riscv64-efi", pe: 0x5064, elf: 243, width: Width::Bits64 },
    Platform { folder: "loongarch64-efi", pe: 0x6264, elf: 258, width: Width::Bits64 },
];

fn corrupt(cause: &str) -> Error {
    Error::corrupt("GRUB's core", cause)
}

/// First byte of the first object, and one past the last of all.
fn header(space: &[u8], width: Width) -> Option<(usize, usize)> {
    let number = |at: usize| match width {
        Width::Bits32 => le_u32(space, at).and_then(|number| usize::try_from(number).ok()),
        Width::Bits64 => le_u64(space, at).and_then(|number| usize::try_from(number).ok()),
    };
    let size = number(width.address().checked_mul(2)?)?;
    let is_there = le_u32(space, 0) == Some(MAGIC) && size <= space.len();
    Some((number(width.address())?, size)).filter(|(start, _)| is_there && *start >= width.info())
}

struct Object<'a> {
    kind: u32,
    body: &'a [u8],
    /// Where the next one begins.
    end: usize,
}

fn object(space: &[u8], at: usize, width: Width) -> Option<Object<'_>> {
    let size = usize::try_from(le_u32(space, at.checked_add(4)?)?).ok()?;
    let body = slice(space, at.checked_add(HEADER)?, size.checked_sub(HEADER)?)?;
    let end = at.checked_add(size.checked_next_multiple_of(width.address())?)?;
    Some(Object { kind: le_u32(space, at)?, body, end })
}

fn string(body: &[u8]) -> Result<String> {
    let string = body.split(|&byte| byte == 0).next().unwrap_or_default();
    if string.len() > MAX_STRING {
        return Err(Error::too_large(
            "GRUB's core",
            format!("more than {MAX_STRING} bytes of configuration or prefix"),
        ));
    }
    Ok(text(string))
}
