//! The command line: lists the commands, no logic.

use crate::command::{
    EXIT_CODES, boot, build, check, checks, completions, explain, features, initrd, inspect, lint, man, properties,
};
use clap::{Parser, Subcommand};
use std::ffi::OsString;

/// Will this Linux image boot and behave in OpenStack, and which Glance properties has it earned?
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge images: does it boot, on which bus, what is missing
    Check(check::Args),
    /// Start an image in QEMU with Nova's devices, and prove what the checks promise
    Boot(Box<boot::Args>),
    /// Print the Glance properties that an image has earned
    Properties(properties::Args),
    /// Tell which features an image is ready for, and what else each takes
    Features(features::Args),
    /// Judge manifests and flavors without an image: what Glance or Nova would refuse or silently ignore
    Lint(lint::Args),
    /// Make an image from a recipe, check it and write its manifest
    Build(build::Args),
    /// Print the facts of an image as JSON
    Inspect(inspect::Args),
    /// Look into initrd files: segments, modules, the four virtio drivers
    Initrd(initrd::Args),
    /// List the checks
    Checks(checks::Args),
    /// Tell why a check, property or feature matters and how to mend it
    Explain(explain::Args),
    /// Print what makes a shell complete bootworthy's commands
    Completions(completions::Args),
    /// Write the manual pages
    Man(man::Args),
    /// Read one image for the parent process
    #[command(hide = true)]
    Worker {
        /// The request, as JSON.
        request: String,
    },
    /// Keep a private folder for the parent process
    #[command(hide = true)]
    Guard {
        /// The program to become, as JSON.
        step: Option<String>,
    },
    /// Run a program that ends when the parent process does
    #[command(hide = true)]
    Child {
        /// The program and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
    /// Work on a tree as its root, for the parent process
    #[command(hide = true)]
    Inside {
        /// What to do.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
}
