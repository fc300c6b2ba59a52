//! modules.dep.bin and modules.alias.bin: keys → values in a trie (`libkmod/libkmod-index.c` of kmod). kmod and udev
//! read these; modules.dep and modules.alias are for people and for busybox.

use super::{module_name, normalise};
use crate::bytes::{slice, text};
use crate::error::{Error, Result};
use crate::fact::{Fact, Gap};
use crate::guest::Module;

/// `INDEX_MAGIC`.
const MAGIC: u32 = 0xB007_F457;
/// `INDEX_VERSION_MAJOR`; kmod takes any minor version.
const VERSION: u32 = 2;
/// Flags in a node's offset, and what is left of it.
const PREFIX: u32 = 0x8000_0000;
const VALUES: u32 = 0x4000_0000;
const CHILDREN: u32 = 0x2000_0000;
const OFFSET: u32 = 0x0FFF_FFFF;
/// Values of one key; the most that Debian's modules.alias.bin has is 30.
const MAX_VALUES: u32 = 1024;
/// Aliases of one module that are looked up; of those that boot a guest, xhci-pci has the most with 12.
const MAX_ALIASES: usize = 1024;

/// The values of `key` in `index`, lowest priority first; none when it is not there.
fn look_up<'a>(index: &'a [u8], key: &[u8]) -> Result<Vec<&'a [u8]>> {
    search(index, key).ok_or_else(|| Error::corrupt("module index", "a node of it lies past the end"))?
}

/// `index_search__node`; `None` where it reads past the end.
fn search<'a>(index: &'a [u8], key: &[u8]) -> Option<Result<Vec<&'a [u8]>>> {
    let mut start = Cursor { bytes: index, position: 0 };
    match (start.number(), start.number()) {
        (Some(MAGIC), Some(version)) if version >> 16 == VERSION => {}
        (Some(MAGIC), Some(version)) => {
            let cause = format!("version {}, expected {VERSION}", version >> 16);
            return Some(Err(Error::unsupported("module index", cause)));
        }
        _ => return Some(Err(Error::corrupt("module index", "it does not begin with kmod's magic number"))),
    }
    let (mut offset, mut rest) = (start.number()?, key);
    // Each step but the last takes a byte of the key: a loop ends with it.
    while offset & OFFSET != 0 {
        let mut node = Cursor { bytes: index, position: usize::try_from(offset & OFFSET).ok()? };
        let prefix = if offset & PREFIX == 0 { &[][..] } else { node.string()? };
        let Some(ahead) = rest.strip_prefix(prefix) else { return Some(Ok(Vec::new())) };
        let child = node.child(offset, ahead.first().copied())?;
        let Some((_, next)) = ahead.split_first() else { return node.values(offset) };
        (offset, rest) = (child, next);
    }
    Some(Ok(Vec::new()))
}

/// A place in an index.
struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = slice(self.bytes, self.position, length)?;
        self.position = self.position.checked_add(length)?;
        Some(taken)
    }

    /// Integers are big-endian.
    fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// Up to a NUL, which is passed.
    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.bytes.get(self.position..)?.iter().position(|byte| *byte == 0)?;
        let string = self.take(length)?;
        self.take(1)?;
        Some(string)
    }

    /// The child for `byte`, 0 when there is none; moves behind the children.
    fn child(&mut self, flags: u32, byte: Option<u8>) -> Option<u32> {
        if flags & CHILDREN == 0 {
            return Some(0);
        }
        let [first, last] = *self.take(2)? else { return None };
        let mut children = Cursor { ..*self };
        self.take(usize::from(last.checked_sub(first)?).checked_add(1)?.checked_mul(4)?)?;
        let Some(byte) = byte.filter(|byte| (first..=last).contains(byte)) else { return Some(0) };
        children.take(usize::from(byte.checked_sub(first)?).checked_mul(4)?)?;
        children.number()
    }

    fn values(&mut self, flags: u32) -> Option<Result<Vec<&'a [u8]>>> {
        if flags & VALUES == 0 {
            return Some(Ok(Vec::new()));
        }
        let count = self.number()?;
        if count > MAX_VALUES {
            let cause = format!("{count} values of one key, the limit is {MAX_VALUES}");
            return Some(Err(Error::too_large("module index", cause)));
        }
        let mut values = Vec::new();
        for _ in 0..count {
            values.push((self.number()?, self.string()?));
        }
        values.sort_by_key(|(priority, _)| *priority);
        Some(Ok(values.into_iter().map(|(_, value)| value).collect()))
    }
}

/// One index of a module folder.
#[derive(Debug)]
pub(crate) enum Index<'a> {
    /// Its path, and its bytes.
    Read(String, &'a [u8]),
    /// There is none: what it would name is not found.
    Absent,
    /// It could not be had.
    Unknown(Gap),
}

/// The two indexes of a module folder that decide what is loaded.
#[derive(Debug)]
pub(crate) struct Indexes<'a> {
    /// modules.dep.bin.
    pub(crate) names: Index<'a>,
    /// modules.alias.bin.
    pub(crate) aliases: Index<'a>,
}

