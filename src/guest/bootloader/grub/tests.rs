//! Whole configurations, as distributions write them.

use super::*;
use crate::guest::bootloader::disk::tests::volume;
use crate::guest::memory::Memory;

const DEBIAN: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/grub/debian-12.cfg"));
const UBUNTU: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/grub/ubuntu-24.04.cfg"));

pub(super) const GRUBENV: &str = "# GRUB Environment Block\n";

/// Entries in a short form, one per line, then gaps.
pub(super) fn menu(files: Memory, path: &str, platform: Option<&str>) -> Vec<String> {
    let disk = Disk::new(vec![volume(3, files)], &Limits::default());
    let listing = read(&disk, &Config { volume: 0, path: path.to_owned() }, platform, &Limits::default());
    let place = |place: &Place| match place {
        Place::On(_, path) | Place::Elsewhere(path) => path.clone(),
        Place::Section(..) | Place::Unknown => "?".to_owned(),
    };
    let mut lines = Vec::new();
    for entry in &listing.items {
        let star = if entry.is_default { "*" } else { " " };
        lines.push(format!("{star}{} line {}", entry.ids.join(">"), entry.line));
        for attempt in &entry.attempts {
            let initrds: Vec<String> = attempt.initrds.iter().map(place).collect();
            let cmdline = attempt.cmdline.as_deref().unwrap_or("?");
            let (kernel, when) = (place(&attempt.kernel), &attempt.when);
            lines.push(format!("  {}: {kernel} [{}] {cmdline} ({when})", attempt.line, initrds.join(" ")));
        }
    }
    lines.extend(listing.gaps.iter().map(|gap| format!("gap: {}", gap.reason)));
    lines
}

/// With a menu that ends by itself.
fn run(config: &str) -> Vec<String> {
    run_with("", &format!("set timeout=1; {config}"))
}

fn run_with(block: &str, config: &str) -> Vec<String> {
    let files = Memory::new("ext4", "uuid-3", "").file("/boot/grub/grub.cfg", config);
    menu(files.file("/boot/grub/grubenv", format!("{GRUBENV}{block}")), "/boot/grub/grub.cfg", Some("pc"))
}

