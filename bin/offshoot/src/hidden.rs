//! Subcommands that only the daemon calls, on itself. They run before anything else: no thread, no
//! argument parser, no open file.

use std::ffi::OsString;
use std::process::ExitCode;

/// Builds sandboxes for the daemon.
pub const NURSERY: &str = "__nursery";
/// Makes templates.
pub const TEMPLATES: &str = "__templates";
/// Unpacks an untrusted zip for the daemon.
pub const UNPACK: &str = "__unpack";

/// Runs the hidden subcommand that `args` names, if it names one.
pub fn run(args: &[OsString]) -> Option<ExitCode> {
    match args.get(1)?.to_str()? {
        NURSERY => Some(offshoot_sandbox::nursery_main()),
        TEMPLATES => Some(ExitCode::from(offshoot_clone::nursery::main())),
        UNPACK => Some(offshoot_package::worker_main()),
        _ => None,
    }
}
