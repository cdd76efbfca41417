//! Every rule of a manifest, broken alone.

#![allow(clippy::unwrap_used, missing_docs)]

mod memory;
mod process;
mod tables;
mod thread;

use offshoot_image::limits::{MAX_FILE_PAGE, USER_SPACE_END};
use offshoot_image::model::*;
use offshoot_image::sample::{self, HEAP, TEXT};
use offshoot_image::{ImageId, Invalid, Place, Rule};

type Break = fn(&mut Manifest);

/// Breaks a rule of a manifest that keeps all, and expects to be told which. The start of the text of the refusal is
/// compared, so that the wording is tested too.
fn refuse(cases: &[(Break, &str)]) {
    assert_eq!(valid().validate(), Ok(()));
    for (index, (change, expected)) in cases.iter().enumerate() {
        let mut manifest = valid();
        change(&mut manifest);
        let refused = manifest.validate().map_err(|invalid| invalid.to_string());
        assert!(
            refused
                .as_ref()
                .is_err_and(|text| text.starts_with(expected)),
            "case {index}: expected {expected:?}, found {refused:?}"
        );
    }
}

#[test]
fn broken_rule_says_what_breaks_it() {
    let mut manifest = valid();
    manifest.descriptors[1].open_file = 50;
    let expected = Invalid {
        place: Place::Descriptor(5),
        rule: Rule::NoSuch {
            what: "open file",
            index: 50,
            count: 2,
        },
    };
    assert_eq!(manifest.validate(), Err(expected));
}

/// A manifest with one of most things: text, a heap with a run, a shared content, an empty mapping; two threads.
fn valid() -> Manifest {
    let mut manifest = sample::manifest(3);
    let mut shared = sample::mapping(0x80_0000, 0x80_2000, 3, content(0));
    shared.shared = true;
    manifest.mappings.push(shared);
    manifest
        .mappings
        .push(sample::mapping(0x90_0000, 0x90_2000, 3, Backing::Anonymous));
    manifest.contents.push(Content {
        kind: memfd(b"memory", 0),
        bytes: 8000,
        runs: vec![Run {
            page: 1,
            ..other_run(0)
        }],
    });
    manifest.pipes.push(Pipe {
        path: None,
        capacity: 4096,
        content: vec![1],
    });
    for peer in [1, 0] {
        manifest.sockets.push(UnixSocket {
            kind: SocketKind::Stream,
            address: Vec::new(),
            peer: Some(peer),
            backlog: None,
            queue: vec![b"hello".to_vec()],
            send_bytes: 212_992,
            receive_bytes: 4608,
            passes_credentials: true,
        });
    }
    manifest.open_files.push(OpenFile {
        kind: path(0, 12),
        flags: 0o100_000,
    });
    manifest.descriptors.push(Descriptor {
        number: 5,
        close_on_exec: true,
        open_file: 1,
    });
    manifest.threads.push(sample::thread(101));
    manifest
}

fn seal(manifest: &Manifest) -> offshoot_image::Header {
    offshoot_image::seal(manifest, &[[0; 32]], &offshoot_image::Key([1; 32]))
        .unwrap()
        .fields
}

fn run(manifest: &mut Manifest) -> &mut Run {
    &mut manifest.mappings[1].runs[0]
}

fn other_run(page: u64) -> Run {
    Run {
        page,
        pages: 1,
        file_page: 700,
        generation: 0,
        clean: false,
    }
}

fn guard(manifest: &mut Manifest, page: u64, pages: u64) {
    manifest.mappings[3].guards.push(range(page, pages));
}

fn kind(manifest: &mut Manifest, kind: OpenFileKind) {
    manifest.open_files[0].kind = kind;
}

fn register(manifest: &mut Manifest, index: usize, value: u64) {
    manifest.threads[0].registers.0[index] = value;
}

fn special(manifest: &mut Manifest, index: usize) -> &mut SpecialMapping {
    &mut manifest.machine.vdso.mappings[index]
}

fn file(file: u32, offset: u64) -> Backing {
    Backing::File { file, offset }
}

fn content(content: u32) -> Backing {
    Backing::Content { content, offset: 0 }
}

fn range(page: u64, pages: u64) -> PageRange {
    PageRange { page, pages }
}

fn memfd(name: &[u8], seals: u32) -> ContentKind {
    ContentKind::Memfd {
        name: name.to_vec(),
        seals,
    }
}

fn deleted(path: &[u8], mode: u32) -> ContentKind {
    ContentKind::DeletedFile {
        path: path.to_vec(),
        mode,
    }
}

fn device(path: &[u8]) -> OpenFileKind {
    OpenFileKind::Device {
        path: path.to_vec(),
    }
}

fn path(file: u32, position: u64) -> OpenFileKind {
    OpenFileKind::Path { file, position }
}

fn pipe(pipe: u32, end: PipeEnd) -> OpenFileKind {
    OpenFileKind::Pipe { pipe, end }
}

fn timer(clock: i32, set_flags: u32) -> OpenFileKind {
    OpenFileKind::Timer {
        clock,
        ticks: 0,
        set_flags,
        left_ns: 0,
        interval_ns: 0,
    }
}

fn inotify(numbers: &[i32]) -> OpenFileKind {
    let watch = |number| InotifyWatch {
        number,
        path: b"/tmp".to_vec(),
        mask: 2,
    };
    OpenFileKind::Inotify {
        watches: numbers.iter().copied().map(watch).collect(),
    }
}

fn epoll(descriptors: &[u32]) -> OpenFileKind {
    let watch = |descriptor| EpollWatch {
        descriptor,
        events: 1,
        data: 0,
    };
    OpenFileKind::Epoll {
        watches: descriptors.iter().copied().map(watch).collect(),
    }
}

fn action(signal: u8) -> SignalAction {
    SignalAction {
        signal,
        handler: 1,
        flags: 0,
        restorer: 0,
        mask: 0,
    }
}

fn interval(which: u8) -> IntervalTimer {
    IntervalTimer {
        which,
        left_us: 1,
        interval_us: 0,
    }
}

fn posix(id: u32, clock: i32) -> PosixTimer {
    PosixTimer {
        id,
        clock,
        notice: TimerNotice::None,
        left_ns: 0,
        interval_ns: 0,
    }
}

fn rseq(address: u64, bytes: u32) -> Rseq {
    Rseq {
        address,
        bytes,
        signature: 0x5305_3053,
    }
}
