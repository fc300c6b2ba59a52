//! Parse, dispatch, print the error, exit code.

use bootworthy::cli::{Cli, Command};
use bootworthy::{boot, build, command, worker};
use clap::{CommandFactory as _, Parser as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => run(cli.command).unwrap_or_else(|error| command::failed(&error)),
        Err(error) => command::usage(&error),
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check(args) => command::check::run(&args),
        Command::Boot(args) => command::boot::run(&args),
        Command::Properties(args) => command::properties::run(&args),
        Command::Features(args) => command::features::run(&args),
        Command::Lint(args) => command::lint::run(&args),
        Command::Build(args) => command::build::run(&args),
        Command::Inspect(args) => command::inspect::run(&args),
        Command::Initrd(args) => command::initrd::run(&args),
        Command::Checks(args) => command::checks::run(&args),
        Command::Explain(args) => command::explain::run(&args),
        Command::Completions(args) => command::completions::run(&args, &Cli::command()),
        Command::Man(args) => command::man::run(&args, Cli::command()),
        Command::Worker { request } => {
            worker::serve(&request)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Guard { step } => {
            boot::qemu::serve(step.as_deref())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Child { words } => Ok(ExitCode::from(worker::guard::serve(&words)?)),
        Command::Inside { words } => Ok(ExitCode::from(build::inside(&words)?)),
    }
}
