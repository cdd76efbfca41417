//! Writes what only inputs have: validation, and binding of members to parts of the request.

use std::fmt::Write;

use anyhow::{Context, bail};

use super::model::{Shape, ShapeRef};
use super::names::{lower_first, screaming, snake};
use super::plan::Plan;
use super::rules::is_constrained;
use super::shapes::in_body;

/// `impl Validate`, from required members and constraints.
pub fn validate(plan: &Plan<'_>, name: &str, shape: &Shape) -> anyhow::Result<String> {
    let mut checks = String::new();
    for (wire, member) in &shape.members.0 {
        let (path, field) = (lower_first(wire), snake(wire));
        if shape.required.contains(wire) {
            writeln!(checks, "c.required({path:?}, self.{field}.is_some());")?;
        }
        if let Some(call) = check(plan, &member.shape)? {
            writeln!(
                checks,
                "{};",
                call.replace("@", &format!("{path:?}, self.{field}"))
            )?;
        }
    }
    let checker = if checks.is_empty() { "_c" } else { "c" };
    Ok(format!(
        "\nimpl Validate for {name} {{\nfn check(&self, {checker}: &mut Checker) {{\n{checks}}}\n}}\n"
    ))
}

/// The checker call for a member of this shape, with `@` where its path and field go.
fn check(plan: &Plan<'_>, name: &str) -> anyhow::Result<Option<String>> {
    let shape = plan.shape(name)?;
    let rule = format!("&rules::{}", screaming(name));
    if shape.kind == "structure" {
        return Ok(Some("c.nested(@.as_ref())".into()));
    }
    if !is_constrained(shape) {
        return Ok(None);
    }
    let element = shape
        .member
        .as_ref()
        .map(|m| plan.shape(&m.shape))
        .transpose()?;
    Ok(Some(
        match (shape.kind.as_str(), element.map(|e| e.kind.as_str())) {
            ("string", _) => format!("c.text(@.as_deref(), {rule})"),
            ("integer" | "long", _) => format!("c.integer(@, {rule})"),
            ("double", _) => format!("c.float(@, {rule})"),
            ("list", Some("string")) => format!("c.list(@.as_deref(), {rule})"),
            ("list", Some("structure")) => format!("c.nested_list(@.as_deref(), {rule})"),
            ("map", _) => {
                match plan.shape(&shape.value.as_ref().context("no value type")?.shape)? {
                    value if value.kind == "string" => format!("c.map(@.as_ref(), {rule})"),
                    value if value.kind == "double" => {
                        let of_value = shape.value.as_ref().map_or("", |v| v.shape.as_str());
                        format!(
                            "c.fractions(@.as_ref(), {rule}, &rules::{})",
                            screaming(of_value)
                        )
                    }
                    value => bail!("{name} maps to {}", value.kind),
                }
            }
            other => bail!("{name} is of unknown kind {other:?}"),
        },
    ))
}

/// `impl ApiInput`: the operation, and where members outside the body come from.
pub fn api_input(
    plan: &Plan<'_>,
    name: &str,
    operation: &str,
    shape: &Shape,
) -> anyhow::Result<String> {
    let mut binds = String::new();
    for (wire, member) in &shape.members.0 {
        if !in_body(shape, wire, member) && shape.payload.as_deref() != Some(wire) {
            binds += &bind(plan, wire, member)?;
        }
    }
    let parts = if binds.is_empty() { "_parts" } else { "parts" };
    let payload = match &shape.payload {
        Some(member) => format!(
            "\nfn set_payload(&mut self, payload: Blob) {{ self.{} = Some(payload); }}\n",
            snake(member)
        ),
        None => String::new(),
    };
    Ok(format!(
        "\nimpl ApiInput for {name} {{\n\
         const OPERATION: &'static Operation = &super::operations::{};\n\n\
         fn bind(&mut self, {parts}: &dyn Parts) -> Result<(), BindError> {{\n{binds}Ok(())\n}}\n\
         {payload}}}\n",
        screaming(operation)
    ))
}

fn bind(plan: &Plan<'_>, wire: &str, member: &ShapeRef) -> anyhow::Result<String> {
    let field = snake(wire);
    let name = member.location_name.as_deref().unwrap_or(wire);
    let kind = plan.shape(&member.shape)?.kind.as_str();
    let one = match member.location.as_deref() {
        Some("uri") => format!("parts.path({name:?})"),
        Some("header") => format!("parts.header({:?})", name.to_ascii_lowercase()),
        Some("querystring") if kind == "list" => {
            return Ok(format!(
                "self.{field} = Some(parts.query({name:?})).filter(|all| !all.is_empty());\n"
            ));
        }
        Some("querystring") => format!("parts.query({name:?}).into_iter().next()"),
        other => bail!("member {wire} has unknown location {other:?}"),
    };
    Ok(match kind {
        "string" => format!("self.{field} = {one};\n"),
        "integer" | "long" => format!("self.{field} = parse_query({name:?}, {one})?;\n"),
        other => bail!("member {wire} of type {other} cannot be bound"),
    })
}
