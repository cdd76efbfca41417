//! What a program sees and cannot do from inside a sandbox.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};

use common::{launcher, launcher_with, lines, program, python, run, shell, start};
use offshoot_sandbox::{CreateError, Exit, LauncherConfig, SandboxFds, Stage};

#[tokio::test]
async fn program_sees_its_own_processes_only() {
    let Some((_, launcher)) = launcher("pids").await else {
        return;
    };
    let script = "echo $$; echo /proc/[0-9]*; cat /proc/1/comm 2>&1";
    let seen = lines(&launcher, shell("a", &format!("{script}; true"))).await;
    assert_eq!(seen[0], "2");
    // PID 1 belongs to another user and is hidden; the shell may be alone.
    assert!(seen[1].split(' ').all(|path| path != "/proc/1"), "{seen:?}");
    assert!(seen[2].contains("No such file"), "{seen:?}");
    launcher.shutdown().await;
}

#[tokio::test]
async fn root_holds_nothing_of_the_host_but_usr() {
    let Some((_, launcher)) = launcher("root").await else {
        return;
    };
    let seen = lines(
        &launcher,
        shell("a", "ls -A / /home /root /sys /var /run /opt"),
    )
    .await;
    let text = seen.join(" ");
    assert!(text.contains("usr") && text.contains("proc"), "{text}");
    for name in std::fs::read_dir("/").unwrap().flatten() {
        let name = name.file_name().into_string().unwrap();
        let known = [
            "bin", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "opt", "proc",
        ]
        .iter()
        .chain(&["root", "run", "sbin", "sys", "tmp", "usr", "var"])
        .any(|known| *known == name);
        assert!(
            known || !seen.contains(&name),
            "host directory {name} is visible"
        );
    }
    let mounts = lines(&launcher, shell("b", "cat /proc/self/mountinfo")).await;
    let points: Vec<&str> = mounts
        .iter()
        .map(|line| line.split(' ').nth(4).unwrap())
        .collect();
    let foreign = points.iter().find(|point| {
        ![
            "/",
            "/usr",
            "/dev",
            "/dev/shm",
            "/proc",
            "/tmp",
            "/run/offshoot",
        ]
        .contains(point)
            && !["/proc/", "/etc/", "/usr/", "/lib", "/bin", "/sbin"]
                .iter()
                .any(|prefix| point.starts_with(prefix))
    });
    assert_eq!(foreign, None, "{mounts:#?}");
    launcher.shutdown().await;
}

