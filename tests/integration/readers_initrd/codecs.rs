//! Compressions that Linux reads besides gzip, xz and zstd: what the tools write, whole and damaged.

use super::craft::*;
use super::linux::Verdict::{self, Accept, Note, Refuse, Unknown};
use super::linux::all;
use bootworthy::guest::initrd::inspect;
use bootworthy::guest::modules;
use bootworthy::limits::Limits;
use std::io::{Read, Write as _};
use std::process::{Command, Stdio};

/// The output of a tool for this input.
fn through(command: &[&str], bytes: &[u8]) -> Vec<u8> {
    let child = Command::new(command[0]).args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child =
        child.unwrap_or_else(|error| panic!("{} is needed by this test: {error}; run tests/run", command[0]));
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes));
        let mut out = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
        assert!(child.wait().unwrap().success(), "{command:?}");
        out
    })
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    through(&["lz4", "-l", "-c"], bytes)
}

fn lzma(bytes: &[u8]) -> Vec<u8> {
    through(&["xz", "--format=lzma", "-c"], bytes)
}

fn lzo(bytes: &[u8]) -> Vec<u8> {
    through(&["lzop", "-c"], bytes)
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    through(&["bzip2", "-c"], bytes)
}

fn half(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len() / 2].to_vec()
}

/// With the byte at this place from the end turned over.
fn flip(bytes: &[u8], from_end: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = bytes.len() - from_end;
    bytes[at] ^= 0xff;
    bytes
}

/// A tool, and the flaw of its damaged data.
type Tool = (&'static str, fn(&[u8]) -> Vec<u8>, &'static str);

const TOOLS: &[Tool] = &[
    ("lz4", lz4, "initrd-lz4"),
    ("lzma", lzma, "initrd-lzma"),
    ("lzo", lzo, "initrd-lzo"),
    ("bzip2", bzip2, "initrd-bzip2"),
];

fn micro() -> Vec<u8> {
    archive(&[folder("kernel"), file("kernel/x", &[7; 50])])
}

#[test]
fn what_the_tools_write_is_unpacked() {
    for (name, pack, _) in TOOLS {
        let behind = |bytes: Vec<u8>| [pack(&good()), bytes].concat();
        // lz4 has no end but the initrd's, or four zeros.
        let is_lz4 = *name == "lz4";
        let cases: Vec<(&str, Vec<u8>, Verdict)> = vec![
            ("alone", pack(&good()), Accept),
            ("behind a plain one", [micro(), pack(&good())].concat(), Accept),
            ("before zeros", behind(zeros(512)), Accept),
            ("before zeros and another", behind([zeros(512), gzip(&micro())].concat()), Accept),
            ("twice", behind(pack(&micro())), Accept),
            ("before gzip", behind(gzip(&micro())), if is_lz4 { Refuse("initrd-cut-short") } else { Accept }),
            (
                "before garbage",
                behind(b"garbage!".to_vec()),
                if is_lz4 { Refuse("initrd-lz4") } else { Note("initrd-trailing-garbage") },
            ),
            ("cut short", half(&pack(&good())), Refuse("initrd-cut-short")),
            (
                "a header alone",
                pack(&good())[..3].to_vec(),
                Refuse(if *name == "lzma" { "initrd-cut-short" } else { &format!("initrd-{name}").leak()[..] }),
            ),
        ];
        for (what, bytes, verdict) in cases {
            all(vec![(&format!("{name} {what}"), bytes, verdict)]);
        }
    }
}

