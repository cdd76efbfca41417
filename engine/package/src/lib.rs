//! Untrusted deployment zips (function code, layers) become immutable, content-addressed
//! directories, which sandboxes bind read-only.
//!
//! How [`PackageStore::unpack`] works:
//!
//! 1. The zip is hashed; a package that is already there is returned at once.
//! 2. The bytes go into a sealed memory file, and a fresh `tmp-*` directory is made and given to an
//!    unprivileged uid.
//! 3. A worker process is started *as that uid*, with the memory file as its standard input and the
//!    fresh directory as its working directory. It gives up everything else ([`worker_main`]):
//!    no new privileges, resource limits, Landlock, a seccomp allow-list without sockets, `fork` or
//!    `execve`. Only then it reads the zip: strict parsing, a plan of the whole tree, then writing
//!    beneath the directory while counting real bytes.
//! 4. The daemon waits with a deadline, reads a small verdict, and checks the tree by itself: types,
//!    modes, links, counts. It takes ownership, writes `package.json`, syncs, and renames the
//!    directory to its digest. Anything that fails leaves no directory behind.
//!
//! What callers must still ensure: [`worker_main`] is reachable in the program named by [`Worker`];
//! the calls here block, so async callers use a blocking thread; a package is not removed while a
//! sandbox still binds it.
//!
//! Cost: about 2 ms for a small function before the file system's sync; the figures and the
//! decisions are in `docs/design/packages.md`.

mod adopt;
mod archive;
mod confine;
mod content;
mod digest;
mod draft;
mod error;
mod gate;
mod launch;
mod limits;
mod link;
mod name;
mod plan;
mod record;
mod refusal;
mod removal;
mod store;
mod tree;
mod worker;

pub use digest::{Digest, DigestError};
pub use error::{OpenError, UnpackError, UnpackErrorKind, WorkerFault};
pub use launch::Worker;
pub use limits::Limits;
pub use refusal::{ArchiveFault, EntryFault};
pub use store::{Package, PackageStore};
pub use worker::worker_main;
