//! What an image cannot hold is refused by name, with what to do about it.
#![allow(clippy::unwrap_used)]

mod files_common;

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use files_common::Subject;
use offshoot_checkpoint::files::{FileError, Obstacle, Refusal, Tables, Target, read};
use rustix::process::Pid;

/// Every script leaves its one bad file at descriptor 10. The words must be in the message.
fn expect(script: &str, arguments: &[&str], words: &[&str]) {
    let subject = Subject::start(&format!("{script}\nready()"), arguments);
    let refusals = subject.refusals();
    let text = refusals
        .iter()
        .find(|refusal| refusal.descriptors.contains(&10))
        .unwrap_or_else(|| panic!("descriptor 10 is not refused: {refusals:?}"))
        .to_string();
    let remedy = [
        "descriptor 10 is",
        "which an image cannot hold",
        "close it before the checkpoint, or pass it with `--external 10` and give a file for it at \
         clone time",
    ];
    for word in words.iter().chain(&remedy) {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
    assert!(remedy_works(&subject, &refusals), "{script}");
}

/// Whether all is well once everything refused is external; of a pair, the other end may follow.
fn remedy_works(subject: &Subject, refusals: &[Refusal]) -> bool {
    let mut external = vec![0, 1, 2];
    external.extend(refusals.iter().flat_map(|one| one.descriptors.clone()));
    match subject.read_with(&external) {
        Ok(_) => true,
        Err(FileError::Refused(other_ends)) => {
            external.extend(other_ends.iter().flat_map(|one| one.descriptors.clone()));
            subject.read_with(&external).is_ok()
        }
        Err(_) => false,
    }
}

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
            "a.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)",
            "with the option SO_PASSCRED",
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
    let error = read(&target, &[2].into(), &mut Tables::default()).unwrap_err();
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
fn anonymous_inodes_without_a_rule_are_refused_by_kind() {
    let cases = [
        (
            "libc.syscall(425, 4, ctypes.create_string_buffer(200))",
            "an io_uring",
        ),
        ("libc.syscall(323, 1)", "a userfaultfd"),
        ("libc.syscall(300, 0, 0)", "a fanotify group"),
        (
            "libc.syscall(298, ctypes.create_string_buffer(struct.pack('=IIQ', 1, 112, 0) + bytes(96)), \
             0, -1, -1, 0)",
            "a performance counter",
        ),
        (
            "libc.syscall(321, 0, ctypes.create_string_buffer(struct.pack('=5I', 2, 4, 4, 1, 0) + \
             bytes(60)), 72)",
            "a BPF object (bpf-map)",
        ),
        ("os.pidfd_open(os.getppid())", "a pidfd of process "),
        (
            "libc.syscall(444, struct.pack('q', 1), 8, 0)",
            "a Landlock ruleset",
        ),
        (
            "libc.syscall(430, b'tmpfs', 0)",
            "a file system context (fsopen)",
        ),
    ];
    for (call, word) in cases {
        expect(&format!("place(checked({call}), 10)"), &[], &[word]);
    }
}

#[test]
fn kernel_files_are_refused_by_name() {
    let cases = [
        ("libc.syscall(447, 0)", "secret memory (memfd_secret)"),
        (
            "libc.syscall(240, b'offshoot-files', 0o102, 0o600, 0)",
            "a POSIX message queue",
        ),
        (
            "os.open('/proc/self/stat', os.O_RDONLY)",
            "a file of /proc about one process",
        ),
        (
            "os.open('/proc/sys/kernel/hostname', os.O_RDWR)",
            "a writable file of /proc",
        ),
        (
            "os.open('/sys/kernel/mm/transparent_hugepage/enabled', os.O_WRONLY)",
            "a writable file of /sys",
        ),
        ("os.open('/proc/self/ns/net', os.O_RDONLY)", "a namespace"),
        (
            "os.open('/dev/kmsg', os.O_RDONLY)",
            "a character device, /dev/kmsg (1:11)",
        ),
        (
            "os.open('/dev/fuse', os.O_RDWR)",
            "a character device, /dev/fuse (10:229)",
        ),
        (
            "os.open('/dev/loop7', os.O_RDONLY | os.O_NONBLOCK)",
            "a block device, /dev/loop7",
        ),
        ("os.openpty()[0]", "a terminal, /dev/"),
        ("os.openpty()[1]", "a terminal, /dev/pts/"),
    ];
    for (call, word) in cases {
        expect(&format!("place(checked({call}), 10)"), &[], &[word]);
    }
}

#[test]
fn files_with_locks_leases_and_owners_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, "x").unwrap();
    let cases = [
        (
            "fcntl.flock(10, fcntl.LOCK_EX)",
            "a file with a lock or lease (1: FLOCK",
            "release the lock",
        ),
        (
            "fcntl.lockf(10, fcntl.LOCK_EX)",
            "a file with a lock or lease (1: POSIX",
            "release the lock",
        ),
        (
            "fcntl.fcntl(10, 37, struct.pack('hhqqi4x', 1, 0, 0, 0, 0))",
            "a file with a lock or lease (1: OFDLCK",
            "release the lock",
        ),
        (
            "fcntl.fcntl(10, 1024, 1)",
            "a file with a lock or lease (1: LEASE",
            "release the lock",
        ),
        (
            "fcntl.fcntl(10, 8, os.getpid())",
            "a file that sends signals (F_SETOWN)",
            "take the owner back",
        ),
        (
            "fcntl.fcntl(10, 10, 12)",
            "a file that sends signals (F_SETSIG)",
            "take the owner back",
        ),
    ];
    for (call, word, cure) in cases {
        let script = format!("place(os.open(sys.argv[1], os.O_RDWR), 10); {call}");
        expect(&script, &[path.to_str().unwrap()], &[word, cure]);
    }
    let script = "a, b = socket.socketpair(); place(a.detach(), 10); fcntl.fcntl(10, 4, 0o20000)";
    expect(script, &[], &["a file that sends signals (O_ASYNC)"]);
}

