//! crypttab → encrypted volumes (`man 5 crypttab`).

use super::Crypt;
use crate::bytes::text;
use crate::disk::filesystem::Root;
use crate::error::{Error, Result};
use crate::fact::{Gap, Listing};
use crate::limits::Limits;

/// Where it stands in the guest.
pub const PATH: &str = "/etc/crypttab";

/// Rows of the guest's crypttab; `None` when there is no such file.
///
/// # Errors
/// When the file is there and could not be read.
pub fn read(root: &Root, limits: &Limits) -> Result<Option<Listing<Crypt>>> {
    Ok(root.read_if_exists(PATH, limits.config_file)?.map(|bytes| parse(&bytes, limits)))
}

/// All rows; a line with fewer than two fields is a gap.
pub fn parse(bytes: &[u8], limits: &Limits) -> Listing<Crypt> {
    let mut rows = Listing::default();
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1_u32..) {
        let line = text(line);
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        if rows.items.len() >= limits.list_rows {
            rows.gaps.push(Gap::at(PATH, format!("line {number}: the limit of {} rows is reached", limits.list_rows)));
            break;
        }
        let mut fields = line.split_ascii_whitespace();
        let (Some(name), Some(device)) = (fields.next(), fields.next()) else {
            rows.add(Err(Error::corrupt(format!("line {number}"), "it names no device").at(PATH)));
            continue;
        };
        let options = fields.nth(1).unwrap_or_default().split(',').filter(|option| !option.is_empty());
        rows.items.push(Crypt {
            line: number,
            name: name.to_owned(),
            device: device.to_owned(),
            options: options.map(str::to_owned).collect(),
            text: line.clone(),
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows() {
        for (line, expected) in [
            ("root UUID=1 none luks,discard", Some(("root", "UUID=1", vec!["luks", "discard"]))),
            (" data\t/dev/vdb", Some(("data", "/dev/vdb", vec![]))),
            ("swap /dev/vdc /dev/urandom", Some(("swap", "/dev/vdc", vec![]))),
            ("# x y none luks", None),
            ("", None),
        ] {
            let found = parse(line.as_bytes(), &Limits::default());
            let row = found.items.first();
            let row = row.map(|r| (r.name.as_str(), r.device.as_str(), r.options.iter().map(String::as_str).collect()));
            assert_eq!((row, found.gaps.len()), (expected, 0), "{line}");
        }
        assert_eq!(parse(b"alone\n", &Limits::default()).gaps.len(), 1);
        assert_eq!(parse(b"a b\nc d\n", &Limits { list_rows: 1, ..Limits::default() }).gaps.len(), 1);
    }
}
