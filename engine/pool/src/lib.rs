//! A pool: a directory in which images live, and the key under which they are digested.
//!
//! 1. [`Pool::open`] mounts a tmpfs there if it is asked to and none is there, takes the [`Key`](offshoot_image::Key) and
//!    clears what dead writers left.
//! 2. [`Pool::create`] gives a [`NewImage`]: a hidden file that its writer holds locked. [`NewImage::seal`] makes it an
//!    image: write, fsync, rename. Before that it has no name, and dropping it removes it.
//! 3. [`Pool::open_image`] gives an [`OpenImage`] whose header has been checked; its manifest and pages are checked when
//!    they are read. Images never change, so what was checked stays so.
//!
//! An image that others name as their parent cannot be removed. Processes that map a removed image keep its pages.
//!
//! Several processes may use one pool: names are given and taken under a lock of the directory (`flock(2)`).
//!
//! What callers must still ensure: that nobody else may write to the directory ([`Pool::open`] refuses one that others
//! can write to), and that this machine suits what an image holds
//! ([`compatibility`](offshoot_image::compatibility)). Opening an image costs two reads; finding one by id reads 32
//! bytes of every image.

mod backing;
mod contents;
mod file;
mod key;
mod mount;
mod name;
mod new_image;
mod open_image;
mod pool;
mod shared;
mod stamp;

pub use backing::{Backing, FileSystem};
pub use contents::{Lineage, ListedImage, RemoveError};
pub use key::{KeyError, load_key, load_or_create_key};
pub use name::{BadName, ImageName};
pub use new_image::{NewImage, WriteError};
pub use open_image::{OpenError, OpenImage, Verified};
pub use pool::{Mount, Pool, PoolConfig, PoolError, Usage};
pub use stamp::Stamp;
