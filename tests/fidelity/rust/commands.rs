// std::process::Command works after the clone: status, output, pipes in both directions.
include!("../fidelity.rs");
use std::process::{Command, Stdio};

fn main() {
    let mut prepared = Command::new("/bin/sh");
    prepared.args(["-c", "echo $WORD; exit 3"]).env("WORD", "hello");
    wait_for_clone();
    let output = prepared.stdin(Stdio::null()).output().unwrap();
    same(output.status.code(), Some(3));
    same(String::from_utf8(output.stdout).unwrap(), "hello\n".to_owned());
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut text = String::new();
    child.stdin.take().unwrap().write_all(b"through cat").unwrap();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    same(text, "through cat".to_owned());
    same(child.wait().unwrap().success(), true);
    pass();
}
