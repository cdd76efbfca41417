//! A thread that reaches into sandboxes.
//!
//! Code must be mounted in a sandbox's mount namespace, by somebody in it. A process of its own for that would cost a
//! fork per start. So a thread of the daemon enters, for the moment of a few system calls, a sandbox in which no
//! tenant's process exists: it was new, and nobody has the right to place one in it but who owns its [`Ghost`] value.
//!
//! [`Ghost`]: super::Ghost

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};

use offshoot_sys::namespace::{Namespaces, join, unshare_working_directory};

/// The calling thread's ability to enter sandboxes; it cannot leave the thread.
#[derive(Debug)]
pub struct Hand {
    home: File,
    home_name: File,
    home_network: File,
    _not_send: PhantomData<*const ()>,
}

impl Hand {
    /// Makes the calling thread one that can enter mount namespaces. For good: it has a root and working directory of its
    /// own from now on. It must not start threads: those would share them, and the kernel lets nobody into a mount
    /// namespace whose root somebody else has (`EINVAL`, `setns(2)`). A tokio runtime does start some, from whatever thread
    /// asks for blocking work.
    ///
    /// # Errors
    /// Those of `unshare(2)`, or `/proc` is not mounted.
    pub fn of_this_thread() -> io::Result<Self> {
        unshare_working_directory()?;
        Ok(Self {
            home: File::open("/proc/thread-self/ns/mnt")?,
            home_name: File::open("/proc/thread-self/ns/uts")?,
            home_network: File::open("/proc/thread-self/ns/net")?,
            _not_send: PhantomData,
        })
    }

    /// Does something inside the mount namespace of a process, and under its host name if that is to be set; and
    /// returns.
    ///
    /// # Panics
    /// If the way back is closed, which would leave the thread in a sandbox. It is not: a thread that could enter has the
    /// right to leave (`setns(2)`), and the descriptors keep its home alive.
    pub(crate) fn inside<T, E: From<io::Error>>(
        &self,
        process: BorrowedFd<'_>,
        names: bool,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let namespaces = match names {
            true => Namespaces::MOUNT | Namespaces::UTS,
            false => Namespaces::MOUNT,
        };
        join(process, namespaces)?;
        let result = work();
        let mut left = join(self.home.as_fd(), Namespaces::MOUNT);
        if names {
            left = left.and_then(|()| join(self.home_name.as_fd(), Namespaces::UTS));
        }
        must_have_left(left);
        result
    }

    /// Makes something in a network namespace, such as sockets, which stay in it; and returns.
    ///
    /// # Panics
    /// As [`Self::inside`].
    pub(crate) fn in_network<T>(
        &self,
        network: BorrowedFd<'_>,
        work: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        join(network, Namespaces::NET)?;
        let result = work();
        must_have_left(join(self.home_network.as_fd(), Namespaces::NET));
        result
    }
}

#[expect(
    clippy::panic,
    reason = "a thread that is lost in a sandbox must not go on"
)]
fn must_have_left(left: io::Result<()>) {
    if let Err(error) = left {
        panic!("a thread cannot leave a sandbox: {error}");
    }
}
