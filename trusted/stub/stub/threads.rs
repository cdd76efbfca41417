//! Threads of the program, and how each becomes it.

use core::arch::global_asm;
use core::mem::size_of;
use core::sync::atomic::AtomicU32;

use offshoot_plan::{PLAN_BASE, Phase, Rseq, THREAD_STACK_BYTES, Thread};

use crate::barrier::{Barrier, Futex};
use crate::clone::{CLONE_CHILD_TID, CloneArgs};
use crate::{confine, fail, header, interpret, sys, traps};

const CLONE_PARENT_SETTID: u64 = 0x0010_0000;
/// VM, FS, FILES, SIGHAND, THREAD, SYSVSEM and SETTLS.
const CLONE_THREAD: u64 = 0x100 | 0x200 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000 | 0x8_0000;
const FUTEX_WAIT_PRIVATE: u64 = 128;
const FUTEX_WAKE_PRIVATE: u64 = 129;

/// No thread of the program runs before all exist.
static BARRIER: Barrier = Barrier::new();
/// The request that this clone answers.
static mut TOKEN: u64 = 0;

/// The kernel's futex (`futex(2)`).
struct Kernel;

impl Futex for Kernel {
    fn wait(&self, word: &AtomicU32, expected: u32) {
        // SAFETY: the kernel reads the word.
        unsafe {
            sys::call3(
                sys::FUTEX,
                word.as_ptr() as u64,
                FUTEX_WAIT_PRIVATE,
                expected.into(),
            )
        };
    }

    fn wake(&self, word: &AtomicU32) {
        // SAFETY: wakes who waits for the word.
        unsafe {
            sys::call3(
                sys::FUTEX,
                word.as_ptr() as u64,
                FUTEX_WAKE_PRIVATE,
                i32::MAX as u64,
            )
        };
    }
}

global_asm!(
    ".globl spawn_thread",
    // rdi: clone_args, rsi: their length, rdx: the plan's thread.
    "spawn_thread:",
    "push rbx",
    "mov rbx, rdx",
    "mov eax, 435",
    "syscall",
    "test rax, rax",
    "jz 2f",
    "pop rbx",
    "ret",
    "2:",
    "xor ebp, ebp",
    "mov rdi, rbx",
    "call {thread}",
    "hlt",
    ".globl touch_tiles",
    "touch_tiles:",
    "ldtilecfg [rip + ONE_TILE]",
    "tilezero tmm0",
    "tilerelease",
    "ret",
    ".globl return_to",
    // rdi: the signal frame. Loads every register of the program.
    "return_to:",
    // `rt_sigreturn` keeps the flags that a handler may not change, ID (bit 21) among them: it has to be right before.
    "mov rax, [rdi + 176]",
    "and eax, 0x200000",
    "pushfq",
    "and qword ptr [rsp], ~0x200000",
    "or [rsp], rax",
    "popfq",
    "mov rsp, rdi",
    "mov eax, 15",
    "syscall",
    "hlt",
    // Palette 1, tile 0 of one row of four bytes (Intel SDM volume 1, 18.2).
    ".balign 64",
    "ONE_TILE:",
    ".byte 1",
    ".skip 15",
    ".short 4",
    ".skip 30",
    ".byte 1",
    ".skip 15",
    thread = sym thread,
);

unsafe extern "C" {
    fn spawn_thread(args: *const CloneArgs, bytes: u64, thread: *const Thread) -> i64;
    /// Uses a tile and lets it go.
    fn touch_tiles();
    /// Loads every register of the program from a signal frame.
    fn return_to(frame: u64) -> !;
}

/// Component 18, the data of AMX tiles.
const TILE_DATA: u64 = 1 << 18;
/// Where a signal frame points to the XSAVE area, and where that says which components it has (`struct _fpx_sw_bytes`).
const FRAME_XSAVE: u64 = 224;
const XSAVE_COMPONENTS: u64 = 464 + 8;

