//! Which link has which policy, and the table's part of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::Link;
use super::conntrack;
use super::destination::Ipv4Network;
use super::nft::{Nft, Transaction};
use super::policy::EgressPolicy;
use super::reserved;
use super::resolver::{Gate, Resolver, Setting};
use super::rules::{self, Names};
use crate::error::NetworkError;

/// The policies of a launcher's links.
///
/// A change of a link holds the link's own lock until the kernel has it, in a task of its own: a
/// caller that goes away leaves no half of it. A removal waits in the kernel for all processors to
/// have seen it, some 20 ms, and holds nothing else meanwhile, so that no start waits for it.
#[derive(Debug)]
pub(super) struct Permits {
    nft: Nft,
    table: String,
    pool: Ipv4Network,
    servers: Arc<[IpAddr]>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Numbers are not used twice.
    next_number: u64,
    /// The chains that links without a rate limit share.
    shared: HashMap<EgressPolicy, Shared>,
    links: HashMap<String, Entry>,
}

#[derive(Debug)]
enum Entry {
    Permitted(Permit),
    /// The kernel has refused to remove its policy: to be tried again.
    Leaving(Permit),
}

#[derive(Debug)]
struct Shared {
    names: Names,
    links: usize,
}

#[derive(Debug)]
struct Permit {
    policy: EgressPolicy,
    names: Names,
    resolver: Resolver,
}

impl Permits {
    pub(super) fn new(nft: Nft, table: String, pool: Ipv4Network, servers: Arc<[IpAddr]>) -> Self {
        Self {
            nft,
            table,
            pool,
            servers,
            state: Mutex::default(),
        }
    }

    /// Gives a link a policy, in place of one that it has.
    pub(super) async fn permit(
        self: &Arc<Self>,
        link: &Link,
        policy: &EgressPolicy,
    ) -> Result<(), NetworkError> {
        self.check(policy)?;
        let changing = Arc::clone(&link.changing).lock_owned().await;
        let known = match self.state.lock().await.links.get(&link.name) {
            Some(Entry::Permitted(permit)) => permit.policy == *policy,
            _ => false,
        };
        if known {
            return Ok(());
        }
        let setting = Setting {
            host: link.gateway(),
            sandbox: link.inside_address(),
            pool: self.pool,
            servers: Arc::clone(&self.servers),
        };
        let (me, name, policy) = (Arc::clone(self), link.name.clone(), policy.clone());
        finish(tokio::spawn(async move {
            let _changing = changing;
            me.take_back(&name).await?;
            me.give(name, policy, setting).await
        }))
        .await
    }

    /// Takes a link's policy, and what the kernel remembers of its connections.
    pub(super) async fn withdraw(self: &Arc<Self>, link: &Link) -> Result<(), NetworkError> {
        let changing = Arc::clone(&link.changing).lock_owned().await;
        if !self.state.lock().await.links.contains_key(&link.name) {
            return Ok(());
        }
        let (me, name, address) = (Arc::clone(self), link.name.clone(), link.inside_address());
        finish(tokio::spawn(async move {
            let _changing = changing;
            me.take_back(&name).await?;
            let forgotten = tokio::task::spawn_blocking(move || conntrack::forget(address)).await;
            forgotten
                .map_err(stopped)?
                .map_err(|source| NetworkError::Forget { address, source })
        }))
        .await
    }

    fn check(&self, policy: &EgressPolicy) -> Result<(), NetworkError> {
        policy.check()?;
        for entry in &policy.allow {
            let Some(network) = entry.network() else {
                continue;
            };
            let what = if self.pool.contains(network) {
                "an address of other sandboxes"
            } else if network.prefix_bits == 32 && reserved::is_own(network.first) {
                "an address of this host"
            } else {
                continue;
            };
            return Err(NetworkError::Forbidden {
                destination: entry.to_string(),
                what,
            });
        }
        Ok(())
    }

    async fn give(
        &self,
        link: String,
        policy: EgressPolicy,
        setting: Setting,
    ) -> Result<(), NetworkError> {
        // Held until the chain is there, so that the next link of the policy finds it.
        let mut state = self.state.lock().await;
        let mut it = Transaction::on(&self.table);
        let known = state.shared.get(&policy).map(|shared| shared.names.clone());
        let names = match known {
            Some(names) => names,
            None => {
                let names = Names::new(state.next_number);
                state.next_number += 1;
                rules::add_policy(&mut it, &names, &policy);
                names
            }
        };
        rules::add_link(&mut it, &names, &policy, &link);
        let sets = (0..rules::services_of_names(&policy).len()).map(|number| names.set(number));
        let (nft, table) = (self.nft.clone(), self.table.clone());
        let gate = Gate::new(nft, table, link.clone(), sets.collect());
        let resolver = Resolver::start(setting, policy.clone(), gate).await?;
        self.run(it).await?;
        if policy.rate.is_none() {
            let fresh = || Shared {
                names: names.clone(),
                links: 0,
            };
            let shared = state.shared.entry(policy.clone());
            shared.or_insert_with(fresh).links += 1;
        }
        let permit = Permit {
            policy,
            names,
            resolver,
        };
        state.links.insert(link, Entry::Permitted(permit));
        Ok(())
    }

    /// Removes a link's policy if it has one. On failure it may have it still, but no name server,
    /// and the next call tries again.
    async fn take_back(&self, link: &str) -> Result<(), NetworkError> {
        let entry = self.state.lock().await.links.remove(link);
        let Some(Entry::Permitted(mut permit) | Entry::Leaving(mut permit)) = entry else {
            return Ok(());
        };
        permit.resolver.stop().await;
        let Permit { policy, names, .. } = &permit;
        let mut removal = Transaction::on(&self.table);
        rules::delete_link(&mut removal, policy, link);
        let gate = Arc::clone(&permit.resolver.gate);
        let mut after = Transaction::on(&self.table);
        if policy.rate.is_some() {
            rules::delete_policy(&mut after, names, policy);
        }
        let closed = tokio::task::spawn_blocking(move || gate.close(removal, after)).await;
        if let Err(error) = closed.map_err(stopped).and_then(|closed| closed) {
            let entry = Entry::Leaving(permit);
            self.state.lock().await.links.insert(link.to_owned(), entry);
            return Err(error);
        }
        if permit.policy.rate.is_some() {
            return Ok(());
        }
        self.leave(permit).await
    }

    /// Removes the shared chain with its last link.
    async fn leave(&self, permit: Permit) -> Result<(), NetworkError> {
        let Permit { policy, names, .. } = permit;
        {
            let mut state = self.state.lock().await;
            if let Some(shared) = state.shared.get_mut(&policy) {
                shared.links -= 1;
                if shared.links > 0 {
                    return Ok(());
                }
            }
            // From now on nobody finds it: the next link of the policy makes another one.
            state.shared.remove(&policy);
        }
        let mut removal = Transaction::on(&self.table);
        rules::delete_policy(&mut removal, &names, &policy);
        self.run(removal).await
    }

    async fn run(&self, it: Transaction) -> Result<(), NetworkError> {
        let nft = self.nft.clone();
        let ran = tokio::task::spawn_blocking(move || nft.run(&it)).await;
        ran.map_err(stopped)?
    }
}

async fn finish(
    task: tokio::task::JoinHandle<Result<(), NetworkError>>,
) -> Result<(), NetworkError> {
    task.await.map_err(stopped)?
}

/// The runtime is ending, and with it everything.
fn stopped(error: tokio::task::JoinError) -> NetworkError {
    NetworkError::Rules {
        message: error.to_string(),
    }
}
