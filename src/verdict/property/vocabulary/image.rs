//! Image properties as Nova takes them: `ImageMetaProps.from_dict` of `nova/objects/image_meta.py`.

use super::{CpuSet, Entry, Kind, MAX_NODES, Scope, properties, python, versions};
use std::collections::BTreeMap;
use std::fmt;

/// A value as Nova holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// A whole number, as the shortest decimal text.
    Integer(String),
    /// Text, in Nova's spelling.
    Text(String),
    /// The processors of each NUMA node.
    Cpus(Vec<CpuSet>),
    /// The memory of each NUMA node in MiB.
    Memory(Vec<String>),
    /// The names of the traits.
    Traits(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => f.write_str(if *value { "True" } else { "False" }),
            Self::Integer(text) | Self::Text(text) => f.write_str(text),
            Self::Cpus(sets) => {
                let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", sets.join(";"))
            }
            Self::Memory(list) | Self::Traits(list) => write!(f, "[{}]", list.join(";")),
        }
    }
}

/// A property that Nova refuses; an instance of the image ends in an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The property as it was given.
    pub key: String,
    /// What is wrong with its value, and what would be right.
    pub reason: String,
}

/// The properties of an image as Nova takes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageProps {
    fields: BTreeMap<&'static str, Value>,
}

