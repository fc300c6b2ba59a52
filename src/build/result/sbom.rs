//! What is in the image, as `CycloneDX` 1.5 (ECMA-424, <https://cyclonedx.org/docs/1.5/json/>) with package URLs
//! (<https://github.com/package-url/purl-spec>).

use super::{Made, Sums};
use crate::build::lock::Package as Installed;
use crate::guest::{OsRelease, Package};
use serde_json::{Map, Value, json};

/// The document.
pub(super) fn write(title: &str, made: &Made<'_>, sums: &Sums) -> String {
    let guest = made.report.guest.as_ref();
    let os = guest.and_then(|guest| guest.os.known());
    let packages = guest.and_then(|guest| guest.packages.known()).map(|list| list.items.as_slice()).unwrap_or_default();
    let mut components: Vec<Value> = Vec::new();
    if let Some(os) = os {
        let version = os.version_id.clone().unwrap_or_default();
        components.push(json!({ "type": "operating-system", "bom-ref": "os", "name": os.id, "version": version }));
    }
    // What was taken out again is not in the image, though the database remembers it.
    let installed = packages.iter().filter(|package| package.state.is_none());
    components.extend(installed.map(|package| component(package, os, made.packages)));
    let document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": serial(&sums.sha256),
        "version": 1,
        "metadata": {
            "timestamp": timestamp(made.source_date_epoch),
            "tools": { "components": [
                { "type": "application", "name": "bootworthy", "version": env!("CARGO_PKG_VERSION") },
            ] },
            "component": {
                "type": "file",
                "bom-ref": "image",
                "name": title,
                "version": &sums.sha256,
                "hashes": [
                    { "alg": "SHA-256", "content": &sums.sha256 },
                    { "alg": "SHA-512", "content": &sums.sha512 },
                ],
            },
        },
        "components": components,
    });
    format!("{document:#}\n")
}

fn component(package: &Package, os: Option<&OsRelease>, installed: &[Installed]) -> Value {
    let version = version(package);
    let purl = os.and_then(|os| purl(package, os));
    let mut component = Map::new();
    let arch = package.arch.clone().unwrap_or_default();
    component.insert("type".to_owned(), json!("library"));
    component.insert(
        "bom-ref".to_owned(),
        json!(purl.clone().unwrap_or_else(|| format!("{}:{arch}={version}", package.name))),
    );
    component.insert("name".to_owned(), json!(package.name));
    component.insert("version".to_owned(), json!(version));
    let is_it =
        |other: &&Installed| other.name == package.name && other.version == version && other.architecture == arch;
    if let Some(sha256) = installed.iter().find(is_it).and_then(|other| other.sha256.as_ref()) {
        component.insert("hashes".to_owned(), json!([{ "alg": "SHA-256", "content": sha256 }]));
    }
    if let Some(purl) = purl {
        component.insert("purl".to_owned(), json!(purl));
    }
    Value::Object(component)
}

/// As the package tools write it: epoch, version, revision.
fn version(package: &Package) -> String {
    let epoch = package.epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
    format!("{epoch}{}", unepoched(package))
}

fn unepoched(package: &Package) -> String {
    let release = package.release.as_ref().map(|release| format!("-{release}")).unwrap_or_default();
    format!("{}{release}", package.version)
}

/// The types of package URLs, by what os-release says (purl-spec, types deb, rpm, apk, alpm).
const TYPES: &[(&str, &str)] = &[
    ("debian", "deb"),
    ("ubuntu", "deb"),
    ("fedora", "rpm"),
    ("rhel", "rpm"),
    ("centos", "rpm"),
    ("suse", "rpm"),
    ("opensuse", "rpm"),
    ("alpine", "apk"),
    ("arch", "alpm"),
];

