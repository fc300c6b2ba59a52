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
pub fn run(args: &Args, program: &clap::Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    // clap_complete offers hidden commands too: the worker is none of the user's.
    let own = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut visible = clap::Command::new(env!("CARGO_PKG_NAME")).version(env!("CARGO_PKG_VERSION")).subcommands(own);
    clap_complete::generate(args.shell, &mut visible, env!("CARGO_PKG_NAME"), &mut script);
    print_bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}
