//! What a clone can make again is read right.
#![allow(clippy::unwrap_used)]

mod files_common;

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

use files_common::{Subject, descriptor, kind, open_file};
use offshoot_checkpoint::files::{Others, Place, Tables, read};
use offshoot_image::model::{ContentKind, EpollWatch, OpenFileKind, PipeEnd};
use rustix::event::{EventfdFlags, eventfd};

fn directory() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn file_keeps_path_position_and_flags() {
    let (_directory, path) = directory();
    let script = r"
path = sys.argv[1] + '/log'
a = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
os.write(a, b'0123456789')
os.lseek(a, 4, os.SEEK_SET)
place(a, 10)
os.dup2(10, 11, inheritable=True)
place(os.open(path, os.O_RDONLY), 12)
ready()
";
    let subject = Subject::start(script, &[&path]);
    let tables = subject.read().unwrap();
    let OpenFileKind::Path { file, position } = *kind(&tables, 10) else {
        panic!("{:?}", kind(&tables, 10));
    };
    let identity = &tables.files[file as usize];
    assert_eq!(identity.path, format!("{path}/log").into_bytes());
    assert_eq!((position, identity.bytes, identity.pinned), (4, 10, false));
    let stat = std::fs::metadata(format!("{path}/log")).unwrap();
    assert_eq!(identity.mode, stat.mode());
    assert_eq!(
        identity.modified_ns,
        stat.mtime() * 1_000_000_000 + stat.mtime_nsec()
    );
    assert_eq!(
        open_file(&tables, 10).flags & 0o2003,
        0o2002,
        "O_APPEND | O_RDWR"
    );
    assert_eq!(open_file(&tables, 10).flags & 0o2_000_000, 0, "O_CLOEXEC");
    assert_eq!(
        descriptor(&tables, 10).open_file,
        descriptor(&tables, 11).open_file
    );
    assert!(descriptor(&tables, 10).close_on_exec && !descriptor(&tables, 11).close_on_exec);
    assert_ne!(
        descriptor(&tables, 10).open_file,
        descriptor(&tables, 12).open_file
    );
    assert_eq!(*kind(&tables, 12), OpenFileKind::Path { file, position: 0 });
    assert_eq!(tables.files.len(), 1);
}

#[test]
fn many_openings_of_one_file_are_told_apart() {
    let script = r"
a = [os.open('/etc/passwd', os.O_RDONLY) for _ in range(40)]
b = [os.dup(x) for x in a]
ready()
";
    let tables = Subject::start(script, &[]).read().unwrap();
    assert_eq!(tables.descriptors.len(), 3 + 80);
    for number in 3..43 {
        let (left, right) = (
            descriptor(&tables, number),
            descriptor(&tables, number + 40),
        );
        assert_eq!(left.open_file, right.open_file);
    }
    assert_eq!(tables.open_files.len(), 40 + tables_of_streams(&tables));
}

fn tables_of_streams(tables: &Tables) -> usize {
    let substituted = |kind: &OpenFileKind| matches!(kind, OpenFileKind::Substituted { .. });
    tables
        .open_files
        .iter()
        .filter(|one| substituted(&one.kind))
        .count()
}

#[test]
fn directory_and_path_only_descriptor_are_paths() {
    let (_directory, path) = directory();
    let script = r"
place(os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY), 10)
os.symlink('nowhere', sys.argv[1] + '/link')
place(os.open(sys.argv[1] + '/link', os.O_PATH | os.O_NOFOLLOW), 11)
ready()
";
    let tables = Subject::start(script, &[&path]).read().unwrap();
    for (number, expected) in [(10, path.clone()), (11, format!("{path}/link"))] {
        let OpenFileKind::Path { file, position: 0 } = *kind(&tables, number) else {
            panic!("{:?}", kind(&tables, number));
        };
        assert_eq!(tables.files[file as usize].path, expected.into_bytes());
    }
    assert_ne!(open_file(&tables, 11).flags & 0o10_000_000, 0, "O_PATH");
}

