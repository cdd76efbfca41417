//! A program executed by its descriptor.
// UNSAFETY: execveat reads arrays of pointers.
#![expect(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use crate::clone::FreshChild;

/// Executes `program` with the one argument `name` and an empty environment; returns only if that fails.
///
/// By descriptor, so that no path is looked up and the file may be one that has none (`execveat(2)`, `AT_EMPTY_PATH`).
pub fn by_descriptor(_child: &FreshChild, program: BorrowedFd<'_>, name: &CStr) -> io::Error {
    let arguments = [name.as_ptr(), ptr::null()];
    let environment: [*const libc::c_char; 1] = [ptr::null()];
    // SAFETY:
    // 1. The path is a string that ends with NUL; both arrays end with a null pointer and hold such strings.
    // 2. All of them outlive the call; if it succeeds, nothing here goes on.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    io::Error::last_os_error()
}
