//! What is refused, and that a refusal leaves nothing behind. Needs root.
#![allow(clippy::unwrap_used)]

mod support;

use offshoot_checkpoint::{CheckpointError, MappingObstacle, Options, Refusal, checkpoint};
use support::{Program, TestPool, options};

/// Python that runs `body`, then answers each line.
fn program(body: &str) -> Program {
    Program::python(&format!(
        "import ctypes, mmap, os, sys\nlibc = ctypes.CDLL(None)\n{body}\nprint('ready')\nfor line in sys.stdin: print('still', line.strip())"
    ))
}

/// The refusal of a program's checkpoint. The program goes on, with the address space that it had, and the pool stays as
/// it was.
fn refusal(program: &mut Program) -> Refusal {
    let pool = TestPool::new();
    let (maps, files) = (program.maps(), pool.files());
    let error = program.checkpoint(&pool, "never").unwrap_err();
    assert_eq!(pool.files(), files);
    assert_eq!(program.maps(), maps);
    assert_eq!(program.ask("here"), "still here");
    match error {
        CheckpointError::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn obstacle(program: &mut Program) -> MappingObstacle {
    match refusal(program) {
        Refusal::Mapping { what, .. } => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn process_with_a_child_is_refused_by_the_childs_id() {
    let mut program =
        program("child = os.fork()\nif child == 0:\n    import signal; signal.pause()");
    let pid = program.pid();
    let Refusal::Children {
        pid: named,
        children,
    } = refusal(&mut program)
    else {
        panic!()
    };
    assert_eq!((named, children.len()), (pid, 1));
    let kill = std::process::Command::new("kill")
        .arg(children[0].to_string())
        .status();
    assert!(kill.unwrap().success());
}

#[test]
fn caller_itself_and_absent_processes_are_refused() {
    let pool = TestPool::new();
    let own = checkpoint(std::process::id(), &options("own"), &pool.pool);
    assert!(matches!(
        own,
        Err(CheckpointError::Refused(Refusal::Itself { .. }))
    ));
    let absent = checkpoint(4_194_303, &options("absent"), &pool.pool);
    assert!(matches!(absent, Err(CheckpointError::NoProcess { .. })));
    for bad in [0, u32::MAX] {
        let none = checkpoint(bad, &options("none"), &pool.pool);
        assert!(matches!(none, Err(CheckpointError::NoProcess { .. })));
    }
}

#[test]
fn mapping_in_the_engines_region_is_refused() {
    let mut program = program(
        "libc.mmap.restype = ctypes.c_void_p\nassert libc.mmap(ctypes.c_void_p(0x100001000000), ctypes.c_size_t(4096), 3, 0x100022, -1, 0) == 0x100001000000",
    );
    assert_eq!(obstacle(&mut program), MappingObstacle::EngineRegion);
}

#[test]
fn memory_served_by_userfaultfd_is_refused() {
    let mut program = program(
        "
import fcntl, struct
fd = libc.syscall(323, 0o2000000)
assert fd >= 0
fcntl.ioctl(fd, 0xc018aa3f, struct.pack('QQQ', 0xaa, 0, 0))
libc.mmap.restype = ctypes.c_void_p
a = libc.mmap(None, ctypes.c_size_t(8192), 3, 0x22, -1, 0)
fcntl.ioctl(fd, 0xc020aa00, struct.pack('QQQQ', a, 8192, 1, 0))
",
    );
    let pool = TestPool::new();
    let mut external = options("uffd");
    // The descriptor itself is another obstacle, found first.
    external.external.insert(3);
    let error = checkpoint(program.pid(), &external, &pool.pool).unwrap_err();
    assert_eq!(program.ask("here"), "still here");
    let CheckpointError::Refused(Refusal::Mapping { what, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(what, MappingObstacle::UserFault);
}

#[test]
fn io_uring_is_refused() {
    let mut program = program(
        "
params = ctypes.create_string_buffer(120)
fd = libc.syscall(425, 4, params)
assert fd >= 0
ring = mmap.mmap(fd, 4096, flags=mmap.MAP_SHARED, prot=3, offset=0)
",
    );
    let pool = TestPool::new();
    let error = program.checkpoint(&pool, "ring").unwrap_err();
    assert!(matches!(error, CheckpointError::Files(_)), "{error:?}");
    assert!(error.to_string().contains("io_uring"), "{error}");
    assert_eq!(program.ask("here"), "still here");
}

#[test]
fn system_v_memory_is_refused() {
    let mut program = program(
        "
libc.shmat.restype = ctypes.c_void_p
id = libc.shmget(0, 4096, 0o1600)
assert libc.shmat(id, None, 0) > 0
libc.shmctl(id, 0, None)
",
    );
    let pool = TestPool::new();
    let error = program.checkpoint(&pool, "shm").unwrap_err();
    assert!(matches!(error, CheckpointError::Files(_)), "{error:?}");
    assert_eq!(program.ask("here"), "still here");
}

#[test]
fn changed_root_and_removed_directory_are_refused() {
    let mut chrooted = program("os.chroot('/usr')");
    assert!(matches!(refusal(&mut chrooted), Refusal::Root { root, .. } if root == "/usr"));
    let mut homeless =
        program("d = '/tmp/offshoot-cwd-%d' % os.getpid(); os.mkdir(d); os.chdir(d); os.rmdir(d)");
    assert!(matches!(
        refusal(&mut homeless),
        Refusal::WorkingDirectory { .. }
    ));
}

#[test]
fn dispatched_system_calls_are_refused() {
    // PR_SET_SYSCALL_USER_DISPATCH for no address at all, with a selector that allows everything.
    let mut program = program(
        "selector = ctypes.create_string_buffer(1)\nassert libc.prctl(59, 1, 0, 0, selector) == 0",
    );
    assert!(matches!(
        refusal(&mut program),
        Refusal::SyscallUserDispatch { .. }
    ));
}

#[test]
fn deadline_scheduling_is_refused() {
    let mut program = program(
        "
import struct
attr = struct.pack('IIQiIQQQ', 48, 6, 0, 0, 0, 1000000, 10000000, 10000000)
assert libc.syscall(314, 0, ctypes.create_string_buffer(attr), 0) == 0
",
    );
    assert!(matches!(
        refusal(&mut program),
        Refusal::Scheduling { policy: 6, .. }
    ));
}

#[test]
fn name_that_is_taken_and_parent_that_is_missing_are_refused() {
    let pool = TestPool::new();
    let mut program = program("");
    program.checkpoint(&pool, "taken").unwrap();
    let again = program.checkpoint(&pool, "taken").unwrap_err();
    assert!(matches!(again, CheckpointError::Pool { .. }), "{again:?}");
    let parent = Some(support::image_name("missing"));
    let orphan = Options {
        parent,
        ..options("orphan")
    };
    let orphan = checkpoint(program.pid(), &orphan, &pool.pool).unwrap_err();
    assert!(
        matches!(orphan, CheckpointError::Parent { .. }),
        "{orphan:?}"
    );
    assert_eq!(program.ask("here"), "still here");
}
