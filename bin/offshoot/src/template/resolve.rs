//! Intrinsic functions with literal values: Ref, Sub, GetAtt and Join, as far as a template alone says
//! what they mean.

use std::collections::BTreeMap;

use super::error::{Problem, TemplateError};
use super::yaml::{Content, Node};

/// What names in expressions stand for.
#[derive(Debug, Default)]
pub struct Scope {
    /// Parameters (their defaults or what the user gave) and pseudo parameters.
    pub values: BTreeMap<String, String>,
    /// `Logical.Attribute` of resources that are known here, such as a function's `Arn`.
    pub attributes: BTreeMap<String, String>,
    /// Types of the resources, by logical name.
    pub resources: BTreeMap<String, String>,
}

/// The expression that has no value: its text.
struct NoValue(String);

impl Scope {
    /// The text that `node` means; `property` is its path, for errors.
    pub fn text(&self, node: &Node, property: &str) -> Result<String, TemplateError> {
        match self.value(node) {
            Ok(Some(text)) => Ok(text),
            Ok(None) => Err(TemplateError::new(
                node.line,
                Problem::Type {
                    property: property.to_owned(),
                    wanted: "a single value",
                    found: node.noun().to_owned(),
                },
            )),
            Err(NoValue(what)) => {
                let what = self.with_type(what);
                Err(TemplateError::new(
                    node.line,
                    Problem::Unresolved {
                        property: property.to_owned(),
                        what,
                    },
                ))
            }
        }
    }

    /// The whole number that `node` means.
    pub fn integer(&self, node: &Node, property: &str) -> Result<i64, TemplateError> {
        let text = self.text(node, property)?;
        text.trim().parse().map_err(|_| {
            let found = format!("{text:?}");
            let problem = Problem::Type {
                property: property.to_owned(),
                wanted: "a whole number",
                found,
            };
            TemplateError::new(node.line, problem)
        })
    }

    /// Whether `node` is `!Ref AWS::NoValue`, by which a property is left out.
    pub fn is_absent(&self, node: &Node) -> bool {
        match &node.content {
            Content::Null => true,
            Content::Call { function, argument } if function == "Ref" => {
                matches!(&argument.content, Content::Scalar { text, .. } if text == "AWS::NoValue")
            }
            _ => false,
        }
    }

    fn value(&self, node: &Node) -> Result<Option<String>, NoValue> {
        match &node.content {
            Content::Scalar { text, .. } => Ok(Some(text.clone())),
            Content::Null => Ok(Some(String::new())),
            Content::Call { function, argument } => self.call(function, argument).map(Some),
            Content::List(_) | Content::Map(_) => Ok(None),
        }
    }

    fn call(&self, function: &str, argument: &Node) -> Result<String, NoValue> {
        let unknown = || NoValue(expression(function, argument));
        match (function, &argument.content) {
            ("Ref", Content::Scalar { text, .. }) => self.reference(text).ok_or_else(unknown),
            ("GetAtt", Content::Scalar { text, .. }) => {
                self.attributes.get(text).cloned().ok_or_else(unknown)
            }
            ("GetAtt", Content::List(parts)) => {
                let path: Option<Vec<&str>> = parts.iter().map(literal).collect();
                let path = path.ok_or_else(unknown)?.join(".");
                self.attributes.get(&path).cloned().ok_or_else(unknown)
            }
            ("Sub", Content::Scalar { text, .. }) => self.substitute(text, &[]),
            ("Sub", Content::List(parts)) => match parts.as_slice() {
                [text, locals] => {
                    self.substitute(literal(text).ok_or_else(unknown)?, locals.entries())
                }
                _ => Err(unknown()),
            },
            ("Join", Content::List(parts)) => match parts.as_slice() {
                [
                    separator,
                    Node {
                        content: Content::List(items),
                        ..
                    },
                ] => {
                    let items: Result<Vec<String>, NoValue> =
                        items.iter().map(|item| self.single(item)).collect();
                    Ok(items?.join(literal(separator).ok_or_else(unknown)?))
                }
                _ => Err(unknown()),
            },
            _ => Err(unknown()),
        }
    }

    fn single(&self, node: &Node) -> Result<String, NoValue> {
        self.value(node)?
            .ok_or_else(|| NoValue(node.noun().to_owned()))
    }

    fn reference(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    /// `text` with each `${Name}` replaced; `${!Name}` stands for `${Name}` itself.
    fn substitute(&self, text: &str, locals: &[(String, Node)]) -> Result<String, NoValue> {
        let (mut done, mut rest) = (String::new(), text);
        while let Some(start) = rest.find("${") {
            let (before, from) = rest.split_at(start);
            done.push_str(before);
            let Some(end) = from.find('}') else {
                rest = from;
                break;
            };
            let name = from.get(2..end).unwrap_or_default().trim();
            if let Some(literal) = name.strip_prefix('!') {
                done.push_str(&format!("${{{literal}}}"));
            } else if let Some((_, node)) = locals.iter().find(|(local, _)| local == name) {
                done.push_str(&self.single(node)?);
            } else {
                let value = self
                    .reference(name)
                    .or_else(|| self.attributes.get(name).cloned());
                done.push_str(&value.ok_or_else(|| NoValue(format!("${{{name}}}")))?);
            }
            rest = from.get(end + 1..).unwrap_or_default();
        }
        done.push_str(rest);
        Ok(done)
    }

    /// Says of what type the resource in an expression is: that is why it has no value.
    fn with_type(&self, what: String) -> String {
        let named = |logical: &&String| {
            what.split(|c: char| !c.is_ascii_alphanumeric())
                .any(|word| word == logical.as_str())
        };
        match self
            .resources
            .keys()
            .find(named)
            .and_then(|logical| self.resources.get(logical))
        {
            Some(kind) => format!("{what} (of type {kind}, which offshoot does not make)"),
            None => what,
        }
    }
}

fn literal(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Scalar { text, .. } => Some(text),
        Content::Null => Some(""),
        _ => None,
    }
}

fn expression(function: &str, argument: &Node) -> String {
    match &argument.content {
        Content::Scalar { text, .. } => format!("!{function} {text}"),
        Content::List(parts) if function == "GetAtt" => {
            let parts: Vec<&str> = parts.iter().filter_map(literal).collect();
            format!("!GetAtt {}", parts.join("."))
        }
        _ => format!("!{function}"),
    }
}
