//! Wishes that are refused before anything is fetched, and what plans decide.

use super::*;
use crate::build::plan::Stage;
use crate::verdict::feature::FEATURES;

const BOOKWORM: &str = include_str!("../../../recipes/debian-12.toml");
const ALPINE: &str = include_str!("../../../recipes/alpine.toml");

fn planned(text: &str) -> Result<Plan> {
    let recipe = Recipe::parse("r.toml", text)?;
    plan(&Wanted {
        recipe: &recipe,
        features: FEATURES,
        folder: Path::new(""),
        lock: None,
        source_date_epoch: 86_400,
        manifests: &[],
    })
}

/// (recipe, what is replaced, by what, line and reason).
const IMPOSSIBLE: &[(&str, &str, &str, &str)] = &[
    (
        BOOKWORM,
        "[packages]",
        "[packages]\nkernel = \"linux-image-cloud-amd64\"\ninsist = true",
        "r.toml:15: packages.kernel: linux-image-cloud-amd64 of bookworm lacks CONFIG_I6300ESB_WDT (watchdog); CONFIG_SATA_AHCI (config-drive); linux-image-amd64 has it",
    ),
    (
        BOOKWORM,
        "[packages]",
        "[packages]\nkernel = \"linux-image-cloud-amd64=6.1\"",
        "packages.kernel: linux-image-cloud-amd64 of bookworm lacks",
    ),
    (ALPINE, "\"multiqueue\"", "\"watchdog\"", "nothing is known that provides watchdog on alpine"),
    (
        ALPINE,
        "\"uefi\"",
        "\"secure-boot\"",
        "nothing is known that provides secure-boot on alpine; it is there on debian",
    ),
    (BOOKWORM, "firmware = \"hybrid\"", "firmware = \"bios\"", "boot.firmware: the feature uefi needs uefi"),
    (
        BOOKWORM,
        "architecture = \"x86_64\"",
        "architecture = \"aarch64\"",
        "boot.firmware: aarch64 machines have no BIOS",
    ),
    (
        BOOKWORM,
        "[packages]",
        "[engine]\nname = \"dnf\"\n[packages]",
        "engine.name: dnf does not install debian; mmdebstrap does",
    ),
    (BOOKWORM, "id = \"debian\"", "id = \"arch\"", "distribution.id: no engine installs arch"),
    (
        BOOKWORM,
        "[boot]",
        "[units]\nmask = [\"watchdog.service\"]\n[boot]",
        "units.mask: the feature watchdog starts watchdog.service",
    ),
    (
        BOOKWORM,
        "[boot]",
        "[modules]\noptions = [\"blacklist i6300esb\"]\n[boot]",
        "the feature watchdog needs i6300esb",
    ),
    (
        BOOKWORM,
        "[boot]",
        "[modules]\noptions = [\"install virtio-scsi /bin/false\"]\n[boot]",
        "the feature virtio-scsi needs virtio_scsi",
    ),
    (
        BOOKWORM,
        "[boot]",
        "[cloud_init]\ndatasources = [\"OpenStack\"]\n[boot]",
        "the feature config-drive needs ConfigDrive",
    ),
    (
        BOOKWORM,
        "filesystem = \"ext4\"",
        "[[disk.partition]]\nlabel = \"bios\"\nkind = \"bios-boot\"\nsize = \"1 MiB\"\n[[disk.partition]]\nlabel = \"esp\"\nkind = \"esp\"\nsize = \"64 MiB\"\nfilesystem = \"vfat\"\nmount = \"/boot/efi\"\n[[disk.partition]]\nlabel = \"root\"\nkind = \"root\"\nfilesystem = \"xfs\"\nmount = \"/\"\nfeatures = [\"nrext64=1\"]",
        "debian's GRUB does not read a file system with nrext64=1",
    ),
    (
        BOOKWORM,
        "filesystem = \"ext4\"",
        "[[disk.partition]]\nlabel = \"bios\"\nkind = \"bios-boot\"\nsize = \"1 MiB\"\n[[disk.partition]]\nlabel = \"esp\"\nkind = \"esp\"\nsize = \"64 MiB\"\nfilesystem = \"vfat\"\nmount = \"/boot/efi\"\n[[disk.partition]]\nlabel = \"root\"\nkind = \"root\"\nfilesystem = \"ext4\"\nmount = \"/\"\noptions = [\"nodiscard\"]",
        "nodiscard stops what the feature discard is for",
    ),
    (
        BOOKWORM,
        "[boot]",
        "[[file]]\npath = \"/etc/x\"\nsource = \"nowhere\"\n[boot]",
        "file.source: nowhere: cannot read it",
    ),
];