#[test]
fn stale_epoll_entries_are_refused_with_what_still_leads_there() {
    let script = r"
e = select.epoll(); place(os.dup(e.fileno()), 10); e.close()
place(os.eventfd(0), 11); os.dup2(11, 12)
checked(libc.epoll_ctl(10, 1, 11, struct.pack('=IQ', 1, 0)))
os.close(11)
";
    let words = [
        "an epoll set that watches a file as descriptor 11, which now is closed",
        "(descriptor 12 still leads to it)",
        "EPOLL_CTL_DEL",
    ];
    expect(script, &[], &words);
    let reused = format!("{script}\nplace(os.eventfd(0), 11)");
    expect(&reused, &[], &["descriptor 11, which now is another file"]);
}

#[test]
fn unread_inotify_events_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let script = r"
i = checked(libc.inotify_init1(0)); place(i, 10)
checked(libc.inotify_add_watch(10, sys.argv[1].encode(), 0x100))
open(sys.argv[1] + '/new', 'w').close()
";
    let path = directory.path().to_str().unwrap();
    expect(
        script,
        &[path],
        &[
            "an inotify instance with",
            "bytes of events to read",
            "read the events",
        ],
    );
}

#[test]
fn files_that_no_path_leads_to_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let covered = r"
checked(libc.unshare(0x20000))
none = ctypes.c_char_p()
checked(libc.mount(b'none', b'/', none, 0x44000, none))
place(os.open(sys.argv[1] + '/covered', os.O_RDWR | os.O_CREAT), 10)
checked(libc.mount(b'tmpfs', sys.argv[1].encode(), b'tmpfs', 0, none))
";
    expect(
        covered,
        &[path],
        &[
            "a file that",
            "/covered does not lead to in the process's root",
        ],
    );
    let linked = r"
place(os.open(sys.argv[1] + '/one', os.O_RDWR | os.O_CREAT), 10)
os.link(sys.argv[1] + '/one', sys.argv[1] + '/two'); os.unlink(sys.argv[1] + '/one')
";
    expect(
        linked,
        &[path],
        &[
            "a writable file whose name",
            "/one is gone while it has others",
        ],
    );
    let removed = r"
os.mkdir(sys.argv[1] + '/d'); place(os.open(sys.argv[1] + '/d', os.O_RDONLY), 10)
os.rmdir(sys.argv[1] + '/d')
";
    expect(removed, &[path], &["a removed directory or special file"]);
    let fifo = r"
os.mkfifo(sys.argv[1] + '/f'); place(os.open(sys.argv[1] + '/f', os.O_RDWR), 10)
os.unlink(sys.argv[1] + '/f')
";
    expect(fifo, &[path], &["a FIFO that", "does not lead to any more"]);
    let detached = r"
f = checked(libc.syscall(428, -100, b'/tmp', 1)); place(f, 10)
";
    expect(
        detached,
        &[],
        &["does not lead to in the process's root and mount namespace"],
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

#[test]
fn thread_with_its_own_descriptor_table_is_refused() {
    let script = r"
import threading
def alone():
    checked(libc.unshare(0x400)); done.set(); time.sleep(1000)
done = threading.Event()
threading.Thread(target=alone, daemon=True).start(); done.wait()
ready()";
    let error = Subject::start(script, &[]).read().unwrap_err();
    assert!(matches!(error, FileError::OwnTable { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("has a descriptor table of its own"),
        "{error}"
    );
}

#[test]
fn external_descriptor_that_is_not_open_is_an_error() {
    let subject = Subject::start("ready()", &[]);
    let error = subject.read_with(&[0, 1, 2, 77]).unwrap_err();
    assert!(
        matches!(error, FileError::ExternalNotOpen { number: 77 }),
        "{error:?}"
    );
}

#[test]
fn mapping_of_system_v_memory_is_refused() {
    let script = r"
libc.shmat.restype = ctypes.c_void_p
i = checked(libc.shmget(0, 4096, 0o1600)); checked(1 if libc.shmat(i, None, 0) else -1)
libc.shmctl(i, 0, None)
ready([l for l in open('/proc/self/maps') if '/SYSV' in l][0].split()[0])";
    let subject = Subject::start(script, &[]);
    let mut tables = Tables::default();
    let link = format!("map_files/{}", subject.words[0]);
    let error = tables.place(&subject.target(), &link, true).unwrap_err();
    let FileError::Mapping { obstacle, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(matches!(obstacle, Obstacle::KernelFile { .. }));
    assert!(
        error.to_string().contains("System V shared memory"),
        "{error}"
    );
}
