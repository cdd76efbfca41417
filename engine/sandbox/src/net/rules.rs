//! The nftables table of a launcher.
//!
//! ```text
//! input   ──from a link──> inward:  port 53 of the link's own address ──┐   all else dropped
//! forward ──from a link──> outward: neither reserved nor a sandbox ─────┤   all else dropped
//!                                              map `links`: the link ───┘──> chain of its policy
//!         ──to a link────> backward: answers only, map `limited_links` ──> chain of its rate
//! postrouting: masquerade
//! ```
//!
//! The table is loaded once. A link that is not in `links` sends nothing and is sent nothing, since
//! no connection of it was ever let through; one element in that map gives it a policy. Links of
//! one policy share a chain, unless it has a rate limit, which counts for each link by itself.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::Ipv4Addr;

use nftables::expr::{Expression, MetaKey, NamedExpression};
use nftables::schema::{Set, SetFlag, SetType, SetTypeValue};
use nftables::stmt::{Operator, Statement};
use nftables::types::{NfChainType, NfHook};

use super::destination::{Destination, Ipv4Network, Service};
use super::link_prefix;
use super::nft::{Nft, Transaction, pair, string};
use super::policy::{EgressPolicy, RateLimit};
use super::reserved;
use super::words::{
    ACCEPT, DROP, by_link, established, field, goto, is_new, matches, meta, network,
    not_established, over, service, to_one_of, type_of_destination,
};
use crate::error::NetworkError;

/// Where a link's packets are judged.
pub(super) const LINKS: &str = "links";
/// Where packets to a link are counted, for those with a rate limit.
pub(super) const LIMITED_LINKS: &str = "limited_links";
/// A burst that a link may always send at once; packets of up to 64 KiB go through it in one piece.
const MIN_BURST_BYTES: u32 = 256 << 10;

pub(super) fn table_name(tag: &str) -> String {
    format!("offshoot_{tag}")
}

/// The table with no policy in it, in place of one that is there.
pub(super) fn base(tag: &str, pool: Ipv4Network) -> Transaction {
    let links = string(&format!("{}*", link_prefix(tag)));
    let from_link = || matches(meta(MetaKey::Iifname), Operator::EQ, links.clone());
    let to_link = |operator| matches(meta(MetaKey::Oifname), operator, links.clone());
    let ipv6 = || matches(meta(MetaKey::Nfproto), Operator::EQ, string("ipv6"));
    let mut it = Transaction::on(&table_name(tag));
    it.add_table();
    it.delete_table();
    it.add_table();
    it.add_chain_of_interface(LINKS);
    it.add_chain_of_interface(LIMITED_LINKS);
    for chain in ["inward", "outward", "backward"] {
        it.add_chain(chain);
    }
    // To the host: nothing but the resolver, at the link's own address.
    it.add_rule("inward", vec![ipv6(), DROP]);
    let own = matches(type_of_destination(true), Operator::NEQ, string("local"));
    it.add_rule("inward", vec![own, DROP]);
    let dns = Service {
        protocol: None,
        ports: Some(53..=53),
    };
    let mut resolver = service(&dns);
    resolver.push(by_link(MetaKey::Iifname, LINKS));
    it.add_rule("inward", resolver);
    it.add_rule("inward", vec![DROP]);
    // To the outside: not each other, from no other address than the pool's, no IPv6 at all.
    it.add_rule("outward", vec![ipv6(), DROP]);
    let foreign = matches(field("saddr"), Operator::NEQ, network(pool));
    it.add_rule("outward", vec![foreign, DROP]);
    let reserved = reserved::ranges().chain([pool]);
    it.add_rule("outward", vec![to_one_of(reserved), DROP]);
    it.add_rule("outward", vec![by_link(MetaKey::Iifname, LINKS)]);
    it.add_rule("outward", vec![DROP]);
    // Nobody outside opens a connection to a sandbox.
    it.add_rule("backward", vec![from_link(), DROP]);
    it.add_rule("backward", vec![not_established(), DROP]);
    it.add_rule("backward", vec![by_link(MetaKey::Oifname, LIMITED_LINKS)]);
    it.add_rule("backward", vec![ACCEPT]);

    it.add_base_chain(NfChainType::Filter, NfHook::Input, 0);
    it.add_rule("input", vec![from_link(), goto("inward")]);
    it.add_base_chain(NfChainType::Filter, NfHook::Forward, 0);
    it.add_rule("forward", vec![to_link(Operator::EQ), goto("backward")]);
    it.add_rule("forward", vec![from_link(), goto("outward")]);
    // Outside, sandboxes appear as the host. 100 is the priority `srcnat`.
    it.add_base_chain(NfChainType::NAT, NfHook::Postrouting, 100);
    let ours = matches(field("saddr"), Operator::EQ, network(pool));
    let masquerade = Statement::Masquerade(None);
    it.add_rule(
        "postrouting",
        vec![ours, to_link(Operator::NEQ), masquerade],
    );
    it
}

/// Removes the table; whether there was one.
pub(crate) fn remove_table(nft: &Nft, tag: &str) -> Result<bool, NetworkError> {
    let table = table_name(tag);
    if !nft.has_table(&table)? {
        return Ok(false);
    }
    let mut it = Transaction::on(&table);
    // Adding first makes the deletion succeed if another has just removed it.
    it.add_table();
    it.delete_table();
    nft.run(&it).map(|()| true)
}

/// What the chain, sets and limits of a policy are called: `number` is unique in the launcher.
#[derive(Debug, Clone)]
pub(super) struct Names {
    number: u64,
}

impl Names {
    pub(super) fn new(number: u64) -> Self {
        Self { number }
    }