/// What Nova makes of one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It takes it: its fields with their values.
    Accepted(Vec<(&'static str, Value)>),
    /// It takes it for false without a word, for it is no truth value.
    SilentlyFalse(&'static str),
    /// It does not read a property of this name, or not with this value.
    Ignored,
    /// It refuses it, for this reason.
    Rejected(String),
}

/// What Nova makes of one property alone.
pub fn judge(key: &str, value: &str) -> Judged {
    let (props, rejected) = ImageProps::from_pairs([(key, value)]);
    if let Some(rejected) = rejected.into_iter().next() {
        return Judged::Rejected(rejected.reason);
    }
    let is_silent = |(_, held): &(&&str, &Value)| **held == Value::Bool(false) && python::boolean(value).is_none();
    match props.fields.iter().find(is_silent) {
        Some((field, _)) => Judged::SilentlyFalse(field),
        None if props.fields.is_empty() => Judged::Ignored,
        None => Judged::Accepted(props.fields.into_iter().collect()),
    }
}

impl ImageProps {
    /// Reads all properties of an image, older names first, so that the name of now wins; what is refused stands apart.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> (Self, Vec<Rejected>) {
        let pairs: BTreeMap<&str, &str> = pairs.into_iter().collect();
        let (mut props, mut rejected) = (Self::default(), Vec::new());
        for is_current in [false, true] {
            for entry in properties().iter().filter(|entry| entry.scope == Scope::Nova) {
                let names =
                    entry.aliases.iter().filter(|_| !is_current).chain(Some(&entry.name).filter(|_| is_current));
                for name in names.filter(|_| !matches!(entry.kind, Kind::Numa | Kind::Traits)) {
                    if let Some(value) = pairs.get(name.as_str()) {
                        props.set(entry, name, value, &mut rejected);
                    }
                }
            }
            if !is_current {
                props.set_adapter(&pairs, &mut rejected);
            }
        }
        props.set_numa(&pairs, &mut rejected);
        props.set_traits(&pairs);
        (props, rejected)
    }

    /// The value of a field.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field)
    }

    /// A field that is a truth value.
    pub fn flag(&self, field: &str) -> Option<bool> {
        if let Some(Value::Bool(value)) = self.get(field) { Some(*value) } else { None }
    }

    /// A field that is text.
    pub fn text(&self, field: &str) -> Option<&str> {
        if let Some(Value::Text(text)) = self.get(field) { Some(text) } else { None }
    }

    /// A field that is a number, at the ends of `i64` where it is beyond them.
    pub fn integer(&self, field: &str) -> Option<i64> {
        if let Some(Value::Integer(text)) = self.get(field) { Some(python::value(text)) } else { None }
    }

    /// The processors of each NUMA node.
    pub fn cpus(&self) -> Option<&[CpuSet]> {
        if let Some(Value::Cpus(sets)) = self.get("hw_numa_cpus") { Some(sets) } else { None }
    }

    /// The memory of each NUMA node in MiB.
    pub fn memory(&self) -> Option<Vec<i64>> {
        let Some(Value::Memory(list)) = self.get("hw_numa_mem") else { return None };
        Some(list.iter().map(|text| python::value(text)).collect())
    }

    /// Whether the image asks for a trait.
    pub fn has_trait(&self, name: &str) -> bool {
        matches!(self.get("traits_required"), Some(Value::Traits(list)) if list.iter().any(|known| known == name))
    }

    fn set(&mut self, entry: &'static Entry, key: &str, value: &str, rejected: &mut Vec<Rejected>) {
        match coerce(entry, value) {
            Ok(value) => drop(self.fields.insert(&entry.name, value)),
            Err(reason) => rejected.push(Rejected { key: key.to_owned(), reason }),
        }
    }

    /// `vmware_adaptertype`: `ide` is a bus, anything else the model of a SCSI controller.
    fn set_adapter(&mut self, pairs: &BTreeMap<&str, &str>, rejected: &mut Vec<Rejected>) {
        const KEY: &str = "vmware_adaptertype";
        let Some(adapter) = pairs.get(KEY).filter(|adapter| !adapter.is_empty()) else { return };
        let bus = if *adapter == "ide" { "ide" } else { "scsi" };
        self.fields.insert("hw_disk_bus", Value::Text(bus.to_owned()));
        if let Some(entry) = super::property("hw_scsi_model").filter(|_| bus == "scsi") {
            self.set(entry, KEY, adapter, rejected);
        }
    }

    /// Numbered from 0; what comes behind a hole is not read.
    fn set_numa(&mut self, pairs: &BTreeMap<&str, &str>, rejected: &mut Vec<Rejected>) {
        let (mut cpus, mut memory) = (Vec::new(), Vec::new());
        let numbered = |stem: &str| {
            let names = (0..MAX_NODES).map(|node| format!("{stem}.{node}")).collect::<Vec<_>>();
            names.into_iter().map_while(|name| Some((*pairs.get(name.as_str())?, name))).collect::<Vec<_>>()
        };
        for (value, key) in numbered("hw_numa_cpus") {
            match CpuSet::parse(value) {
                Ok(set) => cpus.push(set),
                Err(part) => rejected.push(Rejected { key, reason: bad_cpus(&part) }),
            }
        }
        for (value, key) in numbered("hw_numa_mem") {
            match python::int(value) {
                Some(number) => memory.push(number),
                None => rejected.push(Rejected { key, reason: bad_integer(value) }),
            }
        }
        if !cpus.is_empty() {
            self.fields.insert("hw_numa_cpus", Value::Cpus(cpus));
        }
        if !memory.is_empty() {
            self.fields.insert("hw_numa_mem", Value::Memory(memory));
        }
    }

    fn set_traits(&mut self, pairs: &BTreeMap<&str, &str>) {
        let required = pairs.iter().filter(|(_, value)| **value == "required");
        let traits: Vec<String> =
            required.filter_map(|(key, _)| key.strip_prefix("trait:")).map(str::to_owned).collect();
        if !traits.is_empty() {
            self.fields.insert("traits_required", Value::Traits(traits));
        }
    }
}

fn bad_cpus(part: &str) -> String {
    format!("{part:?} is no processor number and no range that rises, such as 0-3 or ^2")
}

fn bad_integer(value: &str) -> String {
    format!("{value:?} is no whole number")
}