#[test]
fn levels_and_sizes_equal_what_was_packed() {
    // Text, zeros and noise, longer than a block of each format: 8 MiB of lz4, 900 kB of bzip2, 256 KiB of lzo.
    let mut noise = 1_u64;
    let mut body: Vec<u8> = (0..9_000_000_u32)
        .map(|index| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            match index / 300_000 % 4 {
                0 => 0,
                1 => noise.to_be_bytes()[0],
                2 => b"the quick brown fox "[index as usize % 20],
                _ => (noise.to_be_bytes()[0] & 3) + b'a',
            }
        })
        .collect();
    body.truncate(8_999_999);
    let sum = body.iter().fold(0_u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    let bytes = archive(&[good_entries().concat(), with_sum("big", &body, sum)]);
    for command in [
        &["lz4", "-l", "-1", "-c"][..],
        &["lz4", "-l", "-9", "-c"],
        &["xz", "--format=lzma", "-0", "-c"],
        &["xz", "--format=lzma", "-9", "-c"],
        &["xz", "--format=lzma", "--lzma1=dict=64KiB", "-c"],
        &["lzop", "-1", "-c"],
        &["lzop", "-9", "-c"],
        &["lzop", "--crc32", "-c"],
        &["bzip2", "-1", "-c"],
        &["bzip2", "-9", "-c"],
    ] {
        let packed = through(command, &bytes);
        // The checksum of the cpio entry is verified on the way.
        all(vec![(&command.join(" "), packed, Accept)]);
    }
}

#[test]
fn damage_is_refused_as_linux_does() {
    let long = archive(&[good_entries().concat(), file("big", &b"some text or other ".repeat(20_000))]);
    let quirks = vec![
        // Linux takes four bytes of checksum for granted and does not verify them.
        ("lzo without checksum", through(&["lzop", "-F", "-c"], &long), Refuse("initrd-lzo")),
        (
            "lzo with a wrong checksum",
            {
                let mut packed = lzo(&good());
                let at = packed.windows(4).position(|part| part == u32::try_from(good().len()).unwrap().to_be_bytes());
                packed[at.unwrap() + 8] ^= 0xff;
                packed
            },
            Accept,
        ),
        ("lz4 of two files", [lz4(&micro()), lz4(&good())].concat(), Accept),
        (
            "lz4 of a long chunk",
            [b"\x02\x21\x4c\x18\xff\xff\xff\x7f".to_vec(), vec![1; 99]].concat(),
            Refuse("initrd-lz4"),
        ),
        ("lz4 before three zeros", [lz4(&good()), zeros(3)].concat(), Accept),
        ("lz4 before three zeros and another", [lz4(&good()), zeros(3), gzip(&micro())].concat(), Refuse("initrd-lz4")),
        ("lz4 frame", through(&["lz4", "-c"], &good()), Refuse("initrd-invalid-magic")),
        ("bzip2 level 0", forged(bzip2(&good()), 3, b"0"), Refuse("initrd-bzip2")),
        ("bzip2 checksum of the block", forged(bzip2(&good()), 10, b"\0\0\0\0"), Refuse("initrd-bzip2")),
        ("bzip2 checksum of all", flip(&bzip2(&good()), 3), Refuse("initrd-bzip2")),
        (
            "bzip2 randomised",
            {
                let mut packed = bzip2(&good());
                packed[14] |= 0x80;
                packed
            },
            Refuse("initrd-bzip2"),
        ),
        (
            "lzma properties",
            forged([b"\x5d\0".to_vec(), lzma(&good())[2..].to_vec()].concat(), 12, b"\x7f"),
            Refuse("initrd-lzma"),
        ),
        ("lzma dictionary", forged(lzma(&good()), 2, b"\0\0\x10"), Unknown("wants 268435456 bytes")),
    ];
    all(quirks);
    for (name, pack, id) in TOOLS {
        let packed = pack(&long);
        let (mut refused, middle) = (0, packed.len() / 2);
        for at in middle - 10..middle + 10 {
            let found = inspected(&flip(&packed, at));
            let flaws = &found.flaws.known().unwrap().items;
            // A byte of text may become another one, which lz4, lzo and lzma cannot tell.
            if let Some(flaw) = flaws.iter().find(|flaw| flaw.fatal) {
                assert!(flaw.id == *id || flaw.id.starts_with("initrd-"), "{name} {at}: {flaw:?}");
                refused += 1;
            }
        }
        assert!(refused > 0 || *name != "bzip2", "{name}");
    }
}

