//! What end-to-end tests and benchmarks stand on.
//!
//! - [`KernelObjects`] counts what a leak would leave behind: processes, namespaces, control groups,
//!   mounts, links, descriptors. [`drift`] names what differs between two of them, and [`plant`] makes one
//!   leak on purpose, so that a test can show that it would be seen.
//! - [`Daemon`] runs the built program on a loopback port of its own and ends it in every way that a
//!   test wants.
//! - [`LambdaClient`] speaks the Lambda API over plain HTTP to it; [`HttpConnection`] is the same for
//!   measurements, one blocking connection with nearly no cost of its own.
//!
//! Nothing here knows the program from inside: it is used through its documented interface only.

mod daemon;
mod function;
mod http1;
mod kernel;
mod lambda;

pub use daemon::{Daemon, DaemonError, DaemonOptions};
pub use function::{FunctionSpec, PackageError, zip_files, zip_folder};
pub use http1::{Answer, Head, HttpConnection, HttpError, request};
pub use kernel::{
    Drift, Group, KernelObjects, Kind, Leak, Objects, Planted, Probe, Scope, SnapshotError, drift,
    plant, settled_drift,
};
pub use lambda::{ClientError, EventCounts, Invocation, LambdaClient};
