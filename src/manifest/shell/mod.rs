//! Shell lines with `openstack image create`, `image set`, `volume set` and `glance image-create`: words as a POSIX
//! shell makes them (POSIX.1-2024, 2.2), options as the clients read them.

mod words;

use super::read::{Reader, is_field, shape};
use super::{Claim, ClaimValue, Claims, Document, Typing};
use crate::error::Result;
use words::{Word, split};

pub(super) const READER: Reader = Reader {
    name: "openstack",
    summary: "shell lines of openstack and glance",
    fits: |_, text| text.lines().any(|line| commands(line).iter().any(|words| command(words).is_some())),
    read,
};

fn read(text: &str) -> Result<Document> {
    let commands = split(text)?;
    let images: Vec<Claims> = commands
        .iter()
        .filter_map(|words| command(words).map(|(is_partial, rest)| Claims { is_partial, ..image(rest) }))
        .collect();
    if images.is_empty() {
        return Err(shape("`openstack image create` or `openstack image set`"));
    }
    Ok(Document { typing: Typing::Strict, images, ..Document::default() })
}

/// For a look: a line that is not whole counts as far as its words go.
fn commands(line: &str) -> Vec<Vec<Word>> {
    let word = |text: &str| Word { text: text.to_owned(), ..Word::default() };
    let whole = split(line.trim_end().trim_end_matches('\\'));
    whole.unwrap_or_else(|_| vec![line.split_ascii_whitespace().map(word).collect()])
}

/// Whether the call changes what is there already, and the words behind it.
fn command(words: &[Word]) -> Option<(bool, &[Word])> {
    const CALLS: &[(&str, &[&str], bool)] = &[
        ("openstack", &["image", "create"], false),
        ("openstack", &["image", "set"], true),
        ("openstack", &["volume", "set"], true),
        ("glance", &["image-create"], false),
        ("glance", &["image-update"], true),
        ("glance", &["image-create-via-import"], false),
    ];
    let is_before = |word: &Word| word.text == "sudo" || word.text == "exec" || is_assignment(&word.text);
    let at = words.iter().position(|word| !is_before(word))?;
    let (program, rest) = words.get(at..)?.split_first()?;
    let name = program.text.rsplit('/').next()?;
    // Options of the client itself stand before the call.
    CALLS.iter().filter(|(client, ..)| *client == name).find_map(|(_, call, is_partial)| {
        let is_call = |window: &[Word]| window.iter().map(|word| word.text.as_str()).eq(call.iter().copied());
        let at = rest.windows(call.len()).position(is_call)?;
        Some((*is_partial, rest.get(at.checked_add(call.len())?..)?))
    })
}

fn is_assignment(text: &str) -> bool {
    let name = text.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Options without a value (`openstackclient/image/v2/image.py`).
const FLAGS: &[&str] = &[
    "--protected",
    "--unprotected",
    "--public",
    "--private",
    "--community",
    "--shared",
    "--force",
    "--progress",
    "--import",
    "--hidden",
    "--unhidden",
    "--activate",
    "--deactivate",
    "--accept",
    "--reject",
    "--pending",
    "--os-hidden",
    "--bootable",
    "--non-bootable",
    "--no-property",
    "--attached",
    "--detached",
    "--read-only",
    "--read-write",
];
/// Options that set a property (`openstackclient/image/v2/image.py`, `SetImage`).
const OWN: &[(&str, &str)] = &[
    ("--architecture", "architecture"),
    ("--instance-id", "instance_id"),
    ("--instance-uuid", "instance_id"),
    ("--kernel-id", "kernel_id"),
    ("--os-distro", "os_distro"),
    ("--os-version", "os_version"),
    ("--ramdisk-id", "ramdisk_id"),
];

fn image(words: &[Word]) -> Claims {
    let mut claims = Claims { line: words.first().map(|word| word.line), ..Claims::default() };
    let mut words = words.iter();
    let mut named = None;
    while let Some(word) = words.next() {
        let Some(option) = word.text.strip_prefix("--").map(|_| word.text.as_str()) else {
            // The last word without an option is the image's name.
            named = Some(value_of(word, &word.text)).filter(|_| !word.text.starts_with('-')).or(named);
            continue;
        };
        let (option, inside) = option.split_once('=').map_or((option, None), |(option, value)| (option, Some(value)));
        if FLAGS.contains(&option) {
            continue;
        }
        let (at, text) = match inside {
            Some(value) => (word, value),
            None => match words.next() {
                Some(value) => (value, value.text.as_str()),
                None => break,
            },
        };
        take(&mut claims, option, at, text);
    }
    let line = claims.line;
    claims.name = claims.name.or_else(|| named.map(|value| Claim::new("name", value, line)));
    claims
}

fn take(claims: &mut Claims, option: &str, word: &Word, text: &str) {
    let claim = |key: &str| Some(Claim::new(key, value_of(word, text), Some(word.line)));
    match option {
        "--name" => claims.name = claim("name"),
        "--min-disk" => claims.min_disk = number(claim("min_disk")),
        "--min-ram" => claims.min_ram = number(claim("min_ram")),
        "--disk-format" => claims.disk_format = claim("disk_format"),
        "--container-format" => claims.container_format = claim("container_format"),
        // argparse takes the beginning of an option for it.
        "--property" | "--propert" | "--proper" | "--prope" | "--image-property" => {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            let claim = Claim::new(key, value_of(word, value), Some(word.line));
            let list = if is_field(key) { &mut claims.fields } else { &mut claims.properties };
            list.push(claim);
        }
        _ => {
            let own = OWN.iter().find(|(name, _)| *name == option);
            claims.properties.extend(own.and_then(|(_, key)| claim(key)));
        }
    }
}

/// The client reads whole numbers.
fn number(claim: Option<Claim>) -> Option<Claim> {
    claim.map(|claim| match &claim.value {
        ClaimValue::Text(text) => match text.parse() {
            Ok(number) => Claim { value: ClaimValue::Integer(number), ..claim },
            Err(_) => claim,
        },
        _ => claim,
    })
}

fn value_of(word: &Word, text: &str) -> ClaimValue {
    if word.is_computed { ClaimValue::Computed(text.to_owned()) } else { ClaimValue::Text(text.to_owned()) }
}

#[cfg(test)]
mod tests;
