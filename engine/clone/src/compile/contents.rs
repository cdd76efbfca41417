//! Memory that lives in the image: each clone gets its own, as a memfd.

use offshoot_image::model::{Content, ContentKind, Manifest, Mapping, PAGE_BYTES};
use offshoot_plan::{Op, fd};

use super::builder::{Builder, PlanFile};
use super::numbers as sys;

const MFD_CLOEXEC_ALLOW_SEALING: u64 = 3;
const F_ADD_SEALS: u64 = 1033;
const F_SEAL_SEAL: u32 = 1;
const SYS_FCHMOD: i64 = 91;

/// The descriptor of a content while a clone is being made.
pub(super) fn descriptor(builder: &Builder, content: u32) -> u32 {
    fd::held(builder.fd_base(), builder.kept_files()) + content
}

/// A descriptor for what is put aside: one of [`fd::MAX_ASIDE`].
pub(super) fn aside(builder: &Builder, index: u32) -> u32 {
    descriptor(builder, fd::MAX_CONTENTS + index)
}

/// Makes and fills all contents.
pub(super) fn compile(builder: &mut Builder, manifest: &Manifest) {
    for (index, content) in manifest.contents.iter().enumerate() {
        make(builder, index as u32, content);
    }
}

fn make(builder: &mut Builder, index: u32, content: &Content) {
    let (name, seals) = match &content.kind {
        ContentKind::Memfd { name, seals } => (name.as_slice(), *seals),
        ContentKind::SharedAnonymous => (&b"shared"[..], 0),
        ContentKind::DeletedFile { path, .. } => (
            path.rsplit(|&byte| byte == b'/').next().unwrap_or_default(),
            0,
        ),
    };
    let name = builder.put_path(&name[..name.len().min(240)]);
    let number = descriptor(builder, index);
    let fd = u64::from(number);
    let create = [name, MFD_CLOEXEC_ALLOW_SEALING, 0, 0, 0, 0];
    let mut ops = vec![
        Op::new(sys::MEMFD_CREATE, create).descriptor(number, true),
        Op::new(sys::FTRUNCATE, [fd, content.bytes, 0, 0, 0, 0]),
    ];
    if let ContentKind::DeletedFile { mode, .. } = &content.kind {
        let permissions = u64::from(mode & 0o7777);
        ops.push(Op::new(SYS_FCHMOD, [fd, permissions, 0, 0, 0, 0]));
    }
    for run in &content.runs {
        let image = builder.file(PlanFile::Image(run.generation));
        let start = run.page * PAGE_BYTES;
        let bytes = (u64::from(run.pages) * PAGE_BYTES).min(content.bytes.saturating_sub(start));
        let offset = builder.put_words(&[run.file_page * PAGE_BYTES]);
        ops.push(Op::new(sys::LSEEK, [fd, start, 0, 0, 0, 0]));
        ops.push(Op::new(sys::SENDFILE, [fd, image, offset, bytes, 0, 0]).equals(bytes));
    }
    builder.memory.extend(ops);
    if seals != 0 && seals != F_SEAL_SEAL {
        let seal = [fd, F_ADD_SEALS, u64::from(seals), 0, 0, 0];
        builder.settle.push(Op::new(sys::FCNTL, seal));
    } else if seals == F_SEAL_SEAL {
        let seal = [fd, F_ADD_SEALS, u64::from(F_SEAL_SEAL), 0, 0, 0];
        builder.settle.push(Op::new(sys::FCNTL, seal).anything());
    }
}

/// Maps a content.
pub(super) fn map(builder: &mut Builder, content: u32, mapping: &Mapping, offset: u64, flags: u64) {
    let fd = u64::from(descriptor(builder, content));
    let len = mapping.end - mapping.start;
    let bits = u64::from(mapping.protection.0);
    let map = [mapping.start, len, bits, flags, fd, offset];
    builder
        .memory
        .push(Op::new(sys::MMAP, map).equals(mapping.start));
}
