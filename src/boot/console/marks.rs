//! The lines by which a console is read: who writes each, and what it means.

/// How far a guest has come, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// `SeaBIOS` or OVMF.
    Firmware,
    /// GRUB, systemd-boot.
    Loader,
    /// The kernel, until it starts a program.
    Kernel,
    /// Programs of the initrd.
    Initrd,
    /// Programs of the root file system.
    Userspace,
    /// A login prompt.
    Login,
}

impl Phase {
    /// One word for the phase line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Firmware => "firmware",
            Self::Loader => "loader",
            Self::Kernel => "kernel",
            Self::Initrd => "initrd",
            Self::Userspace => "userspace",
            Self::Login => "login",
        }
    }
}

/// What a mark says of the boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It has come so far.
    Phase(Phase),
    /// The kernel has found a disk.
    Disk,
    /// It has failed, and goes no further.
    Failure,
    /// It is going to fail, or here is why it has.
    Sign,
    /// It failed in a way that the image need not be to blame for: what the translator damages, or too little memory.
    Foreign,
}

/// A line that says something.
#[derive(Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its name in transcripts.
    pub id: &'static str,
    /// What stands in the line, in this order.
    pub words: &'static [&'static str],
    /// The last phase in which it counts: what a login session prints is not the firmware's word. There is no first one:
    /// a quiet guest does not say how far it has come.
    until: Phase,
    /// In how many lines of one boot it must have stood.
    pub(super) times: u32,
    /// Whether it stands in a line that the guest does not end.
    pub(super) is_prompt: bool,
    /// What it says.
    pub meaning: Meaning,
    /// The same in words, for the report.
    pub says: &'static str,
}

impl Mark {
    /// Whether it is on a line that was written in `phase`.
    pub fn is_on(&self, line: &str, phase: Option<Phase>) -> bool {
        let mut rest = Some(line);
        phase.is_none_or(|phase| phase <= self.until)
            && self.words.iter().all(|word| {
                rest = rest.and_then(|rest| rest.split_once(word)).map(|(_, after)| after);
                rest.is_some()
            })
    }
}

const fn mark(
    id: &'static str,
    words: &'static [&'static str],
    until: Phase,
    meaning: Meaning,
    says: &'static str,
) -> Mark {
    Mark { id, words, until, times: 1, is_prompt: false, meaning, says }
}

const fn prompt(
    id: &'static str,
    words: &'static [&'static str],
    until: Phase,
    meaning: Meaning,
    says: &'static str,
) -> Mark {
    Mark { is_prompt: true, ..mark(id, words, until, meaning, says) }
}

use Meaning::{Disk, Failure, Foreign, Sign};
use Phase::{Firmware, Initrd, Kernel, Loader, Login, Userspace};

const ANY: Phase = Login;
const BEFORE_KERNEL: Phase = Loader;
const RUNNING: Phase = Login;
const EARLY: Phase = Initrd;
const BOOTING: Phase = Userspace;

/// Rounds of timeout scripts after which dracut's root file system will not come any more. It makes some hundred of them
/// before it gives up by itself; a degraded array starts in the first.
const DRACUT_TRIES: u32 = 20;

/// Not a line but its absence: said of the line after which the disk should have come.
pub(super) const NO_DISK: Mark =
    mark("no-disk", &[], EARLY, Sign, "no disk was found in the time that its driver takes: the driver did not load");

