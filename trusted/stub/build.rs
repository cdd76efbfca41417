//! Builds the stub: one program of its own, without libc, at a fixed address.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let plan = here.join("../../format/plan/src");
    for watched in [&here.join("stub"), &here.join("stub.ld"), &plan] {
        println!("cargo::rerun-if-changed={}", watched.display());
    }
    let library = out.join("liboffshoot_plan.rlib");
    compile("the plan", &plan.join("lib.rs"), &library, |rustc| {
        rustc.args(["--crate-name=offshoot_plan", "--crate-type=rlib"]);
    });
    compile(
        "the stub",
        &here.join("stub/main.rs"),
        &out.join("stub"),
        |rustc| {
            rustc.args(["--crate-name=stub", "--crate-type=bin", "-Clinker=cc"]);
            rustc.arg(format!("--extern=offshoot_plan={}", library.display()));
            rustc.args(link_arguments(&here));
        },
    );
}

/// Compiles one crate for the stub, with the compiler of this build but none of its flags.
fn compile(what: &str, source: &Path, output: &Path, more: impl FnOnce(&mut Command)) {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command
        .arg(source)
        .args(["--edition=2024", "--target=x86_64-unknown-linux-gnu"])
        // Position-independent code, linked once and for all: no relocation is left to be done at run time.
        .args(["-Copt-level=2", "-Cpanic=abort", "-Crelocation-model=pic"])
        .args(["-Cstrip=symbols", "-Cdebuginfo=0", "-Ccodegen-units=1"])
        // The program's registers all come back with its signal frame; still, the fewer the stub touches the better.
        .args(["-Cno-vectorize-loops", "-Cno-vectorize-slp"])
        .arg("-o")
        .arg(output);
    more(&mut command);
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{what} could not be built: rustc ended with {status}"),
        Err(error) => panic!("{what} could not be built: rustc did not start: {error}"),
    }
}

fn link_arguments(here: &Path) -> Vec<String> {
    let script = here.join("stub.ld");
    let arguments = [
        "-nostartfiles",
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,--build-id=none",
        "-Wl,-z,noexecstack",
    ];
    let mut arguments: Vec<String> = arguments
        .iter()
        .map(|argument| format!("-Clink-arg={argument}"))
        .collect();
    arguments.push(format!("-Clink-arg=-Wl,-T,{}", script.display()));
    arguments
}
