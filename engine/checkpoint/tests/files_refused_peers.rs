//! What reaches beyond the process is refused by name, with its peer and what to do about it.
#![allow(clippy::unwrap_used)]

mod files_common;

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use files_common::{Subject, expect};
use offshoot_checkpoint::files::{FileError, Others, Tables, Target, read};
use rustix::process::Pid;

#[test]
fn internet_sockets_are_refused_with_their_addresses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    expect(
        "s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); place(s.detach(), 10)",
        &[&port],
        &[
            "a TCP socket connected from 127.0.0.1:",
            &format!("to 127.0.0.1:{port}"),
        ],
    );
    expect(
        "s = socket.create_server(('::1', 0), family=socket.AF_INET6); place(s.detach(), 10)",
        &[],
        &["a TCP socket listening on [::1]:"],
    );
    expect(
        "s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('127.0.0.1', 0)); place(s.detach(), 10)",
        &[],
        &["a UDP socket bound to 127.0.0.1:", "not connected"],
    );
    expect(
        "s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); place(s.detach(), 10)",
        &[],
        &["a raw IP socket"],
    );
}

#[test]
fn other_families_are_refused_by_name() {
    let cases = [
        ("socket.AF_PACKET, socket.SOCK_RAW", "a packet socket"),
        (
            "socket.AF_NETLINK, socket.SOCK_RAW, 0",
            "a netlink (protocol 0) socket",
        ),
        ("socket.AF_VSOCK, socket.SOCK_STREAM", "a vsock socket"),
    ];
    for (arguments, word) in cases {
        expect(
            &format!("place(socket.socket({arguments}).detach(), 10)"),
            &[],
            &[word],
        );
    }
}

#[test]
fn unix_socket_of_another_process_is_refused_with_its_holder() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("server");
    let listener = UnixListener::bind(&path).unwrap();
    let script = r"
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); place(s.detach(), 10)
ready()";
    let argument = path.to_str().unwrap();
    let subject = Subject::start(script, &[argument]);
    let text = subject.refusals()[0].to_string();
    let expected = format!("is not accepted yet by the socket {argument}");
    assert!(
        text.contains("accept the connection") && text.contains(&expected),
        "{text}"
    );
    let (accepted, _) = listener.accept().unwrap();
    let text = subject.refusals()[0].to_string();
    let pid = std::process::id();
    let expected = format!("a Unix socket whose peer {argument} is open in process {pid} (");
    assert!(text.contains(&expected), "{text}");
    drop(accepted);
    let text = subject.refusals()[0].to_string();
    assert!(
        text.contains("a Unix socket whose peer is closed"),
        "{text}"
    );
}

#[test]
fn unix_sockets_that_cannot_be_made_again_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let pair = "a, b = socket.socketpair()";
    let cases = [
        ("b.shutdown(socket.SHUT_WR)", "shut down in one direction"),
        ("b.close()", "whose peer is closed"),
        (
            "socket.send_fds(b, [b'x'], [1])",
            "with 1 descriptors in its queue (SCM_RIGHTS)",
        ),
        (
            "a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('qq', 9, 0))",
            "SO_RCVTIMEO",
        ),
        (
            "b.send(b'abc'); b.send(b'd', socket.MSG_OOB); b.send(b'e')",
            "urgent bytes",
        ),
    ];
    for (script, word) in cases {
        expect(
            &format!("{pair}; {script}; place(a.detach(), 10)"),
            &[],
            &[word],
        );
    }
    let listen = r"
l = socket.socket(socket.AF_UNIX); l.bind(sys.argv[1] + '/l'); l.listen(5); place(l.detach(), 10)
c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1] + '/l')";
    expect(
        listen,
        &[path],
        &["a listening Unix socket", "with 1 connections to accept"],
    );
    let datagram = r"
d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); d.bind(sys.argv[1] + '/d'); place(d.detach(), 10)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1] + '/s')
s.sendto(b'x', sys.argv[1] + '/d')";
    expect(
        datagram,
        &[path],
        &["/d with messages of another sender than its peer in its queue"],
    );
}

#[test]
fn pipe_of_another_process_is_refused_with_its_holder() {
    let mut child = Command::new("/usr/bin/python3")
        .args([
            "-c",
            "import os, sys; os.closerange(3, 256); print('x', flush=True); sys.stdin.read()",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let target = Target::open(Pid::from_raw(pid).unwrap()).unwrap();
    let error = read(
        &target,
        &[2].into(),
        &mut Others::default(),
        &mut Tables::default(),
    )
    .unwrap_err();
    let text = error.to_string();
    let holder = format!("process {} (", std::process::id());
    for (line, words) in text
        .lines()
        .zip(["0 is the reading end", "1 is the writing end"])
    {
        assert!(line.contains(words) && line.contains(&holder), "{line}");
    }
    assert_eq!(text.lines().count(), 2, "{text}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn both_ends_of_a_pipe_that_a_child_has_too_are_refused() {
    let script = r"
r, w = os.pipe(); place(r, 10); place(w, 11)
if os.fork() == 0:
    libc.prctl(1, 9); time.sleep(1000)
";
    expect(
        script,
        &[],
        &[
            "the reading end of a pipe that is also open in process",
            "(python3)",
        ],
    );
}

#[test]
fn pipe_whose_other_end_travels_in_a_socket_is_refused() {
    let script = r"
r, w = os.pipe(); place(r, 10)
a, b = socket.socketpair(); socket.send_fds(a, [b'x'], [w]); os.close(w)
";
    expect(
        script,
        &[],
        &[
            "the reading end of a pipe",
            "another process, which was not found",
        ],
    );
}

#[test]
fn shared_eventfd_and_memfd_are_refused() {
    let fork = "if os.fork() == 0: libc.prctl(1, 9); time.sleep(1000)";
    let script = format!("place(os.eventfd(0), 10)\n{fork}");
    expect(&script, &[], &["an eventfd that is also open in process"]);
    let script = format!("place(os.memfd_create('shm'), 10)\n{fork}");
    expect(&script, &[], &["a memfd that is also open in process"]);
}

#[test]
fn half_external_pairs_are_refused() {
    let script = r"
r, w = os.pipe(); place(r, 10); place(w, 11)
a, b = socket.socketpair(); place(a.detach(), 12); place(b.detach(), 13)
ready()";
    let subject = Subject::start(script, &[]);
    let FileError::Refused(refusals) = subject.read_with(&[0, 1, 2, 11, 13]).unwrap_err() else {
        panic!("another error");
    };
    let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    assert!(
        texts[0].contains("a pipe whose other end, descriptor 11, is external"),
        "{texts:?}"
    );
    assert!(
        texts[1].contains("a Unix socket whose other end, descriptor 13"),
        "{texts:?}"
    );
}

#[test]
fn socket_of_a_network_namespace_that_was_left_is_refused() {
    let script =
        "a, b = socket.socketpair(); place(a.detach(), 10); checked(libc.unshare(0x40000000))";
    expect(script, &[], &["a socket of another network namespace"]);
}

#[test]
fn packet_pipe_with_content_is_refused() {
    let script = "r, w = os.pipe2(os.O_DIRECT); os.write(w, b'p'); place(r, 10)";
    expect(
        script,
        &[],
        &["a pipe of packets (O_DIRECT) that is not empty"],
    );
}
