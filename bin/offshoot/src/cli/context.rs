//! What commands work with: the console, and the daemon's address from flags and environment.

use std::env;

use super::Global;
use crate::api::{Client, Credentials, Target};
use crate::console::Console;
use crate::report::Failure;

const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:3001";
const DEFAULT_REGION: &str = "us-east-1";

/// Flags and environment, put together.
#[derive(Debug)]
pub struct Context {
    /// How to talk.
    pub console: Console,
    target: Target,
}

impl Context {
    /// The flags over the environment.
    pub fn new(global: &Global) -> Self {
        let endpoint = global.endpoint.clone();
        let endpoint =
            endpoint.or_else(|| first(&["OFFSHOOT_ENDPOINT", "AWS_ENDPOINT_URL_LAMBDA"]));
        let region = global
            .region
            .clone()
            .or_else(|| first(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
        let target = Target {
            endpoint: endpoint.unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned()),
            region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            credentials: credentials(),
        };
        Self {
            console: Console::new(global.json, global.quiet),
            target,
        }
    }

    /// A client of the daemon.
    pub fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(self.target.clone())?)
    }
}

fn credentials() -> Option<Credentials> {
    let (id, secret) = (
        first(&["AWS_ACCESS_KEY_ID"])?,
        first(&["AWS_SECRET_ACCESS_KEY"])?,
    );
    Some(Credentials {
        id,
        secret,
        session_token: first(&["AWS_SESSION_TOKEN"]),
    })
}

/// The first variable of these that is set to something.
fn first(names: &[&str]) -> Option<String> {
    names
        .iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
}
