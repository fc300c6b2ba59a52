//! An instance's first words from OpenStack, as Nova gives them: an ISO 9660 image with the label `config-2`.

/// Until the real one lands.
pub(super) fn shim(path: &std::path::Path, seed: &super::proof::Seed) -> crate::error::Result<()> {
    let folder = path.with_extension("d");
    let latest = folder.join("openstack/latest");
    let meta = serde_json::json!({"uuid": seed.instance, "hostname": "bootworthy", "name": "bootworthy", "public_keys": {"k": seed.public_key}, "availability_zone": "nova", "launch_index": 0});
    let fail = |error: std::io::Error| crate::error::Error::io("shim", error);
    std::fs::create_dir_all(&latest).map_err(fail)?;
    std::fs::write(latest.join("meta_data.json"), meta.to_string()).map_err(fail)?;
    std::fs::write(latest.join("user_data"), seed.user_data()).map_err(fail)?;
    #[expect(clippy::disallowed_methods, reason = "shim")]
    let made = std::process::Command::new("genisoimage")
        .args(["-quiet", "-J", "-r", "-V", "config-2", "-o"])
        .arg(path)
        .arg(&folder)
        .status();
    made.map_err(fail)?;
    Ok(())
}
