//! os-release → distribution (`man 5 os-release`), quoted as systemd reads it (`src/basic/env-file.c`).

use crate::bytes::{be_u16, le_u16, read_capped, text};
use crate::disk::filesystem::Root;
use crate::error::{Error, ErrorKind, Result};
use crate::fact::Fact;
use crate::guest::OsRelease;
use crate::limits::Limits;
use std::io::Read as _;

/// In order of precedence.
const PATHS: &[&str] = &["/etc/os-release", "/usr/lib/os-release"];

/// Programs that every userland has one of; scripts among them are passed over.
const PROGRAMS: &[&str] = &[
    "/sbin/init",
    "/usr/lib/systemd/systemd",
    "/lib/systemd/systemd",
    "/usr/bin/env",
    "/bin/sh",
    "/bin/busybox",
    "/bin/bash",
];

/// Bytes of an ELF64 header (`man 5 elf`), all that is read of a program.
const ELF_HEADER: u64 = 64;

/// Reads the distribution and the architecture of its userland.
///
/// # Errors
/// `NotFound` when there is neither file; what stopped the reading otherwise.
pub fn read(root: &Root, limits: &Limits) -> Result<OsRelease> {
    for path in PATHS {
        if let Some(bytes) = root.read_if_exists(path, limits.config_file)? {
            let mut os = parse(path, &bytes)?;
            os.architecture = architecture(root).into();
            return Ok(os);
        }
    }
    Err(Error::not_found("os-release").because("there is neither /etc/os-release nor /usr/lib/os-release"))
}

/// The last assignment of a key wins; an empty value is none.
///
/// # Errors
/// `Corrupt` when nothing is assigned at all, or a quote is never closed.
pub fn parse(path: &str, bytes: &[u8]) -> Result<OsRelease> {
    let unclosed = || Error::corrupt("os-release", "a quote is never closed").at(path);
    let assignments = assignments(bytes).ok_or_else(unclosed)?;
    if assignments.is_empty() {
        return Err(Error::corrupt("os-release", "it assigns nothing; expected lines such as ID=debian").at(path));
    }
    let value = |key: &str| {
        let last = assignments.iter().rfind(|(name, _)| name == key.as_bytes());
        last.map(|(_, value)| text(value)).filter(|value| !value.is_empty())
    };
    Ok(OsRelease {
        path: path.to_owned(),
        id: value("ID").unwrap_or_else(|| "linux".to_owned()),
        id_like: value("ID_LIKE").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        version_id: value("VERSION_ID"),
        version_codename: value("VERSION_CODENAME"),
        pretty_name: value("PRETTY_NAME"),
        architecture: Fact::unknown("only os-release was read"),
    })
}

/// Keys and values in file order, quotes and escapes resolved; `None` when a quote is never closed.
fn assignments(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        if first.is_ascii_whitespace() {
            rest = tail;
            continue;
        }
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r' | b'=')).unwrap_or(rest.len());
        let (key, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        let is_comment = matches!(first, b'#' | b';');
        match tail.split_first() {
            Some((b'=', tail)) if !is_comment => {
                let (value, tail) = value(tail)?;
                found.push((key.trim_ascii_end().to_vec(), value));
                rest = tail;
            }
            _ => rest = after_line(rest),
        }
    }
    Some(found)
}

fn after_line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    bytes.get(end..).unwrap_or_default()
}

/// One value up to the end of its line, which may lie beyond newlines in quotes.
fn value(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    // What stood in quotes or after a backslash; blanks after it are not part of the value.
    let mut kept = 0;
    let mut rest = skip_blanks(bytes);
    loop {
        match rest {
            [] | [b'\n' | b'\r', ..] => break,
            [b'\'', tail @ ..] => {
                let end = tail.iter().position(|&byte| byte == b'\'')?;
                value.extend_from_slice(tail.get(..end)?);
                rest = tail.get(end.checked_add(1)?..)?;
                kept = value.len();
            }
            [b'"', tail @ ..] => {
                rest = double_quoted(tail, &mut value)?;
                kept = value.len();
            }
            [b'\\', b'\n', tail @ ..] => rest = tail,
            [b'\\', byte, tail @ ..] => {
                value.push(*byte);
                rest = tail;
                kept = value.len();
            }
            [byte, tail @ ..] => {
                value.push(*byte);
                rest = tail;
                if !matches!(byte, b' ' | b'\t') {
                    kept = value.len();
                }
            }
        }
    }
    value.truncate(kept);
    Some((value, rest))
}

