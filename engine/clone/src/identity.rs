//! Who a template is, so that a clone that shall be the same need not become it.

use offshoot_plan::{Credentials, Header, PLAN_BASE};
use std::mem::offset_of;

/// Marks the plan's credentials as those of this process, if they are. Becoming who one is takes a dozen system calls,
/// each of which makes a new set of credentials.
pub(crate) fn skip_if_own(plan: &mut [u8]) {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return;
    };
    let bits = rustix::thread::capabilities_secure_bits().map(|bits| bits.bits());
    if wanted(plan) == Some(own(&status, bits.unwrap_or(u32::MAX))) {
        let at = offset_of!(Header, credentials) + offset_of!(Credentials, apply);
        if let Some(apply) = plan.get_mut(at..at + 4) {
            apply.copy_from_slice(&0_u32.to_le_bytes());
        }
    }
}

/// What matters of who a process is.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    users: Vec<u32>,
    groups: Vec<u32>,
    supplementary: Vec<u32>,
    capabilities: Vec<u64>,
    securebits: u32,
}

fn own(status: &str, securebits: u32) -> Identity {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.strip_prefix(':'))
            .unwrap_or_default()
    };
    let numbers = |name| {
        field(name)
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    };
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    Identity {
        users: numbers("Uid"),
        groups: numbers("Gid"),
        supplementary: numbers("Groups"),
        capabilities: sets
            .map(|set| u64::from_str_radix(field(set).trim(), 16).unwrap_or(u64::MAX))
            .to_vec(),
        securebits,
    }
}

fn wanted(plan: &[u8]) -> Option<Identity> {
    let who = Header::from_bytes(plan)?.credentials;
    let groups = usize::try_from(who.supplementary.checked_sub(PLAN_BASE)?).ok()?;
    let groups = plan.get(groups..)?.as_chunks().0;
    let groups = groups.iter().take(who.supplementary_count as usize);
    Some(Identity {
        users: who.users.to_vec(),
        groups: who.groups.to_vec(),
        supplementary: groups.map(|group| u32::from_le_bytes(*group)).collect(),
        capabilities: who.capabilities.to_vec(),
        securebits: who.securebits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read() {
        let status = "Uid:\t0\t1\t2\t3\nGid:\t4\t4\t4\t4\nGroups:\t7 8 \nCapInh:\t0\nCapPrm:\tf\nCapEff:\t1\nCapBnd:\tff\nCapAmb:\t0\n";
        let identity = own(status, 5);
        assert_eq!(identity.users, [0, 1, 2, 3]);
        assert_eq!(identity.supplementary, [7, 8]);
        assert_eq!(identity.capabilities, [0, 15, 1, 255, 0]);
    }
}
