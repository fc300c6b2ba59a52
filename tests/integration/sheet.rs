//! The table feature × image side, complete: what is missing, and that something is to be done about it.

use bootworthy::verdict::feature::{FEATURES, Side};
use serde_json::Value;

/// `image`, the ids that are missing, and `key=value state` of each property, of one feature.
pub fn row(sheet: &Value, name: &str) -> (String, Vec<String>, Vec<String>) {
    let feature = sheet["features"].as_array().unwrap().iter().find(|feature| feature["name"] == name).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let missing = feature["missing"].as_array().unwrap().iter().map(|missing| text(&missing["id"])).collect();
    let property = |property: &Value| {
        format!("{}={} {}", text(&property["key"]), text(&property["value"]), text(&property["state"]))
    };
    let properties = feature["properties"].as_array().unwrap().iter().map(property).collect();
    (text(&feature["image"]), missing, properties)
}

/// Every judged feature: what its image side says, and what is missing.
pub fn compare(sheet: &Value, name: &str, expected: &[(&str, &str, &[&str])]) {
    let names: Vec<&str> =
        FEATURES.iter().filter(|feature| feature.side == Side::Judged).map(|feature| feature.name).collect();
    assert_eq!(expected.iter().map(|row| row.0).collect::<Vec<_>>(), names, "{name}: the table is complete");
    for (feature, image, missing) in expected {
        let (found, ids, _) = row(sheet, feature);
        assert_eq!(
            (found.as_str(), ids),
            (*image, missing.iter().map(|id| (*id).to_owned()).collect()),
            "{name}: {feature}"
        );
    }
    for feature in sheet["features"].as_array().unwrap() {
        let is_open = ["missing", "unknown"].contains(&feature["image"].as_str().unwrap());
        assert_eq!(is_open, !feature["missing"].as_array().unwrap().is_empty(), "{name}: {feature}");
        for missing in feature["missing"].as_array().unwrap() {
            for key in ["title", "reason", "fix"] {
                assert!(missing[key].as_str().is_some_and(|text| !text.is_empty()), "{name}: no {key}: {missing}");
            }
        }
        for property in feature["properties"].as_array().unwrap() {
            let is_there = ["set", "earned"].contains(&property["state"].as_str().unwrap());
            assert_eq!(is_there, property["reason"].is_null(), "{name}: {property}");
        }
    }
}

pub const SIGNATURES: (&str, &str, &[&str]) = ("secure-boot", "unknown", &["os_secure_boot"]);

/// Its cloud kernel has neither the watchdog's driver nor those of an ide or sata CD-ROM.
pub fn debian_12(sheet: &Value, name: &str) {
    compare(
        sheet,
        name,
        &[
            ("virtio-scsi", "ready", &[]),
            ("discard", "ready", &[]),
            ("guest-agent", "ready", &[]),
            ("multiqueue", "ready", &[]),
            ("watchdog", "missing", &["watchdog-driver", "watchdog-armed"]),
            ("uefi", "ready", &[]),
            SIGNATURES,
            ("config-drive", "missing", &["img_config_drive"]),
        ],
    );
    assert!(row(sheet, "config-drive").2.contains(&"hw_cdrom_bus=scsi earned".to_owned()), "{name}: {sheet}");
    let text = sheet.to_string();
    assert!(text.contains("Or set hw_cdrom_bus=scsi, which this image has earned"), "{name}: {text}");
}