#[tokio::test]
async fn nothing_but_tmp_and_shm_can_be_written() {
    let Some((_, launcher)) = launcher("write").await else {
        return;
    };
    let task = tempfile::tempdir().unwrap();
    std::fs::set_permissions(
        task.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    let script = r#"
import os
writable = []
for top, directories, files in os.walk('/'):
    directories[:] = [name for name in directories if os.path.join(top, name) != '/proc']
    if top.startswith('/usr/'):
        directories[:] = []
    try:
        os.close(os.open(os.path.join(top, 'x'), os.O_CREAT | os.O_WRONLY))
        writable.append(top)
    except OSError:
        pass
print(' '.join(sorted(writable)))
for path in ('/proc/sys/kernel/hostname', '/proc/sysrq-trigger', '/proc/sys/vm/drop_caches'):
    try:
        open(path, 'w').write('1')
        print('wrote', path)
    except OSError:
        pass
"#;
    let mut spec = python("a", script);
    spec.code.task = Some(task.path().to_path_buf());
    assert_eq!(lines(&launcher, spec).await, ["/dev/shm /tmp"]);
    launcher.shutdown().await;
}

/// What a program does with files where it may still works under the rules for paths, though each is another right.
#[tokio::test]
async fn files_of_tmp_shm_dev_and_proc_can_be_used_as_anywhere() {
    let Some((_, launcher)) = launcher("files").await else {
        return;
    };
    let script = r#"
import fcntl, functools, os, shutil, socket, subprocess, termios
print = functools.partial(print, flush=True)
for place in ('/tmp', '/dev/shm'):
    os.chdir(place)
    os.makedirs('a/deep'), os.mkdir('b'), os.mkfifo('a/fifo'), os.symlink('deep', 'a/link')
    with open('a/file', 'w') as file:
        file.write('text')
    os.rename('a/file', 'b/file')
    os.link('b/file', 'a/again')
    os.rename('a/deep', 'b/deep')
    os.truncate('a/again', 2)
    server = socket.socket(socket.AF_UNIX)
    server.bind('a/socket')
    print(open('b/file').read(), *sorted(os.listdir('a') + os.listdir('b')))
    os.remove('a/again'), shutil.rmtree('a'), shutil.rmtree('b')
shutil.copy('/bin/true', '/tmp/true')
print(subprocess.run(['/tmp/true']).returncode)
subprocess.run('echo x > /dev/null; printf renamed > /proc/self/comm; cat /proc/$$/comm; cat /dev/fd/0 <<< here',
               shell=True, executable='/bin/bash')
zero = os.open('/dev/zero', os.O_RDWR)
try:
    fcntl.ioctl(zero, termios.TCGETS, bytes(64))
except OSError as error:
    print(error.strerror)
anonymous = os.memfd_create('x')
open(f'/proc/self/fd/{anonymous}', 'w').write('again')
reader, writer = os.pipe()
open(f'/proc/self/fd/{writer}', 'w').write('pipe')
print(os.pread(anonymous, 9, 0).decode(), os.read(reader, 9).decode())
"#;
    let expected = [
        "te again deep fifo file link socket",
        "te again deep fifo file link socket",
        "0",
        "renamed",
        "here",
        "Inappropriate ioctl for device",
        "again pipe",
    ];
    assert_eq!(lines(&launcher, python("a", script)).await, expected);
    launcher.shutdown().await;
}

#[tokio::test]
async fn tmp_is_as_large_as_specified_and_no_larger() {
    let Some((_, launcher)) = launcher("tmp").await else {
        return;
    };
    let script = "dd if=/dev/zero of=/tmp/a bs=1M count=100 2>/dev/null; stat -c %s /tmp/a; \
                  df --output=size -B1 /tmp | tail -1 | tr -d ' '";
    let seen = lines(&launcher, shell("a", script)).await;
    assert_eq!(seen, [(16 << 20).to_string(), (16 << 20).to_string()]);
    let script = "n = 0\ntry:\n  while True: open(f'/tmp/{n}', 'w').close(); n += 1\n\
                  except OSError: print(n)";
    let mut small = python("b", script);
    small.tmp_bytes = 1 << 20;
    let files: u32 = run(&launcher, small).await.1.trim().parse().unwrap_or(0);
    assert!(
        (100..1000).contains(&files),
        "{files} files in a /tmp of 1 MiB"
    );
    launcher.shutdown().await;
}

#[tokio::test]
async fn network_is_loopback_only() {
    let Some((_, launcher)) = launcher("net").await else {
        return;
    };
    let script = r#"
import socket
print(*[name for _, name in socket.if_nameindex()])
for address in ('10.200.0.0', '192.0.2.1', '169.254.169.254'):
    try:
        socket.create_connection((address, 80), 1)
        print('reached', address)
    except OSError as error:
        print(error.errno)
server = socket.create_server(('127.0.0.1', 0))
socket.create_connection(server.getsockname(), 1)
print(socket.gethostname(), socket.gethostbyname(socket.gethostname()))
"#;
    let seen = lines(&launcher, python("a", script)).await;
    let unreachable = libc::ENETUNREACH.to_string();
    let expected = [
        "lo",
        &unreachable,
        &unreachable,
        &unreachable,
        "test-box 127.0.0.1",
    ];
    assert_eq!(seen, expected);
    launcher.shutdown().await;
}

#[tokio::test]
async fn program_has_a_uid_of_its_own_and_no_rights() {
    let Some((_, launcher)) = launcher("rights").await else {
        return;
    };
    let script = "id -u; id -g; id -G; whoami; \
                  grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups)' /proc/self/status; \
                  ulimit -n; ulimit -u; ulimit -l; ulimit -s; ulimit -c; umask";
    let first = start(&launcher, shell("a", "sleep 60")).await;
    let mut second = start(&launcher, program("b", &["/bin/bash", "-c", script])).await;
    assert_eq!(second.sandbox.exited().await, Exit::Exited(0));
    let uid = second.sandbox.uid();
    assert!(uid >= 1_000_000 && uid != first.sandbox.uid());
    let text = second.output();
    let seen: Vec<&str> = text.split_whitespace().collect();
    let uid = uid.to_string();
    assert_eq!(&seen[..4], [uid.as_str(), &uid, &uid, "sandbox"], "{text}");
    for line in text.lines().filter(|line| line.starts_with("Cap")) {
        assert!(line.ends_with("0000000000000000"), "{line}");
    }
    assert!(
        text.contains("NoNewPrivs:\t1") && text.contains("Seccomp:\t2"),
        "{text}"
    );
    assert!(text.contains("Groups:\t \n"), "{text:?}");
    let limits = &seen[seen.len() - 6..];
    assert_eq!(limits, ["1024", "742", "64", "8192", "0", "0022"], "{text}");
    drop((first, second));
    launcher.shutdown().await;
}

#[tokio::test]
async fn descriptors_and_environment_are_exactly_as_given() {
    let Some((_, launcher)) = launcher("fds").await else {
        return;
    };
    // A descriptor that a careless daemon leaks to its children.
    let _leak = rustix::io::dup(std::fs::File::open("/etc/shadow").unwrap()).unwrap();
    let script = r#"
import os
def is_open(number):
    try:
        os.fstat(number)
        return True
    except OSError:
        return False
print([number for number in range(1024) if is_open(number)])
print(sorted(os.environ.items()))
print(os.getcwd(), os.read(0, 1), os.read(3, 100).decode())
print(open('/proc/self/environ').read().split('\0'))
"#;
    let mut spec = python("a", script);
    spec.env = vec![("A".into(), "1 2".into()), ("B".into(), "=\u{e9}".into())];
    spec.cwd = "/usr/lib".into();
    let (mut output, mut fds) = common::output();
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    rustix::io::write(&writer, b"through the channel").unwrap();
    fds.channel = Some(reader);
    let sandbox = launcher.create(spec, fds).await.unwrap();
    assert_eq!(sandbox.exited().await, Exit::Exited(0));
    let mut text = String::new();
    std::io::Seek::rewind(&mut output).unwrap();
    std::io::Read::read_to_string(&mut output, &mut text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "[0, 1, 2, 3]");
    assert!(lines[1].starts_with("[('A', '1 2'), ('B', '="), "{text}");
    assert!(!lines[1].contains("PATH"), "{text}");
    assert_eq!(lines[2], "/usr/lib b'' through the channel");
    sandbox.destroy().await.unwrap();
    launcher.shutdown().await;
}

#[tokio::test]
async fn code_runtime_and_layers_are_where_aws_puts_them() {
    let dirs: Vec<tempfile::TempDir> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    for (index, dir) in dirs.iter().enumerate() {
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open).unwrap();
        std::fs::write(dir.path().join("who"), format!("{index}\n")).unwrap();
        std::fs::write(dir.path().join(format!("only-{index}")), "").unwrap();
    }
    let path = |index: usize| dirs[index].path().to_path_buf();
    let with_runtime = |config: LauncherConfig| LauncherConfig {
        runtime_dir: Some(path(1)),
        ..config
    };
    let Some((_, launcher)) = launcher_with("code", with_runtime).await else {
        return;
    };
    let mut spec = shell("a", "cat /var/task/who /var/runtime/who /opt/who; ls /opt");
    spec.code.task = Some(path(0));
    spec.code.layers = vec![path(2), path(3)];
    let seen = lines(&launcher, spec.clone()).await;
    assert_eq!(seen, ["0", "1", "3", "only-2", "only-3", "who"]);
    spec.code.layers = vec![path(2)];
    assert_eq!(
        lines(&launcher, spec.clone()).await,
        ["0", "1", "2", "only-2", "who"]
    );
    launcher.shutdown().await;
}