#[test]
fn renamed_file_has_its_new_name() {
    let (_directory, path) = directory();
    let script = r"
place(os.open(sys.argv[1] + '/old', os.O_RDWR | os.O_CREAT), 10)
os.rename(sys.argv[1] + '/old', sys.argv[1] + '/new (deleted)')
ready()
";
    let tables = Subject::start(script, &[&path]).read().unwrap();
    assert_eq!(
        tables.files[0].path,
        format!("{path}/new (deleted)").into_bytes()
    );
}

#[test]
fn deleted_files_become_contents_that_can_be_read() {
    let (_directory, path) = directory();
    let script = r"
a = os.open(sys.argv[1] + '/gone', os.O_WRONLY | os.O_CREAT, 0o640)
os.write(a, b'still here'); place(a, 10)
os.unlink(sys.argv[1] + '/gone')
b = os.open(sys.argv[1], os.O_RDWR | os.O_TMPFILE, 0o600)
os.write(b, b'nameless'); place(b, 11)
ready()
";
    let tables = Subject::start(script, &[&path]).read().unwrap();
    let expected = [(10, 10, "still here"), (11, 8, "nameless")];
    for (number, at, text) in expected {
        let OpenFileKind::Content { content, position } = *kind(&tables, number) else {
            panic!("{:?}", kind(&tables, number));
        };
        assert_eq!(position, at);
        let source = &tables.contents[content as usize];
        assert_eq!(source.content.bytes, text.len() as u64);
        assert_eq!(contents_of(&tables, content), text.as_bytes());
    }
    let ContentKind::DeletedFile { path: old, mode } = &tables.contents[0].content.kind else {
        panic!("{:?}", tables.contents[0].content.kind);
    };
    assert_eq!(*old, format!("{path}/gone").into_bytes());
    assert_eq!(mode & 0o777, 0o640);
}

