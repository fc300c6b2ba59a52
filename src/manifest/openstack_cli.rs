//! `openstack image create`, `image set` and `volume set` lines (python-openstackclient), quoted for a POSIX shell.

use super::quote::{comment, word};
use super::{Format, Manifest, Property, Written, refused};
use crate::error::Result;

pub(super) const CREATE: Format = Format {
    name: "openstack",
    summary: "an `openstack image create` line for a shell",
    is_digest_read: false,
    demands: &[],
    write: |images| lines(images, create),
};

pub(super) const SET: Format = Format {
    name: "openstack-set",
    summary: "an `openstack image set` line for an image that is in Glance already",
    is_digest_read: false,
    demands: &[],
    write: |images| lines(images, set),
};

pub(super) const CINDER: Format = Format {
    name: "cinder",
    summary: "an `openstack volume set` line: the properties of a volume to boot from",
    is_digest_read: false,
    demands: &[],
    write: |images| lines(images, volume),
};

/// Columns after which the line is continued with a backslash.
const WIDTH: usize = 110;

fn lines(images: &[Manifest<'_>], write: fn(&Manifest<'_>) -> Result<Written>) -> Result<Written> {
    let mut written = Written::default();
    for image in images {
        let line = write(image)?;
        written.text += &line.text;
        written.notes.extend(line.notes);
    }
    Ok(written)
}

fn create(image: &Manifest<'_>) -> Result<Written> {
    let mut words = vec!["openstack image create".to_owned()];
    if let Some(format) = image.disk_format {
        words.push(format!("--disk-format {} --container-format bare", word(format)));
    }
    words.extend(image.file.map(|file| format!("--file {}", word(&path(file)))));
    words.extend(properties(image, "--property")?);
    words.extend(minima(image));
    words.push(target(image.name)?);
    let remarks = image.remarks().into_iter().filter(|remark| remark.starts_with("withheld"));
    let text = remarks.map(|remark| comment(&remark)).collect::<String>() + &folded(&words);
    Ok(Written { text, notes: Vec::new() })
}

fn set(image: &Manifest<'_>) -> Result<Written> {
    let mut words = vec!["openstack image set".to_owned()];
    words.extend(properties(image, "--property")?);
    words.extend(minima(image));
    words.push(target(image.name)?);
    Ok(Written { text: remarks(image) + &folded(&words), notes: Vec::new() })
}

fn volume(image: &Manifest<'_>) -> Result<Written> {
    let mut words = vec!["openstack volume set".to_owned()];
    words.extend(properties(image, "--image-property")?);
    // Which volume is the user's to say.
    words.push("\"$VOLUME\"".to_owned());
    let has_minima = image.min_disk.or(image.min_ram).is_some();
    let note = "min_disk and min_ram are left out: a volume has its own size, and Cinder took them at its creation";
    let notes = has_minima.then(|| note.to_owned()).into_iter().collect();
    Ok(Written { text: remarks(image) + &folded(&words), notes })
}

/// What is said above a line, as comments cannot stand within one.
fn remarks(image: &Manifest<'_>) -> String {
    let told = |property: &Property<'_>| format!("{}={}: {}", property.key, property.value, property.origin());
    image.remarks().into_iter().chain(image.properties.iter().map(told)).map(|text| comment(&text)).collect()
}

fn properties(image: &Manifest<'_>, option: &str) -> Result<Vec<String>> {
    let property = |property: &Property<'_>| {
        if property.key.contains('=') {
            let what = format!("the property {:?}", super::printable(property.key));
            return Err(refused(&what, "the client ends a property's name at the first ="));
        }
        let pair = format!("{}={}", property.key, property.value);
        // argparse takes a word that begins with a dash for an option.
        let is_joined = pair.starts_with('-');
        Ok(if is_joined { word(&format!("{option}={pair}")) } else { format!("{option} {}", word(&pair)) })
    };
    image.properties.iter().map(property).collect()
}

/// Options of their own.
fn minima(image: &Manifest<'_>) -> impl Iterator<Item = String> {
    let option = |name: &str, value: Option<u64>| value.map(|value| format!("--{name} {value}"));
    option("min-disk", image.min_disk).into_iter().chain(option("min-ram", image.min_ram))
}

/// The client's parser has no reliable end of options, and no name needs a leading dash.
fn target(name: &str) -> Result<String> {
    match name.trim_start_matches('-') {
        "" => Err(refused("the name of the image", "it is empty, or dashes alone").help("give one with --name")),
        name => Ok(word(name)),
    }
}

/// A name that begins with a dash would be taken for an option.
fn path(file: &str) -> String {
    if file.starts_with('-') { format!("./{file}") } else { file.to_owned() }
}

fn folded(words: &[String]) -> String {
    let mut text = String::new();
    let mut column = 0_usize;
    for word in words {
        let width = word.chars().count().saturating_add(1);
        if column > 0 && column.saturating_add(width) > WIDTH {
            text += " \\\n  ";
            column = 2;
        } else if column > 0 {
            text.push(' ');
        }
        text += word;
        column = column.saturating_add(width);
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::tests::image;
    use super::*;
    use crate::verdict::property::Withheld;

    #[test]
    fn comments_stay_comments() {
        let withheld = [Withheld {
            key: "hw_disk_bus",
            value: Some("scsi".to_owned()),
            check: Some("initrd-virtio-scsi"),
            reason: "x\nrm -rf /\r".to_owned(),
        }];
        let image =
            Manifest { file: Some("-d.qcow2"), min_ram: None, withheld: &withheld, ..image("-x", &[("a", "b c")]) };
        let withheld = "# withheld: hw_disk_bus=scsi: x\\u{a}rm -rf /\\u{d} (initrd-virtio-scsi)\n";
        for (format, expected) in [
            (
                CREATE,
                format!(
                    "{withheld}openstack image create --disk-format qcow2 --container-format bare --file ./-d.qcow2 \
                     --property 'a=b c' \\\n  --min-disk 3 x\n"
                ),
            ),
            (
                SET,
                format!(
                    "# -d.qcow2: 65536 bytes\n{withheld}# a=b c: earned by check-a\n\
                     openstack image set --property 'a=b c' --min-disk 3 x\n"
                ),
            ),
            (
                CINDER,
                format!(
                    "# -d.qcow2: 65536 bytes\n{withheld}# a=b c: earned by check-a\n\
                     openstack volume set --image-property 'a=b c' \"$VOLUME\"\n"
                ),
            ),
        ] {
            assert_eq!(format.write(std::slice::from_ref(&image)).unwrap().text, expected);
        }
    }

    #[test]
    fn names_that_the_client_cannot_take_are_refused() {
        assert!(CREATE.write(&[image("--", &[])]).is_err());
        assert!(SET.write(&[image("n", &[("a=b", "c")])]).is_err());
    }
}
