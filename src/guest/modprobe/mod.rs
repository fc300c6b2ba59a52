//! modprobe.d and what loads modules by name → rules and loads (`man 5 modprobe.d`, `man 5 modules-load.d`).

mod folders;
mod loads;
mod pattern;
mod rules;

pub(crate) use folders::{Body, Folder, Kind, is_mask};
pub(crate) use loads::{cmdline_blacklists, cmdline_loads, initrd_loads, modules_load};
pub use pattern::matches;
pub use rules::parse;
pub(crate) use rules::rules_in;

use crate::disk::filesystem::Root;
use crate::fact::Listing;
use crate::guest::{ModprobeRule, ModuleLoad};
use crate::limits::Limits;

/// Where kmod looks, the first first (`default_config_paths` of `libkmod/libkmod.c`): /usr/lib since version 34, and on
/// most distributions the same as /lib. /run is not among them: what an image has there is hidden by a tmpfs.
pub(crate) const MODPROBE: &[&str] =
    &["/etc/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"];

/// Where systemd-modules-load looks (`CONF_PATHS` of systemd's `src/basic/constants.h`).
pub(crate) const MODULES_LOAD: &[&str] =
    &["/etc/modules-load.d", "/usr/local/lib/modules-load.d", "/usr/lib/modules-load.d", "/lib/modules-load.d"];

/// modprobe.d of a root tree, in the order in which kmod reads it. What could not be read is a gap.
pub fn rules(root: &Root, limits: &Limits) -> Listing<ModprobeRule> {
    let folders = folders::read(root, MODPROBE, Kind::Modprobe, limits);
    rules_in(folders.items, folders.gaps, limits.list_rows)
}

/// What a root tree loads by name at boot. What could not be read is a gap.
pub fn loads(root: &Root, limits: &Limits) -> Listing<ModuleLoad> {
    let folders = folders::read(root, MODULES_LOAD, Kind::Conf, limits);
    let mut loads = modules_load(folders.items, folders.gaps);
    loads::root_files(root, limits, &mut loads);
    loads.items.truncate(limits.list_rows);
    loads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Memory;

    fn told(tree: Memory) -> (Vec<String>, usize) {
        let rules = rules(&tree.root(), &Limits::default());
        let text = |rule: &ModprobeRule| format!("{}:{} {} {}", rule.path, rule.line, rule.command, rule.module);
        (rules.items.iter().map(text).collect(), rules.gaps.len())
    }

    #[test]
    fn files_are_read_by_name_and_the_first_folder_wins() {
        let tree = Memory::new("ext4", "", "")
            .file("/etc/modprobe.d/b.conf", "blacklist from-etc")
            .file("/usr/local/lib/modprobe.d/b.conf", "blacklist shadowed")
            .file("/usr/lib/modprobe.d/b.conf", "blacklist shadowed")
            .file("/usr/lib/modprobe.d/a.conf", "blacklist a")
            .file("/usr/lib/modprobe.d/z.alias", "blacklist z")
            .file("/usr/lib/modprobe.d/.c.conf", "blacklist hidden")
            .file("/usr/lib/modprobe.d/.conf", "blacklist hidden")
            .file("/usr/lib/modprobe.d/c.conf.bak", "blacklist other")
            .file("/usr/lib/modprobe.d/d.conf", "blacklist masked")
            .file("/usr/lib/modprobe.d/e.conf", "blacklist masked")
            .file("/usr/lib/modprobe.d/f.conf", "blacklist f")
            .link("/etc/modprobe.d/d.conf", "/dev/null")
            .link("/etc/modprobe.d/e.conf", "../../dev/null")
            .link("/etc/modprobe.d/f.conf", "nowhere")
            .folder("/etc/modprobe.d/g.conf")
            .file("/run/modprobe.d/a.conf", "blacklist run")
            .link("/lib", "usr/lib");
        let expected = [
            "/usr/lib/modprobe.d/a.conf:1 blacklist a",
            "/etc/modprobe.d/b.conf:1 blacklist from_etc",
            "/usr/lib/modprobe.d/f.conf:1 blacklist f",
            "/usr/lib/modprobe.d/z.alias:1 blacklist z",
        ];
        assert_eq!(told(tree), (expected.map(str::to_owned).to_vec(), 0));
    }

    #[test]
    fn folders_that_only_some_kmods_read_do_not_shadow_each_other() {
        let tree = Memory::new("ext4", "", "")
            .file("/usr/lib/modprobe.d/a.conf", "blacklist a")
            .file("/lib/modprobe.d/a.conf", "blacklist b");
        let expected = ["/usr/lib/modprobe.d/a.conf:1 blacklist a", "/lib/modprobe.d/a.conf:1 blacklist b"];
        assert_eq!(told(tree), (expected.map(str::to_owned).to_vec(), 0));
    }

    #[test]
    fn what_is_not_read_is_a_gap_and_what_is_not_there_is_none() {
        assert_eq!(told(Memory::new("ext4", "", "")), (Vec::new(), 0));
        assert_eq!(told(Memory::new("ext4", "", "").unreadable("/etc/modprobe.d/a.conf")), (Vec::new(), 1));
        assert_eq!(told(Memory::new("ext4", "", "").unreadable("/etc/modprobe.d")), (Vec::new(), 1));
        let large = vec![b'#'; usize::try_from(Limits::default().config_file).unwrap() + 1];
        assert_eq!(told(Memory::new("ext4", "", "").file("/etc/modprobe.d/a.conf", large)), (Vec::new(), 1));
    }

    #[test]
    fn modules_that_are_loaded_by_name() {
        let tree = Memory::new("ext4", "", "")
            .file("/etc/modules", "# comment\n\nloop max_loop=8\n")
            .link("/etc/modules-load.d/modules.conf", "../modules")
            .file("/usr/lib/modules-load.d/x.conf", "; no\n  virtio-rng  \ni6300esb")
            .file("/etc/default/watchdog", "run_watchdog=1\nwatchdog_module=\"none\"\n watchdog_module='i6300esb'\n");
        let loads = loads(&tree.root(), &Limits::default());
        let text =
            |load: &ModuleLoad| format!("{}:{} {} {} {}", load.path, load.line, load.by, load.module, load.is_forced);
        let expected = [
            "/etc/modules-load.d/modules.conf:3 systemd-modules-load loop max_loop=8 false",
            "/usr/lib/modules-load.d/x.conf:2 systemd-modules-load virtio_rng false",
            "/usr/lib/modules-load.d/x.conf:3 systemd-modules-load i6300esb false",
            "/etc/modules:3 openrc loop false",
            "/etc/default/watchdog:3 watchdog i6300esb true",
        ];
        assert_eq!(loads.items.iter().map(text).collect::<Vec<_>>(), expected);
        assert!(loads.gaps.is_empty());
    }
}