#[tokio::test]
async fn runtime_api_listener_is_inside_the_sandbox() {
    let Some((_, launcher)) = launcher("api").await else {
        return;
    };
    let script = "import socket; c = socket.create_connection(('127.0.0.1', 9001)); \
                  print(c.recv(100).decode())";
    let mut spec = python("a", script);
    spec.runtime_api = true;
    let mut running = start(&launcher, spec).await;
    let listener = running.sandbox.take_runtime_api().unwrap();
    assert!(running.sandbox.take_runtime_api().is_none());
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    stream.writable().await.unwrap();
    stream.try_write(b"from the daemon").unwrap();
    drop(stream);
    assert_eq!(running.sandbox.exited().await, Exit::Exited(0));
    assert_eq!(running.output(), "from the daemon\n");
    drop(running);
    launcher.shutdown().await;
}

#[tokio::test]
async fn clones_runtime_api_is_in_the_network_of_its_sandbox() {
    let Some((_, launcher)) = launcher("api-clone").await else {
        return;
    };
    let mut made = Vec::new();
    for id in ["a", "b", "c"] {
        let taken = launcher.taken(&shell(id, "true")).await.unwrap();
        let sockets = launcher.runtime_api(&taken, false).await.unwrap();
        made.push((taken, sockets));
    }
    for (_, sockets) in &mut made {
        let address = sockets.listener.local_addr().unwrap();
        assert_eq!(address.to_string(), "127.0.0.1:9001");
        let mut client = std::net::TcpStream::from(sockets.client.try_clone().unwrap());
        assert_eq!(client.peer_addr().unwrap(), address);
        sockets.server.write_all(b"answer").unwrap();
        let mut heard = [0; 6];
        client.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"answer");
    }
    // Control: within one network, nobody else can have the address of a listener.
    let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let second = std::net::TcpListener::bind(first.local_addr().unwrap());
    assert_eq!(second.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    for (taken, sockets) in made {
        drop(sockets);
        launcher.recycle(taken.occupied().end()).await;
    }
    launcher.shutdown().await;
}