#[test]
fn impossible_wishes_are_refused_with_the_reason() {
    let wrong = |(recipe, from, to, says): &(&str, &str, &str, &str)| {
        assert!(recipe.contains(from), "{from}");
        let refused = planned(&recipe.replacen(from, to, 1)).map(drop).map_err(|error| error.to_string());
        (!refused.as_ref().is_err_and(|text| text.contains(says))).then(|| format!("{to}: {refused:?}"))
    };
    let wrong: Vec<String> = IMPOSSIBLE.iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_kernel_that_has_the_driver_is_taken_and_said() {
    let plan = planned(BOOKWORM).unwrap();
    assert_eq!(plan.notes.len(), 1);
    assert!(plan.notes[0].starts_with("kernel linux-image-amd64 instead of linux-image-cloud-amd64, which lacks"));
    let Stage::Tree(tree) = &plan.stages[0] else { panic!() };
    assert!(tree.packages.iter().any(|name| name == "linux-image-amd64"));
    assert!(!tree.packages.iter().any(|name| name.contains("cloud-amd64")));
    // Nothing of it needs the driver: the kernel stays.
    let text = BOOKWORM.replace("\"watchdog\", ", "").replace(", \"config-drive\"", "");
    assert!(planned(&text).unwrap().notes.is_empty());
}

#[test]
fn a_lock_keeps_its_identifiers_and_its_time() {
    let recipe = Recipe::parse("r.toml", BOOKWORM).unwrap();
    let wanted = Wanted {
        recipe: &recipe,
        features: FEATURES,
        folder: Path::new(""),
        lock: None,
        source_date_epoch: 86_400,
        manifests: &[],
    };
    let first = plan(&wanted).unwrap();
    let lock = Lock::of(&first, String::new(), Vec::new(), None);
    let later = Wanted { source_date_epoch: 172_800, ..wanted };
    assert_ne!(plan(&later).unwrap().uuids, first.uuids);
    let again = plan(&Wanted { lock: Some(&lock), ..later }).unwrap();
    assert_eq!(again, first);
}

#[test]
fn trim_is_kept_as_the_recipe_says() {
    let rows = |text: &str| {
        let plan = planned(text).unwrap();
        let fstab =
            plan.stages.iter().find_map(|stage| if let Stage::Fstab(fstab) = stage { Some(fstab) } else { None });
        let units =
            plan.stages.iter().find_map(|stage| if let Stage::Units(units) = stage { Some(units) } else { None });
        let has_timer = units.unwrap().enable.iter().any(|unit| unit == "fstrim.timer");
        (fstab.unwrap().rows[0].options.clone(), has_timer)
    };
    assert_eq!(rows(BOOKWORM), ("errors=remount-ro".to_owned(), true));
    let mounted = BOOKWORM.replace("[disk]", "[disk]\ntrim = \"mount\"");
    assert_eq!(rows(&mounted), ("discard,errors=remount-ro".to_owned(), false));
    assert_eq!(rows(ALPINE), ("discard,errors=remount-ro".to_owned(), false));
}

#[test]
fn plans_come_back_as_they_were() {
    for text in [BOOKWORM, ALPINE] {
        let plan = planned(text).unwrap();
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }
}
