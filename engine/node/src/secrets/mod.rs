//! Secret variables of a function's environment: given to each clone, and never to the seed.
//!
//! 1. [`SecretRules`] says which variables are secret, by their names.
//! 2. [`SecretRules::seed_spec`] is the function without them: what the instance is made from that becomes the seed. Its
//!    bootstrap is told their names, and gives up if user code asks for one before it is there: an init that depends on a
//!    secret must not go on without.
//! 3. [`ClonesOwn`] is what `RESUME` tells a clone before its first event, ahead of its hooks: secret variables among it.
//! 4. [`refusal`] says why an init that failed so can have no seed, and what to do.
//!
//! A cold start has all variables in its environment, as ever.

mod names;

use std::collections::BTreeMap;
use std::sync::Arc;

use offshoot_channel::{MAX_META_BYTES, ResumeMeta};
use offshoot_seed::{Policy, Secrets, Withheld};

use crate::{CreateFailure, InstanceSpec, NodeError};
use names::Names;

/// Tells a bootstrap which variables it was not given.
const WITHHELD: &str = "OFFSHOOT_WITHHELD";
/// What the bootstrap calls the reading of one.
const READ_TOO_EARLY: &str = "Runtime.SecretWithheld";

/// Which variables are secret, and what follows when a seed's memory holds what looks like one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretRules {
    names: Names,
    policy: Policy,
}

impl SecretRules {
    /// Rules. In a pattern `*` stands for any characters; one behind `!` takes names out again.
    pub fn new(patterns: &[String], policy: Policy) -> Self {
        Self {
            names: Names::new(patterns),
            policy,
        }
    }

    /// The function without its secret variables, and with their names.
    pub(crate) fn seed_spec(&self, spec: &Arc<InstanceSpec>) -> Arc<InstanceSpec> {
        self.without(spec)
            .map_or_else(|| Arc::clone(spec), Arc::new)
    }

    /// The same; none if it has no secret variables.
    pub(crate) fn without(&self, spec: &InstanceSpec) -> Option<InstanceSpec> {
        let names: Vec<&str> = self.secret(spec).map(|(name, _)| name).collect();
        if names.is_empty() {
            return None;
        }
        let mut seeds = spec.clone();
        seeds.env.retain(|name, _| !names.contains(&name.as_str()));
        seeds.env.insert(WITHHELD.to_owned(), names.join(","));
        Some(seeds)
    }

    /// What the image of the function's seed must not hold.
    pub(crate) fn unwanted(&self, spec: &InstanceSpec) -> Secrets {
        let withheld = self.secret(spec).map(|(name, value)| Withheld {
            name: name.to_owned(),
            value: value.to_owned(),
        });
        Secrets {
            policy: self.policy,
            withheld: withheld.collect(),
        }
    }

    /// What the image of a runtime's seed must not hold, which never saw a function.
    pub(crate) fn shapes(&self) -> Secrets {
        Secrets {
            policy: self.policy,
            withheld: Vec::new(),
        }
    }

    /// The secret variables of a function.
    pub(crate) fn secret<'a>(
        &'a self,
        spec: &'a InstanceSpec,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = spec.env.iter();
        all.filter(|(name, _)| self.names.is_secret(name))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Variables that a clone has and its seed had not, but for the name of its log stream.
#[derive(Clone, Default)]
pub(crate) struct ClonesOwn(BTreeMap<String, String>);

impl std::fmt::Debug for ClonesOwn {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_set().entries(self.0.keys()).finish()
    }
}

impl ClonesOwn {
    /// The secret variables of a function, and what else there is.
    ///
    /// # Errors
    /// [`NodeError::ResumeTooLong`]: they do not fit into one frame.
    pub(crate) fn new<'a>(
        spec: &InstanceSpec,
        secret: impl Iterator<Item = (&'a str, &'a str)>,
        others: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, NodeError> {
        let secret = secret.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let own = Self(secret.chain(others).collect());
        if own.0.is_empty() {
            return Ok(own);
        }
        // Room for the log stream's name.
        const SPARE_BYTES: usize = 1024;
        let text = serde_json::to_string(&ResumeMeta {
            env: own.variables().collect(),
        });
        let len_bytes = text.map_or(usize::MAX, |text| text.len());
        let limit_bytes = MAX_META_BYTES as usize - SPARE_BYTES;
        if len_bytes > limit_bytes {
            return Err(NodeError::ResumeTooLong {
                function: spec.function.to_string(),
                len_bytes,
                limit_bytes,
            });
        }
        Ok(own)
    }

    /// As `RESUME` has them.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let all = self.0.iter();
        all.map(|(name, value)| (name.as_str(), Some(value.as_str())))
    }
}

/// Why there can be no seed after an init that failed; none if nothing was withheld from it, or the function is not to
/// blame.
pub(crate) fn refusal(secrets: &Secrets, failure: &CreateFailure) -> Option<String> {
    const FIX: &str = "read it in the handler or in a hook after a restore, or take its name off seeds.secret_names";
    let CreateFailure::Function(failure) = failure else {
        return None;
    };
    let names: Vec<&str> = secrets.withheld.iter().map(|one| &*one.name).collect();
    let names = (!names.is_empty()).then(|| names.join(", "))?;
    let message = message(&failure.body);
    if failure.error_type == READ_TOO_EARLY {
        // What it says comes from the tenant's sandbox: only a name that was withheld is repeated.
        let read = secrets.withheld.iter().find(|one| one.name == message);
        let read = read.map_or(names.as_str(), |one| &one.name);
        return Some(format!(
            "its init reads the secret variable {read}, which is withheld from seeds: {FIX}"
        ));
    }
    Some(format!(
        "its init, or its training, failed ({}) where {names} was withheld, as secret variables are from seeds: if it needs one, {FIX}",
        failure.error_type
    ))
}

fn message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Object {
        #[serde(rename = "errorMessage")]
        message: String,
    }
    serde_json::from_slice(body).map_or_else(|_| String::new(), |object: Object| object.message)
}

#[cfg(test)]
mod tests;