fn purl(package: &Package, os: &OsRelease) -> Option<String> {
    let names = std::iter::once(&os.id).chain(&os.id_like);
    let kind = names.filter_map(|name| TYPES.iter().find(|(id, _)| id == name)).map(|(_, kind)| *kind).next()?;
    // An RPM's epoch is a qualifier; elsewhere it is a part of the version.
    let (version, epoch) = match (kind, package.epoch) {
        ("rpm", Some(epoch)) => (unepoched(package), Some(epoch)),
        _ => (version(package), None),
    };
    let mut qualifiers = Vec::new();
    qualifiers.extend(package.arch.as_ref().map(|arch| format!("arch={}", encoded(arch))));
    if let Some(version) = &os.version_id {
        qualifiers.push(format!("distro={}-{}", encoded(&os.id), encoded(version)));
    }
    qualifiers.extend(epoch.map(|epoch| format!("epoch={epoch}")));
    let qualifiers = if qualifiers.is_empty() { String::new() } else { format!("?{}", qualifiers.join("&")) };
    Some(format!("pkg:{kind}/{}/{}@{}{qualifiers}", encoded(&os.id), encoded(&package.name), encoded(&version)))
}

/// Percent-encoded, but for what a package URL leaves as it is (purl-spec, "Character encoding").
fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect::<Vec<_>>()
        .concat()
}

/// A UUID of version 8 made of the image's digest: the same image has the same document.
fn serial(sha256: &str) -> String {
    let part = |from: usize, to: usize| sha256.get(from..to).unwrap_or_default();
    format!("urn:uuid:{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

const DAY: u64 = 86_400;

/// RFC 3339, in UTC.
fn timestamp(seconds: u64) -> String {
    let (mut days, rest) = (seconds.checked_div(DAY).unwrap_or_default(), seconds.checked_rem(DAY).unwrap_or_default());
    let part = |unit: u64, of: u64| rest.checked_div(unit).and_then(|n| n.checked_rem(of)).unwrap_or_default();
    let time = format!("{:02}:{:02}:{:02}Z", part(3600, 24), part(60, 60), part(1, 60));
    for year in 1970..=9999_u64 {
        let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let february = if is_leap { 29 } else { 28 };
        for (month, length) in (1..).zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
            match days.checked_sub(length) {
                None => return format!("{year}-{month:02}-{:02}T{time}", days.saturating_add(1)),
                Some(left) => days = left,
            }
        }
    }
    format!("9999-12-31T{time}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_782_820_799, "2026-06-30T11:59:59Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(timestamp(seconds), text);
        }
    }

    #[test]
    fn package_urls() {
        let package = |name: &str, epoch, version: &str, release: Option<&str>, arch: &str| Package {
            name: name.to_owned(),
            epoch,
            version: version.to_owned(),
            release: release.map(str::to_owned),
            arch: Some(arch.to_owned()),
            state: None,
        };
        let os = |id: &str, like: &[&str], version: &str| OsRelease {
            path: "/etc/os-release".to_owned(),
            id: id.to_owned(),
            id_like: like.iter().map(|name| (*name).to_owned()).collect(),
            version_id: Some(version.to_owned()),
            version_codename: None,
            pretty_name: None,
            architecture: crate::fact::Fact::Known("x86_64".to_owned()),
        };
        for (package, os, expected) in [
            (
                package("libc6", None, "2.36", Some("9+deb12u1"), "amd64"),
                os("debian", &[], "12"),
                Some("pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64&distro=debian-12"),
            ),
            (
                package("passwd", Some(1), "4.13+dfsg1", Some("1"), "amd64"),
                os("debian", &[], "12"),
                Some("pkg:deb/debian/passwd@1:4.13%2Bdfsg1-1?arch=amd64&distro=debian-12"),
            ),
            (
                package("grub2-tools", Some(1), "2.06", Some("94.el9"), "x86_64"),
                os("rocky", &["rhel", "centos", "fedora"], "9.4"),
                Some("pkg:rpm/rocky/grub2-tools@2.06-94.el9?arch=x86_64&distro=rocky-9.4&epoch=1"),
            ),
            (
                package("musl", None, "1.2.5-r9", None, "x86_64"),
                os("alpine", &[], "3.22"),
                Some("pkg:apk/alpine/musl@1.2.5-r9?arch=x86_64&distro=alpine-3.22"),
            ),
            (package("x", None, "1", None, "x"), os("nixos", &[], "1"), None),
        ] {
            assert_eq!(purl(&package, &os).as_deref(), expected);
        }
    }
}
