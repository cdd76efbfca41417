//! What each function may reach of the network.

use std::collections::BTreeMap;

use offshoot_node::NetworkPolicy;

/// A policy for all functions, and others for some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkPolicies {
    /// Of every function that is not in `functions`.
    pub default: NetworkPolicy,
    /// By the function's name.
    pub functions: BTreeMap<String, NetworkPolicy>,
}

impl NetworkPolicies {
    /// Whether any function needs a link to the outside.
    pub fn want_egress(&self) -> bool {
        let mut all = self.functions.values().chain([&self.default]);
        all.any(NetworkPolicy::wants_egress)
    }

    /// The policy of a function.
    pub fn of(&self, function: &str) -> &NetworkPolicy {
        self.functions.get(function).unwrap_or(&self.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_without_a_policy_of_its_own_has_the_default() {
        let policies = NetworkPolicies {
            default: NetworkPolicy::everywhere(),
            functions: BTreeMap::from([("closed".to_owned(), NetworkPolicy::None)]),
        };
        assert_eq!(policies.of("closed"), &NetworkPolicy::None);
        assert_eq!(policies.of("other"), &NetworkPolicy::everywhere());
        assert!(policies.want_egress() && !NetworkPolicies::default().want_egress());
    }
}