/// Within double quotes a backslash escapes what the shell would read, and is kept before anything else.
fn double_quoted<'a>(mut rest: &'a [u8], value: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] => return None,
            [b'"', tail @ ..] => return Some(tail),
            [b'\\', b'\n', tail @ ..] => rest = tail,
            [b'\\', byte @ (b'"' | b'\\' | b'`' | b'$'), tail @ ..] | [byte, tail @ ..] => {
                value.push(*byte);
                rest = tail;
            }
        }
    }
}

fn skip_blanks(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

/// CPU architecture of the first program that is an ELF file.
fn architecture(root: &Root) -> Result<String> {
    for path in PROGRAMS {
        let header = match root.open(path) {
            Ok(program) => read_capped(&mut program.take(ELF_HEADER), ELF_HEADER, "ELF header"),
            Err(error) => Err(error),
        };
        match header {
            Ok(header) if header.starts_with(b"\x7fELF") => {
                return machine(&header).map_err(|error| error.at(*path));
            }
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => return Err(error.at(*path)),
        }
    }
    let cause = format!("none of {} is an ELF program", PROGRAMS.join(", "));
    Err(Error::not_found("architecture of the userland").because(cause))
}

/// `e_machine`, class and byte order (`include/uapi/linux/elf-em.h`) under Nova's names.
pub(super) fn machine(header: &[u8]) -> Result<String> {
    let cut = || Error::corrupt("ELF header", format!("{} bytes of it are there", header.len()));
    let &[_, _, _, _, class, order, ..] = header else { return Err(cut()) };
    let machine = if order == 2 { be_u16(header, 18) } else { le_u16(header, 18) }.ok_or_else(cut)?;
    let name = match (machine, class, order) {
        (62, 2, 1) => "x86_64",
        (3, 1, 1) => "i686",
        (183, 2, 1) => "aarch64",
        (40, 1, 1) => "armv7l",
        (21, 2, 1) => "ppc64le",
        (21, 2, 2) => "ppc64",
        (22, 2, 2) => "s390x",
        (243, 2, 1) => "riscv64",
        _ => {
            let found = format!("machine {machine}, class {class}, byte order {order} is none that this version knows");
            return Err(Error::unsupported("ELF header", found));
        }
    };
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Memory;

    const DEBIAN: &str = "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"13\"\nVERSION=\"13 (trixie)\"\nVERSION_CODENAME=trixie\nDEBIAN_VERSION_FULL=13.2\nID=debian\nHOME_URL=\"https://www.debian.org/\"\n";

    #[test]
    fn reads_what_distributions_ship() {
        for (file, id, like, version, codename, name) in [
            (DEBIAN, "debian", "", "13", "trixie", "Debian GNU/Linux 13 (trixie)"),
            (
                "NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.6\"\nPLATFORM_ID=\"platform:el9\"\nPRETTY_NAME=\"Rocky Linux 9.6 (Blue Onyx)\"\n",
                "rocky",
                "rhel centos fedora",
                "9.6",
                "",
                "Rocky Linux 9.6 (Blue Onyx)",
            ),
            (
                "# comment\n\nID=first\nID=arch\nBUILD_ID=rolling\nPRETTY_NAME='Arch Linux'",
                "arch",
                "",
                "",
                "",
                "Arch Linux",
            ),
            ("NAME=x\r\nID=alpine\r\nVERSION_ID=3.20.1\r\n", "alpine", "", "3.20.1", "", ""),
            ("NAME=Nameless\nVERSION_ID=\n", "linux", "", "", "", ""),
        ] {
            let os = parse("/etc/os-release", file.as_bytes()).unwrap();
            assert_eq!(
                (os.id.as_str(), os.id_like.join(" ").as_str(), os.version_id.as_deref().unwrap_or_default()),
                (id, like, version)
            );
            assert_eq!(os.version_codename.as_deref().unwrap_or_default(), codename);
            assert_eq!(os.pretty_name.as_deref().unwrap_or_default(), name);
        }
    }

    #[test]
    fn quotes_and_escapes_are_the_shells() {
        for (written, read) in [
            (r#""a \"b\" \$c \`d\` \\e \f""#, r#"a "b" $c `d` \e \f"#),
            (r"'a \b $c'", r"a \b $c"),
            (r"a\ b\'c", "a b'c"),
            ("plain  ", "plain"),
            ("  two words \t", "two words"),
            ("\"a\"'b'c", "abc"),
            ("\"kept \"  ", "kept "),
            ("\"two\nlines\"", "two\nlines"),
            ("a\\\nb", "ab"),
            ("x # no comment", "x # no comment"),
        ] {
            let file = format!("PRETTY_NAME={written}\nID=x\n");
            let os = parse("x", file.as_bytes()).unwrap();
            assert_eq!(os.pretty_name.as_deref(), Some(read), "{written}");
        }
        assert_eq!(parse("x", b"PRETTY_NAME=\xff\nID=x").unwrap().pretty_name.as_deref(), Some("\\xff"));
        for nothing in ["", "\n\n", "# ID=x\n;ID=y\n", "no assignment here", "NAME=\"x\nID=y\n", "NAME='x\nID=y\n"] {
            assert_eq!(parse("x", nothing.as_bytes()).unwrap_err().kind, ErrorKind::Corrupt, "{nothing:?}");
        }
    }

    fn elf(machine: u16, class: u8, order: u8) -> Vec<u8> {
        let mut header = vec![0x7f, b'E', b'L', b'F', class, order];
        header.resize(ELF_HEADER.try_into().unwrap(), 0);
        header[18..20].copy_from_slice(&if order == 2 { machine.to_be_bytes() } else { machine.to_le_bytes() });
        header.extend_from_slice(&[0; 4096]);
        header
    }

    #[test]
    fn the_architecture_is_that_of_a_program() {
        for (machine, class, order, name) in [
            (62, 2, 1, Some("x86_64")),
            (3, 1, 1, Some("i686")),
            (183, 2, 1, Some("aarch64")),
            (21, 2, 1, Some("ppc64le")),
            (22, 2, 2, Some("s390x")),
            (243, 2, 1, Some("riscv64")),
            // x32: the machine of x86_64 in 32-bit files.
            (62, 1, 1, None),
            (8, 2, 2, None),
        ] {
            let tree = Memory::new("ext4", "", "").file("/usr/lib/os-release", DEBIAN);
            let tree = tree.link("/sbin/init", "/lib/systemd/systemd").link("/lib", "usr/lib");
            let root = tree.file("/usr/lib/systemd/systemd", elf(machine, class, order)).root();
            let os = read(&root, &Limits::default()).unwrap();
            assert_eq!(os.path, "/usr/lib/os-release");
            assert_eq!(os.architecture.known().map(String::as_str), name, "{machine}");
        }
    }

    #[test]
    fn scripts_are_passed_over_and_faults_are_not() {
        let tree = Memory::new("ext4", "", "").file("/etc/os-release", DEBIAN).file("/sbin/init", "#!/bin/sh");
        let found = read(&tree.clone().file("/bin/sh", elf(62, 2, 1)).root(), &Limits::default()).unwrap();
        assert_eq!(found.architecture, Fact::Known("x86_64".to_owned()));
        for broken in [tree.clone(), tree.clone().unreadable("/usr/bin/env").file("/bin/sh", elf(62, 2, 1))] {
            let os = read(&broken.root(), &Limits::default()).unwrap();
            assert!(os.architecture.known().is_none());
        }
        let nothing = Memory::new("ext4", "", "").folder("/etc").root();
        assert_eq!(read(&nothing, &Limits::default()).unwrap_err().kind, ErrorKind::NotFound);
    }
}
