//! Values: what stands for a key in text (environment, flags), and how a value is shown.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use offshoot_node::RoleSource;
use offshoot_sandbox::NetworkPolicy;

use super::schema::{Kind, Unit};
use super::{AccessKey, AddressPool, hosts, policies, roles};

/// AWS's secret keys have this many characters, and signatures are verified with such.
const SECRET_CHARS: usize = 40;
/// No retry waits longer, in seconds: AWS Lambda discards an event after six hours.
const MAX_BACKOFF_S: u64 = 21_600;
/// Names below the state directory are long, and the kernel's PATH_MAX is 4096 bytes.
const MAX_STATE_DIR_BYTES: usize = 1_024;

/// A value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Boolean(bool),
    Integer(u64),
    Integers(Vec<u64>),
    Text(String),
    Address(SocketAddr),
    Path(PathBuf),
    Pool(AddressPool),
    Keys(Vec<AccessKey>),
    Policies(BTreeMap<String, NetworkPolicy>),
    Servers(Vec<IpAddr>),
    Names(Vec<String>),
    Roles(BTreeMap<String, RoleSource>),
}

/// What is wrong with a value, as the rest of a sentence that begins with the key.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    pub problem: String,
    pub suggestion: Option<String>,
}

impl Fault {
    pub fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            suggestion: None,
        }
    }

    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

impl Kind {
    /// The value that `text` means, as in the environment.
    pub fn read_text(self, text: &str) -> Result<Value, Fault> {
        match self {
            Self::Boolean => match text {
                "true" | "1" => Ok(Value::Boolean(true)),
                "false" | "0" => Ok(Value::Boolean(false)),
                _ => Err(Fault::new(format!("must be true or false, not {text:?}"))),
            },
            Self::Integer { unit, .. } => {
                let number = text.trim().parse().map_err(|_| not_a_number(text, unit))?;
                self.integer(number)
            }
            Self::Backoff => {
                let parts = text
                    .split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty());
                let numbers: Result<Vec<u64>, _> = parts
                    .map(|part| part.parse().map_err(|_| not_a_number(part, Unit::Seconds)))
                    .collect();
                backoff(numbers?)
            }
            Self::AccessKeys => access_keys_of(text),
            Self::Policies => policies::of_text(text),
            Self::Roles => roles::of_text(text),
            Self::Hosts => hosts::of(
                text.split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty()),
            ),
            Self::Names => names(
                text.split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty()),
            ),
            Self::Servers => servers(
                text.split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty()),
            ),
            _ => self.read_string(text),
        }
    }

    /// The value that a string means, for the kinds that TOML writes as strings.
    pub fn read_string(self, text: &str) -> Result<Value, Fault> {
        match self {
            Self::Word(words) => word(text, words),
            Self::Address => address(text).map(Value::Address),
            Self::Path => path(text),
            Self::Pool => pool(text),
            Self::Region => region(text),
            Self::Account => account(text),
            Self::Integer { unit, .. } => Err(not_a_number(text, unit)),
            Self::Boolean
            | Self::Backoff
            | Self::AccessKeys
            | Self::Policies
            | Self::Servers
            | Self::Names
            | Self::Hosts
            | Self::Roles => Err(Fault::new(format!(
                "must be {}, not the string {text:?}",
                self.article()
            ))),
        }
    }

    /// `number` if it is within the bounds.
    pub fn integer(self, number: u64) -> Result<Value, Fault> {
        match self {
            Self::Integer { min, max, unit } if number < min || number > max => Err(Fault::new(
                format!("must be from {min} to {max}{}, not {number}", of(unit)),
            )),
            _ => Ok(Value::Integer(number)),
        }
    }

    /// What the kind wants, with its article.
    pub fn article(self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Integer { .. } => "a whole number",
            Self::Backoff => "a list of whole seconds, such as [60, 120]",
            Self::AccessKeys => "a list of tables, such as [{ id = \"...\", secret = \"...\" }]",
            Self::Policies => "a table of functions, such as { mailer = \"everywhere\" }",
            Self::Servers => "a list of addresses, such as [\"192.0.2.53\"]",
            Self::Names => "a list of patterns, such as [\"*PASSWORD*\", \"!*_ARN\"]",
            Self::Hosts => "a list of names, such as [\"lambda.example\", \"*.dev.example\"]",
            Self::Roles => {
                "a table of roles, such as { \"arn:aws:iam::...:role/r\" = \"/path/of/a/file\" }"
            }
            _ => "a string",
        }
    }
}

