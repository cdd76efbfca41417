//! The benchmarks as a program of their own, to be pointed at any build with `--bin`; for clones it is enough by itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == "__templates")
    {
        return ExitCode::from(offshoot_clone::nursery::main());
    }
    offshoot_bench::main_from(std::env::args_os().skip(1))
}
