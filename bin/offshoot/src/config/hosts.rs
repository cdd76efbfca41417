//! Names of hosts.

use std::net::IpAddr;

use super::value::{Fault, Value};

/// The longest name (RFC 1035, 2.3.4).
const MAX_BYTES: usize = 253;

/// Names and addresses without a port; `*.` before a name stands for all names below it.
pub fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Value, Fault> {
    texts.map(host).collect::<Result<_, _>>().map(Value::Names)
}

fn host(text: &str) -> Result<String, Fault> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    if is_name(text.strip_prefix("*.").unwrap_or(text)) {
        return Ok(text.to_ascii_lowercase());
    }
    let fault = Fault::new(format!(
        "has {text:?}, which is no name of a host and no address"
    ));
    let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
    let name = authority.split([':', '/']).next().unwrap_or_default();
    Err(if is_name(name) {
        fault.suggest(format!("write {name}, without scheme, port and path"))
    } else {
        fault
    })
}

fn is_name(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(good);
    text.len() <= MAX_BYTES && text.split('.').all(is_label)
}
