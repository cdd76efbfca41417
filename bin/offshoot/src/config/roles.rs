//! Sources of credentials: `[credentials.roles]`.

use std::collections::BTreeMap;
use std::path::Path;

use offshoot_node::{RoleSource, StaticKeys};
use toml::de::{DeTable, DeValue};

use super::value::{Fault, Value};
use crate::nearest::nearest;

const KEYS: [&str; 3] = ["access_key_id", "secret_access_key", "session_token"];

/// Sources as the environment has them: an inline table of TOML.
pub fn of_text(text: &str) -> Result<Value, Fault> {
    if text.trim().is_empty() {
        return Ok(Value::Roles(BTreeMap::new()));
    }
    let document = format!("roles = {text}");
    // The text may hold secrets: it is not quoted.
    let broken = || {
        Fault::new(
            "must be a table of TOML, such as { \"arn:aws:iam::...:role/r\" = \"/path/of/a/file\" }",
        )
    };
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

/// Sources by the role's ARN.
pub fn of_table(table: &DeTable<'_>) -> Result<Value, Fault> {
    let mut roles = BTreeMap::new();
    for (arn, value) in table {
        let arn = arn.get_ref().as_ref();
        if !is_role(arn) {
            return Err(
                Fault::new(format!("has {arn:?}, which is not the ARN of a role"))
                    .suggest("such as arn:aws:iam::000000000000:role/mailer"),
            );
        }
        let named = |fault: Fault| Fault {
            problem: format!("has for {arn} a source that {}", fault.problem),
            ..fault
        };
        roles.insert(arn.to_owned(), source(value.get_ref()).map_err(named)?);
    }
    Ok(Value::Roles(roles))
}

/// `arn:PARTITION:iam::ACCOUNT:role/NAME`.
fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts[..], ["arn", _, "iam", "", account, role]
        if account.len() == 12 && role.len() > "role/".len() && role.starts_with("role/"))
}

fn source(value: &DeValue<'_>) -> Result<RoleSource, Fault> {
    match value {
        DeValue::String(path) if Path::new(path.as_ref()).is_absolute() => {
            Ok(RoleSource::File(path.as_ref().into()))
        }
        DeValue::String(_) => Err(Fault::new("is not the absolute path of a file")),
        DeValue::Table(table) => keys(table).map(RoleSource::Keys),
        _ => Err(Fault::new("must be the path of a file or a table of keys")),
    }
}

fn keys(table: &DeTable<'_>) -> Result<StaticKeys, Fault> {
    for (name, _) in table {
        let name = name.get_ref().as_ref();
        if !KEYS.contains(&name) {
            let fault = Fault::new(format!("has the unknown key {name}"));
            return Err(match nearest(name, KEYS) {
                Some(near) => fault.suggest(format!("did you mean {near}?")),
                None => fault,
            });
        }
    }
    let text = |name: &str| match table.get(name).map(|value| value.get_ref()) {
        Some(DeValue::String(text)) if !text.is_empty() => Ok(Some(text.clone().into_owned())),
        Some(_) => Err(Fault::new(format!(
            "has a {name} that is not a string with something in it"
        ))),
        None => Ok(None),
    };
    let needed = |name: &str| text(name)?.ok_or_else(|| Fault::new(format!("has no {name}")));
    Ok(StaticKeys {
        access_key_id: needed("access_key_id")?,
        secret_access_key: needed("secret_access_key")?,
        session_token: text("session_token")?,
    })
}

/// As they would stand in a file, without what is secret.
pub fn shown(roles: &BTreeMap<String, RoleSource>) -> serde_json::Value {
    let rows = roles.iter().map(|(arn, source)| {
        let shown = match source {
            RoleSource::File(path) => path.display().to_string().into(),
            RoleSource::Keys(keys) => serde_json::json!({
                "access_key_id": keys.access_key_id,
                "secret_access_key": "<redacted>",
            }),
        };
        (arn.clone(), shown)
    });
    rows.collect::<serde_json::Map<_, _>>().into()
}