#[test]
fn damaged_bytes_never_panic_and_end() {
    let source = archive(&[good_entries().concat(), file("big", &b"0123456789abcdef".repeat(4000))]);
    let mut random = Random(99);
    for (_, pack, _) in TOOLS {
        let packed = pack(&source);
        for _ in 0..60 {
            let mut bytes = packed.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
            bytes.truncate(bytes.len() - random.below(20));
            let open = || Ok(Box::new(bytes.as_slice()) as Box<dyn Read>);
            let limits = Limits { initrd_unpacked: 4 << 20, ..Limits::default() };
            let size = u64::try_from(bytes.len()).unwrap();
            inspect("/initrd", size, &open, &modules::wanted(&[]), &limits);
        }
    }
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

#[test]
fn xz_is_read_block_by_block() {
    let long = archive(&[good_entries().concat(), file("big", &b"some text or other ".repeat(20_000))]);
    let blocks =
        |extra: &[&str]| through(&[&["xz", "--check=crc32", "--block-size=65536", "-T1", "-c"], extra].concat(), &long);
    let plain = blocks(&[]);
    // The second block's header: behind the first block, whose end the index says.
    let list = |bytes: &[u8]| {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), bytes).unwrap();
        let out = Command::new("xz").args(["--robot", "-lvv"]).arg(path.path()).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        let second = text.lines().find(|line| line.starts_with("block\t1\t2\t")).unwrap_or_else(|| panic!("{text}"));
        second.split('\t').nth(4).unwrap().parse::<usize>().unwrap()
    };
    let second = |at: usize, byte: u8, bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let start = list(&bytes);
        let end = start + (usize::from(bytes[start]) + 1) * 4;
        bytes[start + at] = byte;
        let sum = crc32fast::hash(&bytes[start..end - 4]);
        bytes[end - 4..end].copy_from_slice(&sum.to_le_bytes());
        bytes
    };
    let filtered = blocks(&["--x86", "--lzma2=dict=64KiB"]);
    // Behind the size and the flags stand the two sizes where there are any, then the filters.
    let sized = |bytes: &[u8]| bytes[list(bytes) + 1] & 0xc0;
    assert_eq!(sized(&filtered), 0, "-T1 writes no sizes");
    all(vec![
        ("xz blocks", plain.clone(), Accept),
        ("xz blocks with a filter", filtered.clone(), Accept),
        ("xz threads", through(&["xz", "--check=crc32", "-T2", "--block-size=65536", "-c"], &long), Accept),
        ("xz without check", through(&["xz", "--check=none", "--block-size=65536", "-c"], &long), Accept),
        ("xz delta in the second block", second(2, 3, &filtered), Refuse("initrd-xz-filter")),
        ("xz dictionary in the second block", second(4, 40, &plain), Refuse("initrd-xz-filter")),
        ("xz flags in the second block", second(1, 2, &plain), Refuse("initrd-xz-filter")),
        ("xz index", flip(&plain, 20), Refuse("initrd-xz")),
        ("xz footer", flip(&plain, 3), Refuse("initrd-xz")),
        ("xz without footer", plain[..plain.len() - 5].to_vec(), Refuse("initrd-cut-short")),
        ("xz behind xz", [plain.clone(), plain.clone()].concat(), Accept),
        (
            "xz of nothing behind",
            [good(), through(&["xz", "--check=crc32", "-c"], b"")].concat(),
            Note("initrd-no-trailer"),
        ),
    ]);
    for (bytes, expected) in
        [(plain, vec![]), (filtered, vec!["x86"]), (blocks(&["--arm64", "--lzma2=dict=64KiB"]), vec!["arm64"])]
    {
        assert_eq!(inspected(&bytes).segments.known().unwrap().items[0].filters, expected);
    }
}
