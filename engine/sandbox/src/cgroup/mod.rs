//! Control groups: one per sandbox in each hierarchy that counts or limits something.
//!
//! Two layouts are known (`cgroups(7)`). **v2**: one hierarchy with the controllers memory, cpu and
//! pids. **Hybrid**: those three on v1 hierarchies, and a v2 hierarchy without them, which still
//! gives `cgroup.kill` and the clone into it. A sandbox's group is `offshoot/<owner>/<sandbox>`
//! below the hierarchy's root, or, when the root is not ours to write (a container), below the
//! daemon's own group.

mod budget;
mod detect;
mod group;
mod limits;
mod statistics;
mod tree;

pub use budget::MemoryUse;
pub(crate) use detect::{Hierarchies, Hierarchy, Version};
pub(crate) use group::{Group, GroupFds, Peak};
pub(crate) use limits::Trace;
pub(crate) use tree::{Tree, places};

use std::io;
use std::path::Path;

use crate::error::CgroupError;

/// The directory of ours in every hierarchy.
pub(crate) const TOP: &str = "offshoot";

/// Says which file it was.
pub(crate) fn failed(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(rustix::io::Errno) -> CgroupError {
    move |errno| CgroupError::Io {
        action,
        path: path.to_path_buf(),
        source: io::Error::from(errno),
    }
}
