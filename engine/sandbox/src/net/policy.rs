//! What a sandbox may reach: nothing, or destinations outside the host, at a bounded pace.

use super::destination::{Destination, DestinationError, NamePattern};

/// The most destinations that one list may have.
pub const MAX_DESTINATIONS: usize = 256;
/// The slowest link that still carries a name server's answer in time.
const MIN_BITS_PER_SECOND: u64 = 64_000;
/// What nftables can count in 32 bits of bytes.
const MAX_BITS_PER_SECOND: u64 = 32_000_000_000;
const MAX_EVENTS_PER_SECOND: u32 = 100_000_000;

/// What a sandbox may reach of the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum NetworkPolicy {
    /// Nothing: the sandbox has a loopback interface only.
    #[default]
    None,
    /// Other machines, as far as the policy says.
    Egress(EgressPolicy),
}

/// Which other machines a sandbox may reach, and how fast.
///
/// Whatever the lists say, the host itself, its loopback, link-local and metadata addresses, and
/// other sandboxes are never reached. The default allows everything else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct EgressPolicy {
    /// What may be reached; if empty, everything that is not denied. Names can be resolved only if
    /// the list is empty or has them.
    pub allow: Vec<Destination>,
    /// What may not be reached, even if it is allowed. A name in it is not resolved; its addresses
    /// can still be reached if something else allows them.
    pub deny: Vec<Destination>,
    /// How much a sandbox may send and receive.
    pub rate: Option<RateLimit>,
}

/// Bounds of one sandbox's traffic. What exceeds one is dropped, as by a full link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// IP packets' bits, each direction for itself: 64,000 to 32,000,000,000.
    pub bits_per_second: Option<u64>,
    /// IP packets, each direction for itself.
    pub packets_per_second: Option<u32>,
    /// Connections that the sandbox opens (for UDP: flows).
    pub connections_per_second: Option<u32>,
}

/// Why a policy is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// An entry of a list cannot be understood or must not be there.
    #[error("{list} has an entry that cannot be used")]
    Destination {
        /// `allow` or `deny`.
        list: &'static str,
        /// What is wrong with it.
        #[source]
        source: DestinationError,
    },
    /// A list is too long.
    #[error("{list} has {len} entries, at most {MAX_DESTINATIONS} are possible")]
    TooMany {
        /// `allow` or `deny`.
        list: &'static str,
        /// How many it has.
        len: usize,
    },
    /// A bound of the rate is too low or too high.
    #[error("{what} must be from {min} to {max}, not {value}")]
    Rate {
        /// The field.
        what: &'static str,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
        /// As given.
        value: u64,
    },
    /// A rate limit without any bound.
    #[error("the rate limit limits nothing")]
    NoRate,
}

impl NetworkPolicy {
    /// Everything outside the host that is not forbidden to all sandboxes.
    pub fn everywhere() -> Self {
        Self::Egress(EgressPolicy::default())
    }

    /// Whether the sandbox needs a link to the outside.
    pub fn wants_egress(&self) -> bool {
        self.egress().is_some()
    }

    /// The policy of the link, if there shall be one.
    pub fn egress(&self) -> Option<&EgressPolicy> {
        match self {
            Self::None => None,
            Self::Egress(policy) => Some(policy),
        }
    }
}

impl EgressPolicy {
    /// A policy from its texts; see [`Destination`] for their form.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub fn parse<Text: AsRef<str>>(
        allow: &[Text],
        deny: &[Text],
        rate: Option<RateLimit>,
    ) -> Result<Self, PolicyError> {
        let policy = Self {
            allow: list("allow", allow)?,
            deny: list("deny", deny)?,
            rate,
        };
        policy.check()?;
        Ok(policy)
    }

    /// Whether it can be carried out.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub fn check(&self) -> Result<(), PolicyError> {
        for (list, entries) in [("allow", &self.allow), ("deny", &self.deny)] {
            let len = entries.len();
            if len > MAX_DESTINATIONS {
                return Err(PolicyError::TooMany { list, len });
            }
        }
        for entry in &self.allow {
            let usable = entry.refuse_reserved();
            usable.map_err(|source| PolicyError::Destination {
                list: "allow",
                source,
            })?;
        }
        self.rate.as_ref().map_or(Ok(()), RateLimit::check)
    }

    /// Whether a name may be resolved; lower case, without a dot at its end.
    pub(crate) fn permits_name(&self, name: &str) -> bool {
        let named = |list: &[Destination]| names(list).any(|pattern| pattern.matches(name));
        !named(&self.deny) && (self.allow.is_empty() || named(&self.allow))
    }
}