/// The marks; the first that is on a line counts.
pub const MARKS: &[Mark] = &[
    // SeaBIOS, src/boot.c; EDK2, MdeModulePkg/Library/UefiBootManagerLib and BdsDxe.
    mark("firmware-bios", &["SeaBIOS (version"], ANY, Meaning::Phase(Firmware), "the BIOS runs"),
    mark("firmware-no-device", &["No bootable device"], BEFORE_KERNEL, Failure, "the firmware found nothing to boot"),
    mark(
        "firmware-no-boot-code",
        &["Boot failed: not a bootable disk"],
        BEFORE_KERNEL,
        Sign,
        "the disk has no boot code",
    ),
    mark(
        "firmware-unreadable",
        &["Boot failed: could not read the boot disk"],
        BEFORE_KERNEL,
        Sign,
        "the firmware cannot read the disk",
    ),
    mark(
        "firmware-load-failed",
        &["BdsDxe: failed to load Boot", "Not Found"],
        BEFORE_KERNEL,
        Sign,
        "the EFI loader is not there",
    ),
    mark("firmware-start-failed", &["BdsDxe: failed to"], BEFORE_KERNEL, Sign, "the EFI loader does not start"),
    mark(
        "firmware-no-option",
        &["BdsDxe: No bootable option or device was found"],
        BEFORE_KERNEL,
        Failure,
        "the firmware found nothing to boot",
    ),
    mark(
        "firmware-shell",
        &["UEFI Interactive Shell v"],
        BEFORE_KERNEL,
        Failure,
        "the firmware found no loader and opened its shell",
    ),
    mark("firmware-uefi", &["BdsDxe: loading Boot"], ANY, Meaning::Phase(Firmware), "the EFI firmware runs"),
    // GRUB, grub-core/kern/rescue_reader.c, main.c. Its `error:` lines are signs only: sound images print some.
    prompt("grub-rescue", &["grub rescue>"], BEFORE_KERNEL, Failure, "GRUB does not find its own files"),
    prompt("grub-prompt", &["grub>"], BEFORE_KERNEL, Failure, "GRUB found no menu"),
    mark(
        "grub-minimal",
        &["Minimal BASH-like line editing is supported"],
        BEFORE_KERNEL,
        Failure,
        "GRUB found no menu",
    ),
    mark("grub-error", &["error: ", "."], BEFORE_KERNEL, Sign, "GRUB met an error"),
    mark("loader-grub", &["Welcome to GRUB!"], ANY, Meaning::Phase(Loader), "GRUB runs"),
    // Linux: init/main.c, init/do_mounts.c, kernel/panic.c.
    mark("kernel", &["] Linux version "], ANY, Meaning::Phase(Kernel), "the kernel runs"),
    mark("initrd", &["] Run /init as init process"], RUNNING, Meaning::Phase(Initrd), "the initrd's init runs"),
    mark("initrd-panic", &["] Initramfs unpacking failed"], EARLY, Sign, "the kernel cannot unpack the initrd"),
    mark(
        "root-unmountable",
        &["Kernel panic - not syncing: VFS: Unable to mount root fs"],
        EARLY,
        Failure,
        "the kernel cannot mount the root file system",
    ),
    mark(
        "no-init",
        &["Kernel panic - not syncing: No working init found"],
        BOOTING,
        Failure,
        "the root file system has no init",
    ),
    mark(
        "no-init-named",
        &["Kernel panic - not syncing: Requested init "],
        BOOTING,
        Failure,
        "the init that the command line names does not run",
    ),
    // Status 0, 1, 2 and 127; a signal, which stands in the last two digits, may be the translator's doing.
    mark(
        "init-exited",
        &["Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000000"],
        BOOTING,
        Failure,
        "init ended by itself",
    ),
    mark(
        "init-exited",
        &["Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100"],
        BOOTING,
        Failure,
        "init ended by itself",
    ),
    mark(
        "init-exited",
        &["Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000200"],
        BOOTING,
        Failure,
        "init ended by itself",
    ),
    mark(
        "init-exited",
        &["Kernel panic - not syncing: Attempted to kill init! exitcode=0x00007f00"],
        BOOTING,
        Failure,
        "init ended by itself",
    ),
    mark(
        "crash-provoked",
        &["Kernel panic - not syncing: sysrq triggered crash"],
        RUNNING,
        Sign,
        "the kernel was made to crash",
    ),
    mark("kernel-panic", &["Kernel panic - not syncing:"], RUNNING, Foreign, "the kernel panicked"),
    mark("kernel-double-fault", &["double fault: "], RUNNING, Foreign, "the kernel's code or state was damaged"),
    mark("kernel-oops", &["Oops: "], RUNNING, Foreign, "the kernel's code or state was damaged"),
    mark("kernel-bug", &["] BUG: "], RUNNING, Foreign, "the kernel met a state that cannot be"),
    mark("kernel-gpf", &["] general protection fault"], RUNNING, Foreign, "the kernel's code or state was damaged"),
    mark("kernel-lockup", &["] watchdog: BUG: soft lockup"], RUNNING, Foreign, "a processor stood still"),
    mark("kernel-memory", &["] Out of memory: "], RUNNING, Foreign, "the flavor has too little memory"),
    mark("disk", &["-byte logical blocks: ("], RUNNING, Disk, "the kernel found a disk"),
    // initramfs-tools, scripts/functions and scripts/local.
    mark(
        "root-given-up",
        &["Gave up waiting for root file system device"],
        EARLY,
        Sign,
        "the root file system's device did not come",
    ),
    mark(
        "root-missing",
        &["ALERT!", " does not exist.", "Dropping to a shell!"],
        BOOTING,
        Failure,
        "the root file system's device did not come",
    ),
    mark("initramfs-panic", &["ALERT!", "Dropping to a shell!"], BOOTING, Failure, "the initrd gave up"),
    prompt("initramfs-shell", &["(initramfs)"], BOOTING, Failure, "the initrd gave up and opened a shell"),
    mark(
        "no-init-found",
        &["No init found. Try passing init= bootarg."],
        BOOTING,
        Failure,
        "the root file system has no init",
    ),
    mark(
        "initramfs-waits",
        &["Running /scripts/local-block ..."],
        EARLY,
        Sign,
        "the initrd waits for the root file system's device",
    ),
    mark(
        "initramfs-leaves",
        &["Running /scripts/init-bottom ..."],
        EARLY,
        Meaning::Phase(Userspace),
        "the root file system is mounted",
    ),
    // dracut, modules.d/98dracut-systemd and 99base.
    mark(
        "dracut-waits",
        &["dracut-initqueue: timeout, still waiting for following initqueue hooks"],
        EARLY,
        Sign,
        "the initrd waits for the root file system's device",
    ),
    Mark {
        times: DRACUT_TRIES,
        ..mark(
            "dracut-gave-up",
            &["dracut-initqueue: starting timeout scripts"],
            EARLY,
            Failure,
            "the root file system's device did not come, and what dracut does about it did not help",
        )
    },
    mark("dracut-could-not-boot", &["Could not boot."], EARLY, Failure, "the initrd gave up"),
    mark(
        "dracut-missing",
        &["Warning: /dev/", " does not exist"],
        EARLY,
        Failure,
        "the root file system's device did not come",
    ),
    mark("dracut-emergency", &["Entering emergency mode."], EARLY, Failure, "the initrd gave up"),
    prompt("dracut-shell", &["dracut:/#"], EARLY, Failure, "the initrd gave up and opened a shell"),
    // systemd: src/core/main.c, job.c, units/emergency.service.in, src/sulogin-shell.
    mark("initrd-systemd", &["Welcome to ", "(Initramfs)"], EARLY, Meaning::Phase(Initrd), "the initrd's systemd runs"),
    mark("device-by-bus-name", &["Expecting device dev-vd"], BOOTING, Sign, "a file system is mounted by its bus name"),
    mark("device-by-bus-name", &["Expecting device dev-sd"], BOOTING, Sign, "a file system is mounted by its bus name"),
    mark("device-timeout", &["Timed out waiting for device "], BOOTING, Sign, "a file system's device did not come"),
    mark(
        "emergency-mode",
        &["You are in emergency mode"],
        BOOTING,
        Failure,
        "systemd gave up: a file system of /etc/fstab could not be mounted",
    ),
    mark("rescue-mode", &["You are in rescue mode"], BOOTING, Failure, "systemd stopped in rescue mode"),
    prompt(
        "maintenance",
        &["Press Enter for maintenance"],
        BOOTING,
        Failure,
        "systemd gave up and asks for the root password",
    ),
    prompt(
        "maintenance-password",
        &["Give root password for maintenance"],
        BOOTING,
        Failure,
        "systemd gave up and asks for the root password",
    ),
    mark(
        "maintenance-locked",
        &["Cannot open access to console, the root account is locked"],
        BOOTING,
        Failure,
        "systemd gave up: a file system could not be mounted",
    ),
    mark("userspace", &["Welcome to ", "!"], EARLY, Meaning::Phase(Userspace), "the root file system's systemd runs"),
    mark(
        "userspace-direct",
        &["] Run /sbin/init as init process"],
        EARLY,
        Meaning::Phase(Userspace),
        "the root file system's init runs",
    ),
    mark("userspace-openrc", &["OpenRC "], EARLY, Meaning::Phase(Userspace), "the root file system's OpenRC runs"),
    prompt("login", &[" login:"], BOOTING, Meaning::Phase(Login), "it asks for a login"),
];