/// Goes on as the program: nothing of the stub runs in this thread any more.
///
/// # Safety
/// `frame` is one of the plan's signal frames.
pub unsafe fn become_program(frame: u64, rseq: Rseq) -> ! {
    register(rseq);
    // SAFETY: the frame points to its XSAVE area, which is at least 576 bytes long; tiles are touched only where the
    // program had some, so that the processor has them, and the template has asked for them.
    unsafe {
        traps::admit(frame);
        let area = *((frame + FRAME_XSAVE) as *const u64);
        if *((area + XSAVE_COMPONENTS) as *const u64) & TILE_DATA != 0 {
            // The kernel makes room for them, and restores them, only after their first use.
            touch_tiles();
        }
        return_to(frame)
    }
}

/// Registers restartable sequences. From now on memory of the program's says where this thread goes on when the kernel has
/// interrupted it, so nothing of the engine's is left for it to reach.
fn register(rseq: Rseq) {
    if rseq.address == 0 {
        return;
    }
    let Rseq {
        address,
        bytes,
        signature,
    } = rseq;
    let call = [address, bytes.into(), 0, signature.into(), 0, 0];
    // SAFETY: the kernel writes to memory that the program has given it for this.
    if sys::is_error(unsafe { sys::call(sys::RSEQ, call) }) {
        sys::exit(97);
    }
}

/// Lets the threads run the program.
pub fn let_go() {
    if header().threads.count > 0 {
        BARRIER.let_go(&Kernel);
    }
}

/// Makes them; they wait until [`let_go`].
pub fn start(token: u64) {
    // SAFETY: there is one thread so far.
    unsafe { TOKEN = token };
    let threads = header().threads;
    for index in 0..threads.count {
        let address = PLAN_BASE + threads.offset + index * size_of::<Thread>() as u64;
        let thread = address as *const Thread;
        // SAFETY: the nursery has checked that it lies within the plan.
        let Thread {
            child_tid,
            tls,
            stack_end,
            ..
        } = unsafe { core::ptr::read(thread) };
        let mut args = CloneArgs {
            flags: CLONE_THREAD,
            tls,
            stack: stack_end - THREAD_STACK_BYTES,
            stack_bytes: THREAD_STACK_BYTES,
            ..CloneArgs::default()
        };
        if child_tid != 0 {
            args.flags |= CLONE_CHILD_TID;
            args.child_tid = child_tid;
            // At once, too: a child writes its id only when it first runs, and others may look for it before.
            args.flags |= CLONE_PARENT_SETTID;
            args.parent_tid = child_tid;
        }
        // SAFETY: each thread has a stack of its own in the plan, and runs [`thread`] alone.
        let made = unsafe { spawn_thread(&args, size_of::<CloneArgs>() as u64, thread) };
        if sys::is_error(made) {
            fail(token, Phase::Stub, 6, made);
        }
    }
}

/// Whether the main thread needs what the threads have done, or they must have done all before their calls are filtered.
fn is_awaited() -> bool {
    header().awaits_threads != 0 || confine::confines()
}

/// Waits until all threads have done their operations, if what follows needs it.
pub fn wait_for_all() {
    if is_awaited() {
        BARRIER.await_arrivals(&Kernel, header().threads.count as u32);
    }
}

/// A thread's way.
///
/// # Safety
/// `thread` is one of the plan's.
unsafe extern "C" fn thread(thread: *const Thread) -> ! {
    // SAFETY: as the caller's.
    let Thread {
        ops, frame, rseq, ..
    } = unsafe { core::ptr::read(thread) };
    if let Err((op, result)) = interpret::run(ops) {
        // SAFETY: written before the first thread was made.
        fail(unsafe { TOKEN }, Phase::Thread, op, result);
    }
    BARRIER.arrive(&Kernel, is_awaited());
    BARRIER.await_go(&Kernel);
    // SAFETY: nothing of the stub runs in this thread any more.
    unsafe { become_program(frame, rseq) }
}
