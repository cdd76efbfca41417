//! Which descriptors of a process lead to its connection to the Runtime API.
//!
//! A runtime that has asked to be frozen waits for the answer on a TCP connection. An image cannot hold that; each clone is
//! given another one, at the same number. The process tells nobody which number that is, so it is looked up: the address of
//! the runtime's end names the socket (`/proc/<pid>/net/tcp`, `proc_pid_net(5)`), and the socket its descriptors.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::SocketAddr;

/// The descriptors of a process that lead to its TCP socket whose own address is `local`; none if it has no such one.
pub(super) fn descriptors(pid: i32, local: SocketAddr) -> io::Result<BTreeSet<u32>> {
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp"))?;
    let Some(inode) = inode(&table, local) else {
        return Ok(BTreeSet::new());
    };
    let wanted = format!("socket:[{inode}]");
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let entry = entry?;
        let number: Option<u32> = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        // One that was closed meanwhile is none.
        let leads =
            fs::read_link(entry.path()).is_ok_and(|link| link.as_os_str() == wanted.as_str());
        found.extend(number.filter(|_| leads));
    }
    Ok(found)
}

/// The inode of the socket with this address of its own, in a table as the kernel prints it.
fn inode(table: &str, local: SocketAddr) -> Option<u64> {
    let SocketAddr::V4(local) = local else {
        return None;
    };
    // The address is printed as the number that its bytes are in memory.
    let address = u32::from_ne_bytes(local.ip().octets());
    let wanted = format!("{address:08X}:{:04X}", local.port());
    let mut lines = table.lines().skip(1);
    lines.find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let is_it = words.nth(1)? == wanted;
        // Remote address, state, queues, timer, retransmissions, user, timeout, inode.
        words.nth(7).filter(|_| is_it)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2329 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 0000000000000000 100 0 0 10 0
   1: 0100007F:9C40 0100007F:2329 01 00000000:00000000 02:000009F1 00000000     0        0 4711 2 0000000000000000 20 4 30 10 -1
";

    #[test]
    fn socket_is_found_by_its_own_address() {
        let of = |address: &str| inode(TABLE, address.parse().unwrap());
        assert_eq!(of("127.0.0.1:40000"), Some(4711));
        assert_eq!(of("127.0.0.1:9001"), Some(77));
        assert_eq!(of("127.0.0.1:40001"), None);
        assert_eq!(of("[::1]:40000"), None);
    }

    #[test]
    fn all_duplicates_of_a_connection_are_found_and_nothing_else() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let duplicate = stream.try_clone().unwrap();
        let pid = std::process::id().cast_signed();
        let found = descriptors(pid, stream.local_addr().unwrap()).unwrap();
        let expected = [&stream, &duplicate].map(|one| one.as_raw_fd().cast_unsigned());
        assert_eq!(found, BTreeSet::from(expected));
    }
}
