//! The nursery of templates as a program of its own; see `offshoot_clone::nursery::main`.

fn main() -> std::process::ExitCode {
    offshoot_clone::nursery::main().into()
}
