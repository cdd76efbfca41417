//! What a program inside holds and can touch is what is listed, and no more; each check sees what it looks for.
#![allow(clippy::unwrap_used)]

mod common;

use common::{launcher, lines, program, python};

#[tokio::test]
async fn every_mount_is_nosuid_and_only_that_of_devices_has_devices() {
    let Some((_, launcher)) = launcher("mounts").await else {
        return;
    };
    let mounts = lines(
        &launcher,
        program("a", &["/bin/cat", "/proc/self/mountinfo"]),
    )
    .await;
    assert!(mounts.len() > 10, "{mounts:#?}");
    let mut writable = Vec::new();
    for mount in &mounts {
        let fields: Vec<&str> = mount.split(' ').collect();
        let (root, point) = (fields[3], fields[4]);
        let options: Vec<&str> = fields[5].split(',').collect();
        assert!(options.contains(&"nosuid"), "{mount}");
        // The devices themselves, and `/dev/null` over masked files.
        let has_devices = point == "/dev" || (root == "/null" && point.starts_with("/proc/"));
        assert_eq!(options.contains(&"nodev"), !has_devices, "{mount}");
        assert!(!mount.contains(" - cgroup"), "{mount}");
        if options.contains(&"rw") {
            writable.push(point);
        }
        if ["/dev", "/dev/shm", "/proc", "/run/offshoot"].contains(&point) {
            assert!(options.contains(&"noexec"), "{mount}");
        }
    }
    writable.retain(|point| !point.starts_with("/proc"));
    writable.sort_unstable();
    assert_eq!(writable, ["/dev/shm", "/tmp"], "{mounts:#?}");
    launcher.shutdown().await;
}

#[tokio::test]
async fn devices_are_null_zero_full_random_urandom() {
    let Some((_, launcher)) = launcher("devices").await else {
        return;
    };
    let script = r#"
import os, stat
for top, directories, files in os.walk('/'):
    directories[:] = [name for name in directories if os.path.join(top, name) not in ('/proc', '/usr')]
    for name in files:
        path = os.path.join(top, name)
        status = os.lstat(path)
        if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            print(path, os.major(status.st_rdev), os.minor(status.st_rdev))
"#;
    let mut seen = lines(&launcher, python("a", script)).await;
    seen.sort_unstable();
    let expected = [
        "/dev/full 1 7",
        "/dev/null 1 3",
        "/dev/random 1 8",
        "/dev/urandom 1 9",
        "/dev/zero 1 5",
    ];
    assert_eq!(seen, expected);
    launcher.shutdown().await;
}

#[tokio::test]
async fn no_thread_has_a_capability_or_lacks_a_filter() {
    let Some((_, launcher)) = launcher("threads").await else {
        return;
    };
    let script = r#"
import os, threading
for _ in range(4):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
def tell(pid):
    for task in sorted(os.listdir(f'/proc/{pid}/task'), key=int):
        words = dict(line.split(':', 1) for line in open(f'/proc/{pid}/task/{task}/status'))
        names = ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp', 'Seccomp_filters')
        print(*[int(words[name], 16) for name in names], set(words['Uid'].split()) == {str(os.getuid())}, flush=True)
tell('self')
if os.fork() == 0:
    tell('self')
    os._exit(0)
os.wait()
os._exit(0)
"#;
    let seen = lines(&launcher, python("a", script)).await;
    assert_eq!(seen, ["0 0 0 0 0 1 2 2 True"; 6]);
    launcher.shutdown().await;
}

#[tokio::test]
async fn init_can_be_neither_signalled_nor_looked_into() {
    let Some((_, launcher)) = launcher("init").await else {
        return;
    };
    let script = r#"
import ctypes, errno, os, signal
libc = ctypes.CDLL(None, use_errno=True)
def attempt(action):
    try:
        action()
        return 'done'
    except OSError as error:
        return errno.errorcode[error.errno]
def call(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), '')
child = os.fork()
if child == 0:
    signal.pause()
for pid in (1, child):
    print(*[attempt(lambda: os.kill(pid, number)) for number in (0, signal.SIGCONT, signal.SIGKILL)],
          attempt(lambda: os.stat(f'/proc/{pid}')), attempt(lambda: open(f'/proc/{pid}/mem', 'r+b')))
