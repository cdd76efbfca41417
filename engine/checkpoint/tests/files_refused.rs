//! What an image cannot hold is refused by name, with what to do about it: kinds and states.
#![allow(clippy::unwrap_used)]

mod files_common;

use files_common::{Subject, expect};
use offshoot_checkpoint::files::{FileError, Obstacle, Tables};

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
