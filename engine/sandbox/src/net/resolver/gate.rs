//! The addresses of names that a link may reach, and until when.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::super::nft::{Nft, Transaction};
use super::super::rules;
use crate::error::NetworkError;

/// An address is let through at least so long, so that it can be used after it was told.
const MIN_LIFE_S: u32 = 15;
/// And at most so long after it was last told.
pub(super) const MAX_LIFE_S: u32 = 3600;
/// More addresses than this are not let through at once: a zone could fill the kernel's memory.
const MAX_ADDRESSES: usize = 1024;

/// The sets of one link's addresses.
#[derive(Debug)]
pub(in super::super) struct Gate {
    nft: Nft,
    table: String,
    link: String,
    /// The names of the policy's sets, in the order of its services.
    sets: Vec<String>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// No more additions: the link has lost its policy.
    closed: bool,
    until: HashMap<(usize, Ipv4Addr), Instant>,
}

impl Gate {
    pub(in super::super) fn new(nft: Nft, table: String, link: String, sets: Vec<String>) -> Self {
        Self {
            nft,
            table,
            link,
            sets,
            state: Mutex::default(),
        }
    }

    /// Lets addresses through to some services. Returns when the kernel knows; what it has known
    /// long enough costs nothing.
    pub(super) async fn admit(
        self: &Arc<Self>,
        services: Vec<usize>,
        addresses: Vec<(Ipv4Addr, u32)>,
    ) -> Result<(), NetworkError> {
        if services.is_empty() || addresses.is_empty() {
            return Ok(());
        }
        let gate = Arc::clone(self);
        let admitted = tokio::task::spawn_blocking(move || gate.admit_now(&services, &addresses));
        admitted.await.map_err(|error| NetworkError::Rules {
            message: error.to_string(),
        })?
    }

    fn admit_now(
        &self,
        services: &[usize],
        addresses: &[(Ipv4Addr, u32)],
    ) -> Result<(), NetworkError> {
        // Held while `nft` runs: an addition must not come after the end.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(NetworkError::Rules {
                message: "the link has lost its policy".into(),
            });
        }
        let now = Instant::now();
        state.until.retain(|_, until| *until > now);
        let mut it = Transaction::on(&self.table);
        let mut added = Vec::new();
        for &service in services {
            let Some(set) = self.sets.get(service) else {
                continue;
            };
            for &(address, ttl_s) in addresses {
                let life_s = ttl_s.clamp(MIN_LIFE_S, MAX_LIFE_S);
                let key = (service, address);
                let known = state.until.get(&key);
                // Twice its time to live, so that it is added once in that time and not for each answer.
                if known.is_some_and(|until| *until >= now + seconds(life_s)) {
                    continue;
                }
                if known.is_none() && state.until.len() + added.len() >= MAX_ADDRESSES {
                    continue;
                }
                rules::add_address(&mut it, set, &self.link, address, 2 * life_s);
                added.push((key, now + seconds(2 * life_s)));
            }
        }
        if added.is_empty() {
            return Ok(());
        }
        self.nft.run(&it)?;
        state.until.extend(added);
        Ok(())
    }

    /// Runs a transaction that ends with the removal of all that is let through and what `after`
    /// says, and lets nothing through any more. Blocks.
    pub(in super::super) fn close(
        &self,
        mut it: Transaction,
        after: Transaction,
    ) -> Result<(), NetworkError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        let now = Instant::now();
        // The kernel's clock and ours need not agree to the millisecond.
        let kept = |until: &Instant| *until + Duration::from_secs(1) > now;
        for ((service, address), _) in state.until.iter().filter(|(_, until)| kept(until)) {
            if let Some(set) = self.sets.get(*service) {
                rules::delete_address(&mut it, set, &self.link, *address);
            }
        }
        it.append(after);
        self.nft.run(&it)?;
        state.until.clear();
        Ok(())
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