/// The field's own rule (`nova/objects/fields.py`, `oslo_versionedobjects/fields.py`).
fn coerce(entry: &Entry, value: &str) -> Result<Value, String> {
    match entry.kind {
        Kind::Bool => Ok(Value::Bool(python::boolean(value).unwrap_or(false))),
        Kind::Integer => python::int(value).map(Value::Integer).ok_or_else(|| bad_integer(value)),
        Kind::Enum => one_of(entry, value),
        Kind::Versions if versions::is_predicate(value) => Ok(Value::Text(value.to_owned())),
        Kind::Versions => Err(format!("{value:?} is no comparison of versions, such as >=2.6 or >=1.5,<2")),
        Kind::List => Err("it takes a list, and no property can hold one".to_owned()),
        _ => Ok(Value::Text(value.to_owned())),
    }
}

fn one_of(entry: &Entry, value: &str) -> Result<Value, String> {
    let folded = if entry.folds_case { value.to_lowercase() } else { value.to_owned() };
    let meant = entry.value_aliases.get(&folded).unwrap_or(&folded);
    if entry.values.contains(meant) {
        return Ok(Value::Text(meant.clone()));
    }
    Err(format!("{value:?} is none of {}", entry.values.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(judged: Judged) -> String {
        match judged {
            Judged::Accepted(fields) => {
                fields.iter().map(|(field, value)| format!("{field}={value}")).collect::<Vec<_>>().join(" ")
            }
            Judged::SilentlyFalse(field) => format!("{field} silently false"),
            Judged::Ignored => "ignored".to_owned(),
            Judged::Rejected(reason) => format!("rejected: {reason}"),
        }
    }

    #[test]
    fn one_property_as_nova_takes_it() {
        for (key, value, expected) in [
            ("hw_disk_bus", "scsi", "hw_disk_bus=scsi"),
            ("hw_disk_bus", "ata", "rejected: \"ata\" is none of fdc, ide, sata, scsi, usb, virtio, xen, lxc, uml"),
            ("hw_scsi_model", "VirtIO-SCSI", "hw_scsi_model=virtio-scsi"),
            ("hw_scsi_model", "paravirtual", "hw_scsi_model=vmpvscsi"),
            ("architecture", "AMD64", "hw_architecture=x86_64"),
            ("vmware_adaptertype", "ide", "hw_disk_bus=ide"),
            ("vmware_adaptertype", "lsiLogic", "hw_disk_bus=scsi hw_scsi_model=lsilogic"),
            ("vmware_adaptertype", "", "ignored"),
            ("hw_pmu", " YES ", "hw_pmu=True"),
            ("hw_pmu", "enabled", "hw_pmu silently false"),
            ("hw_pmu", "off", "hw_pmu=False"),
            ("hw_cpu_cores", " 1_0", "hw_cpu_cores=10"),
            ("hw_cpu_cores", "two", "rejected: \"two\" is no whole number"),
            ("hw_numa_cpus.0", "0-3,^1", "hw_numa_cpus=[0,2-3]"),
            ("hw_numa_cpus.1", "0-3", "ignored"),
            ("hw_numa_cpus", "0-3", "ignored"),
            ("hw_numa_mem.0", "512", "hw_numa_mem=[512]"),
            ("trait:CUSTOM_X", "required", "traits_required=[CUSTOM_X]"),
            ("trait:CUSTOM_X", "forbidden", "ignored"),
            ("traits_required", "CUSTOM_X", "ignored"),
            ("img_mappings", "[]", "rejected: it takes a list, and no property can hold one"),
            ("hypervisor_version_requires", ">=2.6", "img_hv_requested_version=>=2.6"),
            ("os_version", "13", "ignored"),
        ] {
            assert_eq!(told(judge(key, value)), expected, "{key}={value}");
        }
    }

    #[test]
    fn the_name_of_now_wins_and_refusals_stand_apart() {
        let pairs = [("architecture", "i686"), ("hw_architecture", "x86_64"), ("hw_disk_bus", "ata"), ("vm_mode", "?")];
        let (props, rejected) = ImageProps::from_pairs(pairs);
        assert_eq!(props.text("hw_architecture"), Some("x86_64"));
        let keys: Vec<&str> = rejected.iter().map(|rejected| rejected.key.as_str()).collect();
        assert_eq!(keys, ["vm_mode", "hw_disk_bus"]);
    }
}
