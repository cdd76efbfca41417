//! Running the program.

#![allow(clippy::unwrap_used, dead_code)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::daemon::Daemon;

/// The program without the environment that would steer it.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offshoot"));
    for (name, _) in std::env::vars() {
        if name.starts_with("OFFSHOOT_") || name.starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

pub fn offshoot(daemon: &Daemon, args: &[&str]) -> Output {
    program()
        .env("OFFSHOOT_ENDPOINT", &daemon.endpoint)
        .args(args)
        .output()
        .unwrap()
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub fn function(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

pub const HELLO: &str = "def handler(event, context):\n    return event\n";

pub fn deploy(daemon: &Daemon, dir: &Path, more: &[&str]) -> Value {
    let mut args = vec!["deploy", dir.to_str().unwrap()];
    args.extend(more);
    let output = offshoot(daemon, &args);
    assert_eq!(code(&output), 0, "{}", err(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}
