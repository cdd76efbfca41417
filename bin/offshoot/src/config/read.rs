//! Values as TOML writes them.

use toml::de::{DeArray, DeTable, DeValue};

use super::schema::Kind;
use super::value::{Fault, Value, access_keys, backoff, names, servers};
use super::{AccessKey, hosts, policies, roles};

impl Kind {
    /// The value that a TOML value means.
    pub fn read_toml(self, value: &DeValue<'_>) -> Result<Value, Fault> {
        match (self, value) {
            (_, DeValue::String(text)) => self.read_string(text),
            (Self::Boolean, DeValue::Boolean(yes)) => Ok(Value::Boolean(*yes)),
            (Self::Integer { .. }, DeValue::Integer(_)) => self.integer(whole(value)?),
            (Self::Backoff, DeValue::Array(parts)) => {
                let pauses: Result<Vec<u64>, Fault> =
                    parts.iter().map(|part| whole(part.get_ref())).collect();
                backoff(pauses?)
            }
            (Self::AccessKeys, DeValue::Array(pairs)) => pairs_of(pairs),
            (Self::Policies, DeValue::Table(table)) => policies::of_table(table),
            (Self::Servers, DeValue::Array(entries)) => {
                servers(self.texts(entries)?.iter().map(String::as_str))
            }
            (Self::Names, DeValue::Array(entries)) => {
                names(self.texts(entries)?.iter().map(String::as_str))
            }
            (Self::Hosts, DeValue::Array(entries)) => {
                hosts::of(self.texts(entries)?.iter().map(String::as_str))
            }
            (Self::Roles, DeValue::Table(table)) => roles::of_table(table),
            (Self::Account, DeValue::Integer(number)) => Err(self
                .mismatch(value)
                .suggest(format!("put it into quotes: \"{number}\""))),
            _ => Err(self.mismatch(value)),
        }
    }

    fn texts(self, entries: &DeArray<'_>) -> Result<Vec<String>, Fault> {
        let text = |entry: &DeValue<'_>| match entry {
            DeValue::String(text) => Ok(text.clone().into_owned()),
            other => Err(self.mismatch(other)),
        };
        entries.iter().map(|entry| text(entry.get_ref())).collect()
    }

    fn mismatch(self, value: &DeValue<'_>) -> Fault {
        let found = match value {
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
            DeValue::String(_) => "a string",
        };
        Fault::new(format!("must be {}, not {found}", self.article()))
    }
}

pub fn whole(value: &DeValue<'_>) -> Result<u64, Fault> {
    let DeValue::Integer(number) = value else {
        return Err(Fault::new("must hold whole numbers only"));
    };
    u64::from_str_radix(number.as_str(), number.radix())
        .map_err(|_| Fault::new(format!("must be a whole number from zero on, not {number}")))
}

fn pairs_of(pairs: &DeArray<'_>) -> Result<Value, Fault> {
    let keys: Result<Vec<AccessKey>, Fault> = pairs
        .iter()
        .map(|pair| match pair.get_ref() {
            DeValue::Table(table) => pair_of(table),
            other => Err(Kind::AccessKeys.mismatch(other)),
        })
        .collect();
    access_keys(keys?)
}

fn pair_of(table: &DeTable<'_>) -> Result<AccessKey, Fault> {
    let (mut id, mut secret) = (None, None);
    for (name, value) in table {
        let DeValue::String(text) = value.get_ref() else {
            return Err(Fault::new(format!(
                "has a pair whose {} is not a string",
                name.get_ref()
            )));
        };
        match name.get_ref().as_ref() {
            "id" => id = Some(text.clone().into_owned()),
            "secret" => secret = Some(text.clone().into_owned()),
            other => {
                return Err(Fault::new(format!(
                    "has a pair with {other}, which is neither id nor secret"
                )));
            }
        }
    }
    match (id, secret) {
        (Some(id), Some(secret)) => Ok(AccessKey { id, secret }),
        _ => Err(Fault::new("has a pair without id or secret")),
    }
}
