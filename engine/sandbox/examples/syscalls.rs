//! Prints the page of system calls: `cargo run -p offshoot-sandbox --example syscalls > docs/design/syscalls.md`.

fn main() {
    print!("{}", offshoot_sandbox::seccomp::page());
}
