//! Valid manifests of every shape, for properties.

use offshoot_image::model::*;
use offshoot_image::{Placement, sample};
use proptest::prelude::*;

/// One mapping before it has addresses: pages before it, its pages, what is behind it, and its runs as pairs of a gap and
/// a length.
type MappingShape = (u64, u64, Behind, u8, Vec<(u64, u32)>);

#[derive(Debug, Clone, Copy)]
enum Behind {
    Zeros,
    File,
    Memfd,
    SharedMemfd,
}

/// A valid manifest.
pub fn manifest() -> impl Strategy<Value = Manifest> {
    let mappings = prop::collection::vec(mapping(), 0..12);
    let descriptors = prop::collection::vec((1_u32..500, any::<bool>(), kind()), 0..12);
    let threads = prop::collection::vec(any::<[u64; 15]>(), 0..4);
    let pending = prop::collection::vec(1_u8..=8, 0..3);
    let tail = (prop::collection::vec(any::<u8>(), 0..300), any::<u64>());
    (mappings, descriptors, threads, pending, tail).prop_map(
        |(mappings, descriptors, threads, pending, tail)| {
            let mut manifest = sample::manifest(3);
            add_tables(&mut manifest, tail);
            add_mappings(&mut manifest, mappings);
            add_descriptors(&mut manifest, descriptors);
            add_threads(&mut manifest, threads);
            manifest.process.pending = pending.into_iter().map(siginfo).collect();
            manifest
        },
    )
}

fn mapping() -> impl Strategy<Value = MappingShape> {
    let behind = prop_oneof![
        Just(Behind::Zeros),
        Just(Behind::File),
        Just(Behind::Memfd),
        Just(Behind::SharedMemfd)
    ];
    let runs = prop::collection::vec((0_u64..40, 1_u32..700), 0..6);
    (0_u64..100, 1_u64..3000, behind, 0_u8..8, runs)
}

fn kind() -> impl Strategy<Value = OpenFileKind> {
    let position = 0..=i64::MAX as u64;
    prop_oneof![
        position
            .clone()
            .prop_map(|position| OpenFileKind::Path { file: 0, position }),
        position.prop_map(|position| OpenFileKind::Content {
            content: 0,
            position
        }),
        Just(OpenFileKind::Pipe {
            pipe: 0,
            end: PipeEnd::Both
        }),
        (0..u64::MAX, any::<bool>())
            .prop_map(|(count, semaphore)| OpenFileKind::Event { count, semaphore }),
        (0_u64..1000, any::<u64>()).prop_map(|(left_ns, ticks)| OpenFileKind::Timer {
            clock: 1,
            ticks,
            set_flags: 1,
            left_ns,
            interval_ns: 7,
        }),
        (0_u32..2).prop_map(|socket| OpenFileKind::Socket { socket }),
        ".{0,40}".prop_map(|description| OpenFileKind::Substituted { description }),
        Just(OpenFileKind::Epoll {
            watches: Vec::new()
        }),
    ]
}

fn add_tables(manifest: &mut Manifest, (content, number): (Vec<u8>, u64)) {
    let mut placement = Placement::new();
    placement.place(0, 3).unwrap();
    manifest.contents.push(Content {
        kind: ContentKind::Memfd {
            name: b"heap".to_vec(),
            seals: 1,
        },
        bytes: 10 << 20,
        runs: Vec::new(),
    });
    manifest.pipes.push(Pipe {
        path: None,
        capacity: 65_536,
        content: content.clone(),
    });
    for peer in [1, 0] {
        manifest.sockets.push(UnixSocket {
            kind: SocketKind::Packet,
            address: Vec::new(),
            peer: Some(peer),
            backlog: None,
            queue: vec![content.clone(); peer as usize],
            send_bytes: 212_992,
            receive_bytes: 4608,
            passes_credentials: true,
        });
    }
    manifest.process.clocks.realtime_ns = number >> 1;
    manifest.profile.dirty.push(PageRange { page: 1, pages: 9 });
}

fn add_mappings(manifest: &mut Manifest, shapes: Vec<MappingShape>) {
    let mut placement = Placement::new();
    placement.place(0, 3).unwrap();
    let mut page = 0x7f00_0000_0000 / PAGE_BYTES;
    for (gap, pages, behind, protection, runs) in shapes {
        page += gap;
        let backing = match behind {
            Behind::Zeros => Backing::Anonymous,
            Behind::File => Backing::File {
                file: 0,
                offset: 8192,
            },
            Behind::Memfd | Behind::SharedMemfd => Backing::Content {
                content: 0,
                offset: 0,
            },
        };
        let end = page + pages;
        let mut mapping = sample::mapping(page * PAGE_BYTES, end * PAGE_BYTES, protection, backing);
        mapping.shared = matches!(behind, Behind::SharedMemfd);
        if !mapping.shared {
            mapping.runs = place(&mut placement, page, end, &runs);
            let of_file = matches!(behind, Behind::File);
            for (nth, run) in mapping.runs.iter_mut().enumerate() {
                run.clean = of_file && nth % 2 == 0;
            }
        }
        manifest.mappings.push(mapping);
        page = end;
    }
}

fn place(placement: &mut Placement, first: u64, end: u64, shapes: &[(u64, u32)]) -> Vec<Run> {
    let mut page = first;
    let mut runs = Vec::new();
    for (gap, pages) in shapes {
        page += gap;
        if page + u64::from(*pages) > end {
            break;
        }
        runs.push(Run {
            page,
            pages: *pages,
            file_page: placement.place(page, *pages).unwrap(),
            generation: 0,
            clean: false,
        });
        page += u64::from(*pages);
    }
    runs
}

fn add_descriptors(manifest: &mut Manifest, shapes: Vec<(u32, bool, OpenFileKind)>) {
    let mut number = 0;
    for (gap, close_on_exec, kind) in shapes {
        number += gap;
        manifest.descriptors.push(Descriptor {
            number,
            close_on_exec,
            open_file: manifest.open_files.len() as u32,
        });
        manifest.open_files.push(OpenFile { kind, flags: 2 });
    }
}

fn add_threads(manifest: &mut Manifest, registers: Vec<[u64; 15]>) {
    for (index, general) in registers.into_iter().enumerate() {
        let mut thread = sample::thread(200 + index as u32);
        thread.registers.0[..15].copy_from_slice(&general);
        thread.signal_mask = general[0] & !(1 << 8 | 1 << 18);
        thread.affinity = vec![0, general[1] | 1];
        thread.io_priority = 2 << 13 | (general[2] % 8) as u16;
        thread.scheduling.reset_on_fork = general[3] & 1 != 0;
        manifest.threads.push(thread);
    }
}

fn siginfo(signal: u8) -> Vec<u8> {
    let mut info = vec![0; 128];
    info[0] = signal;
    info
}
