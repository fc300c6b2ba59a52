//! `bootworthy man`: the manual pages, from the definition of the command line.

use super::output::replace;
use super::{Usage, print_bytes};
use clap_mangen::Man;
use std::path::PathBuf;
use std::process::ExitCode;

/// Write the manual pages
#[derive(Debug, clap::Args)]
#[command(before_help = "Example: bootworthy man /usr/local/share/man/man1")]
pub struct Args {
    /// Where a page for each command goes; without it, bootworthy's own page is printed
    #[arg(value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

/// Prints the page of `program`, or writes its pages and those of its commands.
pub fn run(args: &Args, mut program: clap::Command) -> anyhow::Result<ExitCode> {
    program.build();
    let Some(directory) = &args.directory else {
        print_bytes(&page(program)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    if !directory.is_dir() {
        return Err(Usage(format!("{} is no directory", super::images::shown(directory))).into());
    }
    let visible = |command: &&clap::Command| !command.is_hide_set() && command.get_name() != "help";
    let own: Vec<clap::Command> = program.get_subcommands().filter(visible).cloned().collect();
    for command in std::iter::once(program).chain(own) {
        let page_of = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        replace(&directory.join(format!("{page_of}.1")), &page(command)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn page(command: clap::Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    // No date: a page is the same whenever it is made.
    Man::new(command).render(&mut page)?;
    Ok(page)
}
