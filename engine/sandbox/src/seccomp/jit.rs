//! How much of the kernel's memory for compiled filters is in use.
//!
//! Every filter is compiled (`net.core.bpf_jit_enable`), and all programs of the machine share one budget
//! (`net.core.bpf_jit_limit`): beyond it, loading a filter fails and no sandbox starts. The kernel does not publish
//! what is charged; `/proc/vmallocinfo` lists the areas it is taken from. Since Linux 5.18 small programs share areas
//! of 2 MiB, so that the figure is an upper bound in steps of that size.

use std::io;

/// The functions of the kernel, over the versions, that allocate memory for compiled programs.
const ALLOCATORS: [&str; 3] = [
    "bpf_prog_pack_alloc",
    "bpf_jit_alloc_exec",
    "bpf_jit_binary_alloc",
];
/// Each area is followed by an unmapped page, which its size includes.
const GUARD_BYTES: u64 = 4096;

/// The budget of memory for compiled filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JitMemory {
    /// What is taken, in bytes, by all programs of the machine.
    pub used_bytes: u64,
    /// What may be taken without `CAP_BPF` or `CAP_SYS_ADMIN`, in bytes.
    pub limit_bytes: u64,
}

/// Reads both, in well under a millisecond on a quiet machine.
///
/// # Errors
/// Those of opening `/proc/vmallocinfo` and `/proc/sys/net/core/bpf_jit_limit`, which only root may (`EACCES`) and
/// kernels without a compiler do not have (`ENOENT`); `InvalidData` if either is not understood.
pub fn jit_memory() -> io::Result<JitMemory> {
    let areas = std::fs::read_to_string("/proc/vmallocinfo")?;
    let limit = std::fs::read_to_string("/proc/sys/net/core/bpf_jit_limit")?;
    let not_understood = || io::Error::from(io::ErrorKind::InvalidData);
    Ok(JitMemory {
        used_bytes: used_bytes(&areas).ok_or_else(not_understood)?,
        limit_bytes: limit.trim().parse().map_err(|_| not_understood())?,
    })
}

/// Sums the areas of the allocators. A line is `FROM-TO SIZE CALLER+OFFSET/LENGTH ...`.
fn used_bytes(areas: &str) -> Option<u64> {
    let mut sum = 0_u64;
    for line in areas.lines() {
        let mut words = line.split_whitespace().skip(1);
        let (size, caller) = (words.next()?, words.next().unwrap_or_default());
        let name = caller.split('+').next().unwrap_or_default();
        if ALLOCATORS.contains(&name) {
            let size_bytes: u64 = size.parse().ok()?;
            sum = sum.saturating_add(size_bytes.saturating_sub(GUARD_BYTES));
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const AREAS: &str = "\
0x00000000923ff115-0x00000000fbc5be8b    8192 bpf_prog_alloc_no_stats+0x39/0x230 pages=1 vmalloc N0=1
0x000000003c9a68f7-0x000000002d792274 2101248 bpf_prog_pack_alloc+0x28b/0x3a0 pages=512 vmalloc N0=512
0x000000003c9a68f8-0x000000002d792275   12288 bpf_jit_alloc_exec+0x10/0x20 pages=2 vmalloc N0=2
0x000000003db8b5fb-0x0000000030d20088    8192 unpurged vm_area
";

    #[test]
    fn areas_of_compiled_programs_are_summed_without_their_guards() {
        assert_eq!(used_bytes(AREAS), Some((2 << 20) + 8192));
        assert_eq!(used_bytes(""), Some(0));
        assert_eq!(used_bytes("nonsense"), None);
    }

    #[test]
    fn a_loaded_filter_takes_less_than_the_limit() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: reading /proc/vmallocinfo needs root");
            return;
        }
        match jit_memory() {
            Ok(memory) => assert!(memory.used_bytes < memory.limit_bytes, "{memory:?}"),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::NotFound);
                eprintln!("skipped: the kernel compiles no filters");
            }
        }
    }
}
