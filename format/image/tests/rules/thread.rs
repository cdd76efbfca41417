//! Rules of threads.

use super::*;

#[test]
#[rustfmt::skip] // one case, one line
fn threads_must_be_able_to_run() {
    refuse(&[
        (|m| m.threads.clear(), "the manifest has no threads"),
        (|m| m.threads.swap(0, 1), "thread 101 is the first thread but not the main thread"),
        (|m| m.threads[1].tid = 100, "thread 100 occurs twice"),
        (|m| m.threads[1].tid = 0, "thread 0 has an impossible id"),
        (|m| m.threads[0].name = vec![b'a'; 16], "thread 100 has a name"),
        (|m| register(m, Registers::RIP, USER_SPACE_END), "thread 100 has its rip outside user space"),
        (|m| register(m, Registers::RIP, 1 << 63), "thread 100 has its rip outside user space"),
        (|m| register(m, Registers::RIP, HEAP), "thread 100 has an instruction pointer outside executable"),
        (|m| register(m, Registers::RIP, TEXT - 1), "thread 100 has an instruction pointer outside executable"),
        (|m| register(m, Registers::RSP, 1 << 47), "thread 100 has its rsp outside user space"),
        (|m| register(m, Registers::FS_BASE, u64::MAX), "thread 100 has its fs_base outside user space"),
        (|m| register(m, Registers::GS_BASE, u64::MAX), "thread 100 has its gs_base outside user space"),
        (|m| register(m, Registers::CS, 0x10), "thread 100 has an impossible cs: 0x10"),
        (|m| register(m, Registers::CS, 0x23), "thread 100 has an impossible cs: 0x23"),
        (|m| register(m, Registers::SS, 0), "thread 100 has an impossible ss: 0x0"),
        (|m| register(m, Registers::DS, 0x18), "thread 100 has an impossible ds: 0x18"),
        (|m| register(m, Registers::GS, 0x63), "thread 100 has an impossible gs: 0x63"),
        (
            |m| register(m, Registers::EFLAGS, 0x100),
            "thread 100 has bits in its flags register that are not allowed: 0x100",
        ),
        (|m| register(m, Registers::EFLAGS, 0x3000), "thread 100 has bits in its flags register"),
        (|m| m.threads[0].xsave.truncate(575), "thread 100 has an XSAVE area with an impossible length"),
        (|m| m.threads[0].xsave.push(0), "thread 100 has an XSAVE area with an impossible length"),
        (|m| m.threads[0].xsave[26] = 1, "thread 100 has an XSAVE area with an impossible MXCSR"),
        (|m| m.threads[0].xsave[512] = 8, "thread 100 has an XSAVE area with an impossible component"),
        (|m| m.threads[0].xsave[527] = 128, "thread 100 has an XSAVE area with an impossible header"),
        (|m| m.threads[0].signal_mask = 1 << 18, "thread 100 has bits in its signal mask"),
        (|m| m.threads[0].alt_stack.flags = 4, "thread 100 has bits in its signal stack flags"),
        (|m| m.threads[0].alt_stack.flags = 0, "thread 100 has its signal stack outside user space"),
        (|m| m.threads[0].clear_child_tid = 1 << 63, "thread 100 has its clear_child_tid outside"),
        (|m| m.threads[0].robust_list.head = 1 << 63, "thread 100 has its robust list outside"),
        (|m| m.threads[0].robust_list.bytes = 25, "thread 100 has an impossible robust list length: 0x19"),
        (|m| m.threads[0].rseq = Some(rseq(HEAP + 4, 32)), "thread 100 has its rseq area outside"),
        (|m| m.threads[0].rseq = Some(rseq(HEAP, 5000)), "thread 100 has an impossible rseq length"),
        (|m| m.threads[0].pending = vec![Vec::new()], "thread 100 has a pending signal whose record"),
        (|m| m.threads[0].scheduling.policy = 6, "thread 100 has an impossible scheduling policy"),
        (|m| m.threads[0].affinity = vec![0, 0], "thread 100 has no processors"),
        (|m| m.threads[0].affinity = vec![1; 129], "thread 100 has 129 words of processors; 128 are allowed"),
        (|m| m.threads[0].io_priority = 4 << 13, "thread 100 has an impossible I/O priority: 0x8000"),
        (|m| m.threads[0].scheduling.nice = 20, "thread 100 has an impossible nice value"),
        (|m| m.threads[0].scheduling.priority = 1, "thread 100 has an impossible priority"),
        (|m| m.threads[0].parent_death_signal = 65, "thread 100 has an impossible parent death signal"),
    ]);
}
