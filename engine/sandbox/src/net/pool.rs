//! The addresses that are given out: pairs of a configured network.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::destination::Ipv4Network;
use crate::error::NetworkError;
use crate::slots::{Slot, Slots};

/// A network of address pairs, the even address the host's, the odd one the sandbox's.
#[derive(Debug)]
pub(super) struct Pool {
    first: u32,
    prefix_bits: u8,
    pairs: Arc<Slots>,
}

impl Pool {
    /// From the form `10.200.0.0/16`.
    pub(super) fn parse(text: &str) -> Result<Self, NetworkError> {
        let wrong = |why| NetworkError::Pool {
            pool: text.to_owned(),
            why,
        };
        let (address, bits) = text
            .split_once('/')
            .ok_or_else(|| wrong("it has no prefix"))?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong("not an IPv4 address"))?;
        let prefix_bits: u8 = bits
            .parse()
            .map_err(|_| wrong("the prefix is not a number"))?;
        // A larger pool would need longer interface names, a smaller one has no pair.
        if !(15..=31).contains(&prefix_bits) {
            return Err(wrong("the prefix must be 15 to 31"));
        }
        let first = u32::from(address);
        let len = 1_u32 << (32 - prefix_bits);
        if first & (len - 1) != 0 {
            return Err(wrong("the address has bits outside the prefix"));
        }
        if !address.is_private() {
            return Err(wrong("not a private network (RFC 1918)"));
        }
        Ok(Self {
            first,
            prefix_bits,
            pairs: Slots::new(len / 2),
        })
    }

    pub(super) fn take(&self) -> Result<Slot, NetworkError> {
        self.pairs.take().ok_or(NetworkError::NoAddress {
            limit: self.pairs.limit(),
        })
    }

    /// All of its addresses.
    pub(super) fn network(&self) -> Ipv4Network {
        Ipv4Network::new(Ipv4Addr::from(self.first), self.prefix_bits)
    }

    /// The host's and the sandbox's address of a pair.
    pub(super) fn pair(&self, number: u32) -> (Ipv4Addr, Ipv4Addr) {
        let host = self.first + 2 * number;
        (Ipv4Addr::from(host), Ipv4Addr::from(host + 1))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn pairs_are_within_the_pool_and_do_not_overlap() {
        let pool = Pool::parse("10.200.0.0/30").unwrap();
        let slots = [pool.take().unwrap(), pool.take().unwrap()];
        let pairs = slots.each_ref().map(|slot| pool.pair(slot.number()));
        let address = |last| Ipv4Addr::new(10, 200, 0, last);
        assert_eq!(pairs, [(address(0), address(1)), (address(2), address(3))]);
        assert!(matches!(
            pool.take(),
            Err(NetworkError::NoAddress { limit: 2 })
        ));
    }

    #[test]
    fn pool_that_is_not_a_private_network_is_refused() {
        for text in [
            "",
            "10.0.0.0",
            "8.8.8.0/24",
            "10.200.0.1/16",
            "10.0.0.0/8",
            "10.0.0.0/32",
        ] {
            assert!(
                matches!(Pool::parse(text), Err(NetworkError::Pool { .. })),
                "{text:?}"
            );
        }
    }
}
