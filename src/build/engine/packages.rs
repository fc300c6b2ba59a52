//! What is installed in a tree, by its own package tool.

use super::{Engine, Options, STAGE};
use crate::build::lock::Package;
use crate::build::plan::Family;
use crate::build::workshop::Workshop;
use crate::bytes::text;
use crate::error::Result;
use crate::limits::MIB;
use std::collections::BTreeMap;

/// Bytes of a list of packages: a desktop's 3 000 take 150 KiB.
const MAX_LIST: u64 = 16 * MIB;
/// Bytes of what apt knows of them, 2 KiB each.
const MAX_RECORDS: u64 = 64 * MIB;

/// Every installed package; those of apt with the SHA-256 of their archives.
pub(super) fn list(options: &Options, shop: &Workshop) -> Result<Vec<Package>> {
    let is_foreign = matches!(options.engine, Engine::Tar | Engine::Dir);
    let words: &[&str] = match options.family {
        Family::Debian | Family::Ubuntu => {
            &["dpkg-query", "-W", "-f", "${Package}\\t${Version}\\t${Architecture}\\t${db:Status-Status}\\n"]
        }
        Family::Fedora | Family::Suse => {
            &["rpm", "-qa", "--qf", "%{NAME}\\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\tinstalled\\n"]
        }
        Family::Alpine => &["cat", "/lib/apk/db/installed"],
        Family::Arch => &["sh", "-euc", "LC_ALL=C pacman -Qi"],
    };
    let Some((program, arguments)) = words.split_first() else { return Ok(Vec::new()) };
    let printed = match shop.output(STAGE, shop.within(program).args(arguments), MAX_LIST) {
        Ok(printed) => text(&printed),
        // A finished tree need not have been made of packages.
        Err(error) if is_foreign && !shop.is_cancelled() => {
            shop.write(STAGE, &format!("no packages are listed: {error}"));
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut packages = match options.family {
        Family::Alpine => records(&printed, "P:", "V:", "A:"),
        Family::Arch => {
            records(&printed.replace(" : ", ":").replace([' ', '\t'], ""), "Name:", "Version:", "Architecture:")
        }
        _ => rows(&printed),
    };
    if options.engine == Engine::Mmdebstrap {
        digests(&mut packages, shop)?;
    }
    Ok(packages)
}

fn package(name: &str, version: &str, architecture: &str) -> Package {
    Package { name: name.to_owned(), version: version.to_owned(), architecture: architecture.to_owned(), sha256: None }
}

/// Lines of name, version, architecture and state.
fn rows(printed: &str) -> Vec<Package> {
    let row = |line: &str| match line.split('\t').collect::<Vec<_>>().as_slice() {
        // rpm lists the keys that it trusts as packages.
        ["gpg-pubkey", ..] => None,
        [name, version, architecture, "installed"] => Some(package(name, version, architecture)),
        _ => None,
    };
    printed.lines().filter_map(row).collect()
}

/// Paragraphs of keys and values.
fn records(printed: &str, name: &str, version: &str, architecture: &str) -> Vec<Package> {
    let record = |text: &str| {
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
        Some(package(value(name)?, value(version)?, value(architecture)?))
    };
    printed.split("\n\n").filter_map(record).collect()
}

/// Asks the lists that apt installed from.
fn digests(packages: &mut [Package], shop: &Workshop) -> Result<()> {
    let name = |package: &Package| match package.architecture.as_str() {
        "all" => format!("{}={}", package.name, package.version),
        architecture => format!("{}:{architecture}={}", package.name, package.version),
    };
    let names: Vec<String> = packages.iter().map(name).collect();
    if names.is_empty() {
        return Ok(());
    }
    let printed = text(&shop.output(STAGE, shop.within("apt-cache").arg("show").args(names), MAX_RECORDS)?);
    let known = sums(&printed);
    for package in packages {
        let key = (package.name.clone(), package.version.clone(), package.architecture.clone());
        package.sha256 = known.get(&key).cloned();
    }
    Ok(())
}

/// SHA-256 by name, version and architecture.
fn sums(printed: &str) -> BTreeMap<(String, String, String), String> {
    let record = |text: &str| {
        let value =
            |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim().to_owned());
        Some(((value("Package:")?, value("Version:")?, value("Architecture:")?), value("SHA256:")?))
    };
    printed.split("\n\n").filter_map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let rows =
            rows("bash\t5.2-1\tamd64\tinstalled\nold\t1\tall\tconfig-files\ngpg-pubkey\t1-2\t(none)\tinstalled\n");
        assert_eq!(rows, [package("bash", "5.2-1", "amd64")]);
        let apk = "C:Q1x=\nP:musl\nV:1.2.5-r0\nA:x86_64\nF:lib\n\nC:Q1y=\nP:busybox\nV:1.36\nA:x86_64\n\n";
        assert_eq!(
            records(apk, "P:", "V:", "A:"),
            [package("musl", "1.2.5-r0", "x86_64"), package("busybox", "1.36", "x86_64")]
        );
    }

    #[test]
    fn sums_belong_to_a_version() {
        let printed = "Package: bash\nVersion: 5.2-1\nArchitecture: amd64\nDescription: a\n b\nSHA256: aa\n\nPackage: bash\nVersion: 5.1\nArchitecture: amd64\nSHA256: bb\n";
        let known = sums(printed);
        assert_eq!(known.len(), 2);
        assert_eq!(known[&("bash".to_owned(), "5.2-1".to_owned(), "amd64".to_owned())], "aa");
    }
}
