//! The daemon's end of a sandbox's control socket.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use offshoot_sys::polled::PolledFd;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::io::Interest;

use crate::wire::{self, Order, Report};

/// A `SOCK_SEQPACKET` socket that tokio waits on.
#[derive(Debug)]
pub(crate) struct PacketSocket(PolledFd);

/// Makes a pair: ours, and one to be given away, which blocks.
pub(crate) fn packet_pair() -> io::Result<(PacketSocket, OwnedFd)> {
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    let both = Interest::READABLE | Interest::WRITABLE;
    Ok((PacketSocket(PolledFd::new(ours, both)?), theirs))
}

impl PacketSocket {
    /// Sends a packet when there is room for it.
    pub(crate) async fn send(
        &self,
        bytes: &[u8],
        fds: &[std::os::fd::BorrowedFd<'_>],
    ) -> io::Result<()> {
        let send = |socket: &OwnedFd| Ok(wire::send(socket.as_fd(), bytes, fds)?);
        self.0.io(Interest::WRITABLE, send).await
    }

    /// Receives a packet; `None` at the end. Cancel-safe: a packet is taken whole or not at all.
    pub(crate) async fn receive(&self) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
        let receive = |socket: &OwnedFd| Ok(wire::receive(socket.as_fd())?);
        match self.0.io(Interest::READABLE, receive).await {
            // The peer closed its end with a packet of ours unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            other => other,
        }
    }

    /// Receives a report; `None` when every process that could send one has ended. Cancel-safe.
    pub(crate) async fn receive_report(&self) -> io::Result<Option<(Report, Vec<OwnedFd>)>> {
        match self.receive().await? {
            Some((bytes, fds)) => Ok(Some((wire::decode(&bytes)?, fds))),
            None => Ok(None),
        }
    }

    /// Sends an order.
    pub(crate) async fn send_order(&self, order: &Order) -> io::Result<()> {
        self.send(&wire::encode(order)?, &[]).await
    }
}

impl PacketSocket {
    /// Ends the conversation in both directions; the peer finds the end when it has read what was
    /// sent before.
    pub(crate) fn hang_up(&self) {
        let _ = rustix::net::shutdown(&self.0, rustix::net::Shutdown::Both);
    }
}
