//! Cores made here, whole and spoilt. Those of `grub-mkimage` are compared by `tests/integration/grub_core.rs`.
#![expect(clippy::arithmetic_side_effects, reason = "test code")]

use super::*;
use crate::error::ErrorKind;
use liblzma::stream::{Action, Filters, LzmaOptions, Status, Stream};

/// A relocatable object with what GRUB asks of a module.
pub(crate) fn elf(name: &str, depends: &[&str], is_64: bool) -> Vec<u8> {
    let names = b"\0.modname\0.moddeps\0.shstrtab\0";
    let depends: Vec<u8> = depends.iter().flat_map(|name| [name.as_bytes(), b"\0"].concat()).collect();
    let bodies: [(u32, Vec<u8>); 3] = [(1, format!("{name}\0").into_bytes()), (10, depends), (19, names.to_vec())];
    let mut elf = vec![0; if is_64 { 64 } else { 52 }];
    elf[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', if is_64 { 2 } else { 1 }, 1, 1]);
    elf[16] = 1;
    elf[18] = if is_64 { 62 } else { 3 };
    let size = if is_64 { 64 } else { 40 };
    let mut table = vec![0; size];
    for (name, body) in bodies {
        let mut row = vec![0; size];
        row[..4].copy_from_slice(&name.to_le_bytes());
        let (at, length) = (u32::try_from(elf.len()).unwrap(), u32::try_from(body.len()).unwrap());
        let (place, extent) = if is_64 { (0x18, 0x20) } else { (0x10, 0x14) };
        row[place..place + 4].copy_from_slice(&at.to_le_bytes());
        row[extent..extent + 4].copy_from_slice(&length.to_le_bytes());
        elf.extend(body);
        table.extend(row);
    }
    let start = u32::try_from(elf.len()).unwrap();
    let (at, numbers) = if is_64 { (0x28, 0x3a) } else { (0x20, 0x2e) };
    elf[at..at + 4].copy_from_slice(&start.to_le_bytes());
    elf[numbers..numbers + 6].copy_from_slice(&[u8::try_from(size).unwrap(), 0, 4, 0, 3, 0]);
    elf.extend(table);
    elf
}

/// A list of objects.
pub(crate) fn list(objects: &[(u32, Vec<u8>)], is_64: bool) -> Vec<u8> {
    let (info, align) = if is_64 { (24, 8) } else { (12, 4) };
    let mut list = vec![0; info];
    for (kind, body) in objects {
        list.extend(kind.to_le_bytes());
        let body = [body.as_slice(), &vec![0; body.len().next_multiple_of(align) - body.len()]].concat();
        list.extend(u32::try_from(body.len() + 8).unwrap().to_le_bytes());
        list.extend(body);
    }
    list[..4].copy_from_slice(&MAGIC.to_le_bytes());
    let (offset, size) = if is_64 { (8, 16) } else { (4, 8) };
    list[offset] = u8::try_from(info).unwrap();
    let length = u32::try_from(list.len()).unwrap();
    list[size..size + 4].copy_from_slice(&length.to_le_bytes());
    list
}

/// Modules without dependencies, a prefix, and commands.
pub(crate) fn objects(modules: &[&str], prefix: &str, config: &str, is_64: bool) -> Vec<(u32, Vec<u8>)> {
    let mut objects: Vec<_> = modules.iter().map(|name| (ELF, elf(name, &[], is_64))).collect();
    objects.extend((!config.is_empty()).then(|| (CONFIG, format!("{config}\0").into_bytes())));
    objects.push((PREFIX, format!("{prefix}\0").into_bytes()));
    objects
}

/// What a core carries that needs no folder of modules.
pub(crate) const ALL: &[&str] = &[
    "biosdisk",
    "part_gpt",
    "part_msdos",
    "ext2",
    "fat",
    "normal",
    "linux",
    "search",
    "search_fs_uuid",
    "search_label",
    "search_fs_file",
    "test",
    "true",
    "configfile",
    "loadenv",
    "regexp",
];

/// A core for BIOS with all that.
pub(crate) fn core(prefix: &str) -> Core {
    Core::parse_pc(&core_img(&objects(ALL, prefix, "", false))).unwrap()
}

/// A program for UEFI with these modules.
pub(crate) fn efi(machine: u16, modules: &[&str], prefix: &str) -> Vec<u8> {
    let platform = PLATFORMS.iter().find(|platform| platform.pe == machine).unwrap();
    let is_64 = platform.width == Width::Bits64;
    let mut objects = objects(modules, prefix, "", is_64);
    for (_, body) in objects.iter_mut().filter(|(kind, _)| *kind == ELF) {
        body[18..20].copy_from_slice(&platform.elf.to_le_bytes());
    }
    let mut program = crate::guest::pe::tests::program(&[(".text", b"x"), ("mods", &list(&objects, is_64))]);
    program[0x44..0x46].copy_from_slice(&machine.to_le_bytes());
    program
}

/// core.img from its second sector on, as `grub-mkimage` packs this kernel and its modules.
fn image(kernel: &[u8]) -> Vec<u8> {
    let mut options = LzmaOptions::new_preset(6).unwrap();
    options.dict_size(1 << 16).literal_context_bits(3).literal_position_bits(0).position_bits(2);
    let mut stream = Stream::new_raw_encoder(Filters::new().lzma1(&options)).unwrap();
    let mut data = Vec::with_capacity(kernel.len() + 4096);
    assert_eq!(stream.process_vec(kernel, &mut data, Action::Finish).unwrap(), Status::StreamEnd);
    let mut image = vec![0x90; 0xa00];
    image[..5].copy_from_slice(&[0xea, 0x1c, 0x82, 0, 0]);
    image[0x18..0x1c].copy_from_slice(&[0xff, 0xff, 0xff, 0]);
    image[8..12].copy_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
    image[12..16].copy_from_slice(&u32::try_from(kernel.len()).unwrap().to_le_bytes());
    image[0x700..0x70a].copy_from_slice(&[0xbf, 0, 0, 0x10, 0, 0xbe, 0, 0x8c, 0, 0]);
    image.extend(data);
    image
}

/// The same with its list of modules.
pub(crate) fn core_img(objects: &[(u32, Vec<u8>)]) -> Vec<u8> {
    image(&[&[0x55; 5000][..], &list(objects, false)].concat())
}

#[test]
fn a_core_says_what_it_carries() {
    let mut objects = objects(&["biosdisk", "ext2"], "(,gpt1)/boot/grub", "set a=b", false);
    objects.push((MEMDISK, vec![1; 512]));
    objects.push((4, vec![2; 5]));
    objects.push((99, vec![]));
    objects.push((CONFIG, b"set a=c\0".to_vec()));
    objects.insert(0, (PREFIX, b"/first\0".to_vec()));
    let expected = Core {
        platform: PC,
        modules: ["biosdisk", "ext2"].map(str::to_owned).into(),
        prefix: Some("(,gpt1)/boot/grub".to_owned()),
        config: Some("set a=b".to_owned()),
        has_memdisk: true,
    };
    assert_eq!(Core::parse_pc(&core_img(&objects)).unwrap(), expected);
    for (machine, platform, is_64) in [(0x8664, "x86_64-efi", true), (0x14c, "i386-efi", false)] {
        let found = Core::parse_efi(&list(&self::objects(&["fat"], "/EFI/debian", "", is_64), is_64), machine).unwrap();
        assert_eq!((found.platform.folder, found.modules, found.config), (platform, ["fat".to_owned()].into(), None));
    }
    let other = Core::parse_efi(&list(&[], true), 0x200).unwrap_err();
    assert_eq!(other.kind, ErrorKind::Unsupported);
}

#[test]
fn what_grub_would_not_load_is_no_core() {
    let two = |order: [&str; 2]| -> Vec<(u32, Vec<u8>)> {
        order.map(|name| (ELF, elf(name, if name == "ext2" { &["fshelp"] } else { &[] }, false))).to_vec()
    };
    assert!(Core::parse_pc(&core_img(&two(["fshelp", "ext2"]))).is_ok());
    let text = |objects: &[(u32, Vec<u8>)]| Core::parse_pc(&core_img(objects)).unwrap_err().to_string();
    assert!(text(&two(["ext2", "fshelp"])).contains("ext2 needs fshelp"));
    assert!(text(&[(ELF, b"\x7fELF".to_vec())]).contains("no little-endian ELF object"));
    assert!(text(&vec![(99, Vec::new()); MAX_OBJECTS + 1]).contains("more than 4096 objects"));
    for kernel in [vec![0; 100], [list(&[], false), list(&[], false)].concat()] {
        // The list must reach to the end, and in the second kernel only the last one does.
        assert_eq!(Core::parse_pc(&image(&kernel)).is_ok(), kernel.len() != 100);
    }
    let inner = list(&[(PREFIX, b"/x\0".to_vec())], false);
    let outer = list(&[(99, vec![0; 4]), (99, inner)], false);
    assert!(Core::parse_pc(&image(&outer)).unwrap_err().to_string().contains("two lists of modules"));
}

#[test]
fn a_core_that_is_cut_or_flipped_ends_in_an_error_or_a_core() {
    let objects = objects(&["biosdisk", "part_gpt", "ext2"], "/boot/grub", "search.fs_uuid x root", false);
    let whole = core_img(&objects);
    for end in 0..whole.len() {
        assert!(Core::parse_pc(&whole[..end]).is_err(), "cut at {end}");
    }
    let efi = list(&self::objects(&["fat", "normal"], "/EFI/debian", "", true), true);
    for end in 0..efi.len() {
        assert!(Core::parse_efi(&efi[..end], 0x8664).is_err(), "cut at {end}");
    }
    for at in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        drop(Core::parse_pc(&flipped));
    }
    for at in 0..efi.len() * 8 {
        let mut flipped = efi.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        drop(Core::parse_efi(&flipped, 0x8664));
    }
}

#[test]
fn sizes_are_bounded_before_anything_is_allocated() {
    let mut image = core_img(&[]);
    image[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Core::parse_pc(&image).unwrap_err().kind, ErrorKind::TooLarge);
    let long = vec![(CONFIG, vec![b'#'; MAX_STRING + 1])];
    assert_eq!(Core::parse_pc(&core_img(&long)).unwrap_err().kind, ErrorKind::TooLarge);
    image[12..16].copy_from_slice(&(15_u32 << 20).to_le_bytes());
    assert!(Core::parse_pc(&image).unwrap_err().to_string().contains("its LZMA data end after"));
}

#[test]
fn other_code_that_unpacks_is_not_known() {
    let mut image = core_img(&[]);
    image[0x705] = 0xbf;
    assert_eq!(Core::parse_pc(&image).unwrap_err().kind, ErrorKind::Unsupported);
    assert_eq!(Core::parse_pc(b"").unwrap_err().kind, ErrorKind::Unsupported);
}
