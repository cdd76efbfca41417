//! Addresses that no sandbox reaches, whatever its policy says.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use super::destination::Ipv4Network;

/// First address, bits of the prefix, and what they are.
const RANGES: [(Ipv4Addr, u8, &str); 9] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this host (RFC 1122)"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (
        Ipv4Addr::new(169, 254, 0, 0),
        16,
        "link-local, with the metadata services of clouds",
    ),
    // Outside the link-local range, but as sensitive.
    (
        Ipv4Addr::new(100, 100, 100, 200),
        32,
        "the metadata service of Alibaba Cloud",
    ),
    (
        Ipv4Addr::new(168, 63, 129, 16),
        32,
        "the platform service of Azure",
    ),
    (
        Ipv4Addr::new(192, 0, 0, 0),
        24,
        "protocol assignments, with the metadata service of Oracle Cloud",
    ),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "relays to IPv6"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (
        Ipv4Addr::new(240, 0, 0, 0),
        4,
        "reserved, with the broadcast address",
    ),
];

/// All ranges.
pub(super) fn ranges() -> impl Iterator<Item = Ipv4Network> {
    RANGES
        .into_iter()
        .map(|(first, bits, _)| Ipv4Network::new(first, bits))
}

/// What the reserved range is that all of `network` is in.
pub(super) fn around(network: Ipv4Network) -> Option<&'static str> {
    let range = RANGES
        .into_iter()
        .find(|&(first, bits, _)| Ipv4Network::new(first, bits).contains(network));
    range.map(|(_, _, what)| what)
}

/// Whether an address is one of this host's own, as far as routing knows.
///
/// The kernel answers a packet to an own address from that address; nothing is sent to find out.
pub(super) fn is_own(address: Ipv4Addr) -> bool {
    let found = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    matches!(found, Ok(SocketAddr::V4(own)) if IpAddr::V4(*own.ip()) == IpAddr::V4(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_reserved_and_own_and_a_documentation_network_neither() {
        let loopback = Ipv4Addr::new(127, 3, 2, 1);
        assert_eq!(around(Ipv4Network::host(loopback)), Some("loopback"));
        assert!(is_own(Ipv4Addr::LOCALHOST));
        let documentation = Ipv4Addr::new(192, 0, 2, 1);
        assert_eq!(around(Ipv4Network::host(documentation)), None);
        assert!(!is_own(documentation));
    }

    #[test]
    fn network_that_is_only_partly_reserved_is_not_around() {
        assert_eq!(
            around(Ipv4Network::new(Ipv4Addr::new(126, 0, 0, 0), 7)),
            None
        );
        assert!(around(Ipv4Network::new(Ipv4Addr::new(127, 0, 0, 0), 8)).is_some());
    }
}
