//! One entry of a list of destinations.

use std::fmt;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::reserved;

/// Something that a sandbox may or may not reach: `TARGET[:PORT[-PORT]][/tcp|/udp]`.
///
/// The target is an IPv4 network (`192.0.2.0/24`), an address, a name (`example.com`), or all names
/// below one (`*.example.com`, which `example.com` itself is not). Without a port all of them are
/// meant, and without a protocol every one, or with a port TCP and UDP.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    pub(super) target: Target,
    pub(super) service: Service,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Target {
    Network(Ipv4Network),
    Name(NamePattern),
}

/// Which protocol and ports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Service {
    pub(super) protocol: Option<Protocol>,
    pub(super) ports: Option<RangeInclusive<u16>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

/// An IPv4 network; the bits after its prefix are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ipv4Network {
    pub(super) first: Ipv4Addr,
    pub(super) prefix_bits: u8,
}

/// A name, or all names below one; lower case, without a dot at its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct NamePattern {
    name: String,
    below: bool,
}

/// Why an entry is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DestinationError {
    /// Neither an IPv4 network nor a name of a host.
    #[error(
        "{text:?} is neither an IPv4 network such as 192.0.2.0/24 nor a name such as example.com or *.example.com"
    )]
    Target {
        /// The entry.
        text: String,
    },
    /// Bits after the prefix are set: one address of the network was meant, or the wrong prefix.
    #[error("{text:?} has bits set after its prefix")]
    HostBits {
        /// The entry.
        text: String,
    },
    /// IPv6: sandboxes have none.
    #[error("{text:?} is IPv6, which sandboxes do not have")]
    Ipv6 {
        /// The entry.
        text: String,
    },
    /// Not a port, or not a range of them.
    #[error("{text:?} has no port from 1 to 65535, nor a range of them such as 8000-8080")]
    Ports {
        /// The entry.
        text: String,
    },
    /// No sandbox reaches such addresses, so that allowing them would say something untrue.
    #[error("{text:?} is reserved ({what}): no sandbox can reach it")]
    Reserved {
        /// The entry.
        text: String,
        /// What is there.
        what: &'static str,
    },
}

impl Destination {
    pub(super) fn name(&self) -> Option<&NamePattern> {
        match &self.target {
            Target::Name(name) => Some(name),
            Target::Network(_) => None,
        }
    }

    pub(super) fn network(&self) -> Option<Ipv4Network> {
        match self.target {
            Target::Network(network) => Some(network),
            Target::Name(_) => None,
        }
    }

    pub(super) fn refuse_reserved(&self) -> Result<(), DestinationError> {
        match self.network().and_then(reserved::around) {
            None => Ok(()),
            Some(what) => Err(DestinationError::Reserved {
                text: self.to_string(),
                what,
            }),
        }
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.matches(':').count() > 1 {
            return Err(DestinationError::Ipv6 {
                text: text.to_owned(),
            });
        }
        let (rest, protocol) = match text.rsplit_once('/') {
            Some((rest, "tcp")) => (rest, Some(Protocol::Tcp)),
            Some((rest, "udp")) => (rest, Some(Protocol::Udp)),
            _ => (text, None),
        };
        let (target, ports) = match rest.split_once(':') {
            None => (rest, None),
            Some((target, ports)) => (target, Some(parse_ports(ports, text)?)),
        };
        Ok(Self {
            target: parse_target(target, text)?,
            service: Service { protocol, ports },
        })
    }
}

fn parse_ports(ports: &str, text: &str) -> Result<RangeInclusive<u16>, DestinationError> {
    let wrong = || DestinationError::Ports {
        text: text.to_owned(),
    };
    let port = |text: &str| match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(wrong()),
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let range = port(first)?..=port(last)?;
    if range.is_empty() {
        return Err(wrong());
    }
    Ok(range)
}

fn parse_target(target: &str, text: &str) -> Result<Target, DestinationError> {
    let wrong = || DestinationError::Target {
        text: text.to_owned(),
    };
    let (address, bits) = target.split_once('/').unwrap_or((target, "32"));
    if let Ok(address) = address.parse::<Ipv4Addr>() {
        let prefix_bits = bits.parse().ok().filter(|bits| *bits <= 32);
        let network = Ipv4Network::new(address, prefix_bits.ok_or_else(wrong)?);
        if network.first != address {
            return Err(DestinationError::HostBits {
                text: text.to_owned(),
            });
        }
        return Ok(Target::Network(network));
    }
    NamePattern::parse(target)
        .map(Target::Name)
        .ok_or_else(wrong)
}

