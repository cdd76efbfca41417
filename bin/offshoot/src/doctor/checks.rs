//! What is looked at: kernel features, language runtimes, the daemon.

use super::{Row, Verdict};
use crate::api::Client;
use crate::deploy::version_of;

/// What sandboxes need of the kernel and the machine.
pub fn sandbox() -> Vec<Row> {
    offshoot_sandbox::features()
        .into_iter()
        .map(|feature| Row {
            what: feature.name.to_owned(),
            verdict: match (feature.present, feature.required) {
                (true, _) => Verdict::Ok,
                (false, true) => Verdict::Missing,
                (false, false) => Verdict::Warn,
            },
            found: feature.found,
            needed_for: feature.needed_for.to_owned(),
            without_it: feature.without_it.to_owned(),
        })
        .collect()
}

/// The language runtimes: one is enough, and code that brings its own needs none.
pub fn runtimes() -> Vec<Row> {
    [
        ("python3", "/usr/bin/python3", "Python functions"),
        ("node", "node", "Node.js functions"),
    ]
    .map(|(what, program, needed_for)| {
        let version = version_of(program).or_else(|| version_of(what));
        Row {
            what: what.to_owned(),
            verdict: if version.is_some() {
                Verdict::Ok
            } else {
                Verdict::Warn
            },
            found: version.unwrap_or_else(|| "not installed".to_owned()),
            needed_for: needed_for.to_owned(),
            without_it: format!("{needed_for} do not run"),
        }
    })
    .to_vec()
}

/// Whether the daemon answers.
pub async fn daemon(client: &Client) -> Row {
    let health = client.health().await;
    let (verdict, found) = match &health {
        Ok(health) => {
            let version = health
                .get("version")
                .and_then(|version| version.as_str())
                .unwrap_or("unknown");
            (
                Verdict::Ok,
                format!("{} (version {version})", client.endpoint()),
            )
        }
        Err(error) => (Verdict::Warn, error.to_string()),
    };
    Row {
        what: "daemon".to_owned(),
        verdict,
        found,
        needed_for: "deploy, invoke and the rest".to_owned(),
        without_it: "start it with `offshoot serve`".to_owned(),
    }
}
