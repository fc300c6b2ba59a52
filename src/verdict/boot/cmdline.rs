//! A kernel command line → what checks judge of it (`Documentation/admin-guide/kernel-parameters.rst`, `man 7 dracut.cmdline`).

/// What checks ask of a command line. Two attempts with the same kernel, initrds and `Cmdline` are judged once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cmdline {
    /// The last `root=`, without quotes: the kernel, initramfs-tools and dracut all let the last one win.
    pub root: Option<String>,
    /// `panic=` makes a kernel that cannot go on boot again; 0 makes it wait for ever.
    pub reboots: bool,
    /// The word by which the initrd itself needs the network.
    pub network: Option<String>,
    /// `rdinit=`, where it is not `/init`.
    pub rdinit: Option<String>,
}

impl Cmdline {
    /// Parses a command line; what follows `--` is init's.
    pub fn parse(text: &str) -> Self {
        let mut cmdline = Self::default();
        for word in words(text).iter().take_while(|word| *word != "--") {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "root" => cmdline.root = Some(value.to_owned()),
                "panic" => cmdline.reboots = value.parse::<i64>().is_ok_and(|seconds| seconds != 0),
                "rdinit" => cmdline.rdinit = Some(value.to_owned()).filter(|init| init != "/init"),
                _ => {}
            }
            if cmdline.network.is_none() && needs_network(key, value) {
                cmdline.network = Some(word.clone());
            }
        }
        cmdline.root = cmdline.root.filter(|root| !root.is_empty());
        cmdline
    }
}

/// `man 7 dracut.cmdline` and initramfs-tools(7): `ip=`, `rd.neednet=1`, `netroot=`, a network root, clevis and tang.
fn needs_network(key: &str, value: &str) -> bool {
    match key {
        "ip" => !matches!(value, "off" | "none"),
        "rd.neednet" => !matches!(value, "0" | "no" | "off"),
        "netroot" | "nfsroot" | "iscsi_initiator" | "rd.iscsi.initiator" | "iscsi_target_name" => true,
        "boot" => value == "nfs",
        "root" => is_network_root(value),
        _ => key.contains("clevis") || value.contains("clevis") || key.contains("tang."),
    }
}

/// `root=` forms that name a server.
pub fn is_network_root(root: &str) -> bool {
    const SCHEMES: &[&str] = &[
        "nfs:",
        "nfs4:",
        "nbd:",
        "iscsi:",
        "fcoe:",
        "cifs:",
        "cifs://",
        "dhcp",
        "http:",
        "https:",
        "ftp:",
        "live:http",
    ];
    root == "/dev/nfs" || root == "nfs" || SCHEMES.iter().any(|scheme| root.starts_with(scheme))
}

/// Splits at white space outside double quotes and drops the quotes (`lib/cmdline.c`, `next_arg`).
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for character in text.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            _ if character.is_ascii_whitespace() && !is_quoted => words.push(String::new()),
            _ => {
                if let Some(word) = words.last_mut() {
                    word.push(character);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_root_wins_and_quotes_vanish() {
        for (text, root) in [
            ("BOOT_IMAGE=/vmlinuz root=UUID=1 ro", Some("UUID=1")),
            ("root=/dev/vda1 root=UUID=2 quiet", Some("UUID=2")),
            ("root=\"UUID=3\" ro", Some("UUID=3")),
            ("root=UUID=\"4\" ro", Some("UUID=4")),
            ("\"root=LABEL=my root\" ro", Some("LABEL=my root")),
            ("ro -- root=UUID=5", None),
            ("root= ro", None),
            ("xroot=UUID=6 rootflags=subvol=@", None),
            ("", None),
        ] {
            assert_eq!(Cmdline::parse(text).root.as_deref(), root, "{text}");
        }
    }

    #[test]
    fn panic_reboots_unless_it_is_zero() {
        for (text, reboots) in [
            ("panic=-1", true),
            ("panic=10", true),
            ("panic=0", false),
            ("panic", false),
            ("panic=x", false),
            ("", false),
        ] {
            assert_eq!(Cmdline::parse(text).reboots, reboots, "{text}");
        }
    }

    #[test]
    fn words_that_need_the_network() {
        for (text, network) in [
            ("ip=dhcp", true),
            ("ip=off", false),
            ("rd.neednet=1", true),
            ("rd.neednet", true),
            ("rd.neednet=0", false),
            ("netroot=iscsi:@10.0.0.1::::x", true),
            ("root=/dev/nfs nfsroot=1.2.3.4:/x", true),
            ("root=nfs4:server:/x", true),
            ("root=UUID=1 ipv6.disable=1 zip=1", false),
            ("rd.clevis=1", true),
        ] {
            assert_eq!(Cmdline::parse(text).network.is_some(), network, "{text}");
        }
    }

    #[test]
    fn another_init_of_the_initrd_is_kept() {
        assert_eq!(Cmdline::parse("rdinit=/bin/sh").rdinit.as_deref(), Some("/bin/sh"));
        assert_eq!(Cmdline::parse("rdinit=/init").rdinit, None);
    }
}
