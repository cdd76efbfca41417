//! Writes `shapes_*.rs`: a struct per structure of the model.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::bail;

use super::input;
use super::model::{Shape, ShapeRef};
use super::names::{doc, snake};
use super::plan::Plan;

/// Members that hold a presigned link, which the model forgets to mark.
const ALSO_SENSITIVE: &[&str] = &["SensitiveStringOnServerOnly"];

/// The files by name.
pub fn render(plan: &Plan<'_>) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (name, group) in &plan.structures {
        let part = part(plan, name, group);
        let text = files
            .entry(format!("shapes_{part}.rs"))
            .or_insert_with(|| header(&part));
        text.push_str(&structure(plan, name, plan.shape(name)?)?);
    }
    for text in files.values_mut() {
        drop_unused_imports(text);
    }
    Ok(files)
}

/// The function group is the largest by far; what a caller sends is a file of its own.
fn part(plan: &Plan<'_>, name: &str, group: &str) -> String {
    match group {
        "function" if plan.inbound.contains(name) => "function_input".into(),
        group => group.to_owned(),
    }
}

fn header(group: &str) -> String {
    format!(
        "//! Structures of the Lambda API: {}.\n\n\
         #[allow(unused_imports, reason = \"not every file needs each\")]\nuse super::*;\n\
         use std::collections::BTreeMap;\n\
         use serde::{{Deserialize, Serialize}};\n\
         use super::rules;\n\
         use crate::blob::Blob;\n\
         use crate::constraint::{{Checker, Validate}};\n\
         use crate::request::{{ApiInput, BindError, Parts, parse_query}};\n",
        group.replace('_', " ")
    )
}

/// A file imports only what its structures use.
fn drop_unused_imports(text: &mut String) {
    let imports = [
        ("use std::collections::BTreeMap;\n", "BTreeMap<"),
        ("use super::rules;\n", "rules::"),
        ("use crate::blob::Blob;\n", "<Blob"),
        ("use crate::constraint::{Checker, Validate};\n", "Checker)"),
        (
            "use crate::request::{ApiInput, BindError, Parts, parse_query};\n",
            "BindError>",
        ),
        ("parse_query", "parse_query("),
    ];
    for (import, needle) in imports {
        if !text.contains(needle) {
            *text = text.replacen(import, "", 1);
        }
    }
}

fn structure(plan: &Plan<'_>, name: &str, shape: &Shape) -> anyhow::Result<String> {
    let members = members(plan, shape)?;
    let secret = members.iter().any(|m| m.sensitive);
    let mut out = String::from("\n");
    out += &doc(
        shape.documentation.as_deref(),
        &format!("`{name}` of the Lambda API."),
    );
    let debug = if secret { "" } else { "Debug, " };
    writeln!(
        out,
        "#[derive(Clone, {debug}Default, PartialEq, Serialize, Deserialize)]"
    )?;
    writeln!(out, "#[serde(default)]\npub struct {name} {{")?;
    for member in &members {
        out += &doc(member.prose, &format!("`{}`.", member.wire));
        if member.in_body {
            let wire = member.wire;
            writeln!(
                out,
                "#[serde(rename = {wire:?}, skip_serializing_if = \"Option::is_none\")]"
            )?;
        } else {
            writeln!(out, "#[serde(skip)]")?;
        }
        writeln!(out, "pub {}: Option<{}>,", member.rust, member.type_name)?;
    }
    out += "}\n";
    if secret {
        out += &redacted_debug(name, &members)?;
    }
    if plan.inbound.contains(name) {
        out += &input::validate(plan, name, shape)?;
    }
    for (operation_name, operation) in &plan.operations {
        if operation.input.as_ref().is_some_and(|i| i.shape == name) {
            out += &input::api_input(plan, name, operation_name, shape)?;
        }
    }
    Ok(out)
}

struct Member<'m> {
    wire: &'m str,
    rust: String,
    type_name: String,
    prose: Option<&'m str>,
    in_body: bool,
    sensitive: bool,
}

fn members<'m>(plan: &Plan<'m>, shape: &'m Shape) -> anyhow::Result<Vec<Member<'m>>> {
    let mut out = Vec::new();
    for (wire, member) in &shape.members.0 {
        let target = plan.shape(&member.shape)?;
        if target.eventstream {
            continue;
        }
        // A blob says only its length, whoever prints it.
        let sensitive = target.kind != "blob"
            && (target.sensitive || ALSO_SENSITIVE.contains(&member.shape.as_str()));
        out.push(Member {
            wire,
            rust: snake(wire),
            type_name: type_name(plan, &member.shape)?,
            prose: member.documentation.as_deref(),
            in_body: in_body(shape, wire, member),
            sensitive,
        });
    }
    Ok(out)
}

/// Whether the member travels in the JSON body, not in the path, query, headers or status, and
/// not as the body itself.
pub fn in_body(shape: &Shape, wire: &str, member: &ShapeRef) -> bool {
    member.location.is_none() && shape.payload.as_deref() != Some(wire)
}

fn type_name(plan: &Plan<'_>, name: &str) -> anyhow::Result<String> {
    let shape = plan.shape(name)?;
    let inner = |r: &Option<ShapeRef>| match r {
        Some(r) => type_name(plan, &r.shape),
        None => bail!("{name} has no element type"),
    };
    Ok(match shape.kind.as_str() {
        "structure" => name.to_owned(),
        "string" => "String".into(),
        "integer" | "long" => "i64".into(),
        "double" => "f64".into(),
        "boolean" => "bool".into(),
        "blob" => "Blob".into(),
        // The JSON protocol writes timestamps as seconds since the epoch.
        "timestamp" => "f64".into(),
        "list" => format!("Vec<{}>", inner(&shape.member)?),
        "map" => format!("BTreeMap<{}, {}>", inner(&shape.key)?, inner(&shape.value)?),
        other => bail!("{name} is of unknown type {other}"),
    })
}

fn redacted_debug(name: &str, members: &[Member<'_>]) -> anyhow::Result<String> {
    let mut out = format!(
        "\nimpl std::fmt::Debug for {name} {{\n\
         fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{\n\
         f.debug_struct({name:?})"
    );
    for Member {
        rust, sensitive, ..
    } in members
    {
        let value = if *sensitive {
            format!("&self.{rust}.as_ref().map(|_| crate::blob::Redacted)")
        } else {
            format!("&self.{rust}")
        };
        write!(out, ".field({:?}, {value})", rust.trim_start_matches("r#"))?;
    }
    Ok(out + ".finish()\n}\n}\n")
}
