//! Writes `rules.rs`: one static per constrained scalar, list or map that a caller can send.

use std::fmt::Write;

use anyhow::bail;

use super::model::Shape;
use super::names::screaming;
use super::plan::Plan;

/// Patterns of the model that use look-around, which the linear-time `regex` crate does not have,
/// and a regular expression of the same language without it. Messages still show the model's.
const WITHOUT_LOOKAROUND: &[(&str, &str)] = &[
    // An alias: anything of the class that is not a plain number.
    (
        "(?!^[0-9]+$)([a-zA-Z0-9-_]+)",
        "[0-9]*[a-zA-Z_-][a-zA-Z0-9_-]*",
    ),
    (
        "((?!^\\d+$)^[0-9a-zA-Z-_]+$)",
        "[0-9]*[a-zA-Z_-][a-zA-Z0-9_-]*",
    ),
    (
        "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:((?!\\d+$)[0-9a-zA-Z-_]+))?",
        "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:([0-9]*[a-zA-Z_-][a-zA-Z0-9_-]*))?",
    ),
    // A bucket: the class, not ending with a dot.
    (
        "[0-9A-Za-z\\.\\-_]*(?<!\\.)",
        "([0-9A-Za-z.\\-_]*[0-9A-Za-z\\-_])?",
    ),
];

/// The whole file.
pub fn render(plan: &Plan<'_>) -> anyhow::Result<String> {
    let mut out = String::from(
        "//! Constraints of the members that a caller can send, one static per shape.\n\n\
         use crate::constraint::{FloatRule, IntRule, ListRule, MapRule, Pattern, TextRule};\n",
    );
    let mut texts = String::new();
    for name in &plan.inbound {
        let shape = plan.shape(name)?;
        if let Some((kind, value)) = rule(plan, name, shape)? {
            if kind == "TextRule" {
                writeln!(texts, "&{},", screaming(name))?;
            }
            write!(
                out,
                "\n/// Constraints of `{name}`.\npub(crate) static {}: {kind} = {value};\n",
                screaming(name)
            )?;
        }
    }
    Ok(out
        + "\n/// Every rule of a string, for the test that compiles each pattern.\n\
           #[cfg(test)]\npub(crate) static TEXT_RULES: &[&TextRule] = &[\n"
        + &texts
        + "];\n")
}

/// Whether `rules.rs` has a static for this shape.
pub fn is_constrained(shape: &Shape) -> bool {
    match shape.kind.as_str() {
        "list" | "map" => true,
        "string" | "integer" | "long" | "double" => {
            shape.min.is_some()
                || shape.max.is_some()
                || shape.pattern.is_some()
                || !shape.values.is_empty()
        }
        _ => false,
    }
}

fn rule(
    plan: &Plan<'_>,
    name: &str,
    shape: &Shape,
) -> anyhow::Result<Option<(&'static str, String)>> {
    if !is_constrained(shape) {
        return Ok(None);
    }
    Ok(Some(match shape.kind.as_str() {
        "string" => ("TextRule", text_rule(name, shape)?),
        "integer" | "long" => (
            "IntRule",
            range("IntRule", shape, |n| format!("{}", n as i64)),
        ),
        "double" => ("FloatRule", range("FloatRule", shape, |n| format!("{n:?}"))),
        "list" => {
            let element = element_rule(plan, shape.member.as_ref().map(|m| m.shape.as_str()))?;
            let range = range("ListRule", shape, |n| format!("{}", n as u64));
            (
                "ListRule",
                range.replace(" }", &format!(", element: {element} }}")),
            )
        }
        "map" => {
            let key = element_rule(plan, shape.key.as_ref().map(|m| m.shape.as_str()))?;
            let value = element_rule(plan, shape.value.as_ref().map(|m| m.shape.as_str()))?;
            let sensitive = shape.sensitive;
            (
                "MapRule",
                format!("MapRule {{ key: {key}, value: {value}, sensitive: {sensitive} }}"),
            )
        }
        other => bail!("no rule is known for {other} shape {name}"),
    }))
}

fn text_rule(name: &str, shape: &Shape) -> anyhow::Result<String> {
    let length = |n: Option<f64>| option(n.map(|n| format!("{}", n as u64)));
    let values = if shape.values.is_empty() {
        "&[]".to_owned()
    } else {
        format!("super::enums::{name}::VALUES")
    };
    let pattern = match &shape.pattern {
        Some(source) => format!(
            "Some(Pattern::new({source:?}, std::sync::LazyLock::new(|| \
             crate::constraint::compile({:?}))))",
            portable(source)?
        ),
        None => "None".into(),
    };
    Ok(format!(
        "TextRule {{ min_len: {}, max_len: {}, pattern: {pattern}, values: {values}, sensitive: {} }}",
        length(shape.min),
        length(shape.max),
        shape.sensitive
    ))
}

/// `pattern` in the dialect of the `regex` crate, with Java's ASCII meaning of `\d` and `\s`.
fn portable(pattern: &str) -> anyhow::Result<String> {
    let rewritten = WITHOUT_LOOKAROUND.iter().find(|(from, _)| *from == pattern);
    let pattern = rewritten.map_or(pattern, |(_, to)| to);
    if ["(?=", "(?!", "(?<=", "(?<!"]
        .iter()
        .any(|look| pattern.contains(look))
    {
        bail!("pattern {pattern:?} uses look-around; add its equivalent to WITHOUT_LOOKAROUND");
    }
    let pattern = pattern
        .replace("\\d", "[0-9]")
        .replace("[^\\s]", "[^ \\t\\n\\x0B\\f\\r]");
    if pattern.contains("\\s") || pattern.contains("\\w") {
        bail!("pattern {pattern:?} uses a class whose ASCII form is not spelled out here");
    }
    Ok(pattern)
}

fn range(kind: &str, shape: &Shape, show: impl Fn(f64) -> String) -> String {
    let [min, max] = [shape.min, shape.max].map(|bound| option(bound.map(&show)));
    format!("{kind} {{ min: {min}, max: {max} }}")
}

fn element_rule(plan: &Plan<'_>, name: Option<&str>) -> anyhow::Result<String> {
    let Some(name) = name else {
        return Ok("None".into());
    };
    let shape = plan.shape(name)?;
    let is_text = shape.kind == "string" && is_constrained(shape);
    Ok(option(is_text.then(|| format!("&{}", screaming(name)))))
}

fn option(value: Option<String>) -> String {
    value.map_or("None".into(), |v| format!("Some({v})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_lookaround_is_refused() {
        assert!(portable("(?!x)y").is_err());
        assert_eq!(portable("\\d{12}").ok().as_deref(), Some("[0-9]{12}"));
    }

    #[test]
    fn known_lookaround_is_rewritten() {
        for (from, _) in WITHOUT_LOOKAROUND {
            assert!(portable(from).is_ok_and(|to| !to.contains("(?")), "{from}");
        }
    }
}