/// Patterns of names of variables: letters, digits, `_`, and `*` for any of them; a `!` before it takes names out.
pub fn names<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Value, Fault> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'*');
    let pattern = |text: &str| {
        let bare = text.strip_prefix('!').unwrap_or(text);
        if bare.is_empty() || !bare.bytes().all(good) {
            return Err(Fault::new(format!(
                "has {text:?}, which is no pattern of a variable's name: those have letters, digits, _ and *"
            )));
        }
        Ok(text.to_owned())
    };
    texts
        .map(pattern)
        .collect::<Result<_, _>>()
        .map(Value::Names)
}

/// Addresses of name servers; the port is 53.
pub fn servers<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Value, Fault> {
    let server = |text: &str| {
        text.parse()
            .map_err(|_| Fault::new(format!("must hold IP addresses only, not {text:?}")))
    };
    texts
        .map(server)
        .collect::<Result<_, _>>()
        .map(Value::Servers)
}

/// At most two pauses.
pub fn backoff(seconds: Vec<u64>) -> Result<Value, Fault> {
    if seconds.len() > 2 {
        return Err(Fault::new(
            "has more than two pauses; an event is retried at most twice",
        ));
    }
    match seconds.iter().find(|&&pause| pause > MAX_BACKOFF_S) {
        Some(pause) => Err(Fault::new(format!(
            "has a pause of {pause} s; the most is {MAX_BACKOFF_S}"
        ))),
        None => Ok(Value::Integers(seconds)),
    }
}

/// Checks the pairs together.
pub fn access_keys(keys: Vec<AccessKey>) -> Result<Value, Fault> {
    for (index, key) in keys.iter().enumerate() {
        let number = index + 1;
        if key.id.is_empty() || !key.id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Fault::new(format!(
                "has a pair (number {number}) whose id is not letters and digits"
            )));
        }
        if key.secret.len() != SECRET_CHARS
            || !key.secret.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(Fault::new(format!(
                "has a secret (of id {}) that is not 40 characters long",
                key.id
            ))
            .suggest("make one with: head -c 30 /dev/urandom | base64"));
        }
        if keys.iter().take(index).any(|other| other.id == key.id) {
            return Err(Fault::new(format!("has the id {} twice", key.id)));
        }
    }
    Ok(Value::Keys(keys))
}

fn access_keys_of(text: &str) -> Result<Value, Fault> {
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let keys: Option<Vec<AccessKey>> = pairs
        .map(|pair| pair.trim().split_once(':'))
        .map(|pair| {
            pair.map(|(id, secret)| AccessKey {
                id: id.to_owned(),
                secret: secret.to_owned(),
            })
        })
        .collect();
    // The text is a secret: it is not quoted.
    access_keys(
        keys.ok_or_else(|| Fault::new("must be ID:SECRET pairs, with commas between them"))?,
    )
}

fn word(text: &str, words: &[&str]) -> Result<Value, Fault> {
    if words.contains(&text) {
        return Ok(Value::Text(text.to_owned()));
    }
    let fault = Fault::new(format!("must be one of {}, not {text:?}", words.join(", ")));
    Err(match crate::nearest::nearest(text, words.iter().copied()) {
        Some(near) => fault.suggest(format!("did you mean {near:?}?")),
        None => fault,
    })
}

