//! Credentials of a function's role, from an endpoint inside its sandbox, as Lambda SnapStart has it and ECS ("Container
//! credential provider", AWS SDKs and Tools Reference Guide).
//!
//! 1. [`Roles`] says where the credentials of a role are. Functions with another role get nothing.
//! 2. [`Roles::grant`] gives an instance a token of its own; `AWS_CONTAINER_CREDENTIALS_FULL_URI` and
//!    `AWS_CONTAINER_AUTHORIZATION_TOKEN` tell the runtime. A clone has the URI from its seed and the token by `RESUME`.
//! 3. [`Grant::serve`] answers on a listener in the sandbox's network, which nobody else can reach, until the
//!    [`Endpoint`] is dropped.
//!
//! An instance that becomes a seed gets credentials that open nothing and are expired, so that a client that asks when it is
//! made can be made, and asks again in each clone. Sources are read at each request: what rotates there is seen.

mod endpoint;
mod source;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use offshoot_sandbox::{Launcher, Taken};
use rustix::rand::GetRandomFlags;

pub(crate) use endpoint::Endpoint;
use source::Source;
pub use source::StaticKeys;

use crate::{InstanceSpec, NodeError};

/// The port inside each sandbox; the same in all, so that clones need not learn it. The Runtime API has the one before.
const PORT: u16 = 9002;
const PATH: &str = "/credentials";
const FULL_URI: (&str, &str) = (
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "http://127.0.0.1:9002/credentials",
);
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_BYTES: usize = 32;

/// Whose credentials are known.
#[derive(Debug, Clone, Default)]
pub struct Roles(HashMap<String, Arc<Source>>);

/// Where the credentials of a role are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleSource {
    /// Keys that do not change while the daemon runs.
    Keys(StaticKeys),
    /// A file of JSON that is read whenever somebody asks.
    File(PathBuf),
}

/// Whom an instance is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Events.
    Events,
    /// It becomes a seed.
    Seed,
    /// It becomes the seed of a runtime, and never has a function.
    Runtime,
}

/// What one instance may have.
pub(crate) struct Grant {
    source: Arc<Source>,
    /// None for a seed.
    token: Option<String>,
}

impl Roles {
    /// The sources by the ARN of the role.
    pub fn new(roles: impl IntoIterator<Item = (String, RoleSource)>) -> Self {
        let roles = roles.into_iter();
        Self(
            roles
                .map(|(role, source)| (role, Arc::new(Source::new(source))))
                .collect(),
        )
    }

    /// What an instance of a function may have; none if its role is not known.
    ///
    /// # Errors
    /// The kernel gives no random bytes.
    pub(crate) fn grant(&self, spec: &InstanceSpec, purpose: Purpose) -> io::Result<Option<Grant>> {
        let Some(source) = self.0.get(&*spec.role) else {
            return Ok(None);
        };
        Ok(match purpose {
            Purpose::Events => Some(Grant {
                source: Arc::clone(source),
                token: Some(token()?),
            }),
            Purpose::Seed => Some(Grant {
                source: Arc::new(Source::Nothing),
                token: None,
            }),
            Purpose::Runtime => None,
        })
    }

    /// Whether instances of the function get any.
    pub(crate) fn knows(&self, spec: &InstanceSpec) -> bool {
        self.0.contains_key(&*spec.role)
    }
}

impl Grant {
    /// What its runtime is told: where it starts, or as a clone.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let uri = (FULL_URI.0.to_owned(), FULL_URI.1.to_owned());
        let token = self.token.clone();
        std::iter::once(uri).chain(token.map(|token| (TOKEN.to_owned(), token)))
    }

    /// Answers in a sandbox in which nothing runs yet.
    pub(crate) async fn serve(
        &self,
        launcher: &Launcher,
        taken: &Taken,
        spec: &InstanceSpec,
    ) -> Result<Endpoint, NodeError> {
        let listener = launcher.listen(taken, PORT).await;
        let served = listener.and_then(|listener| {
            Endpoint::serve(listener, Arc::clone(&self.source), self.token.as_deref())
        });
        served.map_err(|source| NodeError::Pipe {
            what: "credentials endpoint",
            function: spec.function.to_string(),
            source,
        })
    }
}

/// Random bytes of the kernel, as hexadecimal digits.
fn token() -> io::Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    let mut filled = 0;
    while filled < TOKEN_BYTES {
        filled += rustix::rand::getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
