//! YAML (and so JSON) as a tree that remembers lines and CloudFormation's tags.
//!
//! `!Ref X`, `{Ref: X}` and `Fn::Sub: X` all become [`Content::Call`]. Size, depth and the expansion of
//! aliases are bounded: a template is somebody's file.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

use super::error::{Problem, TemplateError};

/// AWS refuses templates above 1 MB; ours have no reason to be nearly as large.
const MAX_NODES: usize = 100_000;
const MAX_DEPTH: usize = 64;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its line, from one.
    pub line: usize,
    /// What it is.
    pub content: Content,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing, `null` or `~`.
    Null,
    /// A scalar. `plain` if it stands without quotes, so that `10` may be a number.
    Scalar {
        /// Its text.
        text: String,
        /// Without quotes.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(String, Node)>),
    /// An intrinsic function of CloudFormation with its argument.
    Call {
        /// Its long name without `Fn::`, such as `Sub`.
        function: String,
        /// What it is applied to.
        argument: Box<Node>,
    },
}

impl Node {
    /// The value of `key`, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(entries) => entries
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, node)| node),
            _ => None,
        }
    }

    /// The entries of a mapping; nothing else has any.
    pub fn entries(&self) -> &[(String, Node)] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// What the node is, for errors.
    pub fn noun(&self) -> &'static str {
        match self.content {
            Content::Null => "nothing",
            Content::Scalar { .. } => "a single value",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
            Content::Call { .. } => "an intrinsic function",
        }
    }
}

/// Reads the first document of `text`.
pub fn parse(text: &str) -> Result<Node, TemplateError> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
    };
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(_) => {}
            Event::StreamEnd | Event::DocumentEnd => {
                return Err(wrong(&span.start, Problem::Empty));
            }
            event => return reader.node(event, span, 0),
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), TemplateError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(wrong(
                error.marker(),
                Problem::Syntax(error.info().to_owned()),
            )),
            None => Err(TemplateError::new(1, Problem::Empty)),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, TemplateError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES || depth > MAX_DEPTH {
            return Err(wrong(&span.start, Problem::TooLarge));
        }
        let line = span.start.line();
        let before = self.nodes;
        let (content, anchor, tag) = match event {
            Event::Alias(id) => return self.alias(id, &span),
            Event::Scalar(text, style, anchor, tag) => (scalar(text, style), anchor, tag),
            Event::SequenceStart(anchor, tag) => (self.list(depth)?, anchor, tag),
            Event::MappingStart(anchor, tag) => (self.map(depth)?, anchor, tag),
            _ => {
                return Err(wrong(
                    &span.start,
                    Problem::Syntax("a value was expected".to_owned()),
                ));
            }
        };
        let node = Node {
            line,
            content: called(content, tag.as_deref(), line),
        };
        if anchor != 0 {
            self.anchors
                .insert(anchor, (node.clone(), self.nodes - before + 1));
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, span: &Span) -> Result<Node, TemplateError> {
        let known = self.anchors.get(&id);
        let (node, size) = known
            .ok_or_else(|| wrong(&span.start, Problem::Syntax("an unknown alias".to_owned())))?;
        // Each use counts as much as what it stands for: "a billion laughs" ends here.
        self.nodes += size;
        if self.nodes > MAX_NODES {
            return Err(wrong(&span.start, Problem::TooLarge));
        }
        Ok(node.clone())
    }

    fn list(&mut self, depth: usize) -> Result<Content, TemplateError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Content::List(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Content, TemplateError> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Content::Map(entries)),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => {
                    return Err(wrong(
                        &span.start,
                        Problem::Syntax("a key must be text".to_owned()),
                    ));
                }
            };
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth + 1)?;
            if key == "<<" {
                entries.extend(value.entries().iter().cloned());
            } else if entries.iter().any(|(name, _)| *name == key) {
                return Err(wrong(&span.start, Problem::DuplicateKey(key)));
            } else {
                entries.push((key, value));
            }
        }
    }
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Content {
    let plain = style == ScalarStyle::Plain;
    if plain && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL") {
        Content::Null
    } else {
        Content::Scalar {
            text: text.into_owned(),
            plain,
        }
    }
}

/// The intrinsic function that a tag or a mapping of one key means.
fn called(content: Content, tag: Option<&Tag>, line: usize) -> Content {
    if let Some(tag) = tag.filter(|tag| tag.handle == "!" && !tag.suffix.is_empty()) {
        let argument = Box::new(Node { line, content });
        return Content::Call {
            function: tag.suffix.clone(),
            argument,
        };
    }
    match content {
        Content::Map(mut entries) if entries.len() == 1 => {
            let name = entries[0].0.as_str();
            let function = match name.strip_prefix("Fn::") {
                Some(function) => function.to_owned(),
                None if name == "Ref" => "Ref".to_owned(),
                None => return Content::Map(entries),
            };
            let argument = Box::new(entries.remove(0).1);
            Content::Call { function, argument }
        }
        other => other,
    }
}

fn wrong(at: &Marker, problem: Problem) -> TemplateError {
    TemplateError::new(at.line().max(1), problem)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn short_and_long_forms_of_a_function_are_the_same() {
        let short = parse("a: !Ref X").unwrap();
        let long = parse("a: {Ref: X}").unwrap();
        let (
            Content::Call { function, .. },
            Content::Call {
                function: other, ..
            },
        ) = (
            &short.get("a").unwrap().content,
            &long.get("a").unwrap().content,
        )
        else {
            panic!("{short:?} {long:?}")
        };
        assert_eq!(function, "Ref");
        assert_eq!(function, other);
    }

    #[test]
    fn lines_are_counted_from_one() {
        let tree = parse("a: 1\nb:\n  c: !Sub x\n").unwrap();
        assert_eq!(tree.get("b").unwrap().get("c").unwrap().line, 3);
    }

    #[test]
    fn a_billion_laughs_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            text += &format!("a{level}: &a{level} [{}]\n", before.trim_end_matches(", "));
        }
        let error = parse(&text).unwrap_err();
        assert_eq!(error.problem, Problem::TooLarge);
    }

    #[test]
    fn deep_nesting_is_refused() {
        let text = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(parse(&text).is_err());
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_with_its_line() {
        let error = parse("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(
            (error.line, error.problem),
            (3, Problem::DuplicateKey("a".to_owned()))
        );
    }
}