/// An address with a port; `localhost` stands for 127.0.0.1.
fn address(text: &str) -> Result<SocketAddr, Fault> {
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    numeric.parse().map_err(|_| {
        let fault = Fault::new(format!("must be IP:PORT, not {text:?}"));
        match text.parse::<u16>() {
            Ok(port) => fault.suggest(format!("write 127.0.0.1:{port}")),
            Err(_) if text.parse::<IpAddr>().is_ok() => fault.suggest("add a port, such as :3001"),
            Err(_) => {
                fault.suggest("such as 127.0.0.1:3001 or [::1]:3001; a port is at most 65535")
            }
        }
    })
}

fn path(text: &str) -> Result<Value, Fault> {
    if text.is_empty() || text.contains('\0') {
        return Err(Fault::new("must name a directory"));
    }
    let path = PathBuf::from(text);
    if path
        .components()
        .any(|part| part == std::path::Component::ParentDir)
    {
        return Err(Fault::new(format!(
            "must not contain `..`, but is {text:?}"
        )));
    }
    if text.len() > MAX_STATE_DIR_BYTES {
        return Err(Fault::new(format!(
            "is {} bytes long; at most {MAX_STATE_DIR_BYTES} leave room for names below it",
            text.len()
        )));
    }
    Ok(Value::Path(path))
}

fn pool(text: &str) -> Result<Value, Fault> {
    let wrong = || {
        Fault::new(format!("must be an IPv4 network, not {text:?}"))
            .suggest("such as 10.200.0.0/16")
    };
    let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
    let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
    let prefix_len: u8 = prefix.parse().map_err(|_| wrong())?;
    if !(8..=28).contains(&prefix_len) {
        return Err(Fault::new(format!(
            "must have a prefix from /8 to /28, not /{prefix_len}"
        )));
    }
    let network = Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << (32 - prefix_len)));
    if network != address {
        return Err(
            Fault::new(format!("is {text}, which has bits set after its prefix"))
                .suggest(format!("write {network}/{prefix_len}")),
        );
    }
    Ok(Value::Pool(AddressPool {
        address,
        prefix_len,
    }))
}

fn region(text: &str) -> Result<Value, Fault> {
    let fits = text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits {
        Ok(Value::Text(text.to_owned()))
    } else {
        Err(Fault::new(format!(
            "must be a region such as us-east-1, not {text:?}"
        )))
    }
}

fn account(text: &str) -> Result<Value, Fault> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(Value::Text(text.to_owned()))
    } else {
        Err(Fault::new(format!("must be twelve digits, not {text:?}")))
    }
}

fn of(unit: Unit) -> &'static str {
    match unit {
        Unit::None => "",
        Unit::Seconds => " seconds",
        Unit::Bytes => " bytes",
    }
}

fn not_a_number(text: &str, unit: Unit) -> Fault {
    let noun = match unit {
        Unit::None => "a whole number",
        Unit::Seconds => "a whole number of seconds",
        Unit::Bytes => "a whole number of bytes",
    };
    let fault = Fault::new(format!("must be {noun}, not {text:?}"));
    match in_units(text, unit) {
        Some(number) => fault.suggest(format!("write {number}, without a unit")),
        None => fault,
    }
}

/// The number that a text with a unit means, such as `10m` or `4 MiB`.
fn in_units(text: &str, unit: Unit) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text.get(..split)?.parse().ok()?;
    let factor = match (unit, text.get(split..)?.trim()) {
        (Unit::Seconds, "s" | "sec" | "seconds") => 1,
        (Unit::Seconds, "m" | "min" | "minutes") => 60,
        (Unit::Seconds, "h" | "hours") => 3_600,
        (Unit::Seconds, "d" | "days") => 86_400,
        (Unit::Bytes, "b" | "bytes") => 1,
        (Unit::Bytes, "k" | "kb" | "kib") => 1 << 10,
        (Unit::Bytes, "m" | "mb" | "mib") => 1 << 20,
        (Unit::Bytes, "g" | "gb" | "gib") => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}
