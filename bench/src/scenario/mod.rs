//! The scenarios. Each starts what it needs, records its figures and cleans up.

pub(crate) mod clone;
pub(crate) mod cold;
pub(crate) mod density;
pub(crate) mod e2e;
pub(crate) mod hot;
pub(crate) mod idle;
pub(crate) mod kill;
pub(crate) mod ladder;
pub(crate) mod leak;
pub(crate) mod noise;
mod oracle;
mod platform;
mod processes;
mod processor;
pub(crate) mod sandbox;
pub(crate) mod throughput;
pub(crate) mod trace;
pub(crate) mod unique;

/// Reads `queue=1;sandbox=2`, what the daemon says of where the time went, in microseconds; what is not understood is left
/// out.
fn stages(header: &str) -> impl Iterator<Item = (String, u64)> + '_ {
    let stage = |part: &str| {
        let (name, micros) = part.split_once('=')?;
        Some((name.trim().to_owned(), micros.trim().parse().ok()?))
    };
    header.split(';').filter_map(stage)
}

/// Requires that each system that is asked for is one of `known`.
fn require_known(asked: &[String], known: &[&str]) -> anyhow::Result<()> {
    for name in asked {
        anyhow::ensure!(
            known.contains(&name.as_str()),
            "there is no system {name}; there are: {}",
            known.join(", ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_system_that_is_not_there_is_refused_with_those_that_are() {
        let ask = |names: &[&str]| {
            let asked: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            require_known(&asked, &["one", "two"])
        };
        assert!(ask(&[]).is_ok() && ask(&["two", "one"]).is_ok());
        let said = ask(&["one", "thre"]).unwrap_err().to_string();
        assert_eq!(said, "there is no system thre; there are: one, two");
    }

    #[test]
    fn stages_are_read_from_the_header() {
        let found: Vec<_> = stages("queue=12;sandbox=3400; handler = 5;odd;x=y").collect();
        let expected = [("queue", 12), ("sandbox", 3400), ("handler", 5)]
            .map(|(name, us)| (name.to_owned(), us));
        assert_eq!(found, expected);
        assert_eq!(stages("").count(), 0);
    }
}