fn names(list: &[Destination]) -> impl Iterator<Item = &NamePattern> {
    list.iter().filter_map(Destination::name)
}

fn list<Text: AsRef<str>>(
    list: &'static str,
    texts: &[Text],
) -> Result<Vec<Destination>, PolicyError> {
    let parsed = texts.iter().map(|text| text.as_ref().parse());
    let parsed: Result<Vec<Destination>, DestinationError> = parsed.collect();
    parsed.map_err(|source| PolicyError::Destination { list, source })
}

impl RateLimit {
    fn check(&self) -> Result<(), PolicyError> {
        let most = u64::from(MAX_EVENTS_PER_SECOND);
        let bounds = [
            (
                "bits_per_second",
                self.bits_per_second,
                MIN_BITS_PER_SECOND,
                MAX_BITS_PER_SECOND,
            ),
            (
                "packets_per_second",
                self.packets_per_second.map(u64::from),
                1,
                most,
            ),
            (
                "connections_per_second",
                self.connections_per_second.map(u64::from),
                1,
                most,
            ),
        ];
        let mut limits_something = false;
        for (what, value, min, max) in bounds {
            let Some(value) = value else { continue };
            limits_something = true;
            if !(min..=max).contains(&value) {
                return Err(PolicyError::Rate {
                    what,
                    min,
                    max,
                    value,
                });
            }
        }
        if limits_something {
            Ok(())
        } else {
            Err(PolicyError::NoRate)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn policy(allow: &[&str], deny: &[&str]) -> EgressPolicy {
        EgressPolicy::parse(allow, deny, None).unwrap()
    }

    #[test]
    fn nothing_is_the_default_of_a_sandbox_and_everything_that_of_egress() {
        assert!(!NetworkPolicy::default().wants_egress());
        let everywhere = NetworkPolicy::everywhere();
        assert!(everywhere.egress().unwrap().permits_name("example.com"));
    }

    #[test]
    fn name_is_resolved_only_if_a_list_of_names_has_it() {
        let some = policy(&["example.com", "*.example.org"], &["bad.example.org"]);
        assert!(some.permits_name("example.com"));
        assert!(some.permits_name("a.b.example.org"));
        for name in [
            "example.org",
            "bad.example.org",
            "a.example.com",
            "xexample.com",
            "com",
        ] {
            assert!(!some.permits_name(name), "{name}");
        }
        // A list without names needs no resolver, and a query carries data out.
        assert!(!policy(&["192.0.2.0/24"], &[]).permits_name("example.com"));
        assert!(!policy(&[], &["example.com"]).permits_name("example.com"));
        assert!(policy(&[], &["example.com"]).permits_name("www.example.com"));
    }

    #[test]
    fn reserved_network_is_refused_in_the_list_of_allowed_ones_only() {
        let error = EgressPolicy::parse(&["169.254.169.254"], &[], None).unwrap_err();
        let PolicyError::Destination { list, source } = error else {
            panic!("{error:?}");
        };
        assert_eq!(list, "allow");
        assert!(
            matches!(source, DestinationError::Reserved { .. }),
            "{source:?}"
        );
        policy(&[], &["169.254.169.254"]);
        // Larger than a reserved one: what is reserved stays unreachable all the same.
        policy(&["0.0.0.0/0"], &[]);
    }

    #[test]
    fn lists_are_bounded() {
        let many = vec!["192.0.2.1"; MAX_DESTINATIONS + 1];
        assert_eq!(
            EgressPolicy::parse(&many, &[], None),
            Err(PolicyError::TooMany {
                list: "allow",
                len: MAX_DESTINATIONS + 1
            })
        );
        policy(&many[1..], &many[1..]);
    }

    #[test]
    fn rate_without_a_bound_or_beyond_what_can_be_kept_is_refused() {
        let with = |rate| EgressPolicy::parse::<&str>(&[], &[], Some(rate));
        assert_eq!(with(RateLimit::default()), Err(PolicyError::NoRate));
        let bits = |bits| RateLimit {
            bits_per_second: Some(bits),
            ..RateLimit::default()
        };
        for value in [0, MIN_BITS_PER_SECOND - 1, MAX_BITS_PER_SECOND + 1] {
            let error = with(bits(value)).unwrap_err();
            assert!(
                matches!(error, PolicyError::Rate { what: "bits_per_second", value: found, .. } if found == value)
            );
        }
        with(bits(MIN_BITS_PER_SECOND)).unwrap();
        let none = RateLimit {
            connections_per_second: Some(0),
            ..RateLimit::default()
        };
        assert!(matches!(with(none), Err(PolicyError::Rate { .. })));
    }
}
