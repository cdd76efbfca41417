//! The words of rules: what a packet is compared with, and what becomes of it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::RangeInclusive;

use nftables::expr::{
    CT, Expression, Fib, FibFlag, FibResult, Meta, MetaKey, NamedExpression, Payload, PayloadField,
    Prefix, Range, SetItem,
};
use nftables::stmt::{JumpTarget, Limit, Match, Operator, Statement, VerdictMap};

use super::destination::{Ipv4Network, Protocol, Service};
use super::nft::string;

/// Matches what exceeds a rate.
pub(super) fn over(rate: u32, unit: &'static str, burst: u32) -> Statement<'static> {
    Statement::Limit(Limit {
        rate,
        // Packets are the unit of a rate without one, which `nft` does not take by name.
        rate_unit: (unit == "bytes").then_some(Cow::Borrowed(unit)),
        per: Some(Cow::Borrowed("second")),
        burst: Some(burst),
        burst_unit: (unit == "bytes").then_some(Cow::Borrowed(unit)),
        inv: Some(true),
    })
}

pub(super) const ACCEPT: Statement<'static> = Statement::Accept(None);
pub(super) const DROP: Statement<'static> = Statement::Drop(None);

pub(super) fn goto(chain: &'static str) -> Statement<'static> {
    Statement::Goto(JumpTarget {
        target: Cow::Borrowed(chain),
    })
}

pub(super) fn matches(
    left: Expression<'static>,
    op: Operator,
    right: Expression<'static>,
) -> Statement<'static> {
    Statement::Match(Match { left, right, op })
}

pub(super) fn meta(key: MetaKey) -> Expression<'static> {
    Expression::Named(NamedExpression::Meta(Meta { key }))
}

pub(super) fn payload(protocol: &'static str, field: &'static str) -> Expression<'static> {
    let field = PayloadField {
        protocol: Cow::Borrowed(protocol),
        field: Cow::Borrowed(field),
    };
    Expression::Named(NamedExpression::Payload(Payload::PayloadField(field)))
}

pub(super) fn field(field: &'static str) -> Expression<'static> {
    payload("ip", field)
}

/// `local` for this host's own addresses; `of_link`: for those of the incoming interface only.
pub(super) fn type_of_destination(of_link: bool) -> Expression<'static> {
    let mut flags = HashSet::from([FibFlag::Daddr]);
    if of_link {
        flags.insert(FibFlag::Iif);
    }
    Expression::Named(NamedExpression::Fib(Fib {
        result: FibResult::Type,
        flags,
    }))
}

pub(super) fn by_link(key: MetaKey, map: &str) -> Statement<'static> {
    Statement::VerdictMap(VerdictMap {
        key: meta(key),
        data: string(&format!("@{map}")),
    })
}

pub(super) fn state(operator: Operator, states: &[&str]) -> Statement<'static> {
    let state = Expression::Named(NamedExpression::CT(CT {
        key: Cow::Borrowed("state"),
        family: None,
        dir: None,
    }));
    let states = states.iter().map(|state| string(state)).collect();
    matches(state, operator, Expression::List(states))
}

pub(super) fn established() -> Statement<'static> {
    state(Operator::IN, &["established", "related"])
}

pub(super) fn not_established() -> Statement<'static> {
    state(Operator::IN, &["invalid", "new", "untracked"])
}

pub(super) fn is_new() -> Statement<'static> {
    state(Operator::IN, &["new"])
}

pub(super) fn network(network: Ipv4Network) -> Expression<'static> {
    let first = network.first.to_string();
    match network.prefix_bits {
        32 => string(&first),
        bits => Expression::Named(NamedExpression::Prefix(Prefix {
            addr: Box::new(string(&first)),
            len: bits.into(),
        })),
    }
}

pub(super) fn to_one_of(networks: impl Iterator<Item = Ipv4Network>) -> Statement<'static> {
    let items = networks.map(|each| SetItem::Element(network(each)));
    let set = NamedExpression::Set(items.collect());
    matches(field("daddr"), Operator::EQ, Expression::Named(set))
}

pub(super) fn service(service: &Service) -> Vec<Statement<'static>> {
    let Service { protocol, ports } = service;
    let protocols = match protocol {
        Some(Protocol::Tcp) => string("tcp"),
        Some(Protocol::Udp) => string("udp"),
        None if ports.is_none() => return Vec::new(),
        None => {
            let both = ["tcp", "udp"].map(|name| SetItem::Element(string(name)));
            Expression::Named(NamedExpression::Set(both.to_vec()))
        }
    };
    let mut statements = vec![matches(meta(MetaKey::L4proto), Operator::EQ, protocols)];
    if let Some(ports) = ports {
        let port = payload("th", "dport");
        statements.push(matches(port, Operator::EQ, range(ports)));
    }
    statements
}

pub(super) fn range(ports: &RangeInclusive<u16>) -> Expression<'static> {
    let [first, last] = [*ports.start(), *ports.end()].map(|port| Expression::Number(port.into()));
    if first == last {
        return first;
    }
    Expression::Range(Box::new(Range {
        range: [first, last],
    }))
}
