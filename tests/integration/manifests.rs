//! Every manifest is read back as what was written, or refused when it is written.

use crate::common::bootworthy;
use crate::hostile_manifests::{image, images, properties, written};
use bootworthy::manifest::{Claim, ClaimValue, FORMATS, READERS, Typing, read};

/// The reader of a format: the name of its writer, but for the lines of a shell.
fn reader(format: &str) -> &str {
    if matches!(format, "openstack-set" | "cinder") { "openstack" } else { format }
}

fn text(claim: Option<&Claim>) -> Option<String> {
    claim.and_then(|claim| claim.sent(Typing::Strict))
}

#[test]
fn hostile_names_and_values_come_back() {
    let mut refused = Vec::new();
    let mut back = 0;
    for format in FORMATS.iter().filter(|format| format.demands.is_empty()) {
        for image in images() {
            let Some(manifest) = written(format, &image) else {
                refused.push(format!("{} {:?}", format.name, properties(&image)[0]));
                continue;
            };
            assert!(manifest.chars().all(|c| matches!(c, '\n' | ' '..='~')), "{}: {manifest:?}", format.name);
            let document = read("manifest", &manifest, Some(reader(format.name)))
                .unwrap_or_else(|error| panic!("{}: {error}\n{manifest}", format.name));
            let [found] = document.images.as_slice() else { panic!("{}: {manifest}", format.name) };
            let mut sent: Vec<(String, String)> =
                found.properties.iter().map(|row| (row.key.clone(), text(Some(row)).unwrap_or_default())).collect();
            let mut expected = properties(&image);
            sent.sort();
            expected.sort();
            assert_eq!(sent, expected, "{}: {manifest}", format.name);
            let has_minima = !matches!(format.name, "cinder" | "zuul" | "nodepool");
            let minimum = found.min_disk.as_ref().map(|claim| claim.value.clone());
            assert_eq!(minimum, has_minima.then_some(ClaimValue::Integer(3)), "{}", format.name);
            let is_named = !matches!(format.name, "cinder" | "zuul" | "nodepool" | "json-patch" | "tfvars");
            assert!(
                !is_named || text(found.name.as_ref()).as_deref() == Some(image.name),
                "{}: {manifest}",
                format.name
            );
            back += 1;
        }
    }
    // Packer's templates, keys with = on a command line, templates in Ansible's keys: each with one clear error.
    assert!(
        back > 900
            && refused
                .iter()
                .all(|row| row.contains('=') || row.contains("{{") || row.contains("{%") || row.contains("{#")),
        "{back}\n{}",
        refused.join("\n")
    );
}

#[test]
fn formats_are_recognised_by_what_is_in_them() {
    let image = || image("Debian 13", &[("hw_disk_bus", "scsi")]);
    for format in FORMATS.iter().filter(|format| format.demands.is_empty()) {
        let manifest = format.write(&[image()]).unwrap().text;
        let document =
            read("manifest", &manifest, None).unwrap_or_else(|error| panic!("{}: {error}\n{manifest}", format.name));
        assert_eq!(document.format, reader(format.name));
    }
    for reader in READERS {
        for text in ["", "\0", "x", "[", "{", "a: [", "images: 3\nmeta:", "openstack image create 'a", "\u{feff}"] {
            drop(read("manifest", text, Some(reader.name)));
            drop(read("manifest", text, None));
        }
    }
    let two = "images:\n- meta: {}\n# openstack.cloud.image:\n- openstack.cloud.image:\n    name: x\n";
    assert!(read("x.yml", two, None).unwrap_err().to_string().contains("it could be ansible or image-manager"));
    assert_eq!(read("x.yml", two, Some("image-manager")).unwrap().images.len(), 2);
}

/// Cut anywhere and filled with anything, a manifest is read or refused, in time.
#[test]
fn broken_manifests_are_refused() {
    let image = || image("Debian 13", &[("hw_disk_bus", "scsi"), ("a b", "${c} {{ d }}\n")]);
    let mut seed = 1_u64;
    for format in FORMATS {
        let Some(manifest) = written(format, &image()) else { continue };
        for at in 0..manifest.len() {
            drop(read("manifest", &manifest[..at], Some(reader(format.name))));
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let odd = ["\"", "{", "}", "[", "${", "\n", "&a ", "*a ", "'", "\\", "<<"]
                [usize::try_from(seed >> 33).unwrap() % 11];
            let changed = format!("{}{odd}{}", &manifest[..at], &manifest[at..]);
            drop(read("manifest", &changed, Some(reader(format.name))));
        }
    }
}

const SCS: &[&str] = &[
    "min_ram=512",
    "os_purpose=generic",
    "replace_frequency=monthly",
    "uuid_validity=last-3",
    "provided_until=none",
    "image_source=https://cloud.example.com/debian-13.qcow2",
    "image_description=https://cloud.example.com/debian-13",
    "image_build_date=2026-01-31",
];

fn with_policy<'a>(args: &[&'a str], policy: &[&'a str]) -> Vec<&'a str> {
    args.iter().copied().chain(policy.iter().flat_map(|row| ["--policy", row])).collect()
}

#[test]
fn scs_and_the_catalogue() {
    let good = crate::common::fixture("good.qcow2");
    let good = good.to_str().unwrap();
    let scs = ["properties", good, "--set", "scs", "--format"];
    let user = ["image_original_user=debian"];
    let policy: Vec<&str> = SCS.iter().chain(&user).copied().collect();
    let run = bootworthy(with_policy(&[&scs[..], &["json"]].concat(), &policy));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    for row in &policy {
        let (key, value) = row.split_once('=').unwrap();
        let expected: serde_json::Value = if key == "min_ram" { 512.into() } else { value.into() };
        assert_eq!(json[key], expected, "{key}");
    }
    let run = bootworthy(with_policy(&[&scs[..], &["image-manager"]].concat(), &policy));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains("note: hw_qemu_guest_agent=yes is left out: the schema has no such key"),
        "{}",
        run.stderr
    );
    let digest = String::from_utf8(crate::common::tool("sha512sum", [good])).unwrap();
    assert!(run.stdout.contains(&format!("checksum: \"sha512:{}\"", &digest[..128])), "{}", run.stdout);
    for missing in SCS {
        let rest: Vec<&str> = policy.iter().filter(|row| *row != missing).copied().collect();
        let run = bootworthy(with_policy(&[&scs[..], &["json"]].concat(), &rest));
        let key = missing.split('=').next().unwrap();
        assert!(
            run.code == 2 && run.stdout.is_empty() && run.stderr.contains(&format!("--policy {key}=VALUE")),
            "{}",
            run.stderr
        );
    }
    for (args, part) in [
        (vec!["properties", good, "--policy", "os_purpose=server"], "generic, oldgeneric, minimal"),
        (vec!["properties", good, "--policy", "os_porpose=generic"], "os_purpose"),
        (vec!["properties", good, "--policy", "os_purpose"], "KEY=VALUE is expected"),
        (vec!["properties", good, "--format", "image-manager"], "--policy uuid_validity=VALUE (none, last-N"),
    ] {
        let run = bootworthy(&args);
        assert!(run.code == 2 && run.stderr.contains(part), "{args:?}: {}", run.stderr);
    }
}