impl Indexes<'_> {
    /// `module` with what the indexes say of it; `is_file` tells which modules are files of the folder.
    pub(crate) fn judge(&self, mut module: Module, is_file: impl Fn(&str) -> bool) -> Module {
        module.is_indexed = ask(&self.names, false, |index| is_named(index, &module, is_file));
        module.is_aliased = ask(&self.aliases, module.aliases.is_empty(), |index| is_aliased(index, &module));
        module
    }
}

fn ask(index: &Index<'_>, otherwise: bool, judge: impl FnOnce(&[u8]) -> Result<bool>) -> Fact<bool> {
    match index {
        Index::Read(path, bytes) => judge(bytes).map_err(|error| error.at(path.as_str())).into(),
        Index::Absent => Fact::Known(otherwise),
        Index::Unknown(gap) => Fact::Unknown(gap.clone()),
    }
}

/// Whether modprobe finds `module` by its name in modules.dep.bin: under the path of its file, with all that it
/// depends on and that `is_file` knows. kmod loads just what the line names (`kmod_module_parse_depline`).
fn is_named(index: &[u8], module: &Module, is_file: impl Fn(&str) -> bool) -> Result<bool> {
    let values = look_up(index, module.name.as_bytes())?;
    let Some(line) = values.first().map(|line| text(line)) else { return Ok(false) };
    let Some((path, needs)) = line.split_once(':') else { return Ok(false) };
    let needs: Vec<String> = needs.split_ascii_whitespace().filter_map(|path| module_name(path.as_bytes())).collect();
    let is_met = |name: &String| needs.contains(name) || !is_file(name);
    Ok(path == module.path && module.depends.iter().all(is_met))
}

