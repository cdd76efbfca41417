//! `ptrace` and `waitpid` themselves.
// UNSAFETY: ptrace takes addresses as integers; each function here fixes what they mean.
#![expect(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;

/// Requests that libc does not name (`linux/ptrace.h`).
pub(crate) mod op {
    pub(crate) const PEEKUSER: u32 = 3;
    pub(crate) const CONT: u32 = 7;
    pub(crate) const SINGLESTEP: u32 = 9;
    pub(crate) const GETREGS: u32 = 12;
    pub(crate) const SETREGS: u32 = 13;
    pub(crate) const DETACH: u32 = 17;
    pub(crate) const SYSCALL: u32 = 24;
    pub(crate) const SETOPTIONS: u32 = 0x4200;
    pub(crate) const GETREGSET: u32 = 0x4204;
    pub(crate) const SEIZE: u32 = 0x4206;
    pub(crate) const INTERRUPT: u32 = 0x4207;
    pub(crate) const PEEKSIGINFO: u32 = 0x4209;
    pub(crate) const GETSIGMASK: u32 = 0x420a;
    pub(crate) const SETSIGMASK: u32 = 0x420b;
    pub(crate) const SECCOMP_GET_FILTER: u32 = 0x420c;
    pub(crate) const GET_RSEQ_CONFIGURATION: u32 = 0x420f;
    pub(crate) const GET_SYSCALL_USER_DISPATCH_CONFIG: u32 = 0x4211;
}

/// A request whose `addr` and `data` are plain numbers.
///
/// Only for requests that neither read nor write our memory.
pub(crate) fn plain(op: u32, tid: u32, addr: u64, data: u64) -> io::Result<()> {
    debug_assert!(matches!(
        op,
        op::CONT
            | op::SINGLESTEP
            | op::DETACH
            | op::SYSCALL
            | op::SETOPTIONS
            | op::SEIZE
            | op::INTERRUPT
    ));
    // SAFETY: these requests take numbers only (ptrace(2)).
    unsafe { request(op, tid, addr, data) }.map(drop)
}

/// A request that fills a value at `data`.
///
/// # Safety
/// 1. The kernel writes at most `size_of::<T>()` bytes at `data` for this request and `addr`.
/// 2. Every bit pattern is a valid `T`, zeros included.
pub(crate) unsafe fn fill<T>(op: u32, tid: u32, addr: u64) -> io::Result<(T, i64)> {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the kernel writes within `value`, by condition 1.
    let returned = unsafe { request(op, tid, addr, value.as_mut_ptr() as u64)? };
    // SAFETY: zeroed, then perhaps written by the kernel; valid by condition 2.
    Ok((unsafe { value.assume_init() }, returned))
}

/// A request that reads a value at `data`.
///
/// # Safety
/// 1. The kernel reads at most `size_of::<T>()` bytes at `data` for this request and `addr`.
pub(crate) unsafe fn give<T>(op: u32, tid: u32, addr: u64, value: &T) -> io::Result<()> {
    // SAFETY: the kernel only reads, within `value`, by condition 1.
    unsafe { request(op, tid, addr, std::ptr::from_ref(value) as u64) }.map(drop)
}

/// A request that fills bytes through an `iovec` at `data`; says how many.
///
/// # Safety
/// 1. The request takes an `iovec` at `data` and honours its length.
pub(crate) unsafe fn fill_bytes(
    op: u32,
    tid: u32,
    addr: u64,
    bytes: &mut [u8],
) -> io::Result<usize> {
    let mut vector = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: the kernel writes within `bytes`, whose length it has, by condition 1.
    unsafe { request(op, tid, addr, &raw mut vector as u64)? };
    Ok(vector.iov_len)
}

/// # Safety
/// 1. `addr` and `data` are what the request wants (ptrace(2)); memory that it writes is ours and
///    large enough.
pub(crate) unsafe fn request(op: u32, tid: u32, addr: u64, data: u64) -> io::Result<i64> {
    // SAFETY: the caller answers for `addr` and `data`. The raw call, because glibc's wrapper
    // changes how the PEEK requests return their value.
    let returned =
        unsafe { libc::syscall(libc::SYS_ptrace, u64::from(op), u64::from(tid), addr, data) };
    if returned < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(returned)
    }
}

/// Takes a stop or the end of one tracee, without waiting; its wait status.
pub(crate) fn poll_stop(tid: u32) -> io::Result<Option<i32>> {
    let mut status = 0;
    // SAFETY: `status` is a valid place for an int.
    let waited = unsafe {
        libc::waitpid(
            tid.cast_signed(),
            &raw mut status,
            libc::__WALL | libc::WNOHANG,
        )
    };
    match waited {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        _ => Ok(Some(status)),
    }
}

/// Sends a signal to a whole process.
pub(crate) fn kill(pid: u32, signal: i32) -> io::Result<()> {
    // SAFETY: takes two numbers.
    if unsafe { libc::kill(pid.cast_signed(), signal) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
