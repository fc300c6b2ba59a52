//! Nova asked anew: the recorded answers must be what its own code says.

use crate::cases::{self, Answers, Cases};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// An interpreter with nova==34.0.0: .ci/full makes one, BOOTWORTHY_NOVA_PYTHON names another.
fn ask(cases: &Cases) -> Answers {
    let python = std::env::var_os("BOOTWORTHY_NOVA_PYTHON").expect("BOOTWORTHY_NOVA_PYTHON; run .ci/full oracles");
    let mut nova = Command::new(python);
    nova.arg("tests/oracles/ask_nova.py").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut nova = nova.spawn().unwrap();
    let (mut stdin, input) = (nova.stdin.take().unwrap(), serde_json::to_vec(cases).unwrap());
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = nova.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn nova() {
    let cases = cases::cases();
    let answers = ask(&cases);
    if std::env::var_os("BOOTWORTHY_RECORD").is_some() {
        let mut file = GzEncoder::new(File::create(cases::path()).unwrap(), Compression::best());
        serde_json::to_writer(&mut file, &(&cases, &answers)).unwrap();
        file.finish().unwrap();
    }
    let recorded: (Cases, Answers) =
        serde_json::from_reader(GzDecoder::new(File::open(cases::path()).unwrap())).unwrap();
    assert!(recorded.0 == cases, "the cases have changed: BOOTWORTHY_RECORD=1 .ci/full oracles");
    assert_eq!(recorded.1.properties, answers.properties);
    assert_eq!(recorded.1.specs, answers.specs);
    assert_eq!(recorded.1.pairs, answers.pairs);
    assert_eq!(recorded.1.guests, answers.guests);
}
