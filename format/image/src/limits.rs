//! Bounds of an image. They keep a hostile or damaged file from costing more than its reader can bear; each is far above
//! what the kernel itself allows or what a function needs.

/// The longest metadata, in bytes.
pub const MAX_METADATA_BYTES: u64 = 32 << 20;

/// The longest digest list, in bytes.
pub const MAX_DIGESTS_BYTES: u64 = 256 << 20;

/// One more than the highest page number in an image file: pages end below 256 GiB.
pub const MAX_FILE_PAGE: u64 = 1 << 26;

/// How many parents an image may have above it.
pub const MAX_GENERATION: u8 = 16;

/// How many mappings an image may have (`/proc/sys/vm/max_map_count` is 65,530 by default).
pub const MAX_MAPPINGS: usize = 1 << 20;

/// How many threads an image may have.
pub const MAX_THREADS: usize = 16_384;

/// One more than the highest descriptor (`/proc/sys/fs/nr_open` by default).
pub const MAX_DESCRIPTOR: u32 = 1 << 20;

/// The longest path, in bytes, without the zero at its end (`PATH_MAX`, `path_resolution(7)`).
pub const MAX_PATH_BYTES: usize = 4095;

/// The longest XSAVE area, in bytes. AMX needs 11,008.
pub const MAX_XSAVE_BYTES: u32 = 65_536;

/// First address behind user space with four levels of page tables (Linux `Documentation/arch/x86/x86_64/mm.rst`).
pub const USER_SPACE_END: u64 = 0x7fff_ffff_f000;

/// First address that a mapping may have.
pub const USER_SPACE_START: u64 = 0x1000;
