//! The benchmarks as a program of their own, to be pointed at any build with `--bin`; for clones and sandboxes it is enough
//! by itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    let first = std::env::args_os().nth(1);
    match first.as_ref().and_then(|word| word.to_str()) {
        Some("__templates") => ExitCode::from(offshoot_clone::nursery::main()),
        Some("__nursery") => offshoot_sandbox::nursery_main(),
        _ => offshoot_bench::main_from(std::env::args_os().skip(1)),
    }
}
