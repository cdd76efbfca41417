// A pair of UnixStreams with bytes under way, and a thread that reads lines from one.
include!("../fidelity.rs");
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;

fn main() {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let (mut lines, reader) = UnixStream::pair().unwrap();
    far.write_all(b"under way").unwrap();
    lines.write_all(b"half a ").unwrap();
    let thread = std::thread::spawn(move || BufReader::new(reader).lines().map(Result::unwrap).collect::<Vec<_>>());
    settle();
    wait_for_clone();
    let mut bytes = [0; 9];
    near.read_exact(&mut bytes).unwrap();
    same(&bytes, if sabotaged() { b"otherwise" } else { b"under way" });
    lines.write_all(b"line\nwhole line\n").unwrap();
    drop(lines);
    same(thread.join().unwrap(), vec!["half a line".to_owned(), "whole line".to_owned()]);
    near.set_nonblocking(true).unwrap();
    same(near.read(&mut bytes).unwrap_err().kind(), ErrorKind::WouldBlock);
    pass();
}