PTRACE_ATTACH = 16
print(attempt(lambda: call(101, PTRACE_ATTACH, 1, 0, 0)), attempt(lambda: call(310, 1, 0, 0, 0, 0, 0)))
"#;
    let seen = lines(&launcher, python("a", script)).await;
    assert_eq!(seen[0], "EPERM EPERM EPERM ENOENT ENOENT");
    // The control: a child, which has ended by then and waits to be reaped; its memory is gone.
    assert!(seen[1].starts_with("done done done done"), "{seen:?}");
    assert_eq!(seen[2], "EPERM EPERM");
    launcher.shutdown().await;
}

#[tokio::test]
async fn no_setting_of_the_kernel_can_be_opened_for_writing() {
    let Some((_, launcher)) = launcher("settings").await else {
        return;
    };
    let script = r#"
import os
tried = 0
for tree in ('/proc/sys', '/proc/irq', '/proc/bus', '/proc/fs'):
    for top, _, files in os.walk(tree):
        for name in files:
            tried += 1
            try:
                os.close(os.open(os.path.join(top, name), os.O_WRONLY))
                print('opened', os.path.join(top, name))
            except OSError:
                pass
print(tried > 100)
for line in open('/proc/self/mountinfo'):
    fields = line.split()
    if fields[4] in ('/proc/sys', '/proc/irq', '/proc/bus', '/proc/fs'):
        print(fields[4], 'ro' in fields[5].split(','))
"#;
    let seen = lines(&launcher, python("a", script)).await;
    assert_eq!(seen[0], "True", "{seen:?}");
    assert!(seen.contains(&"/proc/sys True".to_owned()), "{seen:?}");
    assert!(
        seen[1..].iter().all(|line| line.ends_with("True")),
        "{seen:?}"
    );
    launcher.shutdown().await;
}

#[tokio::test]
async fn keyrings_mounts_and_ipc_objects_are_refused() {
    let Some((_, launcher)) = launcher("objects").await else {
        return;
    };
    let script = r#"
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def answer(*call):
    return 0 if libc.syscall(*call) >= 0 else errno.errorcode[ctypes.get_errno()]
USER_KEYRING, IPC_CREAT = -4, 0o1000
print(answer(248, b'user', b'name', b'x', 1, USER_KEYRING), answer(249, b'user', b'name', 0, 0),
      answer(250, 0, USER_KEYRING, 1))
print(answer(165, b'none', b'/tmp', b'cgroup2', 0, 0), answer(430, b'cgroup2', 0), answer(308, 0, 0))
print(answer(29, 1, 4096, IPC_CREAT | 0o600), answer(64, 1, 1, IPC_CREAT | 0o600), answer(68, 1, IPC_CREAT | 0o600),
      answer(240, b'queue', 0o102, 0o600, 0))
print(open('/proc/sysvipc/shm').read().count('\n'))
"#;
    let seen = lines(&launcher, python("a", script)).await;
    let expected = [
        "EPERM EPERM EPERM",
        "EPERM EPERM EPERM",
        "ENOSYS ENOSYS ENOSYS ENOSYS",
        // The heading.
        "1",
    ];
    assert_eq!(seen, expected);
    launcher.shutdown().await;
}

#[tokio::test]
async fn no_file_is_longer_than_the_largest_tmp() {
    let Some((_, launcher)) = launcher("fsize").await else {
        return;
    };
    let script = r#"
import errno, os, resource
longest = 10240 << 20
print(resource.getrlimit(resource.RLIMIT_FSIZE) == (longest, longest))
for length in (longest, longest + 1):
    try:
        open('/tmp/a', 'wb').truncate(length)
        print('done')
    except OSError as error:
        print(errno.errorcode[error.errno])
print(*[resource.getrlimit(limit) for limit in (resource.RLIMIT_NICE, resource.RLIMIT_RTPRIO)])
"#;
    let seen = lines(&launcher, python("a", script)).await;
    assert_eq!(seen, ["True", "done", "EFBIG", "(0, 0) (0, 0)"]);
    launcher.shutdown().await;
}

#[tokio::test]
async fn standard_descriptors_are_what_they_should_be() {
    let Some((_, launcher)) = launcher("standard").await else {
        return;
    };
    let script = r#"
import fcntl, os
for number in os.listdir('/proc/self/fd'):
    try:
        target = os.readlink(f'/proc/self/fd/{number}')
        print(number, '/dev/null' if target == '/dev/null' else 'output' if os.fstat(int(number)) == os.fstat(1) else target,
              fcntl.fcntl(int(number), fcntl.F_GETFL) & os.O_ACCMODE)
    except OSError:
        pass  # that of the listing
"#;
    let seen = lines(&launcher, python("a", script)).await;
    assert_eq!(seen, ["0 /dev/null 0", "1 output 2", "2 output 2"]);
    launcher.shutdown().await;
}
