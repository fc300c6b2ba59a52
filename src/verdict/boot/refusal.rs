//! What the kernel's configuration and its command line keep from being unpacked or loaded.

use super::Start;
use crate::fact::Gap;
use crate::guest::{Initrd, KernelConfig};
use crate::verdict::Evidence;

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

/// The option without which Linux does not undo a branch filter of xz (`lib/xz/Kconfig`), and whether every kernel
/// that reads xz has it unless it was left out: the others came with Linux 6.12.
const FILTERS: &[(&str, &str, bool)] = &[
    ("x86", "CONFIG_XZ_DEC_X86", true),
    ("powerpc", "CONFIG_XZ_DEC_POWERPC", true),
    ("ia64", "CONFIG_XZ_DEC_IA64", true),
    ("arm", "CONFIG_XZ_DEC_ARM", true),
    ("armthumb", "CONFIG_XZ_DEC_ARMTHUMB", true),
    ("sparc", "CONFIG_XZ_DEC_SPARC", true),
    ("arm64", "CONFIG_XZ_DEC_ARM64", false),
    ("riscv", "CONFIG_XZ_DEC_RISCV", false),
];

impl<'a> Start<'_, 'a> {
    /// The kernel's configuration; that it has none, or none that can be read, says nothing.
    fn config(&self) -> Option<&'a KernelConfig> {
        let (config, _) = self.view.apart(|view| Start { view, ..*self }.kernel()?.config.known()?.as_ref());
        config
    }

    /// The value of an option and the evidence of its line.
    pub fn option(&self, name: &str) -> Option<(&'a str, Evidence)> {
        let config = self.config()?;
        let option = config.options.iter().find(|option| option.name == name)?;
        let found = match option.value.as_str() {
            "n" => format!("{name} is not set"),
            value => format!("{name}={value}"),
        };
        Some((&option.value, self.at(config.path.clone(), found).line(option.line)))
    }

    /// Whether an option is off, and the evidence, `why` appended.
    pub(super) fn is_off(&self, name: &str, why: &str) -> Option<Evidence> {
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
        for (filter, option, is_common) in FILTERS {
            let uses = |initrd: &&&Initrd| {
                let segments = initrd.segments.known().map(|segments| segments.items.as_slice()).unwrap_or_default();
                segments.iter().any(|segment| segment.filters.iter().any(|name| name == filter))
            };
            let Some(initrd) = initrds.iter().find(uses) else { continue };
            let why = format!("this kernel does not unpack {}, which is xz with the {filter} filter", initrd.path);
            let fault = self.is_off(option, &why).or_else(|| self.lacks_filter(option, &why));
            if fault.is_none() && !is_common && self.config().is_none() {
                let reason = format!("{}: whether this kernel has {option} is not known", initrd.path);
                self.view.miss(Gap::at(self.attempt.kernel.clone(), reason));
            }
            faults.extend(fault);
        }
        faults
    }

    /// A configuration that knows other filters and not this one is of a kernel that does not have it.
    fn lacks_filter(&self, option: &str, why: &str) -> Option<Evidence> {
        let config = self.config()?;
        let is_named = |name: &str| config.options.iter().any(|option| option.name == name);
        let knows_others = FILTERS.iter().any(|(_, other, _)| is_named(other)) || is_named("CONFIG_RD_XZ");
        let found = format!("{option} is not there: {why}");
        let fix = "build the initrd without a branch filter (xz --check=crc32 --lzma2), or start a kernel that has it";
        (knows_others && !is_named(option)).then(|| self.at(config.path.clone(), found).mend(fix))
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
}

/// How to mend a word of the command line.
pub fn unword(word: &str) -> String {
    format!("remove {word} from the kernel's command line in the boot loader's configuration")
}