    pub(super) fn chain(&self) -> String {
        format!("policy_{}", self.number)
    }

    fn back_chain(&self) -> String {
        format!("back_{}", self.number)
    }

    /// The set of the addresses of names that the policy allows with one service.
    pub(super) fn set(&self, service: usize) -> String {
        format!("names_{}_{service}", self.number)
    }
}

/// The services with which a policy allows names, each once; a set of addresses belongs to each.
pub(super) fn services_of_names(policy: &EgressPolicy) -> Vec<&Service> {
    let mut services: Vec<&Service> = Vec::new();
    for destination in policy.allow.iter().filter(|entry| entry.name().is_some()) {
        if !services.contains(&&destination.service) {
            services.push(&destination.service);
        }
    }
    services
}

/// Adds the chain of a policy.
pub(super) fn add_policy(it: &mut Transaction, names: &Names, policy: &EgressPolicy) {
    let chain = names.chain();
    let services = services_of_names(policy);
    for number in 0..services.len() {
        it.add_set(Set {
            name: Cow::Owned(names.set(number)),
            set_type: SetTypeValue::Concatenated(Cow::Borrowed(&[
                SetType::Ifname,
                SetType::Ipv4Addr,
            ])),
            flags: Some(HashSet::from([SetFlag::Timeout])),
            ..Set::default()
        });
    }
    it.add_chain(&chain);
    if let Some(rate) = &policy.rate {
        if let Some(connections) = rate.connections_per_second {
            let limit = over(connections, "packets", connections);
            it.add_rule(&chain, vec![is_new(), limit, DROP]);
        }
        limit_traffic(it, &chain, rate);
    }
    // Of what is for this host, only the resolver's comes here.
    let local = matches(type_of_destination(false), Operator::EQ, string("local"));
    it.add_rule(&chain, vec![local, ACCEPT]);
    it.add_rule(&chain, vec![established(), ACCEPT]);
    for entry in &policy.deny {
        add_network(it, &chain, entry, DROP);
    }
    if policy.allow.is_empty() {
        it.add_rule(&chain, vec![ACCEPT]);
    }
    for entry in &policy.allow {
        add_network(it, &chain, entry, ACCEPT);
    }
    for (number, of_service) in services.into_iter().enumerate() {
        let key = NamedExpression::Concat(vec![meta(MetaKey::Iifname), field("daddr")]);
        let set = string(&format!("@{}", names.set(number)));
        let mut rule = vec![matches(Expression::Named(key), Operator::EQ, set)];
        rule.extend(service(of_service));
        rule.push(ACCEPT);
        it.add_rule(&chain, rule);
    }
    it.add_rule(&chain, vec![DROP]);
    if let Some(rate) = &policy.rate {
        let back = names.back_chain();
        it.add_chain(&back);
        limit_traffic(it, &back, rate);
        it.add_rule(&back, vec![ACCEPT]);
    }
}

/// Gives a link the policy.
pub(super) fn add_link(it: &mut Transaction, names: &Names, policy: &EgressPolicy, link: &str) {
    it.lead(LINKS, link, &names.chain());
    if policy.rate.is_some() {
        it.lead(LIMITED_LINKS, link, &names.back_chain());
    }
}

/// Takes the policy from a link.
pub(super) fn delete_link(it: &mut Transaction, policy: &EgressPolicy, link: &str) {
    it.delete_element(LINKS, string(link));
    if policy.rate.is_some() {
        it.delete_element(LIMITED_LINKS, string(link));
    }
}

/// Removes what [`add_policy`] added.
pub(super) fn delete_policy(it: &mut Transaction, names: &Names, policy: &EgressPolicy) {
    it.delete_chain(&names.chain());
    if policy.rate.is_some() {
        it.delete_chain(&names.back_chain());
    }
    for number in 0..services_of_names(policy).len() {
        it.delete_set(&names.set(number));
    }
}

/// Lets a link reach an address for a time, whether or not it could before.
pub(super) fn add_address(
    it: &mut Transaction,
    set: &str,
    link: &str,
    address: Ipv4Addr,
    seconds: u32,
) {
    // An element that is there would keep its old time, and one that is not could not be deleted.
    delete_address(it, set, link, address);
    let element = nftables::expr::Elem {
        val: Box::new(pair(link, &address.to_string())),
        timeout: Some(seconds),
        ..nftables::expr::Elem::default()
    };
    it.add_element(set, Expression::Named(NamedExpression::Elem(element)));
}

/// The opposite; an address that is not there is fine.
pub(super) fn delete_address(it: &mut Transaction, set: &str, link: &str, address: Ipv4Addr) {
    let element = pair(link, &address.to_string());
    it.add_element(set, element.clone());
    it.delete_element(set, element);
}

fn add_network(
    it: &mut Transaction,
    chain: &str,
    entry: &Destination,
    verdict: Statement<'static>,
) {
    let Some(target) = entry.network() else {
        return;
    };
    let mut rule = Vec::new();
    if target.prefix_bits > 0 {
        rule.push(matches(field("daddr"), Operator::EQ, network(target)));
    }
    rule.extend(service(&entry.service));
    rule.push(verdict);
    it.add_rule(chain, rule);
}

fn limit_traffic(it: &mut Transaction, chain: &str, rate: &RateLimit) {
    if let Some(packets) = rate.packets_per_second {
        it.add_rule(chain, vec![over(packets, "packets", packets), DROP]);
    }
    if let Some(bits) = rate.bits_per_second {
        let bytes = u32::try_from(bits / 8).unwrap_or(u32::MAX);
        let burst = (bytes / 8).max(MIN_BURST_BYTES);
        it.add_rule(chain, vec![over(bytes, "bytes", burst), DROP]);
    }
}
