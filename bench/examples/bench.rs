//! The benchmarks as a program of their own, to be pointed at any build with `--bin`.

fn main() -> std::process::ExitCode {
    offshoot_bench::main_from(std::env::args_os().skip(1))
}