fn contents_of(tables: &Tables, index: u32) -> Vec<u8> {
    let source = &tables.contents[index as usize];
    let mut bytes = vec![0; usize::try_from(source.content.bytes).unwrap()];
    let file = File::from(source.reader.try_clone().unwrap());
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
fn memfd_keeps_name_and_seals_and_is_one_content_with_its_mapping() {
    let script = r"
import mmap
a = os.memfd_create('arena', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
os.ftruncate(a, 8192); os.pwrite(a, b'x' * 10, 4096)
fcntl.fcntl(a, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
place(a, 10)
place(os.open('/proc/self/fd/10', os.O_RDONLY), 11)
m = mmap.mmap(10, 8192)
line = [l for l in open('/proc/self/maps') if 'memfd:arena' in l][0]
ready(line.split()[0])
";
    let subject = Subject::start(script, &[]);
    let mut tables = subject.read().unwrap();
    let content = OpenFileKind::Content {
        content: 0,
        position: 0,
    };
    assert_eq!((kind(&tables, 10), kind(&tables, 11)), (&content, &content));
    let expected = ContentKind::Memfd {
        name: b"arena".to_vec(),
        seals: 4,
    };
    assert_eq!(tables.contents[0].content.kind, expected);
    assert_eq!(contents_of(&tables, 0)[4096..4106], *b"xxxxxxxxxx");
    let link = format!("map_files/{}", subject.words[0]);
    assert_eq!(
        tables.place(&subject.target(), &link, true).unwrap(),
        Place::Content(0)
    );
    assert_eq!(tables.contents.len(), 1);
    drop(tables);
    // The other way round: our own reader of the memfd is not taken for a stranger's.
    let mut tables = Tables::default();
    let target = subject.target();
    assert_eq!(
        tables.place(&target, &link, true).unwrap(),
        Place::Content(0)
    );
    read(
        &target,
        &[0, 1, 2].into(),
        &mut Others::default(),
        &mut tables,
    )
    .unwrap();
    assert_eq!((kind(&tables, 10), tables.contents.len()), (&content, 1));
}

#[test]
fn mapped_files_share_entries_with_open_ones_and_become_pinned() {
    let script = r"
import mmap
place(os.open('/etc/passwd', os.O_RDONLY), 10)
m = mmap.mmap(10, 0, prot=mmap.PROT_READ)
shared = mmap.mmap(-1, 4096)
lines = open('/proc/self/maps').readlines()
ready(*[[l for l in lines if w in l][0].split()[0] for w in ('/etc/passwd', '/dev/zero')])
";
    let subject = Subject::start(script, &[]);
    let mut tables = subject.read().unwrap();
    let target = subject.target();
    let place = |tables: &mut Tables, link: &str| tables.place(&target, link, true).unwrap();
    assert!(!tables.files[0].pinned);
    let link = format!("map_files/{}", subject.words[0]);
    assert_eq!(place(&mut tables, &link), Place::File(0));
    assert!(tables.files[0].pinned);
    let link = format!("map_files/{}", subject.words[1]);
    assert_eq!(place(&mut tables, &link), Place::Content(0));
    assert_eq!(
        tables.contents[0].content.kind,
        ContentKind::SharedAnonymous
    );
    assert_eq!(place(&mut tables, "exe"), Place::File(1));
    assert!(tables.files[1].path.starts_with(b"/usr/bin/python3"));
}

#[test]
fn counters_timers_and_signals_are_read() {
    let script = r"
place(os.eventfd(42, os.EFD_NONBLOCK), 10)
place(os.eventfd(3, os.EFD_SEMAPHORE), 11)
t = checked(libc.timerfd_create(time.CLOCK_MONOTONIC, 0))
libc.timerfd_settime(t, 0, struct.pack('qqqq', 7, 5, 1000, 0), None); place(t, 12)
mask = 1 << (signal.SIGUSR1 - 1) | 1 << (signal.SIGCHLD - 1)
place(checked(libc.signalfd(-1, mask.to_bytes(8, 'little') + bytes(120), 0)), 13)
ready()
";
    let tables = Subject::start(script, &[]).read().unwrap();
    let event = |count, semaphore| OpenFileKind::Event { count, semaphore };
    assert_eq!(*kind(&tables, 10), event(42, false));
    assert_eq!(*kind(&tables, 11), event(3, true));
    let OpenFileKind::Timer {
        clock: 1,
        ticks: 0,
        set_flags: 0,
        left_ns,
        interval_ns: 7_000_000_005,
    } = *kind(&tables, 12)
    else {
        panic!("{:?}", kind(&tables, 12));
    };
    assert!(
        (900_000_000_000..=1_000_000_000_000).contains(&left_ns),
        "{left_ns}"
    );
    assert_eq!(
        *kind(&tables, 13),
        OpenFileKind::Signal {
            mask: 1 << 9 | 1 << 16
        }
    );
    assert_ne!(open_file(&tables, 10).flags & 0o4000, 0, "O_NONBLOCK");
}

/// The duplicates get the numbers of what this process had open when it was looked through, as another checkpoint's were.
#[test]
fn events_that_this_process_had_under_a_duplicates_number_are_not_the_targets() {
    let subject = Subject::start("place(os.eventfd(7), 10); ready()", &[]);
    let (target, external) = (subject.target(), BTreeSet::from([0, 1, 2]));
    let had: Vec<_> = (0..64)
        .map(|_| eventfd(0, EventfdFlags::CLOEXEC).unwrap())
        .collect();
    let mut others = Others::look(&target, &external);
    drop(had);
    let mut tables = Tables::default();
    read(&target, &external, &mut others, &mut tables).unwrap();
    assert!(matches!(
        kind(&tables, 10),
        OpenFileKind::Event { count: 7, .. }
    ));
}

#[test]
fn epoll_set_keeps_events_and_data_of_each_watch() {
    let script = r"
place(os.eventfd(0), 10); os.dup2(10, 11)
e = select.epoll(); place(os.dup(e.fileno()), 12); e.close()
def add(set, number, events, data):
    checked(libc.epoll_ctl(set, 1, number, struct.pack('=IQ', events, data)))
add(12, 10, 0x80000001, 0x1122334455667788)
add(12, 11, 0x40000004, 1)
add(12, 0, 1, 0)
f = select.epoll(); place(os.dup(f.fileno()), 13); f.close()
add(13, 12, 1, 7)
ready()
";
    let tables = Subject::start(script, &[]).read().unwrap();
    let OpenFileKind::Epoll { watches } = kind(&tables, 12) else {
        panic!("{:?}", kind(&tables, 12));
    };
    let mut watches = watches.clone();
    watches.sort_by_key(|watch| watch.descriptor);
    let watch = |descriptor, events, data| EpollWatch {
        descriptor,
        events,
        data,
    };
    // The kernel adds EPOLLERR and EPOLLHUP (0x18).
    let expected = [
        watch(0, 0x19, 0),
        watch(10, 0x8000_0019, 0x1122_3344_5566_7788),
        watch(11, 0x4000_001c, 1),
    ];
    assert_eq!(watches, expected);
    let nested = OpenFileKind::Epoll {
        watches: vec![watch(12, 0x19, 7)],
    };
    assert_eq!(*kind(&tables, 13), nested);
}

#[test]
fn inotify_watches_have_their_paths() {
    for place in ["/tmp", "/dev/shm"] {
        let directory = tempfile::tempdir_in(place).unwrap();
        let path = directory.path().to_str().unwrap();
        let script = r"
open(sys.argv[1] + '/file', 'w').close()
i = checked(libc.inotify_init1(os.O_NONBLOCK))
checked(libc.inotify_add_watch(i, sys.argv[1].encode(), 0x100))
checked(libc.inotify_add_watch(i, (sys.argv[1] + '/file').encode(), 0x2))
place(i, 10)
ready()
";
        let tables = Subject::start(script, &[path]).read().unwrap();
        let OpenFileKind::Inotify { watches } = kind(&tables, 10) else {
            panic!("{:?}", kind(&tables, 10));
        };
        let seen: Vec<_> = watches
            .iter()
            .map(|watch| (watch.number, watch.path.clone(), watch.mask & 0xfff))
            .collect();
        let file = format!("{path}/file").into_bytes();
        assert_eq!(seen, [(1, path.as_bytes().to_vec(), 0x100), (2, file, 2)]);
    }
}

/// File handles cannot be opened on an overlay, so that the paths in use are tried.
#[test]
fn files_and_inotify_watches_on_an_overlay_have_their_paths() {
    let (_directory, path) = directory();
    let script = r"
none = ctypes.c_char_p()
checked(libc.unshare(0x20000))
checked(libc.mount(b'none', b'/', none, 0x44000, none))
checked(libc.mount(b'tmpfs', sys.argv[1].encode(), b'tmpfs', 0, none))
l, u, w, m = (sys.argv[1] + '/' + n for n in 'luwm')
for d in (l, u, w, m): os.mkdir(d)
open(l + '/lower', 'w').close()
checked(libc.mount(b'overlay', m.encode(), b'overlay', 0, f'lowerdir={l},upperdir={u},workdir={w}'.encode()))
os.mkdir(m + '/watched')
place(os.open(m + '/lower', os.O_RDONLY), 10)
place(os.open(m + '/watched/gone', os.O_RDWR | os.O_CREAT), 11); os.unlink(m + '/watched/gone')
i = checked(libc.inotify_init1(0))
checked(libc.inotify_add_watch(i, (m + '/watched').encode(), 0x100)); place(i, 12)
os.chdir(m + '/watched')
ready()
";
    let tables = Subject::start(script, &[&path]).read().unwrap();
    assert_eq!(tables.files[0].path, format!("{path}/m/lower").into_bytes());
    assert!(matches!(kind(&tables, 11), OpenFileKind::Content { .. }));
    let OpenFileKind::Inotify { watches } = kind(&tables, 12) else {
        panic!("{:?}", kind(&tables, 12));
    };
    assert_eq!(watches[0].path, format!("{path}/m/watched").into_bytes());
}

#[test]
fn stateless_devices_keep_their_paths() {
    let script = r"
for number, name in enumerate(('null', 'zero', 'full', 'random', 'urandom'), 10):
    place(os.open('/dev/' + name, os.O_RDWR), number)
ready()
";
    let tables = Subject::start(script, &[]).read().unwrap();
    for (number, name) in (10..).zip(["null", "zero", "full", "random", "urandom"]) {
        let path = format!("/dev/{name}").into_bytes();
        assert_eq!(*kind(&tables, number), OpenFileKind::Device { path });
    }
}

#[test]
fn machine_file_of_proc_is_a_path() {
    let script = "place(os.open('/proc/meminfo', os.O_RDONLY), 10)\nready()";
    let tables = Subject::start(script, &[]).read().unwrap();
    assert_eq!(tables.files[0].path, b"/proc/meminfo");
}

#[test]
fn path_is_as_the_process_sees_it_behind_chroot() {
    let (_directory, path) = directory();
    let script = r"
open(sys.argv[1] + '/inner', 'w').close()
os.chroot(sys.argv[1]); os.chdir('/')
place(os.open('/inner', os.O_RDONLY), 10)
place(os.open('/', os.O_RDONLY), 11)
ready()
";
    let tables = Subject::start(script, &[&path]).read().unwrap();
    assert_eq!(tables.files[0].path, b"/inner");
    assert_eq!(tables.files[1].path, b"/");
}

#[test]
fn path_is_as_the_process_sees_it_in_its_own_mount_namespace() {
    let (_directory, path) = directory();
    let script = r"
checked(libc.unshare(0x20000))
none = ctypes.c_char_p()
checked(libc.mount(b'none', b'/', none, 0x44000, none))
checked(libc.mount(b'tmpfs', sys.argv[1].encode(), b'tmpfs', 0, none))
os.mkdir(sys.argv[1] + '/old')
checked(libc.syscall(155, sys.argv[1].encode(), (sys.argv[1] + '/old').encode()))
os.chdir('/')
open('/inner', 'w').close()
place(os.open('/inner', os.O_RDONLY), 10)
i = checked(libc.inotify_init1(0))
checked(libc.inotify_add_watch(i, b'/inner', 2)); place(i, 11)
ready()
";
    let tables = Subject::start(script, &[&path]).read().unwrap();
    assert_eq!(tables.files[0].path, b"/inner");
    let OpenFileKind::Inotify { watches } = kind(&tables, 11) else {
        panic!("{:?}", kind(&tables, 11));
    };
    assert_eq!(watches[0].path, b"/inner");
}

#[test]
fn duplicates_of_an_external_descriptor_are_substituted_with_it() {
    let script = r"
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
place(os.dup(s.fileno()), 10); s.close(); os.dup2(10, 11)
ready()
";
    let subject = Subject::start(script, &[]);
    let tables = subject.read_with(&[0, 1, 2, 11]).unwrap();
    let OpenFileKind::Substituted { description } = kind(&tables, 10) else {
        panic!("{:?}", kind(&tables, 10));
    };
    assert!(
        description.starts_with("a TCP socket listening on 127.0.0.1:"),
        "{description}"
    );
    assert_eq!(
        descriptor(&tables, 10).open_file,
        descriptor(&tables, 11).open_file
    );
}

#[test]
fn pipe_ends_share_one_pipe() {
    let script = r"
r, w = os.pipe(); place(r, 10); place(w, 11)
r, w = os.pipe(); os.write(w, b'last words'); place(r, 12); os.close(w)
r, w = os.pipe(); os.write(w, b'lost'); place(w, 13); os.close(r)
ready()
";
    let tables = Subject::start(script, &[]).read().unwrap();
    let end = |pipe, end| OpenFileKind::Pipe { pipe, end };
    assert_eq!(*kind(&tables, 10), end(0, PipeEnd::Read));
    assert_eq!(*kind(&tables, 11), end(0, PipeEnd::Write));
    assert_eq!(*kind(&tables, 12), end(1, PipeEnd::Read));
    assert_eq!(*kind(&tables, 13), end(2, PipeEnd::Write));
    assert_eq!(tables.pipes[1].content, b"last words");
    assert_eq!(tables.pipes[2].content, b"", "nobody can read it any more");
}
