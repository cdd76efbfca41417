//! One question, answered or refused.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::super::destination::{Ipv4Network, is_label};
use super::super::reserved;
use super::super::rules::services_of_names;
use super::gate::MAX_LIFE_S;
use super::upstream::{Transport, ask};
use super::{Desk, MAX_QUESTION_BYTES};

/// The reply to a question, or none to what is none.
pub(super) async fn answer(desk: &Desk, bytes: &[u8], transport: Transport) -> Option<Vec<u8>> {
    let question = Message::from_vec(bytes).ok()?;
    if question.metadata.message_type != MessageType::Query {
        return None;
    }
    let reply = reply(desk, &question, transport).await;
    let bytes = reply.to_vec().ok()?;
    let limit = match transport {
        Transport::Tcp => usize::from(u16::MAX),
        Transport::Udp => usize::from(question.max_payload()).min(MAX_QUESTION_BYTES),
    };
    if bytes.len() <= limit {
        return Some(bytes);
    }
    // The sandbox asks again by TCP.
    reply.truncate().to_vec().ok()
}

async fn reply(desk: &Desk, question: &Message, transport: Transport) -> Message {
    if question.metadata.op_code != OpCode::Query {
        return empty(question, ResponseCode::NotImp);
    }
    let [query] = question.queries.as_slice() else {
        return empty(question, ResponseCode::FormErr);
    };
    let name = host_name(query.name());
    let Some(name) = name.filter(|name| desk.policy.permits_name(name)) else {
        return empty(question, ResponseCode::Refused);
    };
    match query.query_type() {
        // Sandboxes have no IPv6, and addresses in service hints are not let through.
        RecordType::AAAA | RecordType::HTTPS | RecordType::SVCB => {
            return empty(question, ResponseCode::NoError);
        }
        kind if !is_passed_on(kind) || query.query_class() != DNSClass::IN => {
            return empty(question, ResponseCode::NotImp);
        }
        _ => {}
    }
    match ask(&desk.servers, query, transport).await {
        Ok(upstream) => relay(desk, question, query, &name, upstream).await,
        Err(error) => {
            tracing::debug!(%error, "no name server has answered");
            empty(question, ResponseCode::ServFail)
        }
    }
}

/// What a program needs to find a service; no zone transfers, no signatures, nothing obscure.
fn is_passed_on(kind: RecordType) -> bool {
    use RecordType::{A, CAA, CNAME, MX, NS, PTR, SOA, SRV, TXT};
    matches!(kind, A | CNAME | TXT | MX | NS | SRV | PTR | SOA | CAA)
}

/// The answer of a name server, without what does not belong to the question or must not be told.
async fn relay(
    desk: &Desk,
    question: &Message,
    query: &Query,
    name: &str,
    upstream: Message,
) -> Message {
    let mut reply = empty(question, upstream.metadata.response_code);
    reply.metadata.truncation = upstream.metadata.truncation;
    if upstream.metadata.truncation {
        return reply;
    }
    let is_soa = |record: &Record| record.record_type() == RecordType::SOA;
    let authorities = upstream.authorities.into_iter().filter(is_soa).take(1);
    reply.add_authorities(authorities);
    reply.add_answers(belonging(query, upstream.answers));
    let had_answers = !reply.answers.is_empty();
    reply
        .answers
        .retain(|record| !is_forbidden(record, desk.pool));
    if had_answers && reply.answers.is_empty() {
        // A name that means this host or its neighbours is an attack or a mistake (DNS rebinding).
        tracing::debug!(name, "an answer with reserved addresses was dropped");
        return empty(question, ResponseCode::Refused);
    }
    for record in &mut reply.answers {
        record.ttl = record.ttl.min(MAX_LIFE_S);
    }
    let addresses = reply.answers.iter().filter_map(address);
    let admitted = desk
        .gate
        .admit(services(desk, name), addresses.collect())
        .await;
    match admitted {
        Ok(()) => reply,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, name, "cannot let the addresses of a name through");
            empty(question, ResponseCode::ServFail)
        }
    }
}

/// The records of the name that was asked for, and of those that it is an alias of.
fn belonging(query: &Query, answers: Vec<Record>) -> Vec<Record> {
    let mut names = HashSet::from([query.name().to_lowercase()]);
    let mut kept = Vec::new();
    // Aliases come in their order; what is out of it could be anybody's.
    for record in answers {
        let asked_for = record.record_type() == query.query_type();
        if record.dns_class != DNSClass::IN || !names.contains(&record.name.to_lowercase()) {
            continue;
        }
        if let RData::CNAME(alias) = &record.data {
            names.insert(alias.0.to_lowercase());
        } else if !asked_for {
            continue;
        }
        kept.push(record);
    }
    kept
}

fn is_forbidden(record: &Record, pool: Ipv4Network) -> bool {
    address(record).is_some_and(|(address, _)| {
        let host = Ipv4Network::host(address);
        reserved::around(host).is_some() || pool.contains(host) || reserved::is_own(address)
    })
}

fn address(record: &Record) -> Option<(Ipv4Addr, u32)> {
    match &record.data {
        RData::A(address) => Some((address.0, record.ttl)),
        _ => None,
    }
}

/// The services with which the policy allows a name, by their number.
fn services(desk: &Desk, name: &str) -> Vec<usize> {
    let services = services_of_names(&desk.policy);
    let entries = desk.policy.allow.iter().filter(|entry| {
        let pattern = entry.name();
        pattern.is_some_and(|pattern| pattern.matches(name))
    });
    let numbers = entries.filter_map(|entry| {
        services
            .iter()
            .position(|service| **service == entry.service)
    });
    let numbers: HashSet<usize> = numbers.collect();
    numbers.into_iter().collect()
}

/// The name in lower case without a dot at its end, if it is one that a policy could mean.
fn host_name(name: &Name) -> Option<String> {
    let labels: Option<Vec<String>> = name
        .iter()
        .map(|label| {
            let label = std::str::from_utf8(label).ok()?.to_ascii_lowercase();
            is_label(&label).then_some(label)
        })
        .collect();
    labels
        .map(|labels| labels.join("."))
        .filter(|name| !name.is_empty())
}

/// A reply without records.
fn empty(question: &Message, code: ResponseCode) -> Message {
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    reply.metadata.response_code = code;
    reply.metadata.recursion_desired = question.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.add_queries(question.queries.iter().cloned());
    if question.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(MAX_QUESTION_BYTES as u16);
        reply.set_edns(edns);
    }
    reply
}
