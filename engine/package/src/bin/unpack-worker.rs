//! The unpacking worker as a program of its own, for this crate's tests. The product runs the same
//! function behind a hidden subcommand of its own binary.

fn main() -> std::process::ExitCode {
    offshoot_package::worker_main()
}
