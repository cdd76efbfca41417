//! Walks a structure and collects what breaks its rules.

use std::collections::BTreeMap;

use super::violation::{Number, Shown};
use super::{Constraint, FloatRule, IntRule, ListRule, MapRule, TextRule, Violation};

/// More violations than this are not collected: the message grows with each.
const MAX_VIOLATIONS: usize = 32;

/// A structure whose members have constraints.
pub trait Validate {
    /// Reports every broken constraint of `self` to the checker.
    fn check(&self, checker: &mut Checker);

    /// Every broken constraint, up to a bounded number; empty if all are met.
    fn validate(&self) -> Vec<Violation> {
        let mut checker = Checker::default();
        self.check(&mut checker);
        checker.found
    }
}

/// Collects violations while a structure walks its members.
#[derive(Debug, Default)]
pub struct Checker {
    /// Path of the structure being checked, with a dot at its end unless it is empty.
    prefix: String,
    found: Vec<Violation>,
}

impl Checker {
    /// A required member must be there.
    pub fn required(&mut self, member: &str, is_present: bool) {
        if !is_present {
            self.report(member, Shown::Null, Constraint::NotNull);
        }
    }

    /// A string.
    pub fn text(&mut self, member: &str, value: Option<&str>, rule: &TextRule) {
        let Some(value) = value else { return };
        for constraint in rule.failures(value) {
            let shown = if rule.sensitive {
                Shown::Redacted
            } else {
                Shown::text(value)
            };
            self.report(member, shown, constraint);
        }
    }

    /// An integer.
    pub fn integer(&mut self, member: &str, value: Option<i64>, rule: &IntRule) {
        let Some(value) = value else { return };
        let shown = || Shown::text(&value.to_string());
        if let Some(max) = rule.max.filter(|max| value > *max) {
            self.report(member, shown(), Constraint::MaxValue(Number::Int(max)));
        }
        if let Some(min) = rule.min.filter(|min| value < *min) {
            self.report(member, shown(), Constraint::MinValue(Number::Int(min)));
        }
    }

    /// A number.
    pub fn float(&mut self, member: &str, value: Option<f64>, rule: &FloatRule) {
        let Some(value) = value else { return };
        let shown = || Shown::text(&format!("{value:?}"));
        if let Some(max) = rule.max.filter(|max| value > *max) {
            self.report(member, shown(), Constraint::MaxValue(Number::Float(max)));
        }
        if let Some(min) = rule.min.filter(|min| value < *min) {
            self.report(member, shown(), Constraint::MinValue(Number::Float(min)));
        }
    }

    /// A list of strings. AWS reports a bad element at the list, with all rules of an element.
    pub fn list(&mut self, member: &str, value: Option<&[String]>, rule: &ListRule) {
        let Some(items) = value else { return };
        let shown = || Shown::list(items.iter().map(String::as_str));
        self.count(member, items.len(), rule, shown);
        let Some(element) = rule.element else { return };
        if !items.iter().all(|item| element.accepts(item)) {
            let shown = if element.sensitive {
                Shown::Redacted
            } else {
                shown()
            };
            self.report(member, shown, Constraint::Elements(all_of(element)));
        }
    }

    /// A structure.
    pub fn nested<T: Validate>(&mut self, member: &str, value: Option<&T>) {
        let Some(value) = value else { return };
        self.within(member, |checker| value.check(checker));
    }

    /// A list of structures, whose elements AWS numbers from one: `name.1.member.arn`.
    pub fn nested_list<T: Validate>(&mut self, member: &str, value: Option<&[T]>, rule: &ListRule) {
        let Some(items) = value else { return };
        self.count(member, items.len(), rule, || {
            Shown::text(&format!("[{} items]", items.len()))
        });
        for (i, item) in items.iter().enumerate() {
            if self.found.len() >= MAX_VIOLATIONS {
                break;
            }
            self.within(&format!("{member}.{}.member", i + 1), |checker| {
                item.check(checker)
            });
        }
    }

    /// A map of strings.
    pub fn map(&mut self, member: &str, value: Option<&BTreeMap<String, String>>, rule: &MapRule) {
        let Some(map) = value else { return };
        let shown = || Shown::map(map.iter().map(|(k, v)| format!("{k}={v}")));
        self.keys(member, map.keys(), rule, shown);
        let Some(value_rule) = rule.value else { return };
        if !map.values().all(|v| value_rule.accepts(v)) {
            let shown = if rule.sensitive {
                Shown::Redacted
            } else {
                shown()
            };
            self.report(member, shown, Constraint::MapValues(all_of(value_rule)));
        }
    }

    /// A map of numbers.
    pub fn fractions(
        &mut self,
        member: &str,
        value: Option<&BTreeMap<String, f64>>,
        rule: &MapRule,
        of_value: &FloatRule,
    ) {
        let Some(map) = value else { return };
        let shown = || Shown::map(map.iter().map(|(k, v)| format!("{k}={v:?}")));
        self.keys(member, map.keys(), rule, shown);
        let max = of_value
            .max
            .map(|max| Constraint::MaxValue(Number::Float(max)));
        let min = of_value
            .min
            .map(|min| Constraint::MinValue(Number::Float(min)));
        let is_outside = |v: &f64| {
            of_value.max.is_some_and(|max| *v > max) || of_value.min.is_some_and(|min| *v < min)
        };
        if map.values().any(is_outside) {
            let bounds = [max, min, Some(Constraint::NotNull)]
                .into_iter()
                .flatten()
                .collect();
            self.report(member, shown(), Constraint::MapValues(bounds));
        }
    }

    fn keys<'k>(
        &mut self,
        member: &str,
        mut keys: impl Iterator<Item = &'k String>,
        rule: &MapRule,
        shown: impl Fn() -> Shown,
    ) {
        let Some(key_rule) = rule.key else { return };
        if !keys.all(|key| key_rule.accepts(key)) {
            let shown = if rule.sensitive {
                Shown::Redacted
            } else {
                shown()
            };
            self.report(member, shown, Constraint::MapKeys(all_of(key_rule)));
        }
    }

    fn count(&mut self, member: &str, len: usize, rule: &ListRule, shown: impl Fn() -> Shown) {
        if let Some(max) = rule.max.filter(|max| len > *max) {
            self.report(member, shown(), Constraint::MaxLength(max));
        }
        if let Some(min) = rule.min.filter(|min| len < *min) {
            self.report(member, shown(), Constraint::MinLength(min));
        }
    }

    fn within(&mut self, segment: &str, check: impl FnOnce(&mut Self)) {
        let outer_len = self.prefix.len();
        self.prefix.push_str(segment);
        self.prefix.push('.');
        check(self);
        self.prefix.truncate(outer_len);
    }

    fn report(&mut self, member: &str, value: Shown, constraint: Constraint) {
        if self.found.len() < MAX_VIOLATIONS {
            let path = format!("{}{member}", self.prefix);
            self.found.push(Violation {
                value,
                path,
                constraint,
            });
        }
    }
}

fn all_of(rule: &TextRule) -> Vec<Constraint> {
    rule.constraints().chain([Constraint::NotNull]).collect()
}
