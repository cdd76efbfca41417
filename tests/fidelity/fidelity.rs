// What every fidelity program in Rust includes: the twin of fidelity.h, for which README.md has the contract.
#[allow(unused_imports)]
use std::io::{ErrorKind, Read, Write};

/// Says that everything is prepared.
#[allow(dead_code)]
pub fn announce() {
    let mut output = std::io::stdout();
    if output.write_all(b"ready\n").and_then(|()| output.flush()).is_err() {
        std::process::exit(2);
    }
}

/// The point at which the program is frozen and cloned.
#[allow(dead_code)]
pub fn wait_for_clone() {
    announce();
    let mut input = std::fs::File::from(unbuffered_input());
    let mut byte = [0_u8];
    loop {
        match input.read(&mut byte) {
            Ok(1) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => fail(&format!("no byte on descriptor 0: {other:?}")),
        }
    }
    std::mem::forget(input); // descriptor 0 stays open
}

fn unbuffered_input() -> std::os::fd::OwnedFd {
    use std::os::fd::FromRawFd;
    // SAFETY: descriptor 0 is open, and `wait_for_clone` gives it up without closing it.
    unsafe { std::os::fd::OwnedFd::from_raw_fd(0) }
}

/// Ends the program: everything is as before.
#[allow(dead_code)]
pub fn pass() -> ! {
    println!("pass");
    std::process::exit(0);
}

/// Ends the program: something is not.
#[allow(dead_code)]
pub fn fail(why: &str) -> ! {
    println!("fail: {why}");
    std::process::exit(1);
}

/// Fails, naming both values, unless they are the same.
#[allow(dead_code)]
#[track_caller]
pub fn same<T: PartialEq + std::fmt::Debug>(actual: T, expected: T) {
    if actual != expected {
        let place = std::panic::Location::caller().line();
        fail(&format!("line {place}: {actual:?}, not {expected:?}"));
    }
}

/// Whether the runner runs the program without cloning it.
#[allow(dead_code)]
pub fn native() -> bool {
    std::env::var_os("FIDELITY_NATIVE").is_some()
}

/// The positive control: with --sabotage the program changes what it verifies next.
#[allow(dead_code)]
pub fn sabotaged() -> bool {
    std::env::var_os("FIDELITY_SABOTAGE").is_some()
}

/// Lets other threads reach the call in which they are to be frozen.
#[allow(dead_code)]
pub fn settle() {
    std::thread::sleep(std::time::Duration::from_millis(30));
}