impl Ipv4Network {
    pub(super) fn new(address: Ipv4Addr, prefix_bits: u8) -> Self {
        Self {
            first: Ipv4Addr::from_bits(address.to_bits() & mask(prefix_bits)),
            prefix_bits,
        }
    }

    pub(super) fn host(address: Ipv4Addr) -> Self {
        Self::new(address, 32)
    }

    /// Whether all of `other` is in it.
    pub(super) fn contains(self, other: Self) -> bool {
        other.prefix_bits >= self.prefix_bits
            && other.first.to_bits() & mask(self.prefix_bits) == self.first.to_bits()
    }
}

fn mask(prefix_bits: u8) -> u32 {
    u32::MAX
        .checked_shl(32 - u32::from(prefix_bits.min(32)))
        .unwrap_or(0)
}

impl NamePattern {
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (name, below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text.as_str(), false),
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        // No top-level domain is a number, and half an address is no name.
        let last = name.rsplit('.').next()?;
        let numeric = last.bytes().all(|byte| byte.is_ascii_digit());
        let good = name.len() <= 253 && !numeric && name.split('.').all(is_label);
        good.then(|| Self {
            name: name.to_owned(),
            below,
        })
    }

    /// Whether `name` is meant; lower case, without a dot at its end.
    pub(super) fn matches(&self, name: &str) -> bool {
        if !self.below {
            return name == self.name;
        }
        let labels = name.strip_suffix(&self.name);
        labels.is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
    }
}

/// One part of a name, as host names have it; `_` for services.
pub(super) fn is_label(label: &str) -> bool {
    let good = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
    };
    (1..=63).contains(&label.len()) && label.bytes().all(good)
}

impl fmt::Display for Destination {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Network(Ipv4Network {
                first,
                prefix_bits: 32,
            }) => write!(out, "{first}")?,
            Target::Network(network) => write!(out, "{}/{}", network.first, network.prefix_bits)?,
            Target::Name(NamePattern { name, below }) => {
                write!(out, "{}{name}", if *below { "*." } else { "" })?;
            }
        }
        match &self.service.ports {
            Some(ports) if ports.start() == ports.end() => write!(out, ":{}", ports.start())?,
            Some(ports) => write!(out, ":{}-{}", ports.start(), ports.end())?,
            None => {}
        }
        match self.service.protocol {
            Some(Protocol::Tcp) => out.write_str("/tcp"),
            Some(Protocol::Udp) => out.write_str("/udp"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn destination_reads_what_it_writes() {
        for text in [
            "192.0.2.0/24",
            "192.0.2.7",
            "0.0.0.0/0",
            "192.0.2.0/24:443",
            "192.0.2.0/24:8000-8080/udp",
            "192.0.2.7/tcp",
            "example.com",
            "*.example.com:443/tcp",
            "db",
            "_http._tcp.example.com",
        ] {
            let destination: Destination = text.parse().unwrap();
            assert_eq!(destination.to_string(), text);
        }
        let destination: Destination = "WWW.Example.COM.".parse().unwrap();
        assert_eq!(destination.to_string(), "www.example.com");
    }

    #[test]
    fn what_is_no_destination_is_refused_by_its_kind() {
        let refused = |text: &str| text.parse::<Destination>().unwrap_err();
        for text in [
            "",
            "*",
            "*.",
            "a..b",
            "a b",
            "ä.de",
            "10.0.0",
            "10.0.0.0/33",
            "10.0.0.0/x",
            "1.2.3",
            "*.*.com",
            "a.*.com",
            "http//a",
            "300.1.1.1",
            "-/tcp/udp",
        ] {
            let error = refused(text);
            assert!(
                matches!(error, DestinationError::Target { .. }),
                "{text:?}: {error:?}"
            );
        }
        for text in [
            "a:0", "a:", "a:70000", "a:9-8", "a:1-", "a:https", "a:1-2-3",
        ] {
            assert!(
                matches!(refused(text), DestinationError::Ports { .. }),
                "{text}"
            );
        }
        assert!(matches!(
            refused("10.0.0.1/8"),
            DestinationError::HostBits { .. }
        ));
        assert!(matches!(refused("::1"), DestinationError::Ipv6 { .. }));
    }

    #[test]
    fn pattern_below_a_name_has_neither_the_name_nor_its_namesakes() {
        let pattern = NamePattern::parse("*.example.com").unwrap();
        assert!(pattern.matches("a.example.com") && pattern.matches("a.b.example.com"));
        for name in ["example.com", "badexample.com", ".example.com", "com", ""] {
            assert!(!pattern.matches(name), "{name:?}");
        }
    }
}
