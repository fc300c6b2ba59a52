//! `bootworthy completions`: what a shell needs to complete the command line, from its definition.

use super::print_bytes;
use clap_complete::Shell;
use std::process::ExitCode;

/// Print what makes a shell complete bootworthy's commands
#[derive(Debug, clap::Args)]
#[command(before_help = "Example: bootworthy completions bash > /etc/bash_completion.d/bootworthy")]
pub struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the script for `program`, the command line as clap has it.
pub fn run(args: &Args, mut program: clap::Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    let name = program.get_name().to_owned();
    clap_complete::generate(args.shell, &mut program, name, &mut script);
    print_bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}
