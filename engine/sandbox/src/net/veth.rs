//! Virtual Ethernet pairs by rtnetlink.
//!
//! The inner end is made in the sandbox's namespace at once: moving it there later would wait for
//! a grace period of the kernel, 16 ms instead of 0.5.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::{InfoData, InfoVeth};
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};

use crate::build::INSIDE_NAME;
use crate::error::NetworkError;

/// A conversation with the kernel about interfaces.
#[derive(Debug, Clone)]
pub(crate) struct Netlink {
    handle: Handle,
}

/// The network namespace of a process, certainly that one's.
pub(super) fn namespace_of(pid: i32, pidfd: &OwnedFd) -> Result<OwnedFd, NetworkError> {
    let failed = |errno: rustix::io::Errno| NetworkError::Link {
        action: "find the namespace for",
        link: format!("process {pid}"),
        message: errno.to_string(),
    };
    let path = format!("/proc/{pid}/ns/net");
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let namespace = rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?;
    // Still alive now, so the number was not another process's when the file was opened.
    let mut polled = [PollFd::new(pidfd, PollFlags::IN)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match rustix::event::poll(&mut polled, Some(&now)).map_err(failed)? {
        0 => Ok(namespace),
        _ => Err(failed(rustix::io::Errno::SRCH)),
    }
}

impl Netlink {
    /// Must be called on a tokio runtime.
    pub(crate) fn open() -> Result<Self, NetworkError> {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(|error| NetworkError::Link {
                action: "open netlink for",
                link: "all".into(),
                message: error.to_string(),
            })?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// Makes a pair, one end in `namespace`, the other one up and with its address.
    pub(super) async fn add(
        &self,
        name: &str,
        namespace: BorrowedFd<'_>,
        address: Ipv4Addr,
    ) -> Result<(), NetworkError> {
        let failed = |action: &'static str, message: String| NetworkError::Link {
            action,
            link: name.to_owned(),
            message,
        };
        let peer = LinkMessageBuilder::<LinkUnspec>::new()
            .name(INSIDE_NAME)
            .setns_by_fd(namespace.as_raw_fd())
            .build();
        let pair = LinkVeth::new(name, INSIDE_NAME)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
            .up()
            .build();
        let added = self.handle.link().add(pair).execute().await;
        added.map_err(|error| failed("make", error.to_string()))?;
        let index = self
            .index_of(name)
            .map_err(|errno| failed("find", errno.to_string()))?;
        let addresses = self.handle.address();
        let added = addresses
            .add(index, IpAddr::V4(address), 31)
            .execute()
            .await;
        added.map_err(|error| failed("address", error.to_string()))
    }

    /// Removes a pair; one that is gone is fine.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), NetworkError> {
        let Ok(index) = self.index_of(name) else {
            return Ok(());
        };
        let deleted = self.handle.link().del(index).execute().await;
        match deleted {
            Err(rtnetlink::Error::NetlinkError(message)) if message.raw_code() == -libc::ENODEV => {
                Ok(())
            }
            other => other.map_err(|error| NetworkError::Link {
                action: "remove",
                link: name.to_owned(),
                message: error.to_string(),
            }),
        }
    }

    /// Removes the sandbox from the neighbours of a link's host side; one that is gone is fine.
    pub(super) async fn forget_neighbour(
        &self,
        name: &str,
        inside: Ipv4Addr,
    ) -> Result<(), NetworkError> {
        let Ok(index) = self.index_of(name) else {
            return Ok(());
        };
        let mut neighbour = NeighbourMessage::default();
        neighbour.header.family = AddressFamily::Inet;
        neighbour.header.ifindex = index;
        let address = NeighbourAttribute::Destination(NeighbourAddress::Inet(inside));
        neighbour.attributes.push(address);
        let deleted = self.handle.neighbours().del(neighbour).execute().await;
        match deleted {
            Err(rtnetlink::Error::NetlinkError(message))
                if [-libc::ENOENT, -libc::ENODEV].contains(&message.raw_code()) =>
            {
                Ok(())
            }
            other => other.map_err(|error| NetworkError::Link {
                action: "clear the neighbours of",
                link: name.to_owned(),
                message: error.to_string(),
            }),
        }
    }

    fn index_of(&self, name: &str) -> rustix::io::Result<u32> {
        use rustix::net::{AddressFamily, SocketFlags, SocketType};
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
        rustix::net::netdevice::name_to_index(&socket, name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use std::os::fd::AsFd;

    /// A process in a network namespace of its own.
    struct Elsewhere(std::process::Child);

    impl Elsewhere {
        fn start() -> Self {
            let mut command = std::process::Command::new("unshare");
            Self(command.args(["-n", "sleep", "1000"]).spawn().unwrap())
        }

        fn pid(&self) -> i32 {
            i32::try_from(self.0.id()).unwrap()
        }

        fn shows(&self, text: &str) -> bool {
            let path = format!("/proc/{}/net/dev", self.pid());
            std::fs::read_to_string(path).unwrap().contains(text)
        }
    }

    impl Drop for Elsewhere {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[tokio::test]
    async fn pair_has_one_end_in_the_other_namespace_and_is_removed_whole() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: making links needs root");
            return;
        }
        let elsewhere = Elsewhere::start();
        // `unshare` has become `sleep` when it has its own namespace.
        let comm = format!("/proc/{}/comm", elsewhere.pid());
        while std::fs::read_to_string(&comm).unwrap().trim() != "sleep" {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let pid = Pid::from_raw(elsewhere.pid()).unwrap();
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let namespace = namespace_of(elsewhere.pid(), &pidfd).unwrap();
        let netlink = Netlink::open().unwrap();
        let name = format!("offtest-{}", std::process::id() % 100_000);
        netlink
            .add(&name, namespace.as_fd(), Ipv4Addr::new(10, 201, 0, 0))
            .await
            .unwrap();
        assert!(elsewhere.shows("eth0:"));
        assert!(netlink.index_of(&name).is_ok());
        netlink.delete(&name).await.unwrap();
        assert!(netlink.index_of(&name).is_err());
        assert!(!elsewhere.shows("eth0:"));
        // Once more is not an error.
        netlink.delete(&name).await.unwrap();
    }

    #[test]
    fn namespace_of_an_ended_process_is_refused() {
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let pidfd = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(
            namespace_of(pid, &pidfd),
            Err(NetworkError::Link { .. })
        ));
    }
}
