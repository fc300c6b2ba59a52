//! An instance's first words from OpenStack, as Nova gives them: an ISO 9660 image with the label `config-2`.

mod iso;

pub use iso::image;

use crate::error::{Error, Result};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The label by which cloud-init finds it (`virt/configdrive.py` of Nova).
const LABEL: &str = "config-2";
/// Bytes of user data: Nova takes 65 535 of base64.
const MAX_USER_DATA: usize = 49_149;

/// What an instance is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The instance's id, lower case with dashes; cloud-init takes a new one for a new instance.
    pub uuid: String,
    /// Its host name, without a domain.
    pub hostname: String,
    /// A line of `authorized_keys`, under the name `bootworthy`.
    pub public_key: Option<String>,
    /// What cloud-init runs, with its `#cloud-config` or `#!` line.
    pub user_data: Option<String>,
    /// The network card's address, lower case.
    pub mac: String,
    /// IPv4 address and netmask; by DHCP without them.
    pub address: Option<(String, String)>,
}

impl Instance {
    /// Writes its config drive at `path`, which must not exist.
    ///
    /// # Errors
    /// When the user data is longer than Nova takes, or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let image = image(LABEL, &self.files()?)?;
        let failed = |error: std::io::Error| Error::io("config drive", error).at(path.display().to_string());
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(&image).map_err(failed)
    }

    /// The files of `openstack/latest`, in the order of `InstanceMetadata.metadata_for_config_drive`.
    fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>> {
        let text = |value: Value| value.to_string().into_bytes();
        let mut files = vec![("openstack/latest/meta_data.json", text(self.meta_data()))];
        if let Some(user_data) = &self.user_data {
            if user_data.len() > MAX_USER_DATA {
                let found = format!("{} bytes, Nova takes {MAX_USER_DATA}", user_data.len());
                return Err(Error::too_large("user data", found));
            }
            files.push(("openstack/latest/user_data", user_data.as_bytes().to_vec()));
        }
        files.push(("openstack/latest/vendor_data.json", text(json!({}))));
        files.push(("openstack/latest/network_data.json", text(self.network_data())));
        files.push(("openstack/latest/vendor_data2.json", text(json!({}))));
        Ok(files)
    }

    /// `InstanceMetadata._metadata_as_json`; without `random_seed`, for the same instance is told the same.
    fn meta_data(&self) -> Value {
        let mut data = json!({
            "uuid": self.uuid,
            "hostname": self.hostname,
            "name": self.hostname,
            "launch_index": 0,
            "availability_zone": "nova",
            "project_id": "00000000000000000000000000000000",
            "devices": [],
            "dedicated_cpus": [],
        });
        if let (Some(key), Some(members)) = (&self.public_key, data.as_object_mut()) {
            members.insert("public_keys".to_owned(), json!({"bootworthy": key}));
            members.insert("keys".to_owned(), json!([{"name": "bootworthy", "type": "ssh", "data": key}]));
        }
        data
    }

    /// `netutils.get_network_metadata` for one port.
    fn network_data(&self) -> Value {
        let mut network = json!({
            "id": "network0",
            "type": "ipv4_dhcp",
            "link": "tap00000000-00",
            "network_id": "00000000-0000-0000-0000-000000000001",
        });
        if let (Some((address, netmask)), Some(members)) = (&self.address, network.as_object_mut()) {
            members.insert("type".to_owned(), json!("ipv4"));
            members.insert("ip_address".to_owned(), json!(address));
            members.insert("netmask".to_owned(), json!(netmask));
            members.insert("routes".to_owned(), json!([]));
            members.insert("services".to_owned(), json!([]));
        }
        json!({
            "links": [{
                "id": "tap00000000-00",
                "vif_id": "00000000-0000-0000-0000-000000000002",
                "type": "ovs",
                "mtu": if self.address.is_some() { json!(1500) } else { Value::Null },
                "ethernet_mac_address": self.mac,
            }],
            "networks": [network],
            "services": [],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance() -> Instance {
        Instance {
            uuid: "c9a1e4d2-0000-4000-8000-000000000001".to_owned(),
            hostname: "web".to_owned(),
            public_key: Some("ssh-ed25519 AAAA".to_owned()),
            user_data: Some("#cloud-config\n".to_owned()),
            mac: "fa:16:3e:00:00:01".to_owned(),
            address: None,
        }
    }

    #[test]
    fn what_is_said_has_novas_keys() {
        let whole = instance();
        assert_eq!(whole.meta_data()["public_keys"]["bootworthy"], "ssh-ed25519 AAAA");
        assert_eq!(whole.network_data()["networks"][0]["type"], "ipv4_dhcp");
        assert!(whole.meta_data().get("admin_pass").is_none());
        let bare = Instance {
            public_key: None,
            user_data: None,
            address: Some(("192.0.2.2".to_owned(), "255.255.255.0".to_owned())),
            ..instance()
        };
        assert!(bare.meta_data().get("public_keys").is_none());
        assert_eq!(bare.network_data()["networks"][0]["ip_address"], "192.0.2.2");
        assert_eq!(bare.files().unwrap().len() + 1, whole.files().unwrap().len());
        let loud = Instance { user_data: Some("x".repeat(MAX_USER_DATA + 1)), ..instance() };
        assert_eq!(loud.files().unwrap_err().to_string(), "user data: 49150 bytes, Nova takes 49149");
    }
}
