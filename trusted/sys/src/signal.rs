//! Signal dispositions that need no handler.
// UNSAFETY: sigaction is unsafe because of handlers, which this module cannot install.
#![expect(unsafe_code)]

use std::io;

/// What happens on a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The kernel's default for that signal.
    Default,
    /// Nothing; for `SIGCHLD` the kernel then reaps children by itself (`sigaction(2)`).
    Ignore,
}

/// Sets the disposition of `SIGCHLD`.
///
/// # Errors
/// None that the manual names for a valid signal; passed on if the kernel finds one.
pub fn set_child_signal(disposition: Disposition) -> io::Result<()> {
    let action = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
    };
    // SAFETY: neither value is a function that could run in a signal context.
    let previous = unsafe { libc::signal(libc::SIGCHLD, action) };
    if previous == libc::SIG_ERR {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
