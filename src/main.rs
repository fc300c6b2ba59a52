//! Parse, dispatch, print the error, exit code.

use bootworthy::cli::Cli;
use bootworthy::command;
use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return command::usage(&error),
    };
    command::run(cli.command).unwrap_or_else(|error| command::failed(&error))
}
