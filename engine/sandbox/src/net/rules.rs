//! The nftables table of a launcher, loaded as one transaction by the `nft` program.
//!
//! Written in nft's own language, not in its JSON: an operator who finds the table on his machine
//! can compare it with this file, and load it by hand.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::link_prefix;
use crate::error::NetworkError;

/// What sandboxes with egress may and may not reach.
///
/// `input`: nothing of the host itself, neither by its addresses nor by the link's own; answers to
/// the host's connections only. `forward`: not each other, no other source address than their own
/// pool's (no IPv6 at all), not link-local addresses (cloud metadata services), and nobody outside
/// opens a connection to them. `postrouting`: outside, they appear as the host.
fn script(tag: &str, pool: &str) -> String {
    let table = table_name(tag);
    let links = format!("{}*", link_prefix(tag));
    format!(
        r#"table inet {table}
delete table inet {table}
table inet {table} {{
    chain input {{
        type filter hook input priority filter; policy accept;
        iifname "{links}" ct state established,related accept
        iifname "{links}" drop
    }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
        iifname "{links}" oifname "{links}" drop
        iifname "{links}" meta nfproto ipv6 drop
        iifname "{links}" ip saddr != {pool} drop
        iifname "{links}" ip daddr {{ 127.0.0.0/8, 169.254.0.0/16, {pool} }} drop
        iifname "{links}" accept
        oifname "{links}" ct state established,related accept
        oifname "{links}" drop
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {pool} oifname != "{links}" masquerade
    }}
}}
"#
    )
}

fn table_name(tag: &str) -> String {
    format!("offshoot_{tag}")
}

/// Loads the table, replacing one that is there.
pub(super) fn load(nft: &Path, tag: &str, pool: &str) -> Result<(), NetworkError> {
    run(nft, &script(tag, pool))
}

/// Removes the table; one that is not there is fine.
pub(crate) fn remove_table(nft: &Path, tag: &str) -> Result<(), NetworkError> {
    let table = table_name(tag);
    // Adding first makes the deletion succeed in any case.
    run(
        nft,
        &format!("table inet {table}\ndelete table inet {table}\n"),
    )
}

fn run(nft: &Path, script: &str) -> Result<(), NetworkError> {
    let refused = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => NetworkError::NftMissing,
        _ => NetworkError::Rules {
            message: error.to_string(),
        },
    };
    let mut child = Command::new(nft)
        .args(["-f", "-"])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(refused)?;
    let written = match child.stdin.take() {
        Some(mut stdin) => stdin.write_all(script.as_bytes()),
        None => Ok(()),
    };
    // Reaped before anything else can fail. A child that ended without reading everything says more by its
    // status and its words than by the broken pipe.
    let output = child.wait_with_output().map_err(refused)?;
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(refused(error)),
        _ => {}
    }
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr)
        .chars()
        .take(1000)
        .collect();
    Err(NetworkError::Rules { message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_cut_sandboxes_off_from_host_metadata_and_each_other() {
        let script = script("abcde", "10.200.0.0/16");
        for rule in [
            r#"iifname "offabcde-*" drop"#,
            r#"iifname "offabcde-*" oifname "offabcde-*" drop"#,
            "169.254.0.0/16",
            "table inet offshoot_abcde",
        ] {
            assert!(script.contains(rule), "{rule}");
        }
    }
}
