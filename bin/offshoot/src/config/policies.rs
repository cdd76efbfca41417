//! Network policies of functions: `[network.functions]`.

use std::collections::BTreeMap;
use std::error::Error;

use offshoot_sandbox::{EgressPolicy, NetworkPolicy, RateLimit};
use toml::de::{DeArray, DeTable, DeValue};

use super::value::{Fault, Value};
use crate::nearest::nearest;

const KEYS: [&str; 5] = [
    "allow",
    "deny",
    "bits_per_second",
    "packets_per_second",
    "connections_per_second",
];

/// Policies as the environment has them: an inline table of TOML.
pub fn of_text(text: &str) -> Result<Value, Fault> {
    if text.trim().is_empty() {
        return Ok(Value::Policies(BTreeMap::new()));
    }
    let document = format!("functions = {text}");
    let broken = || Fault::new("must be a table of TOML, such as { mailer = \"everywhere\" }");
    let table = DeTable::parse(&document).map_err(|_| broken())?;
    let mut values = table.get_ref().iter();
    // Text with line feeds in it could hold more than the one value.
    match (values.next(), values.next()) {
        (Some((_, value)), None) => match value.get_ref() {
            DeValue::Table(table) => of_table(table),
            _ => Err(broken()),
        },
        _ => Err(broken()),
    }
}

/// Policies by the function's name.
pub fn of_table(table: &DeTable<'_>) -> Result<Value, Fault> {
    let mut policies = BTreeMap::new();
    for (name, value) in table {
        let name = name.get_ref().as_ref();
        let named = |fault: Fault| Fault {
            problem: format!("has for {name} a policy that {}", fault.problem),
            ..fault
        };
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
            return Err(Fault::new(format!(
                "has {name:?}, which cannot be a function's name"
            )));
        }
        policies.insert(name.to_owned(), policy(value.get_ref()).map_err(named)?);
    }
    Ok(Value::Policies(policies))
}

fn policy(value: &DeValue<'_>) -> Result<NetworkPolicy, Fault> {
    match value {
        DeValue::String(word) => match word.as_ref() {
            "none" => Ok(NetworkPolicy::None),
            "everywhere" => Ok(NetworkPolicy::everywhere()),
            other => Err(Fault::new(format!(
                "must be \"none\", \"everywhere\" or a table, not {other:?}"
            ))),
        },
        DeValue::Table(table) => egress(table),
        _ => Err(Fault::new("must be \"none\", \"everywhere\" or a table")),
    }
}

fn egress(table: &DeTable<'_>) -> Result<NetworkPolicy, Fault> {
    let (mut allow, mut deny) = (Vec::new(), Vec::new());
    let mut rate = RateLimit::default();
    for (name, value) in table {
        let value = value.get_ref();
        match name.get_ref().as_ref() {
            "allow" => allow = texts("allow", value)?,
            "deny" => deny = texts("deny", value)?,
            "bits_per_second" => rate.bits_per_second = Some(whole(value)?),
            "packets_per_second" => rate.packets_per_second = Some(count(value)?),
            "connections_per_second" => rate.connections_per_second = Some(count(value)?),
            other => {
                let fault = Fault::new(format!("has the unknown key {other}"));
                return Err(match nearest(other, KEYS) {
                    Some(near) => fault.suggest(format!("did you mean {near}?")),
                    None => fault,
                });
            }
        }
    }
    // An empty list means everything, which must not be what is left of a list by mistake.
    if table.iter().any(|(name, _)| name.get_ref() == "allow") && allow.is_empty() {
        return Err(Fault::new("allows nothing").suggest("write \"none\" instead"));
    }
    let rate = (rate != RateLimit::default()).then_some(rate);
    let policy = EgressPolicy::parse(&allow, &deny, rate).map_err(|error| {
        let mut problem = format!("cannot be used: {error}");
        let mut source = error.source();
        while let Some(deeper) = source {
            problem = format!("{problem}: {deeper}");
            source = deeper.source();
        }
        Fault::new(problem)
    })?;
    Ok(NetworkPolicy::Egress(policy))
}

fn texts(list: &str, value: &DeValue<'_>) -> Result<Vec<String>, Fault> {
    let wrong = || {
        Fault::new(format!(
            "has no list of strings as {list}, such as [\"192.0.2.0/24:443\", \"*.example.com\"]"
        ))
    };
    let text = |entry: &DeValue<'_>| match entry {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        _ => Err(wrong()),
    };
    match value {
        DeValue::Array(entries) => strings(entries, text),
        _ => Err(wrong()),
    }
}

fn strings(
    entries: &DeArray<'_>,
    text: impl Fn(&DeValue<'_>) -> Result<String, Fault>,
) -> Result<Vec<String>, Fault> {
    entries.iter().map(|entry| text(entry.get_ref())).collect()
}

fn whole(value: &DeValue<'_>) -> Result<u64, Fault> {
    super::read::whole(value)
}

fn count(value: &DeValue<'_>) -> Result<u32, Fault> {
    let number = whole(value)?;
    u32::try_from(number)
        .map_err(|_| Fault::new(format!("has the number {number}, which is too large")))
}

/// As they would stand in a file.
pub fn shown(policies: &BTreeMap<String, NetworkPolicy>) -> serde_json::Value {
    let rows = policies
        .iter()
        .map(|(name, policy)| (name.clone(), shown_policy(policy)));
    rows.collect::<serde_json::Map<_, _>>().into()
}

fn shown_policy(policy: &NetworkPolicy) -> serde_json::Value {
    let Some(policy) = policy.egress() else {
        return "none".into();
    };
    if *policy == EgressPolicy::default() {
        return "everywhere".into();
    }
    let mut shown = serde_json::Map::new();
    for (name, list) in [("allow", &policy.allow), ("deny", &policy.deny)] {
        if !list.is_empty() {
            let entries = list.iter().map(ToString::to_string);
            shown.insert(name.to_owned(), entries.collect());
        }
    }
    let rate = policy.rate.unwrap_or_default();
    let bounds = [
        ("bits_per_second", rate.bits_per_second),
        ("packets_per_second", rate.packets_per_second.map(u64::from)),
        (
            "connections_per_second",
            rate.connections_per_second.map(u64::from),
        ),
    ];
    for (name, bound) in bounds {
        if let Some(bound) = bound {
            shown.insert(name.to_owned(), bound.into());
        }
    }
    shown.into()
}