/// Whether modules.alias.bin leads from every alias of `module` to it: this is how udev loads it for a device, and
/// the kernel for a file system.
fn is_aliased(index: &[u8], module: &Module) -> Result<bool> {
    if module.aliases.len() > MAX_ALIASES {
        return Err(Error::too_large("kernel module", format!("more than the limit of {MAX_ALIASES} aliases")));
    }
    for alias in module.aliases.iter().filter_map(|alias| as_key(alias)) {
        let names = look_up(index, alias.as_bytes())?;
        if !names.iter().any(|name| normalise(&text(name)) == module.name) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `alias_normalize` of kmod: `-` as `_` outside of brackets; `None` where depmod leaves an alias out.
fn as_key(alias: &str) -> Option<String> {
    let mut is_range = false;
    let mut key = String::with_capacity(alias.len());
    for letter in alias.chars() {
        match letter {
            '[' if !is_range => is_range = true,
            ']' if !is_range => return None,
            ']' => is_range = false,
            _ => {}
        }
        key.push(if letter == '-' && !is_range { '_' } else { letter });
    }
    (!is_range).then_some(key)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::guest::modules::modinfo;

    /// An index of `rows`, key and value, as depmod writes it: nodes behind their children, the root's offset in front.
    pub(crate) fn index(rows: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = [MAGIC.to_be_bytes(), 0x0002_0001_u32.to_be_bytes(), [0; 4]].concat();
        let mut rows: Vec<(&[u8], &str)> = rows.iter().map(|(key, value)| (key.as_bytes(), *value)).collect();
        rows.sort_unstable();
        let root = node(&mut bytes, &rows);
        bytes[8..12].copy_from_slice(&root.to_be_bytes());
        bytes
    }

    fn node(bytes: &mut Vec<u8>, rows: &[(&[u8], &str)]) -> u32 {
        let first = rows.first().map_or(&[][..], |row| row.0);
        let last = rows.last().map_or(&[][..], |row| row.0);
        let prefix = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        let rest: Vec<(&[u8], &str)> = rows.iter().map(|row| (&row.0[prefix..], row.1)).collect();
        let (values, below): (Vec<_>, Vec<_>) = rest.into_iter().partition(|row| row.0.is_empty());
        let mut children = Vec::new();
        if let (Some(low), Some(high)) = (below.first().map(|row| row.0[0]), below.last().map(|row| row.0[0])) {
            children.extend([low, high]);
            for byte in low..=high {
                let of: Vec<_> = below.iter().filter(|row| row.0[0] == byte).map(|row| (&row.0[1..], row.1)).collect();
                children.extend(if of.is_empty() { 0 } else { node(bytes, &of) }.to_be_bytes());
            }
        }
        let mut offset = u32::try_from(bytes.len()).unwrap();
        if prefix > 0 {
            offset |= PREFIX;
            bytes.extend(&first[..prefix]);
            bytes.push(0);
        }
        offset |= if children.is_empty() { 0 } else { CHILDREN };
        bytes.extend(children);
        if !values.is_empty() {
            offset |= VALUES;
            bytes.extend(u32::try_from(values.len()).unwrap().to_be_bytes());
            for ((_, value), priority) in values.iter().zip((0_u32..9).rev()) {
                bytes.extend(priority.to_be_bytes());
                bytes.extend(value.as_bytes());
                bytes.push(0);
            }
        }
        offset
    }

    #[test]
    fn keys_lead_to_their_values() {
        let index = index(&[("ask", "1"), ("ate", "2"), ("on", "3"), ("once", "4"), ("one", "5"), ("one", "6")]);
        for (key, expected) in [
            ("ask", &["1"][..]),
            ("ate", &["2"]),
            ("on", &["3"]),
            ("once", &["4"]),
            // The lowest priority comes first.
            ("one", &["6", "5"]),
            ("", &[]),
            ("a", &[]),
            ("onc", &[]),
            ("ones", &[]),
            ("zebra", &[]),
        ] {
            let found: Vec<String> = look_up(&index, key.as_bytes()).unwrap().into_iter().map(text).collect();
            assert_eq!(found, expected, "{key}");
        }
        for length in 0..index.len() {
            for key in ["ask", "one", "zebra"] {
                let found = look_up(&index[..length], key.as_bytes());
                assert!(found.is_err(), "{length} {key}");
            }
        }
    }

    #[test]
    fn damage_is_an_error_or_another_answer() {
        let whole = index(&[("ask", "1"), ("ate", "2"), ("one", "5")]);
        for (at, byte, cause) in [(0, 0, "magic"), (5, 3, "version 3"), (11, 0xff, "past the end")] {
            let mut index = whole.clone();
            index[at] = byte;
            let error = look_up(&index, b"ask").unwrap_err().to_string();
            assert!(error.contains(cause), "{error}");
        }
        for position in 0..whole.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut index = whole.clone();
                index[position] ^= flip;
                let _ = look_up(&index, b"ask");
            }
        }
        let mut many = whole;
        many[8..12].copy_from_slice(&(VALUES | 4).to_be_bytes());
        assert!(look_up(&many, b"").is_err());
    }

    fn module(path: &str, depends: &str, aliases: &[&str]) -> Module {
        let depends = format!("depends={depends}");
        let aliases: Vec<String> = aliases.iter().map(|alias| format!("alias={alias}")).collect();
        let mut records = vec!["vermagic=6.1", &depends];
        records.extend(aliases.iter().map(String::as_str));
        modinfo::parse_modinfo(path, &modinfo::tests::module(&records)).unwrap()
    }

    #[test]
    fn a_module_is_found_under_the_path_of_its_file() {
        for (line, expected) in [
            ("kernel/a-b.ko.xz: kernel/c.ko.xz", true),
            ("kernel/a-b.ko.xz: kernel/d.ko kernel/c.ko", true),
            ("kernel/a-b.ko: kernel/c.ko.xz", false),
            ("updates/a-b.ko.xz: kernel/c.ko.xz", false),
            ("kernel/a-b.ko.xz:", false),
            ("kernel/a-b.ko.xz", false),
        ] {
            let index = index(&[("a_b", line), ("c", "kernel/c.ko.xz:")]);
            let module = module("kernel/a-b.ko.xz", "c,builtin", &[]);
            assert_eq!(is_named(&index, &module, |name| name == "c").unwrap(), expected, "{line}");
        }
        let module = module("kernel/x.ko", "", &[]);
        assert!(!is_named(&index(&[("a_b", "kernel/x.ko:")]), &module, |_| true).unwrap());
    }

    #[test]
    fn every_alias_leads_to_its_module() {
        let index = index(&[("virtio:d00000008v*", "a_b"), ("pci:v[A-F]x_y", "a_b"), ("fs_x", "other")]);
        for (aliases, expected) in [
            (&[][..], true),
            (&["virtio:d00000008v*"], true),
            (&["virtio:d00000008v*", "pci:v[A-F]x-y"], true),
            (&["virtio:d00000008v*", "virtio:d00000002v*"], false),
            (&["fs-x"], false),
            (&["unmatched]"], true),
        ] {
            assert_eq!(is_aliased(&index, &module("a-b.ko", "", aliases)).unwrap(), expected, "{aliases:?}");
        }
    }

    #[test]
    fn what_is_missing_finds_nothing() {
        let bytes = index(&[]);
        let gap = || Index::Unknown(Gap::new("x"));
        for (names, expected) in [
            (Index::Absent, Fact::Known(false)),
            (Index::Read("i".into(), &bytes), Fact::Known(false)),
            (gap(), Fact::Unknown(Gap::new("x"))),
        ] {
            let judged = Indexes { names, aliases: gap() }.judge(module("a.ko", "", &["x"]), |_| false);
            assert_eq!((judged.is_indexed, judged.is_aliased), (expected, Fact::Unknown(Gap::new("x"))));
        }
        let absent = || Indexes { names: Index::Absent, aliases: Index::Absent };
        let judged = |aliases: &[&str]| absent().judge(module("a.ko", "", aliases), |_| false).is_aliased;
        assert_eq!((judged(&[]), judged(&["x"])), (Fact::Known(true), Fact::Known(false)));
    }
}
