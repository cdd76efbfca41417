//! A small valid manifest for tests, of this crate and others (feature `sample`).

use crate::header::{HEADER_BYTES, Header};
use crate::key::Key;
use crate::model::*;
use crate::seal::Sealed;

/// First address of the sample's executable mapping.
pub const TEXT: u64 = 0x40_0000;

/// First address of the sample's writable mapping.
pub const HEAP: u64 = 0x60_0000;

/// A process with one thread, a mapping of its executable, and a heap of `pages` stored pages at file page 512.
pub fn manifest(pages: u32) -> Manifest {
    let mut heap = mapping(
        HEAP,
        HEAP + u64::from(pages.max(1)) * PAGE_BYTES,
        3,
        Backing::Anonymous,
    );
    if pages > 0 {
        heap.runs = vec![Run {
            page: HEAP / PAGE_BYTES,
            pages,
            file_page: crate::FIRST_PAGE,
            generation: 0,
            clean: false,
        }];
    }
    let text = mapping(
        TEXT,
        TEXT + 4 * PAGE_BYTES,
        5,
        Backing::File { file: 0, offset: 0 },
    );
    Manifest {
        machine: machine(),
        parent: None,
        process: process(),
        threads: vec![thread(100)],
        mappings: vec![text, heap],
        contents: Vec::new(),
        files: vec![FileIdentity {
            path: b"/usr/bin/sample".to_vec(),
            bytes: 16_384,
            modified_ns: 1_700_000_000_000_000_000,
            mode: 0o100_755,
            pinned: true,
        }],
        pipes: Vec::new(),
        sockets: Vec::new(),
        open_files: vec![OpenFile {
            kind: OpenFileKind::Device {
                path: b"/dev/null".to_vec(),
            },
            flags: 2,
        }],
        descriptors: vec![Descriptor {
            number: 0,
            close_on_exec: false,
            open_file: 0,
        }],
        profile: Profile::default(),
    }
}

/// A mapping without runs, flags or name.
pub fn mapping(start: u64, end: u64, protection: u8, backing: Backing) -> Mapping {
    Mapping {
        start,
        end,
        protection: Protection(protection),
        backing,
        shared: false,
        flags: MappingFlags::default(),
        name: Vec::new(),
        runs: Vec::new(),
        guards: Vec::new(),
    }
}

/// A thread that is about to execute the first byte of the sample's text.
pub fn thread(tid: u32) -> Thread {
    let mut registers = [0; 27];
    registers[Registers::RIP] = TEXT;
    registers[Registers::CS] = 0x33;
    registers[Registers::EFLAGS] = 0x246;
    registers[Registers::RSP] = HEAP + 64;
    registers[Registers::SS] = 0x2b;
    Thread {
        tid,
        name: b"sample".to_vec(),
        registers: Registers(registers),
        xsave: vec![0; 832],
        signal_mask: 0,
        alt_stack: AltStack {
            start: 0,
            flags: 2,
            bytes: 0,
        },
        clear_child_tid: 0,
        robust_list: RobustList { head: 0, bytes: 0 },
        rseq: None,
        pending: Vec::new(),
        scheduling: Scheduling {
            policy: 0,
            nice: 0,
            priority: 0,
            reset_on_fork: false,
        },
        affinity: Vec::new(),
        io_priority: 0,
        timer_slack_ns: 50_000,
        parent_death_signal: 0,
        time_stamp_denied: false,
    }
}

/// A machine with the vDSO of Linux 6.13 and later.
pub fn machine() -> Machine {
    let special = |kind, start, bytes| SpecialMapping { kind, start, bytes };
    Machine {
        cpu: Cpu {
            vendor: "GenuineIntel".to_owned(),
            features: [0xffff, 0xff, 7, 0, 0, 0, 1, 0, 0],
            xcr0: 7,
            xsave_bytes: 832,
        },
        vdso: Vdso {
            digest: [9; 32],
            mappings: vec![
                special(SpecialKind::Vvar, 0x7fff_0000_0000, 0x4000),
                special(SpecialKind::VvarVclock, 0x7fff_0000_4000, 0x2000),
                special(SpecialKind::Vdso, 0x7fff_0000_6000, 0x2000),
            ],
        },
        kernel: "6.18.0".to_owned(),
    }
}

fn process() -> Process {
    Process {
        pid: 100,
        executable: 0,
        cwd: b"/".to_vec(),
        umask: 0o022,
        personality: 0,
        dumpable: 1,
        no_new_privs: true,
        child_subreaper: false,
        thp_disabled: false,
        write_execute_denied: 0,
        tiles_permitted: false,
        merges_memory: false,
        oom_score_adj: 0,
        seccomp: SeccompMode::Disabled,
        credentials: Credentials {
            users: [1000; 4],
            groups: [1000; 4],
            supplementary: Vec::new(),
            capabilities: [0; 5],
            securebits: 0,
        },
        limits: vec![Limit {
            resource: 7,
            soft: 1024,
            hard: 4096,
        }],
        memory: MemoryLayout {
            code: [TEXT, TEXT + 4096],
            data: [HEAP, HEAP],
            brk: [HEAP, HEAP],
            stack: HEAP,
            arguments: [HEAP, HEAP],
            environment: [HEAP, HEAP],
            auxv: vec![0, 0],
        },
        actions: Vec::new(),
        pending: Vec::new(),
        interval_timers: Vec::new(),
        posix_timers: Vec::new(),
        clocks: Clocks {
            monotonic_ns: 1,
            boottime_ns: 2,
            realtime_ns: 3,
        },
    }
}

/// An image whose header is genuine but whose metadata is anything: what only a holder of the key could make. `like`
/// lends the fields that do not follow from the metadata.
pub fn forge(metadata: Vec<u8>, like: &Sealed, key: &Key) -> Sealed {
    let mut fields = like.fields.clone();
    fields.metadata.bytes = metadata.len() as u64;
    fields.digests.offset = fields.metadata.offset + fields.metadata.bytes;
    fields.file_bytes = fields.digests.offset + fields.digests.bytes;
    fields.metadata_digest = key.metadata_digest(&metadata).into();
    let header = fields.encode(key);
    Sealed {
        header,
        metadata,
        digests: like.digests.clone(),
        fields,
    }
}

/// The same fields with the digest of another digest list.
pub fn forge_digests(like: &Header, list: &[u8], key: &Key) -> Header {
    Header {
        digests_digest: key.list_digest(list).into(),
        ..like.clone()
    }
}

/// A genuine header with other fields.
pub fn forge_header(
    like: &Sealed,
    key: &Key,
    change: impl FnOnce(&mut Header),
) -> Box<[u8; HEADER_BYTES]> {
    let mut fields = like.fields.clone();
    change(&mut fields);
    fields.encode(key)
}

/// A genuine header with other bytes.
pub fn forge_bytes(
    like: &Sealed,
    key: &Key,
    change: impl FnOnce(&mut [u8; HEADER_BYTES]),
) -> Box<[u8; HEADER_BYTES]> {
    let mut bytes = like.header.clone();
    change(&mut bytes);
    let (fields, digest) = bytes.split_at_mut(HEADER_BYTES - 32);
    digest.copy_from_slice(key.header_digest(fields).as_bytes());
    bytes
}
