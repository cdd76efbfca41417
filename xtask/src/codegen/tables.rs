//! Writes the tables: operations, enums, exceptions, header names, and the module root.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::{Context, ensure};

use super::names::{doc, screaming, snake, variant};
use super::plan::Plan;
use super::shapes::in_body;

/// `operations.rs`.
pub fn operations(plan: &Plan<'_>) -> String {
    let mut out = String::from(
        "//! The operations that offshoot serves, and how each looks as a request.\n\n\
         use crate::operation::{Body, Operation};\n",
    );
    let mut all = String::new();
    for (name, operation) in &plan.operations {
        let (template, query) = match operation.http.request_uri.split_once('?') {
            Some((template, query)) => (template, query.split_once('=')),
            None => (operation.http.request_uri.as_str(), None),
        };
        let input = operation
            .input
            .as_ref()
            .and_then(|i| plan.shape(&i.shape).ok());
        let body = match input {
            Some(shape) if shape.payload.is_some() => "Payload",
            Some(shape) if shape.members.0.iter().any(|(w, m)| in_body(shape, w, m)) => "Json",
            _ => "None",
        };
        let constant = screaming(name);
        let _ = write!(
            out,
            "\n/// `{name}`.\npub static {constant}: Operation = Operation {{ name: {name:?}, \
             method: {:?}, uri_template: {template:?}, fixed_query: {query:?}, \
             success_status: {}, body: Body::{body} }};\n",
            operation.http.method, operation.http.response_code
        );
        let _ = writeln!(all, "&{constant},");
    }
    out + "\n/// Every operation.\npub static OPERATIONS: &[&Operation] = &[\n" + &all + "];\n"
}

/// `enums.rs`.
pub fn enums(plan: &Plan<'_>) -> anyhow::Result<String> {
    let mut out = String::from(
        "//! Enumerated strings of the Lambda API. Structures keep them as `String`, so that an\n\
         //! unknown value becomes an error message and not a decoding failure.\n",
    );
    for name in &plan.enums {
        let shape = plan.shape(name)?;
        let variants: BTreeMap<String, &str> = shape
            .values
            .iter()
            .map(|v| (variant(v), v.as_str()))
            .collect();
        ensure!(
            variants.len() == shape.values.len(),
            "two values of {name} share a variant"
        );
        let ordered = || shape.values.iter().map(|value| (variant(value), value));
        out += "\n";
        out += &doc(
            shape.documentation.as_deref(),
            &format!("Values of `{name}`."),
        );
        writeln!(
            out,
            "#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\npub enum {name} {{"
        )?;
        for (variant, value) in ordered() {
            writeln!(out, "/// `{value}`.\n{variant},")?;
        }
        writeln!(
            out,
            "}}\n\nimpl {name} {{\n/// Every value as on the wire, in the model's order."
        )?;
        writeln!(
            out,
            "pub const VALUES: &'static [&'static str] = &{:?};\n",
            shape.values
        )?;
        writeln!(
            out,
            "/// The value as on the wire.\npub const fn as_str(self) -> &'static str {{"
        )?;
        writeln!(out, "match self {{")?;
        for (variant, value) in ordered() {
            writeln!(out, "Self::{variant} => {value:?},")?;
        }
        writeln!(
            out,
            "}}\n}}\n\n/// The variant of a value on the wire, if there is one."
        )?;
        writeln!(
            out,
            "pub fn from_wire(value: &str) -> Option<Self> {{\nmatch value {{"
        )?;
        for (variant, value) in ordered() {
            writeln!(out, "{value:?} => Some(Self::{variant}),")?;
        }
        writeln!(
            out,
            "_ => None,\n}}\n}}\n}}\n\nimpl std::fmt::Display for {name} {{"
        )?;
        writeln!(
            out,
            "fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{"
        )?;
        writeln!(out, "f.write_str(self.as_str())\n}}\n}}")?;
    }
    Ok(out)
}

/// `errors.rs`.
pub fn errors(plan: &Plan<'_>) -> anyhow::Result<String> {
    let mut out = String::from(
        "//! Exceptions that the served operations declare.\n\n\
         use crate::error::ModeledError;\n\n\
         /// Every declared exception, by name.\npub static ERRORS: &[ModeledError] = &[\n",
    );
    for name in &plan.errors {
        let shape = plan.shape(name)?;
        let error = shape
            .error
            .as_ref()
            .with_context(|| format!("{name} is no exception"))?;
        let message = shape
            .members
            .0
            .iter()
            .find(|(m, _)| m.eq_ignore_ascii_case("message"));
        let (message, _) = message.with_context(|| format!("{name} has no message"))?;
        writeln!(
            out,
            "ModeledError {{ name: {name:?}, status: {}, sender_fault: {}, message_member: \
             {message:?} }},",
            error.http_status_code, error.sender_fault
        )?;
    }
    Ok(out + "];\n")
}

/// `headers.rs`.
pub fn headers(plan: &Plan<'_>) -> String {
    let inputs = plan.operations.iter().filter_map(|(_, o)| o.input.as_ref());
    let outputs = plan
        .operations
        .iter()
        .filter_map(|(_, o)| o.output.as_ref());
    let own = inputs.chain(outputs).map(|r| r.shape.as_str());
    let names: BTreeSet<&str> = own
        .chain(plan.errors.iter().copied())
        .filter_map(|shape| plan.shape(shape).ok())
        .flat_map(|shape| &shape.members.0)
        .filter(|(_, member)| member.location.as_deref() == Some("header"))
        .filter_map(|(_, member)| member.location_name.as_deref())
        .collect();
    let mut out = String::from("//! Header names of the Lambda API, in lower case.\n");
    for name in names {
        let constant = screaming(&snake(&name.replace('-', "_")));
        let lower = name.to_ascii_lowercase();
        let _ = write!(
            out,
            "\n/// `{name}`.\npub const {constant}: &str = {lower:?};\n"
        );
    }
    out
}

/// `mod.rs`, which re-exports the structures.
pub fn root<'f>(files: impl Iterator<Item = &'f String>) -> String {
    let modules: Vec<&str> = files.filter_map(|f| f.strip_suffix(".rs")).collect();
    let mut out = String::from(
        "//! Types and tables of the Lambda API, from AWS's service model.\n\n\
         #![allow(clippy::enum_variant_names, reason = \"the names are AWS's\")]\n\
         #![allow(clippy::large_enum_variant, reason = \"the shapes are AWS's\")]\n\n",
    );
    for module in &modules {
        let visibility = match *module {
            "enums" | "errors" | "headers" | "operations" => "pub ",
            "rules" => "pub(crate) ",
            _ => "",
        };
        let _ = writeln!(out, "{visibility}mod {module};");
    }
    out.push('\n');
    for module in modules.iter().filter(|m| m.starts_with("shapes_")) {
        let _ = writeln!(out, "pub use {module}::*;");
    }
    out + "\n#[allow(unused_imports, reason = \"the structure files import it from here\")]\n\
           use crate::operation::Operation;\n"
}
