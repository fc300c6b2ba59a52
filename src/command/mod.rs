//! One file per subcommand; each composes the rooms to its left and prints.

pub mod boot;
pub mod build;
mod building;
pub mod check;
pub mod checks;
pub mod completions;
pub mod explain;
pub mod features;
mod images;
pub mod initrd;
pub mod inspect;
mod judging;
mod levels;
pub mod lint;
pub mod man;
mod manifests;
mod output;
pub mod properties;

use crate::error::Error;
use crate::report::escape;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;

/// Shown below the help of every command that judges images.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  every check that counts passed
  1  one of them failed
  2  usage or configuration, before any image was read
  3  none failed, but one could not be judged, or an image could not be inspected";

/// Usage or configuration was wrong; no image was read.
const EXIT_USAGE: u8 = 2;
/// Something could not be judged or read.
const EXIT_UNKNOWN: u8 = 3;

/// A mistake in what the user asked for: exit 2.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Prints what clap has to say: help and version to standard output, mistakes to standard error with exit 2.
pub fn usage(error: &clap::Error) -> ExitCode {
    let is_help = !error.use_stderr();
    match error.print() {
        Err(problem) if problem.kind() != ErrorKind::BrokenPipe => ExitCode::from(EXIT_UNKNOWN),
        _ if is_help => ExitCode::SUCCESS,
        _ => ExitCode::from(EXIT_USAGE),
    }
}

/// Prints an error once; a broken pipe is quiet success.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    if error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|io| io.kind() == ErrorKind::BrokenPipe)
    {
        return ExitCode::SUCCESS;
    }
    let mut text = format!("error: {}\n", escape(&format!("{error:#}")));
    if let Some(error) = error.downcast_ref::<Error>() {
        text.push_str(&advice(error));
    }
    // Nothing is left to tell it to when standard error is gone too.
    drop(io::stderr().write_all(text.as_bytes()));
    ExitCode::from(if error.is::<Usage>() { EXIT_USAGE } else { EXIT_UNKNOWN })
}

/// The `why` and `help` lines of an error.
fn advice(error: &Error) -> String {
    let line = |key: &str, text: &Option<String>| {
        text.as_ref().map(|text| format!("  = {key}: {}\n", escape(text))).unwrap_or_default()
    };
    line("why", &error.why) + &line("help", &error.help)
}

/// Writes to standard output and flushes, so that a full disk is not taken for success.
fn print(text: &str) -> io::Result<()> {
    print_bytes(text.as_bytes())
}

fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Whether to colour: on a terminal that wants it (<https://no-color.org>).
fn is_colourful() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    io::stdout().is_terminal() && !refused && !is_dumb
}

/// Columns of the terminal; `None` where standard output is none, so that nothing is folded in files.
fn width() -> Option<usize> {
    let size = io::stdout().is_terminal().then(|| rustix::termios::tcgetwinsize(io::stdout()).ok())??;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
