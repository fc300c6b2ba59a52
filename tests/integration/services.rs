//! What programs of the guest make of their configuration: the same as the programs themselves say.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, clippy::too_many_lines, reason = "test code")]

use crate::common::tool;
use bootworthy::guest::agent::{self, CommandLine, Configuration};
use bootworthy::guest::getopt::{self, Opt, Takes, opt};
use bootworthy::guest::{timespan, watchdog};
use bootworthy::limits::Limits;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that tests/run has unpacked, never installed: both are daemons.
fn unpacked(path: &str) -> PathBuf {
    let folder =
        std::env::var_os("BOOTWORTHY_UNPACKED").expect("BOOTWORTHY_UNPACKED is not set; run the tests with tests/run");
    let path = Path::new(&folder).join(path);
    assert!(path.exists(), "{} is missing; run tests/run", path.display());
    path
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// `key=value` of what `qemu-ga -D` prints; `None` when it ends with an error or prints something else.
fn dumped(config: &Path, line: &[String]) -> Option<Vec<(String, String)>> {
    let run = Command::new(unpacked("usr/sbin/qemu-ga")).env("QGA_CONF", config).arg("-D").args(line).output().unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    let pair = |line: &str| line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    (run.status.success() && text.starts_with("[general]")).then(|| text.lines().filter_map(pair).collect())
}

#[test]
fn qemu_ga_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("qemu-ga.conf");
    let mut served = 0;
    for (file, line) in [
        ("", ""),
        ("[general]\nblock-rpcs=guest-exec,guest-ping\n", ""),
        ("[general]\nblacklist=guest-exec\n", "-b guest-ping"),
        ("[general]\nblock-rpcs=a\nblock-rpcs=b\n", ""),
        ("# c\n\n [general] \n  block-rpcs =  a,b\n", "-b c --blacklist=d"),
        ("[general]\r\nmethod=isa-serial\r\n", ""),
        ("[general]\nmethod=isa-serial\npath=/dev/ttyS1\n", "-m virtio-serial"),
        ("[general]\nmethod=unix-listen\n", ""),
        ("[general]\nmethod=unix-listen\n", "-p /run/qga.sock"),
        ("[other]\nblock-rpcs=a\n", "operand --bl=z -r -F/hook more"),
        ("[general]\nfsfreeze-hook=/a\n", "-F"),
        ("[general]\nfsfreeze-hook=/a\n", "--fsfreeze-hook=/b"),
        ("[general]\nblock-rpcs[de]=a\n;block-rpcs=b\n", ""),
        ("[general]\nBlock-RPCs=a\nblock_rpcs=b\n", ""),
        ("[general]\nblock-rpcs=a\\sb\n", ""),
        ("[general]\nblock-rpcs=a\\qb\n", ""),
        ("garbage\n[general]\n", ""),
        ("block-rpcs=a\n[general]\n", ""),
        ("[general]\nblock-rpcs\n", ""),
        ("[general]\ndaemon=maybe\n", ""),
        ("[general]\nverbose=1\nretry-path=false\n", "-vr"),
        ("[general]\nblock-rpcs=a\n[general]\nblock-rpcs=b\n", ""),
        ("", "-b help"),
        ("", "--nope"),
        ("", "--path"),
        ("", "-vb a,,b -- -b c"),
    ] {
        std::fs::write(&config, file).unwrap();
        let line = words(line);
        let settings = agent::parse("/c", file.as_bytes(), &Limits::default());
        let ours = CommandLine::parse(&line).and_then(|line| Configuration::new(&settings.items, &line));
        let ours = ours.ok().filter(|_| settings.gaps.is_empty());
        let theirs = dumped(&config, &line);
        assert_eq!(ours.is_some(), theirs.is_some(), "{file:?} {line:?}: {ours:?} {theirs:?}");
        let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
        served += 1;
        let said = |key: &str| theirs.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        assert_eq!(Some(&ours.method), said("method").as_ref(), "{file:?} {line:?}");
        assert_eq!(Some(&ours.path), said("path").as_ref(), "{file:?} {line:?}");
        assert_eq!(ours.hook, said("fsfreeze-hook"), "{file:?} {line:?}");
        let mut blocked: Vec<String> = ours.blocked.iter().map(|rpc| rpc.name.clone()).collect();
        let list = said("block-rpcs").unwrap().replace("\\s", " ");
        let mut listed: Vec<String> = list.split(',').filter(|_| !list.is_empty()).map(str::to_owned).collect();
        blocked.sort();
        listed.sort();
        assert_eq!(blocked, listed, "{file:?} {line:?}");
    }
    assert!(served >= 15, "{served}");
}