/// What the body of one entry starts.
fn body(body: &str) -> Vec<String> {
    run(&format!("menuentry x {{\n{body}\n}}\n")).into_iter().skip(1).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn debian_has_three_entries_and_no_gap() {
    let uuid = "4a1f7c1e-6d0e-4b5b-9f0c-0d1200000001";
    let files = || Memory::new("ext4", uuid, "").file("/boot/grub/grub.cfg", DEBIAN);
    for platform in [Some("pc"), Some("efi"), None] {
        let found = menu(files(), "/boot/grub/grub.cfg", platform);
        let files = "/boot/vmlinuz-6.1.0-56-cloud-amd64 [/boot/initrd.img-6.1.0-56-cloud-amd64]";
        let console = "console=tty0 console=ttyS0,115200";
        let advanced = format!("gnulinux-advanced-{uuid}>gnulinux-6.1.0-56-cloud-amd64");
        let expected = [
            format!("*gnulinux-simple-{uuid} line 106"),
            format!("  119: {files} root=UUID={uuid} ro {console} ()"),
            format!(" {advanced}-advanced-{uuid} line 124"),
            format!("  137: {files} root=UUID={uuid} ro {console} ()"),
            format!(" {advanced}-recovery-{uuid} line 141"),
            format!("  154: {files} root=UUID={uuid} ro single {console} ()"),
        ];
        assert_eq!(found, expected, "{platform:?}");
    }
}

#[test]
fn ubuntu_starts_without_initrd_first() {
    let files = |env: &str| {
        Memory::new("ext4", "b0070000-0000-4000-8000-000000000016", "BOOT")
            .file("/grub/grub.cfg", UBUNTU)
            .file("/grub/grubenv", format!("{GRUBENV}{env}"))
            .file("/grub/gfxblacklist.txt", "")
    };
    let root = "root=PARTUUID=8c1b0c11-1f5f-4c21-9c8e-000000000001 ro console=tty1 console=ttyS0";
    let without = format!("/vmlinuz-6.8.0-79-generic [] {root} panic=-1 (not (\"${{initrdfail}}\" = 1))");
    let with = format!("/vmlinuz-6.8.0-79-generic [/initrd.img-6.8.0-79-generic] {root} (\"${{initrdfail}}\" = 1)");
    for platform in ["pc", "efi"] {
        let found = menu(files(""), "/grub/grub.cfg", Some(platform));
        assert_eq!(found.iter().filter(|line| !line.starts_with("  ")).count(), 3, "{found:#?}");
        assert!(found[0].starts_with("*gnulinux-simple-"), "{found:#?}");
        assert_eq!(found[1].split_once(": ").unwrap().1, without);
        assert_eq!(found[2].split_once(": ").unwrap().1, with);
        assert!(found[3].starts_with(" gnulinux-advanced-"));
    }
    let failed = menu(files("initrdfail=1\n"), "/grub/grub.cfg", Some("pc"));
    assert_eq!(failed[1].split_once(": ").unwrap().1, with, "the environment block decides which comes first");
    let next = menu(files("next_entry=1>1\n"), "/grub/grub.cfg", Some("pc"));
    let default: Vec<&String> = next.iter().filter(|line| line.starts_with('*')).collect();
    let is_both = default[0].contains("simple") && default[1].contains("recovery");
    assert!(default.len() == 2 && is_both, "the next start, and every later one: {next:#?}");
    // Without an environment block nothing remembers the failure: there is no second attempt.
    let forgetful = Memory::new("ext4", "b0070000-0000-4000-8000-000000000016", "").file("/grub/grub.cfg", UBUNTU);
    let found = menu(forgetful, "/grub/grub.cfg", Some("pc"));
    assert_eq!(found[1].split_once(": ").unwrap().1, without);
    assert!(found[2].starts_with(" gnulinux-advanced-"), "{found:#?}");
}

#[test]
fn a_stub_leads_to_the_configuration() {
    let menuentry = "set timeout=1; menuentry a { linux /vmlinuz root=LABEL=x }\n";
    for stub in [
        "search.fs_uuid uuid-3 root hd0,gpt9\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n",
        "search --no-floppy --root-dev-only --fs-uuid --set=dev UUID-3\nset prefix=($dev)/boot/grub\nexport $prefix\nconfigfile $prefix/grub.cfg\n",
        "search --fs-uuid uuid-3 --set=root\nconfigfile /boot/grub/grub.cfg\n",
        "search --file /boot/grub/grub.cfg --set=root\nnormal /boot/grub/grub.cfg\n",
        "configfile (hd0,gpt3)/boot/grub/grub.cfg\nmenuentry never { linux /x }\n",
    ] {
        let files = Memory::new("ext4", "uuid-3", "").file("/boot/grub/grub.cfg", menuentry);
        let found = menu(files.file("/stub.cfg", stub), "/stub.cfg", Some("efi"));
        assert_eq!(found, ["*a line 1", "  1: /vmlinuz [] root=LABEL=x ()"], "{stub}");
    }
}

#[test]
fn bodies_start_what_they_say() {
    for (source, expected) in [
        ("linux /vmlinuz a  b\ninitrd /ucode.img /initrd", vec!["2: /vmlinuz [/ucode.img /initrd] a b ()"]),
        ("linux16 (hd0,gpt3)/vmlinuz", vec!["2: /vmlinuz []  ()"]),
        ("set root='hd1,msdos1'\nlinux /vmlinuz", vec!["3: (hd1,msdos1)/vmlinuz []  ()"]),
        ("linux /one\nlinux /two 'a b' c\\\"d", vec!["3: /two [] \"a b\" c\\\"d ()"]),
        ("set a=\"x y\"\nlinux /v $a \"$a\" ${b}", vec!["3: /v [] x y \"x y\" ()"]),
        ("if [ -f /boot/grub/grub.cfg ]; then linux /yes; else linux /no; fi", vec!["2: /yes []  ()"]),
        (
            "linux /v\ninitrd newc:etc/x:/file /initrd",
            vec![
                "2: /v [? /initrd]  ()",
                "gap: line 3: newc: what this file replaces in the initrd is not looked into by this version",
            ],
        ),
        ("for k in 1 2; do\nlinux /v-$k\ndone", vec!["3: /v-2 []  ()"]),
        ("function f {\nlinux /v $1\n}\nf a", vec!["3: /v [] a ()"]),
        ("linux /v\nboot\nlinux /never", vec!["2: /v []  ()"]),
        (
            "if keystatus --shift; then linux /held; elif probe_it; then linux /a; else linux /b; fi\ninitrd /i",
            vec![
                "2: /a [/i]  (probe_it)",
                "2: /b [/i]  (not (probe_it))",
                "gap: line 2: whether `probe_it` holds is not known before the start",
            ],
        ),
        ("regexp --set=1:v '(.*)' x\nlinux /v root=$v\nlinux /w-$v", vec!["4: ? []  ()"]),
        ("smbios --set s\nlinux /v serial=$s", vec!["3: /v [] ? ()"]),
    ] {
        assert_eq!(body(source), expected, "{source}");
    }
}

#[test]
fn rows_that_start_no_linux_are_counted_and_not_listed() {
    let rows = "menuentry win { chainloader +1 }\nmenuentry mem { linux16 /boot/memtest86+.bin }\nmenuentry fw { fwsetup }\nmenuentry snap { configfile /snapshots.cfg }\nmenuentry a { linux /a }\nmenuentry b { linux /b }\n";
    assert_eq!(run(&format!("set default=4\n{rows}")), ["*a line 6", "  6: /a []  ()", " b line 7", "  7: /b []  ()"]);
    let found = run(rows);
    assert_eq!(
        found[4],
        "gap: line 1: `win` is started when nobody chooses, and it starts no Linux kernel of this guest"
    );
    assert!(!found.iter().any(|line| line.starts_with('*')));
}

#[test]
fn a_default_out_of_range_is_the_first_row() {
    let rows = "menuentry a { linux /a }\nmenuentry b { linux /b }\nsubmenu s {\nmenuentry c { linux /c }\n}\n";
    for default in ["", "7", "99999999999999999999", "nowhere", "nowhere>1", "7>1"] {
        let found = run(&format!("set default='{default}'\n{rows}"));
        let defaults: Vec<&String> = found.iter().filter(|line| line.starts_with('*')).collect();
        assert_eq!(defaults, ["*a line 2"], "{default}: {found:#?}");
        assert!(!found.iter().any(|line| line.starts_with("gap:")), "{default}: {found:#?}");
    }
    let inner = run(&format!("set default='2>7'\n{rows}"));
    assert!(inner.contains(&"*s>c line 5".to_owned()), "{inner:#?}");
}

#[test]
fn what_only_grub_for_uefi_knows_starts_nothing_on_bios() {
    let config = "set timeout=1\nmenuentry a {\nlinuxefi /a\ninitrdefi /i\n}\n";
    let files = || Memory::new("ext4", "uuid-3", "").file("/boot/grub/grub.cfg", config);
    assert_eq!(menu(files(), "/boot/grub/grub.cfg", Some("efi")), ["*a line 2", "  3: /a [/i]  ()"]);
    let bios = menu(files(), "/boot/grub/grub.cfg", Some("pc"));
    assert!(bios.len() == 1 && bios[0].contains("starts no Linux kernel"), "{bios:#?}");
}

#[test]
fn a_configuration_may_start_without_a_menu() {
    let direct = "set root=hd0,gpt3\nlinux /v root=LABEL=x\ninitrd /i\nboot\n";
    assert_eq!(run(direct), ["*boot line 2", "  2: /v [/i] root=LABEL=x ()"]);
    let before = run(&format!("menuentry a {{ linux /a }}\n{direct}"));
    assert_eq!(before, ["*boot line 3", "  3: /v [/i] root=LABEL=x ()", " a line 1", "  1: /a []  ()"]);
    assert_eq!(run("linux /v\ninitrd /i\n"), Vec::<String>::new(), "loaded, and never started");
}

#[test]
fn submenus_see_what_is_exported() {
    let config = "set a=1\nset b=2\nexport b\nset default='s>y'\nsubmenu s {\n menuentry x { linux /v a=$a }\n menuentry y { linux /v b=$b }\n}\n";
    assert_eq!(run(config), [" s>x line 6", "  6: /v [] a= ()", "*s>y line 7", "  7: /v [] b=2 ()"]);
}

#[test]
fn what_is_not_understood_is_a_gap() {
    for (config, gap) in [
        ("menuentry a { linux /a }\nmenuentry 'b { linux /b }", "gap: line 2: a quote is never closed"),
        ("while true; do menuentry a { linux /a }; done", "gap: line 1: a loop that this version does not run"),
        ("if cpuid -l; then menuentry a { linux /a }; fi", "gap: line 1: whether `cpuid -l` holds"),
        ("probe --set=d x\nsource ($d)/x.cfg\n", "gap: line 2: another configuration is read"),
        ("probe -s d -u $root\nconfigfile ($d)/x.cfg", "gap: line 2: another configuration"),
        ("$nothing\nprobe --set=c x\n$c /v", "gap: line 3: the command itself"),
        ("function f { f; }\nfunction g { g; g; }\nf\ng\nblscfg x", "gap: line 5: blscfg"),
        ("blscfg\nblscfg\n", "gap: line 2: blscfg a second time"),
        ("uki\n", "gap: line 1: uki: the entries"),
    ] {
        let found = run(config);
        assert!(found.iter().any(|line| line.starts_with(gap)), "{config}: {found:#?}");
    }
    assert!(run("source $unknown/x.cfg\nconfigfile (hd9)/x\n").is_empty(), "a file that is not there is passed over");
    let loading = "if loadfont x; then set font=y; else set font=z; fi\nmenuentry a { linux /a }";
    assert_eq!(run(loading), ["*a line 2", "  2: /a []  ()"], "what changes nothing is silent");
}

#[test]
fn hostile_scripts_end() {
    let doubling = "function f { if x; then f; fi; if y; then f; fi; }\nf\nmenuentry a { linux /a }";
    let forks = format!("menuentry a {{\n{}linux /a\n}}", "if x; then linux /b; fi\n".repeat(200));
    let recursive = "source /boot/grub/grub.cfg\nmenuentry a { linux /a }";
    let menus = "submenu a { submenu b { submenu c { submenu d { submenu e { submenu f { submenu g { submenu h { submenu i { menuentry j { linux /j } } } } } } } } } }";
    let nested = "if x; then ".repeat(23) + "linux /a" + &"; fi".repeat(23);
    for config in [doubling, &forks, recursive, menus, &format!("function f {{ {nested}; f; }}\nf")] {
        let found = run(config);
        assert!(found.iter().any(|line| line.starts_with("gap:")) || found.len() == 2, "{found:#?}");
    }
}

/// The gap of a menu with one good entry, preceded by `before`, or nothing.
fn hold(before: &str) -> Option<String> {
    let config = format!("{before}\nmenuentry a {{ linux /a }}\n");
    run_with("", &config).into_iter().find(|line| line.starts_with("gap:"))
}

#[test]
fn what_waits_for_somebody_is_no_start() {
    for (before, expected) in [
        ("set timeout=0", None),
        ("set timeout=5", None),
        ("set timeout=5s", None),
        ("set timeout=-1", Some("timeout is `-1`")),
        ("set timeout=", Some("timeout is ``")),
        ("set timeout=never", Some("timeout is `never`")),
        ("", Some("timeout is ``")),
        ("if sleep 1; then set timeout=0; else set timeout=9; fi", None),
        ("if sleep 1; then set timeout=0; else set timeout=-1; fi", Some("is not known")),
        ("if sleep 1; then set timeout=-1; fi", Some("is not known")),
        ("probe --set=timeout x", Some("is not known")),
        ("set timeout=1\nset superusers=root", Some("only with a password")),
        ("set timeout=1\nset superusers=", Some("only with a password")),
        ("set timeout=1\nset superusers=root\nunset superusers", None),
        ("set timeout=1\nread x", Some("waits for somebody")),
        ("set timeout=1\nreboot", Some("leaves GRUB")),
        ("set timeout=1\nif probe_it; then exit; fi", Some("whether `probe_it` holds")),
    ] {
        let found = hold(before);
        let is_as_expected = match (&found, expected) {
            (Some(found), Some(part)) => found.contains(part),
            (None, None) => true,
            _ => false,
        };
        assert!(is_as_expected, "{before}: {found:?}");
    }
    let open =
        "set timeout=1\nset superusers=root\nmenuentry a --unrestricted { linux /a }\nmenuentry b { linux /b }\n";
    assert!(!run_with("", open).iter().any(|line| line.starts_with("gap:")), "only the default is asked");
    let sub = "set timeout=1\nset superusers=root\nexport superusers\nset default='s>b'\nsubmenu s --unrestricted {\nmenuentry a --unrestricted { linux /a }\nmenuentry b { linux /b }\n}\n";
    assert!(run_with("", sub).iter().any(|line| line.contains("line 7: `b` is started only with a password")));
}

#[test]
fn what_ends_an_entry_ends_what_it_loaded() {
    for word in ["reboot", "halt", "exit", "normal_exit"] {
        let found = run(&format!("menuentry a {{\nlinux /a\ninitrd /i\n{word}\nlinux /never\n}}\n"));
        assert!(found.len() == 1 && found[0].contains("starts no Linux kernel"), "{word}: {found:?}");
        let found = run(&format!("menuentry a {{\nif probe_it; then {word}; fi\nlinux /a\n}}\n"));
        assert!(found.iter().any(|line| line.contains("starts no Linux kernel")), "{word}: {found:?}");
    }
    let found = body("if probe_it; then\nlinux /a\nboot\nfi\nlinux /b");
    assert_eq!(found[..2], ["3: /a []  (probe_it)", "6: /b []  (not (probe_it))"], "{found:?}");
}

#[test]
fn every_start_has_its_default() {
    const GRUB_MKCONFIG: &str = "load_env\nset timeout=1\nif [ \"${next_entry}\" ]; then\nset default=\"${next_entry}\"\nset next_entry=\nsave_env next_entry\nset boot_once=true\nelse\nset default=\"${saved_entry}\"\nfi\nif [ \"${prev_saved_entry}\" ]; then\nset saved_entry=\"${prev_saved_entry}\"\nsave_env saved_entry\nset prev_saved_entry=\nsave_env prev_saved_entry\nset boot_once=true\nfi\nmenuentry a { linux /a }\nmenuentry b { linux /b }\nmenuentry c { linux /c }\n";
    for (block, expected) in [
        ("", "a"),
        ("saved_entry=b\n", "b"),
        ("next_entry=a\nsaved_entry=b\n", "ab"),
        ("next_entry=c\n", "ac"),
        ("next_entry=b\nsaved_entry=b\n", "b"),
        ("saved_entry=a\nprev_saved_entry=b\n", "ab"),
        ("next_entry=c\nsaved_entry=a\nprev_saved_entry=b\n", "bc"),
    ] {
        let found = run_with(block, GRUB_MKCONFIG);
        let defaults: Vec<&str> = found.iter().filter_map(|line| line.strip_prefix('*')).collect();
        let names: String = defaults.iter().filter_map(|line| line.chars().next()).collect();
        assert_eq!(names, expected, "{block}: {found:#?}");
        assert!(!found.iter().any(|line| line.starts_with("gap:")), "{found:#?}");
    }
    let endless = "load_env\nset timeout=1\nset x=\"${x}1\"\nsave_env x\nmenuentry a { linux /a }\n";
    assert!(run_with("", endless).iter().any(|line| line.contains("still changes after 4 starts")));
}

#[test]
fn what_a_hostile_script_costs_is_bounded() {
    let value = "x".repeat(16_000);
    let numbers = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
    let each = |count: usize, line: &dyn Fn(&str) -> String| numbers(count).iter().map(|n| line(n)).collect::<String>();
    let steps = "more than 500000 steps";
    let words = "more than 200000 signs and parts of words";
    let row = "menuentry a { linux /a }\n";
    let forks = each(2000, &|n| format!("if cmosclean {n}; then linux /k{n}; else linux /j{n}; fi\n"));
    for (source, limit) in [
        (format!("{row}set a={value}\n{}", each(8000, &|n| format!("set b{n}=$a\n"))), steps),
        (
            format!("set a={value}\n{}", each(3000, &|n| format!("menuentry e{n} {{ linux /k $a }}\n"))),
            "too many menu entries",
        ),
        (format!("{row}set a='{}'\necho {}", "x ".repeat(8000), "$a ".repeat(9000)), steps),
        (format!("{row}{}", "a ".repeat(200_000)), words),
        (format!("{row}a{}", "''".repeat(300_000)), words),
        (format!("{row}{}", "if a; then b=1; fi\n".repeat(20_000)), words),
        (format!("menuentry a {{\n{forks}}}\n"), "more than 16 ways through one entry"),
        (format!("{row}{}", "source /big.cfg\n".repeat(10_000)), steps),
        (format!("{row}{}", "source /none.cfg\n".repeat(10_000)), steps),
        (format!("{row}{}", "if [ -f /none ]; then b=1; fi\n".repeat(6_000)), steps),
        (
            format!("{row}for i in {}; do if false; then {} fi; done", "x ".repeat(20_000), "b=1; ".repeat(20_000)),
            steps,
        ),
        (row.repeat(1500), "too many menu entries"),
        (format!("submenu s {{\n{0}}}\nsubmenu t {{\n{0}}}\n", row.repeat(700)), "more than 1000 boot entries"),
        ("blscfg\n".repeat(9000), "blscfg"),
    ] {
        let files = Memory::new("ext4", "uuid-3", "").file("/boot/grub/grub.cfg", &source);
        let files = files.file("/big.cfg", "#".repeat(500_000));
        let found = menu(files, "/boot/grub/grub.cfg", Some("pc"));
        let shown = &source[..source.len().min(60)];
        let gaps = found.iter().filter(|line| line.starts_with("gap:"));
        assert!(gaps.clone().any(|gap| gap.contains(limit)), "{shown}: {limit}");
        assert!(gaps.count() <= 101 && found.len() < 20_000, "{shown}");
        assert!(found.iter().map(String::len).sum::<usize>() < 64 << 20, "{shown}");
    }
    let twenty = format!("{DEBIAN}{}", row.repeat(60));
    assert!(run(&twenty).iter().all(|line| !line.starts_with("gap:")), "twenty kernels are far below every limit");
}
