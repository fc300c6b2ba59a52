//! The program as a user runs it: environment cleared, output as text.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A run of the program that has ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The program under test.
pub fn program() -> &'static str {
    env!("CARGO_BIN_EXE_bootworthy")
}

/// The program with a cleared environment, in the crate's folder.
pub fn command() -> Command {
    let mut command = Command::new(program());
    command.env_clear().current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}

/// Runs the program.
pub fn bootworthy<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    ended(&command().args(args).output().unwrap())
}

/// Runs the program with `input` as its standard input.
pub fn with_input<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>, input: &[u8]) -> Run {
    use std::io::Write as _;
    let mut command = command();
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    ended(&output)
}

fn ended(output: &Output) -> Run {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
    Run {
        code: output.status.code().expect("ended by itself"),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// Runs another tool; it must be there and succeed.
pub fn tool<S: AsRef<std::ffi::OsStr>>(name: &str, args: impl IntoIterator<Item = S>) -> Vec<u8> {
    let output = Command::new(name).args(args).env("LC_ALL", "C.UTF-8").output();
    let output = output.unwrap_or_else(|error| panic!("{name} is needed by this test: {error}; run tests/run"));
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A file of fixtures/.
pub fn fixture(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// A real image that tests/run has built, by the name of its variable.
pub fn image(name: &str) -> PathBuf {
    let variable = format!("BOOTWORTHY_IMAGE_{}", name.to_uppercase());
    let path =
        std::env::var_os(&variable).unwrap_or_else(|| panic!("{variable} is not set; run the tests with tests/run"));
    PathBuf::from(path)
}

/// The QEMU that tests/run has found or unpacked.
pub fn qemu() -> PathBuf {
    let path = std::env::var_os("BOOTWORTHY_QEMU").expect("BOOTWORTHY_QEMU is not set; run the tests with tests/run");
    PathBuf::from(path)
}