/// `-q` keeps it from rebooting anything, `-X 1` ends it after one look; `-v` prints what it has read.
#[test]
fn watchdog_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("watchdog.conf");
    let log = folder.path().join("log");
    let file = format!(
        "# watchdog-device = /dev/a\n#watchdog-device = /dev/b\nwatchdog-device=/dev/none-1\n  interval = 2 # two\r\n\
         priority=1\n\tadmin\t=\troot of all  \nbogus\nfoo = bar\nwatchdog-timeout = +30s\nmax-load-1 = x\n\
         repair-binary =\n=x\nwatchdog-device = = /dev/none-2\nlog-dir={}\n",
        log.display()
    );
    std::fs::write(&config, &file).unwrap();
    let run = Command::new(unpacked("usr/sbin/watchdog"))
        .args(["-F", "-q", "-f", "-v", "-X", "1", "-c"])
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8([run.stdout, run.stderr].concat()).unwrap();
    let ours = watchdog::parse("/c", file.as_bytes(), &Limits::default());
    let last = ours.settings.items.iter().rfind(|setting| setting.key == watchdog::DEVICE).unwrap();
    assert!(said.contains(&format!("alive={} ", last.value)), "{said}");
    let mut texts = 0;
    for line in said.lines() {
        // "String 'watchdog-device' found as '/dev/none-1'", "Ignoring invalid option at line 8 of config file: foo=bar"
        if let Some((key, value)) = line.split_once("String '").and_then(|(_, rest)| rest.split_once("' found as ")) {
            let value = value.strip_prefix('\'').map_or("", |value| value.trim_end_matches('\''));
            assert!(ours.settings.items.iter().any(|s| s.key == key && s.value == value), "{line}");
            texts += 1;
        } else if let Some((number, pair)) = line
            .split_once("Ignoring invalid option at line ")
            .and_then(|(_, rest)| rest.split_once(" of config file: "))
        {
            let row = ours.settings.items.iter().find(|s| s.line.to_string() == number).unwrap();
            assert_eq!(format!("{}={}", row.key, row.value), pair);
            texts += 1;
        }
    }
    assert!(texts >= 6, "{said}");
    assert_eq!(ours.comments.iter().map(|comment| comment.value.as_str()).collect::<Vec<_>>(), ["/dev/a", "/dev/b"]);
}

#[test]
fn time_spans_as_systemd_reads_them() {
    for text in [
        "60",
        "0",
        "1min 30s",
        "1min30s",
        "0.5",
        "2.25 min",
        "5m 3",
        "3 5",
        "10ms",
        "infinity",
        " infinity ",
        "off",
        "",
        "-1",
        "+5",
        "5.",
        ".5",
        "+.5",
        "1.5.2",
        "5s3",
        "1 x",
        "0.0000001",
        "1us",
        "1\u{b5}s",
        "1\u{3bc}s",
        "1m1",
        "0x5",
        "1e3",
        "1,5",
        "18446744073709551615",
        "9223372036854775807us",
        "9223372036854775808us",
        "1 month",
        "1M",
        "2y 3w",
        "1hr",
        "12.34 .56",
        "12.34s.56",
        "3.sec",
        "3. 1",
        "3.+1",
    ] {
        let run = Command::new("systemd-analyze").args(["timespan", "--", text]).env("LC_ALL", "C").output().unwrap();
        let said = String::from_utf8(run.stdout).unwrap();
        let number =
            said.lines().find_map(|line| line.trim().strip_prefix("us: ").or(line.trim().strip_prefix("μs: ")));
        let theirs = number.map(|number| number.parse::<u64>().unwrap_or(timespan::INFINITY));
        assert_eq!(timespan::parse(text), theirs, "{text:?}: {said}");
    }
}

#[test]
fn arguments_as_getopt_takes_them_apart() {
    const KNOWN: &[Opt] = &[
        opt('a', &["all"], Takes::Nothing),
        opt('A', &["fstab"], Takes::Nothing),
        opt('b', &["block-rpcs", "blacklist"], Takes::Value),
        opt('F', &["fsfreeze-hook"], Takes::Maybe),
        opt('f', &["force", "foreground"], Takes::Nothing),
    ];
    for line in [
        "",
        "-a",
        "-aA x",
        "-b x y",
        "-bx y",
        "-abx",
        "-F x",
        "-Fx",
        "--all --fstab",
        "--al --fst",
        "--fs",
        "--block=x y",
        "--b y",
        "--fsfreeze-hook x",
        "--fsfreeze-hook=x",
        "--fsf=x",
        "x -- -a",
        "- -a",
        "-b",
        "--block-rpcs",
        "--all=x",
        "-z",
        "--nope",
        "-aFz -A",
        "x y -a",
        "--bla x",
        "--fo",
        "--f",
    ] {
        let long = "all,fstab,block-rpcs:,blacklist:,fsfreeze-hook::,force,foreground";
        let arguments: Vec<String> = words(line);
        let run = Command::new("getopt")
            .args(["-q", "-u", "-o", "aAb:F::f", "-l", long, "--"])
            .args(&arguments)
            .output()
            .unwrap();
        let theirs = run.status.success().then(|| words(&String::from_utf8(run.stdout).unwrap()));
        let ours = getopt::parse(&arguments, KNOWN).ok().map(|parsed| {
            let mut out = Vec::new();
            for (code, value) in parsed.options {
                out.push(code.to_string());
                out.extend(value);
            }
            out.push("--".to_owned());
            out.extend(parsed.operands);
            out
        });
        // getopt(1) prints the long name where one was given.
        let short = |word: &String| match word.as_str() {
            "--all" => "a".to_owned(),
            "--fstab" => "A".to_owned(),
            "--block-rpcs" | "--blacklist" => "b".to_owned(),
            "--fsfreeze-hook" => "F".to_owned(),
            "--force" | "--foreground" => "f".to_owned(),
            "--" | "-" => word.clone(),
            other => other.strip_prefix('-').unwrap_or(other).to_owned(),
        };
        let theirs = theirs.map(|words| {
            let end = words.iter().position(|word| word == "--").unwrap();
            let options = words.iter().take(end).map(short);
            options.chain(words.iter().skip(end).cloned()).collect::<Vec<_>>()
        });
        // Two long names of one option are ambiguous to getopt(1), not to getopt_long(3), where they mean the same.
        if !["--fo", "--b y"].contains(&line) {
            assert_eq!(ours, theirs, "{line}");
        }
    }
    assert!(!tool("getopt", ["-V"]).is_empty());
}
