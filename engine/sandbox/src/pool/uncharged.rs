//! Memory of programs that no control group is charged for.
//!
//! A clone has pages of its own before it is in its sandbox's groups: `fork` copies what is pinned for transfers (`copy_present_page`
//! in the kernel's `mm/memory.c`), and charges the group of the new process, which is the root's until `cgroup_post_fork`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Of all programs together, in bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllUncharged(Arc<AtomicU64>);

/// Of one program, for as long as this is there.
#[derive(Debug)]
pub(crate) struct Uncharged {
    bytes: u64,
    all: AllUncharged,
}

impl AllUncharged {
    /// Counts a program's.
    pub(crate) fn count(&self, bytes: u64) -> Uncharged {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Uncharged {
            bytes,
            all: self.clone(),
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Uncharged {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Uncharged {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_counts_for_as_long_as_it_is_there() {
        let all = AllUncharged::default();
        let (one, other) = (all.count(3), all.count(4));
        assert_eq!((one.bytes(), all.bytes()), (3, 7));
        drop(one);
        assert_eq!(all.bytes(), 4);
        drop(other);
        assert_eq!(all.bytes(), 0);
    }
}
