//! What the kernel's configuration and its command line keep from being unpacked or loaded.

use super::cmdline::Stop;
use super::{File, Place, Shelf, Start};
use crate::fact::Gap;
use crate::guest::{Initrd, KernelConfig};
use crate::verdict::{Evidence, Tally, Weight};
use std::collections::BTreeSet;

/// Modules that one module may depend on, as [`Shelf::unmet`] follows them.
const MAX_CLOSURE: usize = 1024;

/// The option without which Linux does not unpack a segment (`lib/decompress.c`).
const CODECS: &[(&str, &str)] = &[
    ("gzip", "CONFIG_RD_GZIP"),
    ("bzip2", "CONFIG_RD_BZIP2"),
    ("lzma", "CONFIG_RD_LZMA"),
    ("xz", "CONFIG_RD_XZ"),
    ("lzo", "CONFIG_RD_LZO"),
    ("lz4", "CONFIG_RD_LZ4"),
    ("zstd", "CONFIG_RD_ZSTD"),
];

impl<'a> Start<'_, 'a> {
    /// The kernel's configuration; that it has none, or none that can be read, says nothing.
    fn config(&self) -> Option<&'a KernelConfig> {
        let (config, _) = self.view.apart(|view| Start { view, ..*self }.kernel()?.config.known()?.as_ref());
        config
    }

    /// The value of an option and the evidence of its line.
    fn option(&self, name: &str) -> Option<(&'a str, Evidence)> {
        let config = self.config()?;
        let option = config.options.iter().find(|option| option.name == name)?;
        let found = match option.value.as_str() {
            "n" => format!("{name} is not set"),
            value => format!("{name}={value}"),
        };
        Some((&option.value, self.at(config.path.clone(), found).line(option.line)))
    }

    /// Whether an option is off, and the evidence, `why` appended.
    fn is_off(&self, name: &str, why: &str) -> Option<Evidence> {
        let (_, evidence) = self.option(name).filter(|(value, _)| *value == "n")?;
        let found = format!("{}: {why}", evidence.found);
        Some(Evidence { found, ..evidence }.mend(format!("start a kernel that has {name}=y")))
    }

    /// The words that the kernel itself puts before those of the loader; `None` keeps the gap where it ignores the
    /// loader's (`arch/x86/kernel/setup.c`).
    pub(in crate::verdict) fn built_in_words(&self) -> Option<String> {
        let value = |name| self.option(name).map(|(value, _)| value);
        if value("CONFIG_CMDLINE_OVERRIDE") == Some("y") {
            let reason = "CONFIG_CMDLINE_OVERRIDE=y: this kernel ignores the boot loader's command line";
            self.view.miss(Gap::at(self.attempt.kernel.clone(), reason));
            return None;
        }
        let is_off = value("CONFIG_CMDLINE_BOOL") == Some("n");
        let text = value("CONFIG_CMDLINE").filter(|_| !is_off).unwrap_or_default();
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        Some(text.replace("\\\"", "\""))
    }

    /// Keeps the gap of a command line that speaks against initrds.
    pub(super) fn doubt_initrds(&self, initrds: &[&Initrd]) {
        if !initrds.is_empty() && self.cmdline().is_some_and(|cmdline| cmdline.is_without_initrd) {
            // kernel-parameters.txt says that none is loaded, init/initramfs.c unpacks one that is an archive.
            let reason = "noinitrd is on the command line: whether this kernel uses its initrd is not known";
            self.view.miss(Gap::at(self.entry.config.clone(), reason));
        }
    }

    /// Why a kernel of this configuration does not unpack these initrds.
    pub(super) fn not_configured(&self, initrds: &[&Initrd]) -> Vec<Evidence> {
        if initrds.is_empty() {
            return Vec::new();
        }
        let mut faults: Vec<Evidence> =
            self.is_off("CONFIG_BLK_DEV_INITRD", "this kernel uses no initrd").into_iter().collect();
        for (codec, option) in CODECS {
            let uses = |initrd: &&&Initrd| {
                let segments = initrd.segments.known().map(|segments| segments.items.as_slice()).unwrap_or_default();
                segments.iter().any(|segment| segment.compression == *codec)
            };
            if let Some(initrd) = initrds.iter().find(uses) {
                let why = format!("this kernel does not unpack {}, which is {codec}", initrd.path);
                faults.extend(self.is_off(option, &why).or_else(|| self.lacks(option, &why)));
            }
        }
        faults
    }

    /// A configuration that knows other codecs and not this one is of a kernel that does not have it yet.
    fn lacks(&self, option: &str, why: &str) -> Option<Evidence> {
        let config = self.config()?;
        let is_named = |name: &str| config.options.iter().any(|option| option.name == name);
        let knows_others = CODECS.iter().any(|(_, other)| is_named(other));
        let found = format!("{option} is not there: {why}");
        let fix = format!("build the initrd with a compression that this kernel has, or start one that has {option}=y");
        (knows_others && !is_named(option)).then(|| self.at(config.path.clone(), found).mend(fix))
    }

    /// Whether nothing stops `module`, which is at `place`, nor what it depends on. Faults go to the tally, gaps to the
    /// view.
    pub fn is_free(&self, tally: &mut Tally, shelf: &Shelf<'_, 'a>, module: &str, place: &Place<'a>) -> bool {
        let Some(cmdline) = self.cmdline() else { return false };
        let mut is_free = true;
        if let Place::File(_) = place
            && let Some(fault) = self.is_off("CONFIG_MODULES", &format!("this kernel does not load {module}.ko"))
        {
            tally.fault(Weight::Full, fault);
            is_free = false;
        }
        if !cmdline.has_driver_words() {
            return is_free;
        }
        let is_file = matches!(place, Place::File(_));
        for stop in cmdline.stops(module, is_file) {
            is_free = false;
            match stop {
                Stop::Certain(word) => {
                    let evidence = self.at_line(format!("{word}: Linux refuses {module}"));
                    tally.fault(Weight::Full, evidence.mend(unword(&word)));
                }
                Stop::Possible(word) => self.view.miss(Gap::at(
                    self.entry.config.clone(),
                    format!("{word} is on the command line: whether {module} still comes up is not known"),
                )),
            }
        }
        // What modprobe loads as a dependency is not asked for its blacklists, but Linux is.
        let needs = if let Place::File(file) = place { self.needs(shelf, file) } else { BTreeSet::new() };
        for needed in needs {
            for word in cmdline.stops(&needed, true).into_iter().filter_map(Stop::certain) {
                let found = format!("{word}: Linux refuses {needed}, which {module} needs");
                tally.fault(Weight::Full, self.at_line(found).mend(unword(&word)));
                is_free = false;
            }
        }
        is_free
    }

    /// The module files that `file` depends on; what could not be read is a gap of the view.
    fn needs(&self, shelf: &Shelf<'_, 'a>, file: &File<'a>) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut queue = vec![*file];
        while let Some(file) = queue.pop() {
            let Some(record) = shelf.record(&file) else { continue };
            for needs in record.depends.iter().filter(|needs| !needs.is_empty()) {
                if seen.len() >= MAX_CLOSURE {
                    let reason = format!("{} depends on more than {MAX_CLOSURE} modules", record.name);
                    self.view.miss(Gap::at(self.attempt.kernel.clone(), reason));
                    return seen;
                }
                if !seen.contains(needs)
                    && let Some(Place::File(file)) = shelf.place(needs)
                {
                    seen.insert(needs.clone());
                    queue.push(file);
                }
            }
        }
        seen
    }
}

/// How to mend a word of the command line.
pub fn unword(word: &str) -> String {
    format!("remove {word} from the kernel's command line in the boot loader's configuration")
}

impl Stop {
    fn certain(self) -> Option<String> {
        match self {
            Self::Certain(word) => Some(word),
            Self::Possible(_) => None,
        }
    }
}
