//! Files → nodes of QEMU's block layer: every format is named, no node opens what an image names.

use super::storage::{CONFIG_NODE, ROOT_NODE};
use super::{Machine, Role, Wiring};
use serde_json::json;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// `-blockdev` of every file, those of the disks in the order of libvirt: what lies below comes first.
pub(super) fn nodes(machine: &Machine, wiring: &Wiring) -> Vec<OsString> {
    let mut all = Vec::new();
    if let Some((code, variables)) = &wiring.firmware {
        // Fedora's firmware is qcow2; it comes from the host, and its name is to be believed.
        let driver = if code.extension() == Some(OsStr::new("qcow2")) { "qcow2" } else { "raw" };
        pflash(&mut all, "pflash0", code, driver, true);
        pflash(&mut all, "pflash1", variables, driver, false);
    }
    file(&mut all, "base", &wiring.base, true);
    node(
        &mut all,
        &json!({
            "node-name": "base-format", "driver": wiring.base_format, "file": "base-storage", "read-only": true,
            "backing": null,
        }),
        wiring.base_format == "raw",
    );
    file(&mut all, "root", &wiring.overlay, false);
    node(
        &mut all,
        &json!({
            "node-name": ROOT_NODE, "driver": "qcow2", "file": "root-storage", "backing": "base-format",
            "read-only": false, "discard": "unmap",
        }),
        false,
    );
    if let Some(path) = wiring.config_drive.as_ref().filter(|_| machine.device(Role::ConfigDrive).is_some()) {
        file(&mut all, "config", path, true);
        node(
            &mut all,
            &json!({
                "node-name": CONFIG_NODE, "driver": "raw", "file": "config-storage", "read-only": true,
            }),
            false,
        );
    }
    all
}

fn pflash(all: &mut Vec<OsString>, name: &str, path: &Path, driver: &str, is_read_only: bool) {
    file(all, name, path, is_read_only);
    node(
        all,
        &json!({
            "node-name": format!("{name}-format"), "driver": driver, "file": format!("{name}-storage"),
            "read-only": is_read_only,
        }),
        false,
    );
}

/// A file in the form of keys and values: JSON could not carry a path that is not UTF-8.
fn file(all: &mut Vec<OsString>, name: &str, path: &Path, is_read_only: bool) {
    let access = if is_read_only { "read-only=on" } else { "read-only=off" };
    // Nothing here outlives the host: no flush needs to reach its disk, and tmpfs has no direct access.
    let mut text = format!("driver=file,node-name={name}-storage,{access},discard=unmap,cache.no-flush=on,filename=");
    if is_read_only {
        text = text.replace(",cache.no-flush=on", "");
    }
    let mut argument = OsString::from(text);
    argument.push(escaped(path.as_os_str()));
    all.extend(["-blockdev".into(), argument]);
}

fn node(all: &mut Vec<OsString>, node: &serde_json::Value, is_raw: bool) {
    let mut node = node.clone();
    if let Some(fields) = node.as_object_mut().filter(|_| is_raw) {
        fields.remove("backing");
    }
    all.extend(["-blockdev".into(), node.to_string().into()]);
}

/// Text as a value among others with commas between: QEMU takes two commas for one.
pub(super) fn escaped(text: &OsStr) -> OsString {
    let mut bytes = Vec::with_capacity(text.len());
    for byte in text.as_bytes() {
        bytes.push(*byte);
        if *byte == b',' {
            bytes.push(b',');
        }
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_are_doubled_and_nothing_else_is_touched() {
        for (text, expected) in
            [(&b"/plain"[..], &b"/plain"[..]), (b"/a,b=c,,d", b"/a,,b=c,,,,d"), (b"/\xff\n'\"", b"/\xff\n'\"")]
        {
            assert_eq!(escaped(OsStr::from_bytes(text)).as_bytes(), expected);
        }
    }
}