#[tokio::test]
async fn listener_of_a_taken_sandbox_is_there_before_its_program_and_inside_only() {
    let Some((_, launcher)) = launcher("listen").await else {
        return;
    };
    let script = "import socket; c = socket.create_connection(('127.0.0.1', 9002)); \
                  print(c.recv(100).decode())";
    let spec = python("a", script);
    let begun = std::time::Instant::now();
    let taken = launcher.taken(&spec).await.unwrap();
    // Another one in another sandbox is in nobody's way; in the same it is.
    let other = launcher.taken(&shell("b", "true")).await.unwrap();
    let listener = launcher.listen(&taken, 9002).await.unwrap();
    let others = launcher.listen(&other, 9002).await.unwrap();
    let twice = launcher.listen(&taken, 9002).await.unwrap_err();
    assert_eq!(twice.kind(), std::io::ErrorKind::AddrInUse);
    let (mut written, fds) = common::output();
    let started = launcher.start_in(taken, spec, fds, begun).await;
    let sandbox = started.unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    stream.writable().await.unwrap();
    stream.try_write(b"from the daemon").unwrap();
    drop(stream);
    assert_eq!(sandbox.exited().await, Exit::Exited(0));
    assert_eq!(common::text(&mut written), "from the daemon\n");
    assert_eq!(
        others.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
    drop((sandbox, other));
    launcher.shutdown().await;
}

#[tokio::test]
async fn long_environment_travels_too() {
    let Some((_, launcher)) = launcher("long").await else {
        return;
    };
    let mut spec = shell("a", "echo ${#BIG}");
    spec.env.push(("BIG".into(), "x".repeat(100_000)));
    assert_eq!(lines(&launcher, spec).await, ["100000"]);
    launcher.shutdown().await;
}

#[tokio::test]
async fn failed_stages_are_named() {
    let Some((owner, launcher)) = launcher("stages").await else {
        return;
    };
    let mut no_task = shell("a", "true");
    no_task.code.task = Some("/nonexistent".into());
    let mut no_layer = shell("b", "true");
    no_layer.code.layers = vec!["/usr".into(), "/nonexistent".into()];
    let mut no_cwd = shell("c", "true");
    no_cwd.cwd = "/nonexistent".into();
    let cases = [
        (no_task, Stage::TaskDir, libc::ENOENT),
        (no_layer, Stage::Layers, libc::ENOENT),
        (no_cwd, Stage::Cwd, libc::ENOENT),
        (program("d", &["/nonexistent"]), Stage::Exec, libc::ENOENT),
        (program("e", &["/etc/passwd"]), Stage::Exec, libc::EACCES),
    ];
    for (spec, expected, errno) in cases {
        let (_, fds): (_, SandboxFds) = common::output();
        match launcher.create(spec, fds).await.unwrap_err() {
            CreateError::Stage { stage, source, .. } => {
                assert_eq!((stage, source.raw_os_error()), (expected, Some(errno)));
            }
            other => panic!("{other:?}"),
        }
    }
    launcher.shutdown().await;
    assert!(common::inventory(&owner).groups.is_empty());
}

#[tokio::test]
async fn parts_of_proc_that_tell_about_the_host_are_covered() {
    let Some((_, launcher)) = launcher("proc").await else {
        return;
    };
    let script = "for f in cmdline interrupts kallsyms keys kcore timer_list sysrq-trigger; do \
                  test -s /proc/$f && echo $f; head -c 1 /proc/$f 2>/dev/null; done; \
                  ls -A /proc/acpi /proc/scsi 2>/dev/null | grep -v :; \
                  ls /proc/self/ns >/dev/null && cat /proc/self/cgroup | cut -d: -f3 | sort -u; \
                  ls -l /proc/1/root 2>&1 | grep -c 'No such'; \
                  grep -q MemTotal /proc/meminfo && grep -q . /proc/cpuinfo && echo readable";
    let seen = lines(&launcher, shell("a", script)).await;
    let groups: Vec<&String> = seen.iter().filter(|line| line.starts_with('/')).collect();
    assert_eq!(groups, ["/"], "{seen:?}");
    assert_eq!(seen[1..], ["1", "readable"], "{seen:?}");
    launcher.shutdown().await;
}

#[tokio::test]
async fn crash_starts_no_core_dump_handler() {
    let Some((_, launcher)) = launcher("core").await else {
        return;
    };
    let script = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))";
    assert_eq!(lines(&launcher, python("a", script)).await, ["(1, 1)"]);
    launcher.shutdown().await;
}
