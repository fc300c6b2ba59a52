//! cloud-init asks `OpenStack` for its data.

use super::Check;
use crate::guest::Datasources;
use crate::verdict::login::{FACTS, default_starts, has_cloud_init};
use crate::verdict::{Evidence, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "cloud-init-datasource",
    summary: "cloud-init looks for OpenStack's metadata",
    broken: "cloud-init does not look for OpenStack's metadata",
    why: "cloud-init asks only the data sources of its list; without OpenStack in it the instance gets neither SSH keys nor user data.",
    detects: "datasource_list as cloud-init merges it from /etc/cloud/cloud.cfg and the sorted files of its conf_d, the later winning; the same as ds-identify reads it line by line; datasource in /etc/cloud/ds-identify.cfg; ds=, ci.ds= and ci.datasource= on the default entry's command line. A file that cannot be parsed, that is a template or that sets merge_how makes the answer unknown.",
    fix: "Write `datasource_list: [ConfigDrive, OpenStack, None]` in one line to the last file of /etc/cloud/cloud.cfg.d/, and remove ds=, ci.ds= and ci.datasource= from the command line.",
    family_fixes: &[(
        "debian",
        "dpkg-reconfigure cloud-init, which writes /etc/cloud/cloud.cfg.d/90_dpkg.cfg; or write `datasource_list: [ConfigDrive, OpenStack, None]` there",
    )],
    source: "cloud-init cloudinit/util.py (read_conf_with_confd), cloudinit/settings.py, tools/ds-identify (read_config, read_datasource_list)",
    reads: FACTS,
    run,
};

/// As cloud-init and ds-identify spell it; older versions find no other spelling.
const OPENSTACK: &str = "OpenStack";

fn run(view: &View<'_>, tally: &mut Tally) {
    match has_cloud_init(view) {
        None => return,
        Some(false) => return tally.not_applicable("cloud-init is not installed"),
        Some(true) => {}
    }
    if command_line(view, tally).is_none() {
        return;
    }
    let Some(cloud_init) = view.cloud_init() else { return };
    if let Some(Some(name)) = view.need(&cloud_init.datasource).filter(|name| name.as_deref() != Some(OPENSTACK)) {
        let found = format!("datasource: {name} makes cloud-init ask nothing else");
        tally.fault(Weight::Full, Evidence::at("/etc/cloud/ds-identify.cfg", found).expected(OPENSTACK));
    }
    let configured = view.need(&cloud_init.datasources);
    match configured {
        None => {}
        Some(None) => tally.proof(Evidence::of("no file sets datasource_list: the built-in one has OpenStack")),
        Some(Some(list)) if has(list, OPENSTACK) => {
            tally.proof(at(list, format!("datasource_list has {}", list.names.join(", "))));
            if !has(list, "ConfigDrive") {
                let found =
                    "datasource_list lacks ConfigDrive: where there is no metadata service the instance gets nothing";
                tally.note(at(list, found.to_owned()));
            }
        }
        Some(Some(list)) => tally.fault(Weight::Full, lacks(list, "datasource_list")),
    }
    if let Some(Some(list)) = view.need(&cloud_init.identified)
        && !has(list, OPENSTACK)
        && configured.is_none_or(|configured| configured.as_ref() != Some(list))
    {
        tally.fault(Weight::Full, lacks(list, "the line that ds-identify reads as datasource_list"));
    }
}

/// `ds=` counts since version 23.2, `ci.ds=` and `ci.datasource=` always did; of several the last.
fn command_line(view: &View<'_>, tally: &mut Tally) -> Option<()> {
    for default in default_starts(view)? {
        default.doubt_configuration();
        let Some(value) = default.last(&["ds", "ci.ds", "ci.datasource"]) else { continue };
        let name = value.split(';').next().unwrap_or_default();
        if !name.is_empty() && !name.eq_ignore_ascii_case(OPENSTACK) {
            let found = format!("the command line makes cloud-init ask {name} and nothing else");
            tally.fault(Weight::Full, default.start.at_line(found).expected(OPENSTACK));
        }
    }
    Some(())
}

fn has(list: &Datasources, name: &str) -> bool {
    list.names.iter().any(|known| known == name)
}

fn at(list: &Datasources, found: String) -> Evidence {
    Evidence::at(list.path.clone(), found).line(list.line)
}

fn lacks(list: &Datasources, what: &str) -> Evidence {
    let names = if list.names.is_empty() { "nothing".to_owned() } else { list.names.join(", ") };
    at(list, format!("{what} has {names}")).expected(OPENSTACK)
}
