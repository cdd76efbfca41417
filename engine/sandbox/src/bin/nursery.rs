//! The nursery as a program of its own; see `offshoot_sandbox::nursery_main`.

fn main() -> std::process::ExitCode {
    offshoot_sandbox::nursery_main()
}
